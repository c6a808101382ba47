//! A runbook from its text to a proved one: the document as it was written ([`document`]), names resolved
//! ([`model`]), the graph of all ways ([`graph`]) and what is proved of it ([`check`]).

pub mod argument;
pub mod check;
pub mod context;
pub mod data;
pub mod document;
pub mod graph;
pub mod model;
mod name;
pub mod notice;
pub mod param;
pub mod picture;
pub mod place;
mod proof;
pub mod reading;
pub mod reference;
pub mod resolve;
mod rule;
pub mod schema;
pub mod sensitive;
mod setting;
pub mod shape;
pub mod statement;
pub mod touches;
