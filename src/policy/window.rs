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
