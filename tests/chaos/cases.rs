//! Single faults in a run of one fix, each at all the moments it can come at.

use crate::fault::{Fault, Harm};
use crate::frame::Side;
use crate::ground::{Attempt, Ground};
use crate::moment::{Moment, Seen};

const SETUP: &str = "CREATE TABLE counters (id int PRIMARY KEY, n int NOT NULL); \
    INSERT INTO counters VALUES (1, 0)";

const ONE: &str = "risk: medium
steps:
- confirm: go
  of: add
  ask: Go?
- fix: add
  sql: UPDATE counters SET n = n + 1 WHERE id = 1
  rows: 1
- check: after
  that: true
";

/// How often a run is resumed until it is over.
const RESUMES: usize = 3;

/// The place of a case, and what a run says there that nothing happens to.
struct Case {
    ground: Ground,
    /// Where its journal is: in the database, or beside the record.
    journal: &'static str,
    calm: Vec<Seen>,
}

/// How a run with a fault ended, after all resumes.
struct Ended {
    /// What the run itself came to.
    first: Attempt,
    /// The last of its resumes, if it needed any.
    last: Option<Attempt>,
    /// What it added to the counter.
    added: i64,
}

impl Ended {
    /// Returns what said how it ended.
    fn last(&self) -> &Attempt {
        self.last.as_ref().unwrap_or(&self.first)
    }
}

impl Case {
    fn new(journal: &'static str) -> Self {
        let mut case = Self {
            ground: Ground::new(SETUP).runbook("one", ONE),
            journal,
            calm: Vec::new(),
        };
        // The first run has the journal created; the others find it.
        case.run(None).code(0);
        case.ground.renew();
        case.calm = case.run(None).code(0).seen;
        case
    }

    /// One for each place of the journal.
    fn all() -> [Self; 2] {
        ["database", "local"].map(Self::new)
    }

    fn run(&mut self, fault: Option<Fault>) -> Attempt {
        let run = ["run", "one", "--yes", "--output", "json"];
        let journal = ["--journal", self.journal];
        self.ground.attempt(run.into_iter().chain(journal), fault)
    }

    /// Returns how many COMMITs a calm run has, and so which one is the fix's: the last that a client says.
    fn commits(&self) -> usize {
        let commits = self
            .calm
            .iter()
            .filter(|seen| seen.side == Side::Client && seen.commit);
        commits.count()
    }

    fn counter(&self) -> i64 {
        self.ground.server.number("SELECT n FROM counters")
    }

    /// Runs the fix with a fault, and resumes it until it is over.
    fn meet(&mut self, fault: Fault) -> Ended {
        self.ground.renew();
        let before = self.counter();
        let first = self.run(Some(fault));
        let mut last: Option<Attempt> = None;
        // The run says its id itself, or its folder does.
        if let Some(run) = first.run().or_else(|| self.ground.recorded()) {
            for _ in 0..RESUMES {
                let code = last.as_ref().map_or(first.code, |last| last.code);
                if matches!(code, Some(0 | 10 | 11)) {
                    break;
                }
                last = Some(self.ground.attempt(["resume", &run, "--yes"], None));
            }
        }
        self.ground.release();
        let added = self.counter() - before;
        Ended { first, last, added }
    }

    /// Kills a run at every message of one side, and resumes it.
    fn killed_at_all(&mut self, side: Side) {
        let messages = self.calm.iter().filter(|seen| seen.side == side).count();
        let (mut begun, mut never) = (0, 0);
        for nth in 1..=messages {
            let ended = self.meet(Fault::new(Harm::Kill, Moment::of(side, nth)));
            if self.ground.recorded().is_none() {
                assert_eq!(ended.added, 0, "message {nth}: {}", ended.first);
                never += 1;
                continue;
            }
            let last = ended.last();
            assert_eq!(last.code, Some(0), "message {nth}: {}{last}", ended.first);
            assert_eq!(ended.added, 1, "message {nth}: {}{last}", ended.first);
            begun += 1;
        }
        // A run begins once it knows its server.
        assert!(begun > never, "{begun} runs began, {never} did not");
    }
}

#[test]
fn case_01_killed_before_any_message_of_the_program_it_is_done_once() {
    Case::new("database").killed_at_all(Side::Client);
}

#[test]
fn case_01_killed_before_any_message_of_the_server_it_is_done_once() {
    Case::new("database").killed_at_all(Side::Server);
}

#[test]
fn case_02_killed_after_commit_was_sent_resume_says_that_it_was_done() {
    for mut case in Case::all() {
        let moment = Moment::committed(case.commits());
        let ended = case.meet(Fault::new(Harm::Kill, moment));
        assert!(ended.first.hit.is_some_and(|hit| hit.commit));
        assert_eq!(ended.added, 1, "{}", ended.last());
        ended.last.unwrap().code(0).says("add");
    }
}

#[test]
fn case_03_a_lost_answer_to_commit_is_resolved_and_commit_not_sent_again() {
    for mut case in Case::all() {
        for harm in [
            Harm::Cut,
            Harm::Swallow,
            Harm::CloseToClient,
            Harm::CloseToServer,
        ] {
            let moment = Moment::committed(case.commits());
            let ended = case.meet(Fault::new(harm, moment));
            assert!(ended.first.hit.is_some_and(|hit| hit.commit), "{harm:?}");
            assert_eq!(ended.added, 1, "{harm:?}: {}", ended.first);
            // The run itself finds out: it needs no resume.
            assert_eq!(ended.first.code, Some(0), "{harm:?}: {}", ended.first);
        }
    }
}

#[test]
fn case_03_a_commit_that_never_arrived_is_not_taken_for_done() {
    for mut case in Case::all() {
        for harm in [Harm::Cut, Harm::Swallow, Harm::CloseToServer] {
            let moment = Moment::commit(case.commits());
            let ended = case.meet(Fault::new(harm, moment));
            assert!(ended.first.hit.is_some_and(|hit| hit.commit), "{harm:?}");
            let done = ended.last().code == Some(0);
            assert_eq!(ended.added, i64::from(done), "{harm:?}: {}", ended.last());
        }
    }
}

#[test]
fn case_03_a_session_that_lives_on_is_not_taken_for_rolled_back() {
    for mut case in Case::all() {
        for moment in [
            Moment::commit(case.commits()),
            Moment::committed(case.commits()),
        ] {
            let ended = case.meet(Fault::new(Harm::Strand, moment));
            assert_eq!(ended.last().code, Some(0), "{}", ended.last());
            assert_eq!(ended.added, 1, "{moment}: {}", ended.last());
        }
    }
}

#[test]
fn case_04_the_server_crashes_in_the_middle_of_a_fix() {
    for mut case in Case::all() {
        let commits = case.commits();
        let nth = |seen: &&Seen| seen.side == Side::Client && seen.commit;
        let at = case.calm.iter().rfind(nth).unwrap().nth;
        for fault in [
            Fault::new(Harm::Crash, Moment::client(at - 2)),
            Fault::new(Harm::Crash, Moment::commit(commits)),
            Fault::new(Harm::Crash, Moment::commit(commits)).after(),
            Fault::new(Harm::Crash, Moment::committed(commits)),
        ] {
            let ended = case.meet(fault);
            assert!(ended.first.hit.is_some(), "{fault}");
            let done = match ended.last().code {
                Some(0) => 1,
                Some(10 | 11) => 0,
                _ => panic!("{fault}: {}", ended.last()),
            };
            assert_eq!(ended.added, done, "{fault}: {}", ended.last());
        }
    }
}

#[test]
fn case_05_a_terminated_session_is_rolled_back_and_says_so() {
    for mut case in Case::all() {
        let moment = Moment::commit(case.commits());
        let ended = case.meet(Fault::new(Harm::Terminate, moment));
        assert_eq!(ended.added, 0, "{}", ended.first);
        ended
            .first
            .code(10)
            .says("terminating connection due to administrator command");
    }
}
