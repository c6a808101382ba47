//! What backups are called.

use std::path::Path;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::engine::failure::{Failure, FailureKind};

/// How long the name that backups share may be, in bytes.
const NAME: usize = 100;
/// How long an id may be: a name, a date, a time and a number, or a run and its step.
const ID: usize = 200;

/// Checks the name that backups share: letters, digits, `-`, `_` and `.`, not at its beginning `.` or `-`, at
/// most 100 bytes. It is a part of a folder's name, so nothing that leads elsewhere can be one.
///
/// # Errors
/// What is wrong with it.
pub fn check(name: &str) -> Result<(), Failure> {
    checked("name", name, NAME)
}

/// Checks the id of a backup, which is a name with more behind it: at most 200 bytes.
///
/// # Errors
/// What is wrong with it.
pub fn check_id(id: &str) -> Result<(), Failure> {
    checked("id", id, ID)
}

fn checked(what: &str, name: &str, most: usize) -> Result<(), Failure> {
    let is_allowed = |letter: &char| letter.is_ascii_alphanumeric() || "-_.".contains(*letter);
    let wrong = if name.is_empty() {
        "it is empty".to_owned()
    } else if let Some(letter) = name.chars().find(|letter| !is_allowed(letter)) {
        format!("it has {letter:?} in it")
    } else if name.starts_with(['.', '-']) {
        "it begins with `.` or `-`".to_owned()
    } else if name.len() > most {
        format!("it has more than {most} letters")
    } else {
        return Ok(());
    };
    let shown: String = name.chars().take(most).collect();
    Err(Failure::new(
        FailureKind::Backup,
        format!("{shown:?} cannot be the {what} of a backup: {wrong}"),
    )
    .help(
        "use letters from a to z, digits, `-`, `_` and `.`, with a letter or digit first, such as `before-changes`",
    ))
}

/// Returns the id of a backup of a name that is made now: `before-changes-20261121-081502`, in UTC.
pub fn id(name: &str, now: Timestamp) -> String {
    let now = now.to_zoned(TimeZone::UTC).strftime("%Y%m%d-%H%M%S");
    format!("{name}-{now}")
}

/// Returns the [`id`] of a backup that is made now in a folder of backups: with `-2`, `-3` … behind it where
/// there is one of that id, or one is being written.
pub fn free_id(backups: &Path, name: &str, now: Timestamp) -> String {
    let id = id(name, now);
    let is_free = |id: &String| {
        let is_there = |path: &Path| path.symlink_metadata().is_ok();
        !is_there(&backups.join(id)) && !is_there(&backups.join(partial(id)))
    };
    let mut ids =
        std::iter::once(id.clone()).chain((2..=999).map(|number| format!("{id}-{number}")));
    ids.find(is_free).unwrap_or(id)
}

/// Returns what the folder of a backup is called until it is good.
pub(super) fn partial(id: &str) -> String {
    format!(".{id}.partial")
}

/// Returns whether that is what the folder of a backup is called until it is good.
pub(super) fn is_partial(folder: &str) -> bool {
    folder.starts_with('.') && folder.ends_with(".partial")
}

/// Returns whether an id ends with the date and time that [`id`] gives it.
pub(super) fn is_dated(id: &str) -> bool {
    let is_number = |part: &str, digits: usize| {
        part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    let mut parts = id.rsplit('-').peekable();
    parts.next_if(|part| (1..=3).any(|digits| is_number(part, digits)));
    parts.next().is_some_and(|time| is_number(time, 6))
        && parts.next().is_some_and(|date| is_number(date, 8))
        && parts.next().is_some()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_of_the_folder_they_are_in_are_taken() {
        for name in [
            "before-changes",
            "a",
            "7f3k29-save.x_1",
            "A.B",
            &"x".repeat(100),
        ] {
            assert_eq!(check(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for name in [
            "",
            ".",
            "..",
            "../x",
            "a/b",
            "/etc",
            ".hidden",
            "-rf",
            "a b",
            "a\0b",
            "a\nb",
            "é",
            "a\\b",
            "~",
            &"x".repeat(101),
        ] {
            let failure = check(name).unwrap_err();
            assert!(
                failure.message.len() < 300 && !failure.help.is_empty(),
                "{name}"
            );
        }
        assert_eq!(
            check("a/b").unwrap_err().message,
            "\"a/b\" cannot be the name of a backup: it has '/' in it"
        );
    }

    #[test]
    fn an_id_is_the_name_and_the_time_in_utc() {
        let now: Timestamp = "2026-11-21T10:15:02+02:00".parse().unwrap();
        assert_eq!(id("before-changes", now), "before-changes-20261121-081502");
        assert!(is_dated("before-changes-20261121-081502"));
        assert!(is_dated("before-changes-20261121-081502-2"));
        for other in [
            "before-changes",
            "7f3k29-save",
            "notes-2026-11-21",
            "20261121-081502",
        ] {
            assert!(!is_dated(other), "{other}");
        }
    }

    #[test]
    fn an_id_that_is_taken_gets_a_number() {
        let folder = tempfile::tempdir().unwrap();
        let now: Timestamp = "2026-11-21T08:15:02Z".parse().unwrap();
        assert_eq!(free_id(folder.path(), "b", now), "b-20261121-081502");
        std::fs::create_dir(folder.path().join("b-20261121-081502")).unwrap();
        assert_eq!(free_id(folder.path(), "b", now), "b-20261121-081502-2");
        std::fs::create_dir(folder.path().join(".b-20261121-081502-2.partial")).unwrap();
        assert_eq!(free_id(folder.path(), "b", now), "b-20261121-081502-3");
    }

    proptest! {
        #[test]
        fn a_name_that_is_taken_is_one_plain_folder(name: String) {
            if check(&name).is_ok() {
                let path = Path::new("/backups").join(&name);
                prop_assert_eq!(path.parent(), Some(Path::new("/backups")));
                prop_assert_eq!(path.file_name(), Some(std::ffi::OsStr::new(&name)));
                prop_assert!(!is_partial(&name));
            }
        }
    }
}
