//! `runbook.yaml` as its author wrote it: every value with its place.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::source::Spanned;
use crate::runbook::notice::Notify;
use crate::sql::risk::Risk;
use crate::step::backup::Keep;
use crate::step::shape::{Entries, OneOrMany, Span};
use crate::step::text::{Name, Template};

/// The databases of a project, and what each demands of runs.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Project {
    /// The target where neither `--target`, `--database-url` nor `$DATABASE_URL` names one.
    pub default: Option<Name>,
    /// The targets, by name.
    pub targets: Entries<Target>,
    /// Targets that are worked on one after the other, by name: `--target NAME` means all of them.
    #[serde(default)]
    pub groups: Entries<Vec<Name>>,
    /// What targets demand, by name: a target names the one that it follows.
    #[serde(default)]
    pub policies: Entries<Policy>,
    /// Whom to tell of the runs on every target.
    #[serde(default)]
    pub notify: Vec<Spanned<Notify>>,
}

/// A database by its name.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Target {
    /// What it is.
    pub about: Option<Template>,
    /// Where it is: `$NAME`, an environment variable that holds a connection URL, or a URL without a password.
    #[schemars(extend("examples" = ["$CRM_URL", "postgres://db.example.com/crm?sslmode=verify-full"]))]
    pub url: Option<Spanned<String>>,
    /// Its name in the connection service file (`pg_service.conf`).
    pub service: Option<Spanned<String>>,
    /// The file that holds the password, in the format of `.pgpass`.
    pub passfile: Option<Spanned<String>>,
    /// A program that prints the password, with its arguments: `[pass, show, crm/production]`.
    pub password_command: Option<Vec<Template>>,
    /// What of TLS is demanded, as libpq's `sslmode`: `verify-full` is the one that proves whose server it is.
    #[schemars(extend("enum" = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]))]
    pub sslmode: Option<Spanned<String>>,
    /// The certificates of the authorities that are trusted: a file, or `system`.
    pub sslrootcert: Option<Spanned<String>>,
    /// The role that sessions take on once they are logged in (`SET ROLE`).
    pub role: Option<Spanned<String>>,
    /// Where tables without a schema are looked for.
    pub search_path: Option<OneOrMany<Name>>,
    /// How long a statement may take, where its step says nothing (default 10 minutes).
    pub statement_timeout: Option<Span>,
    /// How long a statement may wait for a lock (default 5s).
    pub lock_timeout: Option<Span>,
    /// Where the journal is kept.
    pub journal: Option<Journal>,
    /// Whether only a person at a terminal answers its questions, or other people who approve.
    pub protected: bool,
    /// The one database that this name stands for: another one is refused.
    pub identity: Option<Identity>,
    /// What it demands: the name of one of `policies`.
    pub policy: Option<Name>,
    /// Columns whose values are never shown, by table: `users: [email, phone]`; `"*"` is every table.
    pub sensitive: Entries<OneOrMany<Template>>,
    /// Where its backups go and how long they are kept.
    pub backups: Option<Backups>,
    /// When a fix that others wait for gives up.
    pub watchdog: Option<Watchdog>,
    /// Whom to tell of runs on it.
    pub notify: Vec<Spanned<Notify>>,
}

/// Where the journal is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Journal {
    /// In the database's schema `runbook`.
    #[default]
    Database,
    /// Beside the record of the run.
    Local,
}

/// What a database is known by, whatever its address. `runbook targets` prints it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Identity {
    /// The cluster's system identifier (`pg_control_system()`), in quotes.
    pub system_identifier: Option<Template>,
    /// The database's name.
    pub database: Option<Spanned<String>>,
}

/// Where backups of a target go and how long they are kept.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Backups {
    /// The folder.
    pub folder: Option<Template>,
    /// How long they are kept.
    pub keep: Option<Keep>,
    /// Whom they are encrypted for: public keys of age, `age1…`.
    pub encrypt: Option<OneOrMany<Template>>,
}

/// When a fix that others wait for cancels itself and rolls back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Watchdog {
    /// When more sessions than this wait for it at the same time.
    pub sessions: Option<u32>,
    /// When any session has waited for it longer than this.
    pub wait: Option<Span>,
}

/// What targets demand of runs. What a lower risk demands, a higher one demands as well, unless it says its own.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// What changes of low risk need.
    pub low: Option<Rule>,
    /// What changes of medium risk need.
    pub medium: Option<Rule>,
    /// What changes of high risk need.
    pub high: Option<Rule>,
    /// From how many rows on a fix counts as riskier than its statements.
    pub rows: Option<RowLimits>,
    /// Database roles whose members may break the glass: go on without what the policy demands, with a reason.
    pub break_glass: Option<OneOrMany<Template>>,
}

/// What changes of a risk need.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Rule {
    /// Database roles whose members may make them; anybody where it says nothing.
    pub run: Option<OneOrMany<Template>>,
    /// How many other people must approve, and who.
    pub approvals: Option<Approvals>,
    /// When they may be made; at any time where it says nothing.
    pub windows: Option<Vec<Window>>,
    /// How old the newest verified backup of the whole database may be.
    pub backup: Option<Span>,
}

/// How many other people must approve, and who.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Approvals {
    /// How many (default 1); 0 lifts what a lower risk demands.
    pub count: Option<u32>,
    /// Database roles whose members may approve.
    #[serde(default)]
    pub by: Option<OneOrMany<Template>>,
    /// How long the others have, and how long their approval holds (default 4h).
    pub expire: Option<Span>,
}

/// A time of the week in which changes may be made.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// The days on which it begins; every day where it says nothing.
    pub days: Option<OneOrMany<Day>>,
    /// When it begins, such as `09:00`.
    #[schemars(extend("pattern" = "^([01][0-9]|2[0-3]):[0-5][0-9]$"))]
    pub from: Spanned<String>,
    /// When it ends; earlier than `from` is on the next day.
    #[schemars(extend("pattern" = "^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"))]
    pub to: Spanned<String>,
    /// The time zone, such as `Europe/Berlin` (default UTC).
    #[schemars(extend("examples" = ["UTC", "Europe/Berlin", "America/New_York"]))]
    pub zone: Option<Spanned<String>>,
}

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Day {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}

impl Day {
    /// All of them, in order.
    pub const ALL: [Self; 7] = [
        Self::Mon,
        Self::Tue,
        Self::Wed,
        Self::Thu,
        Self::Fri,
        Self::Sat,
        Self::Sun,
    ];

    /// Returns its short name, such as `Mon`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Mon => "Mon",
            Self::Tue => "Tue",
            Self::Wed => "Wed",
            Self::Thu => "Thu",
            Self::Fri => "Fri",
            Self::Sat => "Sat",
            Self::Sun => "Sun",
        }
    }
}

/// From how many rows on a fix counts as riskier than its statements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RowLimits {
    /// More rows than this are medium risk.
    pub medium: Option<u64>,
    /// More rows than this are high risk.
    pub high: Option<u64>,
}

/// The risks, in the order of [`Policy`]'s keys.
pub const RISKS: [Risk; 3] = [Risk::Low, Risk::Medium, Risk::High];
