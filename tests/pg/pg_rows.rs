//! Rows have the texts and hashes that the server gives them.

use futures_util::TryStreamExt as _;
use proptest::prelude::{Strategy, any};
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use runbook::archive::row::{Tally, hash_extended, line_of};
use runbook::pg::connect::Connected;
use runbook::pg::scratch::ScratchOptions;

use crate::support::{connect, start, text};

/// Characters that something escapes, doubles or quotes, beside any others.
const SPECIAL: &str =
    "\\\"(),. \t\n\r\u{8}\u{b}\u{c}\u{1}\u{7f}\u{85}\u{a0}\u{2028}bfnrtvN'{}éü漢😀";

fn texts(length: std::ops::Range<usize>, count: usize) -> Vec<String> {
    let special: Vec<char> = SPECIAL.chars().collect();
    let letter = proptest::prop_oneof![
        any::<char>(),
        proptest::char::range(' ', '~'),
        proptest::sample::select(special),
    ]
    .prop_map(|letter| if letter == '\0' { ' ' } else { letter });
    let text = proptest::collection::vec(letter, length)
        .prop_map(|letters| letters.into_iter().collect::<String>());
    let mut runner = TestRunner::deterministic();
    (0..count)
        .map(|_| text.new_tree(&mut runner).unwrap().current())
        .collect()
}

#[tokio::test]
async fn texts_have_the_hashes_of_the_server() {
    let server = start(ScratchOptions::default()).await;
    let connected = connect(&server.url("postgres")).await.unwrap();
    let mut texts = texts(0..40, 3000);
    for length in 0..=100 {
        texts.push("x".repeat(length));
        texts.push("é".repeat(length));
        texts.push(format!("{}😀", "y".repeat(length)));
    }
    for seed in [0_u64, 1, 0xffff_ffff, 0x0123_4567_89ab_cdef, u64::MAX] {
        let query = "SELECT hashtextextended(t, $2) FROM unnest($1::text[]) WITH ORDINALITY AS u(t, n) ORDER BY n";
        let rows = connected
            .client
            .query(query, &[&texts, &seed.cast_signed()])
            .await
            .unwrap();
        assert_eq!(rows.len(), texts.len());
        for (row, text) in rows.iter().zip(&texts) {
            let expected: i64 = row.get(0);
            assert_eq!(
                hash_extended(text.as_bytes(), seed),
                expected,
                "{text:?} with {seed}"
            );
        }
    }
}

async fn copied(connected: &Connected, query: &str) -> Vec<u8> {
    let stream = connected.client.copy_out(query).await.unwrap();
    let chunks: Vec<_> = stream.try_collect().await.unwrap();
    chunks.concat()
}

#[tokio::test]
async fn lines_are_the_records_of_the_server_and_back() {
    let server = start(ScratchOptions::default()).await;
    let connected = connect(&server.url("postgres")).await.unwrap();
    let client = &connected.client;
    client
        .batch_execute("CREATE TABLE t (n serial, a text, b text, c text[], d bytea, e float8)")
        .await
        .unwrap();
    let texts = texts(0..12, 4000);
    let fill = "INSERT INTO t (a, b, c, d, e) \
                SELECT t, CASE WHEN n % 3 = 0 THEN NULL ELSE reverse(t) END, \
                       CASE WHEN n % 2 = 0 THEN ARRAY[t, NULL, t || '\"'] END, \
                       convert_to(t, 'UTF8'), sqrt(n) \
                FROM unnest($1::text[]) WITH ORDINALITY AS u(t, n)";
    client.execute(fill, &[&texts]).await.unwrap();

    let copied = copied(
        &connected,
        "COPY (SELECT a, b, c, d, e, n FROM t ORDER BY n) TO STDOUT",
    )
    .await;
    let lines: Vec<&[u8]> = copied
        .strip_suffix(b"\n")
        .unwrap()
        .split(|byte| *byte == b'\n')
        .collect();
    let records = client
        .query("SELECT ROW(a, b, c, d, e, n)::text FROM t ORDER BY n", &[])
        .await
        .unwrap();
    assert_eq!(lines.len(), records.len());
    for (line, row) in lines.iter().zip(&records) {
        let expected: &str = row.get(0);
        assert_eq!(line_of(expected).as_deref(), Some(*line), "{expected:?}");
    }

    let query = format!(
        "SELECT {} FROM t",
        Tally::sql(&["a", "b", "c", "d", "e", "n"])
    );
    let row = client.query_one(&query, &[]).await.unwrap();
    let mut tally = Tally::default();
    tally.add_lines(&copied);
    assert_eq!(Tally::read(row.get(0), row.get(1)), Some(tally));
}

#[tokio::test]
async fn rows_of_one_null_one_empty_text_and_no_column_are_told_apart() {
    let server = start(ScratchOptions::default()).await;
    let connected = connect(&server.url("postgres")).await.unwrap();
    for values in ["(NULL::text), (NULL)", "(''), ('')", "('\\N'), ('\\.')"] {
        let from = format!("(VALUES {values}) AS v(a)");
        let copied = copied(
            &connected,
            &format!("COPY (SELECT a FROM {from}) TO STDOUT"),
        )
        .await;
        let query = format!("SELECT {} FROM {from}", Tally::sql(&["a"]));
        let row = connected.client.query_one(&query, &[]).await.unwrap();
        let mut tally = Tally::default();
        tally.add_lines(&copied);
        assert_eq!(Tally::read(row.get(0), row.get(1)), Some(tally), "{values}");
    }
    let none = "CREATE TABLE none (); INSERT INTO none DEFAULT VALUES";
    connected.client.batch_execute(none).await.unwrap();
    let mut tally = Tally::default();
    tally.add_lines(&copied(&connected, "COPY none TO STDOUT").await);
    let query = format!("SELECT {} FROM none", Tally::sql::<&str>(&[]));
    let row = connected.client.query_one(&query, &[]).await.unwrap();
    assert_eq!(Tally::read(row.get(0), row.get(1)), Some(tally));
    assert_eq!(
        text(&connected, "SELECT count(*)::text FROM none").await,
        "1"
    );
}

#[tokio::test]
async fn rows_of_many_columns_have_the_hash_of_the_server() {
    let server = start(ScratchOptions::default()).await;
    let connected = connect(&server.url("postgres")).await.unwrap();
    for count in [47, 48, 49, 89, 90, 91, 180, 181, 300] {
        let names: Vec<String> = (0..count).map(|at| format!("c{at}")).collect();
        let kinds: Vec<String> = names
            .iter()
            .map(|name| format!("{name} point_of_two"))
            .collect();
        let value = |row: usize, at: usize| match (row + at) % 4 {
            0 => "NULL".to_owned(),
            // A value, though all that is in it is NULL.
            1 => "ROW(NULL, NULL)::point_of_two".to_owned(),
            other => format!("ROW({row}, 'a\t{other}')::point_of_two"),
        };
        let rows: Vec<String> = (0..5)
            .map(|row| {
                let values: Vec<String> = (0..count).map(|at| value(row, at)).collect();
                format!("({})", values.join(", "))
            })
            .collect();
        let setup = format!(
            "DROP TABLE IF EXISTS wide; DROP TYPE IF EXISTS point_of_two; \
             CREATE TYPE point_of_two AS (x int, y text); CREATE TABLE wide ({}); INSERT INTO wide VALUES {}, ({})",
            kinds.join(", "),
            rows.join(", "),
            vec!["NULL"; count].join(", ")
        );
        connected.client.batch_execute(&setup).await.unwrap();
        let mut tally = Tally::default();
        tally.add_lines(&copied(&connected, "COPY wide TO STDOUT").await);
        let query = format!("SELECT {} FROM wide", Tally::sql(&names));
        let row = connected.client.query_one(&query, &[]).await.unwrap();
        assert_eq!(Tally::read(row.get(0), row.get(1)), Some(tally), "{count}");
    }
}
