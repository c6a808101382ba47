//! A runbook as its author wrote it: every value with its place, nothing resolved yet.

use schemars::JsonSchema;
use serde::Deserialize;

use super::notice::Notify;
use super::param::Param;
use crate::base::diagnostic::Diagnostic;
use crate::base::shape::read;
use crate::base::source::{Source, Span, Spanned};
use crate::base::words;
use crate::base::yaml::{self, Entry, Node, Value};
use crate::sql::risk::Risk;
use crate::step::Kind;
use crate::step::common::{self, Common};
use crate::step::flow::Goto;
use crate::step::shape::Entries;
use crate::step::text::{Name, Template};

/// The keys of a runbook beside its steps and branches.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// The runbook's name: the stem of its file, in kebab-case.
    pub runbook: Name,
    /// What it does, in a few words.
    pub title: Template,
    /// What it does, when to use it, and what it will not do.
    pub about: Option<Template>,
    /// The most risk that its steps may need; a step that classifies higher is an error.
    pub risk: Option<Risk>,
    /// Words to find it by.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Two runs that need the same key never overlap on a target.
    pub lock: Option<Template>,
    /// Settings for every transaction of the run, such as `app.current_tenant: "{{ tenant }}"`.
    #[serde(default)]
    pub session: Entries<Template>,
    /// Columns whose values are shown as `•••`, in changes, conflicts and results: `users.password`, or `*.password`
    /// of every table. Names are written as in SQL. Row images and files of `save` keep the values.
    #[serde(default)]
    pub sensitive: Vec<Spanned<String>>,
    /// The parameters, by name.
    #[serde(default)]
    pub params: Entries<Param>,
    /// Whom to tell how runs go.
    #[serde(default)]
    pub notify: Vec<Spanned<Notify>>,
    /// What happens after an error that no step handles: `rollback` (the default), `stop`, or a branch.
    pub on_failure: Option<Goto>,
    /// The same for Ctrl-C.
    pub on_cancel: Option<Goto>,
}

/// A runbook as it was written.
#[derive(Clone, Debug)]
pub struct Document {
    /// Its text.
    pub source: Source,
    /// What stands beside steps and branches.
    pub head: Head,
    /// The main path.
    pub steps: Vec<StepNode>,
    /// What happens otherwise, by name.
    pub branches: Vec<(Spanned<String>, Vec<StepNode>)>,
}

/// A step as it was written.
#[derive(Clone, Debug)]
pub struct StepNode {
    /// What the step is for.
    pub kind: Kind,
    /// The keys that every step may have.
    pub common: Common,
    /// The whole step's place.
    pub span: Span,
    /// The steps inside of an `atomic`.
    pub steps: Vec<StepNode>,
}

/// Reads a document; every mistake of shape becomes a diagnostic.
pub fn parse(source: &Source) -> Result<Document, Vec<Diagnostic>> {
    let root = yaml::parse(source).map_err(|diagnostic| vec![*diagnostic])?;
    let mut reader = Reader {
        diagnostics: Vec::new(),
    };
    let document = reader.document(source, &root);
    match document {
        Some(document) if reader.diagnostics.is_empty() => Ok(document),
        _ => Err(reader.diagnostics),
    }
}

struct Reader {
    diagnostics: Vec<Diagnostic>,
}

impl Reader {
    fn document(&mut self, source: &Source, root: &Node) -> Option<Document> {
        let Value::Map(entries) = &root.value else {
            let title = format!(
                "a runbook is a map of `runbook`, `title`, `steps` and more, not {}",
                root.kind()
            );
            self.diagnostics.push(
                Diagnostic::error("shape", title)
                    .at(root.span, "")
                    .help("`runbook new NAME` writes one to begin with"),
            );
            return None;
        };
        let (flow, head): (Vec<Entry>, Vec<Entry>) = entries
            .iter()
            .cloned()
            .partition(|entry| matches!(entry.key.as_str(), "steps" | "branches"));
        self.suggest_flow_keys(&head);
        let head = read(
            &Node {
                span: root.span,
                value: Value::Map(head),
            },
            &mut self.diagnostics,
        );
        let (mut steps, mut branches) = (None, Vec::new());
        for entry in &flow {
            if entry.key.value == "steps" {
                steps = Some(self.steps(&entry.value, entry.key.span));
            } else {
                branches = self.branches(&entry.value);
            }
        }
        if steps.is_none() {
            self.diagnostics.push(
                Diagnostic::error("missing-key", "`steps` is missing")
                    .at(root.span, "a runbook needs steps"),
            );
        }
        Some(Document {
            source: source.clone(),
            head: head?,
            steps: steps?,
            branches,
        })
    }

    /// The shape of the head alone would not offer `steps` for `step`.
    fn suggest_flow_keys(&mut self, head: &[Entry]) {
        for entry in head {
            let word = entry.key.as_str();
            if let Some(near @ ("steps" | "branches")) =
                words::nearest(word, ["steps", "branches", "tags", "title"])
            {
                self.diagnostics.push(
                    Diagnostic::error("unknown-key", format!("unknown key `{word}`"))
                        .at(entry.key.span, "")
                        .help(format!("did you mean `{near}`?")),
                );
            }
        }
    }

    fn branches(&mut self, node: &Node) -> Vec<(Spanned<String>, Vec<StepNode>)> {
        let Value::Map(entries) = &node.value else {
            self.expected(node, "a map of branches, each a list of steps");
            return Vec::new();
        };
        entries
            .iter()
            .map(|entry| (entry.key.clone(), self.steps(&entry.value, entry.key.span)))
            .collect()
    }

    fn steps(&mut self, node: &Node, key: Span) -> Vec<StepNode> {
        let items = match &node.value {
            Value::List(items) if !items.is_empty() => items,
            Value::List(_) | Value::Null => {
                self.diagnostics.push(
                    Diagnostic::error("shape", "expected at least one step").at(key, "empty"),
                );
                return Vec::new();
            }
            _ => {
                self.expected(node, "a list of steps");
                return Vec::new();
            }
        };
        items.iter().filter_map(|item| self.step(item)).collect()
    }

    fn step(&mut self, node: &Node) -> Option<StepNode> {
        let Value::Map(entries) = &node.value else {
            self.expected(node, "a step, as a map");
            return None;
        };
        let word = self.kind_word(node, entries)?;
        let (shared, rest): (Vec<Entry>, Vec<Entry>) = entries
            .iter()
            .cloned()
            .partition(|entry| common::KEYS.contains(&entry.key.as_str()));
        let (inner, own): (Vec<Entry>, Vec<Entry>) = rest
            .into_iter()
            .partition(|entry| word == "atomic" && entry.key.value == "steps");
        let with = |entries| Node {
            span: node.span,
            value: Value::Map(entries),
        };
        let common = read(&with(shared), &mut self.diagnostics);
        let kind = Kind::read(word, &with(own), &mut self.diagnostics);
        let steps = match inner.first() {
            Some(entry) => self.steps(&entry.value, entry.key.span),
            None if word == "atomic" => {
                self.diagnostics.push(
                    Diagnostic::error("missing-key", "`steps` is missing")
                        .at(entries[0].key.span, "an `atomic` holds steps"),
                );
                return None;
            }
            None => Vec::new(),
        };
        Some(StepNode {
            kind: kind?,
            common: common?,
            span: node.span,
            steps,
        })
    }

    /// Finds the one key that names the kind.
    fn kind_word(&mut self, node: &Node, entries: &[Entry]) -> Option<&'static str> {
        let found: Vec<(&'static str, Span)> = Kind::WORDS
            .iter()
            .filter_map(|word| {
                let entry = entries.iter().find(|entry| entry.key.value == **word)?;
                Some((*word, entry.key.span))
            })
            // `check` may have a `database`, and `rollback` a `backup`: the first key names the kind.
            .collect();
        let first = entries.first().map(|entry| entry.key.as_str());
        if let Some((word, _)) = found.iter().find(|(word, _)| Some(*word) == first) {
            return Some(word);
        }
        match found.as_slice() {
            [(word, _)] => Some(word),
            [(a, span), (b, other), ..] => {
                let title = format!("a step is either `{a}` or `{b}`, not both");
                self.diagnostics.push(
                    Diagnostic::error("shape", title)
                        .at(*span, "")
                        .at(*other, "")
                        .help("put the kind first, or make two steps of it"),
                );
                None
            }
            [] => {
                let key = entries.first().map_or(node.span, |entry| entry.key.span);
                let help = first.and_then(|word| words::did_you_mean(word, Kind::WORDS));
                self.diagnostics.push(
                    Diagnostic::error("shape", "a step without a kind")
                        .at(
                            key,
                            format!("expected one of {}", words::quoted(&Kind::WORDS)),
                        )
                        .help_opt(help),
                );
                None
            }
        }
    }

    fn expected(&mut self, node: &Node, what: &str) {
        let title = format!("expected {what}, found {}", node.kind());
        self.diagnostics
            .push(Diagnostic::error("shape", title).at(node.span, ""));
    }
}
