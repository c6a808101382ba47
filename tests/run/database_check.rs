//! `check: database`: what a database must have, found, missing, another, or not to be seen.

use insta::assert_snapshot;

use crate::test::Test;

const SETUP: &str = r#"
    CREATE SCHEMA app;
    CREATE TYPE app.state AS ENUM ('open', 'closed');
    CREATE DOMAIN app.email AS text CHECK (VALUE LIKE '%@%');
    CREATE TABLE users (
        id bigint PRIMARY KEY,
        name varchar(20) NOT NULL,
        created timestamptz(3),
        tags text[],
        amount numeric(10, 2),
        mail app.email,
        state app.state,
        CONSTRAINT name_is_given CHECK (name <> '')
    );
    CREATE TABLE "User" ("firstName" text, data json);
    CREATE TABLE app.farms (id int, name text);
    CREATE VIEW people AS SELECT * FROM users;
    CREATE INDEX users_name ON users (name);
    CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE FUNCTION total(a int, b text DEFAULT '') RETURNS int LANGUAGE sql AS 'SELECT 1';
    CREATE TRIGGER touch_it BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION touch();
    CREATE TRIGGER asleep BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION touch();
    ALTER TABLE users DISABLE TRIGGER asleep;
    ALTER TABLE app.farms ENABLE ROW LEVEL SECURITY;
    INSERT INTO users (id, name) VALUES (1, 'Ada'), (2, 'Bob');
    INSERT INTO "User" VALUES ('Ada', '{"a": 1}');
"#;

#[test]
fn all_of_it_is_there() {
    let test = Test::sql(SETUP).steps(
        r#"
        - check: has
          database:
            tables: [users, '"User"', app.farms, PUBLIC.Users]
            columns:
              users:
                id: int8
                name: varchar(20)
                created: timestamptz(3)
                tags: text[]
                amount: decimal(10,2)
                mail: app.email
                state: app.state
              '"User"': ['"firstName"']
            constraints: { users: [users_pkey, name_is_given] }
            triggers: { users: touch_it }
            indexes: [users_name, users_pkey]
            functions: [touch, 'total(int, text)']
            row_security: [app.farms]
            extensions: [plpgsql]
            roles: [pg_monitor]
            settings: { block_size: 8192, statement_timeout: 0, shared_buffers: 16384kB, TimeZone: UTC }
            rows:
              users:
                - { id: 1, name: Ada, created: null }
                - { name: Bob }
              '"User"': [{ '"firstName"': Ada, data: '{"a":1}' }]
        "#,
    );
    assert_snapshot!(test.run("run t --yes"), @"
    exit 0
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · low risk

      ✓ has                    29 of 29 passed  TIME
          ✓ tables        4 of 4
          ✓ columns       8 of 8
          ✓ constraints   2 of 2
          ✓ triggers      1 of 1
          ✓ indexes       2 of 2
          ✓ functions     2 of 2
          ✓ row security  1 of 1
          ✓ extensions    1 of 1
          ✓ roles         1 of 1
          ✓ settings      4 of 4
          ✓ rows          3 of 3

    Done in TIME.
    ");
}

const DRIFTED: &str = r#"
    - check: has
      severity: warning
      database:
        tables: [users, orders, User, farms, people, 'two words', nowhere.t]
        columns:
          users: { id: bigint, name: varchar(30), created: timestamptz, tags: serial, amount: 'numeric(', age: int, mail: text, FirstName: text }
          orders: [id, total, state]
          '"User"': [firstName]
        constraints: { users: [users_pkey, users_name_key], orders: orders_pkey }
        triggers: { users: [asleep, touch_it, never], orders: t }
        indexes: [users_name, users_mail, half_made, users]
        functions: [nothing, 'total(int)', 'total(int, text, nonsense)', touch]
        row_security: [users, app.farms]
        extensions: [plpgsql, no_such_extension]
        roles: [nobody_of_this_name, pg_monitor]
        settings: { block_size: 4096, app.tenant: 1, no_such_setting: on, shared_buffers: 4GB, statement_timeout: 5s }
        rows:
          users: [{ id: 1 }, { id: 3, name: Eve }, { name: Ada, age: 3 }, { name: null }]
          orders: [{ id: 1 }]
        otherwise:
          tables: run the migrations
          columns: run the migrations of {{ target.database }}
"#;

#[test]
fn what_is_missing_is_listed_by_group_with_what_was_found_instead() {
    let test = Test::sql(SETUP);
    let connection = test.connect();
    connection
        .run("INSERT INTO users (id, name, mail) VALUES (8, 'same', 'a@b'), (9, 'same', 'a@b')");
    connection.refused("CREATE UNIQUE INDEX CONCURRENTLY half_made ON users (mail)");
    let test = test.steps(&format!(
        r"{DRIFTED}
    - query: told
      sql: |
        SELECT {{{{ has.missing.columns | join(' ') }}}}::text AS columns, {{{{ has.missing.triggers | join(' ') }}}}::text AS triggers,
          {{{{ has.missing.rows | join('; ') }}}}::text AS rows, {{{{ has.missing.extensions | length }}}}::int AS extensions,
          {{{{ has.items | length }}}}::int AS items
      show: record
"
    ));
    assert_snapshot!(test.run("run t --yes"), @r#"
    exit 0
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · low risk

      ! has                    10 of 50 passed  TIME
          ! tables        5 of 7 missing, 1 different
              orders
              User  there is "User": capitals count in double quotes only
              farms  there is app.farms, which the search path does not reach
              people  is a view
              two words  is no name: what is more than letters, digits and _ stands in double quotes
              nowhere.t  there is no schema nowhere
              = help: run the migrations
          ! columns       6 of 12 missing, 5 different
              users.age   users.FirstName
              users.name  is character varying(20), not character varying(30)
              users.created  is timestamp(3) with time zone, not timestamp with time zone
              users.tags  is text[]; there is no type serial
              users.amount  is numeric(10,2); numeric( is no type
              users.mail  is app.email, not text
              there is no table orders:   orders.id   orders.total   orders.state
              "User".firstName  there is "firstName": capitals count in double quotes only
              = help: run the migrations of DB
          ! constraints   2 of 3 missing
              users.users_name_key
              orders.orders_pkey  there is no table orders
          ! triggers      2 of 4 missing, 1 different
              users.never
              users.asleep  is disabled
              orders.t  there is no table orders
          ! indexes       1 of 4 missing, 2 different
              users_mail
              half_made  is invalid
              users  is a table
          ! functions     2 of 4 missing, 1 different
              nothing
              total(int)  takes (a integer, b text)
              total(int, text, nonsense)  type "nonsense" does not exist
          ! row security  1 of 2 different
              users  is disabled
          ! extensions    1 of 2 missing
              no_such_extension  the server does not have its files either
          ! roles         1 of 2 missing
              nobody_of_this_name
          ! settings      2 of 5 missing, 3 different
              block_size  is 8192, not 4096
              it is not set:   app.tenant   no_such_setting
              shared_buffers  is 16MB, not 4GB
              statement_timeout  is 0, not 5s
          ! rows          4 of 5 missing
              users: id = 3, name = Eve   users: name is null
              users: name = Ada, age = 3  there is no column age
              orders: id = 1  there is no table orders
      ✓ told                   1 row  TIME
          columns     users.name users.created users.tags users.amount users.age users.mail users.FirstName orders.id orders.total orders.state "User".firstName
          triggers    users.asleep users.never orders.t
          rows        users: id = 3, name = Eve; users: name = Ada, age = 3; users: name is null; orders: id = 1
          extensions  1
          items       50

    Done in TIME.
    "#);
}

#[test]
fn a_later_step_branches_on_what_is_missing() {
    let test = Test::sql(SETUP).runbook(
        "t",
        r#"
        risk: low
        steps:
          - check: has
            database:
              rows: { users: [{ id: 1 }, { id: "{{ 5 + 2 }}" }] }
              otherwise: { rows: insert them }
            else: other
          - check: never
            that: false
        branches:
          other:
            - check: only_rows
              that: "has.missing.rows == ['users: id = 7'] and has.missing.tables == [] and has.unseen == []"
              then: { done: 'It lacks {{ has.missing.rows[0] }}, so {{ has.items[1].otherwise }}.' }
        "#,
    );
    assert_snapshot!(test.run("run t --yes"), @"
    exit 0
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · low risk

      → has                    1 of 2 passed  TIME
          → rows  1 of 2 missing
              users: id = 7
              = help: insert them
      ✓ only_rows              passed  TIME

    Done in TIME.
    It lacks users: id = 7, so insert them.
    ");
    let test = test.steps(
        "- check: has\n  database: { tables: [users] }\n- check: slip\n  that: has.missing.table == []\n",
    );
    test.run("run t --yes").code(10);
}

#[test]
fn what_is_wrong_fails_the_run_and_counts_a_single_thing_too() {
    let test = Test::sql(SETUP).steps(
        "- check: has\n  otherwise: ask the owner\n  database: { tables: orders, otherwise: { tables: make it } }\n",
    );
    test.run("run t --yes").code(3).says("expected a list");
    let test = test.steps(
        "- check: has\n  otherwise: ask the owner\n  database: { tables: [orders], otherwise: { tables: make it } }\n",
    );
    assert_snapshot!(test.run("run t --yes"), @"
    exit 10
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · low risk

      ✗ has                    0 of 1 passed  TIME
          ✗ tables  1 of 1 missing
              orders
              = help: make it
            = help: ask the owner

    Failed after TIME.
    `has` says no: orders
    Nothing was changed.
    ");
    let test =
        test.steps("- check: has\n  database: { tables: [a1,b1,c1,d1,e1,f1,g1,h1,i1,j1] }\n");
    assert_snapshot!(test.run("run t --yes"), @"
    exit 10
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · low risk

      ✗ has                    0 of 10 passed  TIME
          ✗ tables  10 of 10 missing
              a1   b1   c1   d1   e1   f1   g1   h1   i1   j1

    Failed after TIME.
    `has` says no: a1, b1, c1, d1, e1, f1, g1, h1 and 2 more
    Nothing was changed.
    ");
}

#[test]
fn a_value_that_the_type_refuses_is_an_error_that_says_which() {
    let test = Test::sql(SETUP).steps(
        "- check: has\n  database: { rows: { users: [{ id: 1 }, { name: Ada, id: one }] } }\n",
    );
    assert_snapshot!(test.run("run t --yes"), @r#"
    exit 10
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · low risk

      ✗ has                    failed  TIME
          error: the row users: id = one cannot be looked for: invalid input syntax for type bigint: "one" (SQLSTATE 22P02)
            = help: write a value that the column's type can hold

    Failed after TIME.
    `has`: the row users: id = one cannot be looked for: invalid input syntax for type bigint: "one"
    Nothing was changed.
    "#);
}

#[test]
fn what_a_fix_adds_is_there_in_a_dry_run_and_in_an_atomic() {
    let test = Test::sql(SETUP).confirmed(
        r"
        - atomic: all
          steps:
            - check: before
              severity: warning
              database:
                columns: { users: [age] }
                rows: { users: [{ id: 3, name: Eve }] }
            - fix: add
              sql: INSERT INTO users (id, name) VALUES (3, 'Eve')
              rows: 1
            - check: inside
              database: { rows: { users: [{ id: 3, name: Eve }] } }
            - check: forms
              severity: warning
              database: { columns: { users: { id: nonsense } }, functions: ['total(nonsense)'] }
            - fix: more
              sql: INSERT INTO users (id, name) VALUES (4, 'Dan')
              rows: 1
        ",
    );
    test.run("run t --dry-run").code(0);
    assert_eq!(test.rows("SELECT count(*) FROM users"), "2");
    let ran = test.run("run t --yes").code(0);
    assert_eq!(test.rows("SELECT id FROM users ORDER BY id"), "1\n2\n3\n4");
    assert_snapshot!(ran, @r#"
    exit 0
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · low risk

      ? go
          all changes 2 rows of users
            users  + 3  name Eve   created null   tags null   amount null   mail null   state null
                   + 4  name Dan   created null   tags null   amount null   mail null   state null
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ✓ all                    2 rows changed, committed  TIME
          ✓ add  1 row   ✓ inside   ✓ more  1 row
          ! before  0 of 2 passed
            ! columns  1 of 1 missing
                users.age
            ! rows     1 of 1 missing
                users: id = 3, name = Eve
          ! forms  0 of 2 passed
            ! columns    1 of 1 different
                users.id  is bigint; there is no type nonsense
            ! functions  1 of 1 missing
                total(nonsense)  type "nonsense" does not exist
      ✓ after                  passed  TIME

    Done in TIME. Undo with: runbook undo RUN
    "#);
}

#[test]
fn what_the_login_may_not_see_is_listed_apart() {
    let test = Test::sql(
        "CREATE TABLE open (id int PRIMARY KEY); CREATE TABLE shut (id int PRIMARY KEY); INSERT INTO open VALUES (1); \
         CREATE SCHEMA locked; CREATE TABLE locked.t (id int); CREATE FUNCTION locked.f(int) RETURNS int LANGUAGE sql AS 'SELECT 1'; \
         CREATE TABLE own (id int PRIMARY KEY); ALTER TABLE own ENABLE ROW LEVEL SECURITY; INSERT INTO own VALUES (1); \
         DO $$BEGIN CREATE ROLE dbcheck_onlooker LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN END$$; \
         GRANT SELECT ON open, own TO dbcheck_onlooker",
    )
    .steps(
        r"
        - check: has
          severity: warning
          database:
            tables: [open, locked.t]
            columns: { locked.t: { id: int } }
            functions: [locked.f, locked.f(int)]
            settings: { data_directory: /srv, log_directory: log }
            rows:
              shut: [{ id: 1 }]
              open: [{ id: 1 }, { id: 2 }]
              locked.t: [{ id: 1 }]
              own: [{ id: 1 }]
        - check: told
          that: has.unseen | length == 5 and has.missing.rows | length == 2 and not has.passed
        ",
    );
    let url = test.db.url().replace("postgres@", "dbcheck_onlooker@");
    let mut command = test.bare(["run", "t", "--yes"]);
    let ran = test.ran(&command.env("DATABASE_URL", &url).output().unwrap());
    assert_snapshot!(ran, @r#"
    exit 0
    --- stdout
    Test  run RUN · dbcheck_onlooker@SERVER:5432/DB · low risk

      ! has                    5 of 12 passed  TIME
          ✓ tables     2 of 2
          ✓ columns    1 of 1
          ! functions  1 of 2 could not be seen
              locked.f(int)  could not be seen: permission denied for schema locked
          ! settings   2 of 2 could not be seen
              data_directory  could not be seen: must be superuser or have privileges of pg_read_all_settings to examine "data_directory"
              log_directory  could not be seen: must be superuser or have privileges of pg_read_all_settings to examine "log_directory"
          ! rows       2 of 5 missing, 2 could not be seen
              open: id = 2
              own: id = 1  unless row-level security hides it from this login
              shut: id = 1  could not be seen: permission denied for table shut
              locked.t: id = 1  could not be seen: permission denied for schema locked
      ✓ told                   passed  TIME

    Done in TIME.
    "#);
}

#[test]
fn other_schemas_are_found_by_the_key_by_the_path_or_by_name() {
    let setup = r#"
        CREATE SCHEMA "Shop Floor"; CREATE TABLE "Shop Floor"."OrderLine" (id int, "unitPrice" numeric) PARTITION BY RANGE (id);
        CREATE TABLE "Shop Floor"."OrderLine_1" PARTITION OF "Shop Floor"."OrderLine" FOR VALUES FROM (1) TO (10);
        CREATE INDEX "priceIdx" ON "Shop Floor"."OrderLine" ("unitPrice");
        INSERT INTO "Shop Floor"."OrderLine" VALUES (1, 9.5);
        CREATE FUNCTION "Shop Floor".f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
        CREATE TRIGGER t BEFORE UPDATE ON "Shop Floor"."OrderLine" FOR EACH ROW EXECUTE FUNCTION "Shop Floor".f();
        CREATE SCHEMA app; CREATE TABLE app.farms (id int);
    "#;
    let wanted = |schema: &str| {
        format!(
            r#"
        - check: has
          severity: warning
          database:
            {schema}
            tables: ['"OrderLine"', '"OrderLine_1"', orderline, farms]
            columns: {{ '"OrderLine"': {{ id: int, '"unitPrice"': decimal }} }}
            triggers: {{ '"OrderLine"': t, '"OrderLine_1"': t }}
            indexes: ['"priceIdx"']
            functions: [f, f()]
            rows: {{ '"OrderLine"': [{{ '"unitPrice"': 9.50 }}] }}
"#
        )
    };
    let test = Test::sql(setup).steps(&wanted(r#"schema: '"Shop Floor"'"#));
    assert_snapshot!(test.run("run t --yes"), @r#"
    exit 0
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · low risk

      ! has                    10 of 12 passed  TIME
          ! tables     2 of 4 missing
              farms
              orderline  there is "OrderLine": capitals count in double quotes only
          ✓ columns    2 of 2
          ✓ triggers   2 of 2
          ✓ indexes    1 of 1
          ✓ functions  2 of 2
          ✓ rows       1 of 1

    Done in TIME.
    "#);
    let test = test.steps(&wanted("schema: nowhere"));
    test.run("run t --yes")
        .says("there is no schema nowhere")
        .says("! tables     4 of 4 missing");
    let test = test
        .steps("- check: has\n  severity: warning\n  database: { tables: [farms, app.farms] }\n");
    test.run("run t --yes")
        .says("farms  there is app.farms, which the search path does not reach");
    let test = test.runbook(
        "t",
        "risk: low\nsession: { search_path: app }\nsteps:\n  - check: has\n    database: { tables: [farms], settings: { search_path: app } }\n",
    );
    test.run("run t --yes").code(0).says("2 of 2 passed");
}

#[test]
fn settings_are_those_that_others_have() {
    let test = Test::sql("SELECT 1");
    let name = test.db.name().to_owned();
    test.connect().run(&format!(
        "ALTER DATABASE {name} SET statement_timeout = '30s'; ALTER DATABASE {name} SET app.tenant = 'a'; \
         ALTER DATABASE {name} SET timezone = 'Europe/Berlin'"
    ));
    let test = test.steps(
        "- check: has\n  database: { settings: { statement_timeout: 30000, app.tenant: a, timezone: Europe/Berlin } }\n",
    );
    test.run("run t --yes").code(0).says("3 of 3 passed");
}

#[test]
fn what_it_looks_for_is_proved() {
    let test = Test::sql(SETUP).steps(
        r"
        - check: has
          database:
            tables: [users, '{{ nothing }}', users]
            columns: { users: { id: int, '{{ nobody }}': '{{ none }}' } }
            otherwise: { table: x, roles: y, tables: '{{ gone }}' }
        - check: empty
          database: {}
        - check: read
          that: has.missing.nothing == [] and has.gone
        ",
    );
    assert_snapshot!(test.run("check t"), @"
    exit 3
    --- stdout
    error: unknown name `nothing`
     --> runbooks/t.yaml:7:27
      |
    7 |       tables: [users, '{{ nothing }}', users]
      |                           ^^^^^^^ no parameter or step has this name
      |
      = help: there are `has`, `empty`, `read`, `run`, `target`

    error: `users` is twice among the tables
     --> runbooks/t.yaml:7:40
      |
    7 |       tables: [users, '{{ nothing }}', users]
      |                                        ^^^^^

    error: unknown name `nobody`
     --> runbooks/t.yaml:8:40
      |
    8 |       columns: { users: { id: int, '{{ nobody }}': '{{ none }}' } }
      |                                        ^^^^^^ no parameter or step has this name
      |
      = help: there are `has`, `empty`, `read`, `run`, `target`

    error: there is no group `table`
     --> runbooks/t.yaml:9:20
      |
    9 |       otherwise: { table: x, roles: y, tables: '{{ gone }}' }
      |                    ^^^^^
      |
      = help: did you mean `tables`?

    error: a remedy for roles, of which none is looked for
     --> runbooks/t.yaml:9:30
      |
    9 |       otherwise: { table: x, roles: y, tables: '{{ gone }}' }
      |                              ^^^^^

    error: unknown name `gone`
     --> runbooks/t.yaml:9:52
      |
    9 |       otherwise: { table: x, roles: y, tables: '{{ gone }}' }
      |                                                    ^^^^ no parameter or step has this name
      |
      = help: there are `has`, `empty`, `read`, `run`, `target`

    error: `database` looks for nothing: it would always pass
      --> runbooks/t.yaml:10:12
       |
    10 |   - check: empty
       |            ^^^^^
       |
       = help: say what must be there: `tables: [users, orders]`

    error: unknown column `has.gone`
      --> runbooks/t.yaml:13:41
       |
    13 |     that: has.missing.nothing == [] and has.gone
       |                                         ^^^^^^^^ the check `has` returns passed, items, missing, unseen

    1 runbook: 0 valid, 1 invalid (8 errors)
    ");
}

#[test]
fn what_it_looks_for_is_told_before_it_runs() {
    let test = Test::sql(SETUP).steps(
        "- check: has\n  database: { tables: [users], columns: { users: { id: int } }, rows: { users: [{ id: 1, name: null }, {}] } }\n",
    );
    assert_snapshot!(test.run("check t"), @"
    exit 0
    --- stdout
    1 runbook: 1 valid
    ");
    assert_snapshot!(test.run("show t"), @"
    exit 0
    --- stdout
    Test
    t · low risk · runbooks/t.yaml

    Steps
      check has
          looks for tables (1), columns (1) and rows (2)
      after an error: what was fixed is put back
      after Ctrl-C: what was fixed is put back

    Touches
      reads  users

    Example
      runbook run t
    ");
    assert_snapshot!(test.run("plan t"), @"
    exit 0
    --- stdout
    Test
    t · low risk · a plan: nothing is run

    Steps
      check has
          looks for tables: users
          looks for columns: users.id
          looks for rows: users: id = 1, name is null and users: any row

    After an error
      what was fixed is put back
    After Ctrl-C
      what was fixed is put back
    ");
}

#[test]
fn a_report_tells_it_by_group() {
    let test = Test::sql(SETUP).steps(
        "- check: has\n  severity: warning\n  database: { tables: [users, a, b], columns: { users: { id: int } }, otherwise: { tables: migrate } }\n",
    );
    test.run("run t --yes").code(0);
    for (format, said) in [
        (
            "markdown",
            "- ✗ tables: 2 of 3 missing: a, b\n  <br>**help:** migrate\n- ✗ columns: 1 of 1 different: users.id (is bigint, not integer)",
        ),
        (
            "html",
            "tables: 2 of 3 missing: a, b<br><strong class=\"help\">help:</strong> migrate</li>",
        ),
        (
            "text",
            "! tables   2 of 3 missing\n          a   b\n          = help: migrate",
        ),
        (
            "json",
            "\"group\":\"columns\",\"found\":\"is bigint, not integer\"",
        ),
    ] {
        let args = format!("report {} --format {format}", test.id());
        test.run(&args).code(0).says(said);
    }
}

/// One of everything else that a check looks for, and names that need quotes.
const MORE: &str = r#"
    CREATE TABLE "weird ""name: #1" ("on" int, "a: b" text, "{{ x }}" int, "größe" numeric(3,1)[], i interval day to second(2));
    CREATE TABLE parts (id int PRIMARY KEY, at date) PARTITION BY RANGE (id);
    CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (1) TO (10);
    CREATE INDEX ON parts (at);
    CREATE TRIGGER part BEFORE UPDATE ON parts FOR EACH ROW EXECUTE FUNCTION touch();
    CREATE TYPE span AS RANGE (subtype = float8);
    CREATE PROCEDURE act(INOUT a int, b app.state[]) LANGUAGE sql AS 'SELECT 1';
    CREATE AGGREGATE summed(int) (SFUNC = int4pl, STYPE = int);
    CREATE FUNCTION many(VARIADIC a int[]) RETURNS int LANGUAGE sql AS 'SELECT 1';
"#;

/// A database, and a check of all that it has.
fn all_of_it() -> Test {
    let test = Test::sql(&format!("{SETUP}{MORE}"));
    let name = test.db.name().to_owned();
    test.connect().run(&format!(
        "ALTER DATABASE {name} SET work_mem = '5MB'; ALTER DATABASE {name} SET app.api_key = 'hush'"
    ));
    test.run("new all-of-it --from-database").code(0);
    test.run("check all-of-it --deny-warnings").code(0);
    test
}

#[test]
fn a_check_of_all_that_there_is_is_written() {
    let test = all_of_it();
    let text = std::fs::read_to_string(test.root().join("work/runbooks/all-of-it.yaml")).unwrap();
    assert_snapshot!(text, @r#"
    # Editors complete and explain this file with the schema beside it, which `runbook schema` prints.
    # yaml-language-server: $schema=runbook.schema.json
    runbook: all-of-it
    title: All of it
    about: |
      Compares a database with what it had when this was written: says what is missing, or has become another.
    risk: low
    tags: [audit]

    # Take out what may differ. Rows that must be there, and roles, are for you to add:
    #   rows:
    #     team_roles:
    #       - { name: Owner }
    #   otherwise:
    #     rows: runbook run add-the-system-roles
    # Partitions, and what extensions bring with them, are left out.
    steps:
      - check: has_all
        about: What the database had when this was written.
        database:
          schema: public
          tables:
            - app.farms
            - '"User"'
            - parts
            - users
            - '"weird ""name: #1"'
          columns:
            app.farms:
              id: integer
              name: text
            '"User"':
              '"firstName"': text
              data: json
            parts:
              id: integer
              at: date
            users:
              id: bigint
              name: character varying(20)
              created: timestamp(3) with time zone
              tags: text[]
              amount: numeric(10,2)
              mail: app.email
              state: app.state
            '"weird ""name: #1"':
              '"on"': integer
              '"a: b"': text
              '"{{ ''{{'' }} x }}"': integer
              '"größe"': numeric(3,1)[]
              i: interval day to second(2)
          constraints:
            parts:
              - parts_pkey
            users:
              - name_is_given
              - users_pkey
          triggers:
            parts:
              - part
            users:
              - touch_it
          indexes:
            - parts_at_idx
            - users_name
          functions:
            - act(integer, app.state[])
            - many(integer[])
            - summed(integer)
            - total(integer, text)
            - touch()
          row_security:
            - app.farms
          extensions:
            - plpgsql
          settings:
            work_mem: '5MB'
    "#);
}

#[test]
fn a_check_of_all_that_there_is_passes_until_something_goes() {
    let test = all_of_it();
    assert_snapshot!(test.run("run all-of-it"), @"
    exit 0
    --- stdout
    All of it  run RUN · postgres@SERVER:5432/DB · low risk

      ✓ has_all                38 of 38 passed  TIME
          ✓ tables        5 of 5
          ✓ columns       18 of 18
          ✓ constraints   3 of 3
          ✓ triggers      2 of 2
          ✓ indexes       2 of 2
          ✓ functions     5 of 5
          ✓ row security  1 of 1
          ✓ extensions    1 of 1
          ✓ settings      1 of 1

    Done in TIME.
    ");
    test.connect().run("ALTER TABLE parts DROP COLUMN at");
    test.run("run all-of-it")
        .code(10)
        .says("1 of 18 missing\n          parts.at");
    test.run("new all-of-it --from-database")
        .code(3)
        .says("exists already");
}

#[test]
fn a_long_list_is_folded_and_each_reason_said_once() {
    let names: Vec<String> = (0..60).map(|number| format!("column_{number}")).collect();
    let test = Test::sql("SELECT 1").steps(&format!(
        "- check: has\n  severity: warning\n  database:\n    columns: {{ orders: [{}] }}\n",
        names.join(", ")
    ));
    let ran = test.run("run t --yes").code(0);
    assert_eq!(
        ran.stdout.matches("there is no table orders").count(),
        1,
        "{ran}"
    );
    ran.says("60 of 60 missing")
        .says("column_0")
        .keeps("column_59")
        .says("20 more");
}

#[test]
fn a_check_against_a_live_catalog_leaves_to_the_run_what_must_be_there() {
    let has = "- check: has\n  severity: warning\n  database: { tables: [nowhere] }\n";
    let test = Test::sql(SETUP).steps(has);
    test.run("check t").code(0);
    let test = test.steps(&format!(
        "{has}- check: reads\n  sql: SELECT gone FROM users LIMIT 1\n  that: gone\n"
    ));
    test.run("check t")
        .code(3)
        .says("column \"gone\" does not exist");
}
