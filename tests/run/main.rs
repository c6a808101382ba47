//! Runs of the real program on a real PostgreSQL: what it prints, its exit code, and what becomes of the rows.

mod binding;
mod cancel;
mod changes;
mod command;
mod confirm;
mod doubt;
mod errors;
mod fix;
mod flow;
mod journal;
mod loops;
mod output;
mod prompt;
mod proxy;
mod query;
mod redact;
mod repeat;
mod safety;
mod server;
mod session;
mod shipped;
mod terminal;
mod test;
mod types;
