//! The command line, as a person or a program sees it: output, errors and exit codes.

mod arguments;
mod audit;
mod backup;
mod catalogue;
mod check;
mod dangerous;
mod find;
mod history;
mod hostile;
mod parameters;
mod pictures;
mod record;
mod schema;
mod suite;
mod targets;
mod test;
