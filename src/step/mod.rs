//! The steps of a runbook, as their author writes them: one kind a file. [`Kind`] is the only list of
//! kinds; a new one is a file here, a variant of it, and what the compiler then asks for.

pub mod backup;
pub mod check;
pub mod command;
pub mod common;
pub mod confirm;
pub mod database;
pub mod fix;
pub mod flow;
pub mod query;
pub mod rollback;
pub mod shape;
pub mod structure;
pub mod text;

use crate::base::diagnostic::Diagnostic;
use crate::base::shape::read_beside;
use crate::base::yaml::Node;
use text::Name;

/// What a step is for, with the keys of its kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Reads.
    Query(query::Query),
    /// Decides.
    Check(Box<check::Check>),
    /// Asks a person.
    Confirm(confirm::Confirm),
    /// Saves.
    Backup(backup::Backup),
    /// Changes data.
    Fix(fix::Fix),
    /// Puts rows back.
    Rollback(rollback::Rollback),
    /// Holds steps in one transaction.
    Atomic(structure::Atomic),
    /// Stands for another runbook's steps.
    Use(structure::Use),
}

impl Kind {
    /// The keys that name a kind, in the order in which they are taught.
    pub const WORDS: [&'static str; 8] = [
        "query", "check", "confirm", "backup", "fix", "rollback", "atomic", "use",
    ];

    /// Reads the keys of the kind that `word` names; those of [`common::KEYS`] are read elsewhere.
    pub fn read(word: &str, node: &Node, diagnostics: &mut Vec<Diagnostic>) -> Option<Self> {
        fn read<T: serde::de::DeserializeOwned>(
            node: &Node,
            diagnostics: &mut Vec<Diagnostic>,
        ) -> Option<T> {
            read_beside(node, &common::KEYS, diagnostics)
        }
        match word {
            "query" => read(node, diagnostics).map(Self::Query),
            "check" => read(node, diagnostics).map(Box::new).map(Self::Check),
            "confirm" => read(node, diagnostics).map(Self::Confirm),
            "backup" => read(node, diagnostics).map(Self::Backup),
            "fix" => read(node, diagnostics).map(Self::Fix),
            "rollback" => read(node, diagnostics).map(Self::Rollback),
            "atomic" => read(node, diagnostics).map(Self::Atomic),
            "use" => read(node, diagnostics).map(Self::Use),
            _ => None,
        }
    }

    /// Returns the word that names the kind.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Query(_) => "query",
            Self::Check(_) => "check",
            Self::Confirm(_) => "confirm",
            Self::Backup(_) => "backup",
            Self::Fix(_) => "fix",
            Self::Rollback(_) => "rollback",
            Self::Atomic(_) => "atomic",
            Self::Use(_) => "use",
        }
    }

    /// Returns the step's name.
    pub fn name(&self) -> Name {
        match self {
            Self::Query(step) => step.query.clone(),
            Self::Check(step) => step.check.clone(),
            Self::Confirm(step) => step.confirm.clone(),
            Self::Backup(step) => step.backup.clone(),
            Self::Fix(step) => step.fix.clone(),
            Self::Rollback(step) => step.rollback.clone(),
            Self::Atomic(step) => step.atomic.clone(),
            Self::Use(step) => step.name.clone().unwrap_or_else(|| {
                Name(
                    step.runbook
                        .0
                        .clone()
                        .map(|name| name.replace(['-', '/'], "_")),
                )
            }),
        }
    }
}
