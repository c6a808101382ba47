//! The proof of a backup: all of it is read back, and compared with what the server counted and hashed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::damaged;
use super::files::{self, Content};
use super::manifest::{FileFact, Manifest, Table};
use super::notes::Notes;
use super::row::Tally;
use super::seal::{self, FileKey};
use super::table_file::TableReader;
use crate::base::words;
use crate::engine::failure::Failure;

/// Who is told how many bytes were read, and stops the reading by an error.
type Told<'a> = &'a (dyn Fn(u64) -> Result<(), Failure> + Sync);

/// Reads every file of a backup in full and compares sizes and SHA-256; reads the rows of every table with a
/// file of its own, and compares their count and hash with the server's. Of an encrypted backup without its
/// key only the files are compared. `read` is told how many bytes were read, and stops it by an error.
///
/// The folder may still be without its manifest and notes.
///
/// # Errors
/// What is wrong, and where.
pub fn of(
    folder: &Path,
    manifest: &Manifest,
    key: Option<&FileKey>,
    read: &(dyn Fn(u64) -> Result<(), Failure> + Sync),
) -> Result<(), Failure> {
    layout(folder, manifest)?;
    let tables: BTreeMap<&str, &Table> = manifest
        .tables
        .iter()
        .filter_map(|table| Some((table.file.as_deref()?, table)))
        .collect();
    let is_readable = manifest.encryption.is_none() || key.is_some();
    let mut work: Vec<(&FileFact, Option<&Table>)> = manifest
        .files
        .iter()
        .map(|file| {
            (
                file,
                tables
                    .get(file.path.as_str())
                    .copied()
                    .filter(|_| is_readable),
            )
        })
        .collect();
    // The largest first, so that none is left for one thread alone at the end.
    work.sort_by_key(|(file, _)| std::cmp::Reverse(file.bytes));
    at_once(&work, |(file, table)| match table {
        Some(table) => rows(folder, file, table, key, read),
        None => content(folder, file, read),
    })
}

/// Compares what is in the folder with what the manifest says there is, without reading it.
///
/// # Errors
/// A file is missing, has another size, or is not of the backup; the manifest contradicts itself.
pub(super) fn layout(folder: &Path, manifest: &Manifest) -> Result<(), Failure> {
    let mut known = BTreeSet::new();
    for file in &manifest.files {
        files::has_size(folder, file)?;
        if !known.insert(file.path.as_str()) || is_own(&file.path) {
            return Err(damaged(
                folder,
                format!("its manifest names {} twice", file.path),
            ));
        }
    }
    let mut of_tables = BTreeSet::new();
    for table in &manifest.tables {
        if let Some(file) = table.file.as_deref()
            && !(known.contains(file) && of_tables.insert(file))
        {
            return Err(damaged(
                folder,
                format!("{file} of {} is not among its files", table.relation),
            ));
        }
    }
    if manifest.encryption.is_some() != known.contains(seal::FILE) {
        return Err(damaged(
            folder,
            format!("{} does not go with its manifest", seal::FILE),
        ));
    }
    let content = Content::of(folder)?;
    let mut others = content
        .files
        .keys()
        .filter(|name| !known.contains(name.as_str()) && !is_own(name));
    if let Some(name) = others.next() {
        return Err(damaged(folder, format!("{name} is not of it")));
    }
    match content.others.first() {
        Some(path) => Err(damaged(folder, format!("{} is not of it", path.display()))),
        None => Ok(()),
    }
}

/// Returns whether a file is one that no manifest lists.
fn is_own(name: &str) -> bool {
    name == Manifest::FILE || Notes::is_file(name)
}

/// Does the work in as many threads as there are processors. When some of it fails the others stop soon; returns
/// the failure of what comes first.
fn at_once<T: Sync>(
    work: &[T],
    each: impl Fn(&T) -> Result<(), Failure> + Sync,
) -> Result<(), Failure> {
    let next = AtomicUsize::new(0);
    let stopped = AtomicBool::new(false);
    let failures = Mutex::new(BTreeMap::new());
    let worker = || {
        while !stopped.load(Ordering::Relaxed) {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = work.get(at) else { return };
            if let Err(failure) = each(item) {
                stopped.store(true, Ordering::Relaxed);
                let mut failures = failures.lock().unwrap_or_else(PoisonError::into_inner);
                failures.insert(at, failure);
            }
        }
    };
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 1..processors.min(work.len()) {
            scope.spawn(worker);
        }
        worker();
    });
    let failures = failures
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    failures.into_values().next().map_or(Ok(()), Err)
}

/// Reads the rows of a table.
fn rows(
    folder: &Path,
    file: &FileFact,
    table: &Table,
    key: Option<&FileKey>,
    read: Told<'_>,
) -> Result<(), Failure> {
    let mut reader = TableReader::open(folder, file, key)?;
    let mut tally = Tally::default();
    let mut told = 0;
    while let Some(lines) = reader.lines()? {
        tally.add_lines(lines);
        let consumed = reader.consumed();
        read(consumed - told)?;
        told = consumed;
    }
    read(reader.consumed() - told)?;
    same(folder, table, tally)
}

/// Compares what was read of a table with what the server counted and hashed under the same snapshot.
///
/// # Errors
/// It is not the same.
pub fn same(folder: &Path, table: &Table, tally: Tally) -> Result<(), Failure> {
    let (had, has) = (table.tally.rows, tally.rows);
    if had != has {
        let (had, has) = (words::count(had, "row"), words::count(has, "row"));
        return Err(damaged(
            folder,
            format!(
                "{} has {has} in it, and had {had} on the server",
                table.relation
            ),
        ));
    }
    if table.tally.hash != tally.hash {
        return Err(damaged(
            folder,
            format!("the rows of {} are not those of the server", table.relation),
        ));
    }
    Ok(())
}

/// Reads a file that is not of one table, or that cannot be decrypted.
fn content(folder: &Path, file: &FileFact, read: Told<'_>) -> Result<(), Failure> {
    let has = files::fact(folder, &file.path, read)?;
    if has != *file {
        let why = format!(
            "{} has another content than was written: its SHA-256 differs",
            file.path
        );
        return Err(damaged(folder, why));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;
    use std::sync::atomic::AtomicU64;

    use age::secrecy::ExposeSecret as _;
    use tempfile::TempDir;

    use super::*;
    use crate::archive::folder::Draft;
    use crate::archive::sample;
    use crate::archive::seal::Keys;
    use crate::base::secret::Secret;
    use crate::engine::backup::Seal;

    struct Made {
        _root: TempDir,
        folder: PathBuf,
        key: Option<FileKey>,
    }

    fn make(sealed: bool) -> Made {
        let root = tempfile::tempdir().unwrap();
        let identity = age::x25519::Identity::generate();
        let seal = sealed.then(|| Seal::Recipients(vec![identity.to_public().to_string()]));
        let folder = sample::backup(root.path(), "b-1", seal.as_ref());
        fs::write(folder.join("notes.json"), "any").unwrap();
        let keys = Keys {
            identities: vec![Secret::new(identity.to_string().expose_secret())],
            passphrase: None,
        };
        let key = sealed.then(|| {
            FileKey::open(&folder, &fs::read(folder.join("key.age")).unwrap(), &keys).unwrap()
        });
        Made {
            _root: root,
            folder,
            key,
        }
    }

    impl Made {
        /// Reads all of it, as `verify` does.
        fn prove(&self) -> Result<(), Failure> {
            let manifest = Manifest::read(&self.folder)?;
            of(&self.folder, &manifest, self.key.as_ref(), &|_| Ok(()))
        }

        fn refused(&self) -> String {
            self.prove().unwrap_err().message
        }

        /// Does something to each file in turn, which must be found, and puts it back.
        fn each_file(&self, mut damage: impl FnMut(&Path, &[u8])) {
            for name in Content::of(&self.folder).unwrap().files.into_keys() {
                if name != "notes.json" {
                    let path = self.folder.join(&name);
                    let whole = fs::read(&path).unwrap();
                    damage(&path, &whole);
                    fs::write(&path, &whole).unwrap();
                }
            }
            self.prove().unwrap();
        }
    }

    #[test]
    fn what_was_written_is_good_and_all_of_it_is_read() {
        for sealed in [false, true] {
            let made = make(sealed);
            let manifest = Manifest::read(&made.folder).unwrap();
            let bytes = AtomicU64::new(0);
            let read = |more| {
                bytes.fetch_add(more, Ordering::Relaxed);
                Ok(())
            };
            of(&made.folder, &manifest, made.key.as_ref(), &read).unwrap();
            let expected: u64 = manifest.files.iter().map(|file| file.bytes).sum();
            assert_eq!(bytes.load(Ordering::Relaxed), expected);
            // Without its key the files are compared.
            of(&made.folder, &manifest, None, &|_| Ok(())).unwrap();
        }
    }

    #[test]
    fn case_43_cut_at_every_percent_of_each_file_it_is_never_good() {
        for sealed in [false, true] {
            let made = make(sealed);
            made.each_file(|path, whole| {
                for percent in 0..100 {
                    fs::write(path, &whole[..whole.len() * percent / 100]).unwrap();
                    assert!(made.prove().is_err(), "{} at {percent} %", path.display());
                }
                fs::remove_file(path).unwrap();
                assert!(made.prove().is_err(), "{} gone", path.display());
            });
        }
    }

    #[test]
    fn case_44_a_flipped_bit_of_any_file_is_found() {
        for sealed in [false, true] {
            let made = make(sealed);
            made.each_file(|path, whole| {
                for sample in 0..120 {
                    let at = sample * whole.len() / 120;
                    let mut flipped = whole.to_vec();
                    flipped[at] ^= 1 << (sample % 8);
                    fs::write(path, flipped).unwrap();
                    assert!(made.prove().is_err(), "{} at {at}", path.display());
                }
            });
        }
    }

    #[test]
    fn two_files_exchanged_are_found() {
        let made = make(false);
        let [first, second] =
            ["tables/0001.copy.zst", "tables/0002.copy.zst"].map(|name| made.folder.join(name));
        let other = made.folder.join("x");
        fs::rename(&first, &other).unwrap();
        fs::rename(&second, &first).unwrap();
        fs::rename(&other, &second).unwrap();
        assert!(made.prove().is_err());
    }

    #[test]
    fn what_is_missing_or_not_of_it_is_named() {
        let made = make(false);
        let stray = made.folder.join("tables/9.zst");
        fs::write(&stray, "").unwrap();
        assert!(made.refused().ends_with("tables/9.zst is not of it"));
        fs::remove_file(&stray).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", &stray).unwrap();
        assert!(made.refused().ends_with("tables/9.zst is not of it"));
        fs::remove_file(&stray).unwrap();
        // A killed program may leave new notes.
        fs::write(made.folder.join("notes.json.new"), "").unwrap();
        made.prove().unwrap();
        fs::remove_file(made.folder.join("tables/0001.copy.zst")).unwrap();
        assert!(made.refused().ends_with("tables/0001.copy.zst is missing"));
        fs::remove_file(made.folder.join("manifest.json")).unwrap();
        assert!(made.refused().ends_with("it has no manifest.json"));
    }

    #[test]
    fn rows_that_the_server_did_not_have_are_found_though_the_files_are_right() {
        let root = tempfile::tempdir().unwrap();
        let draft = Draft::begin(root.path(), "b-1", None).unwrap();
        let manifest = sample::fill(&draft, "b-1", 2);
        let refused = |change: &dyn Fn(&mut Table)| {
            let mut manifest = manifest.clone();
            manifest.tables.iter_mut().skip(1).for_each(change);
            of(draft.folder(), &manifest, None, &|_| Ok(())).map_err(|failure| failure.message)
        };
        assert_eq!(refused(&|_| {}), Ok(()));
        let more = refused(&|table| table.tally.rows += 1).unwrap_err();
        assert!(
            more.ends_with("public.t2 has 400 rows in it, and had 401 rows on the server"),
            "{more}"
        );
        let other = refused(&|table| table.tally.hash += 1).unwrap_err();
        assert!(
            other.ends_with("the rows of public.t2 are not those of the server"),
            "{other}"
        );
        assert!(refused(&|table| table.file = Some("tables/0001.copy.zst".to_owned())).is_err());
        assert!(refused(&|table| table.file = Some("tables/none".to_owned())).is_err());
    }

    #[test]
    fn a_manifest_that_names_files_elsewhere_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let draft = Draft::begin(root.path(), "b-1", None).unwrap();
        let good = sample::fill(&draft, "b-1", 1);
        for name in [
            "../../etc/passwd",
            "/etc/passwd",
            "",
            "tables/../../x",
            "manifest.json",
        ] {
            let mut manifest = good.clone();
            manifest.files.push(FileFact {
                path: name.to_owned(),
                bytes: 0,
                sha256: String::new(),
            });
            assert!(
                of(draft.folder(), &manifest, None, &|_| Ok(())).is_err(),
                "{name}"
            );
        }
        let mut twice = good.clone();
        twice.files.extend(good.files);
        assert!(of(draft.folder(), &twice, None, &|_| Ok(())).is_err());
    }

    #[test]
    fn who_is_told_can_stop_it() {
        let made = make(false);
        let manifest = Manifest::read(&made.folder).unwrap();
        let stop = |_| Err(damaged(Path::new("b"), "stopped"));
        assert!(
            of(&made.folder, &manifest, None, &stop)
                .unwrap_err()
                .message
                .contains("stopped")
        );
    }
}
