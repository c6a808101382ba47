//! A cluster's files: by initdb, or as a copy of an earlier initdb's; and the server on them.
//!
//! initdb takes 0.65 s where unpacking a copy takes 0.04 s. The copy is one tar file, made under a temporary name
//! and renamed: never half there, and never thinned out by whatever cleans old files from /tmp.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions, Permissions};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use sha2::{Digest, Sha256};

use crate::pg::binaries::Binaries;

use super::account::Account;
use super::folder::Folder;
use super::{ScratchError, ScratchOptions};

/// Text sorts by its bytes but letters are all of Unicode's; where that locale is missing, plain C.
const LOCALES: [&[&str]; 2] = [&["--locale=C", "--lc-ctype=C.UTF-8"], &["--locale=C"]];

const INITDB: [&str; 8] = [
    "--username=postgres",
    "--auth=trust",
    "--no-sync",
    "--no-instructions",
    "--encoding=UTF8",
    // Small segments: less to copy, and to write when the server starts.
    "--wal-segsize=1",
    "--pgdata",
    "data",
];

/// What every scratch server is configured with; [`ScratchOptions::settings`] wins over it.
const SETTINGS: [(&str, &str); 10] = [
    ("listen_addresses", ""),
    ("max_connections", "60"),
    ("shared_buffers", "16MB"),
    ("autovacuum", "off"),
    ("min_wal_size", "16MB"),
    ("max_wal_size", "512MB"),
    ("timezone", "UTC"),
    ("log_timezone", "UTC"),
    ("log_line_prefix", "%m [%p] "),
    ("logging_collector", "off"),
];

/// Makes the cluster in `data` and its configuration.
pub(super) fn create(
    binaries: &Binaries,
    account: &Account,
    folder: &Folder,
    options: &ScratchOptions,
) -> Result<(), ScratchError> {
    let template = (!options.fresh)
        .then(|| template(binaries, account, folder))
        .flatten();
    let is_copied = template
        .as_ref()
        .is_some_and(|file| unpack(file, account, folder));
    if !is_copied {
        initdb(binaries, account, folder)?;
        if let Some(file) = template {
            // Only the next start is slower if it cannot be kept.
            pack(&file, account, folder).unwrap_or(());
        }
    }
    configure(folder, options).map_err(ScratchError::system("write postgresql.conf"))
}

/// Starts `postgres` on the cluster, as the leader of a process group of its own: ^C is ours to handle.
pub(super) fn spawn(
    binaries: &Binaries,
    account: &Account,
    folder: &Folder,
) -> Result<Child, ScratchError> {
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(folder.log())
        .map_err(ScratchError::system("open the server's log"))?;
    let log_too = log
        .try_clone()
        .map_err(ScratchError::system("open the server's log"))?;
    account
        .command(&binaries.postgres())
        .arg("-D")
        .arg(folder.data())
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(log_too)
        .process_group(0)
        .spawn()
        .map_err(ScratchError::system("start postgres"))
}

fn initdb(binaries: &Binaries, account: &Account, folder: &Folder) -> Result<(), ScratchError> {
    let mut last = None;
    for locale in LOCALES {
        let output = account
            .command(&binaries.initdb())
            .args(INITDB)
            .args(locale)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .output()
            .map_err(ScratchError::system("run initdb"))?;
        if output.status.success() {
            return Ok(());
        }
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        let is_about_locale = words.contains("locale");
        last = Some(ScratchError::program("initdb", output.status, &words));
        if !is_about_locale {
            break;
        }
    }
    last.map_or(Ok(()), Err)
}

fn configure(folder: &Folder, options: &ScratchOptions) -> std::io::Result<()> {
    let mut text = String::from("\n# A private scratch server.\n");
    let mut set = |name: &str, value: &str| {
        let value = value.replace('\'', "''");
        // Writing into a String does not fail.
        writeln!(text, "{name} = '{value}'").unwrap_or(());
    };
    for (name, value) in SETTINGS {
        set(name, value);
    }
    let safety = if options.durable { "on" } else { "off" };
    for name in ["fsync", "synchronous_commit", "full_page_writes"] {
        set(name, safety);
    }
    set("unix_socket_directories", &folder.path().to_string_lossy());
    for (name, value) in &options.settings {
        set(name, value);
    }
    let mut file = OpenOptions::new()
        .append(true)
        .open(folder.data().join("postgresql.conf"))?;
    std::io::Write::write_all(&mut file, text.as_bytes())
}

/// Returns where the copy for these programs is or would be; nothing when there is no folder that can be trusted.
fn template(binaries: &Binaries, account: &Account, folder: &Folder) -> Option<PathBuf> {
    let cache = folder
        .lasting()
        .join(format!("runbook-templates-{}", account.uid));
    match fs::DirBuilder::new().mode(0o700).create(&cache) {
        Ok(()) if account.is_other => {
            chown(
                &cache,
                Some(account.uid.as_raw()),
                Some(account.gid.as_raw()),
            )
            .ok()?;
        }
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(_) => return None,
    }
    // Someone else may have made it, in the hope that we start a server on what they put there. Six zeros: the
    // group and others may do nothing.
    let metadata = fs::symlink_metadata(&cache).ok()?;
    let is_ours = metadata.is_dir()
        && metadata.uid() == account.uid.as_raw()
        && metadata.permissions().mode().trailing_zeros() >= 6;
    is_ours.then(|| cache.join(format!("{}.tar", fingerprint(binaries))))
}

/// Returns a name for all that the files depend on: the programs and how initdb is called.
fn fingerprint(binaries: &Binaries) -> String {
    let mut hash = Sha256::new();
    hash.update(binaries.folder().to_string_lossy().as_bytes());
    hash.update(binaries.version().as_bytes());
    if let Ok(metadata) = fs::metadata(binaries.postgres()) {
        hash.update(metadata.len().to_le_bytes());
        hash.update(metadata.mtime().to_le_bytes());
    }
    for argument in INITDB.iter().chain(LOCALES.concat().iter()) {
        hash.update(argument.as_bytes());
    }
    let digest = hash.finalize();
    digest[..8].iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap_or(());
        text
    })
}

/// Unpacks the copy into `data`; returns whether it is there, whole and owned by the server's account.
fn unpack(file: &Path, account: &Account, folder: &Folder) -> bool {
    let is_ours = fs::symlink_metadata(file)
        .is_ok_and(|metadata| metadata.is_file() && metadata.uid() == account.uid.as_raw());
    if !is_ours {
        return false;
    }
    let unpacked = tar(account, folder).arg("-xpf").arg(file).status();
    if unpacked.is_ok_and(|status| status.success()) {
        return true;
    }
    // Whatever came out of it must not be in initdb's way.
    drop(fs::remove_dir_all(folder.data()));
    false
}

/// Keeps a copy of `data`.
fn pack(file: &Path, account: &Account, folder: &Folder) -> std::io::Result<()> {
    let partial = folder.path().join("template.tar");
    let status = tar(account, folder)
        .arg("-cf")
        .arg(&partial)
        .arg("data")
        .status()?;
    if status.success() {
        fs::set_permissions(&partial, Permissions::from_mode(0o600))?;
        // Another process may be doing the same: its file is as good as ours, and either rename is whole.
        fs::rename(&partial, file)?;
    }
    Ok(())
}

fn tar(account: &Account, folder: &Folder) -> Command {
    let mut command = account.command(Path::new("tar"));
    command
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}
