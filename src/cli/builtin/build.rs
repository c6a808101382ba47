//! Lists the files of `runbooks/` for [`super`], so that a new one is built in by being there.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let root =
        PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join("runbooks");
    let mut files = Vec::new();
    collect(&root, &mut files)?;
    files.sort();
    let mut list = String::from("[\n");
    for file in files {
        let name = file.strip_prefix(&root).map_err(io::Error::other)?;
        let (name, file) = (name.to_string_lossy(), file.to_string_lossy());
        // Writing into a String does not fail.
        let _ = writeln!(list, "    ({name:?}, include_str!({file:?})),");
    }
    list.push(']');
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    fs::write(out.join("builtin.rs"), list)?;
    println!("cargo::rerun-if-changed={}", root.display());
    println!("cargo::rerun-if-changed={}", file!());
    Ok(())
}

/// Finds runbooks, their tests and the samples that these are made for.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path
            .extension()
            .is_some_and(|end| end == "yaml" || end == "sql")
        {
            files.push(path);
        }
    }
    Ok(())
}
