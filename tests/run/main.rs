//! Runs of the real program on a real PostgreSQL: what it prints, its exit code, and what becomes of the rows.

mod binding;
mod cancel;
mod captured;
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
mod restore;
mod restore_exact;
mod restore_real;
mod safety;
mod server;
mod session;
mod shipped;
mod terminal;
mod test;
mod types;
