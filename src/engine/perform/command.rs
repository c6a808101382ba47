//! A `command` runs a program: a list of words, never a shell line.

use super::super::event::{Decision, StepResult};
use super::super::failure::{Failure, FailureKind};
use super::super::port::{Program, World};
use super::{Performed, Stage, template};
use crate::runbook::context::Context;
use crate::step::command::{Command, Expect};

pub(super) async fn perform<W: World>(
    stage: &mut Stage<'_, W>,
    context: &Context,
    command: &Command,
    pass_connection: bool,
    expect: Option<&Expect>,
    reads: bool,
) -> Result<Performed, Failure> {
    if !stage.lasting {
        return Ok(Performed {
            result: StepResult::WouldRun,
            decision: Decision::Next,
        });
    }
    let words: Vec<String> = command
        .0
        .iter()
        .map(|word| context.render(word.text()).map_err(template))
        .collect::<Result<_, _>>()?;
    let program = Program {
        words,
        pass_connection,
        reads,
    };
    let output = stage.world.program(&program, &stage.limits).await?;
    let passed = expect.is_none_or(|expect| expect.code == output.code);
    Ok(Performed {
        decision: if passed {
            Decision::Next
        } else {
            Decision::Else
        },
        result: StepResult::Command {
            code: output.code,
            stdout: output.stdout,
            stderr: output.stderr,
            passed,
        },
    })
}

/// Returns the failure of a program that came to something else than expected.
pub(super) fn unexpected(code: i32, expect: Option<&Expect>, stderr: &str) -> Failure {
    let wanted = expect.map_or(0, |expect| expect.code);
    let failure = Failure::new(
        FailureKind::Command,
        format!("the program ended with code {code}, expected {wanted}"),
    );
    match stderr.trim() {
        "" => failure,
        text => failure.note(
            text.lines()
                .rev()
                .take(5)
                .collect::<Vec<_>>()
                .into_iter()
                .rev()
                .collect::<Vec<_>>()
                .join("\n"),
        ),
    }
}
