//! A run as one HTML file that needs nothing else: its style is in it, it has no scripts, and everything that
//! a database holds is escaped by the template.

use std::io;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, Value, context};

use super::page::Page;

const TEMPLATE: &str = include_str!("html/page.html");

/// The picture of the runbook with the way of the run in it, or why there is none.
pub enum Graph {
    /// An SVG element.
    Svg(String),
    /// Why there is none.
    Missing(String),
}

/// Draws a page.
///
/// # Errors
/// The template, which is ours, does not fit the page.
pub fn draw(page: &Page, graph: &Graph) -> io::Result<String> {
    let mut environment = Environment::new();
    environment.set_syntax(syntax().map_err(io::Error::other)?);
    let (svg, missing) = match graph {
        Graph::Svg(svg) => (svg.as_str(), ""),
        Graph::Missing(why) => ("", why.as_str()),
    };
    let page = Value::from(Serde(page));
    // The name decides that it is escaped as HTML.
    environment
        .add_template("page.html", TEMPLATE)
        .and_then(|()| environment.get_template("page.html"))
        .and_then(|template| template.render(context! { page, svg, missing }))
        .map_err(io::Error::other)
}

/// Lines that only have a tag in them leave nothing behind.
fn syntax() -> Result<SyntaxConfig, minijinja::Error> {
    SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build()
}
