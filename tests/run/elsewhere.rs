//! Cases 11 and 15 through the program: a pooler in between, and a target that is no longer what it was.

use std::os::unix::fs::PermissionsExt;

use insta::assert_snapshot;
use runbook::pg::environment::Environment;
use runbook::pg::scratch::{self, Scratch, ScratchOptions};
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::SimpleQueryMessage;

use crate::proxy::Proxy;
use crate::server::Database;
use crate::test::{Ran, Test};

const ACCOUNTS: &str = "CREATE TABLE accounts (id int PRIMARY KEY, balance int NOT NULL); \
    INSERT INTO accounts SELECT n, 100 FROM generate_series(1, 2) n";

const STEPS: &str = "
    - confirm: go
      ask: Go?
    - fix: one
      sql: UPDATE accounts SET balance = balance + 1 WHERE id = 1
      rows: 1
    - query: moment
      command: [sh, -c, 'touch waits; until [ -e go ]; do sleep 0.02; done']
    - fix: two
      sql: UPDATE accounts SET balance = balance + 1 WHERE id = 2
      rows: 1
    - check: after
      that: true
";

const BALANCES: &str = "SELECT string_agg(balance::text, ' ' ORDER BY id) FROM accounts";

#[test]
fn case_11_a_run_behind_a_pooler_of_transactions_changes_nothing() {
    let test = Test::sql(ACCOUNTS).steps(STEPS);
    let proxy = Proxy::pooling(test.root(), &Database::folder());
    let url = proxy.url(&test.db.url());
    let output = test
        .bare(["run", "t", "--yes", "--database-url", &url])
        .output();
    let ran = test.ran(&output.unwrap());
    assert_snapshot!(ran, @"
    exit 10
    --- stdout
    Test  run RUN · postgres@ROOT/proxy:5432/DB · medium risk

      ? go
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ✗ one                    failed  TIME
          error: a connection pooler stands between this program and the server
            = note: the transaction came to another server process than the connection began with
            = note: the run's lock and settings are of one process; nothing was changed
            = help: demand a direct connection: the server's own address, or a pool of sessions

    Failed after TIME.
    `one`: a connection pooler stands between this program and the server
    Nothing was changed.
    ");
    assert_eq!(test.rows(BALANCES), "100 100");
}

/// Runs the program on another database.
fn on(test: &Test, url: &str, args: &str) -> Ran {
    let mut command = test.bare(args.split_whitespace());
    command.args(["--database-url", url]);
    test.ran(&command.output().unwrap())
}

/// Kills a run on a database after its first fix; returns its id.
fn cut_short(test: &Test, url: &str) -> String {
    let mut command = test.bare(["run", "t", "--yes", "--database-url", url]);
    let mut child = command.spawn().unwrap();
    let work = test.root().join("work");
    Test::wait(|| work.join("waits").exists());
    child.kill().unwrap();
    child.wait().unwrap();
    // The program that it started ends by itself, and so does the next one.
    std::fs::write(work.join("go"), "").unwrap();
    test.id()
}

#[test]
fn case_15_on_another_database_nothing_goes_on() {
    let test = Test::sql(ACCOUNTS).steps(STEPS);
    let id = cut_short(&test, &test.db.url());
    let other = Database::new(None);
    other.connect().run(ACCOUNTS);
    let text = |ran: &Ran| ran.to_string().replace(other.name(), "OTHER");
    let oids = regex_lite::Regex::new(r"OID \d+").unwrap();
    let text = |ran: &Ran| oids.replace_all(&text(ran), "OID").into_owned();
    assert_snapshot!(text(&on(&test, &other.url(), &format!("resume {id} --yes"))), @"
    exit 4
    --- stderr
    error: this is another database than the one that the run began on
      it began on database DB (OID), this is database OTHER (OID)
      = help: give the connection of the database that it began on
    ");
    assert_snapshot!(text(&on(&test, &other.url(), &format!("undo {id} --yes"))), @"
    exit 4
    --- stderr
    error: this is another database than the one that the run began on
      it began on database DB (OID), this is database OTHER (OID)
      = help: give the connection of the database that it began on
    ");
    assert_eq!(other.connect().rows(BALANCES), "100 100");
    assert_eq!(test.rows(BALANCES), "101 100");
    test.run(&format!("undo {id} --yes")).code(0);
    assert_eq!(test.rows(BALANCES), "100 100");
}

/// A server of a test alone.
struct Own {
    runtime: Runtime,
    server: Scratch,
}

impl Own {
    fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let server = runtime
            .block_on(scratch::start(
                &Environment::from_process(),
                ScratchOptions::default(),
            ))
            .unwrap();
        let own = Self { runtime, server };
        own.rows(ACCOUNTS);
        own
    }

    fn url(&self) -> String {
        self.server.url("postgres")
    }

    fn rows(&self, sql: &str) -> String {
        self.runtime.block_on(async {
            let connected = self.server.settings("postgres").connect().await.unwrap();
            let answer = connected.client.simple_query(sql).await.unwrap();
            let rows = answer.iter().filter_map(|message| match message {
                SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
                _ => None,
            });
            rows.collect::<Vec<_>>().join("\n")
        })
    }
}

#[test]
fn case_15_a_target_that_became_a_replica_or_was_promoted_is_refused() {
    let test = Test::sql(ACCOUNTS).steps(STEPS);
    let mut own = Own::new();
    let id = cut_short(&test, &own.url());
    let folder = own.server.path().display().to_string();
    let oids = regex_lite::Regex::new(r"OID \d+").unwrap();
    let text = |ran: &Ran| {
        let text = ran.to_string().replace(&folder, "OWN");
        oids.replace_all(&text, "OID").into_owned()
    };
    // Scratch servers are copies of one cluster: it is the database that differs.
    let (resume, undo) = (format!("resume {id} --yes"), format!("undo {id} --yes"));
    assert_snapshot!(text(&on(&test, &test.db.url(), &resume)), @"
    exit 4
    --- stderr
    error: this is another database than the one that the run began on
      it began on database postgres (OID), this is database DB (OID)
      = help: give the connection of the database that it began on
    ");
    assert_snapshot!(text(&on(&test, &test.db.url(), &undo)), @"
    exit 4
    --- stderr
    error: this is another database than the one that the run began on
      it began on database postgres (OID), this is database DB (OID)
      = help: give the connection of the database that it began on
    ");
    assert_eq!(test.rows(BALANCES), "100 100");

    let signal = own.server.data().join("standby.signal");
    std::fs::write(&signal, "").unwrap();
    std::fs::set_permissions(&signal, PermissionsExt::from_mode(0o666)).unwrap();
    own.runtime.block_on(own.server.restart()).unwrap();
    assert_snapshot!(text(&on(&test, &own.url(), &resume)), @"
    exit 4
    --- stderr
    error: the server is a replica: nothing can be changed on it
      = help: give the connection of the primary, or add target_session_attrs=primary to it
    ");
    assert_snapshot!(text(&on(&test, &own.url(), &undo)), @"
    exit 4
    --- stderr
    error: the server is a replica: nothing can be changed on it
      = help: give the connection of the primary, or add target_session_attrs=primary to it
    ");
    assert_snapshot!(text(&on(&test, &own.url(), "run t --yes")), @"
    exit 4
    --- stderr
    error: the server is a replica: nothing can be changed on it
      = help: give the connection of the primary, or add target_session_attrs=primary to it
    ");
    assert_eq!(own.rows(BALANCES), "101 100");

    own.rows("SELECT pg_promote(true)");
    assert_snapshot!(text(&on(&test, &own.url(), &resume)), @"
    exit 4
    --- stderr
    error: this is another timeline than the one that the run began on
      it began on timeline 00000001, this is timeline 00000002
      the server was promoted or restored since: what the run committed may be missing here
      = help: look whether its changes are there; then `runbook resume RUN --new-timeline` goes on
    ");
    assert_eq!(own.rows(BALANCES), "101 100");
    assert_snapshot!(text(&on(&test, &own.url(), &format!("{resume} --new-timeline"))), @"
    exit 0
    --- stdout
    Test  run RUN · postgres@OWN:5432/postgres · medium risk

      ? go
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ✓ one                    1 row changed, committed  TIME
          accounts  1  balance  100 → 101
      ⟲ resumed by postgres (USER@HOST)
      ✓ moment                 exit code 0  TIME
      ✓ two                    1 row changed, committed  TIME
          accounts  2  balance  100 → 101
      ✓ after                  passed  TIME

    Done in TIME. Undo with: runbook undo RUN
    ");
    assert_eq!(own.rows(BALANCES), "101 101");
    on(&test, &own.url(), &undo).code(0);
    assert_eq!(own.rows(BALANCES), "100 100");
    own.runtime.block_on(async { own.server.stop() }).unwrap();
}
