//! The tests of a runbook: cases on scratch databases, what must hold of each, and which ways of the graph
//! they take. Knows no server: [`crate::cli`] runs the cases.

pub mod coverage;
pub mod document;
pub mod json;
pub mod junit;
pub mod page;
pub mod resolve;
pub mod schema;
pub mod verdict;

#[cfg(test)]
mod tests;
