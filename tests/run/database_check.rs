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
        r#"{DRIFTED}
    - query: told
      sql: |
        SELECT {{{{ has.missing.columns | join(' ') }}}}::text AS columns, {{{{ has.missing.triggers | join(' ') }}}}::text AS triggers,
          {{{{ has.missing.rows | join('; ') }}}}::text AS rows, {{{{ has.missing.extensions | length }}}}::int AS extensions,
          {{{{ has.items | length }}}}::int AS items
      show: record
"#
    ));
    assert_snapshot!(test.run("run t --yes"), @r#"
    exit 0
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · low risk

      ! has                    10 of 50 passed  TIME
          ! tables        5 of 7 missing, 1 different
              orders
              User   there is "User": capitals count in double quotes only
              farms   there is app.farms, which the search path does not reach
              people   is a view
              two words   two words is no name: what is more than letters, digits and _ stands in double quotes
              nowhere.t   there is no schema nowhere
              = help: run the migrations
          ! columns       6 of 12 missing, 5 different
              users.age   users.FirstName
              users.name   is character varying(20), not character varying(30)
              users.created   is timestamp(3) with time zone, not timestamp with time zone
              users.tags   is text[]; there is no type serial
              users.amount   is numeric(10,2); numeric( is no type
              users.mail   is app.email, not text
              orders.id   orders.total   orders.state   there is no table orders
              "User".firstName   there is "firstName": capitals count in double quotes only
              = help: run the migrations of DB
          ! constraints   2 of 3 missing
              users.users_name_key
              orders.orders_pkey   there is no table orders
          ! triggers      2 of 4 missing, 1 different
              users.never
              users.asleep   is disabled
              orders.t   there is no table orders
          ! indexes       1 of 4 missing, 2 different
              users_mail
              half_made   is invalid
              users   is a table
          ! functions     2 of 4 missing, 1 different
              nothing
              total(int)   takes (a integer, b text)
              total(int, text, nonsense)   type "nonsense" does not exist
          ! row security  1 of 2 different
              users   is disabled
          ! extensions    1 of 2 missing
              no_such_extension   the server does not have its files either
          ! roles         1 of 2 missing
              nobody_of_this_name
          ! settings      2 of 5 missing, 3 different
              block_size   is 8192, not 4096
              app.tenant   no_such_setting   it is not set
              shared_buffers   is 16MB, not 4GB
              statement_timeout   is 0, not 5s
          ! rows          4 of 5 missing
              users: id = 3, name = Eve   users: name is null
              users: name = Ada, age = 3   there is no column age
              orders: id = 1   there is no table orders
      ✓ told                   1 row  TIME
          columns     users.name users.created users.tags users.amount users.age users.mail users.FirstName orders.id orders.total orders.state "User".firstName
          triggers    users.asleep users.never orders.t
          rows        users: id = 3, name = Eve; users: name = Ada, age = 3; users: name is null; orders: id = 1
          extensions  1
          items       50

    Done in TIME.
    "#);
}
