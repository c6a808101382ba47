//! The approval of other people: what is asked of them, and what they said. It is kept in the journal of the
//! target, where the server itself says who is who.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::change::{Changes, joined};
use super::event::{Approved, Shown, TargetFacts};
use super::impact::Impact;
use super::outcome::Outcome;
use super::plan::Plan;
use crate::policy::rules::Approvals;
use crate::runbook::data::Rows;
use crate::runbook::model::StepId;
use crate::sql::risk::Risk;

/// What other people are asked to approve. It holds no secret: it is what the one who asks was shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Request {
    /// The run that waits.
    pub run: String,
    /// Its confirm.
    #[schemars(with = "usize")]
    pub step: StepId,
    /// The name of the confirm.
    pub name: String,
    /// The runbook.
    pub runbook: String,
    /// Its title.
    pub title: String,
    /// SHA-256 of its text.
    pub hash: String,
    /// The risk on this target.
    pub risk: Risk,
    /// The parameters, as people see them.
    pub params: Vec<Shown>,
    /// SHA-256 of the parameters as they were given, secret ones included; so that others are not approved with it.
    pub params_digest: String,
    /// The database.
    pub target: TargetFacts,
    /// Who asks.
    pub actor: String,
    /// The question.
    pub question: String,
    /// The fixes and atomics.
    pub of: Vec<String>,
    /// The rows that would change.
    pub changes: Changes,
    /// Rows to look at beside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub show: Option<Rows>,
    /// What is at stake.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub impact: Option<Box<Impact>>,
    /// The digests of the changes that would be made.
    pub approved: Vec<Approved>,
    /// Whose approval it needs.
    pub needs: Approvals,
}

impl Request {
    /// Returns the digest of all of it: what an approval is bound to.
    pub fn digest(&self) -> String {
        Plan::hash_of_text(&serde_json::to_string(self).unwrap_or_default())
    }

    /// Returns whether another request asks for the same: for the same changes by the same runbook with the same
    /// parameters on the same target. What differs from moment to moment, such as the locks that others hold, is
    /// shown and not compared.
    pub fn is_same(&self, other: &Self) -> bool {
        self.other_work(other).is_none()
            && (&self.question, &self.needs, &self.approved)
                == (&other.question, &other.needs, &other.approved)
    }

    /// Returns what of it contradicts itself, or the database that it was found in: a program that asks for one
    /// thing and shows another one would do so.
    pub fn contradiction(&self, here: &TargetFacts) -> Option<String> {
        let there = Self {
            target: here.clone(),
            ..self.clone()
        };
        if self.other_work(&there).is_some() {
            return Some("it says that it is about another database than this".to_owned());
        }
        let digests = self.approved.iter().map(|approved| &approved.digest);
        let digest = digests.fold(String::new(), |digest, later| joined(&digest, later));
        (digest != self.changes.digest)
            .then(|| "the changes that it shows are not those that would be approved".to_owned())
    }

    /// Returns why another request is about other work than this one, whatever it would change.
    pub fn other_work(&self, other: &Self) -> Option<String> {
        let differs = |one: &Option<String>, two: &Option<String>| matches!((one, two), (Some(one), Some(two)) if one != two);
        let (was, is) = (&self.target, &other.target);
        let replaced =
            matches!((was.database_oid, is.database_oid), (Some(was), Some(is)) if was != is);
        if differs(&was.system_identifier, &is.system_identifier)
            || was.database != is.database
            || replaced
        {
            return Some("it is another database".to_owned());
        }
        if (&self.run, self.step) != (&other.run, other.step) {
            return Some("it is another question".to_owned());
        }
        if self.hash != other.hash {
            return Some("the runbook was changed since".to_owned());
        }
        if self.params_digest != other.params_digest {
            return Some("the parameters are others".to_owned());
        }
        None
    }
}

/// What the approvals that a confirm needs came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Came<'a> {
    /// It needs so many more.
    Waiting(u32),
    /// There are enough: these logins.
    Approved(Vec<&'a Verdict>),
    /// There will be none: why, and who said so.
    Refused(Refusal, Option<&'a Verdict>),
}

impl Standing {
    /// Returns what it came to. What is used can still be used by its run, until it expires: the journal has each of
    /// its changes at most once.
    pub fn came(&self, needs: &Approvals) -> Came<'_> {
        let word = |word: Word| self.verdicts.iter().find(|verdict| verdict.word == word);
        if let Some(withdrawn) = word(Word::Withdraw) {
            return Came::Refused(Refusal::Withdrawn, Some(withdrawn));
        }
        if let Some(declined) = word(Word::Decline) {
            return Came::Refused(Refusal::Declined, Some(declined));
        }
        if self.expired {
            return Came::Refused(Refusal::Expired, None);
        }
        let approvals = self.verdicts.iter();
        let approvals: Vec<&Verdict> = approvals
            .filter(|verdict| verdict.word == Word::Approve)
            .collect();
        let count = u32::try_from(approvals.len()).unwrap_or(u32::MAX);
        match needs.count.saturating_sub(count) {
            0 => Came::Approved(approvals),
            missing => Came::Waiting(missing),
        }
    }

    /// Returns whether the run went on with the approvals.
    pub fn is_used(&self) -> bool {
        self.verdicts
            .iter()
            .any(|verdict| verdict.word == Word::Use)
    }
}

impl Word {
    /// Returns how the journal has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Decline => "decline",
            Self::Withdraw => "withdraw",
            Self::Use => "use",
        }
    }
}

impl Refusal {
    /// Returns how a run ends by it that has no way for a no.
    pub fn outcome(self) -> Outcome {
        match self {
            Self::Declined => Outcome::Declined,
            Self::Expired => Outcome::Expired,
            Self::Withdrawn => Outcome::Withdrawn,
            Self::Contradicted => Outcome::Contradicted,
        }
    }
}

/// What one of the others said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// What.
    pub word: Word,
    /// The login, as the server knows it.
    pub login: String,
    /// Who says it: the login, the user of the machine and its name.
    pub actor: String,
    /// When, by the server's clock.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub at: Timestamp,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What can be said of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Word {
    /// Another person approves.
    Approve,
    /// Another person declines.
    Decline,
    /// The one who asked takes it back.
    Withdraw,
    /// The run went on with the approvals: none can be given or taken back any more.
    Use,
}

/// Where a request stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Standing {
    /// When it was asked, by the server's clock.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub asked_at: Timestamp,
    /// Until when it can be approved and used.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub expires_at: Timestamp,
    /// Whether that is over, by the server's clock.
    pub expired: bool,
    /// What was said, in order.
    pub verdicts: Vec<Verdict>,
}

/// What other people approved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Granted {
    /// The risk that it had for them.
    pub risk: Risk,
    /// Whose approval it needed.
    pub needs: Approvals,
    /// The logins of those who approved.
    pub logins: Vec<String>,
}

/// Why a question that others were asked has no yes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// Another person declined.
    Declined,
    /// Nobody approved in time.
    Expired,
    /// The one who asked took it back.
    Withdrawn,
    /// What was approved is not what the run would do now.
    Contradicted,
}
