//! What came of the cases, told in the order of their files, whatever the order in which they are done.

use super::library::Turn;
use crate::cli::Context;
use crate::cli::error::CliError;
use crate::cli::findings::Checked;
use crate::suite::page::{self, Look};
use crate::suite::verdict::Played;

/// What came of a case, or what is wrong with its SQL; nothing of one that does not exist.
pub(in crate::cli) type Done = Option<Result<Played, Checked>>;

/// What came of the cases up to now.
pub(in crate::cli) struct Board<'a> {
    context: &'a Context<'a>,
    look: Look,
    /// Whether runbooks are printed as they are done.
    prints: bool,
    books: Vec<usize>,
    done: Vec<Option<Done>>,
    /// How many cases are printed.
    printed: usize,
    failed: usize,
    finished: usize,
    result: Result<(), CliError>,
}

impl<'a> Board<'a> {
    /// Returns the board of cases that are to be played.
    pub(in crate::cli) fn new(
        turns: &[Turn],
        context: &'a Context<'a>,
        look: Look,
        prints: bool,
    ) -> Self {
        Self {
            context,
            look,
            prints,
            books: turns.iter().map(|turn| turn.book).collect(),
            done: turns.iter().map(|_| None).collect(),
            printed: 0,
            failed: 0,
            finished: 0,
            result: Ok(()),
        }
    }

    /// Takes what came of a case.
    pub(in crate::cli) fn take(&mut self, index: usize, done: Done) {
        let passed = done
            .as_ref()
            .is_none_or(|done| done.as_ref().is_ok_and(Played::passed));
        self.failed += usize::from(!passed);
        self.finished += 1;
        if let Some(place) = self.done.get_mut(index) {
            *place = Some(done);
        }
        self.progress(None);
        if let Err(error) = self.print() {
            self.result = Err(error);
        }
        self.progress(Some(()));
    }

    /// Prints the runbooks of which all cases are done, as far as all before them are.
    fn print(&mut self) -> Result<(), CliError> {
        while let Some(book) = self.books.get(self.printed).copied() {
            let rest = self.books.iter().skip(self.printed);
            let end = self.printed + rest.take_while(|next| **next == book).count();
            let own = self.done.get(self.printed..end).unwrap_or_default();
            if own.iter().any(Option::is_none) {
                return Ok(());
            }
            self.printed = end;
            let played: Vec<Played> = own
                .iter()
                .flatten()
                .flatten()
                .filter_map(|done| done.as_ref().ok().cloned())
                .collect();
            if self.prints && !played.is_empty() {
                let text = page::group(&played, self.look);
                self.context.invocation.print(&text)?;
            }
        }
        Ok(())
    }

    /// Shows on a terminal how many cases are done, or takes that away again.
    fn progress(&self, shown: Option<()>) {
        let terminal = &self.context.invocation.terminal;
        if !self.prints || !terminal.stdout || !terminal.stderr {
            return;
        }
        let text = match shown {
            Some(()) if self.finished < self.books.len() => {
                let failed = match self.failed {
                    0 => String::new(),
                    failed => format!(", {failed} failed"),
                };
                format!("{} of {} cases{failed}", self.finished, self.books.len())
            }
            _ => String::new(),
        };
        self.context.invocation.eprint(&format!("\r\x1b[K{text}"));
    }

    /// Ends the board.
    ///
    /// # Errors
    /// Nobody reads the output any more.
    pub(in crate::cli) fn close(&mut self) -> Result<(), CliError> {
        self.progress(None);
        std::mem::replace(&mut self.result, Ok(()))
    }

    /// Returns what came of the cases, and what is wrong with their SQL, each in the order of the files.
    pub(in crate::cli) fn finish(self) -> (Vec<Played>, Vec<Checked>) {
        let (mut played, mut wrong) = (Vec::new(), Vec::new());
        for done in self.done.into_iter().flatten().flatten() {
            match done {
                Ok(done) => played.push(done),
                Err(checked) => wrong.push(checked),
            }
        }
        (played, wrong)
    }
}
