//! What stands in `runbook.yaml`: the named targets and what each demands of runs. Pure: reads no file and no
//! variable; [`document`] is its shape, [`target`] what it says once names are resolved, [`rules`] what a run needs.

mod address;
pub mod document;
mod inherit;
mod named;
mod resolve;
pub mod rules;
pub mod schema;
pub mod target;
pub mod window;
