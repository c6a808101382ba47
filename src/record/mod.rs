//! The local record of runs: what each run told, on disk before it mattered, so that a run that was cut
//! short goes on, a past one is told again, and nobody alters one unseen.
//!
//! # The folder
//!
//! All is below one folder of state, readable by its user only (folders 0700, files 0600):
//!
//! ```text
//! index.jsonl            the beginning and the ends of every run, a chain of its own
//! runs/ID/run.json       what the run was given: `Facts`, format 1
//! runs/ID/events.jsonl   what it told, one event a line; only ever appended to
//! runs/ID/lock           who works on it: locked as long as that process lives
//! runs/ID/images/        row images, where the database may not hold them
//! ```
//!
//! # The chain
//!
//! A line of a record is the JSON object of an event, with one member more at its end, and a newline:
//!
//! ```text
//! {"seq":1,"at":"…",…,"chain":"0b3f…"}
//! ```
//!
//! The value of `chain` is SHA-256, as 64 lower-case hexadecimal digits, over the value before it (its 64
//! digits) and then the bytes of the object without that member: the line up to `,"chain":`, and `}`. Before
//! the first line stands the SHA-256 of the bytes of `run.json`, so that this cannot be altered either. The
//! value of the last line is the **head**: it stands for all that was told up to there. Heads are kept where
//! the record is not: in the journal of the database, with each transaction, and in the index, at the end
//! of each run. A record that was cut off is whole in itself, and lacks a head that is known elsewhere.
//!
//! # A torn line
//!
//! A line is written at once, but a crash may leave a part of it: a last line without its newline. Nothing
//! was done because of it, since what is done waits until the line before is flushed. So it is cut off when
//! the run is opened again. Anything else that is not whole is damage, and told with its line.

pub mod audit;
pub mod chain;
pub mod error;
pub mod export;
pub mod facts;
mod files;
pub mod index;
pub mod lock;
pub mod log;
pub mod pace;
pub mod run;
pub mod store;
pub mod summary;
