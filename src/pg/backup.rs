//! Backups of a live database: made under one snapshot, proved, and put back.
//!
//! | module | its one job |
//! |---|---|
//! | [`catalog`] | what a table is, whether all of it can be read, and what the server counts and hashes of it |
//! | `snapshot` | one snapshot that several connections see |
//! | `space`, `limit`, `progress` | whether there is room for it; what stops it; how far it is |
//! | `rows` | rows of tables, over the run's own connection |
//! | `copy`, `tables` | whole tables, several at once |
//! | `prune` | older backups of the same name, once a new one is good |
//! | `dump`, [`tools`] | the whole database, by `pg_dump` of a version that fits |
//! | `process`, `libpq` | a program of PostgreSQL's at work, and how it is told where the database is |
//! | [`trial`] | a backup is restored where it harms nobody, and compared |
//! | [`fresh`] | a database that gets its name when it is good |
//! | [`into`], `definition`, [`load`] | tables into a database, with what makes them anew |
//! | [`swap`] | a database in the place of another |
//! | `maintenance` | a connection to another database of the same server |
//! | [`present`] | what there is now where a backup would be restored to |

pub mod catalog;
mod copy;
mod definition;
mod dump;
pub mod fresh;
pub mod into;
mod libpq;
mod limit;
pub mod load;
mod maintenance;
pub mod present;
mod process;
mod progress;
mod prune;
mod rows;
mod snapshot;
mod space;
pub mod swap;
mod tables;
pub mod tools;
pub mod trial;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;

use super::environment::Environment;
use super::session::Session;
use crate::archive::folder::Draft;
use crate::archive::manifest::{Encryption, FileFact, Holds, Manifest, Table};
use crate::archive::notes::Notes;
use crate::archive::seal::{FileKey, Keys};
use crate::archive::store::Found;
use crate::archive::{self, name, proof, seal};
use crate::engine::backup::{Backed, BackedTable, Order, Progressing, Seal, What};
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::port::Limits;
use crate::step::backup::{DatabaseBackup, Keep, Verify};
use progress::Meter;

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
    /// Which backups runs need.
    pub needed: Needed,
    /// How long backups are kept where nothing nearer says it.
    pub keep: Option<Keep>,
    /// Whom backups are encrypted for where nothing nearer says it.
    pub encrypt: Vec<String>,
}

impl Site {
    /// Returns an order with what this says of keeping and encrypting, where the order says nothing.
    #[must_use]
    pub fn completed(&self, mut order: Order) -> Order {
        order.keep = order.keep.or(self.keep);
        if order.seal.is_none() && !self.encrypt.is_empty() {
            order.seal = Some(Seal::Recipients(self.encrypt.clone()));
        }
        order
    }
}

/// What finds out, when backups are about to be deleted, which of those in a folder runs need: by id, and why.
/// They are never deleted.
#[derive(Clone)]
pub struct Needed(Arc<Finds>);

/// Finds what is needed in a folder.
type Finds = dyn Fn(&Path) -> BTreeMap<String, String> + Send + Sync;

impl Needed {
    /// Has this find it out.
    pub fn by(finds: impl Fn(&Path) -> BTreeMap<String, String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(finds))
    }

    /// Returns what runs need at this moment.
    pub fn of(&self, folder: &Path) -> BTreeMap<String, String> {
        (self.0)(folder)
    }
}

impl Default for Needed {
    /// No run needs any.
    fn default() -> Self {
        Self::by(|_| BTreeMap::new())
    }
}

impl Site {
    /// Returns the key of a backup's files; none where it is not encrypted.
    ///
    /// # Errors
    /// It is encrypted, and none of the keys is one for it.
    pub fn key(&self, found: &Found) -> Result<Option<FileKey>, Failure> {
        if found.manifest.encryption.is_none() {
            return Ok(None);
        }
        let made = self.made.lock().ok();
        if let Some(key) = made.and_then(|made| made.get(&found.folder).cloned()) {
            return Ok(Some(key));
        }
        let path = found.folder.join(seal::FILE);
        let sealed = std::fs::read(&path).map_err(|error| archive::io("read", &path, &error))?;
        FileKey::open(&found.folder, &sealed, &self.keys).map(Some)
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
    let made = Box::pin(make(session, site, order, limits, told)).await;
    let (folder, manifest, sha256) =
        made.map_err(|failure| failure.note("no backup was made; earlier ones are as they were"))?;
    let pruned = prune::after(session, site, order, &folder, &manifest);
    Ok(backed(order, &folder, &manifest, sha256, pruned))
}

/// Makes a backup up to where it has its name.
async fn make(
    session: &mut Session,
    site: &Site,
    order: &Order,
    limits: &Limits,
    told: Told<'_>,
) -> Result<(PathBuf, Manifest, String), Failure> {
    name::check(&order.name)?;
    limit::check(limits)?;
    let backups = order.to.as_deref().unwrap_or(&site.folder);
    let draft = Draft::begin(backups, &order.id, order.seal.as_ref())?;
    let content = Box::pin(save(session, site, order, &draft, limits, told)).await?;
    let mut manifest = manifest(session, order, content);
    draft.complete(&mut manifest)?;
    prove(site, &draft, &manifest, limits, told).await?;
    let read_at = Some(Timestamp::now());
    let restored_at = match order.verify {
        Verify::Checksum => None,
        Verify::Restore => {
            let found = Found {
                folder: draft.folder().to_owned(),
                manifest: manifest.clone(),
                notes: Notes::default(),
                bytes: manifest.files.iter().map(|file| file.bytes).sum(),
            };
            let trial = trial::restore(session, site, &found, draft.key(), limits, told);
            Box::pin(trial).await?;
            Some(Timestamp::now())
        }
    };
    limit::check(limits)?;
    manifest.finished_at = Timestamp::now();
    let key = draft.key().cloned();
    let (folder, sha256) = draft.finish(&mut manifest)?;
    if let (Some(key), Ok(mut made)) = (key, site.made.lock()) {
        made.insert(folder.clone(), key);
    }
    let notes = Notes {
        read_at,
        restored_at,
        ..Notes::default()
    };
    if let Err(failure) = notes.write(&folder) {
        // It is good all the same: only when it was read back is to be found out again.
        session.say(failure.message);
    }
    Ok((folder, manifest, sha256))
}

/// What was saved.
struct Content {
    tables: Vec<Table>,
    types: Vec<String>,
    files: Vec<FileFact>,
    tool: Option<String>,
    taken_at: Timestamp,
}

async fn save(
    session: &mut Session,
    site: &Site,
    order: &Order,
    draft: &Draft,
    limits: &Limits,
    told: Told<'_>,
) -> Result<Content, Failure> {
    match &order.what {
        What::Rows(rows) => {
            space::check(draft.folder(), 0)?;
            rows::save(session, draft, rows, limits, told).await
        }
        What::Tables(names) => tables::save(session, site, draft, names, limits, told).await,
        What::Database(scope) => {
            let saved = dump::save(session, site, draft, *scope, limits, told).await?;
            Ok(Content {
                tables: saved.tables,
                types: Vec::new(),
                files: saved.files,
                tool: Some(saved.tool),
                taken_at: saved.taken_at,
            })
        }
    }
}

fn manifest(session: &Session, order: &Order, content: Content) -> Manifest {
    Manifest {
        format: Manifest::FORMAT,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        id: order.id.clone(),
        name: order.name.clone(),
        holds: match order.what {
            What::Rows(_) => Holds::Rows,
            What::Tables(_) => Holds::Tables,
            What::Database(scope) => Holds::Database(scope),
        },
        taken_at: content.taken_at,
        finished_at: content.taken_at,
        made_by: order.made_by.clone(),
        source: session.target().clone(),
        tables: content.tables,
        types: content.types,
        files: content.files,
        tool: content.tool,
        encryption: order.seal.as_ref().map(Encryption::from),
        keep: order.keep,
        checksum: String::new(),
    }
}

/// Reads everything back in full, in a thread: it is work for a processor.
async fn prove(
    site: &Site,
    draft: &Draft,
    manifest: &Manifest,
    limits: &Limits,
    told: Told<'_>,
) -> Result<(), Failure> {
    let meter = Arc::new(Meter::new(
        "reading it back",
        Some(manifest.files.iter().map(|file| file.bytes).sum()),
    ));
    let (folder, key) = (draft.folder().to_owned(), draft.key().cloned());
    let (proved, stops, counted) = (manifest.clone(), limits.clone(), Arc::clone(&meter));
    let read = move || {
        proof::of(&folder, &proved, key.as_ref(), &|bytes| {
            counted.add(bytes);
            limit::check(&stops)
        })
    };
    let reading = meter.telling(told, tokio::task::spawn_blocking(read));
    reading
        .await
        .map_err(|error| refused(format!("it could not be read back: {error}")))??;
    if matches!(manifest.holds, Holds::Database(_)) {
        let proving = dump::prove(site, draft.folder(), manifest, draft.key(), limits, told);
        Box::pin(proving).await?;
    }
    Ok(())
}

/// Says what became of an order.
fn backed(
    order: &Order,
    folder: &Path,
    manifest: &Manifest,
    sha256: String,
    pruned: Vec<String>,
) -> Backed {
    Backed {
        id: manifest.id.clone(),
        path: folder.display().to_string(),
        holds: match manifest.holds {
            Holds::Rows => "rows",
            Holds::Tables => "tables",
            Holds::Database(DatabaseBackup::Full) => "database",
            Holds::Database(DatabaseBackup::Schema) => "schema",
            Holds::Database(DatabaseBackup::Data) => "data",
        }
        .to_owned(),
        tables: manifest
            .tables
            .iter()
            .map(|table| BackedTable {
                table: table.relation.clone(),
                rows: table.tally.rows,
            })
            .collect(),
        rows: manifest.tables.iter().map(|table| table.tally.rows).sum(),
        bytes: manifest.files.iter().map(|file| file.bytes).sum(),
        sha256,
        verified: order.verify,
        encrypted: manifest.encryption.is_some(),
        pruned,
    }
}

/// Returns the failure of a backup that cannot be made.
fn refused(message: impl Into<String>) -> Failure {
    Failure::new(FailureKind::Backup, message)
}
