//! The results of tests for programs.

use serde_json::{Value, json};

use super::coverage::Coverage;
use super::verdict::Played;

/// Returns the results as JSON: cases in their order, the ways of each runbook, and the sums.
pub fn json(played: &[Played], coverage: &[Coverage]) -> Value {
    let failed = played.iter().filter(|case| !case.passed()).count();
    let ways = || coverage.iter().flat_map(|coverage| &coverage.ways);
    let missing = coverage.iter().flat_map(Coverage::missing).count();
    let justified = ways().filter(|way| way.cases.is_empty()).count() - missing;
    json!({
        "cases": played.iter().map(case).collect::<Vec<_>>(),
        "coverage": coverage.iter().map(of_runbook).collect::<Vec<_>>(),
        "summary": {
            "cases": played.len(),
            "passed": played.len() - failed,
            "failed": failed,
            "ways": ways().count(),
            "taken": ways().count() - missing - justified,
            "justified": justified,
            "missing": missing,
        },
    })
}

fn case(played: &Played) -> Value {
    let differences = played.differences.iter();
    let differences = differences.map(|found| json!({ "key": found.key, "lines": found.lines }));
    json!({
        "runbook": played.runbook,
        "case": played.case,
        "file": played.file,
        "line": played.line,
        "passed": played.passed(),
        "outcome": played.came.outcome.map_or_else(|| "refused".into(), |outcome| json!(outcome)),
        "path": super::verdict::path_of(&played.came.events),
        "took_ms": u64::try_from(played.came.took.as_millis()).unwrap_or(u64::MAX),
        "trouble": played.came.trouble,
        "differences": differences.collect::<Vec<_>>(),
    })
}

fn of_runbook(coverage: &Coverage) -> Value {
    let ways = coverage.ways.iter().map(|way| {
        json!({
            "way": way.way,
            "cases": way.cases,
            "untested": way.untested.as_ref().map(|(reason, _)| reason),
        })
    });
    json!({
        "runbook": coverage.runbook,
        "file": coverage.file,
        "ways": ways.collect::<Vec<_>>(),
        "unknown": coverage.unknown,
        "elsewhere": coverage.elsewhere,
    })
}
