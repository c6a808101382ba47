//! What is put back is byte for byte what it was: every type, every kind of table.

use crate::captured::{Fix, Table, family, indirect, own, to_file, undo};
use crate::test::Test;

/// Does a fix and undoes it, by the journal and by a file: the tables are what they were.
#[track_caller]
fn there_and_back(setup: &str, sql: &str, tables: &[Table]) -> Test {
    let mut last = None;
    for local in [false, true] {
        let test = Test::sql(setup);
        let contents = |test: &Test| {
            let all = test.contents();
            let own = all.lines().filter(|line| !line.starts_with("runbook."));
            own.map(str::to_owned).collect::<Vec<_>>()
        };
        let before = contents(&test);
        Fix::new("aaaaaa", sql, tables).apply(&test);
        assert_ne!(contents(&test), before);
        if local {
            to_file(&test, "aaaaaa");
            let restored = crate::restore::undo_local(&test, "aaaaaa").unwrap();
            assert_eq!(restored.conflicts, []);
        } else {
            let restored = undo(&test, "aaaaaa").unwrap();
            assert_eq!(restored.conflicts, []);
        }
        assert_eq!(contents(&test), before);
        last = Some(test);
    }
    last.unwrap()
}

/// A value of each type that is hard to keep, and another one.
const VALUES: &[(&str, &str, &str)] = &[
    ("bool", "true", "false"),
    ("smallint", "-32768", "1"),
    ("bigint", "9223372036854775807", "1"),
    ("numeric", "1.500", "2"),
    ("numeric", "'NaN'", "'1e-30'"),
    ("numeric(12,4)", "12345678.9", "0"),
    ("real", "'-0'", "0"),
    ("real", "1.1", "'Infinity'"),
    ("double precision", "0.1::float8 + 0.2::float8", "'NaN'"),
    ("money", "1234.56", "-1"),
    ("char(5)", "'a'", "''"),
    ("varchar(5)", "'a  '", "NULL"),
    ("text", "''", "NULL"),
    ("text", "E'a\\n\\t\\\\ \"q\" ,()''{} ä 😀 \\x7f'", "'NULL'"),
    ("\"char\"", "'x'", "'y'"),
    ("name", "'n'", "'m'"),
    ("bytea", "'\\x00ff5c27'", "''"),
    ("date", "'infinity'", "'0044-03-15 BC'"),
    ("time", "'24:00'", "'00:00'"),
    ("timetz", "'12:00:00.123456+05:45'", "'00:00+00'"),
    ("timestamp", "'-infinity'", "'2024-02-29 12:00:00.000001'"),
    (
        "timestamptz",
        "'2024-02-29 12:00:00.000001+05:45'",
        "'infinity'",
    ),
    ("interval", "'1 mon -3 days 04:05:06.7'", "'-1 year 2 mons'"),
    (
        "json",
        "'{\"a\": 1,  \"a\": 2, \"b\":[1.0, 1.00]}'",
        "'null'",
    ),
    ("jsonb", "'{\"b\": 1.00, \"a\": \"\\u00e4\"}'", "NULL"),
    ("xml", "'<a b=\"1\">x&amp;y</a>'", "'<z/>'"),
    ("uuid", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "NULL"),
    ("inet", "'192.168.0.1/24'", "'::1'"),
    ("cidr", "'10.0.0.0/8'", "'2001:db8::/32'"),
    ("macaddr8", "'08:00:2b:01:02:03:04:05'", "NULL"),
    ("bit(5)", "B'10101'", "B'00000'"),
    ("varbit", "B''", "B'1'"),
    ("tsvector", "'a:1A ''it''''s'':2 b:3'", "''"),
    ("tsquery", "'a & !b <-> c'", "'x'"),
    ("point", "'(0.1,-0)'", "'(1,1)'"),
    ("polygon", "'((0,0),(1,0),(1,1))'", "NULL"),
    ("path", "'[(0,0),(1,1)]'", "'((0,0),(1,1))'"),
    ("circle", "'<(0,0),1.5>'", "NULL"),
    ("int4range", "'empty'", "'[1,)'"),
    ("numrange", "'(1.0,2.00]'", "'(,)'"),
    ("tstzrange", "'[2024-01-01 00:00+00,infinity)'", "NULL"),
    ("int[]", "'[-1:1]={1,NULL,3}'", "'{}'"),
    ("text[]", "ARRAY['', 'NULL', NULL, E'a\"\\\\,{}']", "NULL"),
    ("text[]", "'{{a,b},{c,d}}'", "'{}'"),
    ("oid", "4294967295", "0"),
    ("regclass", "'pg_class'", "'pg_type'"),
    ("pg_lsn", "'16/B374D848'", "'0/0'"),
    ("xid8", "'42'", "'43'"),
    ("jsonpath", "'$.a[*] ? (@ > 1)'", "'$'"),
    ("mood", "'so so'", "'Sad, \"very\"'"),
    ("mood[]", "ARRAY['so so', NULL]::mood[]", "'{}'"),
    ("positive", "5", "6"),
    ("pair", "ROW('a,\"b\"', NULL, '{1,2}')", "ROW('', 1, NULL)"),
    ("pair[]", "ARRAY[ROW('x', 1, '{}')::pair, NULL]", "'{}'"),
    ("pair", "ROW(NULL, NULL, NULL)", "NULL"),
    ("hstore", "'a=>1, \"b c\"=>NULL, d=>\"\"'", "''"),
    ("citext", "'MiXed'", "'mixed'"),
    ("shelf.ranged", "'[a,b)'", "'empty'"),
];

const TYPES: &str = "CREATE EXTENSION hstore; CREATE EXTENSION citext; CREATE SCHEMA shelf; \
    CREATE TYPE mood AS ENUM ('so so', 'Sad, \"very\"'); CREATE DOMAIN positive AS int CHECK (VALUE > 0); \
    CREATE TYPE pair AS (a text, \"B c\" int, d int[]); CREATE TYPE shelf.ranged AS RANGE (subtype = text);";

pub(crate) fn typed() -> (String, String) {
    let (mut columns, mut first, mut second) = (Vec::new(), Vec::new(), Vec::new());
    for (index, (kind, value, other)) in VALUES.iter().enumerate() {
        columns.push(format!("c{index} {kind}"));
        first.push(*value);
        second.push(*other);
    }
    let first = first.join(", ");
    let setup = format!(
        "{TYPES} CREATE TABLE typed (id int PRIMARY KEY, {}); \
         INSERT INTO typed VALUES (1, {first}); INSERT INTO typed VALUES (2, {}); INSERT INTO typed (id) VALUES (3)",
        columns.join(", "),
        second.join(", ")
    );
    let set: Vec<String> = VALUES
        .iter()
        .enumerate()
        .map(|(index, (_, _, other))| format!("c{index} = {other}"))
        .collect();
    (
        setup,
        format!("UPDATE typed SET {} WHERE id <> 2", set.join(", ")),
    )
}

#[test]
fn case_23_every_type_is_byte_for_byte_what_it_was_after_an_update() {
    let (setup, update) = typed();
    there_and_back(&setup, &update, &[own("public.typed", "id")]);
}

#[test]
fn case_23_every_type_is_byte_for_byte_what_it_was_after_a_delete() {
    let (setup, _) = typed();
    there_and_back(&setup, "DELETE FROM typed", &[own("public.typed", "id")]);
}

#[test]
fn case_24_identity_and_generated_columns_are_exact() {
    let setup = "CREATE TABLE made (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, other int GENERATED BY DEFAULT AS IDENTITY, \
                   word text, shout text GENERATED ALWAYS AS (upper(word)) STORED); \
                 INSERT INTO made (word) VALUES ('a'), ('b'), (NULL)";
    let table = || [own("public.made", "id")];
    there_and_back(setup, "DELETE FROM made WHERE id < 3", &table());
    there_and_back(
        setup,
        "UPDATE made SET word = word || 'x', other = 7",
        &table(),
    );
    there_and_back(
        setup,
        "INSERT INTO made (word) VALUES ('new'), ('newer')",
        &table(),
    );
}

#[test]
fn case_24_partitions_are_exact_even_where_rows_moved() {
    let setup = "CREATE TABLE parts (region text, id int, v int, PRIMARY KEY (region, id), spare int) PARTITION BY RANGE (id); \
                 CREATE TABLE parts_low PARTITION OF parts FOR VALUES FROM (0) TO (10); \
                 CREATE TABLE parts_high PARTITION OF parts FOR VALUES FROM (10) TO (20) PARTITION BY LIST (region); \
                 CREATE TABLE parts_high_a PARTITION OF parts_high FOR VALUES IN ('a'); \
                 CREATE TABLE parts_high_b PARTITION OF parts_high FOR VALUES IN ('b'); \
                 INSERT INTO parts SELECT r, n, n, NULL FROM unnest(ARRAY['a', 'b']) r, generate_series(1, 19, 3) n";
    let table = || [family("public.parts", "region, id")];
    there_and_back(setup, "UPDATE parts SET v = v + 1", &table());
    there_and_back(setup, "DELETE FROM parts WHERE region = 'a'", &table());
    there_and_back(
        setup,
        "INSERT INTO parts VALUES ('b', 12, 1), ('a', 2, 1)",
        &table(),
    );
    let moving = "CREATE TABLE moving (id int, state text, PRIMARY KEY (id, state), kind text) PARTITION BY LIST (state); \
                  CREATE TABLE moving_a PARTITION OF moving FOR VALUES IN ('a'); CREATE TABLE moving_b PARTITION OF moving FOR VALUES IN ('b'); \
                  INSERT INTO moving SELECT n, 'a', 'k' FROM generate_series(1, 5) n";
    there_and_back(
        moving,
        "UPDATE moving SET state = 'b' WHERE id < 4",
        &[family("public.moving", "id, state")],
    );
}

#[test]
fn case_24_rows_that_inherit_are_exact() {
    let setup = "CREATE TABLE base (id int PRIMARY KEY, v int); CREATE TABLE derived (extra text, PRIMARY KEY (id)) INHERITS (base); \
                 INSERT INTO base VALUES (1, 1), (2, 2); INSERT INTO derived VALUES (3, 3, 'x'), (4, 4, NULL)";
    there_and_back(
        setup,
        "UPDATE base SET v = v * 10",
        &[family("public.base", "id")],
    );
    let each = || [own("public.base", "id"), own("public.derived", "id")];
    there_and_back(setup, "DELETE FROM base", &each());
    there_and_back(setup, "UPDATE base SET v = v * 10", &each());
    there_and_back(setup, "DELETE FROM ONLY base", &[own("public.base", "id")]);
}

#[test]
fn case_42_quoted_names_and_keys_of_several_columns() {
    let setup = "CREATE SCHEMA \"My shop\"; CREATE TABLE \"My shop\".\"Order \"\"x\"\"\" (\"Id\" int, t text, \"sel,ect\" text, n int, PRIMARY KEY (t, \"Id\")); \
                 INSERT INTO \"My shop\".\"Order \"\"x\"\"\" VALUES (1, 'a', 'x', 1), (1, 'b,\"c\"', 'y', 2), (2, '', NULL, NULL)";
    let table = || [own("\"My shop\".\"Order \"\"x\"\"\"", "t, \"Id\"")];
    let sql =
        "UPDATE \"My shop\".\"Order \"\"x\"\"\" SET \"sel,ect\" = 'z', n = coalesce(n, 0) + 1";
    there_and_back(setup, sql, &table());
    there_and_back(
        setup,
        "DELETE FROM \"My shop\".\"Order \"\"x\"\"\"",
        &table(),
    );
}

#[test]
fn rows_that_refer_to_each_other_come_back_together() {
    let setup = "CREATE TABLE people (id int PRIMARY KEY, boss int REFERENCES people ON DELETE CASCADE); \
                 INSERT INTO people VALUES (1, NULL), (2, 1), (3, 2), (4, 1), (5, 5), (6, NULL)";
    there_and_back(
        setup,
        "DELETE FROM people WHERE id IN (1, 2, 3, 4, 5)",
        &[own("public.people", "id")],
    );
}

#[test]
fn what_a_cascade_took_comes_back_parents_first() {
    let setup = "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE z (id int PRIMARY KEY, a int NOT NULL REFERENCES a ON DELETE CASCADE); \
                 CREATE TABLE b (id int PRIMARY KEY, z int NOT NULL REFERENCES z ON DELETE CASCADE); \
                 CREATE TABLE loose (id int PRIMARY KEY, a int REFERENCES a ON DELETE SET NULL); \
                 INSERT INTO a VALUES (1), (2); INSERT INTO z VALUES (1, 1), (2, 1), (3, 2); \
                 INSERT INTO b SELECT n, n % 3 + 1 FROM generate_series(1, 9) n; INSERT INTO loose VALUES (1, 1), (2, 2)";
    let tables = [
        indirect("public.b", "id"),
        own("public.a", "id"),
        indirect("public.loose", "id"),
        indirect("public.z", "id"),
    ];
    there_and_back(setup, "DELETE FROM a WHERE id = 1", &tables);
}

#[test]
fn what_triggers_put_right_by_themselves_is_left_to_them() {
    let setup = "CREATE TABLE items (id int PRIMARY KEY, n int); CREATE TABLE totals (one bool PRIMARY KEY, total int); \
                 INSERT INTO items VALUES (1, 1), (2, 2); INSERT INTO totals VALUES (true, 3); \
                 CREATE FUNCTION add_up() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN UPDATE totals SET total = (SELECT coalesce(sum(n), 0) FROM items); RETURN NULL; END$$; \
                 CREATE TRIGGER add_up AFTER INSERT OR UPDATE OR DELETE ON items FOR EACH ROW EXECUTE FUNCTION add_up()";
    let tables = || [own("public.items", "id"), indirect("public.totals", "one")];
    there_and_back(setup, "UPDATE items SET n = n + 5", &tables());
    there_and_back(
        setup,
        "INSERT INTO items VALUES (3, 30), (4, 40)",
        &tables(),
    );
    there_and_back(setup, "DELETE FROM items", &tables());
}
