//! Rules in few words: "2 approvals by dba within 4 h; Mon–Thu 09:00–16:00 Europe/Berlin".

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Time;

use super::document::Day;
use super::rules::{AnsweredBy, Approvals, Rule, Rules};
use super::window::Window;
use crate::base::words;
use crate::sql::risk::Risk;

/// Returns roles: "`dba` or `ops`".
pub fn roles(roles: &[String]) -> String {
    let quoted: Vec<String> = roles.iter().map(|role| format!("`{role}`")).collect();
    quoted.join(" or ")
}

/// Returns how long something is in the largest unit that it has a whole number of: "4 h", "90 min".
pub fn span(span: Duration) -> String {
    const UNITS: [(u64, &str); 3] = [(86_400, "d"), (3_600, "h"), (60, "min")];
    let seconds = span.as_secs();
    // A whole number of days is told in hours up to two of them, as people say it.
    let whole = |(unit, _): &&(u64, &str)| seconds.is_multiple_of(*unit) && seconds > *unit;
    match UNITS.iter().find(whole) {
        Some((unit, word)) => format!("{} {word}", seconds / unit),
        None if seconds > 7_200 => format!("{} h", seconds / 3_600),
        None if seconds >= 60 => format!("{} min", seconds / 60),
        None => format!("{seconds} s"),
    }
}

/// Returns whose approval is needed: "2 approvals by `dba` within 4 h".
pub fn approvals(approvals: &Approvals) -> String {
    let count = words::count(approvals.count, "approval");
    let by = if approvals.by.is_empty() {
        "by other logins".to_owned()
    } else {
        format!("by {}", roles(&approvals.by))
    };
    let within = span(Duration::from_secs(approvals.expire_seconds));
    format!("{count} {by} within {within}")
}

/// Returns times of the week: "Mon–Thu 09:00–16:00 Europe/Berlin".
pub fn windows(windows: &[Window]) -> String {
    let windows: Vec<String> = windows.iter().map(window).collect();
    windows.join(" or ")
}

fn window(window: &Window) -> String {
    let days = days(&window.days);
    let gap = if days.is_empty() { "" } else { " " };
    format!(
        "{days}{gap}{}–{} {}",
        time(window.from),
        // The last midnight of a day is its end.
        if window.to == Time::midnight() {
            "24:00".to_owned()
        } else {
            time(window.to)
        },
        zone(window)
    )
}

fn zone(window: &Window) -> &str {
    window.zone.iana_name().unwrap_or("UTC")
}

fn time(time: Time) -> String {
    format!("{:02}:{:02}", time.hour(), time.minute())
}

/// Returns days of the week: "Mon–Thu", "Mon, Wed"; nothing for all of them.
fn days(days: &[Day]) -> String {
    let on: Vec<bool> = Day::ALL.iter().map(|day| days.contains(day)).collect();
    if !on.contains(&true) || !on.contains(&false) {
        return String::new();
    }
    let mut runs: Vec<(Day, Day, usize)> = Vec::new();
    let mut before = false;
    for (day, on) in Day::ALL.iter().zip(on) {
        match runs.last_mut() {
            Some((_, last, count)) if on && before => {
                *last = *day;
                *count += 1;
            }
            _ if on => runs.push((*day, *day, 1)),
            _ => {}
        }
        before = on;
    }
    let runs = runs.into_iter().map(|(first, last, count)| match count {
        1 => first.word().to_owned(),
        2 => format!("{}, {}", first.word(), last.word()),
        _ => format!("{}–{}", first.word(), last.word()),
    });
    runs.collect::<Vec<_>>().join(", ")
}

/// Returns a moment where the clocks of windows hang: "Sat 14:20 Europe/Berlin".
pub fn moment(at: Timestamp, windows: &[Window]) -> String {
    let mut zones: Vec<(&str, String)> = Vec::new();
    for window in windows {
        let zone = zone(window);
        if !zones.iter().any(|(known, _)| *known == zone) {
            let local = at.to_zoned(window.zone.clone());
            zones.push((zone, local.strftime("%a %H:%M").to_string()));
        }
    }
    let zones = zones.iter().map(|(zone, local)| format!("{local} {zone}"));
    zones.collect::<Vec<_>>().join(", ")
}

/// Returns what changes of a risk need on a target; nothing where they need nothing.
pub fn rule(rules: &Rules, risk: Risk) -> Vec<String> {
    let Rule {
        run,
        windows: times,
        backup,
        ..
    } = rules.rule(risk);
    let mut needs = Vec::new();
    needs.extend(run.as_ref().map(|run| format!("run by {}", roles(run))));
    needs.extend(rules.rule(risk).others().map(approvals));
    if !times.is_empty() {
        needs.push(windows(times));
    }
    needs.extend(backup.map(|limit| format!("backup not older than {}", span(limit))));
    match rules.demand(risk, 0).answered_by {
        AnsweredBy::Person => needs.push("answered at a terminal".to_owned()),
        AnsweredBy::Name => needs.push("answered at a terminal or by --answer".to_owned()),
        AnsweredBy::Others | AnsweredBy::Flag => {}
    }
    needs
}

/// Returns what rows raise a risk to: "more than 100 rows are high risk"; nothing where they raise nothing.
pub fn raised(rules: &Rules, risk: Risk) -> Vec<String> {
    let limits = [
        (Risk::Medium, rules.medium_rows),
        (Risk::High, rules.high_rows),
    ];
    let over = limits
        .into_iter()
        .filter(|(raised, _)| *raised > risk)
        .filter_map(|(raised, limit)| Some((raised, limit?)));
    over.map(|(raised, limit)| {
        format!("more than {} are {raised} risk", words::count(limit, "row"))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use Day::{Fri, Mon, Sat, Sun, Thu, Tue, Wed};

    #[test]
    fn days_that_follow_each_other_are_told_together() {
        let cases: [(&[Day], &str); 6] = [
            (&[], ""),
            (&[Mon, Tue, Wed, Thu], "Mon–Thu"),
            (&[Fri, Mon, Sun], "Mon, Fri, Sun"),
            (&[Sat, Sun], "Sat, Sun"),
            (&[Mon, Tue, Thu, Fri, Sat], "Mon, Tue, Thu–Sat"),
            (&[Mon, Tue, Wed, Thu, Fri, Sat, Sun], ""),
        ];
        for (given, expected) in cases {
            assert_eq!(days(given), expected);
        }
    }

    #[test]
    fn spans_are_told_in_the_largest_whole_unit() {
        let cases = [
            (30, "30 s"),
            (60, "1 min"),
            (5_400, "90 min"),
            (3_600, "60 min"),
            (14_400, "4 h"),
            (86_400, "24 h"),
            (172_800, "2 d"),
            (10_801, "3 h"),
        ];
        for (seconds, expected) in cases {
            assert_eq!(span(Duration::from_secs(seconds)), expected);
        }
    }
}
