//! `runbook test`: what it plays, what it tells, and what it leaves behind.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use insta::assert_snapshot;

use crate::test::{Ran, Test, indent};

const RUNBOOK: &str = "\
runbook: set-price
title: Set a price
risk: high
params:
  item: { type: int }
  price: { type: int }
steps:
  - query: found
    sql: SELECT id, price FROM items WHERE id = {{ item }}
    rows: 1
    else: { fail: 'There is no item {{ item }}.' }
  - check: differs
    that: found.price != price
    else: { stop: It has that price already. }
  - confirm: go
    of: set
    ask: Set it to {{ price }}?
  - fix: set
    sql: UPDATE items SET price = {{ price }} WHERE id = {{ item }}
    rows: 1
  - check: is_set
    sql: SELECT price AS now FROM items WHERE id = {{ item }}
    that: now == price
";

const HEAD: &str = "\
test: set-price
schema: schema.sql
data: INSERT INTO items VALUES (1, 10), (2, 20)
";

const SCHEMA: &str = "CREATE TABLE items (id int PRIMARY KEY, price int CHECK (price >= 0));\nCREATE TABLE notes (text text);\n";

/// A folder with the runbook, and tests that begin with its tables.
pub(crate) struct Suite(Test);

impl Suite {
    /// Writes these cases.
    pub(crate) fn cases(cases: &str) -> Self {
        Self::with("", cases)
    }

    /// Writes these cases, and keys before them.
    pub(crate) fn with(keys: &str, cases: &str) -> Self {
        Self::text(&format!("{HEAD}{keys}cases:\n{}", indent(cases, 2)))
    }

    /// Writes a whole file of tests.
    pub(crate) fn text(text: &str) -> Self {
        let test = Test::sql("SELECT 1")
            .file("runbooks/set-price.yaml", RUNBOOK)
            .file("runbooks/schema.sql", SCHEMA)
            .file("runbooks/set-price.test.yaml", text);
        Self(test)
    }

    pub(crate) fn file(self, path: &str, text: &str) -> Self {
        Self(self.0.file(path, text))
    }

    pub(crate) fn command(&self, args: &str) -> Command {
        self.0.bare(format!("test {args}").split_whitespace())
    }

    pub(crate) fn run(&self, args: &str) -> Ran {
        self.0.ran(&self.command(args).output().unwrap())
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.root().join("work").join(path)
    }
}

const GOOD: &str = "
- case: the price is set
  params: { item: 1, price: 15 }
  answers: { go: yes }
  outcome: done
  path: [found, differs, go, set, is_set]
  says: Set it to 15?
  says_not: hunter2
  rows:
    - sql: SELECT id, price FROM items ORDER BY id
      are: [[1, 15], [2, 20]]
    - sql: SELECT count(*) FROM items WHERE price IS NULL
      are: [0]
  unchanged: [notes]
  undo: true
- case: it has that price
  params: { item: 1, price: 10 }
  outcome: nothing
  path: [found, differs]
  unchanged: all
- case: nobody is there to ask
  params: { item: 1, price: 15 }
  outcome: declined
  unchanged: all
- case: there is no such item
  params: { item: 3, price: 15 }
  outcome: failed
  says: There is no item 3.
- case: only a rehearsal
  params: { item: 1, price: 15 }
  dry_run: true
  outcome: done
  unchanged: all
- case: another item is there
  data: INSERT INTO items VALUES (3, 30)
  params: { item: 3, price: 31 }
  answers: { go: yes }
  outcome: done
- case: not a number
  params: { item: one, price: 1 }
  outcome: refused
  says: 'item:'
";

#[test]
fn cases_that_hold_pass() {
    assert_snapshot!(Suite::cases(GOOD).run("--jobs 3").code(0), @"
    exit 0
    --- stdout
    set-price
      ✓ the price is set  TIME
      ✓ it has that price  TIME
      ✓ nobody is there to ask  TIME
      ✓ there is no such item  TIME
      ✓ only a rehearsal  TIME
      ✓ another item is there  TIME
      ✓ not a number  TIME

    7 cases of 1 runbook: 7 passed; coverage 88 % (8 of 9 ways)
    --- stderr
    warning: the case only expects an outcome
      --> runbooks/set-price.test.yaml:37:11
       |
    37 |   - case: another item is there
       |           ^^^^^^^^^^^^^^^^^^^^^
       |
       = help: add `path`, `says`, `rows` or `unchanged`: another reason for the same outcome would pass as well
    ");
}

#[test]
fn each_difference_is_told() {
    let suite = Suite::cases(
        "
        - case: all of it is otherwise
          params: { item: 1, price: 15 }
          answers: { go: yes }
          outcome: nothing
          path: [found, differs]
          says: [Set it to 16?]
          says_not: [Set it to 15?]
          rows:
            - sql: SELECT id, price FROM items ORDER BY id
              are: [[1, 16], [2, 20]]
            - sql: SELECT missing FROM items
              are: []
          unchanged: all
        ",
    );
    let ran = suite.run("--show-output").code(10);
    assert_snapshot!(ran, @r#"
    exit 10
    --- stdout
    set-price
      ✗ all of it is otherwise  TIME
          runbooks/set-price.test.yaml:5
        outcome
          - nothing
          + done
            Set a price  run RUN · postgres@SERVER:5432/CASE · medium risk
              item   1
              price  15
              ✓ found                  1 row  TIME
                  id  price
                   1     10
        path
            found
            differs
          + go
          + set
          + is_set
        says
          - Set it to 16?
          + Set it to 15?
        says_not
          + Set it to 15?
        rows
            SELECT id, price FROM items ORDER BY id
            id  price
          - 1   16
          + 1   15
            2   20
        rows
            SELECT missing FROM items
          + column "missing" does not exist
        unchanged
          + items was changed
        output
          Set a price  run RUN · postgres@SERVER:5432/CASE · medium risk
            item   1
            price  15

            ✓ found                  1 row  TIME
                id  price
                 1     10
            ✓ differs                passed  TIME
            ? go
                set changes 1 row of items
                  items  1  price  10 → 15
                Set it to 15?
                ✓ yes · postgres (USER@HOST) by --answer
            ✓ set                    1 row changed, committed  TIME
            ✓ is_set                 passed  TIME

          Done in TIME. Undo with: runbook undo RUN

    1 case of 1 runbook: 0 passed, 1 failed; coverage 55 % (5 of 9 ways)
    "#);
}

#[test]
fn what_keeps_a_case_from_being_undone_is_told() {
    let suite = Suite::cases(
        "
        - case: it cannot be undone
          params: { item: 1, price: 15 }
          answers: { go: yes }
          faults: [{ after: is_set, sql: UPDATE items SET price = 99 WHERE id = 1 }]
          outcome: done
          undo: true
        ",
    );
    assert_snapshot!(suite.run("--show-output").code(10), @r#"
    exit 10
    --- stdout
    set-price
      ✗ it cannot be undone  TIME
          runbooks/set-price.test.yaml:5
        undo
          + Undo of run RUN: Set a price  run RUN · postgres@SERVER:5432/CASE · medium risk
          +
          +   ✗ undo                   set: nothing put back, 1 row has changed since  TIME
          +       what run RUN changed is put back
          +       ! items id = 1 was changed since
          +         column  then  now  would become
          +         price   15    99   10
          +
          + Stopped with changes left in place after TIME.
          + nothing was put back: someone changed 1 row since; runbook undo RUN --skip-conflicts
            leaves what was changed, and puts back the others
          + Nothing was changed.
          +   = help: look at what is in place before you run it again
        output
          Set a price  run RUN · postgres@SERVER:5432/CASE · medium risk
            item   1
            price  15

            ✓ found                  1 row  TIME
                id  price
                 1     10
            ✓ differs                passed  TIME
            ? go
                set changes 1 row of items
                  items  1  price  10 → 15
                Set it to 15?
                ✓ yes · postgres (USER@HOST) by --answer
            ✓ set                    1 row changed, committed  TIME
            ✓ is_set                 passed  TIME

          Done in TIME. Undo with: runbook undo RUN

    1 case of 1 runbook: 0 passed, 1 failed; coverage 55 % (5 of 9 ways)
    "#);
}

#[test]
fn coverage_is_listed_and_demanded() {
    let suite = Suite::with(
        "untested:\n  set.error: No such thing.\n",
        "
        - case: it has that price
          params: { item: 1, price: 10 }
          outcome: nothing
        ",
    );
    assert_snapshot!(suite.run("--coverage=full"), @"
    exit 3
    --- stderr
    error: there is no way `set.error`
     --> runbooks/set-price.test.yaml:5:3
      |
    5 |   set.error: No such thing.
      |   ^^^^^^^^^
      |
      = help: the ways of `set` are `next`

    warning: the case only expects an outcome
     --> runbooks/set-price.test.yaml:7:11
      |
    7 |   - case: it has that price
      |           ^^^^^^^^^^^^^^^^^
      |
      = help: add `path`, `says`, `rows` or `unchanged`: another reason for the same outcome would pass as well
    ");
    let suite = Suite::cases(
        "
        - case: it has that price
          params: { item: 1, price: 10 }
          outcome: nothing
        ",
    );
    assert_snapshot!(suite.run("--coverage=full").code(10), @"
    exit 10
    --- stdout
    set-price
      ✓ it has that price  TIME

    set-price  coverage 22 % (2 of 9 ways)
      ✓ found.next    1 case
      ✗ found.else    no case takes it
      ✗ differs.next  no case takes it
      ✓ differs.else  1 case
      ✗ go.next       no case takes it
      ✗ go.else       no case takes it
      ✗ set.next      no case takes it
      ✗ is_set.next   no case takes it
      ✗ is_set.else   no case takes it

    1 case of 1 runbook: 1 passed; coverage 22 % (2 of 9 ways)
    --- stderr
    warning: the case only expects an outcome
     --> runbooks/set-price.test.yaml:5:11
      |
    5 |   - case: it has that price
      |           ^^^^^^^^^^^^^^^^^
      |
      = help: add `path`, `says`, `rows` or `unchanged`: another reason for the same outcome would pass as well
    ");
    assert_snapshot!(suite.run("").code(0), @"
    exit 0
    --- stdout
    set-price
      ✓ it has that price  TIME

    1 case of 1 runbook: 1 passed; coverage 22 % (2 of 9 ways)
    --- stderr
    warning: the case only expects an outcome
     --> runbooks/set-price.test.yaml:5:11
      |
    5 |   - case: it has that price
      |           ^^^^^^^^^^^^^^^^^
      |
      = help: add `path`, `says`, `rows` or `unchanged`: another reason for the same outcome would pass as well
    ");
}

#[test]
fn only_cases_with_a_text_in_their_name_are_played() {
    let suite = Suite::cases(GOOD);
    assert_snapshot!(suite.run("--filter rehearsal --filter number --coverage").code(0), @"
    exit 0
    --- stdout
    set-price
      ✓ only a rehearsal  TIME
      ✓ not a number  TIME

    2 cases of 1 runbook: 2 passed
    --- stderr
    warning: the case only expects an outcome
      --> runbooks/set-price.test.yaml:37:11
       |
    37 |   - case: another item is there
       |           ^^^^^^^^^^^^^^^^^^^^^
       |
       = help: add `path`, `says`, `rows` or `unchanged`: another reason for the same outcome would pass as well
    ");
    assert_snapshot!(suite.run("--filter nothing-like-it").code(2), @"
    exit 2
    --- stderr
    error: no case has `nothing-like-it` in its name
      = help: nor has its runbook; leave out --filter to see all
    ");
}

#[test]
fn results_are_written_for_programs() {
    let suite = Suite::cases(
        "
        - case: it has that price
          params: { item: 1, price: 10 }
          outcome: nothing
        - case: it has not
          params: { item: 1, price: 11 }
          outcome: nothing
        ",
    );
    let ran = suite.run("--junit out.xml --output json").code(10);
    let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert!(json.to_string().contains("it has not"), "{json}");
    let xml = std::fs::read_to_string(suite.path("out.xml")).unwrap();
    assert!(xml.starts_with("<?xml"), "{xml}");
    assert_eq!(xml.matches("<testcase").count(), 2, "{xml}");
    assert_eq!(xml.matches("<failure").count(), 1, "{xml}");
}

#[test]
fn set_up_that_fails_is_shown_where_it_stands() {
    let one = "
    - case: a
      params: { item: 1, price: 10 }
      outcome: nothing
    ";
    let in_file = Suite::cases(one).file(
        "runbooks/schema.sql",
        "CREATE TABLE items (id int, price int);\nCREATE TABLE more (id itn);\n",
    );
    assert_snapshot!(in_file.run("").code(3), @r#"
    exit 3
    --- stderr
    warning: the case only expects an outcome
     --> runbooks/set-price.test.yaml:5:11
      |
    5 |   - case: a
      |           ^
      |
      = help: add `path`, `says`, `rows` or `unchanged`: another reason for the same outcome would pass as well

    error: the server refuses this SQL: type "itn" does not exist
     --> runbooks/schema.sql:2:23
      |
    2 | CREATE TABLE more (id itn);
      |                       ^^^
    "#);
    let of_a_case = Suite::cases(
        "
        - case: a good one
          params: { item: 1, price: 10 }
          outcome: nothing
        - case: its data is wrong
          data: |
            INSERT INTO notes VALUES ('a');
            INSERT INTO items VALUES (1, 1);
          params: { item: 1, price: 10 }
          outcome: nothing
        ",
    );
    assert_snapshot!(of_a_case.run("").code(3), @r#"
    exit 3
    --- stdout
    set-price
      ✓ a good one  TIME

    1 case of 1 runbook: 1 passed
    --- stderr
    warning: the case only expects an outcome
     --> runbooks/set-price.test.yaml:5:11
      |
    5 |   - case: a good one
      |           ^^^^^^^^^^
      |
      = help: add `path`, `says`, `rows` or `unchanged`: another reason for the same outcome would pass as well

    warning: the case only expects an outcome
     --> runbooks/set-price.test.yaml:8:11
      |
    8 |   - case: its data is wrong
      |           ^^^^^^^^^^^^^^^^^
      |
      = help: add `path`, `says`, `rows` or `unchanged`: another reason for the same outcome would pass as well

    error: the server refuses this SQL: duplicate key value violates unique constraint "items_pkey"
      --> runbooks/set-price.test.yaml:11:7
       |
    11 |       INSERT INTO items VALUES (1, 1);
       |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = note: Key (id)=(1) already exists.
    "#);
}

#[test]
fn files_of_tests_that_are_wrong_are_refused_with_their_places() {
    let text = format!(
        "{HEAD}cases:\n  - case: a\n    outcome: done\n    path: [found, sett]\n    colour: red\n"
    );
    assert_snapshot!(Suite::text(&text).run("").code(3), @"
    exit 3
    --- stderr
    error: unknown key `colour`
     --> runbooks/set-price.test.yaml:8:5
      |
    8 |     colour: red
      |     ^^^^^^
      |
      = help: one of `case`, `data`, `params`, `answers`, `login`, `sessions`, `faults`, `dry_run`, `outcome`, `path`, `says`, `says_not`, `rows`, `unchanged`, `undo`
    ");
    let text = "\
test: set-price
schema: missing.sql
data: ../../elsewhere.sql
cases:
  - case: a
    params: { item: 1, price: 10 }
    answers: { gone: yes }
    outcome: done
    path: [found, sett]
";
    let suite = Suite::text(text).file("../elsewhere.sql", "SELECT 1");
    assert_snapshot!(suite.run("").code(3), @"
    exit 3
    --- stderr
    error: there is no file `runbooks/missing.sql`
     --> runbooks/set-price.test.yaml:2:9
      |
    2 | schema: missing.sql
      |         ^^^^^^^^^^^
      |
      = help: paths of SQL files begin at the folder of the test

    error: `../../elsewhere.sql` leads out of the folder of runbooks
     --> runbooks/set-price.test.yaml:3:7
      |
    3 | data: ../../elsewhere.sql
      |       ^^^^^^^^^^^^^^^^^^^
      |
      = help: put the file beside the test, or elsewhere within its folder of runbooks

    error: there is no step `gone`
     --> runbooks/set-price.test.yaml:7:16
      |
    7 |     answers: { gone: yes }
      |                ^^^^
      |
      = help: did you mean `go`?

    error: there is no step `sett`
     --> runbooks/set-price.test.yaml:9:19
      |
    9 |     path: [found, sett]
      |                   ^^^^
      |
      = help: did you mean `set`?
    ");
    let suite = Suite::cases("- case: a\n  params: { item: 1, price: 10 }\n  outcome: nothing\n");
    std::fs::remove_file(suite.path("runbooks/schema.sql")).unwrap();
    let elsewhere = suite.path("elsewhere.sql");
    std::fs::write(&elsewhere, SCHEMA).unwrap();
    std::os::unix::fs::symlink(&elsewhere, suite.path("runbooks/schema.sql")).unwrap();
    suite
        .run("")
        .code(3)
        .says("`schema.sql` leads out of the folder of runbooks");
}

#[test]
fn tests_are_found_by_names_files_and_folders() {
    let suite = Suite::cases(GOOD).file(
        "runbooks/bare.yaml",
        "runbook: bare\ntitle: T\nsteps:\n  - check: a\n    that: true\n",
    );
    for what in [
        "set-price",
        "runbooks/set-price.yaml",
        "runbooks/set-price.test.yaml",
    ] {
        let ran = suite.run(&format!("{what} --filter already --filter rehearsal"));
        ran.code(0)
            .says("1 case of 1 runbook: 1 passed")
            .keeps("bare");
    }
    let ran = suite.run("runbooks --filter rehearsal");
    ran.code(0).says("1 runbook has no tests: bare");
    suite
        .run("nothing")
        .code(3)
        .says("there is no runbook `nothing`");
}

#[test]
fn without_postgresql_it_says_how_to_get_it() {
    let suite = Suite::cases(GOOD);
    let mut command = suite.command("");
    command.env("RUNBOOK_PG_BIN", "/nowhere");
    let ran = suite.0.ran(&command.output().unwrap());
    assert_snapshot!(ran.code(4), @"
    exit 4
    --- stderr
    error: no PostgreSQL server programs: `postgres` and `initdb` are neither on $PATH nor where packages put them
      = help: install them with `make postgres`, `apt-get install postgresql`, `dnf install postgresql-server` or `brew install postgresql@17`
    ");
}

#[test]
fn a_change_is_tested_again_and_ctrl_c_leaves_nothing() {
    let one = |price: u32| {
        format!(
            "{HEAD}cases:\n  - case: costs {price}\n    params: {{ item: 1, price: {price} }}\n    outcome: nothing\n"
        )
    };
    let suite = Suite::text(&one(10));
    // The server's account must be able to come to its folder.
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(suite.0.root(), open).unwrap();
    let folder = suite.0.root().join("tmp");
    std::fs::create_dir(&folder).unwrap();
    let log = suite.0.root().join("log");
    let mut command = suite.command("--watch");
    command
        .env("TMPDIR", &folder)
        .stdout(std::fs::File::create(&log).unwrap());
    let running = suite.0.begin(command);
    let says = |text: &str| std::fs::read_to_string(&log).unwrap().contains(text);
    Test::wait(|| says("1 passed"));
    assert!(says("costs 10"));
    std::fs::write(suite.path("runbooks/set-price.test.yaml"), one(11)).unwrap();
    Test::wait(|| says("1 failed"));
    assert!(says("costs 11"));
    assert!(std::fs::read_dir(&folder).unwrap().count() > 0);
    running.interrupt();
    running.end().code(130).says("cancelled");
    let left: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with("runbook-templates-"))
        .collect();
    assert_eq!(left, Vec::<String>::new());
}

#[test]
fn ctrl_c_ends_a_case_that_would_take_long() {
    let suite = Suite::cases(
        "
        - case: it sleeps
          params: { item: 1, price: 15 }
          answers: { go: yes }
          faults: [{ after: go, sql: SELECT pg_sleep(600) }]
          outcome: done
        ",
    );
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(suite.0.root(), open).unwrap();
    let folder = suite.0.root().join("tmp");
    std::fs::create_dir(&folder).unwrap();
    let mut command = suite.command("");
    command.env("TMPDIR", &folder);
    let running = suite.0.begin(command);
    let left = || {
        let left = std::fs::read_dir(&folder).unwrap();
        left.filter(|entry| {
            let name = entry.as_ref().unwrap().file_name();
            name.to_str().unwrap().starts_with("runbook-test-")
        })
        .count()
    };
    Test::wait(|| left() == 1);
    running.interrupt();
    running.end().code(130).says("cancelled");
    assert_eq!(left(), 0);
}

#[test]
fn no_variable_sends_a_program_of_a_case_elsewhere() {
    let suite = Suite::cases("- case: c\n  params: { item: 1, price: 15 }\n  outcome: declined\n")
        .file(
            "runbooks/where.yaml",
            "runbook: where\ntitle: Where\nsteps:\n  - query: names\n    command: [sh, -c, 'env | grep ^PG']\n",
        )
        .file(
            "runbooks/where.test.yaml",
            "test: where\nschema: schema.sql\ncases:\n  - case: c\n    outcome: done\n    says: [PGDATABASE=case_]\n    \
             says_not: [PGSERVICE, PGHOSTADDR, PGTARGETSESSIONATTRS, PGPASSWORD]\n",
        );
    let mut command = suite.command("where --show-output");
    command
        .env("PGSERVICE", "production")
        .env("PGHOSTADDR", "192.0.2.7")
        .env("PGTARGETSESSIONATTRS", "read-write")
        .env("PGPASSWORD", "s3cret-w0rd");
    suite.0.ran(&command.output().unwrap()).code(0);
}

const USED: &str = "\
runbook: price-is-fair
title: Is the price fair?
params:
  price: { type: int }
steps:
  - check: cheap
    sql: SELECT {{ price }}::int AS price
    that: price < 100
    else: { fail: Too dear. }
";

const USES: &str = "\
runbook: look-first
title: Look first
steps:
  - use: price-is-fair
    with: { price: '10' }
  - query: prices
    sql: SELECT 1
";

const OF_USED: &str = "\
test: price-is-fair
cases:
  - case: it is
    params: { price: 10 }
    outcome: done
  - case: it is not
    params: { price: 100 }
    outcome: failed
";

const OF_USES: &str = "\
test: look-first
cases:
  - case: it is fair
    outcome: done
";

fn with_used(tests: &str) -> Test {
    Test::sql("SELECT 1")
        .file("runbooks/price-is-fair.yaml", USED)
        .file("runbooks/look-first.yaml", USES)
        .file("runbooks/look-first.test.yaml", tests)
}

fn played(test: &Test, args: &str) -> Ran {
    let mut command = test.bare(format!("test {args}").split_whitespace());
    test.ran(&command.output().unwrap())
}

#[test]
fn the_ways_of_a_used_runbook_are_those_of_its_own_tests() {
    let test = with_used(OF_USES);
    let alone = played(&test, "look-first --coverage=full").code(10);
    assert_snapshot!(alone, @"
    exit 10
    --- stdout
    look-first
      ✓ it is fair  TIME

    look-first  coverage 66 % (2 of 3 ways)
      ✓ price_is_fair.cheap.next  1 case
      ✗ price_is_fair.cheap.else  no case takes it
      ✓ prices.next               1 case

    1 case of 1 runbook: 1 passed; coverage 66 % (2 of 3 ways)
    --- stderr
    warning: the case only expects an outcome
     --> runbooks/look-first.test.yaml:3:11
      |
    3 |   - case: it is fair
      |           ^^^^^^^^^^
      |
      = help: add `path`, `says`, `rows` or `unchanged`: another reason for the same outcome would pass as well
    ");
    let test = test.file("runbooks/price-is-fair.test.yaml", OF_USED);
    let beside = played(&test, "look-first --coverage=full").code(0);
    assert_snapshot!(beside, @"
    exit 0
    --- stdout
    look-first
      ✓ it is fair  TIME

    look-first  coverage 100 % (1 of 1 way)
      ✓ prices.next  1 case
      and 2 ways of the runbooks that it uses: their own tests take them

    1 case of 1 runbook: 1 passed; coverage 100 % (1 of 1 way)
    --- stderr
    warning: the case only expects an outcome
     --> runbooks/look-first.test.yaml:3:11
      |
    3 |   - case: it is fair
      |           ^^^^^^^^^^
      |
      = help: add `path`, `says`, `rows` or `unchanged`: another reason for the same outcome would pass as well
    ");
    played(&test, "--coverage=full")
        .code(0)
        .says("coverage 100 % (");
}

#[test]
fn what_others_take_needs_no_excuse() {
    let excuse = format!("{OF_USES}untested:\n  price_is_fair.cheap.else: It is never dear.\n");
    let test = with_used(&excuse);
    played(&test, "look-first --coverage=full").code(0);
    let test = test.file("runbooks/price-is-fair.test.yaml", OF_USED);
    assert_snapshot!(played(&test, "look-first").code(3), @"
    exit 3
    --- stderr
    warning: the case only expects an outcome
     --> runbooks/look-first.test.yaml:3:11
      |
    3 |   - case: it is fair
      |           ^^^^^^^^^^
      |
      = help: add `path`, `says`, `rows` or `unchanged`: another reason for the same outcome would pass as well

    error: `price_is_fair.cheap.else` is a way of a runbook that is used, and its own tests take it
     --> runbooks/look-first.test.yaml:6:3
      |
    6 |   price_is_fair.cheap.else: It is never dear.
      |   ^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: take it out of `untested`: nobody expects it here
    ");
}

#[test]
fn tests_of_no_runbook_are_refused() {
    let suite = Suite::cases(GOOD).file("runbooks/set-prise.test.yaml", HEAD);
    let all = suite.run("");
    assert_snapshot!(all.stderr, @"
    warning: the case only expects an outcome
      --> runbooks/set-price.test.yaml:37:11
       |
    37 |   - case: another item is there
       |           ^^^^^^^^^^^^^^^^^^^^^
       |
       = help: add `path`, `says`, `rows` or `unchanged`: another reason for the same outcome would pass as well

    error: `runbooks/set-prise.test.yaml` tests a runbook that is not there: `set-prise.yaml` would be beside it
    ");
    all.code(3);
    assert_snapshot!(suite.run("runbooks/set-prise.test.yaml").code(3), @"
    exit 3
    --- stderr
    error: there is no file `runbooks/set-prise.yaml`
    ");
}

#[test]
fn a_folder_without_tests_proves_nothing() {
    let test =
        Test::sql("SELECT 1").runbook("untested", "steps: [{ query: q, sql: SELECT 1 AS n }]");
    test.ran(&test.bare(["test"]).output().unwrap())
        .code(3)
        .says("there are no tests here, and so nothing was proved")
        .says("`runbook new NAME` writes both");
}
