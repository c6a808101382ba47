//! The JSON schema of test files, made from the types that read them.

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::document::Suite;

/// Returns the schema.
pub fn schema() -> Value {
    SchemaSettings::draft2020_12()
        .into_generator()
        .into_root_schema_for::<Suite>()
        .to_value()
}
