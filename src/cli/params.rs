//! The values of a runbook's parameters: from flags, a file, variables, a prompt and defaults, the strongest
//! first; everything that is wrong or missing is said at once.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Read as _;
use std::path::Path;

use serde_json::Value as Json;

use super::args::{facts, flag_of};
use super::catalogue;
use super::error::CliError;
use super::invocation::Invocation;
use crate::base::source::Source;
use crate::base::words;
use crate::base::yaml::{self, Node, Value};
use crate::pg::environment::Environment;
use crate::runbook::argument::{self, Argument};
use crate::runbook::model::Runbook;
use crate::runbook::param::{Param, Scalar};

/// Asks a person for the value of a parameter; nothing when its default is taken. An error ends it all.
pub type Ask<'a> = &'a mut dyn FnMut(&str, &Param) -> Result<Option<String>, CliError>;

/// Where values come from.
pub struct Sources<'a> {
    /// Flags, by the parameter's name.
    pub flags: &'a BTreeMap<String, Vec<String>>,
    /// The text of `--params`, where it is given.
    pub file: Option<&'a Source>,
    /// The variables.
    pub environment: &'a Environment,
    /// The prompt, on a terminal. It is asked only once nothing else is wrong, and also for parameters that
    /// have a default: answering nothing takes that.
    pub ask: Option<Ask<'a>>,
}

/// Resolves the parameters of a runbook.
///
/// # Errors
/// [`CliError::Invalid`] with every bad, missing and unknown value; [`CliError::Diagnostics`] for a file that
/// is not YAML. Secrets are never shown.
pub fn resolve(
    runbook: &Runbook,
    mut sources: Sources<'_>,
) -> Result<BTreeMap<String, Argument>, CliError> {
    let hides = runbook.params().iter().any(|(_, param)| param.secret);
    let file = sources.file.map(|file| read_file(file, hides));
    let file = file.transpose()?.unwrap_or_default();
    let mut found = Found {
        runbook,
        arguments: BTreeMap::new(),
        wrong: Vec::new(),
        missing: Vec::new(),
    };
    found.unknown(sources.flags.keys(), "the command line");
    found.unknown(
        file.iter().map(|(name, _)| name),
        sources.file.map_or("", Source::name),
    );
    for (name, param) in runbook.params() {
        match given(name, param, &file, &sources) {
            Some(Ok(value)) => found.take(name, param, &value),
            Some(Err(why)) => found.wrong(name, param, &why),
            None => found.missing.push((name, param)),
        }
    }
    found.fill(sources.ask.as_mut())?;
    found.finish()
}

/// The name of standard input.
const STDIN: &str = "-";

/// Secrets that are shorter are worth a warning.
const SHORTEST: usize = 3;

type File = Vec<(String, Json)>;

/// Reads a file. One that may hold secrets is not quoted where it is wrong.
fn read_file(source: &Source, hides: bool) -> Result<File, CliError> {
    let root = yaml::parse(source).map_err(|diagnostic| {
        if !hides {
            return CliError::Diagnostics {
                source_text: source.clone(),
                diagnostics: vec![*diagnostic],
            };
        }
        let place = diagnostic.span().map(|span| source.position(span.start));
        let place = place.map_or(String::new(), |at| format!(":{}:{}", at.line, at.column));
        CliError::invalid(format!("`{}{place}` is not YAML", source.name()))
            .note("it may hold secrets, so it is not shown")
    })?;
    match root.value {
        Value::Map(entries) => Ok(entries
            .into_iter()
            .map(|entry| (entry.key.value, exact(&entry.value)))
            .collect()),
        Value::Null => Ok(Vec::new()),
        _ => Err(CliError::invalid(format!(
            "`{}` is {}, not a map of parameters",
            source.name(),
            root.kind()
        ))),
    }
}

/// Keeps a decimal number as it is written: as a JSON number it would lose digits.
fn exact(node: &Node) -> Json {
    match &node.value {
        Value::Decimal(text) => text.as_str().into(),
        Value::List(items) => items.iter().map(exact).collect(),
        _ => node.to_json(),
    }
}

/// Returns the value that the strongest source but the prompt and the default gives.
fn given(
    name: &str,
    param: &Param,
    file: &File,
    sources: &Sources<'_>,
) -> Option<Result<Json, String>> {
    if let Some(values) = sources.flags.get(name) {
        return Some(from_flags(param, values));
    }
    if let Some((_, value)) = file.iter().find(|(known, _)| known == name) {
        return Some(Ok(value.clone()));
    }
    let variable = param.env.as_ref()?.text();
    let text = sources.environment.var(variable)?;
    Some(Ok(from_text(param, text)))
}

fn from_flags(param: &Param, values: &[String]) -> Result<Json, String> {
    if param.kind.list {
        let items = values.iter().flat_map(|text| items(text));
        return Ok(items.collect());
    }
    match values {
        [only] => Ok(only.as_str().into()),
        _ => Err(format!("it is given {} times", values.len())),
    }
}

fn from_text(param: &Param, text: &str) -> Json {
    if param.kind.list {
        items(text).into()
    } else {
        text.into()
    }
}

/// The items of a list stand between commas, or in a JSON list.
fn items(text: &str) -> Vec<Json> {
    match serde_json::from_str(text) {
        Ok(Json::Array(items)) => items,
        _ => text
            .split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty())
            .map(Into::into)
            .collect(),
    }
}

struct Found<'a> {
    runbook: &'a Runbook,
    arguments: BTreeMap<String, Argument>,
    wrong: Vec<String>,
    missing: Vec<(&'a str, &'a Param)>,
}

impl Found<'_> {
    fn unknown<'n>(&mut self, names: impl Iterator<Item = &'n String>, place: &str) {
        let known: Vec<&str> = self
            .runbook
            .params()
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        for name in names.filter(|name| !known.contains(&name.as_str())) {
            let help = match words::did_you_mean(name, known.iter().copied()) {
                Some(help) => help,
                None if known.is_empty() => "the runbook has no parameters".to_owned(),
                None => format!("the parameters are {}", words::quoted(&known)),
            };
            self.wrong
                .push(format!("{name}: unknown, from {place}; {help}"));
        }
    }

    fn take(&mut self, name: &str, param: &Param, value: &Json) {
        match Argument::new(param, value) {
            Ok(argument) => {
                self.arguments.insert(name.to_owned(), argument);
            }
            Err(why) => self.wrong(name, param, &why),
        }
    }

    fn wrong(&mut self, name: &str, param: &Param, why: &str) {
        let why = if param.secret {
            // The reason quotes the value.
            "the value is not allowed (it is secret, so it is not shown)"
        } else {
            why
        };
        self.wrong.push(line(name, param, why));
    }

    /// Asks for what has no value yet, once there is nothing else to mend; then takes the defaults.
    fn fill(&mut self, mut ask: Option<&mut Ask<'_>>) -> Result<(), CliError> {
        let may_ask = self.wrong.is_empty();
        for (name, param) in std::mem::take(&mut self.missing) {
            let answer = match ask.as_mut().filter(|_| may_ask) {
                Some(ask) => ask(name, param)?,
                None => None,
            };
            match (answer, &param.default) {
                (Some(text), _) => self.take(name, param, &from_text(param, &text)),
                (None, Some(default)) => self.take(name, param, &default.0),
                (None, None) => self.wrong.push(line(name, param, "it has no value")),
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<BTreeMap<String, Argument>, CliError> {
        let count = self.wrong.len();
        if count == 0 {
            return Ok(self.arguments);
        }
        let message = match count {
            1 => format!("a parameter of `{}` is wrong", self.runbook.name),
            _ => format!("{count} parameters of `{}` are wrong", self.runbook.name),
        };
        let error = self
            .wrong
            .into_iter()
            .fold(CliError::invalid(message), CliError::note);
        Err(error.help(format!(
            "`runbook run {} --help` describes the parameters",
            self.runbook.name
        )))
    }
}

/// Returns what is wrong with a parameter, and what to give.
fn line(name: &str, param: &Param, why: &str) -> String {
    let mut text = format!("{name}: {why}");
    if let Some(help) = &param.help {
        let _ = write!(text, "\n  {}", help.text().trim_end());
    }
    let facts: Vec<String> = facts(param)
        .into_iter()
        .filter(|fact| fact != "required" && !fact.starts_with("default"))
        .collect();
    let about = std::iter::once(param.kind.to_string())
        .chain(facts)
        .collect::<Vec<_>>()
        .join(", ");
    let _ = write!(text, "\n  give {} ({about})", given_as(name, param));
    text
}

fn given_as(name: &str, param: &Param) -> String {
    let flag = flag_of(name);
    let value = param.kind.scalar.name().to_uppercase();
    match flag.strip_suffix('…') {
        Some(flag) => format!("{flag}{value}"),
        None if param.kind.scalar == Scalar::Bool && !param.kind.list => {
            format!("{flag} or {flag}=false")
        }
        None => format!("{flag} {value}"),
    }
}

/// More than this is no list of parameters.
const LONGEST: u64 = 10 * 1024 * 1024;

/// Reads parameters from standard input: what is secret then stands in no file, and in no list of processes.
fn standard_input() -> Result<Source, CliError> {
    let mut text = String::new();
    let read = std::io::stdin().take(LONGEST + 1).read_to_string(&mut text);
    match read {
        Ok(count) if words::long(count) > LONGEST => Err(CliError::invalid(
            "standard input has more than 10 MB of parameters",
        )),
        Ok(_) => Ok(Source::new("standard input", text)),
        Err(error) => Err(CliError::invalid(format!(
            "cannot read the parameters from standard input: {}",
            words::io(&error)
        ))),
    }
}

/// Returns warnings of secrets that the command line gives away, and of those that anybody can guess.
pub fn exposed(
    runbook: &Runbook,
    flags: &BTreeMap<String, Vec<String>>,
    arguments: &BTreeMap<String, Argument>,
) -> String {
    let mut warnings = String::new();
    for (name, param) in runbook.params().iter().filter(|(_, param)| param.secret) {
        if flags.contains_key(name) {
            let variable = match &param.env {
                Some(env) => format!("by ${}", env.text()),
                None => "by `env:` of the parameter".to_owned(),
            };
            let _ = writeln!(
                warnings,
                "warning: the secret `{name}` stands on the command line, where others see it in the list of processes \
                 and the shell keeps it\n  = help: give it at the prompt, {variable}, or by --params - from another program"
            );
        }
        let texts = arguments.get(name).map(argument::texts).unwrap_or_default();
        let shortest = texts.iter().map(|text| text.chars().count()).min();
        if shortest.is_some_and(|count| count < SHORTEST) {
            let _ = writeln!(
                warnings,
                "warning: the secret `{name}` is so short that anybody can guess it, and much is masked that only looks \
                 like it"
            );
        }
    }
    warnings
}

/// Reads the file of `--params`, where one is given; `-` is standard input.
///
/// # Errors
/// [`CliError::Invalid`] when it cannot be read.
pub fn file(invocation: &Invocation, path: Option<&Path>) -> Result<Option<Source>, CliError> {
    path.map(|path| {
        if path == Path::new(STDIN) {
            return standard_input();
        }
        let shown = path.display().to_string();
        catalogue::read(&invocation.folder.join(path), &shown)
    })
    .transpose()
}
