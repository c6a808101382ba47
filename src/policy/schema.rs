//! The JSON schema of `runbook.yaml`, made from the types that read it.

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::document::Project;

/// Returns the schema.
pub fn schema() -> Value {
    let mut root = SchemaSettings::draft2020_12()
        .into_generator()
        .into_root_schema_for::<Project>()
        .to_value();
    root["title"] = "Targets of runbooks".into();
    root
}
