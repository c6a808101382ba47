//! `runbook new`: a runbook to begin with, commented, and valid as it is.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use super::check::pretty;
use crate::cli::Context;
use crate::cli::args::{NewArgs, Template};
use crate::cli::error::CliError;
use crate::engine::outcome::exit;

mod database;

const QUERY: &str = include_str!("new/query.yaml");
const FIX: &str = include_str!("new/fix.yaml");
const QUERY_TEST: &str = include_str!("new/query.test.yaml");
const FIX_TEST: &str = include_str!("new/fix.test.yaml");

/// Writes the runbook.
///
/// # Errors
/// [`CliError::Invalid`] for a name that none can have, or that one has; [`CliError::Io`].
pub fn run(context: &Context<'_>, args: &NewArgs) -> Result<u8, CliError> {
    let name = args.name.as_str();
    if !is_name(name) {
        return Err(
            CliError::invalid(format!("`{name}` is not a runbook's name"))
                .help("use lower-case words and digits, joined by `-`: reset-a-password"),
        );
    }
    let text = if args.from_database {
        database::text(context, name, &title(name))?
    } else {
        text(name, args.template)
    };
    let invocation = context.invocation;
    let folder = context
        .global
        .runbooks
        .first()
        .map_or_else(|| "runbooks".into(), Clone::clone);
    let folder = invocation.folder.join(folder);
    let path = folder.join(format!("{name}.yaml"));
    let shown = invocation.show(&path);
    std::fs::create_dir_all(&folder).map_err(|error| {
        CliError::io(
            &format!("cannot make the folder `{}`", invocation.show(&folder)),
            &error,
        )
    })?;
    // `create_new` never touches what is there, not even through a link.
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&path)
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => {
                CliError::invalid(format!("`{shown}` exists already"))
                    .help("choose another name, or remove it first")
            }
            _ => CliError::io(&format!("cannot write `{shown}`"), &error),
        })?;
    file.write_all(text.as_bytes())
        .map_err(|error| CliError::io(&format!("cannot write `{shown}`"), &error))?;
    // A check of a live database is tried on that; what tests of it would need is the database itself.
    let (tests, next) = if args.from_database {
        (String::new(), "run")
    } else {
        let test = test(name, args.template);
        let path = folder.join(format!("{name}.test.yaml"));
        (beside(context, &path, &test, "its first tests")?, "test")
    };
    let beside = [
        tests,
        schema(
            context,
            &folder,
            "runbook",
            &crate::runbook::schema::schema(),
        )?,
        schema(context, &folder, "test", &crate::suite::schema::schema())?,
    ]
    .concat();
    invocation.print(&format!(
        "{shown}\n{beside}\nEdit them, then:\n  runbook check {name}\n  runbook {next} {name}\n  runbook show {name}\n"
    ))?;
    Ok(exit::DONE)
}

/// Writes a schema that the files name for editors.
fn schema(
    context: &Context<'_>,
    folder: &Path,
    of: &str,
    schema: &serde_json::Value,
) -> Result<String, CliError> {
    let path = folder.join(format!("{of}.schema.json"));
    let what = "by which editors complete and explain it";
    beside(context, &path, &pretty(schema), what)
}

/// Writes a file where it is not there yet; returns what to say.
fn beside(context: &Context<'_>, path: &Path, text: &str, what: &str) -> Result<String, CliError> {
    let shown = context.invocation.show(path);
    let file = OpenOptions::new().write(true).create_new(true).open(path);
    match file.and_then(|mut file| file.write_all(text.as_bytes())) {
        Ok(()) => Ok(format!("{shown} ({what})\n")),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(String::new()),
        Err(error) => Err(CliError::io(&format!("cannot write `{shown}`"), &error)),
    }
}

/// Returns the text of a new runbook.
fn text(name: &str, template: Template) -> String {
    let text = match template {
        Template::Query => QUERY,
        Template::Fix => FIX,
    };
    text.replace("NAME", name).replace("TITLE", &title(name))
}

/// Returns the title that a name suggests: its words.
fn title(name: &str) -> String {
    let title = name.replace('-', " ");
    let mut letters = title.chars();
    letters
        .next()
        .into_iter()
        .flat_map(char::to_uppercase)
        .chain(letters)
        .collect()
}

/// Returns the text of its tests.
fn test(name: &str, template: Template) -> String {
    let text = match template {
        Template::Query => QUERY_TEST,
        Template::Fix => FIX_TEST,
    };
    text.replace("NAME", name)
}

fn is_name(name: &str) -> bool {
    let good = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    name.len() <= 100 && name.split('-').all(good)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::source::Source;
    use crate::runbook::check::check;
    use crate::suite::coverage::Elsewhere;
    use crate::suite::{document, resolve};

    #[test]
    fn what_is_written_is_valid_without_a_warning() {
        for template in [Template::Query, Template::Fix] {
            let source = Source::new("try-it.yaml", text("try-it", template));
            match check(&source, &|_| None) {
                Ok(proved) => {
                    assert_eq!(proved.warnings, Vec::new());
                    let source = Source::new("try-it.test.yaml", test("try-it", template));
                    let suite = document::parse(&source).unwrap();
                    let checked = resolve::check(&source, &suite, &proved, &Elsewhere::default());
                    let checked = checked.unwrap();
                    assert_eq!(checked.warnings, Vec::new());
                }
                Err(found) => panic!("{}", found[0].render(&source, false)),
            }
        }
    }

    #[test]
    fn only_kebab_case_is_a_name() {
        for good in ["a", "reset-a-password", "step-2"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "-", "A", "a_b", "../x", "a/b", "a--b", "a.yaml", "é"] {
            assert!(!is_name(bad), "{bad}");
        }
    }
}
