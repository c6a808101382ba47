//! What templates and expressions see, and what becomes of them: text, truth, or a bind parameter.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use minijinja::machinery::ast::Expr;
use minijinja::machinery::parse_expr;
use minijinja::value::ValueKind;
use minijinja::{Environment, ErrorKind, UndefinedBehavior, Value};

use super::data::{Cell, oid};

/// The names in scope with their values, and their exact texts where they come from PostgreSQL.
#[derive(Clone, Debug, Default)]
pub struct Context {
    values: BTreeMap<String, Value>,
    /// By name, then by attribute; the attribute of a name itself is empty.
    cells: BTreeMap<String, BTreeMap<String, Cell>>,
}

impl Context {
    /// Adds a name.
    pub fn insert(&mut self, name: impl Into<String>, value: Value) {
        self.values.insert(name.into(), value);
    }

    /// Adds the exact text of a name's attribute, or of the name itself where the attribute is empty.
    pub fn insert_cell(
        &mut self,
        name: impl Into<String>,
        attribute: impl Into<String>,
        cell: Cell,
    ) {
        self.cells
            .entry(name.into())
            .or_default()
            .insert(attribute.into(), cell);
    }

    /// Renders a text.
    ///
    /// # Errors
    /// What the template engine says, in a sentence.
    pub fn render(&self, template: &str) -> Result<String, String> {
        environment()
            .render_str(template, self.root())
            .map_err(|error| explain(&error))
    }

    /// Renders the path of a file: what a value says is a name, and leads nowhere.
    ///
    /// # Errors
    /// As [`Self::render`]; a value is empty, or has a `/` or `..` in it.
    pub fn render_path(&self, template: &str) -> Result<String, String> {
        let path = paths()
            .render_str(template, self.root())
            .map_err(|error| explain(&error))?;
        let climbs = |text: &str| text.split('/').filter(|part| *part == "..").count();
        if climbs(&path) > climbs(template) {
            return Err(format!(
                "`{path}` leads out of its folder by the values in it"
            ));
        }
        Ok(path)
    }

    /// Evaluates an expression.
    ///
    /// # Errors
    /// What the template engine says, in a sentence.
    pub fn evaluate(&self, expression: &str) -> Result<Value, String> {
        let compiled = environment()
            .compile_expression(expression)
            .map_err(|error| explain(&error))?;
        compiled.eval(self.root()).map_err(|error| explain(&error))
    }

    /// Returns the names that an expression stands for: those of a list, or the only one.
    ///
    /// # Errors
    /// As [`Self::evaluate`].
    pub fn names(&self, expression: &str) -> Result<Vec<String>, String> {
        let value = self.evaluate(expression)?;
        match value.kind() {
            ValueKind::Seq | ValueKind::Iterable => {
                let items = value.try_iter().map_err(|error| explain(&error))?;
                Ok(items.map(|item| plain(&item)).collect())
            }
            ValueKind::Undefined => Err(format!("`{expression}` has no value")),
            _ => Ok(vec![plain(&value)]),
        }
    }

    /// Evaluates a condition.
    ///
    /// # Errors
    /// As [`Self::evaluate`]; also for a value that is neither true nor false.
    pub fn holds(&self, expression: &str) -> Result<bool, String> {
        let value = self.evaluate(expression)?;
        match value.kind() {
            ValueKind::Bool => Ok(value.is_true()),
            // A comparison with NULL in SQL is neither; here it is not true.
            ValueKind::None => Ok(false),
            other => Err(format!(
                "`{expression}` is {value}, a {other}, neither true nor false"
            )),
        }
    }

    /// Returns the bind parameter that an expression becomes. A plain name keeps the exact text and type
    /// of its column or parameter; what is computed is a bigint, a double, a boolean or a text.
    ///
    /// # Errors
    /// As [`Self::evaluate`]; also for what no bind parameter can hold.
    pub fn bind(&self, expression: &str) -> Result<Cell, String> {
        if let Some(cell) = self.exact(expression) {
            return Ok(cell);
        }
        let value = self.evaluate(expression)?;
        let cell = |text: String, oid| {
            Ok(Cell {
                text: Some(text),
                oid,
            })
        };
        match value.kind() {
            ValueKind::None => Ok(Cell {
                text: None,
                oid: oid::UNKNOWN,
            }),
            ValueKind::Bool => cell(plain(&value), oid::BOOL),
            ValueKind::Number if value.is_integer() => {
                let wide = value.as_i64().is_none();
                cell(
                    value.to_string(),
                    if wide { oid::NUMERIC } else { oid::INT8 },
                )
            }
            ValueKind::Number => cell(value.to_string(), oid::FLOAT8),
            ValueKind::String => cell(value.as_str().unwrap_or_default().to_owned(), oid::UNKNOWN),
            ValueKind::Seq | ValueKind::Iterable => {
                let items = value.try_iter().map_err(|error| explain(&error))?;
                let items: Vec<String> = items.map(|item| plain(&item)).collect();
                cell(super::data::array_literal(&items), oid::UNKNOWN)
            }
            ValueKind::Map => {
                let json = serde_json::to_string(&value).map_err(|error| error.to_string())?;
                cell(json, oid::UNKNOWN)
            }
            ValueKind::Undefined => Err(format!("`{expression}` has no value")),
            other => Err(format!(
                "`{expression}` is a {other}, which no statement can take"
            )),
        }
    }

    /// Returns the value of a plain name or `name.attribute` as PostgreSQL knows it.
    fn exact(&self, expression: &str) -> Option<Cell> {
        let (name, attribute) = match parse_expr(expression).ok()? {
            Expr::Var(var) => (var.id.to_owned(), String::new()),
            Expr::GetAttr(node) => match &node.expr {
                Expr::Var(var) => (var.id.to_owned(), node.name.to_owned()),
                _ => return None,
            },
            _ => return None,
        };
        self.cells.get(&name)?.get(&attribute).cloned()
    }

    fn root(&self) -> Value {
        Value::from_pairs(
            self.values
                .iter()
                .map(|(name, value)| (name.clone(), value.clone())),
        )
    }
}

/// The one template environment: strict, so that a name without a value is an error and never a blank.
fn environment() -> &'static Environment<'static> {
    static ENVIRONMENT: OnceLock<Environment<'static>> = OnceLock::new();
    ENVIRONMENT.get_or_init(strict)
}

/// The environment for paths.
fn paths() -> &'static Environment<'static> {
    static PATHS: OnceLock<Environment<'static>> = OnceLock::new();
    PATHS.get_or_init(|| {
        let mut environment = strict();
        environment.set_formatter(|out, _, value| {
            let text = plain(value);
            if text.is_empty() {
                let why = "a value in the path is empty";
                return Err(minijinja::Error::new(ErrorKind::InvalidOperation, why));
            }
            if text.contains(['/', '\\']) || text.contains("..") || text.contains(char::is_control)
            {
                let why = format!("`{}` in a path is more than a name", text.escape_debug());
                return Err(minijinja::Error::new(ErrorKind::InvalidOperation, why));
            }
            out.write_str(&text).map_err(minijinja::Error::from)
        });
        environment
    })
}

fn strict() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_formatter(|out, state, value| match value.kind() {
        ValueKind::None | ValueKind::Bool => {
            out.write_str(&plain(value)).map_err(minijinja::Error::from)
        }
        _ => minijinja::escape_formatter(out, state, value),
    });
    // Texts are for terminals and databases: nothing is escaped as HTML.
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment
}

/// Returns a value as PostgreSQL's people write it, not as Python's do.
pub fn plain(value: &Value) -> String {
    match value.kind() {
        ValueKind::None => "null".to_owned(),
        ValueKind::Bool => value.is_true().to_string(),
        _ => value.to_string(),
    }
}

fn explain(error: &minijinja::Error) -> String {
    let detail = error
        .detail()
        .map_or_else(|| error.kind().to_string(), str::to_owned);
    detail.trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context() -> Context {
        let mut context = Context::default();
        context.insert("n", Value::from(41));
        context.insert(
            "c",
            Value::from_pairs([("total", Value::from(0.1)), ("name", Value::from("O'Neil"))]),
        );
        let exact = Cell {
            text: Some("0.10000000000000000001".to_owned()),
            oid: oid::NUMERIC,
        };
        context.insert_cell("c", "total", exact);
        context
    }

    #[test]
    fn a_plain_name_is_bound_exactly_and_a_computed_value_by_its_kind() {
        let bind = |expression: &str| {
            let cell = context().bind(expression).unwrap();
            (cell.text.unwrap(), cell.oid)
        };
        assert_eq!(
            bind("c.total"),
            ("0.10000000000000000001".to_owned(), oid::NUMERIC)
        );
        assert_eq!(bind("n + 1"), ("42".to_owned(), oid::INT8));
        assert_eq!(bind("n > 1"), ("true".to_owned(), oid::BOOL));
        assert_eq!(bind("c.name"), ("O'Neil".to_owned(), oid::UNKNOWN));
        assert_eq!(context().bind("none").unwrap().text, None);
    }

    #[test]
    fn a_value_in_a_path_is_a_name() {
        let mut context = context();
        let path = |context: &Context| context.render_path("../a/{{ x }}/{{ x }}.csv");
        context.insert("x", Value::from("Ü 'b'"));
        assert_eq!(path(&context).as_deref(), Ok("../a/Ü 'b'/Ü 'b'.csv"));
        for bad in ["", "..", "a/b", "/", "../x", "a\\b", "a\nb", "a\0b", "x..y"] {
            context.insert("x", Value::from(bad));
            assert!(path(&context).is_err(), "{bad:?}");
        }
        context.insert("x", Value::from("."));
        assert!(context.render_path("a/{{ x }}{{ x }}/b.csv").is_err());
        assert!(context.render_path("{{ missing }}.csv").is_err());
    }

    #[test]
    fn a_name_without_a_value_is_an_error() {
        assert!(context().render("{{ missing }}").is_err());
        assert!(context().bind("missing").is_err());
        assert!(context().holds("missing").is_err());
        assert!(context().holds("n").is_err());
        assert!(context().holds("n == 41 and c.name != 'x'").unwrap());
    }
}
