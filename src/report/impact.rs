//! What is at stake, in a few lines: what is done, how risky it is, what may be lost, who would wait, what is saved of
//! it, and how long it takes to have it back.

mod data;
mod locks;

use crate::base::words;
use crate::engine::impact::{Impact, Saving};
use crate::engine::pace::Earlier;
use crate::step::backup::Verify;

/// One of the lines.
pub(super) struct Said {
    /// What it is about.
    pub(super) label: &'static str,
    /// What it says.
    pub(super) text: String,
    /// Whether it must not be overlooked.
    pub(super) loud: bool,
}

/// Returns the lines: the five of them, and what is locked where that is known.
pub(super) fn lines(impact: &Impact) -> Vec<Said> {
    let saved = !impact.backups.is_empty();
    let nothing = !saved && !impact.lost.is_empty();
    let said = |label, text, loud| Said { label, text, loud };
    let locks = locks::said(&impact.locks).map(|text| said("Locks", text, false));
    let first = [
        said("Operation", impact.operation.join("; "), false),
        said("Risk", risk(impact), true),
        said("Data at risk", data::said(impact), false),
    ];
    let last = [
        said("Backup", backup(impact), nothing),
        said("Recovery time", recovery(impact), impact.recovery.is_none()),
    ];
    first.into_iter().chain(locks).chain(last).collect()
}

fn risk(impact: &Impact) -> String {
    let Impact { risk, reason, .. } = impact;
    match &impact.raised {
        None => format!("{risk}: {reason}"),
        Some(raised) => format!("{risk}: {raised} ({reason})"),
    }
}

fn backup(impact: &Impact) -> String {
    let saved: Vec<String> = impact.backups.iter().map(saving).collect();
    let lost = words::list(&impact.lost);
    let none = match (saved.as_slice(), impact.lost.is_empty(), impact.undoable) {
        ([], true, _) => "none made; what changes is kept in the journal".to_owned(),
        ([], false, true) => {
            format!(
                "NONE of what {lost} does, which nothing puts back; the rest is kept in the journal"
            )
        }
        ([], false, false) => "NONE: nothing puts back what is done".to_owned(),
        (saved, ..) => return words::list(saved),
    };
    match &impact.newest {
        Some(newest) => format!(
            "{none}; the newest of the whole database, verified, is {} old",
            age(newest.age_seconds)
        ),
        None => none,
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
    let basis = match impact.earlier {
        None => "at a guess".to_owned(),
        Some(Earlier::Restores(1)) => "as the last restore took".to_owned(),
        Some(Earlier::Restores(of)) => format!("as the last {of} restores took"),
        Some(Earlier::Undos(1)) => "as the last undo took".to_owned(),
        Some(Earlier::Undos(of)) => format!("as the last {of} undos took"),
    };
    match (time, &impact.recovery, &impact.newest) {
        (Some(time), Some(command), _) => format!("{time}, {basis}: {command}"),
        (.., Some(_)) => {
            "only what that backup has comes back: runbook backup list, runbook backup restore"
                .to_owned()
        }
        _ => "it cannot be recovered".to_owned(),
    }
}

/// Returns "40 minutes", "5 hours", "3 days".
fn age(seconds: u64) -> String {
    match seconds {
        0..60 => "less than a minute".to_owned(),
        60..3600 => words::count(seconds / 60, "minute"),
        3600..172_800 => words::count(seconds / 3600, "hour"),
        _ => words::count(seconds / 86_400, "day"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::impact::Newest;
    use crate::sql::risk::Risk;

    fn impact() -> Impact {
        Impact {
            operation: vec!["DELETE farms".to_owned(), "TRUNCATE logs".to_owned()],
            risk: Risk::High,
            reason: "deletes every row".to_owned(),
            raised: None,
            data: Vec::new(),
            locks: Vec::new(),
            unseen: Vec::new(),
            backups: Vec::new(),
            newest: None,
            lost: Vec::new(),
            undoable: true,
            recovery_seconds: Some(1),
            earlier: None,
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
            "about a minute at most, at a guess: runbook undo 7f3k29"
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
        assert!(text(&minutes, 4).starts_with("about 2 minutes, at a guess: "));
        let hours = Impact {
            recovery_seconds: Some(3601),
            earlier: Some(Earlier::Undos(3)),
            ..impact()
        };
        assert!(text(&hours, 4).starts_with("about 2 hours, as the last 3 undos took: "));
    }

    #[test]
    fn an_older_backup_is_told_with_its_age() {
        let newest = |age_seconds| {
            let taken_at = jiff::Timestamp::UNIX_EPOCH;
            Some(Newest {
                taken_at,
                age_seconds,
            })
        };
        let lost = Impact {
            lost: vec!["drop".to_owned()],
            undoable: false,
            recovery: None,
            recovery_seconds: None,
            newest: newest(3 * 3600),
            ..impact()
        };
        assert_eq!(
            text(&lost, 3),
            "NONE: nothing puts back what is done; the newest of the whole database, verified, is 3 hours old"
        );
        assert!(text(&lost, 4).starts_with("only what that backup has comes back"));
        assert!(lines(&lost).iter().skip(3).all(|line| line.loud));
        let kept = Impact {
            newest: newest(200_000),
            ..impact()
        };
        assert!(text(&kept, 3).ends_with("is 2 days old"));
        let raised = Impact {
            raised: Some("9 rows, and more than 5 are high risk on this target".to_owned()),
            ..impact()
        };
        assert_eq!(
            text(&raised, 1),
            "high: 9 rows, and more than 5 are high risk on this target (deletes every row)"
        );
    }
}
