//! `runbook schema`: the JSON schemas.

use super::check::pretty;
use crate::cli::Context;
use crate::cli::args::{SchemaArgs, SchemaOf};
use crate::cli::error::CliError;
use crate::engine;
use crate::engine::outcome::exit;
use crate::runbook;

/// Prints a schema.
///
/// # Errors
/// Those of printing.
pub fn run(context: &Context<'_>, args: &SchemaArgs) -> Result<u8, CliError> {
    let schema = match args.of {
        SchemaOf::Runbook => runbook::schema::schema(),
        SchemaOf::Test => crate::suite::schema::schema(),
        SchemaOf::Targets => crate::policy::schema::schema(),
        SchemaOf::Event => engine::schema::schema(),
    };
    context.invocation.print(&pretty(&schema))?;
    Ok(exit::DONE)
}
