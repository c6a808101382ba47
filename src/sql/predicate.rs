//! Whether a WHERE clause restricts anything.

use squawk_syntax::ast::{self, AstNode as _, BinOp, Expr};
use squawk_syntax::{SyntaxKind, SyntaxNode};

use super::tree;

/// How deep an expression is looked into; what is deeper counts as a restriction.
const MAX_DEPTH: usize = 64;

/// What an UPDATE or DELETE restricts itself with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Restriction {
    /// There is no WHERE clause.
    Missing,
    /// There is one that every row passes, or that no column has a part in.
    AlwaysTrue,
    /// Some rows pass and others do not, as far as can be seen.
    Some,
}

/// Returns the restriction of an UPDATE's or DELETE's node.
pub(super) fn restriction(statement: &SyntaxNode) -> Restriction {
    if statement
        .children()
        .any(|child| child.kind() == SyntaxKind::WHERE_CURRENT_OF)
    {
        return Restriction::Some;
    }
    match statement.children().find_map(ast::WhereClause::cast) {
        None => Restriction::Missing,
        Some(clause) => match clause.expr() {
            Some(expr) if !always_true(&expr, 0) => Restriction::Some,
            _ => Restriction::AlwaysTrue,
        },
    }
}

/// Returns true for an expression that is the same for every row, or plainly true for all that are not NULL.
fn always_true(expr: &Expr, depth: usize) -> bool {
    if depth > MAX_DEPTH {
        return false;
    }
    // Without a column in it, all rows pass or none does: a parameter decides, not the row.
    if !tree::has_node(expr.syntax(), &[SyntaxKind::NAME_REF]) {
        return true;
    }
    match expr {
        Expr::ParenExpr(inner) => inner
            .expr()
            .is_some_and(|inner| always_true(&inner, depth + 1)),
        Expr::BinExpr(both) => always_true_pair(both, depth).unwrap_or(false),
        _ => false,
    }
}

fn always_true_pair(both: &ast::BinExpr, depth: usize) -> Option<bool> {
    let (left, right) = (both.lhs()?, both.rhs()?);
    Some(match both.op()? {
        BinOp::And(_) => always_true(&left, depth + 1) && always_true(&right, depth + 1),
        BinOp::Or(_) => {
            always_true(&left, depth + 1)
                || always_true(&right, depth + 1)
                || are_opposites(&left, &right)
        }
        BinOp::Eq(_) | BinOp::Lteq(_) | BinOp::Gteq(_) | BinOp::IsNotDistinctFrom(_) => {
            plain(left.syntax()) == plain(right.syntax())
        }
        BinOp::Like(_) | BinOp::Ilike(_) => {
            let pattern = plain(right.syntax());
            pattern.len() > 2 && pattern.trim_matches('\'').chars().all(|c| c == '%')
        }
        _ => false,
    })
}

/// Returns true for `x IS NULL` and `x IS NOT NULL` in either order.
fn are_opposites(left: &Expr, right: &Expr) -> bool {
    let (left, right) = (plain(left.syntax()), plain(right.syntax()));
    let opposite = |a: &str, b: &str| {
        let null = a.strip_suffix("is null");
        null.is_some() && null == b.strip_suffix("is not null")
    };
    opposite(&left, &right) || opposite(&right, &left)
}

/// Returns the words of a node, folded and without the space and comments between them.
fn plain(node: &SyntaxNode) -> String {
    let words: Vec<String> = tree::words(node)
        .map(|token| match token.text() {
            text if text.starts_with(['"', '\'']) => text.to_owned(),
            text => text.to_ascii_lowercase(),
        })
        .collect();
    words.join(" ")
}
