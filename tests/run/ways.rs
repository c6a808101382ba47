//! What tests of runbooks say of ways and paths, beside what real runs do: the graph, which knows all ways, and
//! the engine, which takes one, are written apart.

use runbook::base::source::Source;
use runbook::engine::event::{Event, EventKind};
use runbook::runbook::check::{Proved, check};
use runbook::suite::coverage::{Coverage, Elsewhere, taken, ways};
use runbook::suite::document::{self, Suite};
use runbook::suite::resolve;
use runbook::suite::verdict::{Came, Played, path_of};

use crate::test::Test;

const NUMBERS: &str = "CREATE TABLE numbers (id int PRIMARY KEY, n int NOT NULL CHECK (n >= 0)); INSERT INTO numbers VALUES (1, 1), (2, 2), (3, 3)";

fn proved(test: &Test, name: &str) -> Option<Proved> {
    let path = test.root().join(format!("work/runbooks/{name}.yaml"));
    let source = Source::new(name, std::fs::read_to_string(path).unwrap());
    check(&source, &|_| None).ok()
}

/// Runs the runbook `t`, and returns its events.
fn events(test: &Test) -> Vec<Event> {
    let output = test
        .command(["run", "t", "--yes", "--output", "json"])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// A suite of one case that expects what came of a run.
fn expecting(events: &[Event]) -> String {
    let outcome = events.iter().find_map(|event| match &event.kind {
        EventKind::RunFinished(finished) => Some(finished.outcome),
        _ => None,
    });
    let outcome = serde_json::to_value(outcome.unwrap()).unwrap();
    let path = path_of(events).join(", ");
    format!(
        "test: t\ncases:\n  - case: as it came\n    outcome: {}\n    path: [{path}]\n",
        outcome.as_str().unwrap()
    )
}

/// Every way that the run took is one of the graph, and its path is one that the graph allows.
fn agrees(proved: &Proved, events: &[Event]) -> Result<(), String> {
    let text = expecting(events);
    let source = Source::new("t.test.yaml", &*text);
    let suite: Suite = document::parse(&source).unwrap();
    if let Err(found) = resolve::check(&source, &suite, proved, &Elsewhere::default()) {
        return Err(found[0].render(&source, false));
    }
    let came = Came {
        outcome: suite.cases[0].outcome.outcome(),
        events: events.to_vec(),
        ..Came::default()
    };
    let played = Played::new(&source, &suite.cases[0], proved, came);
    if !played.passed() {
        return Err(format!("{:?}", played.differences));
    }
    let coverage = Coverage::of(&source, &suite, proved, &Elsewhere::default(), &[played]);
    if coverage.unknown.is_empty() {
        Ok(())
    } else {
        Err(format!("not in the graph: {:?}", coverage.unknown))
    }
}

#[track_caller]
fn takes(text: &str, expected: &[&str]) {
    let test = Test::sql(NUMBERS).runbook("t", text);
    let proved = proved(&test, "t").expect("a valid runbook");
    let events = events(&test);
    assert_eq!(agrees(&proved, &events), Ok(()));
    assert_eq!(taken(&proved, &events), expected);
    let all = ways(&proved, &Elsewhere::default());
    for way in expected {
        assert!(
            all.iter().any(|known| known == way),
            "{way} is not among {all:?}"
        );
    }
}

#[test]
fn a_no_is_an_else_whatever_follows_it() {
    takes(
        "
        risk: high
        steps:
        - query: one
          sql: SELECT n FROM numbers WHERE id = 1
          rows: 1
        - check: warned
          that: one.n > 5
          severity: warning
        - check: chosen
          switch: one.n
          cases: { 1: left, 2: right }
        branches:
          left:
            - query: idle
              when: one.n > 5
              sql: SELECT 1 AS n
            - check: passes
              that: one.n == 1
              then: right
          right:
            - query: two
              sql: SELECT n FROM numbers WHERE id = 99
              rows: 1
              on_error: last
          last:
            - query: three
              sql: SELECT 3 AS n
        ",
        &[
            "one.next",
            "warned.else",
            "chosen.case.1",
            "idle.skipped",
            "passes.then",
            "two.else",
            "two.error",
            "three.next",
        ],
    );
}

#[test]
fn a_loop_takes_its_way_at_its_end() {
    takes(
        "
        risk: high
        steps:
        - confirm: go
          ask: Go?
        - fix: each
          for_each: '[0, 1, 2]'
          as: by
          max_failures: 1
          sql: UPDATE numbers SET n = 6 / {{ by }}::int WHERE id = 1
          rows: 1
        - atomic: both
          for_each: '[1, 2]'
          as: by
          max_failures: 1
          steps:
            - fix: inner
              sql: UPDATE numbers SET n = 6 / {{ by }}::int WHERE id = 2
              rows: 1
            - check: not_six
              sql: SELECT n FROM numbers WHERE id = 2
              that: n != 6
        - check: after
          that: true
        ",
        &[
            "go.next",
            "each.next",
            "inner.next",
            "not_six.else",
            "not_six.next",
            "both.next",
            "after.next",
        ],
    );
}

#[test]
fn an_error_in_an_atomic_is_that_of_the_atomic() {
    takes(
        "
        risk: high
        steps:
        - confirm: go
          ask: Go?
        - atomic: both
          on_error: { done: It was not to be. }
          steps:
            - fix: good
              sql: UPDATE numbers SET n = 10 WHERE id = 1
              rows: 1
            - fix: bad
              sql: UPDATE numbers SET n = -1 WHERE id = 2
              rows: 1
        - check: after
          that: true
        ",
        &["go.next", "good.next", "both.error"],
    );
}

#[test]
fn what_nothing_handles_is_no_way() {
    takes(
        "
        risk: high
        steps:
        - query: fails
          sql: SELECT 1 / n AS n FROM (VALUES (0)) AS v (n)
        - query: after
          sql: SELECT 1 AS n
        ",
        &[],
    );
}

/// Chooses among things, the same way for the same seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.roll(of.len())]
    }
}

/// Returns a key with one of its values, or nothing in as many cases as there are values.
fn maybe(dice: &mut Dice, key: &str, values: &[&str]) -> String {
    match values.get(dice.roll(values.len() * 2)) {
        Some(value) => format!(", {key}: {value}"),
        None => String::new(),
    }
}

const TO: [&str; 4] = ["aside", "other", "{ done: well }", "{ fail: badly }"];

fn step(dice: &mut Dice, name: &str, inner: bool) -> String {
    let go = if inner { &TO[2..] } else { &TO[..] };
    let when = maybe(dice, "when", &["false", "true"]);
    let on_error = if inner {
        String::new()
    } else {
        maybe(dice, "on_error", go)
    };
    let otherwise = maybe(dice, "else", go);
    match dice.roll(if inner { 3 } else { 6 }) {
        0 => {
            let where_ = dice.pick(&["true", "false", "1 / 0 = 1"]);
            format!(
                "{{ query: {name}, sql: SELECT 1 AS n WHERE {where_}, rows: 1{otherwise}{when}{on_error} }}"
            )
        }
        1 => {
            let that = dice.pick(&["true", "false"]);
            let severity = maybe(dice, "severity", &["warning"]);
            let then = if inner {
                String::new()
            } else {
                maybe(dice, "then", go)
            };
            format!("{{ check: {name}, that: {that}{severity}{then}{otherwise}{when}{on_error} }}")
        }
        2 => {
            let n = dice.pick(&["7", "-7"]);
            let id = dice.pick(&["1", "99"]);
            let looping = if inner { String::new() } else { looping(dice) };
            format!(
                "{{ fix: {name}, sql: UPDATE numbers SET n = n + 1 + {n} WHERE id = {id}, rows: 1{when}{on_error}{looping} }}"
            )
        }
        3 => {
            let value = dice.pick(&["a", "b", "c"]);
            format!(
                "{{ check: {name}, switch: \"'{value}'\", cases: {{ a: aside, b: {{ stop: enough }} }}{otherwise}{when}{on_error} }}"
            )
        }
        _ => {
            let looping = looping(dice);
            let count = 1 + dice.roll(2);
            let steps: Vec<String> = (0..=count)
                .map(|index| step(dice, &format!("{name}_{index}"), true))
                .collect();
            format!(
                "{{ atomic: {name}, steps: [{}]{when}{on_error}{looping} }}",
                steps.join(", ")
            )
        }
    }
}

fn looping(dice: &mut Dice) -> String {
    let list = dice.pick(&["[]", "[1]", "[1, 2]"]);
    match dice.roll(6) {
        0 => format!(", for_each: '{list}', as: item"),
        1 => format!(", for_each: '{list}', as: item, max_failures: 1"),
        _ => String::new(),
    }
}

fn made_up(seed: u64) -> String {
    let dice = &mut Dice(seed);
    let on_failure = maybe(
        dice,
        "on_failure",
        &["rollback", "stop", "aside", "{ fail: as it is }"],
    );
    let on_failure = on_failure.replace(", ", "");
    let count = 2 + dice.roll(4);
    let steps: Vec<String> = (0..count)
        .map(|index| format!("  - {}\n", step(dice, &format!("s{index}"), false)))
        .collect();
    let steps = steps.concat();
    let aside = dice.pick(&[
        "{ query: a, sql: SELECT 1 AS n }",
        "{ rollback: a }",
        "{ check: a, that: true, then: other }",
    ]);
    format!(
        "risk: high\n{on_failure}\nsteps:\n  - {{ confirm: go, ask: Go? }}\n{steps}  - {{ check: last, that: true }}\nbranches:\n  aside:\n    - {aside}\n  other:\n    - {{ query: o, sql: SELECT 2 AS n }}\n"
    )
}

#[test]
fn the_graph_has_every_way_that_made_up_runbooks_take() {
    let test = Test::sql(NUMBERS);
    let path = test.root().join("work/runbooks/t.yaml");
    let (mut ran, mut seen) = (0, std::collections::BTreeSet::new());
    for seed in 0..400 {
        let text = format!("runbook: t\ntitle: Test\n{}", made_up(seed));
        std::fs::write(&path, &text).unwrap();
        let Some(proved) = proved(&test, "t") else {
            continue;
        };
        let events = events(&test);
        assert_eq!(agrees(&proved, &events), Ok(()), "seed {seed}:\n{text}");
        let words = taken(&proved, &events);
        seen.extend(
            words
                .iter()
                .map(|way| way.split('.').nth(1).unwrap().to_owned()),
        );
        ran += 1;
        if ran == 30 {
            break;
        }
    }
    assert!(ran == 30, "{ran} of them are valid");
    let all = ["case", "else", "error", "next", "skipped", "then"];
    assert_eq!(seen.iter().map(String::as_str).collect::<Vec<_>>(), all);
}
