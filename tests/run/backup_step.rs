//! `backup` steps: what they leave on disk, what later steps read of them, and that nothing runs without them.

use std::path::PathBuf;

use insta::{allow_duplicates, assert_snapshot};
use serde_json::Value;

use crate::test::{Ran, Test, indent};

pub(crate) const SHOP: &str = "CREATE TABLE companies (id int PRIMARY KEY, name text, status text); \
    CREATE TABLE users (id int PRIMARY KEY, company_id int REFERENCES companies, plan text); \
    INSERT INTO companies VALUES (1, 'Acme', 'suspended'), (2, 'Bolt', 'active'); \
    INSERT INTO users SELECT n, 1 + n % 2, 'free' FROM generate_series(1, 6) n";

const PLANS: &str = "SELECT string_agg(id || ' ' || plan, ', ' ORDER BY id) FROM users";

const FREE: &str = "1 free, 2 free, 3 free, 4 free, 5 free, 6 free";

/// A backup with these keys before a fix that needs it.
fn before(keys: &str) -> Test {
    let keys = indent(keys, 16);
    Test::sql(SHOP).runbook(
        "t",
        &format!(
            "
            risk: high
            params:
              company:
                type: int
                default: 1
            steps:
              - confirm: go
                ask: Go?
              - backup: before
{keys}
              - fix: pay
                sql: UPDATE users SET plan = 'paid' WHERE company_id = {{{{ company }}}}
                rows: 3
              - check: told
                all:
                  an id: before.id in [run.id ~ '-before', run.id ~ '-before-2']
                  rows: before.rows == 4
                  bytes: before.bytes > 0
                  a hash: before.sha256 | length == 64
                next: {{ done: \"Saved in {{{{ before.path }}}}.\" }}"
        ),
    )
}

const ROWS: &str = "
rows:
  companies: id = {{ company }}
  users: company_id = {{ company }} -- all of them
";

/// The folder of all backups.
pub(crate) fn folder(test: &Test) -> PathBuf {
    test.root().join(".local/state/runbook/backups")
}

/// What there is in it, those included that are not complete.
pub(crate) fn backups(test: &Test) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder(test)) else {
        return Vec::new();
    };
    let name = |entry: std::io::Result<std::fs::DirEntry>| {
        entry.unwrap().file_name().into_string().unwrap()
    };
    let mut names: Vec<String> = entries.map(name).collect();
    names.sort();
    names
        .iter()
        .map(|name| name.replace(&test.id(), "RUN"))
        .collect()
}

/// What was said, with the run's id out of the names of backups.
fn said(test: &Test, ran: &Ran) -> String {
    ran.to_string().replace(&test.id(), "RUN")
}

fn files(test: &Test, backup: &str) -> Vec<String> {
    let root = folder(test).join(backup.replace("RUN", &test.id()));
    let mut found = Vec::new();
    let mut open = vec![root.clone()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.push(path.strip_prefix(&root).unwrap().display().to_string());
            }
        }
    }
    found.sort();
    found
}

fn manifest(test: &Test, backup: &str) -> Value {
    let path = folder(test).join(backup.replace("RUN", &test.id()));
    let text = std::fs::read_to_string(path.join("manifest.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn rows_are_saved_before_anything_changes() {
    let test = before(ROWS);
    let ran = test.run("run t --yes");
    assert_snapshot!(said(&test, &ran), @"
    exit 0
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk
      company  1

      ? go
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ✓ before                 4 rows of 2 tables → ~/.local/state/runbook/backups/RUN-before (70 B, verified)  TIME
      ✓ pay                    3 rows changed, committed  TIME
          users  2, 4, 6  plan  free → paid
      ✓ told                   4 of 4 passed  TIME
          ✓ an id   ✓ rows   ✓ bytes   ✓ a hash

    Done in TIME. Undo with: runbook undo RUN
    Saved in ROOT/.local/state/runbook/backups/RUN-before.
    ");
    assert_eq!(backups(&test), ["RUN-before"]);
    assert_snapshot!(files(&test, "RUN-before").join(" "), @"manifest.json notes.json tables/0001.copy.zst tables/0002.copy.zst");
    let manifest = manifest(&test, "RUN-before");
    assert_eq!(manifest["made_by"]["step"], "before");
    assert_eq!(
        manifest["made_by"]["run"].as_str(),
        Some(test.id().as_str())
    );
    assert_eq!(manifest["name"], "t-before");
    let predicates = manifest["tables"].as_array().unwrap().iter();
    let predicates: Vec<&str> = predicates
        .map(|table| table["predicate"].as_str().unwrap())
        .collect();
    assert_eq!(predicates, ["id = '1'", "company_id = '1' -- all of them"]);
}

#[test]
fn a_backup_is_an_event_with_its_tables() {
    let test = before(ROWS);
    let ran = test.run("run t --yes --output json").code(0);
    let events = ran
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    let result = events
        .filter(|event: &Value| event["event"] == "step_finished")
        .map(|event| event["result"].clone())
        .find(|result| result["kind"] == "backup")
        .unwrap();
    assert_eq!(result["holds"], "rows");
    assert_eq!(
        (&result["rows"], &result["verified"]),
        (&4.into(), &"checksum".into())
    );
    assert_eq!(
        result["tables"],
        serde_json::json!([{"table": "public.companies", "rows": 1}, {"table": "public.users", "rows": 3}])
    );
    let ran = test.run(&format!("report {}", test.id())).code(0);
    ran.says("4 rows of 2 tables → ~/.local/state/runbook/backups/");
}

#[test]
fn a_value_never_becomes_a_part_of_the_predicate() {
    let test = Test::sql(SHOP).runbook(
        "t",
        "
        params:
          name:
            type: text
          secret:
            type: text
            secret: true
            env: SECRET
        steps:
          - backup: before
            rows:
              companies: name = {{ name }} OR name = {{ secret }}
        ",
    );
    let run = |name: &str| {
        let mut command = test.command(["run", "t", "--yes", "--name", name]);
        test.ran(&command.env("SECRET", "Bolt").output().unwrap())
            .code(0)
    };
    run("' OR true; DROP TABLE users; --").says("1 row of public.companies");
    let shown = manifest(&test, "RUN-before")["tables"][0]["predicate"].clone();
    assert_eq!(
        shown,
        "name = ''' OR true; DROP TABLE users; --' OR name = '•••'"
    );
    assert_eq!(test.rows("SELECT count(*) FROM users"), "6");
}

#[test]
fn tables_are_saved_as_a_whole_and_restored_on_trial() {
    let test = Test::sql(SHOP).steps(
        "
        - backup: both
          tables: [companies, users]
          verify: restore
        - check: told
          that: both.rows == 8
        ",
    );
    let ran = test.run("run t --yes");
    assert_snapshot!(said(&test, &ran), @"
    exit 0
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · low risk

      ✓ both                   8 rows of 2 tables → ~/.local/state/runbook/backups/RUN-both (96 B, restored on trial)  TIME
      ✓ told                   passed  TIME

    Done in TIME.
    ");
}

#[test]
fn the_database_is_saved() {
    for (what, words) in [
        ("full", "the database, 8 rows of 2 tables"),
        ("schema", "the structure of the database"),
        ("data", "the data of the database, 8 rows of 2 tables"),
    ] {
        let test = Test::sql(SHOP).steps(&format!("- backup: whole\n  database: {what}\n"));
        test.run("run t --yes").code(0).says(words);
        assert_eq!(backups(&test), ["RUN-whole"]);
    }
}

#[test]
fn it_goes_where_the_step_says_and_is_encrypted_for_whom_it_says() {
    let test = Test::sql(SHOP).steps(
        "
        - backup: before
          tables: [users]
          to: saved/{{ target.database }}
          encrypt: age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p
        ",
    );
    let ran = test.run("run t --yes").code(0);
    // How large it is differs: age pads the key of each by chance.
    ran.says("6 rows of public.users → saved/DB/")
        .says("verified, encrypted)");
    assert!(backups(&test).is_empty());
    let path = test.root().join("work/saved").join(test.db.name());
    let key = path.join(format!("{}-before/key.age", test.id()));
    assert!(key.is_file(), "{}", key.display());
}

#[test]
fn older_ones_are_deleted_once_the_new_one_is_good() {
    let test = Test::sql(SHOP).steps("- backup: before\n  tables: [users]\n  keep: { last: 2 }\n");
    for _ in 0..2 {
        test.run("run t --yes").code(0).keeps("deleted");
    }
    test.run("run t --yes")
        .code(0)
        .says("1 older one deleted, as `keep` says: ");
    assert_eq!(backups(&test).len(), 2);
}

#[test]
fn nothing_runs_after_a_backup_that_failed() {
    let cases = [
        ("rows:\n  users: id > 0\nto: /proc/nope", "/proc/nope"),
        ("rows:\n  users: id / 0 > 0", "division by zero"),
        ("rows:\n  user: id > 0", "user"),
        ("tables: [nowhere]", "nowhere"),
        ("tables: [users]\nencrypt: age1nonsense", "age1nonsense"),
    ];
    for (keys, says) in cases {
        let test = before(keys);
        let ran = test.run("run t --yes").code(10).says(says);
        ran.says("no backup was made")
            .says("Nothing was changed.")
            .keeps("pay");
        assert_eq!(test.rows(PLANS), FREE);
        assert!(backups(&test).is_empty(), "{keys}");
    }
}

#[test]
fn a_folder_that_cannot_be_written_says_so() {
    let test = before("rows:\n  users: company_id = {{ company }}\nto: /proc/nope");
    let ran = test.run("run t --yes");
    assert_snapshot!(said(&test, &ran), @"
    exit 10
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk
      company  1

      ? go
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ✗ before                 failed  TIME
          error: cannot create /proc/nope: no such file or directory
            = note: no backup was made; earlier ones are as they were

    Failed after TIME.
    `before`: cannot create /proc/nope: no such file or directory
    Nothing was changed.
    ");
}

#[test]
fn case_28_a_backup_of_a_part_of_the_rows_is_refused() {
    let test = before(ROWS);
    let role = format!("backup_{}", std::process::id());
    test.connect().run(&format!(
        "ALTER TABLE users ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON users USING (id < 3); \
         CREATE ROLE {role} LOGIN; GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}; GRANT CREATE ON DATABASE {} TO {role}",
        test.db.name()
    ));
    let test = test.runbook(
        "u",
        "steps:\n  - backup: before\n    tables: [companies, users]\n",
    );
    let url = test.db.url().replace("postgres@", &format!("{role}@"));
    for name in ["t", "u"] {
        let mut command = test.bare(["run", name, "--yes", "--database-url", &url]);
        let ran = test.ran(&command.output().unwrap());
        ran.says("row-level security").says("users");
        assert!(backups(&test).is_empty());
    }
    assert_eq!(test.rows(PLANS), FREE);
    test.connect()
        .run(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}

#[test]
fn a_dry_run_makes_no_backup() {
    let test = Test::sql(SHOP).steps(
        "
        - backup: before
          rows:
            users: id = 1
        - confirm: go
          ask: Saved in {{ before.path }}. Go?
        ",
    );
    let ran = test.run("run t --dry-run");
    assert_snapshot!(ran, @"
    exit 0
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · low risk

    Dry run: everything is rolled back at its end.
    What it cannot rehearse:
      – before makes a backup

      – before                 would run; a dry run cannot rehearse it
      ? go
          Saved in (no backup in a dry run). Go?
          ✓ yes · the rehearsal

    Done in TIME.
    It would change nothing.
    Everything is rolled back, as the server confirms.
    ");
    assert!(backups(&test).is_empty());
    assert!(!folder(&test).exists());
}

#[test]
fn a_plan_shows_what_would_be_saved() {
    let test = Test::sql(SHOP).steps(
        "
        - query: company
          sql: SELECT id FROM companies WHERE name = 'Acme'
          rows: 1
        - backup: before
          rows:
            users: company_id = {{ company.id }} AND plan = {{ target.name }}
          to: /srv/{{ target.database }}
          keep: { last: 7, days: 30 }
        - backup: whole
          database: full
          verify: restore
        - rollback: back
          backup: before
        ",
    );
    assert_snapshot!(test.ran(&test.bare(["plan", "t"]).output().unwrap()), @"
    exit 0
    --- stdout
    Test
    t · low risk · a plan: nothing is run

    Steps
      query company
          SELECT id FROM companies WHERE name = 'Acme'
          rows: 1
      backup before
          saves the rows of users WHERE (company_id = $1 AND plan = $2)
          $1 = company.id, known when it runs
          $2 = target.name, known when it runs
          to: /srv/{{ target.database }}
          keeps the last 7 and those of 30 days
      backup whole
          saves the database
          verified by a restore
      rollback back
          puts back from the backup before

    After an error
      what was fixed is put back
    After Ctrl-C
      what was fixed is put back

    A dry run cannot rehearse
      before makes a backup
      whole makes a backup
      back puts back what is committed
    ");
}

#[test]
fn the_live_catalog_knows_the_columns_of_a_predicate() {
    let test = Test::sql(SHOP).steps(
        "
        - backup: before
          rows:
            users: company = 1
            people: id = 1
        ",
    );
    assert_snapshot!(test.run("check t"), @r#"
    exit 3
    --- stdout
    error: the server refuses `before`: column "company" does not exist
     --> runbooks/t.yaml:7:14
      |
    7 |       users: company = 1
      |              ^^^^^^^
      |
      = help: Perhaps you meant to reference the column "users.company_id".

    error: the server refuses `before`: relation "people" does not exist
     --> runbooks/t.yaml:8:15
      |
    8 |       people: id = 1
      |               ^

    1 runbook: 0 valid, 1 invalid (2 errors)
    "#);
}

const WAITS: &str = "SELECT count(*) = 1 FROM pg_stat_activity \
    WHERE datname = current_database() AND wait_event_type = 'Lock' AND application_name LIKE 'runbook/%'";

const GONE: &str = "SELECT count(*) = 0 FROM pg_stat_activity \
    WHERE datname = current_database() AND application_name LIKE 'runbook/%'";

#[test]
fn case_01_a_run_that_was_killed_in_its_backup_makes_it_again() {
    let test = before(&ROWS.replace("rows:", "to: '{{ \"saved\" if run.id else \"\" }}'\nrows:"));
    let other = test.connect();
    other.run("BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE");
    let run = test.start("run t --yes");
    test.until(WAITS);
    run.kill();
    other.run("ROLLBACK");
    test.until(GONE);
    assert_eq!(test.rows(PLANS), FREE);
    // The id is another one, since the first may have been complete already.
    let ran = test.run(&format!("resume {} --yes", test.id()));
    assert_snapshot!(said(&test, &ran), @"
    exit 0
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk
      company  1

      ? go
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ⟲ resumed by postgres (USER@HOST)
      ✓ before                 4 rows of 2 tables → saved/RUN-before-2 (70 B, verified)  TIME
      ✓ pay                    3 rows changed, committed  TIME
          users  2, 4, 6  plan  free → paid
      ✓ told                   4 of 4 passed  TIME
          ✓ an id   ✓ rows   ✓ bytes   ✓ a hash

    Done in TIME. Undo with: runbook undo RUN
    Saved in ROOT/work/saved/RUN-before-2.
    ");
    let saved = std::fs::read_dir(test.root().join("work/saved")).unwrap();
    assert_eq!(saved.count(), 1);
}

#[test]
fn a_backup_is_cancelled_by_ctrl_c() {
    let test = before(ROWS);
    let other = test.connect();
    other.run("BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE");
    let run = test.start("run t --yes");
    test.until(WAITS);
    run.interrupt();
    let ran = run.end().code(130);
    ran.says("Nothing was changed.");
    other.run("ROLLBACK");
    assert!(backups(&test).is_empty());
    assert_eq!(test.rows(PLANS), FREE);
}

#[test]
fn a_time_out_ends_a_backup() {
    let test = before(&format!("{}timeout: 300ms", ROWS.trim_start()));
    let other = test.connect();
    other.run("BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE");
    test.run("run t --yes").code(10).says("no backup was made");
    other.run("ROLLBACK");
    assert!(backups(&test).is_empty());
}

#[test]
fn names_of_tables_may_need_quotes() {
    let test = Test::sql(
        "CREATE SCHEMA \"My Shop\"; CREATE TABLE \"My Shop\".\"Users\" (id int PRIMARY KEY); \
         INSERT INTO \"My Shop\".\"Users\" VALUES (1), (2)",
    )
    .steps(
        r#"
        - backup: rows
          rows:
            '"My Shop"."Users"': id = 1
        - backup: all
          tables: ['"My Shop"."Users"']
        "#,
    );
    allow_duplicates! {
        test.run("run t --yes").code(0).says("1 row of \"My Shop\".\"Users\"").says("2 rows of \"My Shop\".\"Users\"");
    }
}
