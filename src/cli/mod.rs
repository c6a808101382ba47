//! tmp
pub mod answers;
pub mod program;
pub mod world;
