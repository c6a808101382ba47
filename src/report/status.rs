//! The line that shows what runs right now. It is never part of the output: it is gone before anything
//! else is printed.

use std::time::{Duration, Instant};

use indicatif::{HumanCount, ProgressBar, ProgressStyle};

use super::amount;
use super::look::Look;

/// Shows what runs right now.
pub trait Status {
    /// Shows what runs, instead of what was shown before.
    fn show(&mut self, text: &str);
    /// Shows how far it is, too.
    fn progress(&mut self, text: &str, progress: Progress) {
        self.show(&format!("{text}  {}", progress.words()));
    }
    /// Removes the line.
    fn clear(&mut self);
}

/// How far work is that is done in parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// How many rows were done before it was watched.
    pub from: u64,
    /// How many are done.
    pub so_far: u64,
    /// How many there are to do.
    pub of: u64,
}

impl Progress {
    /// Returns "20,000 of 100,000 rows".
    fn words(self) -> String {
        let all = format!(
            "{} of {} rows",
            HumanCount(self.so_far),
            HumanCount(self.of)
        );
        if self.of == 1 {
            all.trim_end_matches('s').to_owned()
        } else {
            all
        }
    }

    /// Returns ", 5,000/s, 16 s left", once there is something to tell it by.
    fn pace(self, took: Duration) -> String {
        let done = u128::from(self.so_far.saturating_sub(self.from));
        let left = u128::from(self.of.saturating_sub(self.so_far));
        let took = took.as_millis();
        if done == 0 || took < 1000 {
            return String::new();
        }
        let rate = u64::try_from(done * 1000 / took).unwrap_or(u64::MAX);
        let left = u64::try_from(left * took / done).unwrap_or(u64::MAX);
        format!(", {}/s, {} left", HumanCount(rate), amount::millis(left))
    }
}

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
    bar: Option<ProgressBar>,
}

impl Spinner {
    /// Returns a spinner that shows nothing yet.
    pub fn new(look: Look) -> Self {
        Self {
            look,
            shown: None,
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

    fn progress(&mut self, text: &str, progress: Progress) {
        self.clear();
        let since = self.since(text);
        let style = self.style("  {spinner} {bar:20} {msg}  {elapsed}");
        let bar = ProgressBar::new(progress.of).with_style(style);
        bar.set_position(progress.so_far);
        let pace = progress.pace(since.elapsed());
        self.put(bar, since, format!("{text}  {}{pace}", progress.words()));
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
            from: 10_000,
            so_far: 20_000,
            of: 100_000,
        };
        assert_eq!(progress.words(), "20,000 of 100,000 rows");
        let pace = |seconds| progress.pace(Duration::from_secs(seconds));
        assert_eq!(pace(2), ", 5,000/s, 16 s left");
        assert_eq!(pace(0), "");
    }
}
