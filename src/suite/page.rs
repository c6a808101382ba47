//! The results of tests for people.

use super::coverage::Coverage;
use super::verdict::Played;

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
pub fn group(_played: &[Played], _look: Look) -> String {
    String::new()
}

/// Returns what is told at the end: the ways, where they are asked for or are wrong, and the sums. Of cases
/// that were filtered nobody can tell the coverage: `coverage` is empty then.
pub fn closing(_played: &[Played], _coverage: &[Coverage], _look: Look) -> String {
    String::new()
}
