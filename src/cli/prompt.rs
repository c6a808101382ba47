//! Asks for parameters on a terminal: by searching where a query offers choices, by typing otherwise.

use std::collections::BTreeMap;
use std::io;

use console::{Key, Term};
use dialoguer::{FuzzySelect, Input};
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};

use super::args::literal;
use super::choices::label;
use super::error::CliError;
use crate::base::secret::Secret;
use crate::report::look::Look;
use crate::runbook::argument::Argument;
use crate::runbook::data::Rows;
use crate::runbook::param::{Param, Scalar};
use crate::step::text::Template;

/// How many choices are on the screen at once.
const SHOWN: usize = 12;

/// Asks for the value of one parameter; nothing when the person takes its default.
///
/// # Errors
/// [`CliError::Cancelled`] by Ctrl-C or Esc; [`CliError::Io`] when the terminal is gone.
pub(super) fn ask(
    name: &str,
    param: &Param,
    choices: &BTreeMap<String, Rows>,
) -> Result<Option<String>, CliError> {
    let answer = put(name, param, choices);
    if !matches!(answer, Ok(Some(_))) {
        // A menu hides the cursor, and leaves it so when it is given up.
        let _ = Term::stderr().show_cursor();
    }
    match answer {
        Ok(Some(text)) => Ok(Some(text).filter(|text| !text.is_empty())),
        Ok(None) => Err(CliError::Cancelled),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(CliError::Cancelled),
        Err(error) => Err(CliError::io(&format!("cannot ask for `{name}`"), &error)),
    }
}

/// Returns the answer: empty for the default, nothing when the person wants none of it.
fn put(name: &str, param: &Param, choices: &BTreeMap<String, Rows>) -> io::Result<Option<String>> {
    if param.secret {
        return secret(name, param);
    }
    if let Some(rows) = choices.get(name).filter(|rows| !rows.rows.is_empty()) {
        let offers = rows.rows.iter().filter_map(|row| {
            let value = row.first().cloned().flatten()?;
            Some((value, label(row)))
        });
        let left = rows
            .count
            .saturating_sub(u64::try_from(rows.rows.len()).unwrap_or(u64::MAX));
        return choose(name, param, offers.collect(), left);
    }
    if param.kind.scalar == Scalar::Enum && !param.kind.list {
        let values = param.values.iter().flatten().map(Template::text);
        let offers = values.map(|value| (value.to_owned(), value.to_owned()));
        return choose(name, param, offers.collect(), 0);
    }
    typed(name, param).map(Some)
}

/// Returns a text as the terminal may show it: on one line, and nothing in it that it would obey.
fn plain(text: &str) -> String {
    let look = Look {
        colors: false,
        unicode: true,
        width: None,
    };
    // A line of the menu that is wider than the terminal would spoil those above.
    let columns = usize::from(Term::stderr().size().1);
    let width = columns.saturating_sub(4).max(20);
    let line = look.line().plain(&text.trim().replace('\n', " "));
    // The menu takes bytes for columns.
    (0..=width)
        .rev()
        .map(|most| line.clone().shortened(most).to_string())
        .find(|text| text.len() <= width)
        .unwrap_or_default()
}

fn about(name: &str, param: &Param, how: &str) -> String {
    let help = param.help.as_ref().map(|help| help.text().trim());
    let words: Vec<&str> = help.into_iter().chain([how]).collect();
    let look = Look {
        colors: false,
        unicode: true,
        width: None,
    };
    let text = format!("{name} ({})", words.join("; ").replace('\n', " "));
    look.line().plain(&text).to_string()
}

/// Has a value chosen from a menu; typing searches it.
fn choose(
    name: &str,
    param: &Param,
    offers: Vec<(String, String)>,
    left: u64,
) -> io::Result<Option<String>> {
    let default = param.default.as_ref().map(|default| literal(&default.0));
    let (mut values, mut labels): (Vec<String>, Vec<String>) = offers
        .into_iter()
        .map(|(value, label)| (value, plain(&label)))
        .unzip();
    if let Some(default) = &default
        && !values.contains(default)
    {
        // Nothing stands for the default, whatever it is.
        values.insert(0, String::new());
        labels.insert(0, plain(&format!("{default} (the default)")));
    }
    let how = match left {
        0 => "type to search, Esc cancels".to_owned(),
        left => format!("type to search, Esc cancels; {left} more are not shown"),
    };
    if let Some(help) = &param.help {
        Term::stderr().write_line(&plain(help.text()))?;
    }
    let menu = FuzzySelect::new()
        .with_prompt(plain(&format!("{name} ({how})")))
        .items(&labels)
        .max_length(SHOWN);
    let menu = match default {
        // Without a default nothing is chosen by mistake: Enter needs a search or an arrow before it.
        None => menu,
        Some(default) => {
            let place = values.iter().position(|value| *value == default);
            menu.default(place.unwrap_or(0))
        }
    };
    let chosen = menu.interact_opt()?;
    Ok(chosen.and_then(|index| values.get(index).cloned()))
}

/// Has a value typed, and asks again until it is one that the parameter can have.
fn typed(name: &str, param: &Param) -> io::Result<String> {
    let prompt = about(name, param, &param.kind.to_string());
    let prompt = match &param.default {
        Some(default) => format!("{prompt} [{}]", plain(&literal(&default.0))),
        None => prompt,
    };
    Ok(Input::new()
        .with_prompt(prompt)
        .allow_empty(true)
        .validate_with(|text: &String| judge(param, text))
        .interact_text()?)
}

/// Returns why a text is no value of the parameter.
fn judge(param: &Param, text: &str) -> Result<(), String> {
    match (text, &param.default) {
        ("", Some(_)) => Ok(()),
        ("", None) => Err("it needs a value; Ctrl-C cancels".to_owned()),
        (text, _) => Argument::parse(param, text).map(drop),
    }
}

/// Has a secret typed, which is not shown.
fn secret(name: &str, param: &Param) -> io::Result<Option<String>> {
    let terminal = Term::stderr();
    let prompt = about(name, param, "not shown");
    // Before the question is seen: what is typed at once, or between two keys, must not be shown either.
    let _unseen = Unseen::begin();
    loop {
        terminal.write_str(&format!("{prompt}: "))?;
        let Some(text) = hidden(&terminal)? else {
            return Ok(None);
        };
        terminal.write_line("")?;
        // The reason would quote it.
        match judge(param, &text) {
            Ok(()) => return Ok(Some(text)),
            Err(_) if text.is_empty() => terminal.write_line("error: it needs a value")?,
            Err(_) => terminal.write_line("error: the value is not allowed")?,
        }
    }
}

/// A terminal that does not show what is typed, for as long as this lives.
pub(super) struct Unseen(Option<Termios>);

impl Unseen {
    /// Has what is typed from now on not be shown.
    pub(super) fn begin() -> Self {
        let before = tcgetattr(io::stdin()).ok();
        if let Some(before) = &before {
            let mut unseen = before.clone();
            unseen.local_flags.remove(LocalFlags::ECHO);
            let _ = tcsetattr(io::stdin(), SetArg::TCSANOW, &unseen);
        }
        Self(before)
    }
}

impl Drop for Unseen {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = tcsetattr(io::stdin(), SetArg::TCSANOW, before);
        }
    }
}

/// Asks for a passphrase, which is not shown.
///
/// # Errors
/// [`CliError::Cancelled`] by Ctrl-C or Esc; [`CliError::Io`] when the terminal is gone.
pub(super) fn passphrase(what: &str) -> Result<Secret, CliError> {
    let terminal = Term::stderr();
    // Before the question is seen: what is typed at once must not be shown either.
    let _unseen = Unseen::begin();
    let ask = || loop {
        terminal.write_str(&format!("{what}: "))?;
        let text = hidden(&terminal)?;
        terminal.write_line("")?;
        match text {
            Some(text) if text.trim().is_empty() => {
                terminal.write_line("error: it needs a value; Esc gives up")?;
            }
            text => return Ok(text),
        }
    };
    match ask() {
        Ok(Some(text)) => Ok(Secret::new(text)),
        Ok(None) => Err(CliError::Cancelled),
        Err(error) => {
            let error: io::Error = error;
            if error.kind() == io::ErrorKind::Interrupted {
                return Err(CliError::Cancelled);
            }
            Err(CliError::io("cannot ask for the passphrase", &error))
        }
    }
}

fn hidden(terminal: &Term) -> io::Result<Option<String>> {
    let mut text = String::new();
    loop {
        match terminal.read_key()? {
            Key::Enter => return Ok(Some(text)),
            Key::Escape => return Ok(None),
            Key::Backspace => drop(text.pop()),
            Key::Char(next) if !next.is_ascii_control() => text.push(next),
            _ => {}
        }
    }
}
