//! The folder of a backup that is being written: it gets its name when all of it is good and on disk.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::files::{self, Content, failed};
use super::manifest::Manifest;
use super::notes::Notes;
use super::seal::{self, FileKey};
use super::{deletion, name};
use crate::engine::backup::Seal;
use crate::engine::change::hex;
use crate::engine::failure::{Failure, FailureKind};

/// A backup that is being written. Dropped before it is finished, it leaves nothing behind; what a killed
/// program left is swept by the next one.
pub struct Draft {
    backups: PathBuf,
    id: String,
    folder: PathBuf,
    key: Option<FileKey>,
    /// What tells others that this one lives: it ends with the process, however that ends.
    _lock: File,
    /// What its drop removes; none where that has its name.
    unfinished: Option<PathBuf>,
}

impl Draft {
    /// Begins the backup `id` in the folder of backups, which is made where there is none. Sweeps what killed
    /// programs left there.
    ///
    /// # Errors
    /// There is one of that id already, or the folder cannot be written.
    pub fn begin(backups: &Path, id: &str, seal: Option<&Seal>) -> Result<Self, Failure> {
        name::check_id(id)?;
        let (key, sealed) = seal.map(FileKey::new).transpose()?.unzip();
        files::have_folder(backups)?;
        // Between the folder and its lock nobody may sweep.
        let alone = alone(backups)?;
        remove_dead(backups);
        deletion::sweep(backups);
        refuse_taken(backups, id)?;
        let folder = backups.join(name::partial(id));
        files::create_folder(&folder)?;
        let lock = File::open(&folder).map_err(failed("open", &folder));
        let lock = lock.inspect_err(|_| {
            // The first failure is the one to tell.
            let _ = fs::remove_dir(&folder);
        })?;
        // Where folders cannot be locked none is ever swept.
        let _ = lock.try_lock();
        drop(alone);
        let draft = Self {
            backups: backups.to_owned(),
            id: id.to_owned(),
            unfinished: Some(folder.clone()),
            _lock: lock,
            folder,
            key,
        };
        if let Some(sealed) = sealed {
            files::write(&draft.folder.join(seal::FILE), &sealed)?;
        }
        Ok(draft)
    }

    /// Returns the folder, as it is called until it is good.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the key of its files, where it is encrypted.
    pub fn key(&self) -> Option<&FileKey> {
        self.key.as_ref()
    }

    /// Adds to the manifest the files of the folder that it does not have yet, such as `key.age` and those of
    /// a dump, which are read for it. Then all there is can be proved.
    ///
    /// # Errors
    /// One cannot be read, or is no file.
    pub fn complete(&self, manifest: &mut Manifest) -> Result<(), Failure> {
        let content = Content::of(&self.folder)?;
        if let Some(other) = content.others.first() {
            return Err(super::damaged(
                &self.folder,
                format!("{} is no file", other.display()),
            ));
        }
        for name in content.files.keys() {
            // The notes change later.
            if manifest.file(name).is_none() && !Notes::is_file(name) {
                manifest
                    .files
                    .push(files::fact(&self.folder, name, &|_| Ok(()))?);
            }
        }
        manifest.files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(())
    }

    /// Writes the manifest, has everything be on disk, and gives the folder its name. Returns that, and
    /// SHA-256 of the manifest.
    ///
    /// # Errors
    /// It cannot be written: nothing is left then.
    pub fn finish(mut self, manifest: &mut Manifest) -> Result<(PathBuf, String), Failure> {
        self.complete(manifest)?;
        self.settle()?;
        let text = manifest.render();
        // What does not read again must not be what stands for it.
        *manifest = Manifest::parse(&self.folder, text.as_bytes())?;
        files::write(&self.folder.join(Manifest::FILE), text.as_bytes())?;
        files::sync(&self.folder)?;
        let folder = self.rename()?;
        // From here on it is a backup, unless the disk refuses to keep its name.
        self.unfinished = Some(folder.clone());
        files::sync(&self.backups)?;
        self.unfinished = None;
        Ok((folder, hex(&Sha256::digest(text))))
    }

    /// Has all files be on disk and readable by their user only, whoever wrote them.
    fn settle(&self) -> Result<(), Failure> {
        let content = Content::of(&self.folder)?;
        for name in content.files.keys() {
            let path = self.folder.join(name);
            files::close(&path, false)?;
            files::sync(&path)?;
        }
        for name in &content.folders {
            let path = self.folder.join(name);
            files::close(&path, true)?;
            files::sync(&path)?;
        }
        Ok(())
    }

    fn rename(&self) -> Result<PathBuf, Failure> {
        let _alone = alone(&self.backups)?;
        let named = self.backups.join(&self.id);
        if named.symlink_metadata().is_ok() {
            return Err(taken(&named));
        }
        // A folder that has something in it is never replaced by that, even if it came this moment.
        fs::rename(&self.folder, &named).map_err(failed("create", &named))?;
        Ok(named)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if let Some(folder) = &self.unfinished {
            // What cannot be removed now is swept later.
            let _ = fs::remove_dir_all(folder);
        }
    }
}

/// Removes what killed programs left in a folder of backups. What a live one writes stays.
///
/// # Errors
/// The folder cannot be opened.
pub fn sweep(backups: &Path) -> Result<(), Failure> {
    let _alone = alone(backups)?;
    remove_dead(backups);
    Ok(())
}

/// Keeps other programs from beginning, finishing and sweeping in a folder of backups, until it is dropped.
fn alone(backups: &Path) -> Result<File, Failure> {
    let folder = File::open(backups).map_err(failed("open", backups))?;
    // Where folders cannot be locked there is nothing to wait for: none is ever swept then.
    let _ = folder.lock();
    Ok(folder)
}

fn remove_dead(backups: &Path) {
    let entries = fs::read_dir(backups).into_iter().flatten().flatten();
    for entry in entries {
        let is_partial = entry.file_name().to_str().is_some_and(name::is_partial);
        if is_partial && is_dead(&entry.path()) {
            // What cannot be removed harms nobody: it has no name of a backup.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Returns whether no process writes a backup.
pub(super) fn is_dead(partial: &Path) -> bool {
    let is_folder = partial.symlink_metadata().is_ok_and(|known| known.is_dir());
    is_folder && File::open(partial).is_ok_and(|folder| folder.try_lock().is_ok())
}

fn refuse_taken(backups: &Path, id: &str) -> Result<(), Failure> {
    let named = backups.join(id);
    if named.symlink_metadata().is_ok() {
        return Err(taken(&named));
    }
    if backups.join(name::partial(id)).symlink_metadata().is_ok() {
        return Err(Failure::new(
            FailureKind::Backup,
            format!("the backup {id} is being written by another process"),
        )
        .help("wait for it, or give this one another name"));
    }
    Ok(())
}

fn taken(named: &Path) -> Failure {
    Failure::new(
        FailureKind::Backup,
        format!("{} is there already", named.display()),
    )
    .help("nothing is written over: give the backup another name, or remove that one")
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::archive::{proof, sample};
    use crate::base::secret::Secret;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap().flatten();
        let mut names: Vec<String> = entries
            .map(|entry| entry.file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn it_gets_its_name_when_all_is_written() {
        let root = tempfile::tempdir().unwrap();
        let backups = root.path().join("a/b");
        let draft = Draft::begin(&backups, "b-1", None).unwrap();
        assert_eq!(names(&backups), [".b-1.partial"]);
        let mut manifest = sample::fill(&draft, "b-1", 2);
        let (folder, sha256) = draft.finish(&mut manifest).unwrap();
        assert_eq!(names(&backups), ["b-1"]);
        assert_eq!(names(&folder), ["manifest.json", "tables"]);
        let text = fs::read(folder.join("manifest.json")).unwrap();
        assert_eq!(hex(&Sha256::digest(&text)), sha256);
        assert_eq!(Manifest::read(&folder).unwrap(), manifest);
        proof::of(&folder, &manifest, None, &|_| Ok(())).unwrap();
    }

    #[test]
    fn only_its_user_reads_it_whoever_wrote_a_file() {
        let root = tempfile::tempdir().unwrap();
        let backups = root.path().join("backups");
        let seal = Seal::Passphrase(Secret::new("x"));
        let draft = Draft::begin(&backups, "b-1", Some(&seal)).unwrap();
        let dump = draft.folder().join("dump/deep");
        fs::create_dir_all(&dump).unwrap();
        fs::write(dump.join("toc.dat"), "toc").unwrap();
        fs::set_permissions(dump.join("toc.dat"), fs::Permissions::from_mode(0o666)).unwrap();
        let mut manifest = sample::fill(&draft, "b-1", 1);
        let (folder, _) = draft.finish(&mut manifest).unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        let content = Content::of(&folder).unwrap();
        assert_eq!(
            content.files.keys().collect::<Vec<_>>(),
            [
                "dump/deep/toc.dat",
                "key.age",
                "manifest.json",
                "tables/0001.copy.zst"
            ]
        );
        assert!(
            content
                .files
                .keys()
                .all(|name| mode(&folder.join(name)) == 0o600)
        );
        assert!(
            content
                .folders
                .iter()
                .all(|name| mode(&folder.join(name)) == 0o700)
        );
        assert_eq!((mode(&folder), mode(&backups)), (0o700, 0o700));
        let listed: Vec<&str> = manifest
            .files
            .iter()
            .map(|file| file.path.as_str())
            .collect();
        assert_eq!(
            listed,
            ["dump/deep/toc.dat", "key.age", "tables/0001.copy.zst"]
        );
    }

    #[test]
    fn dropped_it_leaves_nothing_and_others_as_they_were() {
        let root = tempfile::tempdir().unwrap();
        sample::backup(root.path(), "b-1", None);
        let draft = Draft::begin(root.path(), "b-2", None).unwrap();
        sample::fill(&draft, "b-2", 1);
        drop(draft);
        assert_eq!(names(root.path()), ["b-1"]);
    }

    #[test]
    fn what_is_there_is_never_replaced() {
        let root = tempfile::tempdir().unwrap();
        let folder = sample::backup(root.path(), "b-1", None);
        let before = fs::read(folder.join("manifest.json")).unwrap();
        assert!(Draft::begin(root.path(), "b-1", None).is_err());
        // It comes while another is written.
        let draft = Draft::begin(root.path(), "b-2", None).unwrap();
        let mut manifest = sample::fill(&draft, "b-2", 1);
        fs::create_dir(root.path().join("b-2")).unwrap();
        assert!(draft.finish(&mut manifest).is_err());
        assert_eq!(names(root.path()), ["b-1", "b-2"]);
        assert!(names(&root.path().join("b-2")).is_empty());
        assert_eq!(fs::read(folder.join("manifest.json")).unwrap(), before);
    }

    #[test]
    fn what_a_killed_program_left_is_swept_and_what_a_live_one_writes_is_not() {
        let root = tempfile::tempdir().unwrap();
        let dead = root.path().join(".b-1.partial/tables");
        fs::create_dir_all(&dead).unwrap();
        fs::write(dead.join("0001.copy.zst"), "half").unwrap();
        fs::write(root.path().join(".file.partial"), "not a folder").unwrap();
        fs::create_dir(root.path().join(".other")).unwrap();
        let live = Draft::begin(root.path(), "b-2", None).unwrap();
        assert_eq!(
            names(root.path()),
            [".b-2.partial", ".file.partial", ".other"]
        );
        let failure = Draft::begin(root.path(), "b-2", None).err().unwrap();
        assert_eq!(
            failure.message,
            "the backup b-2 is being written by another process"
        );
        let other = Draft::begin(root.path(), "b-3", None).unwrap();
        sweep(root.path()).unwrap();
        assert!(live.folder().exists() && other.folder().exists());
        let mut manifest = sample::fill(&live, "b-2", 1);
        assert!(live.finish(&mut manifest).is_ok());
    }

    #[test]
    fn an_id_that_leads_elsewhere_is_refused() {
        let root = tempfile::tempdir().unwrap();
        for id in ["", "..", "a/b", "/tmp/x", ".x"] {
            assert!(Draft::begin(root.path(), id, None).is_err(), "{id}");
        }
        assert!(names(root.path()).is_empty());
    }

    #[test]
    fn case_46_where_nothing_can_be_written_nothing_is_left() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("file");
        fs::write(&file, "a file").unwrap();
        let failure = Draft::begin(&file, "b-1", None).err().unwrap();
        assert!(
            failure.message.contains(&file.display().to_string()),
            "{}",
            failure.message
        );
        assert!(Draft::begin(&file.join("below"), "b-1", None).is_err());
        assert!(Draft::begin(Path::new("/proc/runbook"), "b-1", None).is_err());
        // Something that cannot be read again takes the place of a file.
        let draft = Draft::begin(root.path(), "b-2", None).unwrap();
        let mut manifest = sample::fill(&draft, "b-2", 1);
        std::os::unix::fs::symlink("/nowhere", draft.folder().join("dump")).unwrap();
        assert!(draft.finish(&mut manifest).is_err());
        // The manifest cannot be written.
        let draft = Draft::begin(root.path(), "b-2", None).unwrap();
        let mut manifest = sample::fill(&draft, "b-2", 1);
        fs::create_dir(draft.folder().join("manifest.json")).unwrap();
        assert!(draft.finish(&mut manifest).is_err());
        assert_eq!(names(root.path()), ["file"]);
    }

    #[test]
    fn case_46_a_full_disk_says_what_to_do() {
        let error = io::Error::from(io::ErrorKind::StorageFull);
        let failure = failed("write", Path::new("/b/x"))(error);
        assert_eq!(failure.message, "cannot write /b/x: no storage space");
        assert_eq!(failure.help.len(), 1);
    }
}
