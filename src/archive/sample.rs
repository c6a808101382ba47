//! Backups for tests.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::folder::Draft;
use super::manifest::{Definition, Holds, Manifest, Table};
use super::row::Tally;
use super::table_file::TableWriter;
use crate::engine::backup::{MadeBy, Seal};
use crate::engine::event::TargetFacts;
use crate::step::backup::Keep;

/// A moment; each number is a day later than the one before.
pub(super) fn day(number: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + number * 86_400).unwrap()
}

/// The manifest of a backup without files.
pub(super) fn manifest(id: &str) -> Manifest {
    Manifest {
        format: Manifest::FORMAT,
        program: "0.1.0".to_owned(),
        id: id.to_owned(),
        name: "before-changes".to_owned(),
        holds: Holds::Tables,
        taken_at: day(0),
        finished_at: day(0),
        made_by: MadeBy {
            actor: "ada \"the\" admin@host".to_owned(),
            run: Some("7f3k29".to_owned()),
            ..MadeBy::default()
        },
        source: TargetFacts {
            name: "crm".to_owned(),
            database: "crm".to_owned(),
            server_version: "15.18".to_owned(),
            database_oid: Some(16384),
            ..TargetFacts::default()
        },
        tables: Vec::new(),
        types: vec!["CREATE TYPE mood AS ENUM ('söso')".to_owned()],
        files: Vec::new(),
        tool: None,
        encryption: None,
        keep: Some(Keep {
            last: Some(3),
            days: None,
        }),
        checksum: String::new(),
    }
}

/// Rows as COPY prints them, each table's others.
pub(super) fn rows(table: usize, count: usize) -> String {
    (0..count).fold(String::new(), |mut text, n| {
        let _ = writeln!(text, "{n}\tname {} of {table}\t\\N", n * 7919 % 1000);
        text
    })
}

/// Writes the tables of a backup, and returns its manifest.
pub(super) fn fill(draft: &Draft, id: &str, tables: usize) -> Manifest {
    let mut manifest = manifest(id);
    for number in 1..=tables {
        let name = format!("tables/{number:04}.copy.zst");
        let text = rows(number, number * 200);
        let mut writer = TableWriter::create(draft.folder(), &name, draft.key()).unwrap();
        writer.write(text.as_bytes()).unwrap();
        let mut tally = Tally::default();
        tally.add_lines(text.as_bytes());
        manifest.tables.push(Table {
            relation: format!("public.t{number}"),
            columns: vec!["id".to_owned(), "name".to_owned(), "none".to_owned()],
            fingerprint: "id integer".to_owned(),
            key: vec!["id".to_owned()],
            predicate: None,
            tally,
            file: Some(name),
            bytes: writer.written(),
            definition: Definition::default(),
        });
        manifest.files.push(writer.finish().unwrap());
    }
    manifest
}

/// Makes a backup of some tables.
pub(super) fn backup(backups: &Path, id: &str, seal: Option<&Seal>) -> PathBuf {
    let draft = Draft::begin(backups, id, seal).unwrap();
    let mut manifest = fill(&draft, id, 3);
    manifest.encryption = seal.map(Into::into);
    draft.finish(&mut manifest).unwrap().0
}
