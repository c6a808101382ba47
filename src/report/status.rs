//! The line that shows what runs right now. It is never part of the output: it is gone before anything
//! else is printed.

use std::time::{Duration, Instant};

use indicatif::{HumanCount, ProgressBar, ProgressStyle};

use super::amount;
use super::look::Look;
use crate::base::words;

/// Shows what runs right now.
pub trait Status {
    /// Shows what runs, instead of what was shown before.
    fn show(&mut self, text: &str);
    /// Shows how far it is, too.
    fn progress(&mut self, text: &str, progress: &Progress) {
        self.show(&format!("{text}  {}", progress.words()));
    }
    /// Removes the line.
    fn clear(&mut self);
}

/// How far work is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is done, where the step does several things; else empty.
    pub what: String,
    /// How much was done before it was watched.
    pub from: u64,
    /// How much is done.
    pub so_far: u64,
    /// How much there is to do, where that is known.
    pub of: Option<u64>,
    /// What is counted.
    pub unit: Unit,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Rows.
    Rows,
    /// Bytes.
    Bytes,
}

impl Progress {
    /// Returns "20,000 of 100,000 rows", "copying orders, 1.2 GB of 3 GB".
    fn words(&self) -> String {
        let count = match (self.unit, self.of) {
            (Unit::Rows, of) => {
                let of = of.map_or_else(String::new, |of| format!(" of {}", HumanCount(of)));
                let noun = if self.of == Some(1) { "row" } else { "rows" };
                format!("{}{of} {noun}", HumanCount(self.so_far))
            }
            (Unit::Bytes, Some(of)) => {
                format!("{} of {}", words::bytes(self.so_far), words::bytes(of))
            }
            (Unit::Bytes, None) => words::bytes(self.so_far),
        };
        match self.what.as_str() {
            "" => count,
            what => format!("{what}, {count}"),
        }
    }

    /// Returns ", 5,000/s, 16 s left", once there is something to tell it by.
    fn pace(&self, took: Duration) -> String {
        let done = u128::from(self.so_far.saturating_sub(self.from));
        let took = took.as_millis();
        if done == 0 || took < 1000 {
            return String::new();
        }
        let rate = u64::try_from(done * 1000 / took).unwrap_or(u64::MAX);
        let rate = match self.unit {
            Unit::Rows => HumanCount(rate).to_string(),
            Unit::Bytes => words::bytes(rate),
        };
        let Some(of) = self.of else {
            return format!(", {rate}/s");
        };
        let left = u128::from(of.saturating_sub(self.so_far));
        let left = u64::try_from(left * took / done).unwrap_or(u64::MAX);
        format!(", {rate}/s, {} left", amount::millis(left))
    }
}

/// What stands beside a message: the spinner before it, and the time after it.
const BESIDE: usize = 11;

/// A bar, and the space after it.
const BAR: usize = 21;

/// No line.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoStatus;

impl Status for NoStatus {
    fn show(&mut self, _: &str) {}
    fn clear(&mut self) {}
}

/// A spinner with the elapsed time, on stderr.
#[derive(Debug)]
pub struct Spinner {
    look: Look,
    /// What is shown, and since when: its time goes on after an interruption.
    shown: Option<(String, Instant)>,
    /// How much was done when it was shown last.
    so_far: u64,
    bar: Option<ProgressBar>,
}

impl Spinner {
    /// Returns a spinner that shows nothing yet.
    pub fn new(look: Look) -> Self {
        Self {
            look,
            shown: None,
            so_far: 0,
            bar: None,
        }
    }

    fn style(&self, template: &str) -> ProgressStyle {
        let (ticks, bar): (&[&str], &str) = if self.look.unicode {
            (&["⠋", "⠙", "⠸", "⠴", "⠦", "⠇", " "], "█▉▊▋▌▍▎▏ ")
        } else {
            (&["|", "/", "-", "\\", " "], "#-")
        };
        // The templates are ours; were one wrong, the default shows the same without the time.
        ProgressStyle::with_template(template)
            .unwrap_or_else(|_| ProgressStyle::default_spinner())
            .tick_strings(ticks)
            .progress_chars(bar)
    }

    /// Returns a message that has room on one line: what is wider leaves its rest on the screen.
    fn fitting(&self, message: &str, beside: usize) -> String {
        let line = self.look.line().plain(message);
        let room = self.look.width.map(|width| width.saturating_sub(beside));
        match room {
            Some(room) => line.shortened(room).to_string(),
            None => line.to_string(),
        }
    }

    /// Returns since when a text is shown, without interruptions.
    fn since(&mut self, text: &str) -> Instant {
        let since = match self.shown.take() {
            Some((last, since)) if last == text => since,
            _ => Instant::now(),
        };
        self.shown = Some((text.to_owned(), since));
        since
    }

    fn put(&mut self, bar: ProgressBar, since: Instant, message: String) {
        let bar = bar.with_elapsed(since.elapsed());
        bar.set_message(message);
        bar.enable_steady_tick(Duration::from_millis(100));
        self.bar = Some(bar);
    }
}

impl Status for Spinner {
    fn show(&mut self, text: &str) {
        self.clear();
        let since = self.since(text);
        let style = self.style("  {spinner} {msg}  {elapsed}");
        self.put(
            ProgressBar::new_spinner().with_style(style),
            since,
            text.to_owned(),
        );
    }

    fn progress(&mut self, text: &str, progress: &Progress) {
        self.clear();
        if progress.so_far < self.so_far {
            // The next thing begins: its pace is its own.
            self.shown = None;
        }
        self.so_far = progress.so_far;
        let since = self.since(text);
        let pace = progress.pace(since.elapsed());
        let message = format!("{text}  {}{pace}", progress.words());
        let Some(of) = progress.of else {
            let style = self.style("  {spinner} {msg}  {elapsed}");
            let message = self.fitting(&message, BESIDE);
            return self.put(ProgressBar::new_spinner().with_style(style), since, message);
        };
        // How far it is in numbers is more than a bar can show: the bar goes where there is no room for both.
        let has_bar = self
            .look
            .width
            .is_none_or(|width| console::measure_text_width(&message) + BESIDE + BAR <= width);
        let style = self.style(if has_bar {
            "  {spinner} {bar:20} {msg}  {elapsed}"
        } else {
            "  {spinner} {msg}  {elapsed}"
        });
        let message = self.fitting(&message, BESIDE);
        let bar = ProgressBar::new(of).with_style(style);
        bar.set_position(progress.so_far.min(of));
        self.put(bar, since, message);
    }

    fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_tells_how_far_it_is_and_how_long_it_takes_yet() {
        let progress = Progress {
            what: String::new(),
            from: 10_000,
            so_far: 20_000,
            of: Some(100_000),
            unit: Unit::Rows,
        };
        assert_eq!(progress.words(), "20,000 of 100,000 rows");
        let pace = |seconds| progress.pace(Duration::from_secs(seconds));
        assert_eq!(pace(2), ", 5,000/s, 16 s left");
        assert_eq!(pace(0), "");
    }

    #[test]
    fn a_copy_tells_its_bytes() {
        let progress = Progress {
            what: "copying orders".to_owned(),
            from: 0,
            so_far: 1_500_000_000,
            of: Some(4_000_000_000),
            unit: Unit::Bytes,
        };
        assert_eq!(progress.words(), "copying orders, 1.5 GB of 4 GB");
        let took = Duration::from_secs(10);
        assert_eq!(progress.pace(took), ", 150 MB/s, 16.7 s left");
        let endless = Progress {
            of: None,
            ..progress
        };
        assert_eq!(endless.words(), "copying orders, 1.5 GB");
        assert_eq!(endless.pace(took), ", 150 MB/s");
    }
}
