//! The runbooks that are built into the program.

/// Their paths under `runbooks/` and their texts.
pub const RUNBOOKS: [(&str, &str); 4] = [
    (
        "crm/enable-suspended-customer.yaml",
        include_str!("../../runbooks/crm/enable-suspended-customer.yaml"),
    ),
    (
        "crm/health-check.yaml",
        include_str!("../../runbooks/crm/health-check.yaml"),
    ),
    (
        "crm/make-user-admin.yaml",
        include_str!("../../runbooks/crm/make-user-admin.yaml"),
    ),
    (
        "crm/user-cannot-login.yaml",
        include_str!("../../runbooks/crm/user-cannot-login.yaml"),
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn files(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                files(&path, found);
            } else if path.extension().is_some_and(|end| end == "yaml")
                && !path.to_string_lossy().ends_with(".test.yaml")
            {
                found.push(path);
            }
        }
    }

    #[test]
    fn every_runbook_of_the_folder_is_built_in() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks");
        let mut found = Vec::new();
        files(&root, &mut found);
        let mut found: Vec<String> = found
            .iter()
            .map(|path| path.strip_prefix(&root).unwrap().display().to_string())
            .collect();
        found.sort();
        assert_eq!(found, RUNBOOKS.map(|(path, _)| path));
    }
}
