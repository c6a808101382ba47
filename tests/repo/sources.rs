//! The source files: how long they are, and what must not stand in them.

use std::fs;
use std::path::{Path, PathBuf};

/// Returns every Rust file below a folder of the repository.
pub(crate) fn files(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    walk(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join(folder),
        &mut found,
    );
    found.sort();
    assert!(!found.is_empty(), "no sources in {folder}");
    found
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
}

/// Returns the lines of a file that are not its own tests.
fn own_lines(text: &str) -> usize {
    text.lines()
        .take_while(|line| *line != "#[cfg(test)]")
        .count()
}

#[test]
fn a_file_holds_one_concept() {
    let long: Vec<String> = files("src")
        .into_iter()
        .map(|path| (own_lines(&fs::read_to_string(&path).unwrap()), path))
        .filter(|(lines, _)| *lines > 400)
        .map(|(lines, path)| format!("{lines} {}", path.display()))
        .collect();
    assert!(long.is_empty(), "over 400 lines: {long:#?}");
}

#[test]
fn nothing_is_left_open() {
    let marks = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("#[", "ignore"),
    ];
    for path in files("src").into_iter().chain(files("tests")) {
        let text = fs::read_to_string(&path).unwrap();
        for mark in marks {
            assert!(!text.contains(mark), "{mark} in {}", path.display());
        }
    }
}

#[test]
fn every_kind_of_step_has_its_file_and_is_in_the_schema() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let schema = fs::read_to_string(root.join("schemas/runbook.schema.json")).unwrap();
    for word in runbook::step::Kind::WORDS {
        let file = match word {
            "atomic" | "use" => "structure",
            word => word,
        };
        assert!(root.join(format!("src/step/{file}.rs")).exists(), "{word}");
        assert!(
            schema.contains(&format!("\"{word}\"")),
            "{word} is not in the schema"
        );
    }
}
