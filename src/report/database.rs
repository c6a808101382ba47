//! What a database has and what it does not: a line for each group, what is missing below it, and what to do
//! about it once.

use super::line::{Line, flow};
use super::look::{Look, Mark, Tone};
use super::table::more_of;
use super::{amount, failure};
use crate::base::words;
use crate::engine::event::Assertion;
use crate::step::database::Group;

/// How many names of a group a terminal shows.
const MOST_NAMES: usize = 40;

/// What was found of a group.
#[derive(Debug)]
pub(super) struct Audited<'a> {
    /// The group.
    pub(super) group: Group,
    of: usize,
    wrong: Vec<&'a Assertion>,
}

/// Things of which the same is to say, and that; nothing of what is simply missing.
pub(super) type Said<'a> = (Vec<&'a str>, String);

impl<'a> Audited<'a> {
    /// Returns the groups of a check; nothing of one that looks for nothing in a database.
    pub(super) fn all(items: &'a [Assertion]) -> Vec<Self> {
        let of = |group: Group| {
            let all = items.iter().filter(|item| item.group == Some(group));
            Self {
                group,
                of: all.clone().count(),
                wrong: all.filter(|item| !item.passed).collect(),
            }
        };
        let groups = Group::ALL.map(of).into_iter();
        groups.filter(|group| group.of > 0).collect()
    }

    /// Returns whether all of it is there.
    pub(super) fn is_good(&self) -> bool {
        self.wrong.is_empty()
    }

    /// Returns "31 of 31", or "2 of 11 missing".
    pub(super) fn summary(&self) -> String {
        let count = |is: fn(&Assertion) -> bool| self.wrong.iter().filter(|item| is(item)).count();
        let counts = [
            (count(|item| item.seen && item.found.is_none()), "missing"),
            (count(|item| item.found.is_some()), "different"),
            (count(|item| !item.seen), "could not be seen"),
        ];
        let mut parts: Vec<String> = Vec::new();
        for (number, word) in counts.into_iter().filter(|(number, _)| *number > 0) {
            let of = match parts.len() {
                0 => format!(" of {}", self.of),
                _ => String::new(),
            };
            parts.push(format!("{number}{of} {word}"));
        }
        if parts.is_empty() {
            return format!("{0} of {0}", self.of);
        }
        parts.join(", ")
    }

    /// Returns what is wrong: what is simply missing first, then those of which the same is to say together, and
    /// what could not be seen last.
    pub(super) fn said(&self) -> Vec<Said<'a>> {
        let mut said: Vec<Said<'a>> = Vec::new();
        let rank =
            |item: &&&Assertion| match (item.seen, item.found.is_some() || item.why.is_some()) {
                (true, false) => 0,
                (true, true) => 1,
                (false, _) => 2,
            };
        let mut wrong: Vec<&&Assertion> = self.wrong.iter().collect();
        wrong.sort_by_key(rank);
        for item in wrong {
            let why = item.why.as_deref().unwrap_or_default();
            let what = match (&item.found, item.seen) {
                (Some(found), _) => found.clone(),
                (None, true) => why.to_owned(),
                (None, false) => format!("could not be seen: {why}"),
            };
            match said.iter_mut().find(|(_, same)| *same == what) {
                Some((names, _)) => names.push(&item.name),
                None => said.push((vec![&item.name], what)),
            }
        }
        said
    }

    /// Returns what to do about it.
    pub(super) fn remedy(&self) -> Option<&'a str> {
        self.wrong.iter().find_map(|item| item.otherwise.as_deref())
    }
}

/// Draws the groups of a check.
pub(super) fn draw(items: &[Assertion], mark: Mark, tone: Tone, look: Look) -> Vec<Line> {
    let groups = Audited::all(items);
    let widest = groups.iter().map(|group| group.group.word().len()).max();
    let mut lines = Vec::new();
    for group in &groups {
        let good = group.is_good();
        let line = look
            .line()
            .mark(if good { Mark::Passed } else { mark })
            .gap(1);
        let start = line.width();
        let column = start + widest.unwrap_or_default() + 2;
        let line = line.plain(group.group.word()).to(column);
        let tone = if good { Tone::Plain } else { tone };
        lines.push(line.toned(tone, &group.summary()));
        let mut room = MOST_NAMES;
        for (names, what) in group.said() {
            lines.extend(told(&names, &what, &mut room, start + 2, look));
        }
        let left = group.wrong.len().saturating_sub(MOST_NAMES);
        if left > 0 {
            let more = words::count(amount::long(left), "other");
            lines.push(more_of(&more, look).indented(start + 2));
        }
        let help = group.remedy().map(|text| failure::help(text, look));
        let help = help.into_iter().flatten();
        lines.extend(help.map(|line| line.indented(start)));
    }
    lines
}

/// Draws names side by side, and what is to say of all of them.
fn told(names: &[&str], what: &str, room: &mut usize, indent: usize, look: Look) -> Vec<Line> {
    let shown = names.len().min(*room);
    *room -= shown;
    if shown == 0 {
        return Vec::new();
    }
    let mut parts: Vec<Line> = Vec::new();
    if names.len() > 1 && !what.is_empty() {
        parts.push(look.line().dim(&format!("{what}:")));
    }
    let names = names.iter().take(shown);
    parts.extend(names.clone().map(|name| look.line().plain(name)));
    if let (1, [only]) = (names.len(), parts.as_mut_slice()) {
        *only = std::mem::replace(only, look.line()).gap(2).dim(what);
    }
    let lines = flow(&parts, 3, look).into_iter();
    lines.map(|line| line.indented(indent)).collect()
}

/// Returns what a page says of a group.
pub(super) fn sentence(group: &Audited<'_>) -> String {
    let said: Vec<String> = group
        .said()
        .iter()
        .map(|(names, what)| {
            let names = names.join(", ");
            if what.is_empty() {
                names
            } else {
                format!("{names} ({what})")
            }
        })
        .collect();
    let summary = format!("{}: {}", group.group.word(), group.summary());
    if said.is_empty() {
        summary
    } else {
        format!("{summary}: {}", said.join("; "))
    }
}
