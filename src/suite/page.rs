//! The results of tests for people.

mod paint;

use std::fmt::Write as _;
use std::time::Duration;

use super::coverage::{Coverage, Covered};
use super::verdict::{Difference, Played};
use crate::base::words;
use paint::Paint;

/// How results look.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Whether there are colours.
    pub colours: bool,
    /// How wide a line may be.
    pub width: usize,
    /// Whether every way is listed.
    pub coverage: bool,
    /// Whether what failing runs said is printed.
    pub output: bool,
}

/// Returns the lines of the cases of one runbook, with what is wrong in those that fail.
pub fn group(played: &[Played], look: Look) -> String {
    let mut text = String::new();
    let Some(first) = played.first() else {
        return text;
    };
    let paint = Paint(look.colours);
    let names = played.iter().map(|case| count(&case.case));
    // Its mark and the time beside it take the rest of the line.
    let widest = names
        .max()
        .unwrap_or_default()
        .min(look.width.saturating_sub(14));
    let _ = writeln!(text, "{}", paint.bold(&first.runbook));
    for case in played {
        let (mark, name) = if case.passed() {
            (paint.good("✓"), case.case.clone())
        } else {
            (paint.bad("✗"), paint.bold(&case.case))
        };
        let took = duration(case.came.took);
        let blank = widest.saturating_sub(count(&case.case)) + 2;
        let _ = writeln!(
            text,
            "  {mark} {name}{}{}",
            " ".repeat(blank),
            paint.dim(&took)
        );
        if !case.passed() {
            wrong(&mut text, case, look);
        }
    }
    text
}

/// Tells what is wrong with a case, and where it stands.
fn wrong(text: &mut String, case: &Played, look: Look) {
    let paint = Paint(look.colours);
    let place = format!("{}:{}", case.file, case.line);
    let _ = writeln!(text, "      {}", paint.dim(&place));
    for Difference { key, lines } in &case.differences {
        let _ = writeln!(text, "    {}", paint.bold(key));
        for line in lines {
            for part in broken(line, look.width) {
                let painted = match line.chars().next() {
                    Some('-') => paint.good(&part),
                    Some('+') => paint.bad(&part),
                    _ => part,
                };
                let _ = writeln!(text, "      {painted}");
            }
        }
    }
    if look.output && !case.came.said.trim().is_empty() {
        let _ = writeln!(text, "    {}", paint.bold("output"));
        for line in case.came.said.lines() {
            let _ = writeln!(text, "{}", format!("      {line}").trim_end());
        }
    }
}

/// Breaks a line of a difference; what goes on stands under its text, not under its sign.
fn broken(line: &str, width: usize) -> Vec<String> {
    let is_table = line.trim_start_matches(['-', '+', ' ']).contains("  ");
    let (sign, text) = match line.split_at_checked(2) {
        Some((sign @ ("- " | "+ " | "  "), text)) if !is_table => (sign, text),
        _ => return vec![line.trim_end().to_owned()],
    };
    let parts = words::wrapped(text, width.saturating_sub(8).max(20));
    parts
        .iter()
        .enumerate()
        .map(|(index, part)| {
            let sign = if index == 0 { sign } else { "  " };
            format!("{sign}{part}").trim_end().to_owned()
        })
        .collect()
}

/// Returns what is told at the end: the ways, where they are asked for or are wrong, and the sums. Of cases
/// that were filtered nobody can tell the coverage: `coverage` is empty then.
pub fn closing(played: &[Played], coverage: &[Coverage], look: Look) -> String {
    let mut text = String::new();
    let paint = Paint(look.colours);
    for coverage in coverage {
        if look.coverage {
            listed(&mut text, coverage, look);
        }
        unsound(&mut text, coverage, paint);
    }
    text.push('\n');
    let failed = played.iter().filter(|case| !case.passed()).count();
    let mut names: Vec<&str> = played.iter().map(|case| case.file.as_str()).collect();
    names.dedup();
    names.sort_unstable();
    names.dedup();
    let passed = format!("{} passed", played.len() - failed);
    let passed = if failed == 0 {
        paint.good(&passed)
    } else {
        passed
    };
    let _ = write!(
        text,
        "{} of {}: {passed}",
        words::count(words::long(played.len()), "case"),
        words::count(words::long(names.len()), "runbook"),
    );
    if failed > 0 {
        let _ = write!(text, ", {}", paint.bad(&format!("{failed} failed")));
    }
    if let Some(sum) = sum(coverage) {
        let _ = write!(text, "; {sum}");
    }
    text.push('\n');
    text
}

/// Returns "coverage 98 % (50 of 51 ways, 2 justified)". Only what is complete is 100 %.
fn sum(coverage: &[Coverage]) -> Option<String> {
    let ways = || coverage.iter().flat_map(|coverage| &coverage.ways);
    let all = ways().count();
    let missing = coverage.iter().flat_map(Coverage::missing).count();
    let justified = ways().filter(|way| way.cases.is_empty()).count() - missing;
    let covered = all - missing;
    let percent = (covered * 100).checked_div(all)?;
    let justified = match justified {
        0 => String::new(),
        number => format!(", {number} justified"),
    };
    let ways = words::count(words::long(all), "way");
    Some(format!(
        "coverage {percent} % ({covered} of {ways}{justified})"
    ))
}

/// Lists every way of a runbook.
fn listed(text: &mut String, coverage: &Coverage, look: Look) {
    let paint = Paint(look.colours);
    let of_one = sum(std::slice::from_ref(coverage)).unwrap_or_else(|| "no ways".to_owned());
    let _ = writeln!(
        text,
        "\n{}  {}",
        paint.bold(&coverage.runbook),
        paint.dim(&of_one)
    );
    let widths = coverage.ways.iter().map(|way| count(&way.way));
    let width = widths.max().unwrap_or_default().min(look.width / 2);
    for way in &coverage.ways {
        let name = format!("{:width$}", way.way);
        match (way.cases.len(), &way.untested) {
            (0, None) => {
                let _ = writeln!(
                    text,
                    "  {} {}  no case takes it",
                    paint.bad("✗"),
                    paint.bad(&name)
                );
            }
            (0, Some((reason, _))) => {
                let parts = words::wrapped(reason, look.width.saturating_sub(width + 6).max(20));
                for (index, part) in parts.iter().enumerate() {
                    let (mark, name) = if index == 0 {
                        ("–", name.as_str())
                    } else {
                        (" ", "")
                    };
                    let _ = writeln!(text, "  {mark} {name:width$}  {}", paint.dim(part));
                }
            }
            (number, _) => {
                let cases = words::count(words::long(number), "case");
                let _ = writeln!(text, "  {} {name}  {cases}", paint.good("✓"));
            }
        }
    }
    if coverage.elsewhere > 0 {
        let ways = words::count(words::long(coverage.elsewhere), "way");
        let told = format!("and {ways} of the runbooks that it uses: their own tests take them");
        let _ = writeln!(text, "  {}", paint.dim(&told));
    }
}

/// Tells what the file of tests says of its ways that is not so, and what the graph lacks.
fn unsound(text: &mut String, coverage: &Coverage, paint: Paint) {
    for Covered {
        way,
        cases,
        untested,
    } in coverage.contradicted()
    {
        let line = untested.as_ref().map_or(1, |(_, line)| *line);
        let _ = writeln!(
            text,
            "{} {}:{line}: `{way}` is not untested: `{}` takes it. Take it out of `untested`.",
            paint.bad("error:"),
            coverage.file,
            cases.first().map_or("", String::as_str),
        );
    }
    for way in &coverage.unknown {
        let _ = writeln!(
            text,
            "{} a run of {} took `{way}`, which its graph does not have. Please report it: it is a defect.",
            paint.bad("error:"),
            coverage.runbook,
        );
    }
}

/// Returns "3 ms", "2.4 s".
fn duration(took: Duration) -> String {
    match took.as_millis() {
        ms @ 0..1000 => format!("{ms} ms"),
        _ => format!("{:.1} s", took.as_secs_f64()),
    }
}

fn count(text: &str) -> usize {
    text.chars().count()
}
