//! The repository checks itself: layers, sizes, what is left open, the examples of the README, and what
//! the runbooks are for.

mod layers;
mod procedures;
mod readme;
mod sources;
