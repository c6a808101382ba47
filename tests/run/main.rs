//! Runs of the real program on a real PostgreSQL: what it prints, its exit code, and what becomes of the rows.

mod audit;
mod binding;
mod cancel;
mod changes;
mod command;
mod confirm;
mod errors;
mod fix;
mod flow;
mod journal;
mod loops;
mod output;
mod prompt;
mod query;
mod redact;
mod repeat;
mod report;
mod safety;
mod server;
mod session;
mod shipped;
mod terminal;
mod test;
mod types;
