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
