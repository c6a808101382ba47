//! Many runs, each with faults by chance, several at a time.
//!
//! `CHAOS_RUNS` says how many, `CHAOS_SEED` from which seed on: a run that failed is told with its own.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::dice::Dice;
use crate::fault::{Fault, Harm};
use crate::ground::Ground;
use crate::moment::Seen;
use crate::trial::{self, RUNBOOKS, Trial};

/// How many runs there are in the short form.
const RUNS: u64 = 90;

/// How many places of trials there are at a time, each with a server.
const GROUNDS: usize = 3;

/// How often each sort of harm must have been done, of so many runs.
const LEAST_OF_RUNS: u64 = 15;

fn number(name: &str, otherwise: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{name} is a number")),
        Err(_) => otherwise,
    }
}

/// What was done by will: of each harm how often, and at which messages.
#[derive(Default)]
struct Tally {
    hits: BTreeMap<Harm, (u64, BTreeSet<Seen>)>,
}

impl Tally {
    fn count(&mut self, harm: Harm, seen: Seen) {
        let (count, moments) = self.hits.entry(harm).or_default();
        *count += 1;
        moments.insert(seen);
    }

    /// Writes past what is captured of tests: whoever runs them sees it.
    fn tell(&self, runs: u64) {
        let mut text = format!("\nchaos: {runs} runs, each ended exact\n");
        for (harm, (count, moments)) in &self.hits {
            let (words, moments) = (harm.words(), moments.len());
            writeln!(text, "  {words:<22}{count:>6} at {moments} moments").unwrap();
        }
        std::io::stderr().write_all(text.as_bytes()).unwrap();
    }

    fn assert_enough(&self, runs: u64) {
        let least = runs / LEAST_OF_RUNS;
        for harm in Harm::ALL {
            let (count, moments) = self
                .hits
                .get(&harm)
                .map_or((0, 0), |(count, moments)| (*count, moments.len() as u64));
            assert!(count >= least, "too few: {} {count}", harm.words());
            // Many runs meet the same moments again.
            let distinct = least.min(15) / 2;
            assert!(moments >= distinct, "{} at {moments} moments", harm.words());
        }
    }
}

/// Returns what is said in a run that nothing happens to, of each runbook.
fn calm(ground: &mut Ground) -> Vec<Vec<Seen>> {
    RUNBOOKS
        .iter()
        .map(|runbook| {
            ground.renew();
            ground.attempt(["run", runbook, "--yes"], None).code(0).seen
        })
        .collect()
}

#[test]
fn whatever_goes_wrong_each_fix_is_done_once_or_not_at_all() {
    let runs = number("CHAOS_RUNS", RUNS);
    let first = number("CHAOS_SEED", 1);
    let next = Arc::new(AtomicU64::new(0));
    let tally = Arc::new(Mutex::new(Tally::default()));
    let workers: Vec<_> = (0..GROUNDS)
        .map(|_| {
            let (next, tally) = (Arc::clone(&next), Arc::clone(&tally));
            thread::spawn(move || work(&next, runs, first, &tally))
        })
        .collect();
    let mut failed = false;
    for worker in workers {
        failed |= worker.join().is_err();
    }
    assert!(!failed, "a run did not end exact: what it did is above");
    let tally = tally.lock().unwrap();
    tally.tell(runs);
    tally.assert_enough(runs);
}

fn work(next: &AtomicU64, runs: u64, first: u64, tally: &Mutex<Tally>) {
    let mut ground = trial::ground();
    let calm = calm(&mut ground);
    loop {
        let turn = next.fetch_add(1, Ordering::SeqCst);
        if turn >= runs {
            return;
        }
        let seed = first + turn;
        let _told = Told(seed);
        let mut dice = Dice::new(seed);
        let runbook = dice.below(RUNBOOKS.len());
        let seen = &calm[runbook];
        // In turn, so that there is enough of each.
        let harm = Harm::ALL[usize::try_from(seed).unwrap() % Harm::ALL.len()];
        let fault = Fault::any(harm, seen, &mut dice);
        let mut trial = Trial::new(&mut ground, dice.percent(20));
        trial.run(RUNBOOKS[runbook], fault, seen, &mut dice);
        let mut tally = tally.lock().unwrap();
        for (harm, seen) in trial.hits {
            tally.count(harm, seen);
        }
    }
}

/// Says which seed it was when a run fails.
struct Told(u64);

impl Drop for Told {
    fn drop(&mut self) {
        if thread::panicking() {
            let text = format!("\nchaos: try CHAOS_SEED={} CHAOS_RUNS=1\n", self.0);
            // The failure itself is told anyway.
            let _ = std::io::stderr().write_all(text.as_bytes());
        }
    }
}
