//! What every layer stands on, without input or output: texts and places in them, diagnostics, words.

pub mod diagnostic;
pub mod secret;
pub mod shape;
pub mod source;
pub mod words;
pub mod yaml;
