//! What a run needs on a target: computed from its risk, the target, and the rows that it really changes.

use std::collections::BTreeSet;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::window::Window;
use crate::sql::risk::Risk;

/// What a target demands of runs. The default demands nothing: the database itself is the only judge.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rules {
    /// Whether only a person at a terminal answers its questions, or other people who approve.
    pub protected: bool,
    /// What low, medium and high risk need, in this order; each is complete.
    pub rules: [Rule; 3],
    /// More rows than this are medium risk.
    pub medium_rows: Option<u64>,
    /// More rows than this are high risk.
    pub high_rows: Option<u64>,
    /// Database roles whose members may break the glass; nobody where there are none.
    pub break_glass: Vec<String>,
}

/// What changes of a risk need.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rule {
    /// Database roles whose members may make them; anybody where it says nothing.
    pub run: Option<Vec<String>>,
    /// Whose approval they need.
    pub approvals: Option<Approvals>,
    /// When they may be made; at any time where there are none.
    pub windows: Vec<Window>,
    /// How old the newest verified backup of the whole database may be.
    pub backup: Option<Duration>,
}

impl Rule {
    /// Returns whose approval is needed, where that of others is.
    pub fn others(&self) -> Option<&Approvals> {
        self.approvals
            .as_ref()
            .filter(|approvals| approvals.count > 0)
    }
}

/// Whose approval is needed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Approvals {
    /// How many other people must approve.
    pub count: u32,
    /// Database roles whose members may; any other login where there are none.
    pub by: Vec<String>,
    /// How many seconds they have, and their approval holds.
    pub expire_seconds: u64,
}

impl Approvals {
    /// Says whose approval it is, of so many people.
    pub fn whom(&self, count: u32) -> String {
        let who = match (count, self.by.is_empty()) {
            (1, true) => "one other person".to_owned(),
            (count, true) => format!("{count} other people"),
            (1, false) => "one other member".to_owned(),
            (count, false) => format!("{count} other members"),
        };
        if self.by.is_empty() {
            return who;
        }
        format!("{who} of {}", self.by.join(" or "))
    }
}

/// How a question may be answered with a yes. Anything may answer it with a no.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum AnsweredBy {
    /// `--yes`, an answer by its name, or a person.
    #[default]
    Flag,
    /// An answer by its name (`--answer NAME=…`), or a person.
    Name,
    /// The same, since other people decide as well.
    Others,
    /// A person at a terminal.
    Person,
}

/// What changes need.
#[derive(Clone, Debug, PartialEq)]
pub struct Demand<'a> {
    /// Their risk on this target.
    pub risk: Risk,
    /// Why it is higher than that of the statements.
    pub raised: Option<String>,
    /// How the question about them may be answered.
    pub answered_by: AnsweredBy,
    /// What else they need.
    pub rule: &'a Rule,
}

impl Rules {
    /// Returns what changes of a risk to this many rows need.
    pub fn demand(&self, risk: Risk, rows: u64) -> Demand<'_> {
        let over = |limit: Option<u64>| limit.filter(|limit| rows > *limit);
        let by_rows = match (over(self.high_rows), over(self.medium_rows)) {
            (Some(limit), _) => Some((Risk::High, limit)),
            (None, Some(limit)) => Some((Risk::Medium, limit)),
            (None, None) => None,
        };
        let by_rows = by_rows.filter(|(raised, _)| *raised > risk);
        let raised = by_rows.map(|(raised, limit)| {
            format!("{rows} rows, and more than {limit} are {raised} risk on this target")
        });
        let risk = by_rows.map_or(risk, |(raised, _)| raised);
        let rule = self.rule(risk);
        Demand {
            risk,
            raised,
            answered_by: match (self.protected, rule.others(), risk) {
                (true, None, _) => AnsweredBy::Person,
                (_, Some(_), _) => AnsweredBy::Others,
                (false, None, Risk::High) => AnsweredBy::Name,
                (false, None, _) => AnsweredBy::Flag,
            },
            rule,
        }
    }

    /// Returns what changes of a risk need.
    pub fn rule(&self, risk: Risk) -> &Rule {
        let [low, medium, high] = &self.rules;
        match risk {
            Risk::Low => low,
            Risk::Medium => medium,
            Risk::High => high,
        }
    }

    /// Returns a risk, and those that rows can raise it to.
    pub fn risks_from(&self, risk: Risk) -> Vec<Risk> {
        let limits = [
            (Risk::Medium, self.medium_rows),
            (Risk::High, self.high_rows),
        ];
        let raised = limits
            .into_iter()
            .filter(|(raised, limit)| *raised > risk && limit.is_some())
            .map(|(raised, _)| raised);
        std::iter::once(risk).chain(raised).collect()
    }

    /// Returns whether the time decides anything: then clocks must agree.
    pub fn needs_clock(&self) -> bool {
        let timed = |rule: &Rule| {
            !rule.windows.is_empty() || rule.others().is_some() || rule.backup.is_some()
        };
        self.protected || self.rules.iter().any(timed)
    }

    /// Returns whether it demands nothing at all.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Returns the roles without which something can never be met.
    pub fn needed_roles(&self) -> BTreeSet<&str> {
        let needed = self.rules.iter().flat_map(|rule| {
            let approvers = rule.others().into_iter().flat_map(|asked| &asked.by);
            rule.run.iter().flatten().chain(approvers)
        });
        needed.map(String::as_str).collect()
    }

    /// Returns every database role that the rules name.
    pub fn roles(&self) -> BTreeSet<&str> {
        let of_rules = self.rules.iter().flat_map(|rule| {
            let approvers = rule.approvals.iter().flat_map(|approvals| &approvals.by);
            rule.run.iter().flatten().chain(approvers)
        });
        let all = of_rules.chain(&self.break_glass);
        all.map(String::as_str).collect()
    }
}

/// The policy of a run: what its target demands, and who runs it there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Policy {
    /// What the target demands.
    pub rules: Rules,
    /// Those of the roles which the rules name that the login is a member of.
    pub member_of: BTreeSet<String>,
    /// The reason for which the glass was broken.
    pub broken: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(count: u32) -> Rule {
        Rule {
            approvals: Some(Approvals {
                count,
                by: vec!["dba".to_owned()],
                expire_seconds: 60,
            }),
            ..Rule::default()
        }
    }

    #[test]
    fn what_may_answer_depends_on_the_target_the_risk_and_who_else_decides() {
        use AnsweredBy::{Flag, Name, Others, Person};
        // Protected, the approvals of high risk, the risk, what may answer.
        let cases = [
            (false, None, Risk::Low, Flag),
            (false, None, Risk::Medium, Flag),
            (false, None, Risk::High, Name),
            (false, Some(1), Risk::Medium, Flag),
            (false, Some(1), Risk::High, Others),
            (true, None, Risk::Low, Person),
            (true, None, Risk::High, Person),
            (true, Some(2), Risk::High, Others),
            // None are none.
            (true, Some(0), Risk::High, Person),
        ];
        for (protected, count, risk, expected) in cases {
            let high = count.map(asks).unwrap_or_default();
            let rules = Rules {
                protected,
                rules: [Rule::default(), Rule::default(), high],
                ..Rules::default()
            };
            let case = (protected, count, risk);
            assert_eq!(rules.demand(risk, 0).answered_by, expected, "{case:?}");
        }
    }

    #[test]
    fn rows_raise_a_risk_and_never_lower_it() {
        let rules = Rules {
            medium_rows: Some(10),
            high_rows: Some(100),
            ..Rules::default()
        };
        let cases = [
            (Risk::Low, 10, Risk::Low),
            (Risk::Low, 11, Risk::Medium),
            (Risk::Low, 101, Risk::High),
            (Risk::Medium, 100, Risk::Medium),
            (Risk::Medium, 101, Risk::High),
            (Risk::High, 0, Risk::High),
            (Risk::High, 50, Risk::High),
        ];
        for (risk, rows, expected) in cases {
            let demand = rules.demand(risk, rows);
            assert_eq!(demand.risk, expected, "{risk} {rows}");
            assert_eq!(demand.raised.is_some(), expected > risk, "{risk} {rows}");
        }
        assert_eq!(
            rules.risks_from(Risk::Low),
            [Risk::Low, Risk::Medium, Risk::High]
        );
        assert_eq!(rules.risks_from(Risk::High), [Risk::High]);
    }
}
