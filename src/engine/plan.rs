//! What a run is going to do, decided before it starts: a proved runbook, checked arguments, how to
//! answer, and what this version cannot do.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::change::hex;
use super::pace::Pace;
use crate::policy::rules::Policy;
use crate::runbook::argument::Argument;
use crate::runbook::check::Proved;
use crate::runbook::model::{Runbook, Step};
use crate::step::Kind;
use crate::step::fix::TransactionMode;

/// A run that may start.
#[derive(Debug)]
pub struct Plan {
    /// The runbook.
    pub proved: Proved,
    /// The values of its parameters.
    pub arguments: BTreeMap<String, Argument>,
    /// Whether everything is rolled back at the end.
    pub dry_run: bool,
    /// The run's id.
    pub run: String,
    /// SHA-256 of the runbook's text.
    pub hash: String,
    /// Who runs it.
    pub actor: String,
    /// What the target demands, and who runs it there.
    pub policy: Policy,
    /// What only the run's own record knows: by which a digest of secrets tells nobody else what they are.
    pub salt: String,
    /// When the last run of the runbook on this database began that came to its end.
    pub previous: Option<String>,
    /// How long it took before to put rows back there.
    pub pace: Pace,
}

impl Plan {
    /// Returns the runbook.
    pub fn runbook(&self) -> &Runbook {
        &self.proved.runbook
    }

    /// Returns SHA-256 of a runbook's text; where it uses others, of the hashes of all texts.
    pub fn hash_of(runbook: &Runbook) -> String {
        let hashes: Vec<String> = runbook
            .texts()
            .iter()
            .map(|source| Self::hash_of_text(source.text()))
            .collect();
        match hashes.as_slice() {
            [only] => only.clone(),
            several => Self::hash_of_text(&several.concat()),
        }
    }

    /// Returns SHA-256 of a text.
    pub fn hash_of_text(text: &str) -> String {
        hex(&Sha256::digest(text))
    }

    /// Returns SHA-256 of the parameters as they were given, secret ones included, and of the run's salt: a secret of few
    /// possible values cannot be found out by trying them.
    pub fn params_digest(&self) -> String {
        let given: BTreeMap<&String, &serde_json::Value> = self
            .arguments
            .iter()
            .map(|(name, argument)| (name, &argument.given))
            .collect();
        let given = serde_json::to_string(&given).unwrap_or_default();
        Self::hash_of_text(&format!("{} {given}", self.salt))
    }

    /// Returns why the run would wait for other people, where its own risk or one of its questions says so.
    pub fn asks_others(&self) -> Option<String> {
        let confirms = self.runbook().steps.iter();
        let asking = confirms.into_iter().find(|step| {
            matches!(&step.kind, Kind::Confirm(confirm) if confirm.approvers.is_some_and(|count| count > 1))
        });
        if let Some(step) = asking {
            return Some(format!(
                "`{}` needs the approval of other people",
                step.title
            ));
        }
        let demand = self.policy.rules.demand(self.runbook().risk, 0);
        let approvals = demand.rule.approvals.as_ref()?;
        let changes = self.runbook().steps.iter();
        let changes = changes
            .into_iter()
            .any(|step| matches!(step.kind, Kind::Fix(_)));
        (changes && approvals.count > 0 && self.policy.broken.is_none()).then(|| {
            format!(
                "{} risk needs the approval of other people on this target",
                demand.risk
            )
        })
    }

    /// Returns what a run of this version could reach but not do, each with its reason. A run that has
    /// any is refused before it starts.
    pub fn unsupported(runbook: &Runbook) -> Vec<String> {
        runbook.steps.iter().filter_map(unsupported).collect()
    }

    /// Returns what a dry run cannot rehearse.
    pub fn not_rehearsed(&self) -> Vec<String> {
        let reason = |step: &Step| match &step.kind {
            Kind::Rollback(_) => Some("puts back what is committed"),
            Kind::Backup(_) => Some("makes a backup"),
            Kind::Fix(fix) if fix.command.is_some() => Some("runs a program"),
            Kind::Query(query) if query.command.is_some() => Some("runs a program"),
            Kind::Check(check) if check.command.is_some() => Some("runs a program"),
            Kind::Fix(fix) if fix.transaction == TransactionMode::None => {
                Some("cannot run in a transaction")
            }
            _ => None,
        };
        self.runbook()
            .steps
            .iter()
            .filter_map(|step| reason(step).map(|reason| format!("{} {reason}", step.title)))
            .collect()
    }
}

fn unsupported(step: &Step) -> Option<String> {
    let why = match &step.kind {
        _ if step.common.parallel.is_some_and(|parallel| parallel > 1) => {
            "`parallel` above 1 is not part of this version"
        }
        _ => return None,
    };
    Some(format!("the {} `{}`: {why}", step.kind.word(), step.title))
}
