//! A runbook whose names are resolved: what proofs look at, and what the engine runs.

use serde::{Deserialize, Serialize};

use super::notice::Notify;
use super::param::Param;
use super::sensitive::Sensitive;
use super::statement::SqlTemplate;
use crate::base::source::{Source, Span};
use crate::sql::risk::Risk;
use crate::step::Kind;
use crate::step::common::Common;
use crate::step::text::Template;

/// A step, as an index into [`Runbook::steps`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StepId(pub usize);

/// A scope of names, as an index into [`Runbook::scopes`]; 0 is the runbook's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ScopeId(pub usize);

/// A runbook with its names resolved.
#[derive(Clone, Debug)]
pub struct Runbook {
    /// Its text.
    pub source: Source,
    /// Its name, in kebab-case.
    pub name: String,
    /// What it does, in a few words.
    pub title: Template,
    /// What it does, when to use it, and what it will not do.
    pub about: Option<Template>,
    /// The highest risk of its statements.
    pub risk: Risk,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// Settings of every transaction.
    pub session: Vec<(String, Template)>,
    /// Columns whose values nobody is to see, those of the runbooks that it uses too.
    pub sensitive: Vec<Sensitive>,
    /// Whom to tell how its runs go.
    pub notify: Vec<Notify>,
    /// Scopes of names: its own, and one for each `use`.
    pub scopes: Vec<Scope>,
    /// All steps; those inside of an `atomic` and of branches too.
    pub steps: Vec<Step>,
    /// The first step.
    pub entry: StepId,
    /// What happens after an error that no step handles.
    pub on_failure: OnFailure,
    /// What happens after Ctrl-C.
    pub on_cancel: OnFailure,
}

impl Runbook {
    /// Returns a step.
    pub fn step(&self, id: StepId) -> &Step {
        &self.steps[id.0]
    }

    /// Returns the texts that it is made of: its own first, then those that it uses.
    pub fn texts(&self) -> Vec<&Source> {
        let mut texts = vec![&self.source];
        for scope in &self.scopes {
            if !texts
                .iter()
                .any(|known| known.name() == scope.source.name())
            {
                texts.push(&scope.source);
            }
        }
        texts
    }

    /// Returns the parameters, in the order of the file.
    pub fn params(&self) -> &[(String, Param)] {
        &self.scopes[0].params
    }

    /// Returns the step of a scope by its name there.
    pub fn find(&self, scope: ScopeId, name: &str) -> Option<&Step> {
        self.steps
            .iter()
            .find(|step| step.scope == scope && step.name == name)
    }

    /// Returns the `for_each` items that can be read in a step: its own and its `atomic`'s.
    pub fn items(&self, step: &Step) -> Vec<String> {
        let own = step.common.item.iter();
        let outer = step.atomic.map(|id| self.step(id).common.item.iter());
        own.chain(outer.into_iter().flatten())
            .map(|name| name.text().to_owned())
            .collect()
    }
}

/// The names that the steps of one file share.
#[derive(Clone, Debug)]
pub struct Scope {
    /// The text that its steps come from.
    pub source: Source,
    /// What stands before its names in the output; nothing for the runbook's own.
    pub prefix: String,
    /// The scope and values that its parameters come from.
    pub from: Option<(ScopeId, Vec<(String, Template)>)>,
    /// Its parameters.
    pub params: Vec<(String, Param)>,
    /// Runs that need the same key never overlap.
    pub lock: Option<Template>,
}

/// A step with its names resolved.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its index.
    pub id: StepId,
    /// Its name in its scope.
    pub name: String,
    /// Its name in the output.
    pub title: String,
    /// Where to point at in the runbook's own text: its name, or the `use` that brought it.
    pub span: Span,
    /// The scope of the names in it.
    pub scope: ScopeId,
    /// What it is for.
    pub kind: Kind,
    /// The keys that every step may have.
    pub common: Common,
    /// Its statements, in order.
    pub sql: Vec<SqlTemplate>,
    /// The statements that undo it.
    pub undo: Vec<SqlTemplate>,
    /// The statement that says whether it was done.
    pub verify: Option<SqlTemplate>,
    /// The `atomic` that it is in.
    pub atomic: Option<StepId>,
    /// The steps in it, when it is an `atomic`.
    pub inner: Vec<StepId>,
    /// The branch that it is in; none on the main path.
    pub branch: Option<String>,
    /// The fixes that a `confirm` approves, or a `rollback` puts back.
    pub of: Vec<StepId>,
    /// The backup step that a `rollback` puts back from.
    pub backup: Option<StepId>,
    /// Where a run goes after it.
    pub routes: Routes,
}

impl Step {
    /// Returns the risk of what a fix does, and its reason; nothing for a step that changes nothing.
    pub fn risk(&self) -> Option<(Risk, String)> {
        let Kind::Fix(fix) = &self.kind else {
            return None;
        };
        let statements = self.sql.iter().map(|sql| {
            let found = sql.statement.risk();
            let risk = if self.undo.is_empty() {
                found.risk
            } else {
                found.with_undo
            };
            (risk, found.reason.clone())
        });
        let command = fix
            .command
            .is_some()
            .then(|| (Risk::Medium, "a command's effects are its own".to_owned()));
        statements.chain(command).max_by_key(|(risk, _)| *risk)
    }

    /// Returns the steps of an `atomic`, or the step alone.
    pub fn unit(&self) -> Vec<StepId> {
        if self.inner.is_empty() {
            vec![self.id]
        } else {
            self.inner.clone()
        }
    }
}

/// Where a run goes after a step.
#[derive(Clone, Debug)]
pub struct Routes {
    /// After success.
    pub next: Target,
    /// After a check that passed, where that differs.
    pub then: Option<Target>,
    /// After a check, guard or question that failed.
    pub otherwise: Option<Target>,
    /// After a `switch`, by value.
    pub cases: Vec<(String, Target)>,
    /// After an error.
    pub on_error: Option<Target>,
}

/// A place to go to.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// A step.
    Step(StepId),
    /// The end of an `atomic`: its transaction commits.
    Commit(StepId),
    /// An end of the run.
    End(Ending),
}

/// An end of the run.
#[derive(Clone, Debug, PartialEq)]
pub enum Ending {
    /// The work is done.
    Done(Template),
    /// There is nothing to do.
    Stop(Template),
    /// The run failed.
    Fail(Template),
    /// There are no more steps: the end is as the list was entered.
    OffEnd,
}

/// What happens after an error or a Ctrl-C.
#[derive(Clone, Debug, PartialEq)]
pub enum OnFailure {
    /// The runbook does not say.
    Default,
    /// Everything that the run fixed is put back.
    Rollback,
    /// Everything stays as it is.
    Stop,
    /// A branch, a step or an end says.
    Go(Target),
}
