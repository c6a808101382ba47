//! `runbook demo`: a private PostgreSQL with sample data, and a guided run in it.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::cli::args::DemoArgs;
use crate::cli::error::CliError;
use crate::cli::{Context, answers, connection};
use crate::engine::event::EventKind;
use crate::engine::outcome::exit;
use crate::pg::scratch::{self, Scratch, ScratchOptions};
use crate::record::run::RunRecord;
use crate::record::store;

const SCHEMA: &str = include_str!("../../../runbooks/crm/sample/schema.sql");
const DATA: &str = include_str!("../../../runbooks/crm/sample/data.sql");

/// The runbooks that the sample data is made for, with arguments that find something to do, and a question
/// that shows what became of it.
const SCENES: [(&str, &[&str], &str); 4] = [
    (
        "enable-suspended-customer",
        &["--company", "42"],
        "SELECT c.name, c.status, s.status AS subscription, count(*) FILTER (WHERE u.is_active) AS active_users \
         FROM companies c JOIN subscriptions s ON s.company_id = c.id JOIN users u ON u.company_id = c.id \
         WHERE c.id = 42 GROUP BY c.id, s.id",
    ),
    (
        "user-cannot-login",
        &["--email", "grace@globex.example"],
        "SELECT email, is_active, email_verified FROM users WHERE email = 'grace@globex.example'",
    ),
    (
        "make-user-admin",
        &["--email", "edsger@globex.example"],
        "SELECT email, role FROM users WHERE company_id = 7 ORDER BY id",
    ),
    (
        "health-check",
        &[],
        "SELECT count(*) AS companies FROM companies",
    ),
];

/// Plays the demo.
///
/// # Errors
/// There is no PostgreSQL to start, or a command of the demo cannot be started.
pub fn run(context: &Context<'_>, args: &DemoArgs) -> Result<u8, CliError> {
    let name = args.name.as_deref().unwrap_or(SCENES[0].0);
    let Some(scene) = SCENES.iter().find(|(runbook, ..)| *runbook == name) else {
        let names = SCENES.map(|(runbook, ..)| runbook);
        return Err(
            CliError::invalid(format!("there is no demo of `{name}`")).help(
                crate::base::words::did_you_mean(name, names)
                    .unwrap_or_else(|| format!("there are {}", names.join(", "))),
            ),
        );
    };
    let runtime = connection::runtime()?;
    runtime.block_on(async {
        say(
            context,
            "Starting a private PostgreSQL with the data of 1,000 companies …",
        );
        let server = start(context).await?;
        // Its runs are of no use once the server is gone, and go with it.
        let stage = Stage {
            url: &server.url("crm"),
            records: &server.path().join("records"),
        };
        let result = play(context, args, &stage, *scene).await;
        let stopped = server.stop();
        let code = result?;
        stopped.map_err(|error| CliError::Io {
            message: error.to_string(),
        })?;
        say(
            context,
            "\nThe server and its data are gone again. Next: `runbook new my-first-runbook`.",
        );
        Ok(code)
    })
}

fn say(context: &Context<'_>, text: &str) {
    context.invocation.eprint(&format!("{text}\n"));
}

async fn start(context: &Context<'_>) -> Result<Scratch, CliError> {
    let wrong = |why: String| CliError::Io { message: why };
    let server = scratch::start(&context.invocation.environment, ScratchOptions::default())
        .await
        .map_err(|error| wrong(error.to_string()))?;
    server
        .create_database("crm", None)
        .await
        .map_err(|error| wrong(error.to_string()))?;
    let connected = server.settings("crm").connect().await?;
    for sql in [SCHEMA, DATA] {
        connected
            .client
            .batch_execute(sql)
            .await
            .map_err(|error| wrong(format!("the sample data cannot be loaded: {error}")))?;
    }
    Ok(server)
}

/// Where the demo is played.
struct Stage<'a> {
    url: &'a str,
    /// The folder of the records of its runs.
    records: &'a Path,
}

/// Plays each command as a person would type it, by this very program.
async fn play(
    context: &Context<'_>,
    args: &DemoArgs,
    stage: &Stage<'_>,
    scene: (&'static str, &'static [&'static str], &'static str),
) -> Result<u8, CliError> {
    let (name, params, question) = scene;
    let with = |flag: Option<&'static str>| {
        let words = ["run", name].into_iter().chain(params.iter().copied());
        words.chain(flag).collect::<Vec<&str>>()
    };
    let terminal = &context.invocation.terminal;
    let person = terminal.stdin && terminal.stdout && terminal.stderr && !args.yes;
    let real = if person {
        with(None)
    } else {
        with(Some("--yes"))
    };
    let scenes: [(&str, Vec<&str>); 6] = [
        ("What is there for customers?", vec!["list", "--tag", "crm"]),
        ("What will it do?", vec!["show", name]),
        (
            "Is it sound, and does it fit this database?",
            vec!["check", name, "--target", stage.url],
        ),
        (
            "A rehearsal: everything is done for real and taken back.",
            with(Some("--dry-run")),
        ),
        ("Now for real.", real),
        ("And the data says:", vec!["query", question]),
    ];
    for (index, (why, words)) in scenes.into_iter().enumerate() {
        if person && index > 0 && !goes_on(context).await {
            say(context, "");
            return Ok(exit::CANCELLED);
        }
        let code = act(context, why, &words, stage).await?;
        if code != exit::DONE {
            return Ok(code);
        }
    }
    let Some(run) = undoable(stage.records) else {
        return Ok(exit::DONE);
    };
    if person && !goes_on(context).await {
        say(context, "");
        return Ok(exit::CANCELLED);
    }
    let mut undo = vec!["undo", run.as_str()];
    undo.extend((!person).then_some("--yes"));
    let code = act(context, "It can be put back, row by row.", &undo, stage).await?;
    // A person may want to leave it as it is.
    Ok(if code == exit::DECLINED {
        exit::DONE
    } else {
        code
    })
}

/// Shows a command, and runs it.
async fn act(
    context: &Context<'_>,
    why: &str,
    words: &[&str],
    stage: &Stage<'_>,
) -> Result<u8, CliError> {
    say(
        context,
        &format!("\n── {why}\n$ runbook {}\n", shown(words, stage.url)),
    );
    let code = one(words, stage).await?;
    Ok(u8::try_from(code).unwrap_or(exit::DEFECT))
}

/// Returns the run of the demo that changed something.
fn undoable(records: &Path) -> Option<String> {
    let runs = store::runs(records).ok()?;
    runs.into_iter().find(|run| {
        let log = RunRecord::read(records, run);
        log.is_ok_and(|log| {
            log.events.iter().any(|event| {
                matches!(&event.kind, EventKind::RunFinished(finished) if finished.undoable)
            })
        })
    })
}

/// Waits until the person has read it all; returns whether they want more.
async fn goes_on(context: &Context<'_>) -> bool {
    context.invocation.eprint("\nPress Enter to go on ");
    tokio::select! {
        line = answers::line() => line.is_some(),
        _ = tokio::signal::ctrl_c() => false,
    }
}

fn shown(words: &[&str], url: &str) -> String {
    let quoted = |word: &&str| match *word {
        word if word == url => "demo".to_owned(),
        word if word.contains(' ') => format!("\"{word}\""),
        word => word.to_owned(),
    };
    words.iter().map(quoted).collect::<Vec<_>>().join(" ")
}

async fn one(words: &[&str], stage: &Stage<'_>) -> Result<i32, CliError> {
    let program = std::env::current_exe()
        .map_err(|error| CliError::io("cannot find this program", &error))?;
    let mut command = Command::new(program);
    command
        .args(words)
        .env("DATABASE_URL", stage.url)
        .env("RUNBOOK_STATE", stage.records)
        .stdin(Stdio::inherit());
    let child = tokio::process::Command::from(command).spawn();
    let mut child =
        child.map_err(|error| CliError::io("cannot start this program again", &error))?;
    loop {
        tokio::select! {
            status = child.wait() => {
                let status = status.map_err(|error| CliError::io("cannot wait for the command", &error))?;
                return Ok(status.code().unwrap_or(i32::from(exit::CANCELLED)));
            }
            // Ctrl-C is for the command; the demo waits for what it makes of it, and cleans up.
            _ = tokio::signal::ctrl_c() => {}
        }
    }
}
