//! libpq's password file: `host:port:database:user:password` a line, `*` for any.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::secret::Secret;

/// The lines of a password file. The first that fits counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Passfile {
    lines: Vec<Line>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    /// Host, port, database and user; `None` is any.
    fields: [Option<String>; 4],
    password: Secret,
}

impl Passfile {
    /// Reads a password file. One that is missing is empty. One that others may read, that is no plain file or
    /// that cannot be read is ignored as libpq does, and the second value says so.
    pub fn read(path: &Path) -> (Self, Option<String>) {
        let Ok(metadata) = fs::metadata(path) else {
            return (Self::default(), None);
        };
        let shown = path.display();
        if !metadata.is_file() {
            let warning = format!("the password file {shown} is ignored: it is not a plain file");
            return (Self::default(), Some(warning));
        }
        if metadata.permissions().mode() & 0o077 != 0 {
            let warning = format!(
                "the password file {shown} is ignored: others may read it; run `chmod 600 {shown}`"
            );
            return (Self::default(), Some(warning));
        }
        match fs::read_to_string(path) {
            Ok(text) => (Self::parse(&text), None),
            Err(error) => {
                let warning = format!("the password file {shown} is ignored: {error}");
                (Self::default(), Some(warning))
            }
        }
    }

    /// Parses a password file's text. Lines that are not five fields are passed over, as libpq does.
    pub fn parse(text: &str) -> Self {
        let lines = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(parse_line)
            .collect();
        Self { lines }
    }

    /// Returns the password for a connection, when a line fits.
    pub fn password(&self, host: &str, port: u16, database: &str, user: &str) -> Option<&Secret> {
        let port = port.to_string();
        let wanted = [host, port.as_str(), database, user];
        self.lines
            .iter()
            .find(|line| line.fits(&wanted))
            .map(|line| &line.password)
    }
}

impl Line {
    fn fits(&self, wanted: &[&str; 4]) -> bool {
        self.fields
            .iter()
            .zip(wanted)
            .all(|(field, wanted)| field.as_deref().is_none_or(|field| field == *wanted))
    }
}

fn parse_line(line: &str) -> Option<Line> {
    let mut rest = line;
    let mut next = || {
        let (field, after) = split_field(rest);
        let after = after?;
        rest = after;
        // Only a bare star is a wildcard; an escaped one is a name.
        Some((!field.is_wildcard).then_some(field.text))
    };
    let fields = [next()?, next()?, next()?, next()?];
    let (password, _) = split_field(rest);
    (!password.text.is_empty()).then(|| Line {
        fields,
        password: Secret::new(password.text),
    })
}

struct Field {
    text: String,
    is_wildcard: bool,
}

/// Takes the text up to the next bare colon, undoing backslashes; the second value is what follows that colon.
fn split_field(text: &str) -> (Field, Option<&str>) {
    let mut field = String::new();
    let mut escaped = false;
    let mut ending = None;
    for (index, letter) in text.char_indices() {
        if escaped {
            field.push(letter);
            escaped = false;
        } else if letter == '\\' {
            escaped = true;
        } else if letter == ':' {
            ending = Some(index);
            break;
        } else {
            field.push(letter);
        }
    }
    let raw = ending.map_or(text, |index| &text[..index]);
    let field = Field {
        text: field,
        is_wildcard: raw == "*",
    };
    (field, ending.map(|index| &text[index + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# comment\nbroken\n\
        db.example:5432:crm:alice:one\n\
        db.example:*:*:alice:t\\:w\\\\o\n\
        \\*:5432:*:*:star\n\
        /run/pg:5432:crm:bob:three:ignored\n";

    #[test]
    fn the_first_fitting_line_counts() {
        let file = Passfile::parse(FILE);
        let find = |host, port, database, user| {
            file.password(host, port, database, user)
                .map(|secret| secret.reveal().to_owned())
        };
        assert_eq!(
            find("db.example", 5432, "crm", "alice").as_deref(),
            Some("one")
        );
        assert_eq!(
            find("db.example", 5433, "x", "alice").as_deref(),
            Some("t:w\\o")
        );
        assert_eq!(find("*", 5432, "x", "y").as_deref(), Some("star"));
        assert_eq!(
            find("/run/pg", 5432, "crm", "bob").as_deref(),
            Some("three")
        );
        assert_eq!(find("db.example", 5432, "crm", "carol"), None);
        assert!(!format!("{file:?}").contains("three"));
    }

    #[test]
    fn a_file_that_others_may_read_is_ignored_with_a_warning() -> Result<(), std::io::Error> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("pgpass");
        fs::write(&path, "*:*:*:*:hunter2\n")?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640))?;
        let (file, warning) = Passfile::read(&path);
        assert_eq!(file, Passfile::default());
        assert!(warning.is_some_and(|text| text.contains("chmod 600")));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        let (file, warning) = Passfile::read(&path);
        assert_eq!(warning, None);
        assert!(file.password("h", 1, "d", "u").is_some());
        Ok(())
    }
}
