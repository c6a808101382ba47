//! The JSON schema of test files, made from the types that read them.

use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::document::Suite;

/// A name that templates can read, or that of a step of a runbook that is used.
const NAME: &str = r"^[A-Za-z_][A-Za-z0-9_./-]*$";

/// Returns the schema.
pub fn schema() -> Value {
    let mut root = SchemaSettings::draft2020_12()
        .into_generator()
        .into_root_schema_for::<Suite>()
        .to_value();
    root["title"] = "Tests of a runbook".into();
    root["properties"]["test"] = json!({
        "description": "The runbook's name.",
        "type": "string",
        "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$",
    });
    root["properties"]["cases"]["minItems"] = 1.into();
    let defs = &mut root["$defs"];
    defs["Name"]["pattern"] = NAME.into();
    defs["Name"]["description"] = "The name of a step.".into();
    defs["Template"]["description"] = "A text.".into();
    defs["Sql"]["description"] = "One SQL statement.".into();
    fault(&mut defs["Fault"]);
    defs["Session"]["anyOf"] = json!([{ "required": ["sql"] }, { "required": ["waits"] }]);
    root
}

/// A fault comes at one moment and does one thing; errors and Ctrl-C come while a step is at work.
fn fault(fault: &mut Value) {
    fault["allOf"] = json!([
        { "oneOf": [
            { "required": ["before"] },
            { "required": ["during"] },
            { "required": ["after"] },
        ] },
        { "oneOf": [
            { "required": ["sql"] },
            { "required": ["error"] },
            { "required": ["cancel"] },
        ] },
        { "if": { "anyOf": [{ "required": ["error"] }, { "required": ["cancel"] }] },
          "then": { "required": ["during"] } },
        { "if": { "required": ["times"] }, "then": { "required": ["error"] } },
    ]);
}
