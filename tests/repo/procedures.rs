//! Every procedure of the guides that the runbooks replace has a runbook or a command, and that has tests: the table
//! in `runbooks/README.md` is made of `tests/repo/procedures/*.yaml` and of the files that these name.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use runbook::base::source::Source;
use runbook::cli::args;
use runbook::runbook::document;
use serde_json::Value;

/// What stands above the tables.
const HEAD: &str = "\
# The runbooks

Each procedure of the guides that these runbooks replace, what does it now, and how that is tested. The runbooks are
built into the program: `runbook list` shows them, `runbook find \"a user can't log in\"` names the one for a problem,
and `runbook test NAME` plays its tests on a scratch server. The folders but `pg` are about sample applications, whose
databases are in `sample/`: copy what is near to your own application, and change it.

This file is made by `UPDATE=1 cargo test --test repo procedures`.
";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// Returns the path of each runbook of the repository, by name.
fn runbooks() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root().join("runbooks")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                folders.push(path);
            } else if let Some(stem) = name.strip_suffix(".yaml")
                && stem.strip_suffix(".test").is_none()
            {
                let shown = path.strip_prefix(root().join("runbooks")).unwrap();
                let twin = found.insert(stem.to_owned(), shown.display().to_string());
                assert_eq!(twin, None, "two runbooks are called {stem}");
            }
        }
    }
    found
}

fn yaml(path: &Path) -> Value {
    let source = Source::new(
        path.display().to_string(),
        fs::read_to_string(path).unwrap(),
    );
    match runbook::base::yaml::parse(&source) {
        Ok(node) => node.to_json(),
        Err(diagnostic) => panic!("{}", diagnostic.render(&source, false)),
    }
}

fn texts(value: &Value, key: &str) -> Vec<String> {
    let list = value[key].as_array().into_iter().flatten();
    list.map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// Returns the cell of a runbook's tests, which it must have.
fn cases(path: &str) -> String {
    let test = path.replace(".yaml", ".test.yaml");
    let suite = yaml(&root().join("runbooks").join(&test));
    let count = suite["cases"].as_array().map_or(0, Vec::len);
    assert!(count > 0, "{test} has no cases");
    format!("[{count} cases]({test})")
}

/// Returns the cell of a test of the program, `FILE` or `FILE::FUNCTION`, which must be there.
fn program_test(name: &str) -> String {
    let (file, function) = name.split_once("::").unwrap_or((name, ""));
    let text = fs::read_to_string(root().join(file));
    let text = text.unwrap_or_else(|_| panic!("there is no test file {file}"));
    let is_there = function.is_empty() || text.contains(&format!("fn {function}("));
    assert!(is_there, "{file} has no test {function}");
    let shown = if function.is_empty() { file } else { function };
    format!("[`{shown}`](../{file})")
}

/// Asserts that the words of a command name one.
fn is_command(command: &str) {
    let mut at = args::command(None);
    for word in command.split_whitespace().skip(1) {
        let Some(next) = at.find_subcommand(word) else {
            let is_argument = at.get_arguments().any(clap::Arg::is_positional)
                || word.starts_with('-')
                || at.get_name() == "run";
            assert!(is_argument, "`{command}`: there is no command {word}");
            return;
        };
        at = next.clone();
    }
}

fn row(procedure: &Value, runbooks: &BTreeMap<String, String>, used: &mut Vec<String>) -> String {
    let name = procedure["procedure"].as_str().unwrap();
    let (mut by, mut tests) = (Vec::new(), Vec::new());
    for each in texts(procedure, "by") {
        if each.starts_with("runbook ") {
            is_command(&each);
            by.push(format!("`{each}`"));
            continue;
        }
        let path = runbooks.get(&each);
        let path = path.unwrap_or_else(|| panic!("`{name}`: there is no runbook {each}"));
        by.push(format!("[{each}]({path})"));
        tests.push(cases(path));
        used.push(each);
    }
    tests.extend(
        texts(procedure, "tests")
            .iter()
            .map(|test| program_test(test)),
    );
    assert!(!by.is_empty(), "nothing does `{name}`");
    assert!(!tests.is_empty(), "nothing tests `{name}`");
    format!(
        "| {} | {} | {} |\n",
        name.replace('|', "\\|"),
        by.join(", "),
        tests.join(", ")
    )
}

fn table() -> String {
    let runbooks = runbooks();
    let mut files: Vec<PathBuf> = fs::read_dir(root().join("tests/repo/procedures"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let (mut text, mut used) = (HEAD.to_owned(), Vec::new());
    for file in files {
        let guide = yaml(&file);
        let _ = write!(
            text,
            "\n## {}\n\n| procedure | by | tests |\n|---|---|---|\n",
            guide["guide"].as_str().unwrap()
        );
        for procedure in guide["procedures"].as_array().unwrap() {
            text += &row(procedure, &runbooks, &mut used);
        }
    }
    let rest: Vec<(&String, &String)> = runbooks
        .iter()
        .filter(|(name, _)| !used.contains(name))
        .collect();
    if !rest.is_empty() {
        text += "\n## Beside the guides\n\n| runbook | what it does | tests |\n|---|---|---|\n";
    }
    for (name, path) in rest {
        let file = root().join("runbooks").join(path);
        let source = Source::new(path.as_str(), fs::read_to_string(file).unwrap());
        let head = document::parse(&source).unwrap().head;
        let title = head.title.text().trim().replace('|', "\\|");
        let _ = writeln!(text, "| [{name}]({path}) | {title} | {} |", cases(path));
    }
    text
}

#[test]
fn procedures_are_all_there_and_tested() {
    let path = root().join("runbooks/README.md");
    let table = table();
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &table).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == table,
        "runbooks/README.md is not what the files say: UPDATE=1 cargo test --test repo procedures"
    );
}
