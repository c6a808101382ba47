//! Putting rows back: what someone changed since is never overwritten, and nothing else changes.

use insta::assert_snapshot;
use runbook::engine::conflict::Restored;
use runbook::engine::failure::Failure;
use runbook::pg::session::journal::Keeping;
use runbook::runbook::model::StepId;
use runbook::step::rollback::OnConflict;

use crate::captured::{Fix, changes, conflicts, indirect, own, undo, undo_by, undo_in};
use crate::session::{block_on, connect, connect_keeping, entry, limits, words};
use crate::test::Test;

const USERS: &str = "CREATE TABLE users (id int PRIMARY KEY, name text, plan text, updated_at timestamptz DEFAULT '2020-01-01 00:00+00'); \
    INSERT INTO users SELECT n, 'user ' || n, 'free' FROM generate_series(1, 5) n";

const ROWS: &str = "SELECT string_agg(id || ' ' || coalesce(name, '-') || ' ' || plan, ', ' ORDER BY id) FROM users";

const PAID: &str = "UPDATE users SET plan = 'paid', name = upper(name) WHERE id <= 3";

/// Puts back what a target without a schema keeps in files.
pub(crate) fn undo_local(test: &Test, run: &str) -> Result<Restored, Failure> {
    block_on(async {
        let keeping = Keeping::Local(test.root().to_owned());
        let mut session = connect_keeping(&test.db.url(), "undoer", keeping).await;
        undo_in(&mut session, &entry(run, 0), None, OnConflict::Stop).await
    })
}

fn paid() -> Test {
    let test = Test::sql(USERS);
    Fix::new("aaaaaa", PAID, &[own("public.users", "id")]).apply(&test);
    test
}

#[test]
fn what_was_put_back_is_told() {
    let test = paid();
    let restored = undo(&test, "aaaaaa").unwrap();
    assert_snapshot!(conflicts(&restored), @"3 rows back, 0 not");
    assert_snapshot!(changes(&restored), @"
    users: 0 inserted, 3 updated, 0 deleted
      Updated (1): name USER 1 → user 1, plan paid → free
      Updated (2): name USER 2 → user 2, plan paid → free
      Updated (3): name USER 3 → user 3, plan paid → free
    ");
    assert_snapshot!(test.rows(ROWS), @"1 user 1 free, 2 user 2 free, 3 user 3 free, 4 user 4 free, 5 user 5 free");
    assert_snapshot!(test.rows("SELECT run, step, undo, by_run, rows FROM runbook.entry WHERE run = 'aaaaaa' ORDER BY id"), @"
    aaaaaa | 0 | f | aaaaaa | null
    aaaaaa | 0 | t | undoer | 3
    ");
}

#[test]
fn case_20_a_row_edited_since_is_a_conflict_and_nothing_is_put_back() {
    let test = paid();
    test.connect()
        .run("UPDATE users SET plan = 'gold' WHERE id = 2");
    let before = test.contents();
    let restored = undo(&test, "aaaaaa").unwrap();
    assert_snapshot!(conflicts(&restored), @"
    0 rows back, 1 not
    Edited users (id) = (2)
      plan: then paid, now gold, back free
    ");
    assert!(restored.changes.tables.is_empty());
    assert_eq!(test.contents(), before);
}

#[test]
fn a_row_in_conflict_can_be_skipped() {
    let test = paid();
    test.connect()
        .run("UPDATE users SET plan = 'gold' WHERE id = 2");
    let restored = undo_by(&test, "aaaaaa", None, OnConflict::Skip).unwrap();
    assert_snapshot!(conflicts(&restored), @"
    2 rows back, 1 not
    Edited users (id) = (2)
      plan: then paid, now gold, back free
    ");
    assert_snapshot!(test.rows(ROWS), @"1 user 1 free, 2 USER 2 gold, 3 user 3 free, 4 user 4 free, 5 user 5 free");
}

#[test]
fn case_21_a_row_deleted_since_is_never_resurrected() {
    let test = paid();
    test.connect().run("DELETE FROM users WHERE id = 3");
    assert_snapshot!(conflicts(&undo(&test, "aaaaaa").unwrap()), @"
    0 rows back, 1 not
    Deleted users (id) = (3)
      name: then USER 3, now null, back user 3
      plan: then paid, now null, back free
    ");
    let restored = undo_by(&test, "aaaaaa", None, OnConflict::Skip).unwrap();
    assert_eq!((restored.rows, restored.conflicting), (2, 1));
    assert_snapshot!(test.rows(ROWS), @"1 user 1 free, 2 user 2 free, 4 user 4 free, 5 user 5 free");
}

#[test]
fn a_row_that_took_the_place_of_a_deleted_one_stays() {
    let test = Test::sql(USERS);
    Fix::new(
        "aaaaaa",
        "DELETE FROM users WHERE id <= 2",
        &[own("public.users", "id")],
    )
    .apply(&test);
    test.connect()
        .run("INSERT INTO users VALUES (1, 'someone', 'new')");
    assert_snapshot!(conflicts(&undo(&test, "aaaaaa").unwrap()), @"
    0 rows back, 1 not
    Exists users (id) = (1)
      name: then null, now someone, back user 1
      plan: then null, now new, back free
    ");
    undo_by(&test, "aaaaaa", None, OnConflict::Skip).unwrap();
    assert_snapshot!(test.rows(ROWS), @"1 someone new, 2 user 2 free, 3 user 3 free, 4 user 4 free, 5 user 5 free");
}

#[test]
fn case_22_other_columns_than_then_are_refused() {
    let change = |sql: &str| {
        let test = paid();
        test.connect().run(sql);
        let before = test.contents();
        let failure = undo(&test, "aaaaaa").unwrap_err();
        assert_eq!(test.contents(), before);
        words(&failure)
    };
    assert_snapshot!(change("ALTER TABLE users ADD \"Role, x\" numeric(5,2)"), @r#"
    Conflict: the rows of users cannot be put back: its columns are others than when they were changed
      note: column "Role, x" numeric(5,2) is new
      note: nothing was put back
      help: bring the columns back to what they were, or change the rows by a runbook of its own
    "#);
    assert_snapshot!(change("ALTER TABLE users DROP name; ALTER TABLE users ALTER plan TYPE varchar(10)"), @"
    Conflict: the rows of users cannot be put back: its columns are others than when they were changed
      note: column name is gone
      note: column plan was text, and is character varying(10) now
      note: nothing was put back
      help: bring the columns back to what they were, or change the rows by a runbook of its own
    ");
    assert_snapshot!(change("DROP TABLE users"), @"
    Conflict: the rows of public.users cannot be put back: the table is gone
      note: nothing was put back
      help: make the table as it was, then try it again; or restore a backup
    ");
}

#[test]
fn case_25_an_inserted_row_that_got_children_since_is_refused() {
    for (action, what) in [("CASCADE", "1 row deleted"), ("SET NULL", "1 row updated")] {
        let test = Test::sql(&format!(
            "{USERS}; CREATE TABLE orders (id int PRIMARY KEY, owner int REFERENCES users ON DELETE {action})"
        ));
        Fix::new(
            "aaaaaa",
            "INSERT INTO users VALUES (9, 'new', 'free')",
            &[own("public.users", "id")],
        )
        .apply(&test);
        test.connect().run("INSERT INTO orders VALUES (1, 9)");
        let before = test.contents();
        let failure = undo(&test, "aaaaaa").unwrap_err();
        assert_eq!(test.contents(), before);
        assert_eq!(
            failure.message,
            format!("putting the rows back would change orders too: {what}")
        );
        test.connect().run("DELETE FROM orders");
        assert_eq!(undo(&test, "aaaaaa").unwrap().rows, 1);
    }
}

#[test]
fn case_25_newer_children_in_a_table_that_the_fix_changed_too_are_refused() {
    let test = Test::sql(&format!(
        "{USERS}; CREATE TABLE orders (id int PRIMARY KEY, owner int REFERENCES users ON DELETE CASCADE); \
         CREATE FUNCTION welcome() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO orders VALUES (NEW.id * 10, NEW.id); RETURN NULL; END$$; \
         CREATE TRIGGER welcome AFTER INSERT ON users FOR EACH ROW EXECUTE FUNCTION welcome()"
    ));
    let tables = [own("public.users", "id"), indirect("public.orders", "id")];
    Fix::new(
        "aaaaaa",
        "INSERT INTO users VALUES (9, 'new', 'free')",
        &tables,
    )
    .apply(&test);
    test.connect().run("INSERT INTO orders VALUES (91, 9)");
    let before = test.contents();
    assert_snapshot!(words(&undo(&test, "aaaaaa").unwrap_err()), @"
    Conflict: putting the rows back would change orders too: 1 row deleted
      note: by a cascade or a trigger; the fix did not change these rows, so they would be lost or altered; nothing was put back
      help: rows of orders that came since and point to what would go: delete them or point them elsewhere first
      help: where a trigger writes to orders on purpose, name it in the fix: `tables: […, orders]`
    ");
    assert_eq!(test.contents(), before);
    test.connect().run("DELETE FROM orders WHERE id = 91");
    assert_eq!(undo(&test, "aaaaaa").unwrap().rows, 2);
}

#[test]
fn case_26_undo_happens_once() {
    let test = paid();
    undo(&test, "aaaaaa").unwrap();
    let before = test.contents();
    assert_snapshot!(words(&undo(&test, "aaaaaa").unwrap_err()), @"
    Recorded: step `step_0` of run aaaaaa is already put back
      note: by run undoer of ann (ann@here) at MOMENT
      note: nothing was changed now
    ");
    assert_eq!(test.contents(), before);
}

#[test]
fn case_26_rows_that_are_back_already_are_no_conflict() {
    let test = paid();
    test.connect()
        .run("UPDATE users SET plan = 'free', name = lower(name) WHERE id = 1");
    let restored = undo(&test, "aaaaaa").unwrap();
    assert_eq!((restored.rows, restored.conflicting), (2, 0));
    assert_snapshot!(test.rows(ROWS), @"1 user 1 free, 2 user 2 free, 3 user 3 free, 4 user 4 free, 5 user 5 free");
}

#[test]
fn case_26_two_undo_at_once_and_one_does_it() {
    let test = paid();
    let url = test.db.url();
    let (first, second) = block_on(async {
        let mut one = connect(&url, "bbbbbb").await;
        let mut two = connect(&url, "cccccc").await;
        let entry = entry("aaaaaa", 0);
        tokio::join!(
            undo_in(&mut one, &entry, None, OnConflict::Stop),
            undo_in(&mut two, &entry, None, OnConflict::Stop)
        )
    });
    let done: Vec<bool> = vec![first.is_ok(), second.is_ok()];
    assert!(
        done.contains(&true) && done.contains(&false),
        "{first:?} {second:?}"
    );
    let refused = first.err().or(second.err()).unwrap();
    assert_eq!(format!("{:?}", refused.kind), "Recorded");
    assert_snapshot!(test.rows(ROWS), @"1 user 1 free, 2 user 2 free, 3 user 3 free, 4 user 4 free, 5 user 5 free");
}

#[test]
fn case_30_a_hundred_thousand_rows_are_put_back_set_by_set() {
    let test = Test::sql(
        "CREATE TABLE big (id int PRIMARY KEY, a int, b text); INSERT INTO big SELECT n, n, 'row ' || n FROM generate_series(1, 100000) n",
    );
    let hash = "SELECT count(*), sum(hashtextextended(t::text, 0)::numeric) FROM big t";
    let before = test.rows(hash);
    Fix::new(
        "aaaaaa",
        "UPDATE big SET a = a + 1",
        &[own("public.big", "id")],
    )
    .apply(&test);
    let restored = undo(&test, "aaaaaa").unwrap();
    assert_eq!(restored.rows, 100_000);
    assert_eq!(restored.changes.tables[0].updated, 100_000);
    assert_eq!(restored.changes.tables[0].rows.len(), 1000);
    assert_eq!(test.rows(hash), before);
}

#[test]
fn many_conflicts_are_counted_and_the_first_are_shown() {
    let test = Test::sql(
        "CREATE TABLE big (id int PRIMARY KEY, a int); INSERT INTO big SELECT n, n FROM generate_series(1, 5000) n",
    );
    Fix::new(
        "aaaaaa",
        "UPDATE big SET a = a + 1",
        &[own("public.big", "id")],
    )
    .apply(&test);
    test.connect().run("UPDATE big SET a = 0 WHERE id > 4000");
    let restored = undo(&test, "aaaaaa").unwrap();
    assert_eq!(
        (
            restored.conflicting,
            restored.conflicts.len(),
            restored.rows
        ),
        (1000, 100, 0)
    );
}

const TOUCH: &str = "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.updated_at = clock_timestamp(); RETURN NEW; END$$; \
    CREATE TRIGGER touch BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION touch()";

#[test]
fn a_column_that_a_trigger_keeps_is_left_out_where_it_is_said() {
    let tables = || [own("public.users", "id")];
    let ignored = ["updated_at"];
    for (kept, ignored) in [(&[] as &[&str], &ignored as &[&str]), (&ignored, &[])] {
        let test = Test::sql(&format!("{USERS}; {TOUCH}"));
        Fix {
            ignored,
            kept,
            ..Fix::new("aaaaaa", PAID, &tables())
        }
        .apply(&test);
        test.connect()
            .run("UPDATE users SET plan = plan WHERE id = 1");
        assert_eq!(undo(&test, "aaaaaa").unwrap().rows, 3);
        assert_eq!(
            test.rows(ROWS),
            "1 user 1 free, 2 user 2 free, 3 user 3 free, 4 user 4 free, 5 user 5 free"
        );
    }
    let test = Test::sql(&format!("{USERS}; {TOUCH}"));
    Fix::new(
        "aaaaaa",
        "UPDATE users SET plan = 'paid' WHERE id = 1",
        &tables(),
    )
    .apply(&test);
    let before = test.contents();
    let failure = undo(&test, "aaaaaa").unwrap_err();
    assert!(
        failure
            .message
            .starts_with("row (id) = (1) of users did not become what it was: updated_at is "),
        "{failure:?}"
    );
    assert_eq!(
        failure.help,
        ["where a trigger keeps the column, name it in the fix: `ignore: [updated_at]`"]
    );
    assert_eq!(test.contents(), before);
}

#[test]
fn what_a_later_run_changed_is_not_overwritten_and_the_run_is_named() {
    let test = paid();
    let tables = || [own("public.users", "id")];
    Fix::new(
        "bbbbbb",
        "UPDATE users SET plan = 'gold' WHERE id = 2",
        &tables(),
    )
    .apply(&test);
    assert_snapshot!(conflicts(&undo(&test, "aaaaaa").unwrap()), @"
    0 rows back, 1 not
    Edited users (id) = (2) by run bbbbbb, t, by ann at MOMENT
      plan: then paid, now gold, back free
    ");
    // Once the later run is put back, the earlier one can be.
    undo(&test, "bbbbbb").unwrap();
    assert_eq!(undo(&test, "aaaaaa").unwrap().rows, 3);
    assert_snapshot!(test.rows(ROWS), @"1 user 1 free, 2 user 2 free, 3 user 3 free, 4 user 4 free, 5 user 5 free");
}

#[test]
fn a_later_run_counts_even_where_the_row_is_as_this_one_left_it() {
    let test = paid();
    let tables = || [own("public.users", "id")];
    Fix::new(
        "bbbbbb",
        "UPDATE users SET plan = 'gold' WHERE id = 2",
        &tables(),
    )
    .apply(&test);
    test.connect()
        .run("UPDATE users SET plan = 'paid' WHERE id = 2");
    assert_snapshot!(conflicts(&undo(&test, "aaaaaa").unwrap()), @"
    0 rows back, 1 not
    LaterRun users (id) = (2) by run bbbbbb, t, by ann at MOMENT
      name: then USER 2, now USER 2, back user 2
      plan: then paid, now paid, back free
    ");
}

#[test]
fn the_statements_of_a_fix_go_back_in_turn() {
    let test = Test::sql(
        "CREATE TABLE t (id int PRIMARY KEY, mail text UNIQUE); INSERT INTO t VALUES (1, 'a'), (2, 'b')",
    );
    let before = test.rows("SELECT * FROM t ORDER BY id");
    let table = || [own("public.t", "id")];
    Fix::new("aaaaaa", "DELETE FROM t WHERE id = 1", &table()).apply(&test);
    Fix::new("aaaaaa", "INSERT INTO t VALUES (3, 'a')", &table()).and(&test, 0);
    Fix::new("aaaaaa", "UPDATE t SET mail = 'c' WHERE id = 3", &table()).and(&test, 0);
    Fix::new("aaaaaa", "UPDATE t SET mail = 'a' WHERE id = 2", &table()).and(&test, 0);
    Fix::new("aaaaaa", "DELETE FROM t WHERE id = 3", &table()).and(&test, 0);
    let restored = undo(&test, "aaaaaa").unwrap();
    assert_snapshot!(changes(&restored), @"
    t: 1 inserted, 1 updated, 0 deleted
      Inserted (1): id null → 1, mail null → a
      Updated (2): mail a → b
    ");
    assert_eq!(test.rows("SELECT * FROM t ORDER BY id"), before);
}

#[test]
fn some_fixes_of_an_atomic_can_be_put_back() {
    let test = paid();
    Fix::new(
        "aaaaaa",
        "UPDATE users SET plan = 'gold' WHERE id = 5",
        &[own("public.users", "id")],
    )
    .and(&test, 1);
    let restored = undo_by(&test, "aaaaaa", Some(&[StepId(1)]), OnConflict::Stop).unwrap();
    assert_eq!(restored.rows, 1);
    assert_snapshot!(test.rows(ROWS), @"1 USER 1 paid, 2 USER 2 paid, 3 USER 3 paid, 4 user 4 free, 5 user 5 free");
}

#[test]
fn a_trigger_that_writes_elsewhere_on_the_way_back_is_refused() {
    let log = "CREATE TABLE log (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, who int); \
        CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO log (who) VALUES (NEW.id); RETURN NULL; END$$; \
        CREATE TRIGGER note AFTER UPDATE ON users FOR EACH ROW EXECUTE FUNCTION note()";
    let test = paid();
    test.connect().run(log);
    let before = test.contents();
    assert_snapshot!(words(&undo(&test, "aaaaaa").unwrap_err()), @"
    Conflict: putting the rows back would change log too: 3 rows inserted
      note: by a cascade or a trigger; the fix did not change these rows, so they would be lost or altered; nothing was put back
      help: rows of log that came since and point to what would go: delete them or point them elsewhere first
      help: where a trigger writes to log on purpose, name it in the fix: `tables: […, log]`
    ");
    assert_eq!(test.contents(), before);
    // Where the fix says that it may change, it may.
    let test = Test::sql(&format!("{USERS}; {log}"));
    Fix {
        allowed: Some(&["users", "log"]),
        ..Fix::new("aaaaaa", PAID, &[own("public.users", "id")])
    }
    .apply(&test);
    assert_eq!(undo(&test, "aaaaaa").unwrap().rows, 3);
    assert_eq!(test.rows("SELECT count(*) FROM log"), "6");
}

#[test]
fn what_the_journal_does_not_know_cannot_be_put_back() {
    let test = paid();
    assert_snapshot!(words(&undo(&test, "bbbbbb").unwrap_err()), @"
    Conflict: step `step_0` of run bbbbbb cannot be put back: the journal does not know it
      note: it was never committed, or the journal was begun anew since
    ");
}

#[test]
fn images_that_are_gone_are_missed() {
    let test = paid();
    let failure = undo_local(&test, "aaaaaa").unwrap_err();
    assert_snapshot!(test.redact(&words(&failure)), @"
    Conflict: step `step_0` of run RUN cannot be put back: its row images are not in ROOT/aaaaaa/images
      note: it was never committed, or they were removed since; nothing was put back
      help: bring the folder back from a backup, then try it again
    ");
}

#[test]
fn a_run_that_prints_values_in_another_way_finds_them_the_same() {
    let test = Test::sql(
        "CREATE TABLE t (id timestamptz PRIMARY KEY, d date, i interval, f float8, b bytea, v int, kept int); \
         INSERT INTO t VALUES ('2024-02-29 12:00+05:45', '2024-12-31', '1 mon -3 days 04:05:06.7', 0.1::float8 + 0.2, '\\x00ff', 1, 1)",
    );
    let before = test.contents();
    let table = [own("public.t", "id")];
    for ignored in [&[] as &[&str], &["kept"]] {
        let run = if ignored.is_empty() {
            "aaaaaa"
        } else {
            "bbbbbb"
        };
        Fix {
            ignored,
            ..Fix::new(run, "UPDATE t SET v = v + 1, d = NULL", &table)
        }
        .apply(&test);
        block_on(async {
            let mut session = connect(&test.db.url(), "undoer").await;
            let settings = [
                ("TimeZone", "Asia/Kathmandu"),
                ("DateStyle", "SQL, DMY"),
                ("IntervalStyle", "iso_8601"),
                ("extra_float_digits", "-3"),
                ("bytea_output", "escape"),
            ];
            let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
            session.set_local(settings.into());
            let restored = undo_in(&mut session, &entry(run, 0), None, OnConflict::Stop).await;
            assert_eq!(restored.unwrap().rows, 1);
        });
    }
    assert_eq!(
        test.rows(
            "SELECT count(*) FROM t WHERE d = '2024-12-31' AND f = 0.1::float8 + 0.2 AND v = 1"
        ),
        "1"
    );
    let own = |all: &str| {
        all.lines()
            .filter(|line| line.starts_with("t:"))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(own(&test.contents()), own(&before));
}

#[test]
fn a_login_that_may_change_only_these_columns_can_put_them_back() {
    let test = Test::sql(USERS);
    Fix::new(
        "aaaaaa",
        "UPDATE users SET plan = 'paid' WHERE id = 1",
        &[own("public.users", "id")],
    )
    .apply(&test);
    let role = format!("clerk_of_{}", test.db.name());
    test.connect().run(&format!(
        "CREATE ROLE {role}; GRANT SELECT, UPDATE (plan) ON users TO {role}; GRANT USAGE ON SCHEMA runbook TO {role}; \
         GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA runbook TO {role}"
    ));
    block_on(async {
        let mut session = connect(&test.db.url(), "undoer").await;
        session.set_local(vec![("role".to_owned(), role.clone())]);
        let restored = undo_in(&mut session, &entry("aaaaaa", 0), None, OnConflict::Stop).await;
        assert_eq!(restored.unwrap().rows, 1);
    });
    test.connect()
        .run(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}

#[test]
fn an_edit_that_is_under_way_is_waited_for_and_seen() {
    let test = paid();
    let other = test.connect();
    other.run("BEGIN; UPDATE users SET plan = 'gold' WHERE id = 2");
    let restored = std::thread::scope(|scope| {
        let undoing = scope.spawn(|| undo(&test, "aaaaaa").unwrap());
        test.until(
            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')",
        );
        other.run("COMMIT");
        undoing.join().unwrap()
    });
    assert_snapshot!(conflicts(&restored), @"
    0 rows back, 1 not
    Edited users (id) = (2)
      plan: then paid, now gold, back free
    ");
}

#[test]
fn case_26_what_is_killed_midway_leaves_everything_as_it_was() {
    let test = paid();
    let before = test.contents();
    block_on(async {
        let mut session = connect(&test.db.url(), "undoer").await;
        session.open();
        let entry = entry("aaaaaa", 0);
        session.record(&entry.undoing(), &limits()).await.unwrap();
        let restored = session
            .restore(&entry, None, OnConflict::Stop, &limits())
            .await;
        assert_eq!(restored.unwrap().rows, 3);
        // The connection is gone with the session, before any COMMIT.
    });
    assert_eq!(test.contents(), before);
    assert_eq!(undo(&test, "aaaaaa").unwrap().rows, 3);
}

#[test]
fn a_foreign_key_on_the_way_back_is_the_servers_word() {
    let test = Test::sql(&format!(
        "{USERS}; CREATE TABLE plans (plan text PRIMARY KEY); INSERT INTO plans VALUES ('free'), ('paid'); \
         ALTER TABLE users ADD FOREIGN KEY (plan) REFERENCES plans DEFERRABLE INITIALLY DEFERRED"
    ));
    Fix::new("aaaaaa", PAID, &[own("public.users", "id")]).apply(&test);
    test.connect()
        .run("DELETE FROM users WHERE id > 3; DELETE FROM plans WHERE plan = 'free'");
    let before = test.contents();
    assert_snapshot!(words(&undo(&test, "aaaaaa").unwrap_err()), @r#"
    Statement: insert or update on table "users" violates foreign key constraint "users_plan_fkey"
      note: Key (plan)=(free) is not present in table "plans".
    "#);
    assert_eq!(test.contents(), before);
}

#[test]
fn a_trigger_that_empties_a_table_on_the_way_back_is_refused() {
    let test = paid();
    test.connect().run(
        "CREATE TABLE cache (id int); INSERT INTO cache VALUES (1); \
         CREATE FUNCTION clear() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN TRUNCATE cache; RETURN NULL; END$$; \
         CREATE TRIGGER clear AFTER UPDATE ON users FOR EACH STATEMENT EXECUTE FUNCTION clear()",
    );
    let before = test.contents();
    assert_snapshot!(words(&undo(&test, "aaaaaa").unwrap_err()), @"
    Conflict: putting the rows back would empty or rebuild cache
      note: a trigger does that; nothing was put back
      help: where that is on purpose, name it in the fix: `tables: […, cache]`
    ");
    assert_eq!(test.contents(), before);
}
