//! `runbook approve`: another person approves a run, or declines. All that is needed is in the journal of the target:
//! it can be done on any machine.

mod demand;
mod list;

use std::io::Write;

use serde_json::{Value, json};

use crate::cli::answers::line;
use crate::cli::args::{ApproveArgs, ListOutput};
use crate::cli::error::CliError;
use crate::cli::{Context, connection, runner};
use crate::engine::approval::{Came, Word};
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::outcome::exit;
use crate::engine::plan::Plan;
use crate::pg::session::Session;
use crate::pg::session::approval::Kept;
use crate::report::approval as page;
use crate::report::failure;
use crate::report::look::Look;

/// Approves, declines, or lists what waits; returns the exit code.
///
/// # Errors
/// What is wrong.
pub fn run(context: &Context<'_>, args: &ApproveArgs) -> Result<u8, CliError> {
    if args.run.is_none() && (args.decline || args.digest.is_some() || args.reason.is_some()) {
        return Err(CliError::usage("which run?").help("`runbook approve` lists those that wait"));
    }
    connection::runtime()?.block_on(start(context, args))
}

async fn start(context: &Context<'_>, args: &ApproveArgs) -> Result<u8, CliError> {
    let session = tokio::select! {
        connected = connection::connect(context, "runbook/approve") => connected?,
        () = runner::interrupted() => return Err(CliError::Cancelled),
    };
    match &args.run {
        None => list::list(context, args, &session).await,
        Some(run) => {
            let Some(kept) = session.requested(run).await? else {
                let target = session.target();
                let flag = target.flag();
                return Err(CliError::usage(format!(
                    "run `{run}` asks nobody for approval on {}/{}",
                    target.name, target.database
                ))
                .help(format!("`runbook approve{flag}` lists those that do")));
            };
            let deciding = Deciding {
                context,
                args,
                session: &session,
                kept: &kept,
            };
            deciding.decide().await
        }
    }
}

fn told(kept: &Kept) -> Value {
    let missing = match kept.standing.came(&kept.request.needs) {
        Came::Waiting(missing) => missing,
        _ => 0,
    };
    json!({
        "run": kept.request.run,
        "digest": kept.digest,
        "login": kept.login,
        "may_decide": kept.may_decide(),
        "is_own": kept.is_own,
        "missing": missing,
        "standing": kept.standing,
        "request": kept.request,
    })
}

fn look(context: &Context<'_>, errors: bool) -> Look {
    let terminal = &context.invocation.terminal;
    let (colors, is_terminal) = if errors {
        (context.look.color_err, terminal.stderr)
    } else {
        (context.look.color_out, terminal.stdout)
    };
    Look {
        colors,
        unicode: context.look.unicode,
        width: is_terminal.then_some(context.look.width),
    }
}

/// A request that somebody decides about.
struct Deciding<'a> {
    context: &'a Context<'a>,
    args: &'a ApproveArgs,
    session: &'a Session,
    kept: &'a Kept,
}

impl Deciding<'_> {
    async fn decide(&self) -> Result<u8, CliError> {
        let (args, kept) = (self.args, self.kept);
        let is_json = args.output == ListOutput::Json;
        if is_json && !args.decline && args.digest.is_none() {
            return self.print();
        }
        if !is_json {
            self.show()?;
        }
        if let Some(refusal) = self.refusal()? {
            return Ok(self.refuse(&refusal));
        }
        let word = if args.decline {
            Word::Decline
        } else {
            if let Some(no) = self.no().await? {
                return Ok(self.refuse(&no));
            }
            Word::Approve
        };
        let actor = runner::actor(self.context, self.session);
        let run = &kept.request.run;
        let said = (word, args.reason.as_deref());
        match self.session.say_of(run, &kept.digest, said, &actor).await {
            Ok(()) => {}
            Err(failure) if failure.kind == FailureKind::Policy => return Ok(self.refuse(&failure)),
            Err(failure) => return Err(failure.into()),
        }
        let now = self.session.requested(run).await?;
        let now = now.as_ref().filter(|now| now.digest == kept.digest);
        if is_json {
            let told = told(now.unwrap_or(kept));
            self.context.invocation.print(&format!("{told:#}\n"))?;
        } else {
            self.context.invocation.print(&self.done(word, now))?;
        }
        Ok(exit::DONE)
    }

    fn print(&self) -> Result<u8, CliError> {
        let told = told(self.kept);
        self.context.invocation.print(&format!("{told:#}\n"))?;
        Ok(exit::DONE)
    }

    fn show(&self) -> Result<(), CliError> {
        let Kept {
            request,
            digest,
            login,
            standing,
            ..
        } = self.kept;
        let lines = page::draw(
            request,
            (login, digest),
            standing,
            look(self.context, false),
        );
        let text: String = lines.iter().map(|line| line.to_string() + "\n").collect();
        self.context.invocation.print(&text)?;
        if let Some(warning) = self.other_text() {
            self.context
                .invocation
                .eprint(&format!("warning: {warning}\n"));
        }
        Ok(())
    }

    /// Says that the approver's own runbook of that name is another one.
    fn other_text(&self) -> Option<String> {
        let request = &self.kept.request;
        let catalogue = self.context.catalogue;
        let entry = catalogue.find(&request.runbook).ok()?;
        let proved = catalogue.load(&entry).ok()?;
        let own = Plan::hash_of(&proved.runbook);
        (own != request.hash).then(|| {
            format!(
                "the runbook `{}` here has another text than the one that is to run: {own}",
                request.runbook
            )
        })
    }

    /// Returns why this login cannot decide. The server looks at the same, and has the last word.
    fn refusal(&self) -> Result<Option<Failure>, CliError> {
        let kept = self.kept;
        let (request, run) = (&kept.request, &kept.request.run);
        let refuse = |message: String| Ok(Some(Failure::new(FailureKind::Policy, message)));
        if kept.is_own {
            let failure = format!(
                "{} asked for the approval of run {run}, so somebody else must decide",
                kept.login
            );
            return Ok(Some(
                Failure::new(FailureKind::Policy, failure)
                    .help(format!("take it back: runbook cancel {run}")),
            ));
        }
        match kept.standing.came(&request.needs) {
            Came::Refused(..) => {
                let (_, stands) = page::stands(&request.needs, &kept.standing);
                return refuse(format!("the request of run {run} is over: {stands}"));
            }
            _ if kept.standing.is_used() => {
                return refuse(format!("the approval of run {run} is used already"));
            }
            _ => {}
        }
        if !kept.is_member {
            return refuse(format!(
                "{} is no member of {}, who decide about run {run}",
                kept.own_login,
                request.needs.by.join(" or ")
            ));
        }
        if let Some(said) = kept.said() {
            return refuse(format!("run {run} is {}", page::said(said)));
        }
        if self.args.decline {
            return Ok(None);
        }
        if let Some(why) = request.contradiction(self.session.target()) {
            return Ok(Some(
                Failure::new(
                    FailureKind::Policy,
                    format!("what run {run} asks for contradicts itself: {why}"),
                )
                .note("what is shown here is not what would be done")
                .help(format!(
                    "decline it: runbook approve {run} --decline --reason …"
                )),
            ));
        }
        let goal = connection::goal(self.context)?;
        let Some(target) = goal.target else {
            return Ok(None);
        };
        Ok(demand::more(&target.rules, self.kept).map(|more| {
            Failure::new(
                FailureKind::Policy,
                format!(
                    "runbook.yaml here demands more of such a run on {} than was asked for",
                    target.name
                ),
            )
            .note(more)
            .note("whoever asks may have another runbook.yaml")
            .help(format!(
                "`runbook approve {run}{} --decline --reason …` declines it",
                self.session.target().flag()
            ))
        }))
    }

    /// Asks; returns why it is no yes.
    async fn no(&self) -> Result<Option<Failure>, CliError> {
        let Kept {
            request, digest, ..
        } = self.kept;
        let run = &request.run;
        let no = |message: String| Failure::new(FailureKind::Policy, message);
        if let Some(given) = &self.args.digest {
            return Ok((given != digest).then(|| {
                no(format!(
                    "what run {run} asks for has another digest than the one that was given"
                ))
                .note(format!("it is {digest}"))
                .help(format!(
                    "look at it: runbook approve {run}{}",
                    self.session.target().flag()
                ))
            }));
        }
        let terminal = &self.context.invocation.terminal;
        if !(terminal.stdin && terminal.stderr) {
            return Ok(Some(
                no(format!(
                    "nobody approved run {run}: there is no terminal to ask at"
                ))
                .help("run it in a terminal")
                .help("or approve what you have seen by its digest: --digest DIGEST"),
            ));
        }
        let prompt = format!("Type \"{run}\" to approve it: ");
        // What was typed before the question was seen is no answer to it.
        let _ = nix::sys::termios::tcflush(std::io::stdin(), nix::sys::termios::FlushArg::TCIFLUSH);
        let mut terminal = std::io::stderr();
        let shown = terminal.write_all(prompt.as_bytes());
        shown
            .and_then(|()| terminal.flush())
            .map_err(|error| CliError::io("cannot ask", &error))?;
        let answer = tokio::select! {
            answer = line() => answer,
            () = runner::interrupted() => {
                self.context.invocation.eprint("\n");
                return Err(CliError::Cancelled);
            }
        };
        Ok(match answer {
            Some(answer) if answer.trim() == run => None,
            Some(answer) => Some(
                no(format!("run {run} is not approved"))
                    .note(format!("\"{}\" is not the run's id", answer.trim()))
                    .help(format!(
                        "`runbook approve {run}{} --decline --reason …` says no for good",
                        self.session.target().flag()
                    )),
            ),
            None => Some(no(format!(
                "run {run} is not approved: the input ended without an answer"
            ))),
        })
    }

    fn refuse(&self, failure: &Failure) -> u8 {
        for line in failure::draw(failure, look(self.context, true)) {
            self.context.invocation.eprint(&format!("{line}\n"));
        }
        exit::DECLINED
    }

    fn done(&self, word: Word, now: Option<&Kept>) -> String {
        let request = &self.kept.request;
        let run = &request.run;
        let flag = self.session.target().flag();
        if word == Word::Decline {
            return format!(
                "Declined run {run} for good.\n{} learns of it by: runbook resume {run}{flag}\n",
                self.kept.login
            );
        }
        let now = now.map(|now| now.standing.came(&request.needs));
        match now {
            Some(Came::Waiting(missing)) => format!(
                "Approved run {run}. It still needs {}.\n",
                request.needs.whom(missing)
            ),
            _ => format!(
                "Approved run {run}.\n{} goes on with it: runbook resume {run}{flag}\n",
                self.kept.login
            ),
        }
    }
}
