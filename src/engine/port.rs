//! What the engine needs of the world: a database, a person, programs. Implemented above; the engine
//! decides and never reaches out by itself.

use std::time::Duration;

use jiff::Timestamp;

use super::approval::{Request, Standing, Word};
use super::backup::{Backed, FromBackup, Order};
use super::cancel::Cancel;
use super::change::Changes;
use super::conflict::Restored;
use super::database::{Found, Wanted};
use super::event::{Blocker, Event, Saved, TargetFacts};
use super::failure::Failure;
use super::journal::{Entry, Terms};
use super::lock::TableLock;
use crate::policy::rules::AnsweredBy;
use crate::runbook::data::{Cell, Rows};
use crate::runbook::model::StepId;
use crate::sql::statement::Statement;
use crate::step::rollback::OnConflict;

/// A statement with its values.
#[derive(Clone, Debug)]
pub struct Bound {
    /// The statement.
    pub statement: Statement,
    /// The values of `$1`, `$2` and so on.
    pub binds: Vec<Cell>,
}

/// How long a statement may take, and what may stop it.
#[derive(Clone, Debug)]
pub struct Limits {
    /// When the step must be done, where it has a time-out.
    pub deadline: Option<tokio::time::Instant>,
    /// Ctrl-C.
    pub cancel: Cancel,
}

/// A part of the rows that a statement is about.
#[derive(Clone, Debug)]
pub struct Part {
    /// The statement, for these rows only.
    pub bound: Bound,
    /// The key of the last of them; none where the part goes on to the end.
    pub last: Vec<String>,
    /// Whether there are rows after it.
    pub more: bool,
    /// Of the first part: how many rows there are in all.
    pub of: u64,
}

/// What a changing statement came to.
#[derive(Clone, Debug, Default)]
pub struct Changed {
    /// How many rows it says it changed.
    pub count: u64,
    /// What RETURNING returned.
    pub rows: Rows,
    /// The row changes, those of triggers and cascades too.
    pub changes: Changes,
}

/// How a transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Close {
    /// It becomes lasting, or part of the transaction around it.
    Commit,
    /// Nothing of it remains.
    Rollback,
}

/// A question to a person.
#[derive(Clone, Debug)]
pub struct Question {
    /// The confirm's name.
    pub name: String,
    /// The question.
    pub text: String,
    /// The text that must be typed for a yes.
    pub typed: Option<String>,
    /// How it may be answered with a yes.
    pub answered_by: AnsweredBy,
    /// How long there is to answer.
    pub timeout: Option<Duration>,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Yes, by whom and how.
    Yes(String),
    /// No.
    No {
        /// By whom and how.
        by: String,
        /// Why it is none, where the person may have meant a yes.
        why: Option<String>,
    },
    /// Nobody said yes: why.
    Nobody(String),
    /// Ctrl-C at the question.
    Cancelled,
}

/// A program's output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// Its exit code.
    pub code: i32,
    /// What it wrote.
    pub stdout: String,
    /// What it wrote beside.
    pub stderr: String,
}

/// A program to run.
#[derive(Clone, Debug)]
pub struct Program {
    /// The program and its arguments.
    pub words: Vec<String>,
    /// Whether it gets the connection's password.
    pub pass_connection: bool,
    /// Whether it only reads: what it does in the database by libpq is read-only, unless it says otherwise itself.
    pub reads: bool,
}

/// What the engine needs of the world.
pub trait World {
    /// Returns what is known of the database.
    fn target(&self) -> TargetFacts;

    /// Begins a transaction, or one inside of the open one.
    ///
    /// # Errors
    /// The server's word.
    fn open(&mut self, limits: &Limits) -> impl Future<Output = Result<(), Failure>>;

    /// Writes an entry of the journal in the open transaction, before anything else that it does.
    ///
    /// # Errors
    /// [`super::failure::FailureKind::Recorded`] when the journal has it already; why there can be none.
    fn record(
        &mut self,
        entry: &Entry,
        limits: &Limits,
    ) -> impl Future<Output = Result<(), Failure>>;

    /// Returns the id of the open transaction, once it has changed something.
    fn transaction(&self) -> Option<String>;

    /// Returns whether a recorded transaction was committed, whose client is gone; waits while it lives.
    ///
    /// # Errors
    /// The server's word; [`super::failure::FailureKind::InDoubt`] when nobody can say.
    fn recorded(
        &mut self,
        entry: &Entry,
        transaction: Option<&str>,
        limits: &Limits,
    ) -> impl Future<Output = Result<bool, Failure>>;

    /// Ends the innermost transaction. `Ok` after a commit means that the server confirmed it.
    ///
    /// # Errors
    /// The server's word, also for a deferred constraint; [`super::failure::FailureKind::InDoubt`] when
    /// nobody can say what became of a commit.
    fn close(&mut self, how: Close, limits: &Limits) -> impl Future<Output = Result<(), Failure>>;

    /// Reads rows, in a READ ONLY transaction of its own, or inside of the open one where nothing that it
    /// does can last. Keeps at most `keep` rows and counts all.
    ///
    /// # Errors
    /// The server's word.
    fn read(
        &mut self,
        bound: &Bound,
        keep: usize,
        limits: &Limits,
    ) -> impl Future<Output = Result<Rows, Failure>>;

    /// Looks for what a database must have, as [`Self::read`] reads: one answer for each thing, in the order of
    /// [`Wanted::names`].
    ///
    /// # Errors
    /// The server's word. What the login may not see is no error, but an answer.
    fn audit(
        &mut self,
        wanted: &Wanted,
        limits: &Limits,
    ) -> impl Future<Output = Result<Vec<Found>, Failure>>;

    /// Reads rows as [`Self::read`] does, and writes all of them to a file that is not there yet.
    ///
    /// # Errors
    /// As [`Self::read`]; [`super::failure::FailureKind::File`] when the file cannot be written.
    fn save(
        &mut self,
        bound: &Bound,
        keep: usize,
        path: &str,
        limits: &Limits,
    ) -> impl Future<Output = Result<(Rows, Saved), Failure>>;

    /// Changes rows, in the open transaction.
    ///
    /// # Errors
    /// The server's word.
    fn change(
        &mut self,
        bound: &Bound,
        terms: &Terms,
        limits: &Limits,
    ) -> impl Future<Output = Result<Changed, Failure>>;

    /// Finds the next part of a statement's rows, in the order of their key: `size` of them, after a key.
    ///
    /// # Errors
    /// The server's word; a table without a key has no parts.
    fn part(
        &mut self,
        bound: &Bound,
        after: Option<&[String]>,
        size: u32,
        limits: &Limits,
    ) -> impl Future<Output = Result<Part, Failure>>;

    /// Puts back, in the open transaction, what the transaction of an entry changed by row images: all of it,
    /// or what some of its fixes did. Records that it does.
    ///
    /// # Errors
    /// The server's word; [`super::failure::FailureKind::Recorded`] when it was put back before. Rows that
    /// someone changed since are no error, but conflicts: none of the rows may be kept then, unless
    /// `on_conflict` says to skip.
    fn restore(
        &mut self,
        entry: &Entry,
        fixes: Option<&[StepId]>,
        on_conflict: OnConflict,
        limits: &Limits,
    ) -> impl Future<Output = Result<Restored, Failure>>;

    /// Makes a backup, outside of transactions. What it returns is complete, read back in full, and on disk.
    ///
    /// # Errors
    /// Why there is none: nothing that looks like one is left.
    fn backup(
        &mut self,
        order: &Order,
        limits: &Limits,
    ) -> impl Future<Output = Result<Backed, Failure>>;

    /// Puts back, in the open transaction, the rows of a row backup.
    ///
    /// # Errors
    /// As [`Self::restore`]; the backup is damaged, or cannot be found.
    fn restore_backup(
        &mut self,
        entry: &Entry,
        source: &FromBackup,
        on_conflict: OnConflict,
        limits: &Limits,
    ) -> impl Future<Output = Result<Restored, Failure>>;

    /// Lets deferred constraints and triggers of the open transaction do their work now, and says what they
    /// changed.
    ///
    /// # Errors
    /// The server's word, for a constraint that is violated.
    fn settle(&mut self, limits: &Limits) -> impl Future<Output = Result<Changes, Failure>>;

    /// Runs a statement that PostgreSQL allows only outside of transactions.
    ///
    /// # Errors
    /// The server's word.
    fn act(&mut self, bound: &Bound, limits: &Limits) -> impl Future<Output = Result<(), Failure>>;

    /// Takes the lock of a run, until its connection ends; what the run records from then on holds a lease
    /// on it beyond that.
    ///
    /// # Errors
    /// Who has it.
    fn lock(&mut self, key: &str) -> impl Future<Output = Result<(), Failure>>;

    /// Gives up the leases of the run: it is over.
    ///
    /// # Errors
    /// The server's word; the leases expire by themselves then.
    fn release(&mut self) -> impl Future<Output = Result<(), Failure>>;

    /// Sets the settings that every later transaction begins with.
    fn settings(&mut self, settings: Vec<(String, String)>);

    /// Opens the connection again after it was lost.
    ///
    /// # Errors
    /// The server is not there, or is another one.
    fn reconnect(&mut self) -> impl Future<Output = Result<(), Failure>>;

    /// Ends the outermost transaction by a rollback and asks the server whether it is aborted.
    ///
    /// # Errors
    /// The server's word.
    fn abort(&mut self) -> impl Future<Output = Result<bool, Failure>>;

    /// Returns who held a lock that the last statement waited for.
    fn blockers(&mut self) -> Vec<Blocker>;

    /// Returns what the server said beside results since the last time.
    fn notices(&mut self) -> Vec<String>;

    /// Finds out whether the login may record changes in the journal.
    ///
    /// # Errors
    /// It may not: who can let it.
    fn recordable(&mut self) -> impl Future<Output = Result<(), Failure>>;

    /// Returns the server's time.
    ///
    /// # Errors
    /// The server's word.
    fn now(&mut self) -> impl Future<Output = Result<Timestamp, Failure>>;

    /// Returns when the newest backup of the whole database was made that is verified and of this target.
    ///
    /// # Errors
    /// The backups cannot be read.
    fn newest_backup(&mut self) -> impl Future<Output = Result<Option<Timestamp>, Failure>>;

    /// Returns the locks that the open transaction holds on tables, and who works with these tables.
    ///
    /// # Errors
    /// The server's word.
    fn locks(&mut self) -> impl Future<Output = Result<Vec<TableLock>, Failure>>;

    /// Has the journal say that the run goes on without what the target's policy demands: outside of transactions,
    /// lasting before anything is changed.
    ///
    /// # Errors
    /// The journal cannot be written.
    fn break_glass(
        &mut self,
        reason: &str,
        lifted: &[String],
    ) -> impl Future<Output = Result<(), Failure>>;

    /// Asks other people to approve, in the journal: outside of transactions. Returns what they are asked, without a
    /// secret in it. Where the same was asked before, and is still to be decided, that stands.
    ///
    /// # Errors
    /// The journal cannot be written.
    fn request(
        &mut self,
        request: Request,
    ) -> impl Future<Output = Result<(Request, Standing), Failure>>;

    /// Returns where a request stands.
    ///
    /// # Errors
    /// The journal cannot be read, or has no such request.
    fn standing(&mut self, request: &Request) -> impl Future<Output = Result<Standing, Failure>>;

    /// Says something of a request as this login: that it is withdrawn, or used. The server refuses a use that is not
    /// approved.
    ///
    /// # Errors
    /// The server's word.
    fn verdict(
        &mut self,
        request: &Request,
        word: Word,
        reason: Option<&str>,
    ) -> impl Future<Output = Result<(), Failure>>;

    /// Asks a person.
    fn ask(&mut self, question: &Question, cancel: &Cancel) -> impl Future<Output = Answer>;

    /// Runs a program.
    ///
    /// # Errors
    /// It cannot be run, or took too long.
    fn program(
        &mut self,
        program: &Program,
        limits: &Limits,
    ) -> impl Future<Output = Result<Output, Failure>>;

    /// Takes an event.
    ///
    /// # Errors
    /// It could not be written.
    fn tell(&mut self, event: &Event) -> std::io::Result<()>;
}
