//! Whether a read returns exactly one row, whatever the tables hold.

use squawk_syntax::ast::{self, AstNode as _};
use squawk_syntax::{SyntaxKind, SyntaxNode};

use super::function::{self, FunctionCall};
use super::tree;

/// Functions of PostgreSQL that make one row of many.
const AGGREGATES: [&str; 32] = [
    "array_agg",
    "avg",
    "bit_and",
    "bit_or",
    "bit_xor",
    "bool_and",
    "bool_or",
    "corr",
    "count",
    "every",
    "json_agg",
    "json_object_agg",
    "jsonb_agg",
    "jsonb_object_agg",
    "max",
    "min",
    "mode",
    "percentile_cont",
    "percentile_disc",
    "range_agg",
    "range_intersect_agg",
    "regr_count",
    "regr_slope",
    "stddev",
    "stddev_pop",
    "stddev_samp",
    "string_agg",
    "sum",
    "var_pop",
    "var_samp",
    "variance",
    "xmlagg",
];

/// Functions of PostgreSQL that make any number of rows of one.
const SETS: [&str; 22] = [
    "generate_series",
    "generate_subscripts",
    "json_array_elements",
    "json_array_elements_text",
    "json_each",
    "json_each_text",
    "json_object_keys",
    "json_populate_recordset",
    "json_to_recordset",
    "jsonb_array_elements",
    "jsonb_array_elements_text",
    "jsonb_each",
    "jsonb_each_text",
    "jsonb_object_keys",
    "jsonb_path_query",
    "jsonb_populate_recordset",
    "jsonb_to_recordset",
    "regexp_matches",
    "regexp_split_to_table",
    "string_to_table",
    "ts_stat",
    "unnest",
];

/// Returns whether a read returns exactly one row: it has neither FROM nor WHERE, or an aggregate and no groups.
/// What is not plain to see is a no.
pub(super) fn is_certain(node: &SyntaxNode) -> bool {
    let Some(select) = ast::Select::cast(node.clone()) else {
        return false;
    };
    let has = |kinds: &[SyntaxKind]| node.children().any(|child| kinds.contains(&child.kind()));
    let cut = [
        SyntaxKind::GROUP_BY_CLAUSE,
        SyntaxKind::HAVING_CLAUSE,
        SyntaxKind::LIMIT_CLAUSE,
        SyntaxKind::OFFSET_CLAUSE,
        SyntaxKind::FETCH_CLAUSE,
    ];
    let Some(targets) = select.select_clause() else {
        return false;
    };
    if has(&cut) || own_calls(targets.syntax()).any(|call| may_be_a_set(&call)) {
        return false;
    }
    let from = [SyntaxKind::FROM_CLAUSE, SyntaxKind::WHERE_CLAUSE];
    !has(&from) || own_calls(targets.syntax()).any(|call| is_aggregate(&call))
}

/// Returns the calls of a node that are not in a query of their own.
fn own_calls(node: &SyntaxNode) -> impl Iterator<Item = SyntaxNode> {
    let top = node.clone();
    let in_query = move |node: &SyntaxNode| {
        node.ancestors()
            .take_while(|outer| *outer != top)
            .any(|outer| ast::SelectVariant::can_cast(outer.kind()))
    };
    node.descendants()
        .filter(|node| node.kind() == SyntaxKind::CALL_EXPR)
        .filter(move |call| !in_query(call))
}

/// Returns what a call calls; nothing of what only looks like one, such as EXISTS.
fn callee(call: &SyntaxNode) -> Option<FunctionCall> {
    let start = tree::range(call).start;
    let mut calls = function::calls(call).into_iter();
    calls.find(|function| function.range.start == start)
}

fn may_be_a_set(call: &SyntaxNode) -> bool {
    match callee(call) {
        Some(function) => {
            let own = function.schema.as_deref();
            own.is_some_and(|schema| schema != "pg_catalog")
                || SETS.contains(&function.name.as_str())
                || function.name.starts_with("pg_ls_")
        }
        None => false,
    }
}

fn is_aggregate(call: &SyntaxNode) -> bool {
    let windowed = call
        .children()
        .any(|child| child.kind() == SyntaxKind::OVER_CLAUSE);
    let function = callee(call);
    !windowed && function.is_some_and(|function| AGGREGATES.contains(&function.name.as_str()))
}

#[cfg(test)]
mod tests {
    use crate::sql::statement::Statement;

    #[test]
    fn one_row_is_certain_only_where_it_is_plain() {
        let certain = [
            "SELECT 1",
            "SELECT current_database() AS name, version()",
            "SELECT count(*) FROM t WHERE x",
            "SELECT coalesce(max(id), 0) + 1 AS next FROM t",
            "SELECT count(*) FILTER (WHERE a) AS a, string_agg(b, ',' ORDER BY b) FROM t",
            "WITH x AS (SELECT * FROM t LIMIT 3) SELECT sum(a) FROM x",
            "SELECT (SELECT a FROM t LIMIT 1) AS a, EXISTS (SELECT FROM unnest(ARRAY[1])) AS b",
            "SELECT ARRAY(SELECT unnest(ARRAY[1, 2]))",
        ];
        for text in certain {
            assert!(Statement::parse(text).unwrap().is_one_row(), "{text}");
        }
        let open = [
            "SELECT a FROM t",
            "SELECT 1 WHERE false",
            "SELECT count(*) FROM t GROUP BY a",
            "SELECT count(*) FROM t HAVING count(*) > 1",
            "SELECT count(*) FROM t LIMIT 1",
            "SELECT count(*) FROM t OFFSET 1",
            "SELECT count(*) FROM t FETCH FIRST ROW ONLY",
            "SELECT count(*) OVER () FROM t",
            "SELECT (SELECT count(*) FROM t) FROM u",
            "SELECT generate_series(1, 2)",
            "SELECT unnest(array_agg(a)) FROM t",
            "SELECT app.members()",
            "SELECT count(*) FROM t UNION ALL SELECT 1",
            "VALUES (1)",
            "SHOW work_mem",
        ];
        for text in open {
            assert!(!Statement::parse(text).unwrap().is_one_row(), "{text}");
        }
    }
}
