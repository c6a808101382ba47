//! Two lists beside each other: what both have, what only one has.

/// A part of two lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part<T> {
    /// Both have it.
    Both(T),
    /// Only the first one has it: it was expected.
    Expected(T),
    /// Only the second one has it: it came.
    Came(T),
}

/// How many parts that both have are shown around a difference.
const AROUND: usize = 2;

/// Aligns two lists by the longest list that is in both.
pub(super) fn align<'a, T: PartialEq>(expected: &'a [T], came: &'a [T]) -> Vec<Part<&'a T>> {
    let lengths = common(expected, came);
    let length = |i: usize, j: usize| lengths.get(i).and_then(|row| row.get(j)).copied();
    let (mut i, mut j, mut parts) = (0, 0, Vec::new());
    loop {
        match (expected.get(i), came.get(j)) {
            (Some(a), Some(b)) if a == b => {
                parts.push(Part::Both(a));
                (i, j) = (i + 1, j + 1);
            }
            (Some(a), b) if b.is_none() || length(i + 1, j) >= length(i, j + 1) => {
                parts.push(Part::Expected(a));
                i += 1;
            }
            (_, Some(b)) => {
                parts.push(Part::Came(b));
                j += 1;
            }
            (_, None) => return parts,
        }
    }
}

/// Returns how long the longest common list is from each pair of places on.
fn common<T: PartialEq>(expected: &[T], came: &[T]) -> Vec<Vec<usize>> {
    let mut rows = vec![vec![0; came.len() + 1]];
    for a in expected.iter().rev() {
        let below = rows.last().cloned().unwrap_or_default();
        let mut row = vec![0];
        for (b, pair) in came.iter().zip(below.windows(2)).rev() {
            let right = row.last().copied().unwrap_or_default();
            let (same, down) = match pair {
                [down, same] => (*same, *down),
                _ => (0, 0),
            };
            row.push(if a == b { same + 1 } else { right.max(down) });
        }
        row.reverse();
        rows.push(row);
    }
    rows.reverse();
    rows
}

/// Returns the lines of parts, each with its sign. Of what both have only what is around a difference stays;
/// `things` names what is left out.
pub(super) fn lines(parts: &[Part<&str>], things: &str) -> Vec<String> {
    let differs = |index: usize| {
        let from = index.saturating_sub(AROUND);
        let near = parts.iter().skip(from).take(index + AROUND + 1 - from);
        near.into_iter().any(|part| !matches!(part, Part::Both(_)))
    };
    let (mut lines, mut left_out) = (Vec::new(), 0_u32);
    for (index, part) in parts.iter().enumerate() {
        if !differs(index) {
            left_out += 1;
            continue;
        }
        lines.extend(more(left_out, things));
        left_out = 0;
        lines.push(match part {
            Part::Both(text) => format!("  {text}"),
            Part::Expected(text) => format!("- {text}"),
            Part::Came(text) => format!("+ {text}"),
        });
    }
    lines.extend(more(left_out, things));
    lines
}

fn more(left_out: u32, things: &str) -> Option<String> {
    let counted = crate::base::words::count(left_out, things);
    (left_out > 0).then(|| format!("  … {counted} as expected"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(expected: &[&str], came: &[&str]) -> String {
        let parts: Vec<Part<&str>> = align(expected, came)
            .into_iter()
            .map(|part| match part {
                Part::Both(text) => Part::Both(*text),
                Part::Expected(text) => Part::Expected(*text),
                Part::Came(text) => Part::Came(*text),
            })
            .collect();
        lines(&parts, "step").join("\n")
    }

    #[test]
    fn lists_are_aligned_and_shortened() {
        let expected = ["a", "b", "c", "d", "e", "f", "g"];
        assert_eq!(shown(&expected, &expected), "  … 7 steps as expected");
        assert_eq!(
            shown(&expected, &["a", "b", "c", "d", "x", "f", "g"]),
            "  … 2 steps as expected\n  c\n  d\n- e\n+ x\n  f\n  g"
        );
        assert_eq!(shown(&["a", "b"], &["b", "c"]), "- a\n  b\n+ c");
        assert_eq!(shown(&[], &["a"]), "+ a");
        assert_eq!(shown(&["a"], &[]), "- a");
        assert_eq!(shown(&[], &[]), "");
    }

    proptest::proptest! {
        #[test]
        fn both_lists_can_be_read_off_their_alignment(
            expected in proptest::collection::vec(0..4_u8, 0..12),
            came in proptest::collection::vec(0..4_u8, 0..12),
        ) {
            let parts = align(&expected, &came);
            let first: Vec<u8> = parts.iter().filter_map(|part| match part {
                Part::Both(item) | Part::Expected(item) => Some(**item),
                Part::Came(_) => None,
            }).collect();
            let second: Vec<u8> = parts.iter().filter_map(|part| match part {
                Part::Both(item) | Part::Came(item) => Some(**item),
                Part::Expected(_) => None,
            }).collect();
            proptest::prop_assert_eq!(first, expected);
            proptest::prop_assert_eq!(second, came);
        }
    }
}
