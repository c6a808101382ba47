//! libpq's service files: `[name]` sections of connection settings.

use std::fs;
use std::path::{Path, PathBuf};

use super::connect_error::ConnectError;
use super::environment::Environment;

/// Where libpq looks once the user's own file has no such service and `$PGSYSCONFDIR` is unset.
const SYSTEM_FOLDERS: [&str; 2] = ["/etc/postgresql-common", "/etc"];

/// One setting of a service, and its line in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceSetting {
    /// The keyword, as written.
    pub keyword: String,
    /// Its value.
    pub value: String,
    /// The file and the line, `FILE:LINE`.
    pub origin: String,
}

/// Returns the settings of a service, from the first file that has it: `$PGSERVICEFILE` or
/// `~/.pg_service.conf`, then the system's `pg_service.conf`.
pub fn load(name: &str, environment: &Environment) -> Result<Vec<ServiceSetting>, ConnectError> {
    let files = files(environment);
    for file in &files {
        let Ok(text) = fs::read_to_string(file) else {
            continue;
        };
        if let Some(settings) = section(name, &text, file)? {
            return Ok(settings);
        }
    }
    let looked: Vec<String> = files
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    Err(ConnectError::setting(
        format!("the service `{name}`"),
        format!("none of {} has a section [{name}]", looked.join(", ")),
        "check the service's name, or point $PGSERVICEFILE at the file that has it",
    ))
}

fn files(environment: &Environment) -> Vec<PathBuf> {
    let own = match environment.var("PGSERVICEFILE") {
        Some(path) => Some(PathBuf::from(path)),
        None => environment.home().map(|home| home.join(".pg_service.conf")),
    };
    let system = match environment.var("PGSYSCONFDIR") {
        Some(folder) => vec![PathBuf::from(folder)],
        None => SYSTEM_FOLDERS.iter().map(PathBuf::from).collect(),
    };
    own.into_iter()
        .chain(
            system
                .into_iter()
                .map(|folder| folder.join("pg_service.conf")),
        )
        .collect()
}

/// Returns the settings under `[name]`, or nothing when the text has no such section.
fn section(
    name: &str,
    text: &str,
    file: &Path,
) -> Result<Option<Vec<ServiceSetting>>, ConnectError> {
    let mut found = None;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if line.starts_with('[') {
            if found.is_some() {
                break;
            }
            if line.trim_matches(['[', ']']) == name {
                found = Some(Vec::new());
            }
            continue;
        }
        if let Some(settings) = &mut found {
            let origin = format!("{}:{}", file.display(), index + 1);
            settings.push(setting(line, origin)?);
        }
    }
    Ok(found)
}

fn setting(line: &str, origin: String) -> Result<ServiceSetting, ConnectError> {
    let Some((keyword, value)) = line.split_once('=') else {
        // The line may be half a password: it is not shown.
        return Err(ConnectError::setting(
            origin,
            "the line has no `=`",
            "write `keyword=value`",
        ));
    };
    let keyword = keyword.trim();
    if keyword == "service" {
        return Err(ConnectError::setting(
            origin,
            "`service` inside a service",
            "a service cannot lean on another: write its settings out",
        ));
    }
    Ok(ServiceSetting {
        keyword: keyword.to_owned(),
        value: value.trim().to_owned(),
        origin,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_found_and_a_broken_line_is_not_shown() -> Result<(), ConnectError> {
        let text = "# all\n[other]\nhost=elsewhere\n\n[crm]\nhost=db\n port = 5433\n[last]\nx=y\n";
        let settings = section("crm", text, Path::new("f"))?.unwrap_or_default();
        let pairs: Vec<(&str, &str, &str)> = settings
            .iter()
            .map(|s| (s.keyword.as_str(), s.value.as_str(), s.origin.as_str()))
            .collect();
        assert_eq!(pairs, [("host", "db", "f:6"), ("port", "5433", "f:7")]);
        assert_eq!(section("none", text, Path::new("f"))?, None);
        let error = section("crm", "[crm]\nhunter2\n", Path::new("f")).err();
        assert!(error.is_some_and(|error| !error.to_string().contains("hunter2")));
        Ok(())
    }
}
