//! What a run captures is what undo puts back: the real capture, the real journal, the real undo.

use runbook::engine::journal::Terms;
use runbook::engine::port::Close;
use runbook::step::rollback::OnConflict;

use crate::captured::undo_in;
use crate::session::{block_on, bound, connect, entry, limits, terms};
use crate::test::Test;

/// Does the statements in one recorded transaction and undoes it: the tables are what they were.
#[track_caller]
fn there_and_back(setup: &str, statements: &[&str], tables: Option<&[&str]>, rows: u64) {
    let test = Test::sql(setup);
    let contents = || {
        let all = test.contents();
        let own = all.lines().filter(|line| !line.starts_with("runbook."));
        own.map(str::to_owned).collect::<Vec<_>>()
    };
    let before = contents();
    block_on(async {
        let mut session = connect(&test.db.url(), "aaaaaa").await;
        let terms = Terms {
            tables: tables.map(|tables| tables.iter().map(|&table| table.to_owned()).collect()),
            ..terms()
        };
        let entry = entry("aaaaaa", 0);
        session.open();
        session.record(&entry, &limits()).await.unwrap();
        for statement in statements {
            session
                .change(&bound(statement), &terms, &limits())
                .await
                .unwrap();
        }
        session.close(Close::Commit, &limits()).await.unwrap();
    });
    assert_ne!(contents(), before);
    block_on(async {
        let mut session = connect(&test.db.url(), "undoer").await;
        let entry = entry("aaaaaa", 0);
        let restored = undo_in(&mut session, &entry, None, OnConflict::Stop)
            .await
            .unwrap();
        assert_eq!(
            (restored.conflicts.as_slice(), restored.rows),
            (&[][..], rows)
        );
    });
    assert_eq!(contents(), before);
}

const SHOP: &str = "CREATE TABLE users (id int PRIMARY KEY, name text, boss int REFERENCES users ON DELETE CASCADE); \
    CREATE TABLE orders (id int PRIMARY KEY, owner int NOT NULL REFERENCES users ON DELETE CASCADE, total numeric); \
    CREATE TABLE notes (id int PRIMARY KEY, about int REFERENCES orders ON DELETE SET NULL, body json); \
    INSERT INTO users SELECT n, 'user ' || n, nullif(n / 3, 0) FROM generate_series(1, 12) n; \
    INSERT INTO orders SELECT n, n % 12 + 1, n * 1.50 FROM generate_series(1, 40) n; \
    INSERT INTO notes SELECT n, n, '{\"a\": 1,  \"a\": 2}' FROM generate_series(1, 40) n";

#[test]
fn case_20_an_update_is_there_and_back() {
    there_and_back(
        SHOP,
        &["UPDATE orders SET total = total * 2 WHERE owner < 5"],
        None,
        15,
    );
}

#[test]
fn a_delete_with_all_its_cascades_is_there_and_back() {
    let tables = ["users", "orders", "notes"];
    there_and_back(
        SHOP,
        &["DELETE FROM orders WHERE id <= 4"],
        Some(&tables),
        8,
    );
    there_and_back(SHOP, &["DELETE FROM users WHERE id = 1"], Some(&tables), 62);
}

#[test]
fn several_statements_are_there_and_back() {
    let statements = [
        "INSERT INTO users VALUES (50, 'new', 1), (51, 'newer', NULL)",
        "UPDATE orders SET owner = 50 WHERE owner = 12",
        "UPDATE orders SET total = 0 WHERE owner = 50",
        "DELETE FROM notes WHERE about IN (SELECT id FROM orders WHERE owner = 50)",
        "UPDATE users SET name = upper(name) WHERE id >= 50",
    ];
    there_and_back(SHOP, &statements, None, 8);
}

#[test]
fn case_24_families_of_tables_are_there_and_back() {
    let parts = "CREATE TABLE parts (id int, state text, v int, PRIMARY KEY (id, state)) PARTITION BY LIST (state); \
        CREATE TABLE parts_a PARTITION OF parts FOR VALUES IN ('a'); CREATE TABLE parts_b PARTITION OF parts FOR VALUES IN ('b'); \
        INSERT INTO parts SELECT n, CASE n % 2 WHEN 0 THEN 'a' ELSE 'b' END, n FROM generate_series(1, 10) n";
    there_and_back(parts, &["UPDATE parts SET v = -v WHERE id > 2"], None, 8);
    there_and_back(parts, &["DELETE FROM parts WHERE id > 2"], None, 8);
    let tree = "CREATE TABLE base (id int PRIMARY KEY, v int); CREATE TABLE derived (extra text, PRIMARY KEY (id)) INHERITS (base); \
        INSERT INTO base VALUES (1, 1), (2, 2); INSERT INTO derived VALUES (3, 3, 'x'), (4, 4, NULL)";
    there_and_back(tree, &["UPDATE base SET v = v * 10"], None, 4);
    there_and_back(tree, &["DELETE FROM base WHERE id <> 1"], None, 3);
}

#[test]
fn case_30_a_hundred_thousand_rows_are_there_and_back() {
    let setup = "CREATE TABLE big (id int PRIMARY KEY, a int, b text); INSERT INTO big SELECT n, n, 'row ' || n FROM generate_series(1, 100000) n";
    there_and_back(setup, &["UPDATE big SET a = a + 1"], None, 100_000);
}
