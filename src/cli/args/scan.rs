//! A first look at the arguments: the runbook that `run` or `plan` names decides which flags there are.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgAction, Command};

/// What can be told of the arguments before their flags are known.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::cli) struct Scan {
    /// The folders of `--runbooks`.
    pub(in crate::cli) runbooks: Vec<PathBuf>,
    /// The command.
    pub(in crate::cli) command: Option<String>,
    /// What may be the runbook's name: the words after `run` or `plan`, in order. The value of a flag of the
    /// runbook cannot be told from a name yet.
    pub(in crate::cli) names: Vec<String>,
    /// Whether help is asked for.
    pub(in crate::cli) help: bool,
}

/// Looks at the arguments, the program's name left out. Tells the value of a flag from a word for the flags
/// that the program itself has.
pub(in crate::cli) fn scan(args: &[OsString]) -> Scan {
    let root = super::command(None);
    let mut scan = Scan::default();
    let mut current = root.clone();
    let mut rest = args.iter().map(|arg| arg.to_string_lossy().into_owned());
    while let Some(arg) = rest.next() {
        if arg == "--" {
            scan.names.extend(rest);
            break;
        }
        if let Some(flag) = arg.strip_prefix('-').filter(|flag| !flag.is_empty()) {
            scan.help |= arg == "-h" || arg == "--help";
            let (flag, value) = match flag.split_once('=') {
                Some((flag, value)) => (flag.to_owned(), Some(value.to_owned())),
                None => (flag.to_owned(), None),
            };
            let value =
                value.or_else(|| takes_value(&root, &current, &flag).then(|| rest.next())?);
            if flag == "-runbooks" {
                scan.runbooks.extend(value.map(PathBuf::from));
            }
        } else if scan.command.is_none() {
            if let Some(sub) = root.find_subcommand(&arg) {
                current = sub.clone();
            }
            scan.command = Some(arg);
        } else {
            scan.names.push(arg);
        }
    }
    if scan.command.as_deref() == Some("help") && !scan.names.is_empty() {
        scan.command = Some(scan.names.remove(0));
        scan.help = true;
    }
    scan
}

/// Returns whether a flag, without its first dash, takes the next argument as its value.
fn takes_value(root: &Command, current: &Command, flag: &str) -> bool {
    root.get_arguments()
        .chain(current.get_arguments())
        .filter(|argument| match flag.strip_prefix('-') {
            Some(long) => argument.get_long() == Some(long),
            None => argument.get_short() == flag.chars().next() && flag.chars().count() == 1,
        })
        .any(|argument| matches!(argument.get_action(), ArgAction::Set | ArgAction::Append))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(args: &[&str]) -> Scan {
        let args: Vec<OsString> = args.iter().map(Into::into).collect();
        scan(&args)
    }

    #[test]
    fn names_are_told_from_the_values_of_known_flags() {
        let found = of(&[
            "--runbooks",
            "a",
            "run",
            "--answer",
            "x=no",
            "name",
            "--runbooks=b",
        ]);
        assert_eq!(found.command.as_deref(), Some("run"));
        assert_eq!(found.names, ["name"]);
        assert_eq!(found.runbooks, [PathBuf::from("a"), PathBuf::from("b")]);
    }

    #[test]
    fn the_value_of_an_unknown_flag_may_be_a_name() {
        assert_eq!(
            of(&["run", "--company", "42", "name"]).names,
            ["42", "name"]
        );
        assert_eq!(of(&["help", "run", "name"]).names, ["name"]);
        assert!(of(&["run", "name", "--help"]).help);
    }
}
