//! Plays one case: a run of the very program, on a database of its own.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde_json::Value as Json;
use tempfile::TempDir;
use tokio_postgres::Client;

use super::book::Book;
use super::contents::Contents;
use super::fault::Faults;
use super::ground::{Ground, Place, Unfit};
use super::hearing::{Hearing, Said};
use super::script::Script;
use super::session::{Looking, Others, words};
use super::world::Stage;
use crate::cli::Context;
use crate::cli::args::{Global, RunArgs, UndoArgs};
use crate::cli::command::{run, undo};
use crate::cli::error::CliError;
use crate::cli::invocation::Invocation;
use crate::cli::look::{Look, When};
use crate::engine::cancel::Cancel;
use crate::engine::driver;
use crate::engine::event::Event;
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::outcome::{Outcome, exit};
use crate::engine::port::{Bound, Limits};
use crate::pg::environment::Environment;
use crate::pg::session::Session;
use crate::pg::settings::ConnectSettings;
use crate::runbook::data::Rows;
use crate::sql::statement::Statement;
use crate::suite::document::{Case, RowsAfter};
use crate::suite::verdict::Came;

/// What a run's program may see of the environment: where PostgreSQL's programs are.
const VARIABLES: [&str; 2] = ["PATH", "RUNBOOK_PG_BIN"];

/// Rows that are kept of an answer: more than a person lists in a test.
const KEEP: usize = 10_000;

/// What the sessions that look at the database call themselves.
const NAME: &str = "runbook/test";

/// Where the login is not named.
const SUPERUSER: &str = "postgres";

/// Plays a case of a runbook's tests, by its index.
///
/// # Errors
/// Its SQL is wrong, or there is no database for it.
pub(in crate::cli) async fn play(
    context: &Context<'_>,
    ground: Option<&Ground>,
    book: &Book,
    index: usize,
) -> Result<Came, Unfit> {
    let began = Instant::now();
    let Some(case) = book.suite.cases.get(index) else {
        return Ok(Came::default());
    };
    let scripts = book.additions.get(index).map_or(&[][..], Vec::as_slice);
    let place = Place::of(ground, book, &context.invocation.environment).await?;
    let played = Box::pin(Player::play(context, book, case, scripts, &place)).await;
    place.remove().await;
    Ok(Came {
        took: began.elapsed(),
        ..played?
    })
}

/// A case while it is played.
struct Player<'a> {
    book: &'a Book,
    case: &'a Case,
    place: &'a Place<'a>,
    harness: Client,
    invocation: Invocation,
    global: Global,
    said: Said,
    /// The folder of what the run leaves behind.
    folder: TempDir,
}

impl<'a> Player<'a> {
    async fn play(
        context: &'a Context<'_>,
        book: &'a Book,
        case: &'a Case,
        scripts: &[Script],
        place: &'a Place<'a>,
    ) -> Result<Came, Unfit> {
        let settings = place.settings()?;
        if !scripts.is_empty() {
            let connected = settings.connect().await?;
            for script in scripts {
                script.run(&connected.client).await?;
            }
        }
        let folder = TempDir::with_prefix("runbook-test-").map_err(|error| system(&error))?;
        let said = Said::default();
        let login = case.login.as_ref().map_or(SUPERUSER, |login| login.text());
        let harness = settings.with_application_name(NAME).connect().await?.client;
        let player = Player {
            book,
            case,
            place,
            harness,
            invocation: invocation(context, &folder, &said),
            global: Global {
                runbooks: Vec::new(),
                target: None,
                database_url: Some(place.url(login)?),
                state_dir: Some(folder.path().join("state")),
                color: When::Never,
            },
            said,
            folder,
        };
        let context = Context {
            invocation: &player.invocation,
            global: &player.global,
            catalogue: context.catalogue,
            look: Look {
                color_out: false,
                color_err: false,
                unicode: true,
                width: context.look.width,
            },
        };
        Box::pin(player.whole(&context)).await
    }

    /// Plays it from the first session to the last look at the tables.
    async fn whole(&self, context: &Context<'_>) -> Result<Came, Unfit> {
        let mut came = Came::default();
        let mut before = if self.case.data.is_some() {
            self.contents().await?
        } else {
            self.place.contents.clone()
        };
        let settings = self.place.settings()?;
        let mut others = match self.others(&settings, &mut before).await? {
            Ok(others) => others,
            Err(trouble) => {
                came.trouble = Some(trouble);
                return Ok(came);
            }
        };
        let ran = Box::pin(self.run(context, &mut came, &mut before)).await?;
        came.rows = self.questions(&mut others).await?;
        others.end(&self.harness).await;
        let after = self.contents().await?;
        came.tables = after.tables();
        came.changed = after.differing(&before);
        if self.case.undo {
            came.undone = Some(self.undo(context, ran, &before).await);
        }
        Ok(came)
    }

    /// Opens the other sessions; what they commit by that belongs to what was there `before`.
    async fn others(
        &self,
        settings: &ConnectSettings,
        before: &mut Contents,
    ) -> Result<Result<Others, String>, Unfit> {
        if self.case.sessions.is_empty() {
            return Ok(Ok(Others::default()));
        }
        self.set("lock_timeout", "50ms").await?;
        let mut looking = Looking {
            client: &self.harness,
            seen: before,
            locked: false,
        };
        let others = Others::open(&self.case.sessions, settings, &mut looking).await;
        self.set("lock_timeout", "5s").await?;
        Ok(others)
    }

    async fn contents(&self) -> Result<Contents, Unfit> {
        let read = Contents::read(&self.harness).await;
        read.map_err(|error| Unfit::Server(format!("its tables cannot be read: {}", words(&error))))
    }

    async fn set(&self, name: &str, value: &str) -> Result<(), Unfit> {
        let set = format!("SET {name} = '{value}'");
        let set = self.harness.batch_execute(&set).await;
        set.map_err(|error| Unfit::Server(words(&error)))
    }

    /// Runs the runbook as `runbook run` does; what others do meanwhile is added to what was there `before`. Returns the run's id and its process on the server, where it began.
    async fn run(
        &self,
        context: &Context<'_>,
        came: &mut Came,
        before: &mut Contents,
    ) -> Result<Option<(String, i32)>, Unfit> {
        let args = self.args();
        let prepared = Box::pin(run::prepare(context, &args, self.book.proved.clone())).await;
        let (plan, mut real) = match prepared {
            Ok(prepared) => prepared,
            Err(error) => {
                came.said = self.said.take() + &error.render(false);
                return Ok(None);
            }
        };
        let events = Rc::<RefCell<Vec<Event>>>::default();
        real.sink = Box::new(Hearing {
            events: Rc::clone(&events),
            sink: real.sink,
        });
        let (canceller, cancel) = Cancel::new();
        let faults = Faults::new(
            &self.case.faults,
            self.place.settings()?,
            canceller,
            std::mem::take(before),
        );
        let mut stage = Stage { real, faults };
        let ended = Box::pin(driver::run(&plan, &mut stage, cancel)).await;
        let pid = stage.real.session.pid();
        let Stage { real, mut faults } = stage;
        drop(real);
        // What comes after the last step has no run any more to wait for it.
        faults.settle().await;
        (*before, came.trouble) = faults.end();
        came.said = self.said.take();
        match ended {
            Ok(Ok(finished)) => came.outcome = Some(finished.outcome),
            Ok(Err(failure)) => {
                let error = CliError::CutShort(Box::new(failure));
                came.said += &error.render(false);
                came.outcome = Some(match error.code() {
                    exit::UNKNOWN => Outcome::Unknown,
                    _ => Outcome::Stopped,
                });
            }
            Err(untold) => came.trouble = Some(untold.to_string()),
        }
        came.events = events.take();
        Ok(Some((plan.run, pid)))
    }

    fn args(&self) -> RunArgs {
        let params = self.case.params.0.iter();
        let answers = self.case.answers.0.iter();
        RunArgs {
            dry_run: self.case.dry_run,
            answers: answers
                .map(|(name, answer)| (name.value.clone(), answer.text().to_owned()))
                .collect(),
            params: params
                .filter_map(|(name, value)| Some((name.value.clone(), vec![given(&value.0)?])))
                .collect(),
            ..RunArgs::default()
        }
    }

    /// Asks the case's questions about the rows, while the other sessions are still there.
    async fn questions(&self, others: &mut Others) -> Result<Vec<Result<Rows, String>>, Unfit> {
        let mut answers = Vec::new();
        if self.case.rows.is_empty() {
            return Ok(answers);
        }
        let settings = self.place.settings()?.with_application_name(NAME);
        let mut session = Session::connect(&settings, None).await?;
        session.set_local(vec![("lock_timeout".to_owned(), "1s".to_owned())]);
        for question in &self.case.rows {
            let mut answer = ask(&mut session, question).await;
            if answer
                .as_ref()
                .is_err_and(|failure| failure.kind == FailureKind::LockTimeout)
            {
                // They have locked what it is about.
                others.end(&self.harness).await;
                answer = ask(&mut session, question).await;
            }
            answers.push(answer.map_err(|failure| failure.message));
        }
        Ok(answers)
    }

    /// Undoes the run as `runbook undo` does, and returns the tables that are not as they were.
    async fn undo(
        &self,
        context: &Context<'_>,
        ran: Option<(String, i32)>,
        before: &Contents,
    ) -> Result<Vec<String>, String> {
        let Some((run, pid)) = ran else {
            return Err("the run never began".to_owned());
        };
        self.gone(pid).await?;
        let secrets = self.case.params.0.iter().filter(|(name, _)| {
            let params = self.book.proved.runbook.params().iter();
            params
                .filter(|(_, param)| param.secret)
                .any(|(known, _)| *known == name.value)
        });
        let args = UndoArgs {
            run,
            yes: true,
            param: secrets
                .filter_map(|(name, value)| Some((name.value.clone(), given(&value.0)?)))
                .collect(),
            ..UndoArgs::default()
        };
        let base = self.folder.path().join("state");
        let undone = Box::pin(undo::start(context, &args, &base)).await;
        let said = self.said.take();
        match undone {
            Ok(exit::DONE) => {}
            Ok(_) => return Err(said),
            Err(error) => return Err(said + &error.render(false)),
        }
        let now = Contents::read(&self.harness).await;
        let now = now.map_err(|error| words(&error))?;
        Ok(now.differing(before))
    }

    /// Waits until a session is gone from the server, with its locks.
    async fn gone(&self, pid: i32) -> Result<(), String> {
        let question = "SELECT count(*) FROM pg_stat_activity WHERE pid = $1";
        loop {
            let row = self.harness.query_one(question, &[&pid]).await;
            if row.map_err(|error| words(&error))?.get::<_, i64>(0) == 0 {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

/// Asks one question.
async fn ask(session: &mut Session, question: &RowsAfter) -> Result<Rows, Failure> {
    let statement = Statement::parse(question.sql.text())
        .map_err(|error| Failure::new(FailureKind::Statement, error.message))?;
    let bound = Bound {
        statement,
        binds: Vec::new(),
    };
    let limits = Limits {
        deadline: None,
        cancel: Cancel::never(),
    };
    session.read(&bound, KEEP, &limits).await
}

fn system(error: &std::io::Error) -> Unfit {
    Unfit::Server(CliError::io("cannot make a temporary folder", error).to_string())
}

/// Returns what the run is given of the process: nothing that differs from one person to another.
fn invocation(context: &Context<'_>, folder: &TempDir, said: &Said) -> Invocation {
    let own = &context.invocation.environment;
    let environment = VARIABLES
        .iter()
        .filter_map(|name| Some((*name, own.var(name)?)))
        .fold(Environment::empty(), |environment, (name, value)| {
            environment.with(name, value)
        });
    let mut invocation = Invocation::new(["runbook"], folder.path(), said.clone(), said.clone());
    invocation.environment = environment.with_user("test");
    invocation
}

/// Returns a value as a flag has it; nothing for one that is not given.
fn given(value: &Json) -> Option<String> {
    match value {
        Json::Null => None,
        Json::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}
