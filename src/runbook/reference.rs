//! Which names a template or an expression reads, where, and whether it asks first if they are defined.

use minijinja::machinery::ast::{BinOpKind, CallArg, Expr, Stmt, UnaryOpKind};
use minijinja::machinery::{parse, parse_expr};
use minijinja::syntax::SyntaxConfig;

use super::place::TextPlace;
use crate::base::diagnostic::Diagnostic;
use crate::base::source::{Source, Span};
use crate::base::words;
use crate::step::text::{Expression, Template};

/// MiniJinja's global functions that a runbook may call.
const FUNCTIONS: [&str; 3] = ["range", "dict", "namespace"];

/// One reading of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The name: a parameter, a step, `run`, `target` or a loop's item.
    pub name: String,
    /// The attribute that is read of it, where it is.
    pub attribute: Option<String>,
    /// Where it stands in the file.
    pub span: Span,
    /// Whether it is read only where it is known to be defined.
    pub guarded: bool,
}

/// Returns what a template reads.
pub fn of_template(
    template: &Template,
    source: &Source,
) -> Result<Vec<Reference>, Box<Diagnostic>> {
    let place = TextPlace::new(source, &template.0);
    let stmt = parse(template.text(), "template", SyntaxConfig::default())
        .map_err(|error| Box::new(syntax_error(&error, &place)))?;
    let mut walker = Walker::new(place);
    walker.stmt(&stmt);
    walker.finish()
}

/// Returns what an expression reads.
pub fn of_expression(
    expression: &Expression,
    source: &Source,
) -> Result<Vec<Reference>, Box<Diagnostic>> {
    let place = TextPlace::new(source, &expression.0);
    if expression.text().trim_start().starts_with("{{") {
        return Err(Box::new(
            Diagnostic::error("template", "an expression stands without braces here")
                .at(expression.span(), "")
                .help("write `customer.status == 'x'`, not `{{ customer.status == 'x' }}`"),
        ));
    }
    of_text(expression.text(), place)
}

/// Returns what an expression reads whose text stands at `place`.
pub(super) fn of_text(text: &str, place: TextPlace<'_>) -> Result<Vec<Reference>, Box<Diagnostic>> {
    let expr = parse_expr(text).map_err(|error| Box::new(syntax_error(&error, &place)))?;
    let mut walker = Walker::new(place);
    walker.expr(&expr);
    walker.finish()
}

/// Puts a template engine's error into the file.
pub(super) fn syntax_error(error: &minijinja::Error, place: &TextPlace<'_>) -> Diagnostic {
    let detail = error.detail().unwrap_or("it cannot be read");
    let span = error
        .range()
        .map_or(place.whole(), |range| place.span(range));
    Diagnostic::error("template", format!("not a valid template: {detail}"))
        .at(span, "")
        .help_opt(
            error
                .range()
                .and_then(|range| foreign(place.text(), range.end)),
        )
}

/// Returns advice on an operator of another language that stands in the expression that ends about `end`.
fn foreign(text: &str, end: usize) -> Option<String> {
    let before = text.get(..end).unwrap_or(text);
    let start = before.rfind("{{").max(before.rfind("{%")).unwrap_or(0);
    let rest = &text[start..];
    let code: String = rest.split(['\'', '"']).step_by(2).collect();
    let code = code.split("}}").next().unwrap_or_default();
    let single = |(at, _): (usize, &str)| {
        let beside = |next: char| matches!(next, '=' | '!' | '<' | '>');
        !code[..at].ends_with(beside) && !code[at + 1..].starts_with('=')
    };
    if code.contains("&&") || code.contains("||") {
        Some("write `and` or `or`".to_owned())
    } else {
        let is_single = code.match_indices('=').any(single);
        is_single.then(|| "did you mean `==`?".to_owned())
    }
}

struct Walker<'a> {
    place: TextPlace<'a>,
    references: Vec<Reference>,
    /// Names that the template itself sets.
    locals: Vec<String>,
    /// Names that are known to be defined where the walk is.
    defined: Vec<String>,
    wrong: Option<Diagnostic>,
}

impl<'a> Walker<'a> {
    fn new(place: TextPlace<'a>) -> Self {
        Self {
            place,
            references: Vec::new(),
            locals: Vec::new(),
            defined: Vec::new(),
            wrong: None,
        }
    }

    fn finish(self) -> Result<Vec<Reference>, Box<Diagnostic>> {
        match self.wrong {
            Some(diagnostic) => Err(Box::new(diagnostic)),
            None => Ok(self.references),
        }
    }

    fn stmts(&mut self, stmts: &[Stmt<'_>]) {
        for stmt in stmts {
            self.stmt(stmt);
        }
    }

    fn stmt(&mut self, stmt: &Stmt<'_>) {
        match stmt {
            Stmt::Template(template) => self.stmts(&template.children),
            Stmt::EmitExpr(emit) => self.expr(&emit.expr),
            Stmt::ForLoop(node) => {
                self.expr(&node.iter);
                self.scoped(|walker| {
                    walker.assign(&node.target);
                    walker.locals.push("loop".to_owned());
                    if let Some(filter) = &node.filter_expr {
                        walker.expr(filter);
                    }
                    walker.stmts(&node.body);
                });
                self.stmts(&node.else_body);
            }
            Stmt::IfCond(node) => {
                self.expr(&node.expr);
                let (yes, no) = known(&node.expr);
                self.knowing(yes, |walker| walker.stmts(&node.true_body));
                self.knowing(no, |walker| walker.stmts(&node.false_body));
            }
            Stmt::Set(node) => {
                self.expr(&node.expr);
                self.assign(&node.target);
            }
            Stmt::WithBlock(node) => self.scoped(|walker| {
                for (target, value) in &node.assignments {
                    walker.expr(value);
                    walker.assign(target);
                }
                walker.stmts(&node.body);
            }),
            Stmt::SetBlock(node) => {
                self.stmts(&node.body);
                self.assign(&node.target);
            }
            Stmt::AutoEscape(node) => self.stmts(&node.body),
            Stmt::FilterBlock(node) => self.stmts(&node.body),
            // What is left emits text, or reaches for other templates, of which there are none.
            _ => {}
        }
    }

    fn scoped(&mut self, walk: impl FnOnce(&mut Self)) {
        let depth = self.locals.len();
        walk(self);
        self.locals.truncate(depth);
    }

    fn knowing(&mut self, names: Vec<String>, walk: impl FnOnce(&mut Self)) {
        let depth = self.defined.len();
        self.defined.extend(names);
        walk(self);
        self.defined.truncate(depth);
    }

    fn assign(&mut self, target: &Expr<'_>) {
        match target {
            Expr::Var(var) => self.locals.push(var.id.to_owned()),
            Expr::List(list) => list.items.iter().for_each(|item| self.assign(item)),
            Expr::Tuple(tuple) => tuple.items.iter().for_each(|item| self.assign(item)),
            _ => {}
        }
    }

    fn exprs<'e>(&mut self, exprs: impl IntoIterator<Item = &'e Expr<'e>>) {
        for expr in exprs {
            self.expr(expr);
        }
    }

    fn expr(&mut self, expr: &Expr<'_>) {
        match expr {
            Expr::Var(var) => self.read(var.id, None, expr),
            Expr::GetAttr(node) => match &node.expr {
                Expr::Var(var) => self.read(var.id, Some(node.name), expr),
                inner => self.expr(inner),
            },
            Expr::BinOp(node) => {
                self.expr(&node.left);
                let (yes, no) = known(&node.left);
                let names = match node.op {
                    BinOpKind::ScAnd => yes,
                    BinOpKind::ScOr => no,
                    _ => Vec::new(),
                };
                self.knowing(names, |walker| walker.expr(&node.right));
            }
            Expr::IfExpr(node) => {
                self.expr(&node.test_expr);
                let (yes, no) = known(&node.test_expr);
                self.knowing(yes, |walker| walker.expr(&node.true_expr));
                self.knowing(no, |walker| walker.exprs(&node.false_expr));
            }
            // Asking whether a name is defined does not need it to be.
            Expr::Test(node) if matches!(node.name, "defined" | "undefined") => {
                if !matches!(node.expr, Expr::Var(_)) {
                    self.expr(&node.expr);
                }
            }
            Expr::Call(node) => {
                match &node.expr {
                    Expr::Var(var) => self.function(var.id, expr),
                    inner => self.expr(inner),
                }
                self.args(&node.args);
            }
            Expr::Filter(node) => {
                self.exprs(&node.expr);
                self.args(&node.args);
            }
            Expr::Test(node) => {
                self.expr(&node.expr);
                self.args(&node.args);
            }
            Expr::Slice(node) => {
                self.expr(&node.expr);
                self.exprs(node.start.iter().chain(&node.stop).chain(&node.step));
            }
            Expr::UnaryOp(node) => self.expr(&node.expr),
            Expr::Compare(node) => {
                self.expr(&node.expr);
                self.exprs(node.ops.iter().map(|op| &op.expr));
            }
            Expr::GetItem(node) => self.exprs([&node.expr, &node.subscript_expr]),
            Expr::List(node) => self.exprs(&node.items),
            Expr::Tuple(node) => self.exprs(&node.items),
            Expr::Map(node) => self.exprs(node.keys.iter().chain(&node.values)),
            Expr::Const(_) => {}
        }
    }

    fn args(&mut self, args: &[CallArg<'_>]) {
        for arg in args {
            match arg {
                CallArg::Pos(expr)
                | CallArg::Kwarg(_, expr)
                | CallArg::PosSplat(expr)
                | CallArg::KwargSplat(expr) => self.expr(expr),
            }
        }
    }

    fn read(&mut self, name: &str, attribute: Option<&str>, expr: &Expr<'_>) {
        if self.locals.iter().any(|local| local == name) {
            return;
        }
        self.references.push(Reference {
            name: name.to_owned(),
            attribute: attribute.map(str::to_owned),
            span: self.place.node(expr.span()),
            guarded: self.defined.iter().any(|defined| defined == name),
        });
    }

    fn function(&mut self, name: &str, expr: &Expr<'_>) {
        if !FUNCTIONS.contains(&name) {
            let span = self.place.node(expr.span());
            self.wrong.get_or_insert(
                Diagnostic::error("template", format!("there is no function `{name}`"))
                    .at(span, "")
                    .help(
                        words::did_you_mean(name, FUNCTIONS)
                            .unwrap_or_else(|| "compute it in the SQL of a query".to_owned()),
                    ),
            );
        }
    }
}

/// Returns the names that are defined when an expression is true, and when it is false.
fn known(expr: &Expr<'_>) -> (Vec<String>, Vec<String>) {
    match expr {
        Expr::Test(node) => match (&node.expr, node.name) {
            (Expr::Var(var), "defined") => (vec![var.id.to_owned()], Vec::new()),
            (Expr::Var(var), "undefined") => (Vec::new(), vec![var.id.to_owned()]),
            _ => (Vec::new(), Vec::new()),
        },
        Expr::UnaryOp(node) if matches!(node.op, UnaryOpKind::Not) => {
            let (yes, no) = known(&node.expr);
            (no, yes)
        }
        Expr::BinOp(node) => {
            let (left, right) = (known(&node.left), known(&node.right));
            let both = |a: Vec<String>, b: Vec<String>| [a, b].concat();
            match node.op {
                BinOpKind::ScAnd => (both(left.0, right.0), Vec::new()),
                BinOpKind::ScOr => (Vec::new(), both(left.1, right.1)),
                _ => (Vec::new(), Vec::new()),
            }
        }
        _ => (Vec::new(), Vec::new()),
    }
}
