//! What an authored SQL statement is, may do and costs, from its parse tree alone: without a database, input or output.
//!
//! This is a security boundary. A statement is allowed because its tree is made of things known to be harmless in
//! that place, never because nothing forbidden was found; what does not parse is refused. The server is the second
//! line of defence, and functions that are not built in are resolved through the live catalog by the caller.
//!
//! - [`statement`]: one parsed statement and every question about it
//! - [`function`]: the functions that it calls, and those known to act
//! - [`table`]: the tables that it names
//! - [`target`]: the parts of an INSERT, UPDATE or DELETE that row capture builds on
//! - [`risk`]: how dangerous it is, and why
//! - [`lint`]: warnings about schema changes
//! - [`token`]: what surrounds a place in a text
//! - [`ident`]: names and literals, quoted

pub mod function;
pub mod ident;
pub mod lint;
pub mod risk;
pub mod statement;
pub mod table;
pub mod target;
pub mod token;

mod allow;
mod class;
mod column;
mod guard;
mod one_row;
mod part;
mod predicate;
mod transaction;
mod tree;

pub(crate) use guard::roomy;
