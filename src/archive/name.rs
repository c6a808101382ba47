//! What backups are called.

use jiff::Timestamp;

use crate::engine::failure::Failure;

/// Checks the name that backups share: letters, digits, `-`, `_` and `.`, not at its beginning `.` or `-`, at
/// most 100 bytes. It is a part of a folder's name, so nothing that leads elsewhere can be one.
///
/// # Errors
/// What is wrong with it.
pub fn check(name: &str) -> Result<(), Failure> {
    let _ = name;
    todo()
}

/// Returns the id of a backup of a name that is made now: `before-changes-20261121-081502`, in UTC.
pub fn id(name: &str, now: Timestamp) -> String {
    let _ = now;
    name.to_owned()
}

fn todo<T>() -> Result<T, Failure> {
    Err(super::io("find", std::path::Path::new("."), &"nothing"))
}
