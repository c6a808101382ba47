//! The repository checks itself: layers, sizes, what is left open, and the examples of the README.

mod layers;
mod readme;
mod sources;
