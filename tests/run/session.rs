//! The session that the program itself works with, used without the engine around it.

use runbook::engine::cancel::Cancel;
use runbook::engine::failure::Failure;
use runbook::engine::journal::{Entry, Terms, Undo, Unit};
use runbook::engine::port::{Bound, Close, Limits};
use runbook::pg::environment::Environment;
use runbook::pg::session::Session;
use runbook::pg::session::journal::{Keeping, Writer};
use runbook::pg::settings::ConnectSettings;
use runbook::runbook::model::StepId;
use runbook::sql::statement::Statement;

use crate::test::Test;

pub(crate) fn limits() -> Limits {
    Limits {
        deadline: None,
        cancel: Cancel::never(),
    }
}

pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(work)
}

/// Connects as a run that keeps its journal in the database.
pub(crate) async fn connect(url: &str, run: &str) -> Session {
    connect_keeping(url, run, Keeping::Database).await
}

pub(crate) async fn connect_keeping(url: &str, run: &str, keeping: Keeping) -> Session {
    let settings = ConnectSettings::resolve(Some(url), &Environment::empty())
        .unwrap()
        .with_application_name(format!("runbook/{run}"));
    let mut session = Session::connect(&settings, None).await.unwrap();
    session.set_writer(Writer {
        run: run.to_owned(),
        runbook: "t".to_owned(),
        hash: "abc".to_owned(),
        actor: "ann (ann@here)".to_owned(),
        keeping,
    });
    session
}

pub(crate) fn entry(run: &str, step: usize) -> Entry {
    Entry {
        run: run.to_owned(),
        unit: Unit {
            step: StepId(step),
            item: None,
            part: 0,
        },
        name: format!("step_{step}"),
        undo: false,
    }
}

pub(crate) fn terms() -> Terms {
    Terms {
        step: StepId(0),
        undo: Undo::Images,
        tables: None,
        ignore: Vec::new(),
        row_security: false,
    }
}

pub(crate) fn bound(sql: &str) -> Bound {
    Bound {
        statement: Statement::parse(sql).unwrap(),
        binds: Vec::new(),
    }
}

/// Opens a recorded transaction and changes something in it.
pub(crate) async fn begin(session: &mut Session, entry: &Entry, sql: &str) -> Result<(), Failure> {
    session.open();
    session.record(entry, &limits()).await?;
    session
        .change(&bound(sql), &terms(), &limits())
        .await
        .map(|_| ())
}

/// Does a recorded transaction; one that fails is taken back.
pub(crate) async fn apply(session: &mut Session, entry: &Entry, sql: &str) -> Result<(), Failure> {
    let begun = begin(session, entry, sql).await;
    if begun.is_err() {
        let _ = session.close(Close::Rollback, &limits()).await;
        return begun;
    }
    session.close(Close::Commit, &limits()).await
}

/// Replaces the times in a text.
pub(crate) fn moments(text: &str) -> String {
    regex_lite::Regex::new(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\+00")
        .unwrap()
        .replace_all(text, "MOMENT")
        .into_owned()
}

/// A failure as a person reads it.
pub(crate) fn words(failure: &Failure) -> String {
    let notes = failure.notes.iter().map(|note| format!("\n  note: {note}"));
    let help = failure.help.iter().map(|help| format!("\n  help: {help}"));
    let text = format!(
        "{:?}: {}{}{}",
        failure.kind,
        failure.message,
        notes.collect::<String>(),
        help.collect::<String>()
    );
    moments(&text)
}

/// Waits until something is so that must come.
pub(crate) async fn until(is_so: impl AsyncFn() -> bool) {
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
    while !is_so().await {
        assert!(tokio::time::Instant::now() < deadline, "it never came");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

/// Reads rows beside the sessions of a test, while it waits for nothing else.
pub(crate) fn beside(test: &Test, sql: &str) -> String {
    std::thread::scope(|scope| scope.spawn(|| test.rows(sql)).join().unwrap())
}
