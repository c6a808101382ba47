//! The columns of a table in words: an image of a row means something only to a table that still has them.

use std::collections::BTreeMap;

/// Returns an SQL expression for the columns of a table in words; `relation` is an SQL expression for its
/// OID. The words do not depend on the search path.
pub fn fingerprint(relation: &str) -> String {
    format!(
        "(SELECT pg_catalog.string_agg(pg_catalog.quote_ident(fa.attname) || ' ' \
           || CASE WHEN fn.nspname <> 'pg_catalog' AND pg_catalog.pg_type_is_visible(ft.oid) THEN pg_catalog.quote_ident(fn.nspname) || '.' ELSE '' END \
           || pg_catalog.format_type(fa.atttypid, fa.atttypmod) \
           || CASE WHEN fa.attgenerated <> '' THEN ' generated' ELSE '' END \
           || CASE fa.attidentity WHEN 'a' THEN ' identity always' WHEN 'd' THEN ' identity' ELSE '' END, \
           ', ' ORDER BY fa.attnum) \
         FROM pg_attribute fa JOIN pg_type ft ON ft.oid = fa.atttypid JOIN pg_namespace fn ON fn.oid = ft.typnamespace \
         WHERE fa.attrelid = {relation} AND fa.attnum > 0 AND NOT fa.attisdropped)"
    )
}

/// Says how the columns of a table differ from those that its images were made of: nothing where they are
/// the same.
pub fn difference(then: &str, now: &str) -> Vec<String> {
    if then == now {
        return Vec::new();
    }
    let (old, new) = (columns(then), columns(now));
    let (old_by, new_by): (BTreeMap<_, _>, BTreeMap<_, _>) =
        (old.iter().copied().collect(), new.iter().copied().collect());
    let mut words = Vec::new();
    for (name, kind) in &old {
        match new_by.get(name) {
            None => words.push(format!("column {name} is gone")),
            Some(other) if other != kind => {
                words.push(format!("column {name} was {kind}, and is {other} now"));
            }
            Some(_) => {}
        }
    }
    let added = new.iter().filter(|(name, _)| !old_by.contains_key(name));
    words.extend(added.map(|(name, kind)| format!("column {name} {kind} is new")));
    if words.is_empty() {
        words.push("its columns stand in another order".to_owned());
    }
    words
}

/// Splits a fingerprint into names and the rest; names may have blanks and commas in their quotes, and types
/// commas in their parentheses.
fn columns(text: &str) -> Vec<(&str, &str)> {
    let (mut found, mut start, mut quoted) = (Vec::new(), 0, false);
    let mut depth = 0_usize;
    for (at, next) in text.char_indices() {
        match next {
            '"' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth = depth.saturating_sub(1),
            ',' if !quoted && depth == 0 => {
                found.push(text.get(start..at).unwrap_or_default());
                start = at + 1;
            }
            _ => {}
        }
    }
    found.push(text.get(start..).unwrap_or_default());
    found.into_iter().map(|text| parts(text.trim())).collect()
}

fn parts(column: &str) -> (&str, &str) {
    let mut quoted = false;
    let end = column.find(|next| {
        quoted ^= next == '"';
        next == ' ' && !quoted
    });
    end.map_or((column, ""), |end| {
        (&column[..end], column[end..].trim_start())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_told_by_column() {
        let then = "id integer, \"a, b\" numeric(10,2), note text";
        assert_eq!(difference(then, then), [""; 0]);
        assert_eq!(
            difference(
                then,
                "id bigint, note text, at timestamp(3) without time zone"
            ),
            [
                "column id was integer, and is bigint now",
                "column \"a, b\" is gone",
                "column at timestamp(3) without time zone is new",
            ]
        );
        assert_eq!(
            difference("a text, b text", "b text, a text"),
            ["its columns stand in another order"]
        );
    }
}
