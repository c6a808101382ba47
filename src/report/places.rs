//! Paths as a person would write them: from the current folder, or from home.

use std::path::{Path, PathBuf};

/// Where the person is who reads it. Where nothing is known of that, paths are told in full.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// The current folder.
    pub folder: Option<PathBuf>,
    /// The home folder.
    pub home: Option<PathBuf>,
}

impl Places {
    /// Returns a path as it is written here.
    pub fn shown(&self, path: &str) -> String {
        let below = |place: &Option<PathBuf>| {
            // The root of everything is no place to be below of.
            let place = place.as_ref().filter(|place| place.parent().is_some())?;
            let rest = Path::new(path).strip_prefix(place).ok()?;
            (!rest.as_os_str().is_empty()).then(|| rest.display().to_string())
        };
        let at_home = || below(&self.home).map(|rest| format!("~/{rest}"));
        below(&self.folder)
            .or_else(at_home)
            .unwrap_or_else(|| path.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_short_where_that_is_plain() {
        let places = Places {
            folder: Some("/home/ann/work".into()),
            home: Some("/home/ann".into()),
        };
        let cases = [
            ("/home/ann/work/backups/a", "backups/a"),
            ("/home/ann/work", "~/work"),
            ("/home/ann/workshop/a", "~/workshop/a"),
            ("/home/bob/a", "/home/bob/a"),
            ("/srv/backups/a", "/srv/backups/a"),
            ("backups/a", "backups/a"),
        ];
        for (path, shown) in cases {
            assert_eq!(places.shown(path), shown);
        }
        let root = Places {
            folder: Some("/".into()),
            home: None,
        };
        assert_eq!(root.shown("/srv/a"), "/srv/a");
        assert_eq!(Places::default().shown("/srv/a"), "/srv/a");
    }
}
