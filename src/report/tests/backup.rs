//! Backups that were made, and what was restored from them.

use insta::assert_snapshot;

use super::*;
use crate::engine::backup::{Backed, BackedTable, Progressing, RestoredInto};
use crate::report::places::Places;
use crate::report::status::Progress;
use crate::step::backup::Verify;

fn tables(names: &[&str]) -> Vec<BackedTable> {
    let table = |name: &&str| BackedTable {
        table: (*name).to_owned(),
        rows: 2,
    };
    names.iter().map(table).collect()
}

fn backed() -> Backed {
    Backed {
        id: "7f3k-before".into(),
        path: "/home/ann/work/backups/7f3k-before".into(),
        holds: "rows".into(),
        tables: tables(&["companies", "subscriptions", "users"]),
        rows: 5,
        bytes: 2149,
        sha256: "a1".into(),
        verified: Verify::Checksum,
        encrypted: false,
        pruned: Vec::new(),
    }
}

fn made(backed: Backed) -> EventKind {
    let before = StepRef {
        kind: "backup".into(),
        ..step("before")
    };
    finish(before, StepResult::Backup(Box::new(backed)), 11.0)
}

fn several() -> Vec<EventKind> {
    vec![
        made(backed()),
        made(Backed {
            holds: "tables".into(),
            tables: tables(&["users"]),
            path: "/home/ann/.local/state/runbook/backups/7f3k-before".into(),
            verified: Verify::Restore,
            encrypted: true,
            ..backed()
        }),
        made(Backed {
            holds: "database".into(),
            path: "/srv/backups/7f3k-before".into(),
            bytes: 12_000_000_000,
            pruned: vec!["3k8m-before".into(), "9w2p-before".into()],
            ..backed()
        }),
        made(Backed {
            holds: "schema".into(),
            tables: Vec::new(),
            rows: 0,
            ..backed()
        }),
    ]
}

#[test]
fn a_backup_is_a_line_with_its_place() {
    let places = Places {
        folder: Some("/home/ann/work".into()),
        home: Some("/home/ann".into()),
    };
    let options = TerminalOptions {
        colors: false,
        unicode: true,
        width: None,
        live: false,
    };
    let kinds = events(several());
    let text = crate::report::text::draw(&kinds, true, options, places).unwrap();
    assert_snapshot!(text, @"
      ✓ before                 5 rows of 3 tables → backups/7f3k-before (2.1 kB, verified)  11 ms
      ✓ before                 5 rows of users → ~/.local/state/runbook/backups/7f3k-before (2.1 kB, restored on trial, encrypted)  11 ms
      ✓ before                 the database, 5 rows of 3 tables → /srv/backups/7f3k-before (12 GB, verified)  11 ms
          2 older ones deleted, as `keep` says: 3k8m-before and 9w2p-before
      ✓ before                 the structure of the database → backups/7f3k-before (2.1 kB, verified)  11 ms

    It still runs.
    ");
    assert_snapshot!(told(PIPED, vec![made(backed())]), @"  ✓ before                 5 rows of 3 tables → /home/ann/work/backups/7f3k-before (2.1 kB, verified)  11 ms");
}

#[test]
fn what_was_restored_says_where_it_is() {
    let restored = |into: &str, aside: Option<&str>| {
        let restored = RestoredInto {
            backup: "7f3k-before".into(),
            into: into.into(),
            tables: tables(&["users", "companies"]),
            rows: 4,
            aside: aside.map(Into::into),
        };
        let result = StepResult::Restored(Box::new(restored));
        finish(step("restore"), result, 11.0)
    };
    let kinds = vec![
        restored("database crm_restored", None),
        restored("database crm", Some("crm_before_7f3k")),
    ];
    assert_snapshot!(told(PIPED, kinds), @"
    ✓ restore                4 rows of 2 tables → database crm_restored  11 ms
    ✓ restore                4 rows of 2 tables → database crm  11 ms
        what was there before is kept as crm_before_7f3k
    ");
}

#[test]
fn a_page_names_the_tables_of_a_backup() {
    let kinds = [
        vec![begin(false)],
        several(),
        vec![end(Outcome::Done, "", &[])],
    ]
    .concat();
    let events = events(kinds);
    let page = crate::report::page::Page::of(&events, false);
    assert_snapshot!(crate::report::markdown::draw(&page), @r"
    # Enable a suspended customer

    **Done in 2.4 s (2.3 s waiting for you).**

    | | |
    |---|---|
    | **Run** | 7f3k |
    | **Runbook** | enable-suspended-customer (SHA-256 0) |
    | **Risk** | medium |
    | **By** | anna |
    | **Database** | production/crm |
    | **Began** | 1970-01-01 00:00:00 UTC |
    | **Ended** | 1970-01-01 00:00:00 UTC (took 2.4 s, 2.3 s of them waiting for people) |

    ## Parameters

    | | |
    |---|---|
    | **company** | 42 |

    ## Steps

    ### ✓ before

    backup · 5 rows of 3 tables → /home/ann/work/backups/7f3k-before (2.1 kB, verified) · 11 ms · 1970-01-01 00:00:00 UTC

    | table | rows |
    | --- | ---: |
    | companies | 2 |
    | subscriptions | 2 |
    | users | 2 |

    SHA-256 of its manifest: a1

    ### ✓ before

    backup · 5 rows of users → /home/ann/.local/state/runbook/backups/7f3k-before (2.1 kB, restored on trial, encrypted) · 11 ms · 1970-01-01 00:00:00 UTC

    | table | rows |
    | --- | ---: |
    | users | 2 |

    SHA-256 of its manifest: a1

    ### ✓ before

    backup · the database, 5 rows of 3 tables → /srv/backups/7f3k-before (12 GB, verified) · 11 ms · 1970-01-01 00:00:00 UTC

    | table | rows |
    | --- | ---: |
    | companies | 2 |
    | subscriptions | 2 |
    | users | 2 |

    SHA-256 of its manifest: a1

    2 older ones deleted, as \`keep\` says: 3k8m-before and 9w2p-before

    ### ✓ before

    backup · the structure of the database → /home/ann/work/backups/7f3k-before (2.1 kB, verified) · 11 ms · 1970-01-01 00:00:00 UTC

    SHA-256 of its manifest: a1
    ");
}

#[test]
fn long_work_is_shown_at_times_where_it_is_live() {
    #[derive(Clone)]
    struct Seen(Paper);
    impl Status for Seen {
        fn show(&mut self, _: &str) {}
        fn progress(&mut self, text: &str, progress: &Progress) {
            writeln!(self.0, "[{text} {progress:?}]").unwrap();
        }
        fn clear(&mut self) {}
    }
    let shown = |live| {
        let options = TerminalOptions {
            colors: false,
            unicode: true,
            width: Some(80),
            live,
        };
        let paper = Paper::default();
        let status = Box::new(Seen(paper.clone()));
        let mut terminal = Terminal::new(options, Box::new(Paper::default()), status);
        terminal
            .take(&events(vec![start(step("before"))])[0])
            .unwrap();
        for done in [1_000_000, 2_000_000, 3_000_000] {
            terminal.progress(&Progressing {
                what: "copying orders".into(),
                done,
                of: Some(9_000_000),
            });
        }
        paper.text()
    };
    assert_eq!(shown(false), "");
    assert_snapshot!(shown(true), @r#"[before Progress { what: "copying orders", from: 0, so_far: 1000000, of: Some(9000000), unit: Bytes }]"#);
}
