//! A declarative runbook engine for PostgreSQL.

pub mod base;
pub mod cli;
pub mod engine;
pub mod pg;
pub mod report;
pub mod runbook;
pub mod sql;
pub mod step;
