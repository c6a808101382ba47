//! What is at stake, in five lines: what is done, how risky it is, what may be lost, what is saved of it, and how
//! long it takes to have it back.

use super::amount;
use crate::base::words;
use crate::engine::impact::{AtRisk, Impact, Saving};
use crate::step::backup::Verify;

/// One of the five lines.
pub(super) struct Said {
    /// What it is about.
    pub(super) label: &'static str,
    /// What it says.
    pub(super) text: String,
    /// Whether it must not be overlooked.
    pub(super) loud: bool,
}

/// Returns the five lines.
pub(super) fn lines(impact: &Impact) -> [Said; 5] {
    let saved = !impact.backups.is_empty();
    let nothing = !saved && !impact.lost.is_empty();
    let said = |label, text, loud| Said { label, text, loud };
    [
        said("Operation", impact.operation.join("; "), false),
        said("Risk", format!("{}: {}", impact.risk, impact.reason), true),
        said("Data at risk", data(impact), false),
        said("Backup", backup(impact), nothing),
        said("Recovery time", recovery(impact), impact.recovery.is_none()),
    ]
}

fn data(impact: &Impact) -> String {
    let tables = impact.data.iter().map(at_risk);
    // What is told by its table needs no other words.
    let whole = impact.data.iter().any(|table| table.whole);
    let unseen = impact.unseen.iter().filter(|_| !whole).cloned();
    let all: Vec<String> = tables.chain(unseen).collect();
    if all.is_empty() {
        return "no row changes".to_owned();
    }
    all.join("; ")
}

/// Returns "3 rows of farms deleted, 1 updated (of about 1200)".
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
    let of = found.of.map(|of| format!(" (of about {of})"));
    parts.join(", ") + &of.unwrap_or_default()
}

fn backup(impact: &Impact) -> String {
    let saved: Vec<String> = impact.backups.iter().map(saving).collect();
    let lost = words::list(&impact.lost);
    match (saved.as_slice(), impact.lost.is_empty(), impact.undoable) {
        ([], true, _) => "none made; what changes is kept in the journal".to_owned(),
        ([], false, true) => {
            format!(
                "NONE of what {lost} does, which nothing puts back; the rest is kept in the journal"
            )
        }
        ([], false, false) => "NONE: nothing puts back what is done".to_owned(),
        (saved, ..) => words::list(saved),
    }
}

/// Returns "7f3k29-before (1.2 kB, verified by a restore)".
fn saving(backup: &Saving) -> String {
    let verified = match backup.verified {
        None => return format!("{} (not made in a dry run)", backup.id),
        Some(Verify::Checksum) => "verified",
        Some(Verify::Restore) => "verified by a restore",
    };
    format!("{} ({}, {verified})", backup.id, words::bytes(backup.bytes))
}

fn recovery(impact: &Impact) -> String {
    let time = impact.recovery_seconds.map(|seconds| match seconds {
        0..=60 => "about a minute at most".to_owned(),
        61..=3600 => format!("about {}", words::count(seconds.div_ceil(60), "minute")),
        _ => format!("about {}", words::count(seconds.div_ceil(3600), "hour")),
    });
    match (time, &impact.recovery) {
        (Some(time), Some(command)) => format!("{time}: {command}"),
        _ => "it cannot be recovered".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::risk::Risk;

    fn impact() -> Impact {
        Impact {
            operation: vec!["DELETE farms".to_owned(), "TRUNCATE logs".to_owned()],
            risk: Risk::High,
            reason: "deletes every row".to_owned(),
            data: Vec::new(),
            locks: Vec::new(),
            unseen: Vec::new(),
            backups: Vec::new(),
            lost: Vec::new(),
            undoable: true,
            recovery_seconds: Some(1),
            recovery: Some("runbook undo 7f3k29".to_owned()),
        }
    }

    fn text(impact: &Impact, line: usize) -> String {
        lines(impact).into_iter().nth(line).unwrap().text
    }

    #[test]
    fn what_is_kept_decides_what_is_said() {
        let none = impact();
        assert_eq!(text(&none, 2), "no row changes");
        assert_eq!(
            text(&none, 3),
            "none made; what changes is kept in the journal"
        );
        assert_eq!(
            text(&none, 4),
            "about a minute at most: runbook undo 7f3k29"
        );
        let lost = Impact {
            lost: vec!["drop".to_owned()],
            ..impact()
        };
        assert!(text(&lost, 3).starts_with("NONE of what drop does"));
        let all = Impact {
            undoable: false,
            recovery: None,
            recovery_seconds: None,
            ..lost
        };
        assert_eq!(text(&all, 3), "NONE: nothing puts back what is done");
        assert_eq!(text(&all, 4), "it cannot be recovered");
        assert!(lines(&all).iter().skip(3).all(|line| line.loud));
        let minutes = Impact {
            recovery_seconds: Some(61),
            ..impact()
        };
        assert!(text(&minutes, 4).starts_with("about 2 minutes: "));
        let hours = Impact {
            recovery_seconds: Some(3601),
            ..impact()
        };
        assert!(text(&hours, 4).starts_with("about 2 hours: "));
    }
}
