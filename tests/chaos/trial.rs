//! One run under faults, resumed until it is over: what it then must have come to.

use std::fmt::Write as _;

use crate::dice::Dice;
use crate::fault::{Fault, Harm};
use crate::ground::{Attempt, Ground};
use crate::moment::Seen;

/// How many resumes may meet a fault, and how many there may be in all until a run is over.
const FAULTED: usize = 3;
const RESUMES: usize = 8;

/// Counter 1 is alone, 2 and 3 are a pair, the others are a list.
pub(crate) const SETUP: &str = "CREATE TABLE counters (id int PRIMARY KEY, n int NOT NULL); \
    INSERT INTO counters SELECT id, 0 FROM generate_series(1, 6) AS id";

const COUNTERS: i64 = 6;

/// Three fixes that each add 1. Whatever the first statement read is recorded, and must be the same when resumed.
const RUNBOOK: &str = "risk: medium
{LOCK}steps:
- query: before
  sql: SELECT sum(n) AS total FROM counters
  rows: 1
- query: listed
  sql: SELECT id FROM counters WHERE id > 3 ORDER BY id
- confirm: go
  of: [alone, pair, each]
  ask: Add one to each?
- fix: alone
  sql: UPDATE counters SET n = n + 1 WHERE id = 1
  rows: 1
- atomic: pair{RETRY}
  steps:
  - fix: left
    sql: UPDATE counters SET n = n + 1 WHERE id = 2
    rows: 1
  - fix: right
    sql: UPDATE counters SET n = n + 1 WHERE id = 3
    rows: 1
- fix: each
  for_each: listed.rows
  as: counter
  sql: UPDATE counters SET n = n + 1 WHERE id = {{ counter.id }}
  rows: 1
- check: after
  sql: SELECT sum(n) AS total FROM counters
  that: total == before.total + 6
";

/// The runbook as it is, with a step that is tried again when the connection is lost, and with a lock.
pub(crate) const RUNBOOKS: [&str; 3] = ["plain", "again", "locked"];

/// Makes the place of trials.
pub(crate) fn ground() -> Ground {
    let text = |lock: &str, retry: &str| RUNBOOK.replace("{LOCK}", lock).replace("{RETRY}", retry);
    let retry = "\n  retry: { times: 2, wait: 20ms, on: [connection] }";
    Ground::new(SETUP)
        .runbook("plain", &text("", ""))
        .runbook("again", &text("", retry))
        .runbook("locked", &text("lock: counters\n", ""))
}

/// A run that is tried.
pub(crate) struct Trial<'a> {
    ground: &'a mut Ground,
    /// What each counter was before.
    before: i64,
    local: bool,
    /// All that was called, to be shown when something is wrong.
    told: String,
    /// What went wrong by will: the harm and its message.
    pub(crate) hits: Vec<(Harm, Seen)>,
}

/// Whether the program itself says by its exit code that a run is over.
fn is_over(code: Option<i32>) -> bool {
    matches!(code, Some(0 | 10 | 11))
}

impl<'a> Trial<'a> {
    pub(crate) fn new(ground: &'a mut Ground, local: bool) -> Self {
        ground.renew();
        // Trials that were put back leave all counters alike as well.
        let values = ground.server.rows("SELECT DISTINCT n FROM counters");
        Self {
            before: values.parse().unwrap(),
            ground,
            local,
            told: String::new(),
            hits: Vec::new(),
        }
    }

    /// Runs a runbook with a fault, and resumes it, with further faults, until it is over; then asserts that all
    /// is as it must be.
    pub(crate) fn run(&mut self, runbook: &str, fault: Fault, seen: &[Seen], dice: &mut Dice) {
        let mut args = vec!["run", runbook, "--yes", "--output", "json"];
        if self.local {
            args.extend(["--journal", "local"]);
        }
        let first = self.attempt(&args, Some(fault));
        // It says so itself, or its folder does when it could not say any more.
        let Some(run) = first.run().or_else(|| self.ground.recorded()) else {
            return self.assert_untouched();
        };
        let mut code = first.code;
        for resume in 0.. {
            if is_over(code) {
                break;
            }
            assert!(resume < RESUMES, "it is never over:\n{}", self.told);
            let again = resume < FAULTED && !self.ground.is_stranded() && dice.percent(40);
            let fault = again.then(|| Fault::any(dice.pick(&Harm::ALL), seen, dice));
            code = self
                .attempt(&["resume", &run, "--yes", "--output", "json"], fault)
                .code;
        }
        self.ground.release();
        self.assert_exact(&run, code);
    }

    fn attempt(&mut self, args: &[&str], fault: Option<Fault>) -> Attempt {
        let attempt = self.ground.attempt(args.iter().copied(), fault);
        if let Some(fault) = fault {
            writeln!(self.told, "=== {fault}").unwrap();
            self.hits.extend(attempt.hit.map(|hit| (fault.harm, hit)));
        }
        self.told += &attempt.to_string();
        assert_ne!(attempt.code, Some(70), "a defect:\n{}", self.told);
        attempt
    }

    /// Asserts that nothing has happened: the run never began.
    fn assert_untouched(&mut self) {
        self.ground.release();
        let changed = format!("SELECT count(*) FROM counters WHERE n <> {}", self.before);
        assert_eq!(self.ground.server.number(&changed), 0, "{}", self.told);
    }

    fn assert_exact(&mut self, run: &str, code: Option<i32>) {
        let done = code == Some(0);
        let counters = self
            .ground
            .server
            .rows("SELECT id, n FROM counters ORDER BY id");
        let should = self.before + i64::from(done);
        let expected: Vec<String> = (1..=COUNTERS)
            .map(|id| format!("{id} | {should}"))
            .collect();
        assert_eq!(counters, expected.join("\n"), "{}", self.told);
        self.assert_journal(run, done);
        self.attempt(&["audit", "verify", run], None).code(0);
        // Whoever resumes what is over changes nothing.
        self.attempt(&["resume", run, "--yes"], None);
        let again = self
            .ground
            .server
            .rows("SELECT id, n FROM counters ORDER BY id");
        assert_eq!(again, counters, "{}", self.told);
    }

    /// Asserts that the journal has the units that are in place, each once, and no others.
    fn assert_journal(&self, run: &str, done: bool) {
        let server = &self.ground.server;
        if server.rows("SELECT to_regclass('runbook.entry') IS NOT NULL") != "t" {
            assert!(self.local || !done, "no journal:\n{}", self.told);
            return;
        }
        let entries = server.rows(&format!(
            "SELECT name, item, part FROM runbook.entry e WHERE run = '{run}' AND NOT undo AND NOT EXISTS \
             (SELECT FROM runbook.entry u WHERE u.undo AND (u.run, u.step, u.item, u.part) = (e.run, e.step, e.item, e.part)) \
             ORDER BY step, item"
        ));
        let all = "alone | -1 | 0\npair | -1 | 0\neach | 0 | 0\neach | 1 | 0\neach | 2 | 0";
        let expected = if done && !self.local { all } else { "" };
        assert_eq!(entries, expected, "{}", self.told);
        // What was put back was done before; each change has the one row that it is about.
        let wrong = server.number(&format!(
            "SELECT (SELECT count(*) FROM runbook.entry u WHERE u.run = '{run}' AND u.undo AND NOT EXISTS \
             (SELECT FROM runbook.entry e WHERE NOT e.undo AND (u.run, u.step, u.item, u.part) = (e.run, e.step, e.item, e.part))) \
             + (SELECT count(*) FROM runbook.capture c JOIN runbook.entry e ON e.id = c.entry AND e.run = '{run}' AND NOT e.undo \
                WHERE c.rows <> 1 OR (SELECT count(*) FROM runbook.image i WHERE i.capture = c.id) <> 1) \
             + (SELECT count(*) FROM runbook.image i WHERE NOT EXISTS (SELECT FROM runbook.capture c WHERE c.id = i.capture)) \
             + (SELECT count(*) FROM runbook.lease WHERE run = '{run}')"
        ));
        assert_eq!(wrong, 0, "{}", self.told);
    }
}
