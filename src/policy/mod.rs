//! What stands in `runbook.yaml`: the named targets and what each demands of runs. Pure: reads no file and no
//! variable; [`document`] is its shape, [`target`] what it says once names are resolved, [`rules`] what a run needs,
//! [`check`] what can never be met, [`lack`] what of it is not there, [`reach`] what it means for a runbook.

mod address;
pub mod check;
pub mod document;
mod inherit;
pub mod lack;
mod named;
pub mod reach;
mod resolve;
pub mod rules;
pub mod schema;
pub mod target;
pub mod window;
pub mod words;
