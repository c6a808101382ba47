//! When one condition says no whenever another does.

use minijinja::machinery::ast::{BinOpKind, Expr};
use minijinja::machinery::{parse_expr, tokenize};
use minijinja::syntax::SyntaxConfig;

use crate::runbook::model::{Runbook, Step};

/// Returns whether a reader's `when` says no whenever the source's does. Values never change in a run,
/// so the same text means the same.
pub(super) fn implied(runbook: &Runbook, source: &Step, reader: &Step) -> bool {
    let Some(needed) = source.common.when.as_ref() else {
        return false;
    };
    let own = reader.common.when.iter();
    let outer = reader
        .atomic
        .and_then(|id| runbook.step(id).common.when.as_ref());
    let given: Vec<String> = own
        .chain(outer)
        .flat_map(|when| conjuncts(when.text()))
        .collect();
    conjuncts(needed.text())
        .iter()
        .all(|part| given.contains(part))
}

/// Returns whether a step runs only where a name is defined.
pub(super) fn asks_for(step: &Step, name: &str) -> bool {
    let when = step.common.when.iter();
    let wanted = format!("{name} is defined");
    when.flat_map(|when| conjuncts(when.text()))
        .any(|part| part == wanted)
}

/// Returns what must all be true for an expression to be: the operands of the `and` at its top. The places
/// of a tree's nodes leave parts of them out, so the texts are cut at the words between.
pub fn conjuncts(text: &str) -> Vec<String> {
    let words = words(text);
    if !matches!(parse_expr(text), Ok(Expr::BinOp(node)) if matches!(node.op, BinOpKind::ScAnd)) {
        return vec![words.join(" ")];
    }
    let (mut parts, mut part, mut depth) = (Vec::new(), Vec::new(), 0_usize);
    for word in words {
        match word {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            "and" if depth == 0 => {
                parts.extend(conjuncts(&bare(&part)));
                part.clear();
                continue;
            }
            _ => {}
        }
        part.push(word);
    }
    parts.extend(conjuncts(&bare(&part)));
    parts
}

/// Returns an expression without brackets around all of it.
fn bare(words: &[&str]) -> String {
    let whole = words.join(" ");
    let inner = match words {
        ["(", inner @ .., ")"] => inner.join(" "),
        _ => return whole,
    };
    // `(a) == (b)` does not end with the bracket that it begins with.
    let mut depth = 1_usize;
    let closes_early = words[1..words.len() - 1].iter().any(|word| {
        match *word {
            "(" => depth += 1,
            ")" => depth -= 1,
            _ => {}
        }
        depth == 0
    });
    if closes_early || parse_expr(&inner).is_err() {
        whole
    } else {
        inner
    }
}

/// Returns the words of an expression; a text in it is one.
fn words(text: &str) -> Vec<&str> {
    tokenize(text, true, SyntaxConfig::default())
        .map_while(Result::ok)
        .filter_map(|(_, span)| text.get(span.start_offset as usize..span.end_offset as usize))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::conjuncts;

    #[test]
    fn only_what_must_be_true_is_a_conjunct() {
        let cases: [(&str, &[&str]); 8] = [
            ("x", &["x"]),
            ("x and y", &["x", "y"]),
            ("x and (y and z)", &["x", "y", "z"]),
            ("x or y and z", &["x or y and z"]),
            (
                "a.b  ==\'p  and q\' and not c.d",
                &["a . b == \'p  and q\'", "not c . d"],
            ),
            ("n > 1 and f is defined", &["n > 1", "f is defined"]),
            ("x and y if z else w", &["x and y if z else w"]),
            (
                "a in [1, 2] and b | length > 3",
                &["a in [ 1 , 2 ]", "b | length > 3"],
            ),
        ];
        for (text, parts) in cases {
            assert_eq!(conjuncts(text), parts, "{text}");
        }
        assert_eq!(conjuncts("(x or y) and z"), ["x or y", "z"]);
        assert_eq!(conjuncts("(a) == (b) and z"), ["( a ) == ( b )", "z"]);
        assert_ne!(conjuncts("(x or y) == z"), conjuncts("x or y == z"));
    }
}
