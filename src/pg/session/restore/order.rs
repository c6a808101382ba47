//! In which order the rows of several tables are put back.

use super::apply::{Verb, Work};
use super::relation::Relation;
use super::source::Held;
use super::{Deeds, Images};

/// Returns what is done, newest statement first.
pub(super) fn works(images: &Images, deeds: &Deeds) -> Vec<Work> {
    let captures = &images.source.captures;
    let mut works = Vec::new();
    let mut end = captures.len();
    while end > 0 {
        let start = beginning(captures, end);
        works.extend(of_statement(images, start..end));
        end = start;
    }
    works.retain(|work| {
        let held = captures.get(work.capture);
        let verbs = held.and_then(|held| deeds.get(&held.id));
        verbs.is_some_and(|verbs| verbs.contains(&work.verb))
    });
    works
}

/// Returns where the captures of the statement begin that the last of these belongs to: its own tables come
/// first, then those of triggers and cascades.
fn beginning(captures: &[Held], end: usize) -> usize {
    let mut start = end;
    let mut own = false;
    while let Some(held) = start.checked_sub(1).and_then(|at| captures.get(at)) {
        let capture = &held.capture;
        let group = captures.get(start..end).unwrap_or_default();
        let other = group.iter().any(|known| {
            known.capture.step != capture.step
                || (known.capture.direct == capture.direct
                    && known.capture.relation == capture.relation)
        });
        if other || (own && !capture.direct) {
            break;
        }
        own |= capture.direct;
        start -= 1;
    }
    start
}

/// Returns what is done for one statement. Its own rows come first: triggers may put others right by
/// themselves. Before them go those that foreign keys ask for.
fn of_statement(images: &Images, range: std::ops::Range<usize>) -> Vec<Work> {
    let relations = &images.relations;
    let of = |at: usize| {
        let held = images.source.captures.get(at);
        held.and_then(|held| {
            relations
                .iter()
                .position(|known| known.name == held.capture.relation)
        })
        .unwrap_or_default()
    };
    let is_direct = |at: usize| {
        images
            .source
            .captures
            .get(at)
            .is_some_and(|held| held.capture.direct)
    };
    let ranks = ranks(relations);
    let mut parents_first: Vec<usize> = range.collect();
    parents_first.sort_by_key(|at| ranks.get(of(*at)).copied().unwrap_or_default());
    let (own, others): (Vec<usize>, Vec<usize>) =
        parents_first.into_iter().partition(|at| is_direct(*at));
    let references =
        |child: usize, parent: usize| reaches(relations, of(child), of(parent), relations.len());
    let needed = |at: usize| {
        own.iter()
            .any(|own| of(*own) != of(at) && references(*own, at))
    };
    let needing = |at: usize| {
        own.iter()
            .any(|own| of(*own) == of(at) || references(at, *own))
    };
    let mut works = Vec::new();
    let mut add = |verb: Verb, at: usize| {
        works.push(Work {
            verb,
            capture: at,
            relation: of(at),
        });
    };
    for at in others.iter().filter(|at| needed(**at)) {
        add(Verb::Insert, *at);
    }
    for at in others.iter().rev().filter(|at| needing(**at)) {
        add(Verb::Delete, *at);
    }
    for at in &own {
        add(Verb::Insert, *at);
    }
    for at in &own {
        add(Verb::Update, *at);
    }
    for at in own.iter().rev() {
        add(Verb::Delete, *at);
    }
    for at in others.iter().filter(|at| !needed(**at)) {
        add(Verb::Insert, *at);
    }
    for at in &others {
        add(Verb::Update, *at);
    }
    for at in others.iter().rev().filter(|at| !needing(**at)) {
        add(Verb::Delete, *at);
    }
    works
}

/// Returns whether a table references another, directly or through the tables that are put back.
fn reaches(relations: &[Relation], child: usize, parent: usize, depth: usize) -> bool {
    let (Some(own), Some(wanted)) = (relations.get(child), relations.get(parent)) else {
        return false;
    };
    let is_parent = |relation: &Relation| {
        relation
            .counted
            .iter()
            .any(|name| own.parents.contains(name))
    };
    is_parent(wanted)
        || depth > 0
            && relations.iter().enumerate().any(|(at, between)| {
                at != child && is_parent(between) && reaches(relations, at, parent, depth - 1)
            })
}

/// Returns for each table how many others must be there before it; tables that reference each other in a
/// circle stand in any order.
fn ranks(relations: &[Relation]) -> Vec<usize> {
    let mut ranks = vec![0; relations.len()];
    for _ in relations {
        for (at, relation) in relations.iter().enumerate() {
            let above = relations.iter().enumerate().filter(|(other, known)| {
                *other != at
                    && known
                        .counted
                        .iter()
                        .any(|name| relation.parents.contains(name))
            });
            let rank = above
                .filter_map(|(other, _)| ranks.get(other).copied())
                .max()
                .map_or(0, |rank: usize| rank + 1);
            if let Some(own) = ranks.get_mut(at) {
                *own = rank.min(relations.len());
            }
        }
    }
    ranks
}
