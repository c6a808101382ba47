//! Every example of the README is run, on a real server, and must come to what the README says.

use std::fs;
use std::path::Path;
use std::process::Command;

use runbook::base::source::Source;
use runbook::engine::outcome::exit;
use runbook::pg::environment::Environment;
use runbook::pg::scratch::{self, Scratch, ScratchOptions};
use runbook::policy::target::Targets;
use runbook::runbook::check::check;
use runbook::suite::coverage::Elsewhere;
use runbook::suite::{document, resolve};

fn readme() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap()
}

/// Returns the fenced blocks of a language.
fn blocks(language: &str) -> Vec<String> {
    let text = readme();
    let fence = format!("```{language}\n");
    text.split(&fence)
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap().to_owned())
        .collect()
}

async fn server() -> Scratch {
    let server = scratch::start(&Environment::from_process(), ScratchOptions::default())
        .await
        .unwrap();
    server.create_database("crm", None).await.unwrap();
    let connected = server.settings("crm").connect().await.unwrap();
    for file in ["schema", "data"] {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("runbooks/crm/sample/{file}.sql"));
        connected
            .client
            .batch_execute(&fs::read_to_string(path).unwrap())
            .await
            .unwrap();
    }
    server
}

/// The id that the README gives to its first run.
const SHOWN: &str = "7f3k29";

/// Returns the id of the first run, once there was one.
fn first_run(folder: &Path) -> String {
    let index = folder.join(".local/state/runbook/index.jsonl");
    let index = fs::read_to_string(index).unwrap_or_default();
    let id = index.split("\"run\":\"").nth(1);
    let id = id.and_then(|rest| rest.split('"').next());
    id.unwrap_or(SHOWN).to_owned()
}

/// The runbook that the README shows a mistake of.
const BROKEN: &str = "runbook: broken
title: A runbook with a mistake
risk: low
steps:
- query: account
  sql: SELECT id, email_verified FROM users WHERE id = 4
  rows: 1
- check: verified
  that: account.email_verifed
";

fn run(line: &str, folder: &Path, url: &str) -> String {
    let output = Command::new("/bin/sh")
        .args(["-c", &format!("{line} 2>&1")])
        .current_dir(folder)
        .env("DATABASE_URL", url)
        .env(
            "PATH",
            format!(
                "{}:/usr/bin:/bin",
                Path::new(env!("CARGO_BIN_EXE_runbook"))
                    .parent()
                    .unwrap()
                    .display()
            ),
        )
        .env("HOME", folder)
        .env("RUNBOOK_BACKUPS", "backups")
        .env("LANG", "C.UTF-8")
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Replaces what differs from backup to backup: the dates in their ids, and their sizes.
fn undated(text: &str) -> String {
    let dates = regex_lite::Regex::new(r"-\d{8}-\d{6}").unwrap();
    let sizes = regex_lite::Regex::new(r"\(\d+(\.\d+)? k?B, ").unwrap();
    let text = dates.replace_all(text, "-DATE");
    sizes.replace_all(&text, "(SIZE, ").into_owned()
}

/// Replaces what differs from run to run: ids, times, addresses and people.
fn normal(text: &str) -> String {
    undated(text)
        .lines()
        .map(|line| {
            let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            for at in 0..words.len() {
                let before = at.checked_sub(1).map(|at| words[at].clone());
                let after = words.get(at + 1).cloned().unwrap_or_default();
                let is_time = words[at].parse::<f64>().is_ok()
                    && matches!(after.trim_end_matches(['.', ',']), "s" | "ms");
                if is_time
                    || matches!(before.as_deref(), Some("run" | "undo")) && words[at].len() > 5
                    || words[at].contains("postgres@")
                    || words[at].starts_with("backups/")
                    || words[at].starts_with('(') && words[at].contains('@')
                {
                    words[at] = String::from("…");
                }
                // A busy machine takes seconds for what takes milliseconds.
                if is_time {
                    words[at + 1] = after.replacen("ms", "s", 1);
                }
            }
            let line = words.join(" ");
            // The header is as wide as its address is long.
            match line.split_once(" run …") {
                Some((title, rest)) => format!("{} run …{rest}", title.trim_end()),
                None => line.trim_end().to_owned(),
            }
        })
        .collect::<Vec<_>>()
        .join("\n")
}

#[tokio::test(flavor = "current_thread")]
async fn every_command_comes_to_what_the_readme_says() {
    let server = server().await;
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("broken.yaml"), BROKEN).unwrap();
    // The project whose targets the examples name.
    fs::write(folder.path().join("runbook.yaml"), blocks("yml").concat()).unwrap();
    let mut commands = 0;
    for block in blocks("console") {
        let (line, expected) = block.split_once('\n').unwrap();
        let line = line.strip_prefix("$ ").unwrap();
        let line = &line.replace(SHOWN, &first_run(folder.path()));
        let output = run(line, folder.path(), &server.url("crm"));
        commands += 1;
        if expected.trim().is_empty() {
            assert!(output.contains("Done in"), "{line}\n{output}");
        } else {
            assert_eq!(
                normal(output.trim_end()),
                normal(expected.trim_end()),
                "{line}"
            );
        }
    }
    assert!(commands >= 4, "the README shows {commands} commands");
    server.stop().unwrap();
}

fn is_targets(block: &str) -> bool {
    block.lines().any(|line| line == "targets:")
}

#[test]
fn the_targets_of_the_readme_can_be_read() {
    let blocks = blocks("yaml");
    let targets: Vec<&String> = blocks.iter().filter(|block| is_targets(block)).collect();
    assert!(!targets.is_empty());
    for block in targets {
        let read = Targets::read(&Source::new("runbook.yaml", block.as_str()));
        assert!(read.is_ok(), "{read:?}");
    }
}

#[test]
fn every_runbook_of_the_readme_is_valid() {
    let blocks = blocks("yaml");
    let is_runbook = |block: &&String| !block.starts_with("test: ") && !is_targets(block);
    let runbooks = || blocks.iter().filter(is_runbook);
    assert!(runbooks().count() > 0);
    for block in runbooks() {
        let name = block
            .lines()
            .find_map(|line| line.strip_prefix("runbook: "))
            .unwrap();
        let source = Source::new(format!("{name}.yaml"), block.as_str());
        if let Err(errors) = check(&source, &|_| None) {
            let errors: Vec<String> = errors
                .iter()
                .map(|error| error.render(&source, false))
                .collect();
            panic!("{}", errors.join("\n"));
        }
    }
}

#[test]
fn every_test_of_the_readme_fits_its_runbook() {
    let blocks = blocks("yaml");
    let tests = || blocks.iter().filter(|block| block.starts_with("test: "));
    assert!(tests().count() > 0);
    for block in tests() {
        let name = block
            .lines()
            .next()
            .unwrap()
            .strip_prefix("test: ")
            .unwrap();
        let path = format!("runbooks/crm/{name}.yaml");
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(&path)).unwrap();
        let proved = check(&Source::new(path, text), &|_| None).unwrap();
        let source = Source::new(format!("{name}.test.yaml"), block.as_str());
        let suite = document::parse(&source).unwrap();
        resolve::check(&source, &suite, &proved, &Elsewhere::default()).unwrap();
    }
}

#[test]
fn the_readme_lists_every_exit_code() {
    let text = readme();
    for (code, meaning) in exit::MEANINGS {
        assert!(
            text.contains(&format!("| {code} | {meaning}")),
            "{code} {meaning}"
        );
    }
}
