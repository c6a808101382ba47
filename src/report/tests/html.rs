//! Past runs as HTML: whatever a database holds, it is text there.

use proptest::prelude::*;

use super::everything::everything;
use super::markdown::page;
use super::run::whole_run;
use super::*;
use crate::base::source::Source;
use crate::report::graph;
use crate::report::html::{self, Graph};
use crate::runbook::check::Proved;

fn draw(kinds: Vec<EventKind>) -> String {
    let graph = Graph::Missing("There is no picture.".into());
    html::draw(&page(kinds, false), &graph).unwrap()
}

/// Returns the names of all tags in order, `/name` for an end. Asserts that they are balanced.
fn tags(html: &str) -> Vec<String> {
    let (head, rest) = html.split_once("<style>").unwrap();
    let (_, body) = rest.split_once("</style>").unwrap();
    let mut names = Vec::new();
    let mut open: Vec<String> = Vec::new();
    for text in [head, body] {
        let mut rest = text;
        while let Some(start) = rest.find('<') {
            rest = &rest[start + 1..];
            let end = close(rest);
            let tag = &rest[..end];
            rest = &rest[end + 1..];
            let name = tag.split([' ', '\n']).next().unwrap().trim_end_matches('/');
            names.push(name.to_owned());
            if let Some(ended) = name.strip_prefix('/') {
                assert_eq!(open.pop().as_deref(), Some(ended), "{names:?}");
            } else if !matches!(name, "!DOCTYPE" | "meta" | "br") && !tag.ends_with('/') {
                open.push(name.to_owned());
            }
        }
        assert!(!rest.contains('<'));
    }
    assert!(open.is_empty(), "{open:?}");
    names
}

/// Returns where a tag ends, past the values of its attributes.
fn close(tag: &str) -> usize {
    let mut quoted = false;
    let end = tag.find(|next| {
        quoted ^= next == '"';
        next == '>' && !quoted
    });
    end.unwrap()
}

#[test]
fn a_run_is_one_whole_page_without_anything_from_elsewhere() {
    let html = draw(whole_run());
    let names = tags(&html);
    for name in ["script", "link", "img", "iframe", "a href=\"http"] {
        assert!(!names.iter().any(|tag| tag == name), "{name}");
    }
    for word in ["http://", "https://", "url(", "@import"] {
        assert!(!html.contains(word), "{word}");
    }
    for text in [
        "<h1>Enable a suspended customer</h1>",
        "<strong>Done in 2.4 s (2.3 s waiting for you).</strong>",
        "<dt>Run</dt><dd>7f3k</dd>",
        "<td>go_ahead</td><td>Reactivate Acme GmbH and 3 users?</td><td>yes</td>\
         <td>anna, who typed &quot;Acme GmbH&quot;</td>",
        "<td class=\"number\">42</td><td>Acme GmbH</td>",
        "<caption>users: 3 updated</caption>",
        "<td>1, 2, 3</td><td>updated</td><td>is_active</td><td>f</td><td>t</td>",
        "<td class=\"null\">null</td>",
        "There is no picture.",
    ] {
        assert!(html.contains(text), "{text}\n{html}");
    }
}

#[test]
fn markup_in_data_stays_text() {
    let text = "<script>alert('1')</script> & \"q\" <!-- --> </td>\u{0}\u{1b}[31m\u{202e}";
    let html = draw(everything(text));
    assert_eq!(tags(&html), tags(&draw(everything("x"))));
    assert!(!html.contains("<script"));
    assert!(html.contains("&lt;script&gt;"));
    let acts = |next: char| next.is_control() && !matches!(next, '\n' | '\t');
    assert!(!html.contains(acts) && !html.contains('\u{202e}'));
}

proptest! {
    #[test]
    fn no_text_changes_the_shape_of_html(text in "[<>&\"'/={}%#a\r\n\t\u{202e}\u{0}-]{0,12}|\\PC{0,8}") {
        let html = draw(everything(&format!("x{text}x")));
        prop_assert_eq!(tags(&html), tags(&draw(everything("x"))));
    }
}

const FORK: &str = "runbook: fork
title: Forks <here> & \"there\"
risk: high
steps:
- query: first
  sql: SELECT 1 AS n
  rows: 1
- check: fork
  that: first.n == 1
  else: other
- confirm: go
  of: both
  ask: Change both?
- atomic: both
  steps:
  - fix: one
    sql: UPDATE users SET name = 'a' WHERE id = 1
    rows: 1
  - fix: two
    sql: UPDATE users SET name = 'b' WHERE id = 2
    rows: 1
- check: last
  that: first.n == 1
branches:
  other:
  - query: elsewhere
    sql: SELECT 3 AS n
    next: { done: There was nothing to do. }
";

fn fork() -> Proved {
    let source = Source::new("fork.yaml", FORK);
    crate::runbook::check::check(&source, &|_| None).unwrap_or_else(|errors| {
        let texts = errors.iter().map(|error| error.render(&source, false));
        panic!("{}", texts.collect::<String>())
    })
}

fn at(proved: &Proved, name: &str) -> StepRef {
    let step = proved.runbook.steps.iter().find(|step| step.name == name);
    let step = step.unwrap();
    StepRef {
        id: step.id,
        name: name.into(),
        kind: step.kind.word().into(),
        atomic: step.atomic.map(|id| proved.runbook.step(id).name.clone()),
    }
}

/// Returns the labels of the boxes with their marks, and how many arrows a run went.
fn marked(svg: &str) -> String {
    let boxes = svg.split("<title>").skip(1).map(|rest| {
        let (label, rest) = rest.split_once("</title>").unwrap();
        let mark = rest.split("font-weight=\"bold\"").nth(1);
        let own = rest.split("</g>").next().unwrap();
        let mark = mark.filter(|_| own.contains("font-weight=\"bold\""));
        let mark = mark.map_or("", |mark| {
            let text = mark.split_once('>').unwrap().1;
            text.split('<').next().unwrap()
        });
        format!("{mark}{label}")
    });
    let boxes: Vec<String> = boxes.collect();
    let arrows = svg.matches("url(#went)").count();
    format!("{}; {arrows} arrows", boxes.join(" "))
}

#[test]
fn the_way_that_a_run_took_is_marked_in_its_picture() {
    let proved = fork();
    let at = |name| at(&proved, name);
    let picture = |kinds: Vec<EventKind>| {
        let svg = graph::draw(&proved, &events(kinds));
        tags(&format!("<style></style>{svg}"));
        marked(&svg)
    };
    let first = || finish(at("first"), query(Rows::default()), 1.0);
    let fork = |passed, decision| EventKind::StepFinished {
        step: at("fork"),
        result: check(passed, &[]),
        decision,
        took_ms: 1.0,
    };
    let fixed = |name| finish(at(name), fix(1, Changes::default(), false), 1.0);
    let atomic = || EventKind::AtomicStarted {
        step: at("both"),
        item: None,
    };
    let none: Vec<EventKind> = vec![begin(false)];
    insta::assert_snapshot!(picture(none), @"first fork go one two last elsewhere done There was nothing to do.; 0 arrows");
    let whole = vec![
        begin(false),
        first(),
        fork(true, Decision::Next),
        finish(at("go"), answer(true, "anna", None), 1.0),
        atomic(),
        fixed("one"),
        fixed("two"),
        EventKind::AtomicCommitted {
            step: at("both"),
            changes: Changes::default(),
            took_ms: 1.0,
        },
        finish(at("last"), check(true, &[]), 1.0),
        end(Outcome::Done, "", &["both"]),
    ];
    insta::assert_snapshot!(picture(whole), @"✓first ✓fork ✓go ✓one ✓two ✓last elsewhere ✓done There was nothing to do.; 6 arrows");
    let other = vec![
        begin(false),
        first(),
        fork(false, Decision::Else),
        finish(at("elsewhere"), query(Rows::default()), 1.0),
        end(Outcome::Done, "", &[]),
    ];
    insta::assert_snapshot!(picture(other), @"✓first →fork go one two last ✓elsewhere done ✓There was nothing to do.; 3 arrows");
    let failed = vec![
        begin(false),
        first(),
        fork(true, Decision::Next),
        finish(at("go"), answer(true, "anna", None), 1.0),
        atomic(),
        fixed("one"),
        fail(at("two"), failure()),
        EventKind::AtomicRolledBack { step: at("both") },
        end(Outcome::Failed, "", &[]),
    ];
    insta::assert_snapshot!(picture(failed), @"✓first ✓fork ✓go ↶one ✗two last elsewhere done There was nothing to do.; 4 arrows");
    let undone = vec![
        begin(false),
        EventKind::UndoFinished {
            undone: vec![crate::engine::journal::Unit {
                step: at("both").id,
                item: None,
                part: 0,
            }],
            restored: 2,
            changes: Changes::default(),
            conflicts: Vec::new(),
            failure: None,
            took_ms: 1.0,
        },
        end(Outcome::RolledBack, "", &[]),
    ];
    insta::assert_snapshot!(picture(undone), @"first fork go ↶one ↶two last elsewhere done There was nothing to do.; 0 arrows");
}
