//! Numbers as people read them.

use std::time::Duration;

/// A table, printed once all of it is known, so that its columns line up.
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Begins a table under a title, with the target that it is to be held against.
    pub(crate) fn new(title: &str, target: &str, header: &[&str]) -> Self {
        println!("\n{title}\n  target: {target}\n");
        let header = header.iter().map(|&name| name.to_owned()).collect();
        Self { rows: vec![header] }
    }

    /// Adds a row; its first cell is a name, the others are numbers.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Prints it.
    pub(crate) fn print(&self) {
        let cells = self.rows.iter().map(Vec::len).max().unwrap_or_default();
        let width = |index: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(index));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..cells).map(width).collect();
        for row in &self.rows {
            let mut line = String::from(" ");
            for (index, (cell, width)) in row.iter().zip(&widths).enumerate() {
                line += &if index == 0 {
                    format!(" {cell:<width$}")
                } else {
                    format!("  {cell:>width$}")
                };
            }
            println!("{}", line.trim_end());
        }
    }
}

/// Returns a time in milliseconds.
pub(crate) fn ms(time: Duration) -> String {
    let ms = time.as_secs_f64() * 1e3;
    let digits = if ms < 1.0 { 3 } else { 1 };
    format!("{ms:.digits$} ms")
}
