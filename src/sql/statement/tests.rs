//! What a statement says of itself, and that parsing ends on any text.

use proptest::prelude::*;

use super::*;
use crate::sql::target::Dml;
use crate::sql::token::context_at;

fn parse(text: &str) -> Statement {
    Statement::parse(text).expect(text)
}

fn functions(text: &str) -> Vec<String> {
    let calls = parse(text).functions().to_vec();
    calls
        .into_iter()
        .map(|call| {
            let dot = if call.attribute { "." } else { "" };
            let schema = call.schema.map(|schema| schema + ".").unwrap_or_default();
            format!("{dot}{schema}{}", call.name)
        })
        .collect()
}

fn tables(text: &str) -> Vec<String> {
    let tables = parse(text).tables().to_vec();
    tables
        .into_iter()
        .map(|table| format!("{}{}", table.name, if table.written { "!" } else { "" }))
        .collect()
}

#[test]
fn texts_and_verbs() {
    let cases = [
        ("  /* a */ select 1 -- b\n ; -- c", "select 1", "SELECT"),
        (
            "(select 1) union select 2;;",
            "(select 1) union select 2",
            "SELECT",
        ),
        (
            "with a as (select 1) delete from t",
            "with a as (select 1) delete from t",
            "DELETE",
        ),
        (
            "create unique index concurrently i on t (a)",
            "create unique index concurrently i on t (a)",
            "CREATE INDEX CONCURRENTLY",
        ),
        (
            "reindex (concurrently) table t",
            "reindex (concurrently) table t",
            "REINDEX CONCURRENTLY",
        ),
        (
            "drop materialized view v",
            "drop materialized view v",
            "DROP MATERIALIZED VIEW",
        ),
        ("End", "End", "END"),
        ("values (';');", "values (';')", "VALUES"),
    ];
    for (text, inner, verb) in cases {
        let statement = parse(text);
        assert_eq!(statement.text(), inner);
        assert_eq!(&text[statement.range()], inner);
        assert_eq!(statement.verb(), verb, "{text}");
    }
}

#[test]
fn functions_are_found_wherever_they_stand() {
    let cases = [
        (
            "select F(1), \"F\"(2), s.f(3), d.s.f(4)",
            vec!["f", "F", "s.f", "s.f"],
        ),
        (
            "select 1 from a() x, lateral b(c()) y, rows from (d(), e()) z",
            vec!["a", "b", "c", "d", "e"],
        ),
        (
            "update t set a = f(), (b, c) = (select g(), 1) where h(x) and i is null",
            vec!["f", "g", "h"],
        ),
        (
            "insert into t (a, b) values (f(1), 2) on conflict (lower(a)) do update set a = g(3)",
            vec!["f", "lower", "g"],
        ),
        (
            "with a(x) as (select f()) select g() over (order by h()) from a",
            vec!["f", "g", "h"],
        ),
        (
            "create index on t (lower(a)) where upper(b) = 'X'",
            vec!["lower", "upper"],
        ),
        ("create view v as select f()", vec!["f"]),
        (
            "select case when f() then array[g()] else h()::int[] end",
            vec!["f", "g", "h"],
        ),
        ("select (t).f, t.id from t", vec![".f", ".id"]),
        (
            "select trim(f()), extract(day from g()), coalesce(h(), 1)",
            vec!["f", "g", "coalesce", "h"],
        ),
        (
            "select count(*) filter (where f()), u&\"\\0067\"()",
            vec!["count", "f", "g"],
        ),
        (
            "select s.substring(1), public.json(2), s.position(3)",
            vec!["s.substring", "public.json", "s.position"],
        ),
        (
            "delete from t using f() x where x.a = any(select g())",
            vec!["f", ".a", "g"],
        ),
        ("select 1 limit f() offset g()", vec!["f", "g"]),
        ("values (f()), (row(g(), 1))", vec!["f", "g"]),
        (
            "select a from t group by rollup (f(a)) having g() > 1",
            vec!["f", "g"],
        ),
        (
            "select f(variadic array[1]), f(a => g())",
            vec!["f", "f", "g"],
        ),
        ("select f(distinct x order by g())", vec!["f", "g"]),
        (
            "select not f() and - g() between h() and i()",
            vec!["f", "g", "h", "i"],
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(functions(text), expected, "{text}");
    }
}

#[test]
fn tables_are_found_and_common_table_expressions_are_not() {
    let cases = [
        (
            "select * from a, s.b join \"C\" c on true, f()",
            vec!["a", "s.b", "\"C\""],
        ),
        (
            "with a as (select * from b) select * from a, c",
            vec!["b", "c"],
        ),
        // Without RECURSIVE, the inner name is the table.
        ("with a as (select * from a) select * from a", vec!["a"]),
        (
            "with recursive a as (select * from a) select * from a",
            vec![],
        ),
        ("with a as (table x), b as (table a) table b", vec!["x"]),
        (
            "select * from (with a as (select 1) select * from a) y, a",
            vec!["a"],
        ),
        ("with a as (select 1) select * from s.a", vec!["s.a"]),
        (
            "with t as (select 1) insert into t select * from t",
            vec!["t!"],
        ),
        (
            "update only a set x = 1 from b where exists (select 1 from c)",
            vec!["a!", "b", "c"],
        ),
        ("delete from a using b", vec!["a!", "b"]),
        (
            "merge into a using b on true when matched then delete",
            vec!["a!", "b"],
        ),
        (
            "with x as (delete from a returning *) select * from x",
            vec!["a!"],
        ),
        ("truncate a, only b", vec!["a!", "b!"]),
        (
            "alter table s.a add constraint c foreign key (x) references b (y)",
            vec!["s.a!", "b"],
        ),
        (
            "create table a (x int references b, like c)",
            vec!["a!", "b", "c"],
        ),
        ("create table a as select * from b", vec!["a!", "b"]),
        ("drop table a, b", vec!["a!", "b!"]),
        ("create index on a (x)", vec!["a!"]),
        ("table größe", vec!["\"größe\""]),
    ];
    for (text, expected) in cases {
        assert_eq!(tables(text), expected, "{text}");
    }
}

#[test]
fn the_parts_of_an_update() {
    let text = "WITH c AS (select 1 as x) UPDATE ONLY \"My\".\"T\" AS \"tt\" SET a = 1, (b, \"C\") = (2, 3), d[1] = 4 \
                FROM c, u -- why\n JOIN v USING (i) WHERE tt.id = $1 /* x */ AND c.x = u.x RETURNING tt.id;";
    let statement = parse(text);
    let target = statement.target().unwrap();
    assert_eq!(target.verb, Dml::Update);
    assert_eq!(target.table.to_string(), "\"My\".\"T\"");
    assert_eq!(target.table_sql, "\"My\".\"T\"");
    assert!(target.only);
    assert_eq!(target.alias.as_deref(), Some("tt"));
    assert_eq!(
        target.with_sql.as_deref(),
        Some("WITH c AS (select 1 as x)")
    );
    assert_eq!(
        target.from_sql.as_deref(),
        Some("c, u -- why\n JOIN v USING (i)")
    );
    assert_eq!(
        target.where_sql.as_deref(),
        Some("tt.id = $1 /* x */ AND c.x = u.x")
    );
    assert_eq!(&text[target.returning.clone().unwrap()], "RETURNING tt.id");
    assert_eq!(target.set_columns, ["a", "b", "C", "d"]);
    assert_eq!(
        statement.placeholders(),
        [(1, text.find("$1").unwrap()..text.find("$1").unwrap() + 2)]
    );
    assert!(statement.has_where() && !statement.always_true_where() && statement.returns_rows());
}

#[test]
fn the_parts_of_a_delete_and_an_insert() {
    let statement = parse("delete from t * x using u where x.id = u.id");
    let target = statement.target().unwrap();
    assert_eq!((target.verb, target.table_sql.as_str()), (Dml::Delete, "t"));
    assert_eq!(target.alias.as_deref(), Some("x"));
    assert_eq!(target.from_sql.as_deref(), Some("u"));
    assert_eq!(target.where_sql.as_deref(), Some("x.id = u.id"));
    assert!(target.returning.is_none() && !statement.returns_rows());

    let statement = parse("insert into s.t as x (a, \"B\") select 1, 2 on conflict do nothing");
    let target = statement.target().unwrap();
    assert_eq!(
        (target.verb, target.table_sql.as_str()),
        (Dml::Insert, "s.t")
    );
    assert_eq!(target.alias.as_deref(), Some("x"));
    assert_eq!(target.set_columns, ["a", "B"]);
    assert!(target.on_conflict.is_some() && target.where_sql.is_none());

    let current = parse("delete from t where current of c");
    assert!(current.target().unwrap().where_current_of);
}

#[test]
fn what_cannot_be_captured_has_no_target() {
    let texts = [
        "select 1",
        "truncate t",
        "with x as (delete from u returning *) update t set a = 1 where b = 2",
        "insert into t with x as (delete from u returning *) select * from x",
        "merge into t using u on true when matched then delete",
        "explain update t set a = 1",
    ];
    for text in texts {
        assert_eq!(parse(text).target(), None, "{text}");
    }
}

#[test]
fn what_needs_no_transaction() {
    let cases = [
        ("vacuum t", true),
        ("create index concurrently on t (a)", true),
        ("create index on t (a)", false),
        ("drop index concurrently i", true),
        ("reindex table concurrently t", true),
        ("reindex (concurrently off) table t", false),
        ("reindex table t", false),
        ("reindex schema s", true),
        ("create database d", true),
        ("drop database d", true),
        ("alter system set a = 1", true),
        ("create tablespace s location '/x'", true),
        ("drop tablespace s", true),
        ("cluster", true),
        ("cluster t using i", false),
        ("alter type e add value 'x'", false),
        ("alter table t detach partition p concurrently", true),
        ("alter table t detach partition p", false),
        ("update t set a = 1", false),
    ];
    for (text, expected) in cases {
        assert_eq!(
            parse(text).needs_no_transaction().is_some(),
            expected,
            "{text}"
        );
    }
}

#[test]
fn case_42_odd_names_work() {
    let text = "update \"We\"\"ird\".\"select\" set \"ä Ö\" = 1 where \"ä Ö\" = 2";
    let statement = parse(text);
    let target = statement.target().unwrap();
    assert_eq!(target.table.schema.as_deref(), Some("We\"ird"));
    assert_eq!(target.table.to_string(), "\"We\"\"ird\".\"select\"");
    assert_eq!(target.set_columns, ["ä Ö"]);
    // PostgreSQL folds ASCII letters only, and keeps 63 bytes.
    assert_eq!(tables("table ÄB"), ["\"Äb\""]);
    assert_eq!(
        parse(&format!("table {}", "a".repeat(70))).tables()[0]
            .name
            .name
            .len(),
        63
    );
}

const SEEDS: &[&str] = &[
    "with a as (select f($1), 'it''s' from t where x in (1, 2)) update u set a = 1 from a where u.id = a.id returning *",
    "insert into t (a) values ($$x$$, E'\\n', u&\"a\") on conflict (a) do update set a = excluded.a",
    "create function f() returns int language sql as $a$ select 1; select '$$' $a$",
    "select case when a then b else c[1:2] end::text || /* /* */ */ d from (values (1)) x group by 1 for update",
    "alter table t add column a int default 1, drop column b cascade",
    "commit and chain; select 1 -- x",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn parsing_ends_on_any_text(text in any::<String>(), offset in 0_usize..99) {
        let _ended = Statement::parse(&text);
        context_at(&text, offset);
    }

    #[test]
    fn parsing_ends_on_mutated_sql(
        seed in prop::sample::select(SEEDS),
        cut in any::<prop::sample::Index>(),
        gone in 0_usize..12,
        put in "[a-z(),;'\"$*/\\-\\[\\]. \\n0-9]{0,6}|select |from |;|\\$\\$|/\\*|union |with |not ",
    ) {
        let start = (0..=cut.index(seed.len())).rev().find(|at| seed.is_char_boundary(*at)).unwrap_or(0);
        let end = (start + gone).min(seed.len());
        let text = format!("{}{put}{}", &seed[..start], seed.get(end..).unwrap_or_default());
        match Statement::parse(&text) {
            Ok(statement) => {
                // What is allowed to read says nothing of writing, and places are in the text.
                prop_assert!(statement.allowed_in_read().is_err() || statement.allowed_in_fix().is_err()
                    || statement.access() == Access::Act);
                prop_assert!(text.get(statement.range()).is_some());
            }
            Err(error) => prop_assert_ne!(error.message, "the statement could not be parsed"),
        }
    }
}
