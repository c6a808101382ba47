//! SQL with templates: a statement whose text never holds a value.
//!
//! Each `{{ x }}` becomes a bind parameter, `{{ x | ident }}` a quoted name, and `{{ x | literal }}` a quoted
//! text, or a number, where PostgreSQL takes no parameter. So the statement that is classified before a run is the one that
//! is sent, whatever the values are.

mod number;
mod predicate;
mod slot;

use std::ops::Range;

use minijinja::machinery::ast::Expr;
use minijinja::machinery::{Token, parse_expr, tokenize};
use minijinja::syntax::SyntaxConfig;

use super::place::TextPlace;
use super::reference::{self, Reference};
use crate::base::diagnostic::Diagnostic;
use crate::base::source::{Source, Span};
use crate::sql::ident::{quote_ident, quote_literal};
use crate::sql::statement::{SqlError, Statement};
use crate::step::text::Sql;

/// A statement and the expressions that fill it.
#[derive(Clone, Debug)]
pub struct SqlTemplate {
    /// The statement, with `$1`, `$2` and so on for values, and made-up names and texts for names and literals.
    pub statement: Statement,
    /// The expressions of the values, `$1` first.
    pub binds: Vec<String>,
    /// The expressions of the names.
    pub names: Vec<String>,
    /// The expressions of the literals.
    pub literals: Vec<String>,
    /// Where the template stands.
    pub span: Span,
    parts: Vec<Part>,
}

#[derive(Clone, Debug)]
struct Part {
    kind: PartKind,
    /// Where the part stands in the template's text; empty for a text of our own.
    template: Range<usize>,
    /// Where it stands in the statement's text.
    statement: Range<usize>,
}

#[derive(Clone, Debug)]
enum PartKind {
    Text(String),
    Bind,
    Name(usize),
    Literal(usize),
    /// A literal where only a number can stand.
    Number(usize),
}

/// What stands for the names and literals of a statement.
#[derive(Clone, Debug, Default)]
pub struct Fillings {
    /// The names, as they are; of a list of them all, which stand between commas.
    pub names: Vec<Vec<String>>,
    /// The texts of the literals; none for NULL.
    pub literals: Vec<Option<String>>,
}

impl SqlTemplate {
    /// Parses a template and its statement, and returns what it reads.
    ///
    /// # Errors
    /// A diagnostic for a slot that is quoted, commented out or not an expression, for `{% %}`, for text
    /// that is not one statement.
    pub fn parse(sql: &Sql, source: &Source) -> Result<(Self, Vec<Reference>), Box<Diagnostic>> {
        Self::parse_within(["", ""], sql, source)
    }

    /// Parses a template that is the middle of a statement, between texts of our own.
    fn parse_within(
        [before, after]: [&str; 2],
        sql: &Sql,
        source: &Source,
    ) -> Result<(Self, Vec<Reference>), Box<Diagnostic>> {
        let place = TextPlace::new(source, &sql.0);
        let mut builder = Builder::new(sql.text(), place.clone());
        builder.push(PartKind::Text(before.to_owned()), 0..0);
        builder.scan()?;
        let end = sql.text().len();
        builder.push(PartKind::Text(after.to_owned()), end..end);
        slot::stands(&builder.text, &builder.parts, &place)?;
        let (text, parts) = (builder.text, builder.parts);
        let locate = |range: Range<usize>| place.span(to_template(&parts, range));
        let statement = Statement::parse(&text).map_err(|error| {
            let literal = slot::must_be_literal(&text, &parts, &place);
            Box::new(literal.unwrap_or_else(|| refused(&error, &locate, sql.span())))
        })?;
        slot::calls(&statement, &locate)?;
        if let Some(diagnostic) = slot::literals(&statement, &parts, &place) {
            return Err(Box::new(diagnostic));
        }
        let template = Self {
            statement,
            binds: builder.binds,
            names: builder.names,
            literals: builder.literals,
            span: sql.span(),
            parts,
        };
        Ok((template, builder.references))
    }

    /// Returns the place in the file of a range of the statement's text.
    pub fn locate(&self, range: Range<usize>, sql: &Sql, source: &Source) -> Span {
        TextPlace::new(source, &sql.0).span(to_template(&self.parts, range))
    }

    /// Returns a diagnostic for a rule that the statement breaks.
    pub fn refused(&self, error: &SqlError, sql: &Sql, source: &Source) -> Diagnostic {
        refused(error, &|range| self.locate(range, sql, source), sql.span())
    }

    /// Returns the statement with real names and literals in place of the made-up ones.
    ///
    /// # Errors
    /// The statement does not parse with them: cannot happen with quoted ones, and is refused if it does.
    pub fn filled(&self, with: &Fillings) -> Result<Statement, SqlError> {
        if self.names.is_empty() && self.literals.is_empty() {
            return Ok(self.statement.clone());
        }
        let texts = self.parts.iter().map(|part| {
            Ok(match &part.kind {
                PartKind::Text(text) => text.clone(),
                PartKind::Bind => self.bind_text(part),
                PartKind::Name(index) => {
                    let names = with.names.get(*index).into_iter().flatten();
                    let names: Vec<String> = names.map(|name| quote_ident(name)).collect();
                    names.join(", ")
                }
                PartKind::Literal(index) => match with.literals.get(*index) {
                    Some(Some(text)) => quote_literal(text),
                    _ => "NULL".to_owned(),
                },
                PartKind::Number(index) => {
                    number::of(with.literals.get(*index).and_then(Option::as_ref))?
                }
            })
        });
        let text: String = texts.collect::<Result<_, SqlError>>()?;
        Statement::parse(&text)
    }

    fn bind_text(&self, part: &Part) -> String {
        self.statement
            .text()
            .get(part.statement.clone())
            .unwrap_or_default()
            .to_owned()
    }
}

fn refused(error: &SqlError, locate: &dyn Fn(Range<usize>) -> Span, whole: Span) -> Diagnostic {
    let span = error.range.clone().map_or(whole, locate);
    Diagnostic::error("sql", error.message.clone())
        .at(span, "")
        .help_opt(error.help.clone())
}

/// Translates a range of the statement's text into one of the template's.
fn to_template(parts: &[Part], range: Range<usize>) -> Range<usize> {
    let translate = |offset: usize, end: bool| {
        let inside = |part: &&Part| {
            part.statement.contains(&offset) || (end && part.statement.end == offset)
        };
        match parts.iter().find(inside) {
            Some(part) => match part.kind {
                // What is added around the template has no place in it.
                PartKind::Text(_) => {
                    let offset = part.template.start + (offset - part.statement.start);
                    offset.min(part.template.end)
                }
                _ if end => part.template.end,
                _ => part.template.start,
            },
            None => parts.last().map_or(0, |part| part.template.end),
        }
    };
    translate(range.start, false)..translate(range.end, true)
}

struct Builder<'a> {
    template: &'a str,
    place: TextPlace<'a>,
    text: String,
    parts: Vec<Part>,
    binds: Vec<String>,
    names: Vec<String>,
    literals: Vec<String>,
    references: Vec<Reference>,
}

impl<'a> Builder<'a> {
    fn new(template: &'a str, place: TextPlace<'a>) -> Self {
        Self {
            template,
            place,
            text: String::new(),
            parts: Vec::new(),
            binds: Vec::new(),
            names: Vec::new(),
            literals: Vec::new(),
            references: Vec::new(),
        }
    }

    fn scan(&mut self) -> Result<(), Box<Diagnostic>> {
        let tokens = tokenize(self.template, false, SyntaxConfig::default());
        let (mut copied, mut opened) = (0, None);
        for token in tokens {
            let (token, span) = token.map_err(|error| {
                Box::new(match opened {
                    Some((start, end)) if !self.template[end..].contains("}}") => {
                        self.not_closed(start..end)
                    }
                    _ => reference::syntax_error(&error, &self.place),
                })
            })?;
            let (start, end) = (span.start_offset as usize, span.end_offset as usize);
            match token {
                Token::VariableStart => opened = Some((start, end)),
                Token::VariableEnd => {
                    let (open, inner) = opened.take().unwrap_or((start, start));
                    self.push(
                        PartKind::Text(self.template[copied..open].to_owned()),
                        copied..open,
                    );
                    self.slot(inner..start, open..end)?;
                    copied = end;
                }
                Token::BlockStart => return Err(Box::new(self.no_blocks(start..end))),
                _ => {}
            }
        }
        let rest = self.template.len();
        self.push(
            PartKind::Text(self.template[copied..].to_owned()),
            copied..rest,
        );
        match opened {
            Some((start, end)) => Err(Box::new(self.not_closed(start..end))),
            None => Ok(()),
        }
    }

    fn push(&mut self, kind: PartKind, template: Range<usize>) {
        let text = match &kind {
            PartKind::Text(text) => text.clone(),
            PartKind::Bind => format!("${}", self.binds.len()),
            PartKind::Name(index) => quote_ident(&format!("name {index}")),
            PartKind::Literal(index) => quote_literal(&format!("literal {index}")),
            PartKind::Number(_) => number::MADE_UP.to_owned(),
        };
        let start = self.text.len();
        self.text.push_str(&text);
        self.parts.push(Part {
            kind,
            template,
            statement: start..self.text.len(),
        });
    }

    /// Takes the expression of one slot. The same expression is the same parameter, so that
    /// `GROUP BY date_trunc({{ unit }}, t)` is seen to be what SELECT says.
    fn slot(&mut self, inner: Range<usize>, whole: Range<usize>) -> Result<(), Box<Diagnostic>> {
        let raw = &self.template[inner.clone()];
        // The tokens around it hold the `-` and `+` that control white space: what is here is the value's.
        let lead = raw.len() - raw.trim_start().len();
        let expression = raw.trim();
        let place = self.place.from(inner.start + lead);
        let found = reference::of_text(expression, place)?;
        self.references.extend(found);
        if let Some(name) = filtered(expression, "ident") {
            self.names.push(name);
            self.push(PartKind::Name(self.names.len() - 1), whole);
            return Ok(());
        }
        if let Some(text) = filtered(expression, "literal") {
            self.literals.push(text);
            let index = self.literals.len() - 1;
            let kind = if number::must_follow(&self.text) {
                PartKind::Number(index)
            } else {
                PartKind::Literal(index)
            };
            self.push(kind, whole);
            return Ok(());
        }
        match self.binds.iter().position(|known| known == expression) {
            Some(index) => {
                let start = self.text.len();
                self.text.push('$');
                self.text.push_str(&(index + 1).to_string());
                self.parts.push(Part {
                    kind: PartKind::Bind,
                    template: whole,
                    statement: start..self.text.len(),
                });
            }
            None => {
                self.binds.push(expression.to_owned());
                self.push(PartKind::Bind, whole);
            }
        }
        Ok(())
    }

    fn not_closed(&self, range: Range<usize>) -> Diagnostic {
        Diagnostic::error("template", "`{{` is not closed")
            .at(self.place.span(range), "")
            .help("write `}}` after the expression")
    }

    fn no_blocks(&self, range: Range<usize>) -> Diagnostic {
        Diagnostic::error("template", "`{% %}` cannot stand in SQL")
            .at(self.place.span(range), "")
            .note(
                "a statement is checked before anything runs, so its text may not depend on values",
            )
            .help("branch with a `check`, skip a step with `when`, or use CASE in the SQL")
    }
}

/// Returns the expression before a filter that says what a slot becomes.
fn filtered(expression: &str, name: &str) -> Option<String> {
    match parse_expr(expression) {
        Ok(Expr::Filter(filter)) if filter.name == name => {
            let span = filter.expr.as_ref()?.span();
            let range = span.start_offset as usize..span.end_offset as usize;
            expression.get(range).map(str::to_owned)
        }
        _ => None,
    }
}
