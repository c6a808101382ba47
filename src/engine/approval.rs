//! The approval of other people: what is asked of them, and what they said. It is kept in the journal of the
//! target, where the server itself says who is who.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::change::Changes;
use super::event::{Approved, Shown, TargetFacts};
use super::impact::Impact;
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
        crate::engine::plan::Plan::hash_of_text(&serde_json::to_string(self).unwrap_or_default())
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
