//! A declarative runbook engine for PostgreSQL.

pub mod base;
pub mod runbook;
pub mod sql;
pub mod step;
