//! Collects what a step reads, and at which moment.

use super::condition::asks_for;
use crate::base::diagnostic::Diagnostic;
use crate::base::source::{Source, Span};
use crate::runbook::graph::Moment;
use crate::runbook::model::{Ending, Step, Target};
use crate::runbook::reference::{Reference, of_expression, of_template};
use crate::step::Kind;
use crate::step::shape::RowsGuard;
use crate::step::text::{Expression, Name, Template};

/// One reading, and the moment at which it happens.
pub(super) struct Reading {
    pub(super) at: Moment,
    pub(super) reference: Reference,
    /// Whether a `for_each`'s item can be read there.
    pub(super) items: bool,
    /// Whether the bare names of a check's own row can be read there.
    pub(super) own: bool,
}

pub(super) struct Collector {
    pub(super) source: Source,
    pub(super) readings: Vec<Reading>,
    pub(super) diagnostics: Vec<Diagnostic>,
}

impl Collector {
    pub(super) fn new(source: Source) -> Self {
        Self {
            source,
            readings: Vec::new(),
            diagnostics: Vec::new(),
        }
    }

    /// Collects what decides whether and how often a step runs, and how many rows it may change.
    pub(super) fn decisive(&mut self, step: &Step) {
        let enter = Moment::Enter(step.id);
        self.expressions(
            step.common.when.iter().chain(&step.common.for_each),
            enter,
            false,
        );
        match &step.kind {
            Kind::Query(query) => self.guard(query.rows.as_ref(), enter),
            Kind::Fix(fix) => self.guard(fix.rows.as_ref(), enter),
            _ => {}
        }
    }

    fn add(
        &mut self,
        found: Result<Vec<Reference>, Box<Diagnostic>>,
        at: Moment,
        items: bool,
        own: bool,
    ) {
        match found {
            Ok(references) => self
                .readings
                .extend(references.into_iter().map(|reference| Reading {
                    at,
                    reference,
                    items,
                    own,
                })),
            Err(diagnostic) => self.diagnostics.push(*diagnostic),
        }
    }

    fn templates<'a>(&mut self, texts: impl IntoIterator<Item = &'a Template>, at: Moment) {
        for text in texts {
            let found = of_template(text, &self.source);
            self.add(found, at, true, false);
        }
    }

    fn expressions<'a>(
        &mut self,
        texts: impl IntoIterator<Item = &'a Expression>,
        at: Moment,
        own: bool,
    ) {
        for text in texts {
            let found = of_expression(text, &self.source);
            self.add(found, at, own, own);
        }
    }

    pub(super) fn step(&mut self, step: &Step) {
        let (enter, ran) = (Moment::Enter(step.id), Moment::Ran(step.id));
        self.decisive(step);
        self.routes(step);
        match &step.kind {
            Kind::Query(query) => {
                let words = query.command.iter().flat_map(|command| &command.0);
                self.templates(words.chain(&query.save), enter);
            }
            Kind::Check(check) => {
                let assertions = check
                    .all
                    .iter()
                    .flat_map(|all| &all.0)
                    .map(|(_, assertion)| assertion);
                self.expressions(check.that.iter().chain(&check.switch), ran, true);
                for assertion in assertions {
                    self.expressions([&assertion.that], ran, true);
                    self.templates(&assertion.otherwise, ran);
                }
                self.templates(&check.otherwise, ran);
                self.templates(check.command.iter().flat_map(|command| &command.0), enter);
                if let Some(database) = &check.database {
                    self.templates(&database.texts(), enter);
                    let remedies = database.otherwise.0.iter().map(|(_, remedy)| remedy);
                    self.templates(remedies, ran);
                }
            }
            Kind::Confirm(confirm) => {
                self.templates([&confirm.ask].into_iter().chain(&confirm.typed), enter);
            }
            Kind::Fix(fix) => {
                self.templates(fix.command.iter().flat_map(|command| &command.0), enter);
            }
            Kind::Backup(backup) => {
                let recipients = backup.encrypt.iter().flat_map(|many| &many.0);
                let tables = backup.tables.iter().flatten();
                self.templates(backup.to.iter().chain(recipients).chain(tables), enter);
            }
            // It is read like a name in a template: it must have a value on every way that leads here.
            Kind::Rollback(rollback) => {
                let read = |name: &Name| Reference {
                    name: name.text().to_owned(),
                    attribute: Some("path".to_owned()),
                    span: name.span(),
                    guarded: asks_for(step, name.text()),
                };
                let backup = rollback.backup.iter().map(read).collect();
                self.add(Ok(backup), enter, false, false);
            }
            Kind::Atomic(_) | Kind::Use(_) => {}
        }
    }

    fn guard(&mut self, guard: Option<&RowsGuard>, at: Moment) {
        if let Some(RowsGuard::Equals(expression)) = guard {
            // The guard's text has more than the expression, whose place is found in the file.
            let whole = self.source.slice(expression.span());
            let start = expression.span().start + whole.find(expression.text()).unwrap_or(0);
            let span = Span::new(start, start + expression.text().len());
            let expression = Expression(crate::base::source::Spanned::new(
                expression.text().to_owned(),
                span,
            ));
            let found = of_expression(&expression, &self.source);
            self.add(found, at, true, false);
        }
    }

    fn routes(&mut self, step: &Step) {
        let (ran, done) = (Moment::Ran(step.id), Moment::Done(step.id));
        let text = |target: &Target| match target {
            Target::End(Ending::Done(text) | Ending::Stop(text) | Ending::Fail(text)) => {
                Some(text.clone())
            }
            _ => None,
        };
        let routes = &step.routes;
        let well = std::iter::once(&routes.next)
            .chain(&routes.then)
            .chain(routes.cases.iter().map(|(_, to)| to));
        let well: Vec<Template> = well.filter_map(text).collect();
        self.templates(&well, done);
        let no: Vec<Template> = routes.otherwise.iter().filter_map(text).collect();
        self.templates(&no, ran);
        let error: Vec<Template> = routes.on_error.iter().filter_map(text).collect();
        self.templates(&error, Moment::Enter(step.id));
    }
}
