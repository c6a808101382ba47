//! The tests of runbooks are played here: each case is a run on a database of its own, with what its author says
//! goes wrong on the way.
//!
//! - [`book`] finds a runbook's tests, and [`script`] the SQL that they begin with.
//! - [`ground`] is the scratch server with a database for each case.
//! - [`case`] plays one: `runbook run` in all but its database, its answers and who listens.
//! - [`world`] has the faults of a case happen, and [`session`] are the others on the database.
//! - [`workers`] plays several at a time.

pub(super) mod board;
pub(super) mod book;
pub(super) mod case;
mod contents;
mod fault;
pub(super) mod ground;
mod hearing;
pub(super) mod library;
mod script;
mod session;
mod shelf;
pub(super) mod watch;
pub(super) mod workers;
mod world;
