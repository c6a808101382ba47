//! The program: collects what the process was given, and hands it to the library.

fn main() {}
