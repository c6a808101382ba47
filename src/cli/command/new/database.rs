//! A runbook that checks for all that a database has now.

use std::fmt::Write as _;

use crate::cli::error::CliError;
use crate::cli::{Context, connection};
use crate::engine::cancel::Cancel;
use crate::engine::database::Wanted;
use crate::engine::port::Limits;
use crate::step::database::Group;

const TEXT: &str = include_str!("database.yaml");

/// Writes the text of the runbook from the database that the flags name.
pub(super) fn text(context: &Context<'_>, name: &str, title: &str) -> Result<String, CliError> {
    let wanted = connection::runtime()?.block_on(async {
        let mut session = connection::connect(context, "runbook/new").await?;
        let limits = Limits {
            deadline: None,
            cancel: Cancel::never(),
        };
        session.inventory(&limits).await.map_err(|failure| {
            CliError::invalid(format!("the database cannot be read: {}", failure.message))
        })
    })?;
    if Group::ALL
        .iter()
        .all(|group| wanted.names(*group).is_empty())
    {
        return Err(CliError::invalid("the database has nothing to check for")
            .help("is it the one that you mean? see `--database-url` and `--target`"));
    }
    let head = TEXT.replace("NAME", name).replace("TITLE", title);
    Ok(head + &check(&wanted))
}

/// Returns the groups of the check.
fn check(wanted: &Wanted) -> String {
    let mut text = String::new();
    if let Some(schema) = &wanted.schema {
        let _ = writeln!(text, "      schema: {}", scalar(schema));
    }
    let list = |names: &[String]| -> Vec<String> {
        names
            .iter()
            .map(|name| format!("- {}", scalar(name)))
            .collect()
    };
    let under = |tables: &[(String, Vec<String>)]| -> Vec<String> {
        let table = |(table, names): &(String, Vec<String>)| {
            let names = list(names).into_iter().map(|name| format!("  {name}"));
            std::iter::once(format!("{}:", scalar(table)))
                .chain(names)
                .collect::<Vec<_>>()
        };
        tables.iter().flat_map(table).collect()
    };
    let columns = wanted.columns.iter().flat_map(|(table, columns)| {
        let column = |(name, kind): &(String, Option<String>)| {
            let kind = kind.as_deref().unwrap_or_default();
            format!("  {}: {}", scalar(name), scalar(kind))
        };
        std::iter::once(format!("{}:", scalar(table))).chain(columns.iter().map(column))
    });
    let settings = wanted.settings.iter();
    let settings = settings.map(|(name, value)| format!("{}: {}", scalar(name), scalar(value)));
    for group in Group::ALL {
        let lines = match group {
            Group::Tables => list(&wanted.tables),
            Group::Columns => columns.clone().collect(),
            Group::Constraints => under(&wanted.constraints),
            Group::Triggers => under(&wanted.triggers),
            Group::Indexes => list(&wanted.indexes),
            Group::Functions => list(&wanted.functions),
            Group::RowSecurity => list(&wanted.row_security),
            Group::Extensions => list(&wanted.extensions),
            Group::Settings => settings.clone().collect(),
            Group::Roles | Group::Rows => Vec::new(),
        };
        if !lines.is_empty() {
            let _ = writeln!(text, "      {}:", group.key());
        }
        for line in lines {
            let _ = writeln!(text, "        {line}");
        }
    }
    text
}

/// Writes a text as YAML that means just this text: plain where nobody could read it as anything else. Braces
/// that would begin a template stand in one.
fn scalar(text: &str) -> String {
    let text = braced(text);
    let letters = |next: char| {
        next.is_ascii_alphanumeric() || matches!(next, '_' | '.' | '(' | ')' | '[' | ']')
    };
    let words = text.split(' ').all(|word| {
        let word = word.strip_suffix(',').unwrap_or(word);
        !word.is_empty()
            && word
                .split(',')
                .all(|part| !part.is_empty() && part.chars().all(letters))
    });
    let plain =
        words && text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    let reserved = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    if plain && !reserved.contains(&text.to_ascii_lowercase().as_str()) {
        text
    } else if text.chars().any(char::is_control) {
        serde_json::Value::from(text).to_string()
    } else {
        format!("'{}'", text.replace('\'', "''"))
    }
}

/// Writes what would begin a template so that it means itself.
fn braced(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = ["{{", "{%", "{#"]
        .iter()
        .filter_map(|open| rest.find(open))
        .min()
    {
        let (before, open) = rest.split_at(at);
        let (open, after) = open.split_at(2);
        let _ = write!(out, "{before}{{{{ '{open}' }}}}");
        rest = after;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_mean_themselves_in_yaml() {
        let cases = [
            ("users", "users"),
            ("app.farms", "app.farms"),
            ("numeric(10,2)", "numeric(10,2)"),
            ("total(integer, text)", "total(integer, text)"),
            ("timestamp with time zone", "timestamp with time zone"),
            ("\"User\"", "'\"User\"'"),
            ("on", "'on'"),
            ("12", "'12'"),
            ("", "''"),
            ("a: b", "'a: b'"),
            ("it's", "'it''s'"),
            ("a\nb", "\"a\\nb\""),
            ("a {{ b", "'a {{ ''{{'' }} b'"),
        ];
        for (text, yaml) in cases {
            assert_eq!(scalar(text), yaml, "{text}");
        }
    }
}
