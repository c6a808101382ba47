//! The JSON schemas: committed as they are made, and fitting what `check` says.

use std::path::{Path, PathBuf};

use crate::test::Test;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn yaml_to_json(path: &Path) -> Option<serde_json::Value> {
    let text = std::fs::read_to_string(path).unwrap();
    let source = runbook::base::source::Source::new("t", text);
    Some(runbook::base::yaml::parse(&source).ok()?.to_json())
}

fn validator() -> jsonschema::Validator {
    jsonschema::validator_for(&runbook::runbook::schema::schema()).unwrap()
}

#[test]
fn the_committed_schemas_are_what_the_types_say() {
    for name in ["runbook", "test", "targets", "event"] {
        let made = Test::new().args(["schema", name]).stdout(0);
        let path = root().join(format!("schemas/{name}.schema.json"));
        if std::env::var_os("UPDATE").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &made).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            made == committed,
            "{name}: run the test with UPDATE=1 and commit the file"
        );
    }
}

#[test]
fn every_shipped_runbook_fits_the_schema() {
    let validator = validator();
    let mut count = 0;
    for (path, text) in runbook::cli::builtin::runbooks() {
        let source = runbook::base::source::Source::new(path, text);
        let json = runbook::base::yaml::parse(&source).unwrap().to_json();
        let errors: Vec<String> = validator
            .iter_errors(&json)
            .map(|error| error.to_string())
            .collect();
        assert!(errors.is_empty(), "{path}: {errors:?}");
        count += 1;
    }
    assert!(count >= 4);
}

#[test]
fn every_key_is_explained() {
    let schema = runbook::runbook::schema::schema();
    let steps = schema["$defs"].as_object().unwrap();
    for (name, definition) in steps.iter().filter(|(name, _)| name.ends_with("Step")) {
        assert!(
            definition["description"].is_string() || definition["oneOf"].is_array(),
            "{name}"
        );
        let properties = definition["properties"].as_object();
        for (key, property) in properties.into_iter().flatten() {
            assert!(property["description"].is_string(), "{name}.{key}");
        }
    }
}

/// A mistake of shape is one that the schema sees as well; one of meaning only `check` can see. The first
/// line of each file says which it is.
#[test]
fn mistakes_of_shape_break_the_schema() {
    let validator = validator();
    let mut seen = 0;
    for entry in std::fs::read_dir(root().join("tests/fixtures/invalid")).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let Some(json) = yaml_to_json(&path) else {
            continue;
        };
        let expected = !text.starts_with("# shape");
        assert_eq!(validator.is_valid(&json), expected, "{}", path.display());
        seen += usize::from(!expected);
    }
    assert!(seen >= 10, "{seen}");
}

/// `runbook.yaml` as the README and `runbook targets` show it, and with all that it may say.
#[test]
fn targets_fit_their_schema() {
    let validator = jsonschema::validator_for(&runbook::policy::schema::schema()).unwrap();
    let json = |text: &str| {
        let source = runbook::base::source::Source::new("t", text);
        runbook::base::yaml::parse(&source).unwrap().to_json()
    };
    let shown = Test::new().args(["targets"]).run().stdout;
    let whole = std::fs::read_to_string(root().join("tests/fixtures/targets/whole.yaml")).unwrap();
    for text in [&shown, &whole] {
        let errors: Vec<String> = validator
            .iter_errors(&json(text))
            .map(|error| error.to_string())
            .collect();
        assert!(errors.is_empty(), "{text}: {errors:?}");
        let source = runbook::base::source::Source::new("t", text.as_str());
        let read = runbook::policy::target::Targets::read(&source);
        assert!(read.is_ok(), "{read:?}");
    }
    for (right, wrong) in [
        ("sslmode: verify-full", "sslmode: verify"),
        ("from: 22:00", "from: 10pm"),
        ("journal: database", "journal: here"),
        ("protected: true", "protectd: true"),
        ("days: [sat, sun]", "days: [saturday]"),
    ] {
        assert!(whole.contains(right), "{right}");
        assert!(
            !validator.is_valid(&json(&whole.replace(right, wrong))),
            "{wrong}"
        );
    }
}
