//! A declarative runbook engine for PostgreSQL: a YAML file says what to look at, what to check, whom to
//! ask and what to change; the engine proves it, rehearses it, runs it and tells what happened.
//!
//! # The way of a runbook
//!
//! ```text
//! text ─ base::yaml ─▶ tree ─ runbook::document ─▶ Document ─ runbook::resolve ─▶ Runbook
//!      ─ runbook::check ─▶ Proved ─ cli::params ─▶ engine::plan::Plan ─ engine::driver ─▶ events ─▶ report
//! ```
//!
//! Each arrow is the only way to the next type, so a later phase cannot meet what an earlier one refuses.
//!
//! # Layers
//!
//! A module may name itself and those below it, never one beside or above it; `tests/repo` checks that.
//!
//! | layer | what it is |
//! |---|---|
//! | [`base`] | texts with places in them, YAML, shapes, diagnostics, words; no input or output |
//! | [`sql`] | one SQL statement: its grammar, what it may do, what it risks, which rows it is about |
//! | [`step`] | the kinds of steps as an author writes them, **one kind a file**; [`step::Kind`] is the list of kinds |
//! | [`runbook`] | a document, its names resolved, its templates, its graph, and what is proved of it |
//! | [`policy`] | what `runbook.yaml` says: the named targets, and what each demands of a run |
//! | [`engine`] | decides what is next, drives the world through one port, and tells events; state is a fold over them |
//! | [`archive`] | the files of a backup: written so that none is half there, read back in full, kept and pruned |
//! | [`pg`], [`record`], [`report`], [`suite`] | a session on a server that implements the port's reads and changes; runs on disk, proof against alteration; events as text and JSON; the tests of a runbook and what they cover |
//! | [`cli`] | the command line: what the process was given, finding runbooks, one command a file |
//!
//! # Where is …
//!
//! - a kind of step? Its keys in `step/KIND.rs`, its contract in `runbook/rule.rs` (of a fix in `rule/fix.rs`, of a backup in
//!   `rule/backup.rs`), what it reads in `runbook/reading.rs`, its work in `engine/perform/KIND.rs`
//!   (of a rollback in `engine/driver/undo.rs`). Add a variant to [`step::Kind`], and the
//!   compiler points at each of these places.
//! - the security boundary? [`sql::statement::Statement`] allows statements by their parse tree;
//!   [`runbook::statement`] makes every `{{ }}` a bind parameter; `pg/session/read.rs` makes reads read-only
//!   on the server.
//! - what a person approves? `engine/rehearse.rs` makes the changes and takes them back, [`engine::change`]
//!   digests them, `engine/perform/fix.rs` compares before it commits.
//! - what other people approve? [`engine::approval`] is what they are asked; `engine/driver/approval.rs` asks, waits and
//!   goes on; `pg/session/journal/schema/version.rs` has the guards by which the database knows who is who.
//! - what makes a fix exact? `pg/session/capture.rs` pairs each row with what it was, `guard.rs` and `sweep.rs`
//!   find what nobody declared, `journal.rs` records it in the same transaction, and `restore.rs` puts it
//!   back; [`engine::undo`] decides what is put back, and `engine/driver/resume.rs` where a run goes on.
//! - what is left of a run when the program is killed? `record/run.rs`; its folder and its chain are told in
//!   [`record`].
//! - what makes a backup good? [`archive::proof`] reads it back in full and compares it with what the
//!   server counted and hashed under the same snapshot; `pg/backup.rs` makes it and puts it back.
//! - what a test of a runbook proves? [`suite`] reads it, judges what it came to and counts the ways that its cases
//!   take; `cli/trial` plays each case on a database of its own, through the same code as `runbook run`.
//! - what a database must have? `step/database.rs` says it, `pg/audit.rs` looks for it, one kind of thing a file.
//! - what a name of `--target` stands for? `cli/project.rs` finds `runbook.yaml`, [`policy::target`] reads it,
//!   `cli/connection.rs` chooses the database, and [`pg::profile`] compares it with the pinned one before anything else.
//! - an exit code? [`engine::outcome::exit`].

pub mod archive;
pub mod base;
pub mod cli;
pub mod engine;
pub mod pg;
pub mod policy;
pub mod record;
pub mod report;
pub mod runbook;
pub mod sql;
pub mod step;
pub mod suite;
