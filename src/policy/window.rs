//! Times of the week in which changes may be made.

use jiff::Timestamp;
use jiff::civil::Time;
use jiff::tz::TimeZone;

use super::document::Day;

/// A time of the week.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// The days on which it begins; every day where there are none.
    pub days: Vec<Day>,
    /// When it begins.
    pub from: Time,
    /// When it ends; earlier than `from` is on the next day.
    pub to: Time,
    /// Where the clock hangs.
    pub zone: TimeZone,
}

impl Window {
    /// Returns whether a moment is in it. It begins with its first minute, and ends before its last.
    pub fn holds(&self, at: Timestamp) -> bool {
        let now = at.to_zoned(self.zone.clone());
        let (today, time) = (now.date(), now.time());
        let begins = |date: jiff::civil::Date| {
            let day = match date.weekday() {
                jiff::civil::Weekday::Monday => Day::Mon,
                jiff::civil::Weekday::Tuesday => Day::Tue,
                jiff::civil::Weekday::Wednesday => Day::Wed,
                jiff::civil::Weekday::Thursday => Day::Thu,
                jiff::civil::Weekday::Friday => Day::Fri,
                jiff::civil::Weekday::Saturday => Day::Sat,
                jiff::civil::Weekday::Sunday => Day::Sun,
            };
            self.days.is_empty() || self.days.contains(&day)
        };
        if self.from < self.to {
            return begins(today) && self.from <= time && time < self.to;
        }
        let since_yesterday = time < self.to && today.yesterday().is_ok_and(begins);
        since_yesterday || (begins(today) && self.from <= time)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use jiff::civil::Weekday;
    use proptest::prelude::*;

    use super::*;

    const ZONES: [&str; 6] = [
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "Asia/Kolkata",
        "Australia/Lord_Howe",
        "Pacific/Apia",
    ];

    fn window(days: &[Day], from: (i8, i8), to: (i8, i8), zone: &str) -> Window {
        let time = |(hour, minute)| Time::new(hour, minute, 0, 0).unwrap();
        Window {
            days: days.to_vec(),
            from: time(from),
            to: time(to),
            zone: TimeZone::get(zone).unwrap(),
        }
    }

    fn holds(window: &Window, at: &str) -> bool {
        window.holds(at.parse().unwrap())
    }

    /// Walks through each of its days minute by minute, and notes each minute of the week.
    fn minutes(window: &Window) -> BTreeSet<(usize, i32)> {
        let number = |time: Time| i32::from(time.hour()) * 60 + i32::from(time.minute());
        let mut found = BTreeSet::new();
        for (index, day) in Day::ALL.iter().enumerate() {
            if !window.days.is_empty() && !window.days.contains(day) {
                continue;
            }
            let (mut day, mut minute) = (index, number(window.from));
            loop {
                found.insert((day, minute));
                minute += 1;
                if minute == 24 * 60 {
                    (day, minute) = ((day + 1) % 7, 0);
                }
                if minute == number(window.to) {
                    break;
                }
            }
        }
        found
    }

    proptest! {
        #[test]
        fn it_holds_the_minutes_of_the_week_that_a_walk_finds(
            days in proptest::sample::subsequence(Day::ALL.to_vec(), 0..=7),
            from in (0..24_i8, 0..60_i8),
            to in (0..24_i8, 0..60_i8),
            zone in proptest::sample::select(ZONES.to_vec()),
            // From 2026 to 2028: every change of the clocks of three years.
            seconds in prop::collection::vec(1_767_225_600_i64..1_861_920_000, 20),
            edge in -90_i64..90,
        ) {
            prop_assume!(from != to);
            let window = window(&days, from, to, zone);
            let model = minutes(&window);
            for second in seconds {
                let at = Timestamp::from_second(second).unwrap();
                let day = at.to_zoned(window.zone.clone());
                // Also just before and after it begins and ends.
                let edges = [window.from, window.to].map(|time| {
                    let edge_at = day.date().to_zoned(window.zone.clone()).unwrap().with().time(time).build();
                    Timestamp::from_second(edge_at.unwrap().timestamp().as_second() + edge).unwrap()
                });
                for at in edges.into_iter().chain([at]) {
                    let local = at.to_zoned(window.zone.clone());
                    let day = usize::try_from(local.weekday().to_monday_zero_offset()).unwrap();
                    let minute = i32::from(local.hour()) * 60 + i32::from(local.minute());
                    prop_assert_eq!(window.holds(at), model.contains(&(day, minute)), "{}", local);
                }
            }
        }
    }

    #[test]
    fn it_begins_with_its_first_minute_and_ends_before_its_last() {
        let office = window(&[Day::Mon], (9, 0), (16, 0), "UTC");
        assert!(!holds(&office, "2026-11-23T08:59:59.999Z"));
        assert!(holds(&office, "2026-11-23T09:00:00Z"));
        assert!(holds(&office, "2026-11-23T15:59:59.999Z"));
        assert!(!holds(&office, "2026-11-23T16:00:00Z"));
        assert!(!holds(&office, "2026-11-24T10:00:00Z"));
    }

    #[test]
    fn what_begins_in_the_evening_ends_on_the_next_morning() {
        let night = window(&[Day::Sat], (22, 0), (6, 0), "UTC");
        assert_eq!(
            "2026-11-21T00:00:00Z"
                .parse::<Timestamp>()
                .unwrap()
                .to_zoned(TimeZone::UTC)
                .weekday(),
            Weekday::Saturday
        );
        assert!(!holds(&night, "2026-11-21T05:00:00Z"));
        assert!(holds(&night, "2026-11-21T23:59:59Z"));
        assert!(holds(&night, "2026-11-22T00:00:00Z"));
        assert!(holds(&night, "2026-11-22T05:59:59Z"));
        assert!(!holds(&night, "2026-11-22T06:00:00Z"));
        assert!(!holds(&night, "2026-11-22T22:00:00Z"));
    }

    #[test]
    fn a_whole_day_ends_at_midnight() {
        let sunday = window(&[Day::Sun], (0, 0), (0, 0), "Europe/Berlin");
        assert!(!holds(&sunday, "2026-11-21T22:59:59Z"));
        assert!(holds(&sunday, "2026-11-21T23:00:00Z"));
        assert!(holds(&sunday, "2026-11-22T22:59:59Z"));
        assert!(!holds(&sunday, "2026-11-22T23:00:00Z"));
    }

    #[test]
    fn an_hour_that_the_clocks_leave_out_never_comes_and_one_that_they_repeat_comes_twice() {
        let night = window(&[], (2, 0), (3, 0), "Europe/Berlin");
        assert!(!holds(&night, "2026-03-29T00:59:59Z"));
        assert!(!holds(&night, "2026-03-29T01:00:00Z"));
        for minute in ["00:00:00", "00:59:59", "01:00:00", "01:59:59"] {
            assert!(holds(&night, &format!("2026-10-25T{minute}Z")), "{minute}");
        }
        assert!(!holds(&night, "2026-10-24T23:59:59Z"));
        assert!(!holds(&night, "2026-10-25T02:00:00Z"));
    }
}
