//! The commands, one a file.

pub mod check;
pub mod completions;
pub mod demo;
pub mod help;
pub mod list;
pub mod man;
pub mod new;
pub mod plan;
pub mod query;
pub mod run;
pub mod schema;
pub mod show;
