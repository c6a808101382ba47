//! Least privilege: exactly the SQL of the README, and what each role cannot do with it.

use insta::assert_snapshot;

use crate::server::Connection;
use crate::test::{Ran, Test};

const README: &str = include_str!("../../README.md");

const ACCOUNTS: &str = "CREATE TABLE accounts (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, balance int NOT NULL); \
    INSERT INTO accounts (balance) SELECT 100 FROM generate_series(1, 3)";

/// What the journal holds, to be compared with later.
const JOURNAL: &str = "\
    SELECT md5(string_agg(t::text, '' ORDER BY t::text)) FROM ( \
      SELECT e::text FROM runbook.entry e UNION ALL SELECT c::text FROM runbook.capture c UNION ALL \
      SELECT i::text FROM runbook.image i UNION ALL SELECT r::text FROM runbook.request r UNION ALL \
      SELECT v::text FROM runbook.verdict v UNION ALL SELECT g::text FROM runbook.glass g) AS all_of_it (t)";

/// Returns the block of a language in the section about roles.
fn block(language: &str) -> &'static str {
    let section = README.split("\n## Three roles\n").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let block = section.split(&format!("```{language}\n")).nth(1).unwrap();
    block.split("```").next().unwrap()
}

/// A database with the roles of the README; their names have the database's, since roles are of the whole server.
struct Roles {
    test: Test,
}

impl Roles {
    fn new() -> Self {
        let roles = Self {
            test: Test::sql(ACCOUNTS).steps(STEPS),
        };
        roles.forget();
        let sql = roles.named(block("sql"));
        roles.test.connect().run(&sql);
        let init = roles.named(block("sh").trim());
        let words = init.strip_prefix("runbook ").unwrap();
        roles.ran_as("owner", words).code(0);
        roles
    }

    /// Gives roles and the database the names that they have here.
    fn named(&self, text: &str) -> String {
        let database = self.test.db.name();
        let text = text.replace("DATABASE crm", &format!("DATABASE {database}"));
        text.replace("crm_", &format!("{database}_"))
    }

    fn login(&self, role: &str) -> String {
        self.named(&format!("crm_{role}"))
    }

    /// Runs the program as a role.
    fn ran_as(&self, role: &str, args: &str) -> Ran {
        let command = &mut self.command(role, args);
        self.test.ran(&command.output().unwrap())
    }

    fn command(&self, role: &str, args: &str) -> std::process::Command {
        let user = format!("{}@", self.login(role));
        let url = self.test.db.url().replacen("postgres@", &user, 1);
        let mut command = self.test.bare(args.split_whitespace());
        command.args(["--database-url", &url]);
        command
    }

    fn session(&self, role: &str) -> Connection {
        Connection::of(&self.login(role), self.test.db.name())
    }

    /// Takes the roles away again, those of an earlier time as well.
    fn forget(&self) {
        let connection = self.test.connect();
        for role in ["owner", "fixer", "reader", "approver"] {
            let role = self.login(role);
            connection.run(&format!(
                "DO $$ BEGIN IF EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') THEN \
                 DROP OWNED BY {role} CASCADE; DROP ROLE {role}; END IF; END $$"
            ));
        }
    }
}

impl Drop for Roles {
    fn drop(&mut self) {
        self.forget();
    }
}

/// A runbook that asks, and changes two rows in two fixes.
const STEPS: &str = "
    - confirm: go
      of: one
      ask: Go?
    - fix: one
      sql: UPDATE accounts SET balance = balance + 1 WHERE id = 1
      rows: 1
    - confirm: more
      of: two
      ask: More?
    - fix: two
      sql: DELETE FROM accounts WHERE id = 2
      rows: 1
    - check: after
      that: true
";

const BALANCES: &str = "SELECT string_agg(id || ':' || balance, ' ' ORDER BY id) FROM accounts";

#[test]
fn a_reader_cannot_fix_and_is_told_before_the_question() {
    let roles = Roles::new();
    let refused = roles.ran_as("reader", "run t --yes").code(10);
    assert_snapshot!(refused, @"
    exit 10
    --- stdout
    Test  run RUN · DB_reader@SERVER:5432/DB · medium risk

      ✗ go                     failed  TIME
          error: the login DB_reader may not write to the journal, the schema `runbook`
            = help: have its owner grant it: `runbook init --grant DB_reader`
            = help: or keep it beside the run's record: `--journal local`

    Failed after TIME.
    `go`: the login DB_reader may not write to the journal, the schema `runbook`
    Nothing was changed.
    ");
    // The journal holds rows.
    assert_eq!(
        roles
            .session("reader")
            .tried("SELECT * FROM runbook.image")
            .as_deref(),
        Some("permission denied for schema runbook")
    );
    let mut read = roles.command("reader", "query --output csv");
    let read = read.arg("SELECT count(*) FROM accounts").output().unwrap();
    roles.test.ran(&read).code(0).says("3");
    // A rehearsal makes the changes; it may begin without the journal, and the server refuses.
    roles
        .ran_as("reader", "run t --dry-run")
        .code(10)
        .says("permission denied for table accounts");
    assert_eq!(roles.test.rows(BALANCES), "1:100 2:100 3:100");
}

#[test]
fn a_fixer_that_may_not_change_the_table_is_told_at_the_rehearsal() {
    let roles = Roles::new();
    let revoke = roles.named("REVOKE UPDATE ON accounts FROM crm_fixer");
    roles.test.connect().run(&revoke);
    let refused = roles.ran_as("fixer", "run t --yes").code(10);
    refused
        .says("permission denied for table accounts")
        .keeps("yes ·");
}

#[test]
fn a_fixer_runs_undoes_and_resumes() {
    let roles = Roles::new();
    roles.ran_as("fixer", "run t --yes").code(0);
    assert_eq!(roles.test.rows(BALANCES), "1:101 3:100");
    let logins = "SELECT string_agg(DISTINCT login, ' ') FROM runbook.entry";
    assert_eq!(roles.test.rows(logins), roles.login("fixer"));
    let id = roles.test.id();
    roles.ran_as("fixer", &format!("undo {id} --yes")).code(0);
    assert_eq!(roles.test.rows(BALANCES), "1:100 2:100 3:100");
}

#[test]
fn a_fixer_goes_on_with_a_run_that_was_cut_short() {
    let roles = Roles::new();
    let other = roles.test.connect();
    other.run("BEGIN; SELECT 1 FROM accounts WHERE id = 2 FOR UPDATE");
    let run = roles.test.begin(roles.command("fixer", "run t --yes"));
    roles.test.until(
        "SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = current_database() \
         AND wait_event_type = 'Lock' AND application_name LIKE 'runbook/%'",
    );
    run.kill();
    other.run("ROLLBACK");
    roles.test.until(
        "SELECT count(*) = 0 FROM pg_stat_activity \
         WHERE datname = current_database() AND application_name LIKE 'runbook/%'",
    );
    assert_eq!(roles.test.rows(BALANCES), "1:101 2:100 3:100");
    let id = roles.test.id();
    // Who lost the right meanwhile is told before anything goes on.
    let refused = roles
        .ran_as("reader", &format!("resume {id} --yes"))
        .code(4);
    refused.says("may not write to the journal");
    roles.ran_as("fixer", &format!("resume {id} --yes")).code(0);
    assert_eq!(roles.test.rows(BALANCES), "1:101 3:100");
    let refused = roles.ran_as("reader", &format!("undo {id} --yes")).code(4);
    refused.says("may not write to the journal");
}

/// Puts a request into the journal as the fixer, which the approver may decide; returns its digest.
fn request(roles: &Roles, run: &str) -> String {
    let by = roles.login("approver");
    let content = format!(
        "{{\"run\":\"{run}\",\"step\":1,\"needs\":{{\"count\":1,\"by\":[\"{by}\"],\"expire_seconds\":3600}}}}"
    );
    let insert = format!("INSERT INTO runbook.request (content) VALUES ('{content}')");
    assert_eq!(roles.session("fixer").tried(&insert), None);
    roles.test.rows(&format!(
        "SELECT digest FROM runbook.request WHERE run OPERATOR(pg_catalog.=) '{run}'"
    ))
}

/// Returns what says a word of a request.
fn verdict(run: &str, word: &str, digest: &str) -> String {
    format!(
        "INSERT INTO runbook.verdict (request, word, digest, actor) \
         SELECT id, '{word}', '{digest}', 'somebody' FROM runbook.request WHERE run OPERATOR(pg_catalog.=) '{run}'"
    )
}

/// A journal with a past of everything that it can hold.
fn with_a_past() -> (Roles, String) {
    let roles = Roles::new();
    roles.ran_as("fixer", "run t --yes").code(0);
    let digest = request(&roles, "asked");
    assert_eq!(
        roles
            .session("approver")
            .tried(&verdict("asked", "approve", &digest)),
        None
    );
    let glass = "INSERT INTO runbook.glass (run, runbook, hash, actor, reason, lifted) \
        VALUES ('r', 't', 'h', 'a', 'because', '{windows}')";
    assert_eq!(roles.session("fixer").tried(glass), None);
    (roles, digest)
}

const PAST: [&str; 36] = [
    "UPDATE runbook.entry SET rows = 0",
    "UPDATE runbook.entry SET head = 'other'",
    "UPDATE runbook.entry SET wal = NULL",
    "UPDATE runbook.entry SET login = 'somebody'",
    "UPDATE runbook.capture SET rows = 0",
    "UPDATE runbook.capture SET kept = '{}', changed = '{}'",
    "UPDATE runbook.capture SET relation = 'other'",
    "UPDATE runbook.image SET before = after",
    "UPDATE runbook.request SET content = ''",
    "UPDATE runbook.request SET expires_at = 'infinity'",
    "UPDATE runbook.verdict SET word = 'approve'",
    "UPDATE runbook.glass SET reason = ''",
    "DELETE FROM runbook.entry",
    "DELETE FROM runbook.capture",
    "DELETE FROM runbook.image",
    "DELETE FROM runbook.request",
    "DELETE FROM runbook.verdict",
    "DELETE FROM runbook.glass",
    "TRUNCATE runbook.entry CASCADE",
    "TRUNCATE runbook.image",
    "TRUNCATE runbook.verdict",
    "TRUNCATE runbook.request CASCADE",
    "MERGE INTO runbook.entry e USING (SELECT 1) AS one ON true WHEN MATCHED THEN DELETE",
    "INSERT INTO runbook.entry (run, step, name, by_run, runbook, hash, actor, login) VALUES ('x', 1, 'n', 'x', 't', 'h', 'a', 'postgres')",
    "INSERT INTO runbook.entry (run, step, name, by_run, runbook, hash, actor, at) VALUES ('x', 1, 'n', 'x', 't', 'h', 'a', 'epoch')",
    "INSERT INTO runbook.entry (run, step, name, by_run, runbook, hash, actor, xid) VALUES ('x', 1, 'n', 'x', 't', 'h', 'a', '1')",
    "INSERT INTO runbook.entry (id, run, step, name, by_run, runbook, hash, actor) OVERRIDING SYSTEM VALUE VALUES (0, 'x', 1, 'n', 'x', 't', 'h', 'a')",
    "INSERT INTO runbook.entry (run, step, item, part, undo, name, by_run, runbook, hash, actor) \
     SELECT run, step, item, part, undo, 'other', by_run, runbook, hash, actor FROM runbook.entry \
     ON CONFLICT (run, step, item, part, undo) DO UPDATE SET head = 'other'",
    "INSERT INTO runbook.capture (entry, step, relation, alone, columns, key, changed, kept, ignored, direct, rows) \
     SELECT entry, step, relation, alone, columns, key, changed, kept, ignored, direct, rows FROM runbook.capture",
    "ALTER TABLE runbook.entry DISABLE TRIGGER ALL",
    "ALTER TABLE runbook.verdict ADD COLUMN more text",
    "DROP TABLE runbook.verdict",
    "DROP TRIGGER guard ON runbook.verdict",
    "CREATE OR REPLACE FUNCTION runbook.guard_verdict() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    "CREATE TABLE runbook.mine (a int)",
    "ALTER SCHEMA runbook RENAME TO other",
];

#[test]
fn nobody_but_the_owner_alters_what_was_recorded() {
    let (roles, _) = with_a_past();
    let before = roles.test.rows(JOURNAL);
    for role in ["fixer", "approver", "reader"] {
        let session = roles.session(role);
        for statement in PAST {
            let done = session.tried(statement);
            assert!(done.is_some(), "{role}: {statement}");
        }
    }
    assert_eq!(roles.test.rows(JOURNAL), before);
}

#[test]
fn a_fixer_cannot_become_somebody_else() {
    let (roles, _) = with_a_past();
    let session = roles.session("fixer");
    let (owner, approver) = (roles.login("owner"), roles.login("approver"));
    for statement in [
        format!("SET ROLE {owner}"),
        format!("SET ROLE {approver}"),
        format!("SET SESSION AUTHORIZATION {approver}"),
        "SET SESSION AUTHORIZATION postgres".to_owned(),
        "SET session_replication_role = replica".to_owned(),
        format!("GRANT {approver} TO CURRENT_USER"),
        "GRANT ALL ON runbook.verdict TO CURRENT_USER".to_owned(),
        "CREATE FUNCTION public.shadow() RETURNS int LANGUAGE sql AS 'SELECT 1'".to_owned(),
        "CREATE EVENT TRIGGER mine ON ddl_command_start EXECUTE FUNCTION runbook.guard_past()"
            .to_owned(),
    ] {
        let done = session.tried(&statement);
        // A GRANT of rights that one does not have is a warning.
        assert!(
            done.is_some() || statement.starts_with("GRANT ALL"),
            "{statement}"
        );
    }
    let rights = "SELECT has_table_privilege('runbook.verdict', 'DELETE')";
    assert_eq!(session.rows(rights), "f");
}

#[test]
fn an_image_that_is_added_to_the_past_is_noticed() {
    let roles = Roles::new();
    roles.ran_as("fixer", "run t --yes").code(0);
    let added = "INSERT INTO runbook.image (capture, key, before, after) \
        SELECT max(capture), '(3)', '(3,0)', '(3,100)' FROM runbook.image";
    assert_eq!(roles.session("fixer").tried(added), None);
    let id = roles.test.id();
    let refused = roles.ran_as("fixer", &format!("undo {id} --yes"));
    refused.code(10).says("images were added or lost since");
    assert_eq!(roles.test.rows(BALANCES), "1:101 3:100");
}

#[test]
fn approvals_are_forged_by_nobody() {
    let roles = Roles::new();
    let digest = request(&roles, "r1");
    let other = request(&roles, "r2");
    let approve = verdict("r1", "approve", &digest);
    let as_other = approve.replace("actor)", "actor, login)").replace(
        "'somebody'",
        &format!("'somebody', '{}'", roles.login("approver")),
    );
    let tried = |role: &str, statement: &str| {
        let said = roles
            .session(role)
            .tried(statement)
            .unwrap_or_else(|| "done".to_owned());
        roles
            .test
            .redact(&said.replace(&format!("{}_", roles.test.db.name()), "crm_"))
    };
    let said = [
        tried("fixer", &approve),
        tried("fixer", &as_other),
        tried("fixer", &verdict("r1", "use", &digest)),
        tried("reader", &approve),
        tried("approver", &as_other),
        tried("approver", &verdict("r1", "approve", &other)),
        tried("approver", &verdict("r1", "use", &digest)),
        tried("approver", &verdict("r1", "withdraw", &digest)),
        tried(
            "approver",
            "INSERT INTO runbook.request (content) VALUES ('{}')",
        ),
        tried("approver", "SELECT before FROM runbook.image"),
        tried("approver", "SELECT * FROM accounts"),
        tried(
            "approver",
            &format!("BEGIN ISOLATION LEVEL REPEATABLE READ; {approve}"),
        ),
        tried("approver", &approve),
        tried("approver", &approve),
        tried("approver", &verdict("r1", "decline", &digest)),
        tried("fixer", &verdict("r1", "use", &digest)),
        tried("fixer", &verdict("r1", "use", &digest)),
        tried("fixer", &verdict("r2", "withdraw", &other)),
        tried("approver", &verdict("r2", "approve", &other)),
    ];
    assert_snapshot!(said.join("\n"), @"
    crm_fixer asked for the approval of run r1, so somebody else must decide
    permission denied for table verdict
    run r1 is approved by 0, and needs 1
    permission denied for schema runbook
    permission denied for table verdict
    run r1 asks for the approval of something else than this
    only crm_fixer, who asked for it, withdraws or uses the approval of run r1
    only crm_fixer, who asked for it, withdraws or uses the approval of run r1
    permission denied for table request
    permission denied for table image
    permission denied for table accounts
    a verdict is written in a transaction that is READ COMMITTED: it must see what others said
    done
    crm_approver has approved run r1 already
    crm_approver has approved run r1 already
    done
    the request of run r1 is used already, by crm_fixer
    done
    the request of run r2 is withdrawn already, by crm_fixer
    ");
    let verdicts =
        "SELECT string_agg(v.word || ' by ' || v.login, ', ' ORDER BY v.id) FROM runbook.verdict v";
    let (fixer, approver) = (roles.login("fixer"), roles.login("approver"));
    assert_eq!(
        roles.test.rows(verdicts),
        format!("approve by {approver}, use by {fixer}, withdraw by {fixer}")
    );
}

/// Things of the same names as those that the guards use, in a schema that comes first.
const SHADOWS: &str = "\
    CREATE FUNCTION {s}.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS $$ SELECT 'epoch'::timestamptz $$; \
    CREATE FUNCTION {s}.encode(bytea, text) RETURNS text LANGUAGE sql AS $$ SELECT 'forged'::text $$; \
    CREATE FUNCTION {s}.sha256(bytea) RETURNS bytea LANGUAGE sql AS $$ SELECT 'forged'::bytea $$; \
    CREATE FUNCTION {s}.pg_has_role(name, oid, text) RETURNS boolean LANGUAGE sql AS $$ SELECT true $$; \
    CREATE FUNCTION {s}.pg_current_xact_id() RETURNS xid8 LANGUAGE sql AS $$ SELECT '1'::xid8 $$; \
    CREATE FUNCTION {s}.current_setting(text) RETURNS text LANGUAGE sql AS $$ SELECT 'read committed'::text $$; \
    CREATE FUNCTION {s}.never(text, text) RETURNS boolean LANGUAGE sql AS $$ SELECT false $$; \
    CREATE OPERATOR {s}.<> (LEFTARG = text, RIGHTARG = text, FUNCTION = {s}.never); \
    CREATE OPERATOR {s}.= (LEFTARG = text, RIGHTARG = text, FUNCTION = {s}.never); \
    CREATE TABLE {s}.pg_roles (rolname name, oid oid); INSERT INTO {s}.pg_roles SELECT session_user, 10; \
    CREATE TABLE {s}.request (LIKE runbook.request); CREATE TABLE {s}.verdict (LIKE runbook.verdict); \
    CREATE TABLE {s}.entry (LIKE runbook.entry); \
    SET search_path = {s}, pg_catalog;";

#[test]
fn what_shadows_the_names_of_the_guards_changes_nothing() {
    let roles = Roles::new();
    let digest = request(&roles, "r1");
    // Even with the right to make things in `public`, which the README takes away.
    let grant = roles.named(
        "GRANT CREATE ON SCHEMA public TO crm_fixer; GRANT CREATE ON SCHEMA public TO crm_approver",
    );
    roles.test.connect().run(&grant);
    for schema in ["pg_temp", "public"] {
        let session = roles.session("fixer");
        let shadows = SHADOWS.replace("{s}", schema);
        assert_eq!(session.tried(&shadows), None, "{schema}");
        let said = session.tried(&verdict("r1", "approve", &digest));
        assert!(
            said.is_some_and(|said| said.contains("somebody else must decide")),
            "{schema}"
        );
        let said = session.tried(&verdict("r1", "use", &digest));
        assert!(
            said.is_some_and(|said| said.contains("is approved by 0, and needs 1")),
            "{schema}"
        );
        let entry = format!(
            "INSERT INTO runbook.entry (run, step, name, by_run, runbook, hash, actor) VALUES ('{schema}', 1, 'n', 'x', 't', 'h', 'a')"
        );
        assert_eq!(session.tried(&entry), None, "{schema}");
        let said = session.tried("UPDATE runbook.entry SET rows = 1");
        assert!(
            said.is_some_and(|said| said.contains("only by the transaction that wrote it")),
            "{schema}"
        );
        let insert = format!(
            "INSERT INTO runbook.request (content) SELECT replace(content, 'r1', '{schema}') FROM runbook.request WHERE run OPERATOR(pg_catalog.=) 'r1'"
        );
        assert_eq!(session.tried(&insert), None, "{schema}");
        // A fixer that has approved would have forged it.
        session.tried("DROP SCHEMA IF EXISTS pg_temp CASCADE");
    }
    let fixer = roles.login("fixer");
    let honest = format!(
        "SELECT bool_and(login = '{fixer}' AND at > now() - interval '1 hour') AND bool_and(digest = encode(sha256(convert_to(content, 'UTF8')), 'hex')) \
         FROM runbook.request"
    );
    assert_eq!(roles.test.rows(&honest), "t");
    let honest = format!(
        "SELECT bool_and(login = '{fixer}' AND at > now() - interval '1 hour') FROM runbook.entry"
    );
    assert_eq!(roles.test.rows(&honest), "t");
    assert_eq!(roles.test.rows("SELECT count(*) FROM runbook.verdict"), "0");
}

#[test]
fn a_role_that_is_switched_to_approves_nothing_more() {
    let roles = Roles::new();
    let digest = request(&roles, "r1");
    // A login that may become the approver is a member of it, and says so under its own name.
    let grant = roles.named("GRANT crm_approver TO crm_fixer");
    roles.test.connect().run(&grant);
    let session = roles.session("fixer");
    session.run(&roles.named("SET ROLE crm_approver"));
    let said = session.tried(&verdict("r1", "approve", &digest));
    assert!(said.is_some_and(|said| said.contains("somebody else must decide")));
}

#[test]
fn default_privileges_give_nothing_of_the_journal() {
    let login = "SELECT current_database() || '_fixer'";
    let test = Test::sql("SELECT 1");
    let fixer = test.rows(login);
    test.connect().run(&format!(
        "CREATE ROLE {fixer} LOGIN; ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO {fixer}; \
         ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO {fixer}; ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO {fixer}; \
         ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC"
    ));
    test.run("init").code(0);
    let may = format!(
        "SELECT count(*) FROM pg_class c WHERE relnamespace = 'runbook'::regnamespace AND relkind IN ('r', 'S') \
         AND CASE relkind WHEN 'r' THEN has_table_privilege('{fixer}', oid, 'SELECT, INSERT, UPDATE, DELETE') \
             ELSE has_sequence_privilege('{fixer}', oid, 'USAGE, UPDATE') END"
    );
    let found = (
        test.rows(&may),
        test.rows(&format!(
            "SELECT has_schema_privilege('{fixer}', 'runbook', 'USAGE, CREATE')"
        )),
    );
    test.connect()
        .run(&format!("DROP OWNED BY {fixer}; DROP ROLE {fixer}"));
    assert_eq!(found, ("0".to_owned(), "f".to_owned()));
}
