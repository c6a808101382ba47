//! A declarative runbook engine for PostgreSQL.

pub mod base;
pub mod pg;
