//! Values of every type: exactly as PostgreSQL prints them, through a query and back through a bind.

use insta::assert_snapshot;

use crate::test::Test;

/// Every type with values that other programs lose something of.
const TYPES: [(&str, &[&str]); 44] = [
    ("boolean", &["t"]),
    ("smallint", &["-32768"]),
    ("integer", &["2147483647"]),
    ("bigint", &["-9223372036854775808"]),
    ("real", &["1.1", "NaN", "-Infinity", "1e-45"]),
    (
        "double precision",
        &["0.1", "1.7976931348623157e+308", "NaN", "Infinity", "-0"],
    ),
    (
        "numeric",
        &[
            "1234567890123456789012345678901234567.890",
            "0.000000000000000000000000000000000000001",
            "NaN",
            "Infinity",
            "1.10",
        ],
    ),
    ("numeric(12,4)", &["0.5000"]),
    ("money", &["$1,234.56"]),
    (
        "text",
        &["it's \"x\" \\ , (a) {b}", "", " ", "null", "é🐘\n\t"],
    ),
    ("varchar(5)", &["ab   "]),
    ("char(5)", &["ab   "]),
    ("\"char\"", &["x"]),
    ("name", &["Some Name"]),
    ("bytea", &["\\x00ff5c27", "\\x"]),
    ("date", &["2026-02-28", "infinity", "0044-03-15 BC"]),
    ("time", &["23:59:59.999999", "24:00:00"]),
    ("timetz", &["12:00:00.5+05:30"]),
    ("timestamp", &["2026-11-02 08:14:03.000001", "-infinity"]),
    (
        "timestamptz",
        &[
            "2026-11-02 08:14:03.123456+00",
            "infinity",
            "0001-01-01 00:00:00+00 BC",
        ],
    ),
    (
        "interval",
        &[
            "1 year 2 mons 3 days 04:05:06.789",
            "-1 days +02:03:04",
            "00:00:00",
        ],
    ),
    ("uuid", &["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"]),
    (
        "json",
        &["{\"a\": 1,  \"a\": 2, \"b\":[1.0,null]}", "1e400", "\"x\""],
    ),
    (
        "jsonb",
        &["{\"a\": 2, \"b\": [1.0, null, 12345678901234567890.1]}"],
    ),
    ("xml", &["<a b=\"c\">d &amp; e</a>"]),
    ("inet", &["192.168.0.1/24", "::1"]),
    ("cidr", &["10.0.0.0/8"]),
    ("macaddr", &["08:00:2b:01:02:03"]),
    ("bit(4)", &["0101"]),
    ("bit varying", &["101", ""]),
    ("point", &["(1.5,-2)"]),
    ("box", &["(2,2),(1,1)"]),
    ("tsvector", &["'a':1 'b c':2"]),
    ("tsquery", &["'a' & !'b'"]),
    ("int4range", &["[1,10)", "empty", "(,5)"]),
    ("tstzrange", &["[\"2026-01-01 00:00:00+00\",)"]),
    ("int4multirange", &["{[1,3),[5,9)}"]),
    (
        "integer[]",
        &["{1,NULL,3}", "{{1,2},{3,4}}", "[0:1]={7,8}", "{}"],
    ),
    ("text[]", &["{a,\"b,c\",\"\\\"q\\\"\",NULL,\"NULL\",\"\"}"]),
    ("mood", &["so so"]),
    ("pair", &["(1,\"a, (b)\")", "(,)"]),
    ("positive", &["7"]),
    ("pg_lsn", &["16/B374D848"]),
    ("oid", &["4294967295"]),
];

const MADE: &str = "CREATE TYPE mood AS ENUM ('sad', 'so so'); CREATE TYPE pair AS (n int, t text); CREATE DOMAIN positive AS int CHECK (VALUE > 0)";

fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[test]
fn case_23_every_type_is_printed_and_bound_exactly() {
    use std::fmt::Write as _;
    let test = Test::sql(MADE);
    let (mut setup, mut steps) = (String::new(), String::new());
    let mut expected = Vec::new();
    let (mut columns, mut copied) = (Vec::new(), Vec::new());
    for (kind, values) in TYPES {
        for value in values.iter().map(Some).chain([None]) {
            let column = format!("c{}", columns.len());
            let literal = value.map_or("NULL".to_owned(), |value| quote(value));
            writeln!(setup, "ALTER TABLE kept ADD {column} {kind}; UPDATE kept SET {column} = {literal} WHERE id = 1;").unwrap();
            copied.push(format!("{{{{ one.{column} }}}}"));
            expected.push(value.map(|value| (*value).to_owned()));
            columns.push(column);
        }
    }
    test.connect().run(&format!(
        "CREATE TABLE kept (id int PRIMARY KEY); INSERT INTO kept VALUES (1); {setup}"
    ));
    writeln!(
        steps,
        "- query: one\n  show: record\n  rows: 1\n  sql: SELECT {} FROM kept WHERE id = 1",
        columns.join(", ")
    )
    .unwrap();
    writeln!(
        steps,
        "- confirm: go\n  ask: Go?\n- fix: copied\n  sql: INSERT INTO kept (id, {}) VALUES (2, {})",
        columns.join(", "),
        copied.join(", ")
    )
    .unwrap();
    steps.push_str("- check: same\n  sql: SELECT count(*) AS n FROM kept a JOIN kept b ON a.id = 1 AND b.id = 2 AND substr(a::text, 3) = substr(b::text, 3)\n  that: n == 1\n");
    let test = test.steps(&steps);
    let ran = test.run("run t --yes --output json").code(0);
    // What the query told is what the server prints.
    let told = ran
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .find(|event| {
            event
                .pointer("/result/kind")
                .is_some_and(|kind| kind == "query")
        })
        .unwrap();
    let row = &told["result"]["rows"]["rows"][0];
    for (index, expected) in expected.iter().enumerate() {
        let value = row[index].as_str().map(str::to_owned);
        assert_eq!(&value, expected, "column {index}");
    }
}

#[test]
fn case_23_a_changed_row_shows_the_exact_texts() {
    let test = Test::sql(&format!(
        "{MADE}; CREATE TABLE kept (id int PRIMARY KEY, doc json, tags text[], span int4range, feel mood, two pair, raw bytea, fixed char(4), big numeric); \
         INSERT INTO kept VALUES (1, '{{\"a\": 1, \"a\": 2}}', '{{a,\"b c\"}}', '[1,5)', 'sad', '(1,x)', '\\x00', 'ab', 0.10)"
    ))
    .fix(
        r#"
        sql: |
          UPDATE kept SET doc = '{"z":1,  "z": null}', tags = '{"x,y",NULL}', span = 'empty', feel = 'so so', two = '(2,"y, z")',
                 raw = '\xdeadbeef', fixed = 'abc', big = 12345678901234567890123456789012345678.90 WHERE id = 1
        rows: 1
        "#,
    );
    assert_snapshot!(test.run("run t --yes"), @r#"
    exit 0
    --- stdout
    Test  run RUN · postgres@SERVER:5432/DB · medium risk

      ? go
          f changes 1 row of kept
            kept  1  doc    {"a": 1, "a": 2} → {"z":1,  "z": null}
                     tags   {a,"b c"} → {"x,y",NULL}
                     span   [1,5) → empty
                     feel   sad → so so
                     two    (1,x) → (2,"y, z")
                     raw    \x00 → \xdeadbeef
                     fixed  ab   → abc 
                     big    0.10 → 12345678901234567890123456789012345678.90
          Go?
          ✓ yes · postgres (USER@HOST) by --yes
      ✓ f                      1 row changed, committed  TIME
      ✓ after                  passed  TIME

    Done in TIME. Undo with: runbook undo RUN
    "#);
}

#[test]
fn case_23_an_extensions_type_is_exact() {
    let test = Test::sql("SELECT 1");
    if test.rows("SELECT count(*) FROM pg_available_extensions WHERE name = 'hstore'") == "0" {
        return;
    }
    test.connect().run(
        "CREATE EXTENSION hstore; CREATE TABLE kept (id int PRIMARY KEY, h hstore); INSERT INTO kept VALUES (1, 'a=>1, b=>NULL, \"c d\"=>\"x\\\"y\"')",
    );
    let test = test.steps(
        "
        - query: one
          sql: SELECT h FROM kept WHERE id = 1
          rows: 1
        - confirm: go
          ask: Go?
        - fix: copied
          sql: INSERT INTO kept VALUES (2, {{ one.h }})
        - check: same
          sql: SELECT count(DISTINCT h::text) AS n FROM kept
          that: n == 1
        ",
    );
    test.run("run t --yes").code(0);
}
