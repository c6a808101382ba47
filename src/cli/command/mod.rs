//! The commands, one a file.

pub mod audit;
pub mod backup;
pub mod check;
pub mod completions;
pub mod demo;
pub mod find;
pub mod health;
pub mod help;
pub mod history;
pub mod init;
pub mod list;
pub mod man;
pub mod new;
pub mod plan;
pub mod query;
pub mod report;
pub mod resume;
pub mod run;
pub mod schema;
pub mod shell;
pub mod show;
pub mod test;
pub mod undo;
