//! The program: collects what the process was given, and hands it to the library.

use std::process::ExitCode;

use runbook::cli;
use runbook::cli::invocation::Invocation;

fn main() -> ExitCode {
    cli::main(&Invocation::from_process())
}
