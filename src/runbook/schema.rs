//! The JSON schema of runbooks, made from the types that read them: what editors complete, explain and check.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::document::Head;
use crate::step::backup::Backup;
use crate::step::check::Check;
use crate::step::common::Common;
use crate::step::confirm::Confirm;
use crate::step::fix::Fix;
use crate::step::query::Query;
use crate::step::rollback::Rollback;
use crate::step::structure::{Atomic, Use};

/// A name that templates can read.
const NAME: &str = "^[A-Za-z_][A-Za-z0-9_]*$";

/// Returns the schema.
pub fn schema() -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let mut root = object::<Head>(&mut generator);
    let steps = steps(&mut generator);
    let mut defs: Map<String, Value> = generator.take_definitions(true);
    defs.insert("Steps".to_owned(), list());
    for (word, schema) in steps {
        defs.insert(definition(word), schema);
    }
    defs.insert("Step".to_owned(), step());
    refine(&mut defs);
    extend(&mut root);
    root["$defs"] = Value::Object(defs);
    root["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    root["title"] = "Runbook".into();
    root["description"] =
        "One runbook: its main path is `steps`, what happens otherwise stands in `branches`."
            .into();
    root
}

fn object<T: JsonSchema>(generator: &mut SchemaGenerator) -> Value {
    T::json_schema(generator).to_value()
}

/// Returns the schema of each kind of step, with the keys that every step may have.
fn steps(generator: &mut SchemaGenerator) -> Vec<(&'static str, Value)> {
    let common = object::<Common>(generator);
    let kinds = [
        ("query", object::<Query>(generator)),
        ("check", object::<Check>(generator)),
        ("confirm", object::<Confirm>(generator)),
        ("backup", object::<Backup>(generator)),
        ("fix", object::<Fix>(generator)),
        ("rollback", object::<Rollback>(generator)),
        ("atomic", object::<Atomic>(generator)),
        ("use", object::<Use>(generator)),
    ];
    kinds
        .into_iter()
        .map(|(word, kind)| (word, merged(word, kind, &common)))
        .collect()
}

fn merged(word: &str, mut kind: Value, common: &Value) -> Value {
    if let (Some(own), Some(shared)) = (
        kind["properties"].as_object_mut(),
        common["properties"].as_object(),
    ) {
        for (key, schema) in shared {
            own.entry(key.clone()).or_insert_with(|| schema.clone());
        }
    }
    kind["title"] = word.into();
    match word {
        "query" | "fix" => {
            kind["oneOf"] = json!([{ "required": ["sql"] }, { "required": ["command"] }]);
        }
        "atomic" => {
            kind["properties"]["steps"] = json!({
                "description": "The steps of the transaction: `query`, `check` and `fix`.",
                "type": "array",
                "minItems": 1,
                "items": { "oneOf": references(&["query", "check", "fix"]) },
            });
            kind["required"] = json!(["atomic", "steps"]);
        }
        _ => {}
    }
    kind
}

fn definition(word: &str) -> String {
    let mut name = word.to_owned();
    if let Some(first) = name.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    name + "Step"
}

fn references(words: &[&str]) -> Value {
    words
        .iter()
        .map(|word| json!({ "$ref": format!("#/$defs/{}", definition(word)) }))
        .collect()
}

fn step() -> Value {
    json!({
        "description": "A step: its kind says what it is for, and what it may do.",
        "type": "object",
        "oneOf": references(&crate::step::Kind::WORDS),
    })
}

fn list() -> Value {
    json!({
        "description": "Steps, in the order in which they run.",
        "type": "array",
        "minItems": 1,
        "items": { "$ref": "#/$defs/Step" },
    })
}

/// Adds what the reading of names checks and the types alone do not say.
fn refine(defs: &mut Map<String, Value>) {
    if let Some(name) = defs.get_mut("Name") {
        name["pattern"] = NAME.into();
    }
    if let Some(params) = defs.get_mut("MapOfParam") {
        params["propertyNames"] = json!({ "pattern": NAME });
    }
    if let Some(param) = defs.get_mut("Param") {
        // An enum has values, and nothing else has.
        param["if"] = json!({
            "properties": { "type": { "enum": ["enum", "list of enum"] } },
            "required": ["type"],
        });
        param["then"] = json!({ "required": ["values"] });
        param["else"] = json!({ "not": { "required": ["values"] } });
    }
}

fn extend(root: &mut Value) {
    root["properties"]["runbook"] = json!({
        "description": "The runbook's name: the stem of its file, in kebab-case.",
        "type": "string",
        "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$",
    });
    root["properties"]["steps"] = json!({
        "description": "The main path, from top to bottom.",
        "$ref": "#/$defs/Steps",
    });
    root["properties"]["branches"] = json!({
        "description": "What happens otherwise: steps by the name of the branch, which `then`, `else`, `on_error`, `next` and cases go to.",
        "type": "object",
        "propertyNames": { "pattern": NAME },
        "additionalProperties": { "$ref": "#/$defs/Steps" },
    });
    if let Some(required) = root["required"].as_array_mut() {
        required.push("steps".into());
    }
}
