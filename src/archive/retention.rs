//! Which backups are deleted: only by count and age, only where enough good ones remain, and never one that
//! is needed.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::store::Found;
use crate::step::backup::Keep;

/// How long a day is: backups are dated in UTC, where each has 24 hours.
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// What becomes of a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It stays: why.
    Stays(String),
    /// It goes.
    Goes,
}

/// Decides what becomes of each backup of one name and one database, and returns them newest first. `needed`
/// says by id why runs need some: "run 7f3k29 needs it".
///
/// What either `last` or `days` keeps stays; where `keep` says neither, all stays. Nothing goes while a newer one
/// is unfinished or damaged; the newest good one and the newest one that was restored on trial never go.
pub fn fates<'a>(
    found: &'a [Found],
    keep: Keep,
    needed: &BTreeMap<String, String>,
    unfinished: bool,
    now: Timestamp,
) -> Vec<(&'a Found, Fate)> {
    let mut newest_first: Vec<&Found> = found.iter().collect();
    newest_first.sort_by(|a, b| age_of(b).cmp(&age_of(a)));
    let rules = Rules {
        keep,
        needed,
        unfinished,
        now,
        newest_restored: newest_restored(&newest_first),
    };
    let mut newer = Newer::default();
    let mut fates = Vec::with_capacity(found.len());
    for found in newest_first {
        let reason = rules.reason(found, &newer);
        fates.push((found, reason.map_or(Fate::Goes, Fate::Stays)));
        newer.add(found);
    }
    fates
}

/// What there is that is newer than a backup.
#[derive(Default)]
struct Newer {
    good: u32,
    damaged: bool,
}

impl Newer {
    fn add(&mut self, found: &Found) {
        if found.is_good() {
            self.good += 1;
        } else {
            self.damaged = true;
        }
    }
}

struct Rules<'a> {
    keep: Keep,
    needed: &'a BTreeMap<String, String>,
    unfinished: bool,
    now: Timestamp,
    newest_restored: Option<(&'a str, Timestamp)>,
}

impl Rules<'_> {
    /// Returns why a backup stays; none where it goes.
    fn reason(&self, found: &Found, newer: &Newer) -> Option<String> {
        self.for_itself(found, newer)
            .or_else(|| self.by_count(found, newer))
            .or_else(|| self.by_age(found))
            .or_else(|| self.for_others(newer))
    }

    /// Returns why this one is never deleted.
    fn for_itself(&self, found: &Found, newer: &Newer) -> Option<String> {
        let id = found.manifest.id.as_str();
        if let Some(why) = &found.notes.pinned {
            return Some(format!("pinned: {why}"));
        }
        if let Some(why) = self.needed.get(id) {
            return Some(why.clone());
        }
        if found.is_good() && newer.good == 0 {
            return Some("the newest good one".to_owned());
        }
        let restored = self.newest_restored.filter(|(restored, _)| *restored == id);
        restored.map(|(_, at)| format!("restored on trial on {}", date(at)))
    }

    fn by_count(&self, found: &Found, newer: &Newer) -> Option<String> {
        let Keep { last, days } = self.keep;
        let Some(last) = last else {
            return days
                .is_none()
                .then(|| "nothing says how long it is kept".to_owned());
        };
        (found.is_good() && newer.good < last).then(|| format!("kept by `last: {last}`"))
    }

    fn by_age(&self, found: &Found) -> Option<String> {
        let days = self.keep.days?;
        let age = self.now.duration_since(found.manifest.taken_at);
        let kept = DAY.checked_mul(i32::try_from(days).unwrap_or(i32::MAX));
        // One from tomorrow is young: a clock was wrong.
        kept.is_none_or(|kept| age < kept)
            .then(|| format!("kept by `days: {days}`"))
    }

    /// Returns why none goes at this time.
    fn for_others(&self, newer: &Newer) -> Option<String> {
        if self.unfinished {
            Some("a newer one is unfinished".to_owned())
        } else if newer.damaged {
            Some("a newer one is damaged".to_owned())
        } else if newer.good == 0 {
            Some("there is no good one that is newer".to_owned())
        } else {
            None
        }
    }
}

fn age_of(found: &Found) -> (Timestamp, &str) {
    (found.manifest.taken_at, found.manifest.id.as_str())
}

/// Returns the newest good one that was restored on trial, and when that was.
fn newest_restored<'a>(newest_first: &[&'a Found]) -> Option<(&'a str, Timestamp)> {
    newest_first
        .iter()
        .filter(|found| found.is_good())
        .find_map(|found| Some((found.manifest.id.as_str(), found.notes.restored_at?)))
}

fn date(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d").to_string()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use proptest::prelude::*;

    use super::*;
    use crate::archive::notes::Notes;
    use crate::archive::sample::{self, day};

    const LAST_2: Keep = Keep {
        last: Some(2),
        days: None,
    };

    /// A good backup of a day; its id is the day.
    fn of_day(number: i64) -> Found {
        let mut manifest = sample::manifest(&number.to_string());
        manifest.taken_at = day(number);
        Found {
            folder: PathBuf::from(number.to_string()),
            manifest,
            notes: Notes::default(),
            bytes: 1,
        }
    }

    fn damaged(number: i64) -> Found {
        let mut found = of_day(number);
        found.notes.damaged = Some((day(number), "cut off".to_owned()));
        found
    }

    /// Returns each id with why it stays, or `goes`.
    fn told(found: &[Found], keep: Keep, needed: &[(&str, &str)], unfinished: bool) -> String {
        let needed = needed
            .iter()
            .map(|(id, why)| ((*id).to_owned(), (*why).to_owned()))
            .collect();
        let fates = fates(found, keep, &needed, unfinished, day(10));
        let lines = fates.into_iter().map(|(found, fate)| match fate {
            Fate::Stays(why) => format!("{} {why}", found.manifest.id),
            Fate::Goes => format!("{} goes", found.manifest.id),
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_last_ones_stay() {
        let found = [of_day(1), of_day(4), of_day(2), of_day(3)];
        insta::assert_snapshot!(told(&found, LAST_2, &[], false), @r"
        4 the newest good one
        3 kept by `last: 2`
        2 goes
        1 goes
        ");
    }

    #[test]
    fn what_either_rule_keeps_stays() {
        let found = [of_day(1), of_day(2), of_day(8), of_day(9)];
        let keep = Keep {
            last: Some(3),
            days: Some(2),
        };
        insta::assert_snapshot!(told(&found, keep, &[], false), @r"
        9 the newest good one
        8 kept by `last: 3`
        2 kept by `last: 3`
        1 goes
        ");
        let keep = Keep {
            last: Some(1),
            days: Some(8),
        };
        insta::assert_snapshot!(told(&found, keep, &[], false), @r"
        9 the newest good one
        8 kept by `days: 8`
        2 goes
        1 goes
        ");
    }

    #[test]
    fn without_rules_and_from_the_future_all_stay() {
        insta::assert_snapshot!(told(&[of_day(1), of_day(2)], Keep::default(), &[], false), @r"
        2 the newest good one
        1 nothing says how long it is kept
        ");
        let keep = Keep {
            last: None,
            days: Some(1),
        };
        insta::assert_snapshot!(told(&[of_day(50), of_day(51)], keep, &[], false), @r"
        51 the newest good one
        50 kept by `days: 1`
        ");
    }

    #[test]
    fn what_is_needed_stays() {
        let mut found = [
            of_day(1),
            of_day(2),
            of_day(3),
            of_day(4),
            of_day(5),
            of_day(6),
        ];
        found[1].notes.restored_at = Some(day(7));
        found[2].notes.restored_at = Some(day(6));
        found[3].notes.pinned = Some("the audit of 2026".to_owned());
        let keep = Keep {
            last: Some(1),
            days: None,
        };
        insta::assert_snapshot!(told(&found, keep, &[("1", "run 7f3k29 needs it")], false), @r"
        6 the newest good one
        5 goes
        4 pinned: the audit of 2026
        3 restored on trial on 2026-09-27
        2 goes
        1 run 7f3k29 needs it
        ");
    }

    #[test]
    fn case_47_while_a_newer_one_is_unfinished_or_damaged_nothing_goes() {
        let found = [of_day(1), of_day(2), of_day(3)];
        insta::assert_snapshot!(told(&found, LAST_2, &[], true), @r"
        3 the newest good one
        2 kept by `last: 2`
        1 a newer one is unfinished
        ");
        let found = [of_day(1), of_day(2), damaged(3)];
        let keep = Keep {
            last: Some(1),
            days: None,
        };
        insta::assert_snapshot!(told(&found, keep, &[], false), @r"
        3 there is no good one that is newer
        2 the newest good one
        1 a newer one is damaged
        ");
    }

    #[test]
    fn only_good_ones_count() {
        let found = [of_day(1), of_day(2), of_day(3), damaged(4), of_day(5)];
        insta::assert_snapshot!(told(&found, LAST_2, &[], false), @r"
        5 the newest good one
        4 goes
        3 kept by `last: 2`
        2 a newer one is damaged
        1 a newer one is damaged
        ");
    }

    #[test]
    fn case_48_the_only_good_one_stays_whatever_is_asked_for() {
        for keep in [
            Keep {
                last: Some(0),
                days: Some(0),
            },
            Keep {
                last: Some(0),
                days: None,
            },
        ] {
            insta::allow_duplicates! {
                insta::assert_snapshot!(told(&[of_day(1)], keep, &[], false), @"1 the newest good one");
                insta::assert_snapshot!(told(&[damaged(1), of_day(0)], keep, &[], false), @r"
                1 there is no good one that is newer
                0 the newest good one
                ");
            }
        }
    }

    fn any_found() -> impl Strategy<Value = Vec<Found>> {
        let one = (
            0_i64..20,
            any::<bool>(),
            any::<bool>(),
            prop::bool::weighted(0.2),
        );
        prop::collection::vec(one, 0..12).prop_map(|all| {
            let each = all
                .into_iter()
                .enumerate()
                .map(|(at, (when, good, restored, pinned))| {
                    let mut found = if good { of_day(when) } else { damaged(when) };
                    found.manifest.id = format!("b-{at}");
                    found.notes.restored_at = restored.then(|| day(when));
                    found.notes.pinned = pinned.then(|| "why".to_owned());
                    found
                });
            each.collect()
        })
    }

    fn any_keep() -> impl Strategy<Value = Keep> {
        let number = || prop::option::of(prop_oneof![0_u32..6, Just(u32::MAX)]);
        (number(), number()).prop_map(|(last, days)| Keep { last, days })
    }

    proptest! {
        #[test]
        fn no_rule_hurts(found in any_found(), keep in any_keep(), needs in 0_usize..12, unfinished: bool) {
            let needed = BTreeMap::from([(format!("b-{needs}"), "needed".to_owned())]);
            let fates = fates(&found, keep, &needed, unfinished, day(20));
            prop_assert_eq!(fates.len(), found.len());
            let stays: Vec<&Found> =
                fates.iter().filter(|(_, fate)| *fate != Fate::Goes).map(|(found, _)| *found).collect();
            let is_staying = |one: &Found| stays.contains(&one);

            prop_assert!(found.is_empty() || !stays.is_empty());
            prop_assert!(!unfinished || stays.len() == found.len());
            prop_assert!(keep != Keep::default() || stays.len() == found.len());
            prop_assert!(found.iter().all(|one| one.notes.pinned.is_none() || is_staying(one)));
            prop_assert!(found.iter().all(|one| !needed.contains_key(&one.manifest.id) || is_staying(one)));
            let mut good: Vec<&Found> = fates.iter().map(|(one, _)| *one).filter(|one| one.is_good()).collect();
            prop_assert!(good.first().is_none_or(|newest| is_staying(newest)));
            let restored = good.iter().find(|one| one.notes.restored_at.is_some());
            prop_assert!(restored.is_none_or(|newest| is_staying(newest)));
            let least = usize::try_from(keep.last.unwrap_or(1)).unwrap().min(good.len());
            good.retain(|one| is_staying(one));
            prop_assert!(good.len() >= least);
            // Whatever goes has a good one that is newer and stays, and no damaged one that is newer.
            for (at, (gone, fate)) in fates.iter().enumerate() {
                if *fate == Fate::Goes {
                    let newer = &fates[..at];
                    prop_assert!(newer.iter().any(|(one, _)| one.is_good() && is_staying(one)));
                    prop_assert!(newer.iter().all(|(one, _)| one.is_good()), "{}", gone.manifest.id);
                }
            }
        }
    }
}
