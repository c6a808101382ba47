//! A `confirm` asks a person. No transaction is open while it waits.

use super::super::cancel::Cancel;
use super::super::event::{Approved, Decision, StepResult};
use super::super::failure::{Failure, FailureKind};
use super::super::port::{Answer, Question, World};
use super::{Performed, Stage, template};
use crate::policy::rules::AnsweredBy;
use crate::runbook::data::Rows;
use crate::runbook::model::Step;
use crate::step::confirm::Confirm;

/// A question that is ready to be asked.
pub(in crate::engine) struct Asking {
    pub(in crate::engine) question: Question,
    pub(in crate::engine) show: Option<Rows>,
}

/// Makes the question.
pub(in crate::engine) fn prepare<W: World>(
    stage: &Stage<'_, W>,
    step: &Step,
    confirm: &Confirm,
) -> Result<Asking, Failure> {
    let context = stage.context(step)?;
    let render = |text: &crate::step::text::Template| context.render(text.text()).map_err(template);
    let show = confirm.show.as_ref().and_then(|name| {
        let shown = stage.plan.runbook().find(step.scope, name.text())?;
        match stage.state.result(shown.id) {
            Some(StepResult::Query { rows, .. }) => Some(rows.clone()),
            _ => None,
        }
    });
    let typed = confirm.typed.as_ref().map(render).transpose()?;
    if typed.as_ref().is_some_and(|typed| typed.trim().is_empty()) {
        return Err(template(
            "the text to type is empty: pressing Enter would be a yes",
        ));
    }
    Ok(Asking {
        show,
        question: Question {
            name: step.title.clone(),
            text: render(&confirm.ask)?,
            typed,
            answered_by: AnsweredBy::default(),
            timeout: step.common.timeout.map(|timeout| timeout.0),
        },
    })
}

/// Asks, and binds a yes to what was shown.
pub(in crate::engine) async fn ask<W: World>(
    world: &mut W,
    question: &Question,
    approved: Vec<Approved>,
    cancel: &Cancel,
) -> Result<Performed, Failure> {
    let (yes, by, why) = match world.ask(question, cancel).await {
        Answer::Yes(by) => (true, by, None),
        Answer::No { by, why } => (false, by, why),
        Answer::Nobody(why) => (false, "nobody".to_owned(), Some(why)),
        Answer::Cancelled => {
            return Err(Failure::new(
                FailureKind::Cancelled,
                "cancelled at the question",
            ));
        }
    };
    Ok(Performed {
        decision: if yes { Decision::Next } else { Decision::Else },
        result: StepResult::Confirm {
            yes,
            by,
            why,
            refusal: None,
            granted: None,
            approved: if yes { approved } else { Vec::new() },
        },
    })
}
