//! Backups of a live database: made under one snapshot, proved, and put back.
//!
//! | module | its one job |
//! |---|---|
//! | [`catalog`] | what a table is, whether all of it can be read, and what the server counts and hashes of it |
//! | `snapshot` | one snapshot that several connections see |
//! | `space` | whether there is room for it |
//! | `rows` | rows of tables, over the run's own connection |
//! | `copy` | whole tables, several at once |
//! | `dump`, [`tools`] | the whole database, by `pg_dump` of a version that fits |
//! | [`trial`] | a backup is restored where it harms nobody, and compared |
//! | [`fresh`] | a database that gets its name when it is good |
//! | [`into`], `definition`, [`load`] | tables into a database, with what makes them anew |
//! | [`swap`] | a database in the place of another |
//! | [`present`] | what there is now where a backup would be restored to |

pub mod catalog;
mod copy;
mod definition;
mod dump;
pub mod fresh;
pub mod into;
pub mod load;
pub mod present;
mod rows;
mod snapshot;
mod space;
pub mod swap;
pub mod tools;
pub mod trial;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use super::environment::Environment;
use super::session::Session;
use crate::archive::seal::{FileKey, Keys};
use crate::archive::store::Found;
use crate::engine::backup::{Backed, Order, Progressing};
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::port::Limits;

/// Where backups are, and with what they are made.
#[derive(Clone)]
pub struct Site {
    /// The folder of all backups.
    pub folder: PathBuf,
    /// Where PostgreSQL's programs are looked for.
    pub environment: Environment,
    /// How many connections work at once.
    pub jobs: usize,
    /// What encrypted backups are opened with.
    pub keys: Keys,
    /// The keys of encrypted backups that this process made, by their folders: a run can put back from its own.
    pub made: Arc<Mutex<BTreeMap<PathBuf, FileKey>>>,
    /// Backups that runs need, by id, and why: they are never deleted.
    pub needed: BTreeMap<String, String>,
}

impl Site {
    /// Returns the key of a backup's files; none where it is not encrypted.
    ///
    /// # Errors
    /// It is encrypted, and none of the keys is one for it.
    pub fn key(&self, found: &Found) -> Result<Option<FileKey>, Failure> {
        let _ = found;
        Err(unfinished())
    }
}

/// Who is told how far it is.
pub type Told<'a> = &'a mut dyn FnMut(&Progressing);

/// Makes a backup: saves, reads all of it back, compares, gives it its name, and then deletes older ones that
/// its `keep` does not keep.
///
/// # Errors
/// Why there is none: earlier ones are as they were, and nothing half done is left.
pub async fn create(
    session: &mut Session,
    site: &Site,
    order: &Order,
    limits: &Limits,
    told: Told<'_>,
) -> Result<Backed, Failure> {
    let _ = (session, site, order, limits, told);
    Err(unfinished())
}

/// Returns the failure of a backup that cannot be made.
fn refused(message: impl Into<String>) -> Failure {
    Failure::new(FailureKind::Backup, message)
}

/// Returns the failure of what is not written yet.
fn unfinished() -> Failure {
    Failure::new(FailureKind::Unsupported, "not written yet")
}
