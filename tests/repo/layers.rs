//! A layer names only itself and those below it.

use std::fs;
use std::path::Path;

use crate::sources::files;

/// From the lowest to the highest; those in one group do not know each other.
const LAYERS: [&[&str]; 9] = [
    &["base"],
    &["sql"],
    &["step"],
    &["runbook"],
    &["policy"],
    &["engine"],
    &["archive"],
    &["pg", "record", "report", "suite"],
    &["cli"],
];

fn rank(layer: &str) -> Option<usize> {
    LAYERS.iter().position(|group| group.contains(&layer))
}

/// Returns the layers that a text names by `crate::layer`.
fn named(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| line.split("crate::").skip(1))
        .map(|rest| {
            rest.split(|next: char| !next.is_alphanumeric() && next != '_')
                .next()
                .unwrap_or("")
        })
}

#[test]
fn layers_look_down_only() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    for path in files("src") {
        let inside = path.strip_prefix(&source).unwrap();
        let own = inside
            .components()
            .next()
            .unwrap()
            .as_os_str()
            .to_str()
            .unwrap();
        let Some(own_rank) = rank(own) else {
            // lib.rs and main.rs see all.
            continue;
        };
        for layer in named(&fs::read_to_string(&path).unwrap()) {
            let looks_down = layer == own || rank(layer).is_some_and(|rank| rank < own_rank);
            if !looks_down {
                wrong.push(format!("{} names {layer}", inside.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_folder_of_the_source_is_a_layer() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for entry in fs::read_dir(source).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        assert!(
            matches!(name.as_str(), "lib" | "main") || rank(&name).is_some(),
            "{name}"
        );
    }
}
