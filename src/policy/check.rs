//! Policies that can never be met: what of that only the server knows.

use std::collections::{BTreeMap, BTreeSet};

use super::document::{self, Project};
use super::rules::{Approvals, Rules};
use super::target::Target;
use crate::base::diagnostic::Diagnostic;
use crate::base::source::{Source, Span};
use crate::base::words;
use crate::base::{shape, yaml};
use crate::sql::risk::Risk;
use crate::step::text::Template;

/// What the server knows of a role.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Whether there is such a role.
    pub exists: bool,
    /// The logins that are members of it.
    pub logins: Vec<String>,
}

/// Who runs.
#[derive(Clone, Debug)]
pub struct Runner<'a> {
    /// The login.
    pub login: &'a str,
    /// The risks that the run may come to.
    pub risks: &'a [Risk],
}

/// Returns what of a target's policy can never be met, with its place in `runbook.yaml`; warnings as well. What nobody
/// can approve but the one who runs can never be met by this run.
pub fn check(
    source: &Source,
    target: &Target,
    known: &BTreeMap<String, Known>,
    runner: &Runner<'_>,
) -> Vec<Diagnostic> {
    let check = Check {
        places: Places::new(source, target),
        target,
        known,
        runner,
    };
    let mut diagnostics = check.missing();
    for risk in [Risk::Low, Risk::Medium, Risk::High] {
        check.risk(&target.rules, risk, &mut diagnostics);
    }
    diagnostics
}

struct Check<'a> {
    places: Places,
    target: &'a Target,
    known: &'a BTreeMap<String, Known>,
    runner: &'a Runner<'a>,
}

impl Check<'_> {
    /// Returns the roles that do not exist. That nobody may break the glass then is not in the way of anything.
    fn missing(&self) -> Vec<Diagnostic> {
        let rules = &self.target.rules;
        let needed: BTreeSet<&str> = rules.needed_roles();
        let is_missing = |role: &&str| !self.known.get(*role).is_some_and(|role| role.exists);
        let missing = rules.roles().into_iter().filter(is_missing);
        let told = missing.map(|role| {
            let title = format!("there is no role `{role}` on `{}`", self.target.name);
            if needed.contains(role) {
                Diagnostic::error("policy", title)
                    .at(
                        self.places.of(role),
                        "nobody can be a member of it: this can never be met",
                    )
                    .help(format!(
                        "create it (CREATE ROLE {role}), or name the one that is meant"
                    ))
            } else {
                Diagnostic::warning("policy", title)
                    .at(self.places.of(role), "nobody can break the glass by it")
            }
        });
        told.collect()
    }

    fn risk(&self, rules: &Rules, risk: Risk, diagnostics: &mut Vec<Diagnostic>) {
        let rule = rules.rule(risk);
        let told = |roles: &[String], diagnostics: &[Diagnostic]| {
            let place = roles.first().map(|role| self.places.of(role));
            let at = |diagnostic: &Diagnostic| {
                diagnostic.labels.first().map(|label| label.span) == place
            };
            diagnostics.iter().any(at)
        };
        if let Some(run) = &rule.run
            && self.all_exist(run)
            && self.logins(run).is_empty()
            && !told(run, diagnostics)
        {
            diagnostics.push(
                Diagnostic::error(
                    "policy",
                    format!(
                        "nobody may run changes of {risk} risk on `{}`",
                        self.target.name
                    ),
                )
                .at(
                    self.place(run),
                    format!("no login is a member of {}", words::quoted(run)),
                )
                .help(
                    "make a login a member (GRANT role TO login), or name the role that is meant",
                ),
            );
        }
        if let Some(approvals) = rule.others()
            && self.all_exist(&approvals.by)
            && !approvals.by.is_empty()
            && !told(&approvals.by, diagnostics)
        {
            diagnostics.extend(self.too_few(approvals, risk));
        }
    }

    /// Returns an error where fewer logins than must approve can.
    fn too_few(&self, approvals: &Approvals, risk: Risk) -> Option<Diagnostic> {
        let mut others = self.logins(&approvals.by);
        let asks = self.runner.risks.contains(&risk);
        if asks {
            others.remove(self.runner.login);
        }
        if words::long(others.len()) >= u64::from(approvals.count) {
            return None;
        }
        let roles = words::quoted(&approvals.by);
        let found = match others.len() {
            0 if asks => format!("no login but the one who asks is a member of {roles}"),
            0 => format!("no login is a member of {roles}"),
            _ => {
                let others: Vec<&str> = others.into_iter().collect();
                format!("only {} can", words::quoted(&others))
            }
        };
        let count = approvals.count;
        let people = if count == 1 {
            "another login"
        } else {
            "other logins"
        };
        let must = if count == 1 {
            format!("{people} must approve")
        } else {
            format!("{count} {people} must approve")
        };
        Some(
            Diagnostic::error(
                "policy",
                format!(
                    "changes of {risk} risk can never be approved on `{}`",
                    self.target.name
                ),
            )
            .at(self.place(&approvals.by), format!("{must}, and {found}"))
            .help("make more logins members (GRANT role TO login), or ask for fewer approvals"),
        )
    }

    fn all_exist(&self, roles: &[String]) -> bool {
        let exists = |role: &String| self.known.get(role).is_some_and(|role| role.exists);
        roles.iter().all(exists)
    }

    /// Returns the logins that are members of any of these roles.
    fn logins(&self, roles: &[String]) -> BTreeSet<&str> {
        let known = roles.iter().filter_map(|role| self.known.get(role));
        known
            .flat_map(|role| role.logins.iter().map(String::as_str))
            .collect()
    }

    fn place(&self, roles: &[String]) -> Span {
        let first = roles.first().map(|role| self.places.of(role));
        first.unwrap_or(self.places.otherwise)
    }
}

/// Where roles stand in `runbook.yaml`.
struct Places {
    roles: BTreeMap<String, Span>,
    otherwise: Span,
}

impl Places {
    /// Finds the roles of the policy that a target follows.
    fn new(source: &Source, target: &Target) -> Self {
        let mut ignored = Vec::new();
        let project: Option<Project> = yaml::parse(source)
            .ok()
            .and_then(|root| shape::read(&root, &mut ignored));
        let name = target.policy.as_ref().map(|policy| policy.value.as_str());
        let policies = project.iter().flat_map(|project| &project.policies.0);
        let mut of_target = policies.filter(|(known, _)| Some(known.value.as_str()) == name);
        let mut roles = BTreeMap::new();
        if let Some((_, policy)) = of_target.next() {
            for role in named(policy) {
                roles
                    .entry(role.text().to_owned())
                    .or_insert_with(|| role.span());
            }
        }
        Self {
            roles,
            otherwise: target.place,
        }
    }

    fn of(&self, role: &str) -> Span {
        self.roles.get(role).copied().unwrap_or(self.otherwise)
    }
}

/// Returns the roles of a policy as they are written.
fn named(policy: &document::Policy) -> impl Iterator<Item = &Template> {
    let rules = [&policy.low, &policy.medium, &policy.high];
    let of_rules = rules.into_iter().flatten().flat_map(|rule| {
        let by = rule.approvals.iter().filter_map(|asked| asked.by.as_ref());
        rule.run.iter().chain(by).flat_map(|roles| &roles.0)
    });
    of_rules.chain(policy.break_glass.iter().flat_map(|roles| &roles.0))
}
