//! The line that shows what runs right now. It is never part of the output: it is gone before anything
//! else is printed.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::look::Look;

/// Shows what runs right now.
pub trait Status {
    /// Shows what runs, instead of what was shown before.
    fn show(&mut self, text: &str);
    /// Removes the line.
    fn clear(&mut self);
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

    fn style(&self) -> ProgressStyle {
        let ticks: &[&str] = if self.look.unicode {
            &["⠋", "⠙", "⠸", "⠴", "⠦", "⠇", " "]
        } else {
            &["|", "/", "-", "\\", " "]
        };
        // The template is ours; were it wrong, the default shows the same without the time.
        ProgressStyle::with_template("  {spinner} {msg}  {elapsed}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner())
            .tick_strings(ticks)
    }
}

impl Status for Spinner {
    fn show(&mut self, text: &str) {
        self.clear();
        let since = match self.shown.take() {
            Some((last, since)) if last == text => since,
            _ => Instant::now(),
        };
        self.shown = Some((text.to_owned(), since));
        let bar = ProgressBar::new_spinner().with_style(self.style());
        let bar = bar.with_elapsed(since.elapsed());
        bar.set_message(text.to_owned());
        bar.enable_steady_tick(Duration::from_millis(100));
        self.bar = Some(bar);
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
