//! The JSON schema of events, made from their types: what `--output json` prints and a log holds.

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::event::Event;

/// Returns the schema.
pub fn schema() -> Value {
    let generator = SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator();
    let mut root = generator.into_root_schema_for::<Event>().to_value();
    root["title"] = "Event".into();
    root
}
