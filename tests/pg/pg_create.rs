//! Backups that are made of a real server: complete, under one snapshot, or none at all.

#[path = "../../benches/support/proxy.rs"]
mod proxy;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use runbook::archive::proof;
use runbook::archive::seal::Keys;
use runbook::archive::store::Found;
use runbook::archive::table_file::TableReader;
use runbook::engine::backup::{Backed, MadeBy, Order, Progressing, Seal, TableRows, What};
use runbook::engine::cancel::Cancel;
use runbook::engine::failure::{Failure, FailureKind};
use runbook::engine::port::{Bound, Limits};
use runbook::pg::backup::{self, Site};
use runbook::pg::environment::Environment;
use runbook::pg::scratch::{Scratch, ScratchOptions};
use runbook::pg::session::Session;
use runbook::pg::settings::ConnectSettings;
use runbook::runbook::data::Cell;
use runbook::sql::statement::Statement;
use runbook::step::backup::{Keep, Verify};
use tempfile::TempDir;
use tokio_postgres::Client;

use crate::support::start;
use proxy::Proxy;

const COMPANIES: &str = "\
    CREATE TABLE companies (id int PRIMARY KEY, name text, at timestamptz); \
    CREATE TABLE users (id int PRIMARY KEY, company int NOT NULL, mail text, size int GENERATED ALWAYS AS (length(mail)) STORED); \
    CREATE TABLE invoices (id int PRIMARY KEY, company int, total numeric CHECK (total > 0), notes text[]); \
    INSERT INTO companies VALUES (1, E'a\\t\"b\"\\\\', '2026-01-01 00:30+00'), (2, NULL, '2026-01-02 12:00+00'), (3, '', NULL); \
    INSERT INTO users SELECT g, g % 3 + 1, 'm' || g || '@example.com' FROM generate_series(1, 6) g; \
    INSERT INTO invoices SELECT g, g % 3 + 1, g * 1.50, ARRAY['x, y', NULL, '\"'] FROM generate_series(1, 9) g";

struct Ground {
    server: Scratch,
    folder: TempDir,
    client: Client,
    site: Site,
    made: u32,
}

impl Ground {
    async fn new(setup: &str) -> Self {
        let server = start(ScratchOptions::default()).await;
        let folder = tempfile::tempdir().unwrap();
        let client = server.settings("postgres").connect().await.unwrap().client;
        client.batch_execute(setup).await.unwrap();
        let site = Site {
            keep: None,
            encrypt: Vec::new(),
            folder: folder.path().join("backups"),
            environment: Environment::from_process(),
            jobs: 2,
            keys: Keys::default(),
            made: Arc::default(),
            needed: runbook::pg::backup::Needed::default(),
        };
        Self {
            server,
            folder,
            client,
            site,
            made: 0,
        }
    }

    async fn session(&self) -> Session {
        let settings = self.server.settings("postgres");
        Session::connect(&settings, None).await.unwrap()
    }

    fn order(&mut self, what: What) -> Order {
        self.made += 1;
        Order {
            id: format!("before-{}", self.made),
            name: "before".to_owned(),
            what,
            to: None,
            keep: None,
            verify: Verify::Checksum,
            seal: None,
            made_by: MadeBy::default(),
        }
    }

    async fn make(&mut self, what: What) -> Result<Backed, Failure> {
        let order = self.order(what);
        let mut session = self.session().await;
        self.create(&mut session, &order).await
    }

    async fn create(&self, session: &mut Session, order: &Order) -> Result<Backed, Failure> {
        backup::create(session, &self.site, order, &limits(), &mut |_| {}).await
    }

    /// Returns what is in the folder of backups.
    fn left(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path().join("backups"));
        let mut names: Vec<String> = entries
            .into_iter()
            .flatten()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// Asserts that no session of a backup does anything any more.
    async fn is_quiet(&self) {
        let busy = "SELECT count(*)::text FROM pg_stat_activity WHERE application_name LIKE 'runbook%' AND state = 'active'";
        for _ in 0..100 {
            let rows = self.client.query_typed(busy, &[]).await.unwrap();
            if rows[0].get::<_, &str>(0) == "0" {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("a session is still busy");
    }
}

fn limits() -> Limits {
    Limits {
        deadline: None,
        cancel: Cancel::never(),
    }
}

fn tables(names: &[&str]) -> What {
    What::Tables(names.iter().map(|&name| name.to_owned()).collect())
}

fn rows(rows: &[(&str, &str, &[&str])]) -> What {
    let one = |&(table, predicate, binds): &(&str, &str, &[&str])| {
        let text = format!("SELECT FROM {table} WHERE ({predicate}\n)");
        let cell = |text: &&str| Cell {
            text: Some((*text).to_owned()),
            oid: 25,
        };
        let bound = Bound {
            statement: Statement::parse(&text).unwrap(),
            binds: binds.iter().map(cell).collect(),
        };
        TableRows {
            table: table.to_owned(),
            bound,
            shown: predicate.to_owned(),
        }
    };
    What::Rows(rows.iter().map(one).collect())
}

fn company() -> What {
    rows(&[
        ("companies", "id = $1::int", &["2"]),
        (
            "users",
            "company = $1::int AND id::text = ANY ($2::text[])",
            &["2", "{1,4}"],
        ),
        ("invoices", "company = $1::int", &["2"]),
    ])
}

fn words(failure: &Failure) -> String {
    let message = vec![failure.message.clone()];
    [message, failure.notes.clone(), failure.help.clone()]
        .concat()
        .join("\n")
}

/// Returns a backup's tables with their rows, as COPY prints them.
fn content(folder: &str) -> String {
    let found = Found::open(Path::new(folder)).unwrap();
    proof::of(&found.folder, &found.manifest, None, &|_| Ok(())).unwrap();
    let mut text = String::new();
    for table in &found.manifest.tables {
        let predicate = table.predicate.clone().unwrap_or_default();
        let columns = table.columns.join(",");
        text += &[table.relation.as_str(), &columns, &predicate].join(" ");
        text.push('\n');
        let file = found.manifest.files.iter();
        let mut file = file.filter(|file| Some(&file.path) == table.file.as_ref());
        let mut reader = TableReader::open(&found.folder, file.next().unwrap(), None).unwrap();
        while let Some(lines) = reader.lines().unwrap() {
            text += str::from_utf8(lines).unwrap();
        }
    }
    text
}

#[tokio::test]
async fn rows_of_a_company_are_saved_in_two_round_trips() {
    let mut ground = Ground::new(COMPANIES).await;
    let proxy = Proxy::new(ground.server.path());
    let environment = Environment::empty().with_user("nobody");
    let settings = ConnectSettings::resolve(Some(&proxy.url("postgres")), &environment).unwrap();
    let mut session = Session::connect(&settings, None).await.unwrap();
    proxy.trips();
    let order = ground.order(company());
    let backed = ground.create(&mut session, &order).await.unwrap();
    assert_eq!(proxy.trips(), 2);
    assert_eq!((backed.rows, backed.holds.as_str()), (6, "rows"));
    insta::assert_snapshot!(content(&backed.path), @r#"
    public.companies id,name,at id = $1::int
    2	\N	2026-01-02 12:00:00+00
    public.users id,company,mail company = $1::int AND id::text = ANY ($2::text[])
    1	2	m1@example.com
    4	2	m4@example.com
    public.invoices id,company,total,notes company = $1::int
    1	2	1.50	{"x, y",NULL,"\\""}
    4	2	6.00	{"x, y",NULL,"\\""}
    7	2	10.50	{"x, y",NULL,"\\""}
    "#);
    let notes = Found::open(Path::new(&backed.path)).unwrap().notes;
    assert!(notes.read_at.is_some() && notes.restored_at.is_none());
    ground.server.stop().unwrap();
}

#[tokio::test]
async fn rows_are_restored_on_trial() {
    let mut ground = Ground::new(COMPANIES).await;
    let mut order = ground.order(company());
    order.verify = Verify::Restore;
    let mut session = ground.session().await;
    let backed = ground.create(&mut session, &order).await.unwrap();
    let notes = Found::open(Path::new(&backed.path)).unwrap().notes;
    assert!(notes.restored_at.is_some());
    ground.server.stop().unwrap();
}

#[tokio::test]
async fn tables_are_saved_with_those_that_inherit_and_of_all_partitions() {
    let setup = format!(
        "{COMPANIES}; CREATE TABLE parent (id int); CREATE TABLE child (more int) INHERITS (parent); CREATE TABLE bare (); \
         CREATE TABLE parted (id int) PARTITION BY RANGE (id); CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (5); \
         CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (5) TO (9); \
         INSERT INTO parent VALUES (1); INSERT INTO child VALUES (2, 3); INSERT INTO parted VALUES (4), (5); INSERT INTO bare DEFAULT VALUES"
    );
    let mut ground = Ground::new(&setup).await;
    let what = tables(&["companies", "users", "parent", "parted", "parted_2", "bare"]);
    let backed = ground.make(what).await.unwrap();
    insta::assert_snapshot!(content(&backed.path), @r#"
    public.companies id,name,at 
    1	a\t"b"\\	2026-01-01 00:30:00+00
    2	\N	2026-01-02 12:00:00+00
    3		\N
    public.users id,company,mail 
    1	2	m1@example.com
    2	3	m2@example.com
    3	1	m3@example.com
    4	2	m4@example.com
    5	3	m5@example.com
    6	1	m6@example.com
    public.parent id 
    1
    public.child id,more 
    2	3
    public.parted id 
    4
    5
    public.bare
    "#);
    assert_eq!(ground.left(), ["before-1"]);
    ground.server.stop().unwrap();
}

#[tokio::test]
async fn all_tables_are_of_one_moment() {
    let setup = "CREATE TABLE a (n int); CREATE TABLE b (n int); INSERT INTO a SELECT generate_series(1, 100000)";
    let mut ground = Ground::new(setup).await;
    let mover = ground.server.settings("postgres").connect().await.unwrap();
    let moving = tokio::spawn(async move {
        for _ in 0..200 {
            let text = "WITH moved AS (DELETE FROM a WHERE ctid IN (SELECT ctid FROM a LIMIT 100) RETURNING n) \
                        INSERT INTO b SELECT n FROM moved";
            mover.client.batch_execute(text).await.unwrap();
        }
    });
    for _ in 0..3 {
        let backed = ground.make(tables(&["a", "b"])).await.unwrap();
        assert_eq!(backed.rows, 100_000);
    }
    moving.await.unwrap();
    ground.server.stop().unwrap();
}

#[tokio::test]
async fn case_28_and_other_parts_that_would_look_whole_are_refused() {
    let setup = format!(
        "{COMPANIES}; CREATE TABLE parent (id int); CREATE TABLE child () INHERITS (parent); CREATE SEQUENCE seen; \
         CREATE ROLE reader; GRANT SELECT ON users TO reader; ALTER TABLE users ENABLE ROW LEVEL SECURITY; \
         CREATE POLICY own ON users USING (id = 1)"
    );
    let mut ground = Ground::new(&setup).await;
    let mut told = Vec::new();
    for what in [
        tables(&["user"]),
        rows(&[("parent", "id = 1", &[])]),
        rows(&[("users", "id = 1", &[]), ("public.users", "id = 2", &[])]),
        rows(&[("users", "nextval('seen') % 2 = 0", &[])]),
        rows(&[("users", "id / 0 = 1", &[])]),
    ] {
        told.push(words(&ground.make(what).await.unwrap_err()));
    }
    let mut reader = ground.session().await;
    let become_reader = "SET SESSION AUTHORIZATION reader";
    reader.client().batch_execute(become_reader).await.unwrap();
    let order = ground.order(rows(&[("users", "id = 1", &[])]));
    told.push(words(
        &ground.create(&mut reader, &order).await.unwrap_err(),
    ));
    let mut session = ground.session().await;
    session.set_local(vec![("TimeZone".to_owned(), "Asia/Tokyo".to_owned())]);
    let order = ground.order(rows(&[("companies", "at < '2026-01-01 09:00'", &[])]));
    told.push(words(
        &ground.create(&mut session, &order).await.unwrap_err(),
    ));
    let order = ground.order(rows(&[("companies", "id = 2", &[])]));
    assert_eq!(ground.create(&mut session, &order).await.unwrap().rows, 1);
    insta::assert_snapshot!(told.join("\n\n"), @"
    there is no table user
    no backup was made; earlier ones are as they were
    did you mean `users`?

    rows of parent may be rows of public.child, which inherit from it: nobody could say where they belong
    no backup was made; earlier ones are as they were
    save the whole tables (`tables: [parent]` brings the others along), or the rows of public.child alone

    `rows` names the table public.users twice, by different names
    no backup was made; earlier ones are as they were
    put both predicates into one: (…) OR (…)

    cannot execute nextval() in a read-only transaction
    while rows of public.users were saved
    no backup was made; earlier ones are as they were
    a `query` or `check` only reads; what writes belongs into a `fix`

    division by zero
    while rows of public.users were saved
    no backup was made; earlier ones are as they were

    row-level security of public.users hides rows from reader: only a part of it would be saved
    no backup was made; earlier ones are as they were
    use a login that sees all rows: the table's owner, or one with BYPASSRLS (ALTER ROLE reader BYPASSRLS)

    the predicate of public.companies finds other rows with the `settings` of the runbook than without them
    rows are saved with TimeZone UTC and DateStyle ISO, so that their texts mean the same everywhere
    no backup was made; earlier ones are as they were
    say it in the predicate: at >= '2026-01-31 00:00+01' instead of at >= '2026-01-31'
    ");
    assert_eq!(ground.left(), [order.id]);
    ground.server.stop().unwrap();
}

#[tokio::test]
async fn what_is_cut_short_leaves_nothing() {
    let setup = "CREATE TABLE a (n int, t text); INSERT INTO a SELECT g, repeat('x', 200) FROM generate_series(1, 400000) g";
    let mut ground = Ground::new(setup).await;
    let slow = rows(&[("a", "n = 1 AND pg_sleep(60)::text = ''", &[])]);
    for what in [slow.clone(), tables(&["a"])] {
        let order = ground.order(what);
        let (canceller, cancel) = Cancel::new();
        let limits = Limits {
            deadline: None,
            cancel,
        };
        let mut session = ground.session().await;
        let mut told = |_: &Progressing| canceller.cancel();
        let made = backup::create(&mut session, &ground.site, &order, &limits, &mut told).await;
        assert_eq!(made.unwrap_err().kind, FailureKind::Cancelled);
        assert!(ground.left().is_empty(), "{:?}", ground.left());
        ground.is_quiet().await;
    }
    let order = ground.order(slow);
    let soon = tokio::time::Instant::now() + Duration::from_millis(300);
    let limits = Limits {
        deadline: Some(soon),
        cancel: Cancel::never(),
    };
    let mut session = ground.session().await;
    let made = backup::create(&mut session, &ground.site, &order, &limits, &mut |_| {}).await;
    assert_eq!(made.unwrap_err().kind, FailureKind::Timeout);
    assert!(ground.left().is_empty());
    ground.is_quiet().await;
    ground.server.stop().unwrap();
}

#[tokio::test]
async fn lost_connections_leave_nothing() {
    let setup = "CREATE TABLE a (n int, t text); INSERT INTO a SELECT g, repeat('x', 200) FROM generate_series(1, 400000) g";
    let mut ground = Ground::new(setup).await;
    // Those that copy, and the one that holds the snapshot.
    for state in ["active", "idle in transaction"] {
        let order = ground.order(tables(&["a"]));
        let other = ground.server.settings("postgres").connect().await.unwrap();
        let (sender, heard) = tokio::sync::oneshot::channel::<()>();
        let end = format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'runbook/backup' AND state = '{state}'"
        );
        let ending = tokio::spawn(async move {
            heard.await.unwrap();
            other.client.batch_execute(&end).await.unwrap();
        });
        let mut sender = Some(sender);
        let mut told = |_: &Progressing| {
            sender.take().map(|sender| sender.send(()));
        };
        let mut session = ground.session().await;
        let limits = limits();
        let made = backup::create(&mut session, &ground.site, &order, &limits, &mut told).await;
        let failure = words(&made.unwrap_err());
        assert!(
            failure.contains("lost") || failure.contains("terminating"),
            "{failure}"
        );
        assert!(ground.left().is_empty());
        ending.await.unwrap();
    }
    ground.server.stop().unwrap();
}

#[tokio::test]
async fn tables_that_are_dropped_meanwhile_are_an_error() {
    let mut ground = Ground::new("CREATE TABLE a (n int); CREATE TABLE b (n int)").await;
    for what in [tables(&["a"]), rows(&[("b", "true", &[])])] {
        let dropper = ground.server.settings("postgres").connect().await.unwrap();
        let table = if matches!(what, What::Rows(_)) {
            "b"
        } else {
            "a"
        };
        let drop = format!("BEGIN; DROP TABLE {table}");
        dropper.client.batch_execute(&drop).await.unwrap();
        let dropping = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(300)).await;
            dropper.client.batch_execute("COMMIT").await.unwrap();
        });
        let failure = words(&ground.make(what).await.unwrap_err());
        assert!(
            failure.contains("someone dropped or renamed it"),
            "{failure}"
        );
        dropping.await.unwrap();
        assert!(ground.left().is_empty());
    }
    ground.server.stop().unwrap();
}

#[tokio::test]
async fn case_47_older_ones_go_only_once_a_new_one_is_good() {
    let mut ground = Ground::new(COMPANIES).await;
    let keep = Some(Keep {
        last: Some(2),
        days: None,
    });
    let mut session = ground.session().await;
    for number in 1..=3 {
        let mut order = ground.order(tables(&["users"]));
        order.keep = keep;
        let backed = ground.create(&mut session, &order).await.unwrap();
        let gone: &[&str] = if number == 3 { &["before-1"] } else { &[] };
        assert_eq!(backed.pruned, gone);
    }
    let mut order = ground.order(tables(&["nothing"]));
    order.keep = keep;
    ground.create(&mut session, &order).await.unwrap_err();
    assert_eq!(ground.left(), ["before-2", "before-3"]);
    ground.server.stop().unwrap();
}

#[tokio::test]
async fn encrypted_ones_are_proved_with_their_own_key() {
    let mut ground = Ground::new(COMPANIES).await;
    let mut session = ground.session().await;
    for what in [tables(&["users", "companies"]), company()] {
        let mut order = ground.order(what);
        let recipient = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
        order.seal = Some(Seal::Recipients(vec![recipient.to_owned()]));
        order.verify = if matches!(order.what, What::Rows(_)) {
            Verify::Restore
        } else {
            Verify::Checksum
        };
        let backed = ground.create(&mut session, &order).await.unwrap();
        assert!(backed.encrypted);
        let found = Found::open(Path::new(&backed.path)).unwrap();
        let key = ground.site.key(&found).unwrap();
        proof::of(&found.folder, &found.manifest, key.as_ref(), &|_| Ok(())).unwrap();
        // Nobody else has a key for it.
        ground.site.made.lock().unwrap().clear();
        assert!(ground.site.key(&found).is_err());
    }
    ground.server.stop().unwrap();
}
