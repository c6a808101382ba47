//! Where `runbook.yaml` is found: the one that `$RUNBOOK_PROJECT` names, the first in this folder or above it, else
//! the user's own.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::catalogue;
use super::error::CliError;
use super::invocation::Invocation;
use crate::policy::target::Targets;

/// The file's name.
pub(super) const FILE: &str = "runbook.yaml";

/// The variable that names the file.
const VARIABLE: &str = "RUNBOOK_PROJECT";

/// A small one to begin with.
pub(super) const SMALL: &str = "\
default: staging

targets:
  staging:
    url: $STAGING_URL                     # an environment variable that holds the connection URL
  production:
    service: crm-production               # a name in pg_service.conf; its password in ~/.pgpass
    sslmode: verify-full
    protected: true                       # only a person at a terminal answers its questions
    policy: careful

policies:
  careful:
    medium:
      backup: 24h                         # how old the newest verified backup may be
    high:
      approvals: { by: dba }              # members of this database role approve
";

/// A `runbook.yaml` that was found.
#[derive(Clone, Debug)]
pub(super) struct Project {
    /// What it says.
    pub(super) targets: Targets,
    /// The folder that it is in.
    pub(super) folder: PathBuf,
}

/// Finds `runbook.yaml` and reads it; nothing where there is none.
///
/// # Errors
/// It cannot be read or trusted, or something in it is wrong.
pub(super) fn find(invocation: &Invocation) -> Result<Option<Project>, CliError> {
    let named = invocation.environment.var(VARIABLE);
    let path = match named {
        Some(path) => {
            let path = invocation.folder.join(path);
            if !path.is_file() {
                let message = format!("${VARIABLE}: there is no file `{}`", path.display());
                return Err(CliError::usage(message));
            }
            Some(path)
        }
        None => candidates(invocation)
            .into_iter()
            .find(|path| path.is_file()),
    };
    let Some(path) = path else {
        return Ok(None);
    };
    if named.is_none() {
        refuse_foreign(&path, invocation)?;
    }
    let source = catalogue::read(&path, &invocation.show(&path))?;
    let targets = Targets::read(&source).map_err(|refused| CliError::Diagnostics {
        source_text: refused.source,
        diagnostics: refused.diagnostics,
    })?;
    let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
    Ok(Some(Project { targets, folder }))
}

/// Returns where it is looked for, in words.
pub(super) fn searched(invocation: &Invocation) -> String {
    let own = own(invocation).map(|path| format!("`{}`", path.display()));
    let above = format!("`{FILE}` in this folder and those above");
    let places: Vec<String> = std::iter::once(above).chain(own).collect();
    places.join(", then ")
}

fn candidates(invocation: &Invocation) -> Vec<PathBuf> {
    let above = invocation.folder.ancestors();
    let above = above.map(|folder| folder.join(FILE));
    above.chain(own(invocation)).collect()
}

fn own(invocation: &Invocation) -> Option<PathBuf> {
    let runbooks = catalogue::configuration(&invocation.environment)?;
    Some(runbooks.parent()?.join(FILE))
}

/// The file says which programs are run and where passwords go: what another user left in a folder above is not
/// taken on trust.
fn refuse_foreign(path: &Path, invocation: &Invocation) -> Result<(), CliError> {
    let Ok(facts) = path.metadata() else {
        return Ok(());
    };
    let shown = invocation.show(path);
    let why = if facts.mode() & 0o002 != 0 {
        "everybody may change it".to_owned()
    } else if facts.uid() != 0 && facts.uid() != nix::unistd::Uid::effective().as_raw() {
        let owner = nix::unistd::User::from_uid(facts.uid().into());
        let owner = owner.ok().flatten().map(|owner| owner.name);
        let owner = owner.unwrap_or_else(|| format!("user {}", facts.uid()));
        // What root works on belongs to those whose work it is.
        if nix::unistd::Uid::effective().is_root() {
            return Ok(());
        }
        format!("it belongs to {owner}")
    } else {
        return Ok(());
    };
    Err(
        CliError::invalid(format!("`{shown}` is not trusted: {why}"))
            .note("it says which programs are run, and which server a password is sent to")
            .help(format!(
                "make it yours alone to change (`chmod o-w {shown}`), or name it by ${VARIABLE}"
            )),
    )
}
