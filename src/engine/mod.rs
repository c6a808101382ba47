//! Runs a proved runbook: decides ([`decide`]) from what happened ([`state`], a fold over [`event`]s), and
//! drives the world through one port ([`port`]). Its only output is its events.

pub mod approval;
pub mod backup;
pub mod cancel;
pub mod change;
mod clock;
pub mod conflict;
pub mod database;
pub mod decide;
pub mod driver;
pub mod event;
pub mod failure;
pub mod impact;
mod item;
pub mod journal;
mod lease;
pub mod lock;
pub mod outcome;
pub mod pace;
mod perform;
pub mod plan;
mod policy;
pub mod port;
mod rehearse;
pub mod schema;
pub mod scope;
pub mod state;
pub mod undo;
