//! One line of the shell: a statement, or a command that begins with a backslash.

use super::describe::What;
use crate::sql::token::{TokenKind, tokens};

/// What `\?` prints.
pub(super) const HELP: &str = "\
Statements end with a semicolon; only those that read are sent.
  \\dt [PATTERN]   tables, views and their sizes
  \\d [NAME]       a table's columns, indexes, constraints and triggers
  \\dn             schemas
  \\df [PATTERN]   functions
  \\dx             extensions
  \\du             roles
  \\l              databases
  \\conninfo       where this is
  \\x              records instead of tables, and back
  \\timing         how long each statement takes
  \\fix [WORDS]    names the runbook that may change what you mean
  \\q              leaves
A PATTERN has * for any letters and ? for one: \\dt user*
";

/// A line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    Empty,
    Sql(String),
    Describe(What),
    Expanded,
    Timing,
    Where,
    Fix(String),
    Help,
    Quit,
    /// What is wrong with it.
    Unknown(String),
}

/// Reads a line.
pub(super) fn read(text: &str) -> Line {
    let text = text.trim();
    let Some(command) = text.strip_prefix('\\') else {
        return match text {
            "" | ";" => Line::Empty,
            "exit" | "quit" | "exit;" | "quit;" => Line::Quit,
            "help" | "help;" => Line::Help,
            sql => Line::Sql(sql.to_owned()),
        };
    };
    let (word, rest) = command
        .split_once(char::is_whitespace)
        .unwrap_or((command, ""));
    let rest = rest.trim().trim_end_matches(';').trim();
    let name = || (!rest.is_empty()).then(|| rest.to_owned());
    match word.trim_end_matches(['+', ';']) {
        "q" => Line::Quit,
        "?" | "h" | "help" => Line::Help,
        "x" => Line::Expanded,
        "timing" => Line::Timing,
        "conninfo" | "c" => Line::Where,
        "fix" => Line::Fix(rest.to_owned()),
        "d" => Line::Describe(name().map_or(What::Tables(None), What::Table)),
        "dt" | "dv" | "dm" => Line::Describe(What::Tables(name())),
        "dn" => Line::Describe(What::Schemas),
        "df" => Line::Describe(What::Functions(name())),
        "dx" => Line::Describe(What::Extensions),
        "du" | "dg" => Line::Describe(What::Roles),
        "l" => Line::Describe(What::Databases),
        other => Line::Unknown(format!("there is no command \\{other}")),
    }
}

/// Splits what was typed or pasted: a command ends with its line, a statement with its semicolon.
pub(super) fn parts(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text.trim();
    while let Some((part, after)) = rest.split_at_checked(first(rest)) {
        // What is only a comment belongs to the part before it.
        let says = tokens(rest).any(|(kind, range)| {
            let token = rest.get(range).unwrap_or_default();
            kind != TokenKind::Comment && !token.trim().is_empty()
        });
        if !says {
            break;
        }
        parts.push(part.trim());
        rest = after.trim_start();
    }
    parts
}

/// Returns where the first part of a text ends.
fn first(text: &str) -> usize {
    let line = text.lines().next().unwrap_or_default();
    if line.starts_with('\\') || matches!(read(line), Line::Empty | Line::Quit | Line::Help) {
        return line.len();
    }
    tokens(text)
        .find(|(_, range)| text.get(range.clone()) == Some(";"))
        .map_or(text.len(), |(_, range)| range.end)
}

/// Returns whether a text ends with a command or with a whole statement, which a semicolon ends.
pub(super) fn is_whole(text: &str) -> bool {
    let plain = parts(text).last().copied().unwrap_or_default();
    if plain.starts_with('\\') || matches!(read(plain), Line::Empty | Line::Quit | Line::Help) {
        return true;
    }
    let last = tokens(plain)
        .filter(|(kind, range)| {
            *kind != TokenKind::Comment
                && plain
                    .get(range.clone())
                    .is_some_and(|token| !token.trim().is_empty())
        })
        .last();
    last.is_some_and(|(_, range)| plain.get(range) == Some(";"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_semicolon_ends_a_statement_only_where_it_is_one() {
        for whole in [
            "select 1;",
            "select ';';",
            "\\dt",
            "",
            "quit",
            "select 1; -- done",
        ] {
            assert!(is_whole(whole), "{whole}");
        }
        for part in [
            "select 1",
            "select ';",
            "select $$;",
            "select 1 -- ;",
            "select \";",
        ] {
            assert!(!is_whole(part), "{part}");
        }
    }

    #[test]
    fn what_is_pasted_is_done_part_by_part() {
        let pasted = "select 1; select ';'\n  as b;\n\\dt user*\nselect 2; -- done\n";
        let wanted = [
            "select 1;",
            "select ';'\n  as b;",
            "\\dt user*",
            "select 2;",
        ];
        assert_eq!(parts(pasted), wanted);
        assert!(is_whole(pasted));
        assert!(!is_whole("\\x\nselect 1"));
        assert_eq!(parts(" -- nothing\n"), Vec::<&str>::new());
    }

    #[test]
    fn commands_have_arguments() {
        assert_eq!(
            read("\\d  users ;"),
            Line::Describe(What::Table("users".to_owned()))
        );
        assert_eq!(read("\\dt+"), Line::Describe(What::Tables(None)));
        assert_eq!(
            read("\\nope"),
            Line::Unknown("there is no command \\nope".to_owned())
        );
    }
}
