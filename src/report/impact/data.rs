//! The data at risk, in words: what the statements name, then what cascades and triggers add.

use crate::base::words;
use crate::engine::impact::{AtRisk, Impact};
use crate::report::amount;

/// How many tables are named of each.
const NAMED: usize = 4;

pub(super) fn said(impact: &Impact) -> String {
    let (beside, own): (Vec<&AtRisk>, Vec<&AtRisk>) =
        impact.data.iter().partition(|table| table.beside);
    let mut all = named(&own);
    // What is told by its table needs no other words.
    let whole = impact.data.iter().any(|table| table.whole);
    all.extend(impact.unseen.iter().filter(|_| !whole).cloned());
    if !beside.is_empty() {
        all.push(format!(
            "by cascades and triggers: {}",
            named(&beside).join("; ")
        ));
    }
    if all.is_empty() {
        return "no row changes".to_owned();
    }
    all.join("; ")
}

/// Returns what is said of each table, the last of many together.
fn named(tables: &[&AtRisk]) -> Vec<String> {
    let count = if tables.len() > NAMED + 1 {
        NAMED
    } else {
        tables.len()
    };
    let (first, rest) = tables.split_at(count);
    let mut said: Vec<String> = first.iter().map(|table| at_risk(table)).collect();
    if !rest.is_empty() {
        let rows: u64 = rest
            .iter()
            .map(|table| table.deleted + table.updated + table.inserted)
            .sum();
        let tables = words::count(words::long(rest.len()), "more table");
        said.push(format!("{} of {tables}", amount::rows(rows)));
    }
    said
}

/// Returns "3 rows of farms deleted, 1 updated (0.3% of about 1200)".
fn at_risk(found: &AtRisk) -> String {
    if found.whole {
        let rows = found.of.map(|of| format!(", about {}", amount::rows(of)));
        return format!("all of {}{}", found.table, rows.unwrap_or_default());
    }
    let deeds = [
        (found.deleted, "deleted"),
        (found.updated, "updated"),
        (found.inserted, "new"),
    ];
    let mut parts: Vec<String> = Vec::new();
    for (count, deed) in deeds.into_iter().filter(|(count, _)| *count > 0) {
        parts.push(if parts.is_empty() {
            format!("{} of {} {deed}", amount::rows(count), found.table)
        } else {
            format!("{count} {deed}")
        });
    }
    let touched = found.deleted + found.updated;
    let of = found.of.filter(|of| touched > 0 && *of > 0);
    let of = of.map(|of| format!(" ({} of about {of})", share(touched, of)));
    parts.join(", ") + &of.unwrap_or_default()
}

/// Returns "50%", "2.5%"; never more than it is, so that only all is 100%.
fn share(part: u64, of: u64) -> String {
    let tenths = u128::from(part) * 1000 / u128::from(of);
    match tenths {
        0 => "less than 0.1%".to_owned(),
        1..100 if !tenths.is_multiple_of(10) => format!("{}.{}%", tenths / 10, tenths % 10),
        _ => format!("{}%", tenths / 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_never_rounded_up() {
        let cases = [
            (1, 2, "50%"),
            (999, 1000, "99%"),
            (1000, 1000, "100%"),
            (25, 1000, "2.5%"),
            (20, 1000, "2%"),
            (1, 1000, "0.1%"),
            (1, 1001, "less than 0.1%"),
        ];
        for (part, of, words) in cases {
            assert_eq!(share(part, of), words);
        }
    }

    #[test]
    fn many_tables_are_summed_up() {
        let table = |name: &&str| AtRisk {
            table: (*name).to_owned(),
            deleted: 2,
            ..AtRisk::default()
        };
        let tables: Vec<AtRisk> = ["a", "b", "c", "d", "e", "f"].iter().map(table).collect();
        let all: Vec<&AtRisk> = tables.iter().collect();
        assert_eq!(named(&all).len(), 5);
        assert_eq!(named(&all).last().unwrap(), "4 rows of 2 more tables");
        assert_eq!(named(&all[..5]).last().unwrap(), "2 rows of e deleted");
    }
}
