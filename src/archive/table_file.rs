//! The file of a table's rows: COPY's text, compressed, and encrypted where the backup is.

mod reader;
mod writer;

pub use reader::TableReader;
pub use writer::TableWriter;

/// How hard it is compressed: the fastest that is worth it. Tables are copied as fast as the server gives them.
const LEVEL: i32 = 1;

/// The largest window that a file may ask for, as a power of 2: 8 MiB. What is written here needs less.
const WINDOW: u32 = 23;
