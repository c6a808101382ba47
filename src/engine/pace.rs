//! How long it took before to put rows back on a target: what a recovery is estimated by.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How many earlier ones an estimate is taken from, at most.
const MOST: usize = 3;

/// What was restored from backups and undone on a target, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// Backups that were restored.
    pub restores: Vec<Took>,
    /// Runs that were undone.
    pub undos: Vec<Took>,
}

/// How long it took to put rows back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Took {
    /// How many rows.
    pub rows: u64,
    /// How many milliseconds.
    pub ms: u64,
}

/// What an estimate is taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Earlier {
    /// This many restores of backups.
    Restores(u64),
    /// This many runs that were undone.
    Undos(u64),
}

impl Pace {
    /// Returns how many seconds it takes to restore a backup with this many rows, where earlier ones tell.
    pub fn of_restore(&self, rows: u64) -> Option<(u64, Earlier)> {
        let (seconds, of) = estimate(&self.restores, rows)?;
        Some((seconds, Earlier::Restores(of)))
    }

    /// Returns how many seconds it takes to undo changes of this many rows, where earlier ones tell.
    pub fn of_undo(&self, rows: u64) -> Option<(u64, Earlier)> {
        let (seconds, of) = estimate(&self.undos, rows)?;
        Some((seconds, Earlier::Undos(of)))
    }
}

/// Returns how many seconds it takes by the median of the last ones, and how many these are. Where much less was put
/// back, it is mostly how long it took to begin: such ones say nothing.
fn estimate(earlier: &[Took], rows: u64) -> Option<(u64, u64)> {
    let alike = |took: &&Took| took.rows > 0 && took.rows.saturating_mul(10) >= rows;
    let alike = earlier.iter().filter(alike).take(MOST);
    let mut times: Vec<u128> = alike
        .map(|took| u128::from(took.ms) * u128::from(rows) / u128::from(took.rows))
        .collect();
    times.sort_unstable();
    let ms = *times.get(times.len() / 2)?;
    let seconds = u64::try_from(ms / 1000).unwrap_or(u64::MAX);
    let of = u64::try_from(times.len()).unwrap_or(u64::MAX);
    Some((seconds.saturating_add(1), of))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn took(rows: u64, ms: u64) -> Took {
        Took { rows, ms }
    }

    #[test]
    fn the_median_of_the_last_three_counts() {
        let pace = Pace {
            restores: vec![
                took(1000, 10_000),
                took(1000, 90_000),
                took(1000, 20_000),
                took(1000, 1),
            ],
            undos: Vec::new(),
        };
        assert_eq!(pace.of_restore(2000), Some((41, Earlier::Restores(3))));
        assert_eq!(pace.of_restore(0), Some((1, Earlier::Restores(3))));
        assert_eq!(pace.of_undo(1), None);
    }

    #[test]
    fn what_was_much_less_says_nothing() {
        let undos = vec![took(0, 400), took(9, 300), took(10, 1000)];
        let pace = Pace {
            undos,
            ..Pace::default()
        };
        assert_eq!(pace.of_undo(100), Some((11, Earlier::Undos(1))));
        assert_eq!(pace.of_undo(101), None);
        assert_eq!(pace.of_undo(u64::MAX), None);
    }
}
