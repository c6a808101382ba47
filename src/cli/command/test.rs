//! `runbook test`: plays the tests of runbooks.

use std::path::{Path, PathBuf};

use crate::base::words;
use crate::cli::args::{Coverage as How, ListOutput, TestArgs};
use crate::cli::catalogue::Catalogue;
use crate::cli::command::check::pretty;
use crate::cli::error::CliError;
use crate::cli::findings::{self, Checked};
use crate::cli::trial::board::Board;
use crate::cli::trial::book::Book;
use crate::cli::trial::case::play;
use crate::cli::trial::ground::{Ground, Unfit};
use crate::cli::trial::library::{Library, Turn};
use crate::cli::trial::watch::Watch;
use crate::cli::trial::workers::{cancel_at_signal, several};
use crate::cli::{Context, connection};
use crate::engine::cancel::Cancel;
use crate::engine::outcome::exit;
use crate::suite::coverage::Coverage;
use crate::suite::json::json;
use crate::suite::junit::junit;
use crate::suite::page::{self, Look};
use crate::suite::verdict::{Came, Played};

/// Plays the cases of runbooks' tests, and returns the exit code of what came of them.
///
/// # Errors
/// There is no such runbook, no PostgreSQL, or somebody gave up.
pub fn run(context: &Context<'_>, args: &TestArgs) -> Result<u8, CliError> {
    let (canceller, cancel) = Cancel::new();
    cancel_at_signal(canceller)?;
    let mut stage = Stage {
        context,
        args,
        cancel,
        jobs: args.jobs.map_or_else(processors, usize::from),
        ground: None,
    };
    let code = if args.watch {
        stage.watch()
    } else {
        stage.once(context)
    };
    stage.close()?;
    code
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}

/// What tests are played with.
struct Stage<'a> {
    context: &'a Context<'a>,
    args: &'a TestArgs,
    cancel: Cancel,
    jobs: usize,
    ground: Option<Ground>,
}

impl Stage<'_> {
    /// Plays all tests again whenever a file changes, until Ctrl-C.
    fn watch(&mut self) -> Result<u8, CliError> {
        let outer = self.context;
        let invocation = outer.invocation;
        let mut watch: Option<(Vec<PathBuf>, Watch)> = None;
        loop {
            // There may be new runbooks by now.
            let (flags, folder) = (&outer.global.runbooks, &invocation.folder);
            let catalogue = Catalogue::discover(flags, &invocation.environment, folder)?;
            let context = Context {
                catalogue: &catalogue,
                ..*outer
            };
            let folders = Library::folders(&context, self.args).or_else(|error| match &watch {
                // What is wrong now may be right after the next change.
                Some((known, _)) => Ok(known.clone()),
                None => Err(error),
            })?;
            if folders.is_empty() {
                let error = CliError::usage("there is no file to watch");
                return Err(error.help("runbooks that are built in do not change"));
            }
            if watch.as_ref().is_none_or(|(known, _)| *known != folders) {
                watch = Some((folders.clone(), Watch::begin(&folders)?));
            }
            match self.once(&context) {
                // It said so itself.
                Ok(exit::CANCELLED) => return Ok(exit::CANCELLED),
                Ok(_) => {}
                Err(error @ (CliError::Invalid { .. } | CliError::Diagnostics { .. })) => {
                    invocation.eprint(&error.render(outer.look.color_err));
                }
                Err(error) => return Err(error),
            }
            let Some((_, watch)) = &watch else {
                continue;
            };
            if self.cancel.is_set() {
                return Ok(self.cancelled());
            }
            invocation.eprint("waiting for a file to change; Ctrl-C ends it\n");
            if !watch.wait(&self.cancel) {
                return Ok(self.cancelled());
            }
        }
    }

    fn cancelled(&self) -> u8 {
        let said = "cancelled: what was under way is given up\n";
        self.context.invocation.eprint(said);
        exit::CANCELLED
    }

    /// Finds all tests, plays them once and tells what came of them. Returns the exit code of that.
    fn once(&mut self, context: &Context<'_>) -> Result<u8, CliError> {
        let mut library = Library::load(context, self.args)?;
        let mut turns = library.turns(&self.args.filters);
        if turns.is_empty() && library.wrong.is_empty() {
            return Err(self.nothing());
        }
        self.open(&library, &turns)?;
        let unfit = self.prepare(&library, &turns)?;
        turns.retain(|turn| unfit.iter().all(|(book, _)| *book != turn.book));
        let mut wrong = std::mem::take(&mut library.wrong);
        wrong.extend(unfit.into_iter().map(|(_, wrong)| wrong));
        let board = self.play(context, &library, &turns)?;
        if self.cancel.is_set() {
            return Ok(self.cancelled());
        }
        let (played, unfit) = board.finish();
        wrong.extend(unfit);
        self.tell(&library, &played, wrong)
    }

    /// A test that plays nothing proves nothing.
    fn nothing(&self) -> CliError {
        let filters = &self.args.filters;
        if filters.is_empty() {
            return CliError::invalid("there are no tests here, and so nothing was proved").help(
                "a test stands beside its runbook, as NAME.test.yaml: `runbook new NAME` writes both",
            );
        }
        let message = format!("no case has {} in its name", words::quoted(filters));
        CliError::usage(message).help("nor has its runbook; leave out --filter to see all")
    }

    /// Starts the server that the cases share, where there are such.
    fn open(&mut self, library: &Library, turns: &[Turn]) -> Result<(), CliError> {
        let shares = |turn: &Turn| {
            let book = library.books.get(turn.book);
            book.is_some_and(|book| book.suite.server.is_none())
        };
        if self.ground.is_some() || !turns.iter().any(shares) {
            return Ok(());
        }
        let environment = &self.context.invocation.environment;
        let cancel = self.cancel.clone();
        let start = async {
            tokio::select! {
                started = Ground::start(environment, self.jobs) => Some(started),
                () = cancel.wait() => None,
            }
        };
        match connection::runtime()?.block_on(start) {
            None => Err(CliError::Cancelled),
            Some(Ok(ground)) => {
                self.ground = Some(ground);
                Ok(())
            }
            Some(Err(error)) => Err(CliError::NoServer(error.to_string())),
        }
    }

    fn close(self) -> Result<(), CliError> {
        let stopped = self.ground.map_or(Ok(()), Ground::stop);
        stopped.map_err(|error| CliError::Io {
            message: error.to_string(),
        })
    }

    /// Makes the databases that those of the cases are copied from. Returns what is wrong with the SQL for them, by
    /// the runbook.
    fn prepare(
        &self,
        library: &Library,
        turns: &[Turn],
    ) -> Result<Vec<(usize, Checked)>, CliError> {
        let Some(ground) = &self.ground else {
            return Ok(Vec::new());
        };
        let mut first: Vec<(usize, &Book)> = Vec::new();
        let mut keys = Vec::new();
        for turn in turns {
            let Some(book) = library.books.get(turn.book) else {
                continue;
            };
            let key = book.key();
            if book.suite.server.is_none() && !keys.contains(&key) {
                keys.push(key);
                first.push((turn.book, book));
            }
        }
        let mut wrong = Vec::new();
        let mut failed = None;
        let work = async |index: usize| match first.get(index) {
            Some((_, book)) => ground.prepare(book).await,
            None => Ok(()),
        };
        several(
            self.jobs,
            first.len(),
            &self.cancel,
            work,
            |index, made| match made {
                Ok(()) => {}
                Err(Unfit::Server(why)) => failed = Some(CliError::Io { message: why }),
                Err(Unfit::Wrong(checked)) => wrong.push((index, *checked)),
            },
        )?;
        if let Some(error) = failed {
            return Err(error);
        }
        wrong.sort_by_key(|(index, _)| *index);
        let mut all = Vec::new();
        for (index, checked) in wrong {
            let key = keys.get(index);
            let others = library.books.iter().enumerate();
            let same = others.filter(|(_, book)| Some(&book.key()) == key);
            all.extend(same.map(|(book, _)| (book, checked.clone())));
        }
        Ok(all)
    }

    /// Plays the cases, and prints those of each runbook once all before them are done.
    fn play<'b>(
        &self,
        context: &'b Context<'b>,
        library: &Library,
        turns: &[Turn],
    ) -> Result<Board<'b>, CliError> {
        let look = self.look();
        let prints = self.args.output == ListOutput::Human;
        let work = async |index: usize| {
            let turn = turns.get(index)?;
            let book = library.books.get(turn.book)?;
            let case = book.suite.cases.get(turn.case)?;
            let came = match play(context, self.ground.as_ref(), book, turn.case).await {
                Ok(came) => came,
                Err(Unfit::Wrong(wrong)) => return Some(Err(*wrong)),
                Err(Unfit::Server(trouble)) => Came {
                    trouble: Some(trouble),
                    ..Came::default()
                },
            };
            Some(Ok(Played::new(&book.source, case, &book.proved, came)))
        };
        let mut board = Board::new(turns, context, look, prints);
        several(self.jobs, turns.len(), &self.cancel, work, |index, done| {
            board.take(index, done);
        })?;
        board.close()?;
        Ok(board)
    }

    fn look(&self) -> Look {
        Look {
            colours: self.context.look.color_out,
            width: self.context.look.width,
            coverage: self.args.coverage.is_some(),
            output: self.args.show_output,
        }
    }

    /// Tells what came of all, and returns the exit code.
    fn tell(
        &self,
        library: &Library,
        played: &[Played],
        mut wrong: Vec<Checked>,
    ) -> Result<u8, CliError> {
        let coverage = self.coverage(library, played);
        let invocation = self.context.invocation;
        match self.args.output {
            ListOutput::Json => invocation.print(&pretty(&json(played, &coverage)))?,
            // Where nothing could be played, what is wrong says it all.
            ListOutput::Human if played.is_empty() && !wrong.is_empty() => {}
            ListOutput::Human => {
                invocation.print(&page::closing(played, &coverage, self.look()))?;
            }
        }
        if let Some(path) = &self.args.junit {
            self.write(path, played)?;
        }
        self.mention(&library.without);
        let colours = self.context.look.color_err;
        invocation.eprint(&findings::human(&library.warnings, colours));
        // Runbooks that begin with the same file find the same mistake in it.
        let mut seen = Vec::new();
        wrong.retain(|checked| {
            let text = findings::human(std::slice::from_ref(checked), false);
            let is_new = !seen.contains(&text);
            seen.push(text);
            is_new
        });
        if !wrong.is_empty() {
            invocation.eprint(&findings::human(&wrong, self.context.look.color_err));
            return Ok(exit::INVALID);
        }
        let is_covered =
            self.args.coverage != Some(How::Full) || coverage.iter().all(Coverage::is_full);
        let passed = played.iter().all(Played::passed) && coverage.iter().all(Coverage::is_sound);
        Ok(if passed && is_covered {
            exit::DONE
        } else {
            exit::FAILED
        })
    }

    /// Returns what the cases take of their runbooks' graphs; nothing where only some cases were played.
    fn coverage(&self, library: &Library, played: &[Played]) -> Vec<Coverage> {
        if !self.args.filters.is_empty() {
            return Vec::new();
        }
        let books = library.books.iter();
        books
            .filter_map(|book| {
                let file = book.source.name();
                let own = played.iter().filter(|played| played.file == file);
                let own: Vec<Played> = own.cloned().collect();
                let is_whole = own.len() == book.suite.cases.len();
                is_whole.then(|| {
                    let elsewhere = &book.elsewhere;
                    Coverage::of(&book.source, &book.suite, &book.proved, elsewhere, &own)
                })
            })
            .collect()
    }

    fn write(&self, path: &Path, played: &[Played]) -> Result<(), CliError> {
        let text = junit(played).map_err(|error| CliError::Io {
            message: format!("the results cannot be written as XML: {error}"),
        })?;
        let full = self.context.invocation.folder.join(path);
        std::fs::write(full, text)
            .map_err(|error| CliError::io(&format!("cannot write `{}`", path.display()), &error))
    }

    /// Names the runbooks that have no tests.
    fn mention(&self, without: &[String]) {
        if without.is_empty() {
            return;
        }
        let count = words::count(without.len() as u64, "runbook");
        let has = if without.len() == 1 { "has" } else { "have" };
        self.context.invocation.eprint(&format!(
            "warning: {count} {has} no tests: {}\n  = help: a test stands beside its runbook, as NAME.test.yaml\n",
            without.join(", ")
        ));
    }
}
