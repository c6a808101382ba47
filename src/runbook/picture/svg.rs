//! SVG images, without a program that lays them out: the main path goes down the left, what happens
//! otherwise stands to the right of where it is decided.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use petgraph::algo::toposort;
use petgraph::graph::{DiGraph, NodeIndex};

use super::walk::Fate;
use super::{Arrow, Box, BoxKind, Picture, wrap};

const WIDTH: usize = 230;
const HEIGHT: usize = 64;
const GAP_X: usize = 90;
const GAP_Y: usize = 46;
const MARGIN: usize = 80;
const TOP: usize = 60;

/// Draws a picture.
pub fn draw(picture: &Picture) -> String {
    let cells = lay(picture);
    let width = 2 * MARGIN
        + cells
            .iter()
            .map(|cell| cell.x() + WIDTH)
            .max()
            .unwrap_or(WIDTH);
    let height = TOP
        + MARGIN / 2
        + cells
            .iter()
            .map(|cell| cell.y() + HEIGHT)
            .max()
            .unwrap_or(0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"13\">\n{STYLE}"
    );
    let _ = writeln!(
        svg,
        "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n<text x=\"{MARGIN}\" y=\"32\" font-size=\"18\" font-weight=\"bold\">{}</text>",
        escape(&picture.title)
    );
    let _ = writeln!(svg, "<g transform=\"translate({MARGIN} {TOP})\">");
    if picture.walked {
        svg.push_str(WENT);
    }
    for (number, name) in picture.frames.iter().enumerate() {
        svg.push_str(&frame(picture, &cells, number, name));
    }
    // What a run went is drawn over what it did not.
    for taken in [false, true] {
        for arrow in picture.arrows.iter().filter(|arrow| arrow.taken == taken) {
            let group = group(picture.walked, taken);
            svg.push_str(&wrapped(&line(arrow, &cells), group));
        }
    }
    for (each, cell) in picture.boxes.iter().zip(&cells) {
        let group = group(picture.walked, each.reached);
        svg.push_str(&wrapped(&shape(each, *cell), group));
    }
    svg.push_str("</g>\n</svg>\n");
    svg
}

const STYLE: &str = "<defs><marker id=\"head\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" fill=\"#444\"/></marker></defs>\n";

/// The head of an arrow that a run went: as large as the others, though its line is wider.
const WENT: &str = "<defs><marker id=\"went\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"4\" markerHeight=\"4\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" fill=\"#444\"/></marker></defs>\n";

/// Where a box stands in the grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Cell {
    row: usize,
    column: usize,
}

impl Cell {
    fn x(self) -> usize {
        self.column * (WIDTH + GAP_X)
    }

    fn y(self) -> usize {
        self.row * (HEIGHT + GAP_Y)
    }
}

/// Steps of the main path take a row each, in the order of a topological sort. A step of a branch stands
/// below what leads to it, an end beside it, each in the first free column.
fn lay(picture: &Picture) -> Vec<Cell> {
    let mut graph: DiGraph<usize, ()> = DiGraph::new();
    let nodes: Vec<NodeIndex> = (0..picture.boxes.len())
        .map(|index| graph.add_node(index))
        .collect();
    for arrow in &picture.arrows {
        graph.add_edge(nodes[arrow.from], nodes[arrow.to], ());
    }
    // A proved runbook has no cycle; the order of the file serves where one is drawn nevertheless.
    let order: Vec<usize> = toposort(&graph, None).map_or_else(
        |_| (0..picture.boxes.len()).collect(),
        |sorted| sorted.into_iter().map(|node| graph[node]).collect(),
    );
    let mut rows = vec![0; picture.boxes.len()];
    for from in &order {
        for arrow in picture.arrows.iter().filter(|arrow| arrow.from == *from) {
            let row = rows[*from] + usize::from(is_step(picture, arrow.to));
            let first = !is_step(picture, arrow.to) && rows[arrow.to] > 0;
            if !first {
                rows[arrow.to] = rows[arrow.to].max(row);
            }
        }
    }
    place(picture, &rows)
}

fn is_step(picture: &Picture, index: usize) -> bool {
    matches!(picture.boxes[index].kind, BoxKind::Step(_))
}

fn place(picture: &Picture, rows: &[usize]) -> Vec<Cell> {
    let mut cells = vec![Cell { row: 0, column: 0 }; rows.len()];
    let mut taken = BTreeSet::new();
    let main = |index: usize| is_step(picture, index) && picture.boxes[index].branch.is_none();
    let (first, rest): (Vec<usize>, Vec<usize>) = (0..rows.len()).partition(|index| main(*index));
    for index in first.into_iter().chain(rest) {
        let least = usize::from(!main(index));
        let free = (least..).map(|column| Cell {
            row: rows[index],
            column,
        });
        if let Some(cell) = free.into_iter().find(|cell| !taken.contains(cell)) {
            taken.insert(cell);
            cells[index] = cell;
        }
    }
    cells
}

fn frame(picture: &Picture, cells: &[Cell], number: usize, name: &str) -> String {
    let inside: Vec<&Cell> = picture
        .boxes
        .iter()
        .zip(cells)
        .filter(|(each, _)| each.frame == Some(number))
        .map(|(_, cell)| cell)
        .collect();
    let (Some(x), Some(y)) = (
        inside.iter().map(|cell| cell.x()).min(),
        inside.iter().map(|cell| cell.y()).min(),
    ) else {
        return String::new();
    };
    let right = inside.iter().map(|cell| cell.x()).max().unwrap_or(x) + WIDTH;
    let bottom = inside.iter().map(|cell| cell.y()).max().unwrap_or(y) + HEIGHT;
    format!(
        "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"8\" fill=\"#f6f6f6\" stroke=\"#999\" stroke-dasharray=\"4 3\"/>\n<text x=\"{}\" y=\"{}\" font-size=\"11\" fill=\"#666\">atomic {}</text>\n",
        signed(x) - 14,
        signed(y) - 20,
        right - x + 28,
        bottom - y + 34,
        signed(x) - 8,
        signed(y) - 7,
        escape(name)
    )
}

fn signed(number: usize) -> isize {
    isize::try_from(number).unwrap_or(isize::MAX)
}

fn shape(each: &Box, cell: Cell) -> String {
    let (fill, stroke, round) = match each.kind {
        BoxKind::Success => ("#d9f2df", "#2e7d43", 32),
        BoxKind::Failure => ("#fbdcdc", "#b3261e", 32),
        BoxKind::Step("fix") => ("#fff1cc", "#a86f00", 4),
        BoxKind::Step("confirm") => ("#e3e9fc", "#3455b8", 4),
        BoxKind::Step("check") => ("#eef7fb", "#33748f", 16),
        BoxKind::Step(_) => ("#ffffff", "#555555", 4),
    };
    let (x, y) = (cell.x(), cell.y());
    let (stroke, extra, mark) = match fate(each.fate) {
        Some((stroke, dash, mark)) => (stroke, format!(" stroke-width=\"3\"{dash}"), mark),
        None => (stroke, String::new(), ""),
    };
    let mut svg = format!(
        "<g><title>{}</title><rect x=\"{x}\" y=\"{y}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" rx=\"{round}\" fill=\"{fill}\" stroke=\"{stroke}\"{extra}/>\n",
        escape(&each.label)
    );
    if !mark.is_empty() {
        let (right, top) = (x + WIDTH - 16, y + 20);
        let _ = writeln!(
            svg,
            "<text x=\"{right}\" y=\"{top}\" text-anchor=\"middle\" font-weight=\"bold\" fill=\"{stroke}\">{mark}</text>"
        );
    }
    let mut lines = wrap(&each.label, 31, 3);
    if let BoxKind::Step(word) = each.kind {
        lines.truncate(2);
        lines.insert(0, word.to_owned());
    }
    let middle = x + WIDTH / 2;
    let top = y + HEIGHT / 2 + 5 - (lines.len() - 1) * 8;
    for (number, text) in lines.iter().enumerate() {
        let kind = number == 0 && matches!(each.kind, BoxKind::Step(_));
        let look = if kind {
            " font-size=\"11\" fill=\"#666\""
        } else {
            ""
        };
        let _ = writeln!(
            svg,
            "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\"{look}>{}</text>",
            top + number * 16,
            escape(text)
        );
    }
    svg.push_str("</g>\n");
    svg
}

/// Returns the look of what a run did not come to.
fn group(walked: bool, reached: bool) -> Option<&'static str> {
    (walked && !reached).then_some("<g opacity=\"0.4\">")
}

fn wrapped(svg: &str, group: Option<&str>) -> String {
    match group {
        Some(group) => format!("{group}\n{svg}</g>\n"),
        None => svg.to_owned(),
    }
}

/// Returns the colour, the width and the dashes of the line around a box, and the mark in its corner.
fn fate(fate: Option<Fate>) -> Option<(&'static str, &'static str, &'static str)> {
    Some(match fate? {
        Fate::Done => ("#2e7d43", "", "✓"),
        Fate::No => ("#33748f", "", "→"),
        Fate::Failed => ("#b3261e", "", "✗"),
        Fate::Skipped => ("#777777", " stroke-dasharray=\"4 4\"", "–"),
        Fate::Undone => ("#a86f00", " stroke-dasharray=\"8 4\"", "↶"),
    })
}

fn line(arrow: &Arrow, cells: &[Cell]) -> String {
    let (from, to) = (cells[arrow.from], cells[arrow.to]);
    let (path, label) = route(from, to);
    let dash = if arrow.error {
        " stroke-dasharray=\"5 4\""
    } else {
        ""
    };
    let (dash, head, label_look) = if arrow.taken {
        let wide = format!("{dash} stroke-width=\"3\"");
        (wide, "went", " font-weight=\"bold\"")
    } else {
        (dash.to_owned(), "head", "")
    };
    let mut svg = format!(
        "<path d=\"{path}\" fill=\"none\" stroke=\"#444\"{dash} marker-end=\"url(#{head})\"/>\n"
    );
    if !arrow.label.is_empty() {
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" font-size=\"11\" fill=\"#444\"{label_look}>{}</text>",
            label.0,
            label.1,
            escape(&super::short(&arrow.label, 18))
        );
    }
    svg
}

/// Returns the path of an arrow, and where its label stands.
fn route(from: Cell, to: Cell) -> (String, (usize, usize)) {
    let middle = |cell: Cell| (cell.x() + WIDTH / 2, cell.y() + HEIGHT / 2);
    let ((fx, fy), (tx, ty)) = (middle(from), middle(to));
    let (right, bottom) = (from.x() + WIDTH, from.y() + HEIGHT);
    if from.column == to.column && to.row == from.row + 1 {
        return (format!("M{fx} {bottom}V{}", to.y()), (fx + 8, bottom + 28));
    }
    if from.row == to.row && to.column > from.column {
        // Around the boxes in between, where there are any.
        let path = if to.column == from.column + 1 {
            format!("M{right} {fy}H{}", to.x())
        } else {
            let below = bottom + 12;
            format!("M{right} {}H{}V{below}H{tx}V{bottom}", fy + 16, right + 14)
        };
        let label = if to.column == from.column + 1 {
            (right + 18, fy - 6)
        } else {
            (tx + 8, bottom + 24)
        };
        return (path, label);
    }
    if from.column == to.column {
        // Past the steps in between, on their left.
        let (left, bend) = (
            from.x(),
            signed(from.x()) - 14 - 9 * signed(to.row.abs_diff(from.row)).min(6),
        );
        let path = format!("M{left} {fy}C{bend} {fy} {bend} {ty} {} {ty}", to.x());
        return (path, (left, fy.min(ty) + HEIGHT / 2 + 14));
    }
    if to.column > from.column {
        let path = format!(
            "M{right} {fy}C{} {fy} {tx} {} {tx} {}",
            right + GAP_X,
            to.y().saturating_sub(GAP_Y),
            to.y()
        );
        return (path, (right + 8, fy + 16));
    }
    let path = format!(
        "M{fx} {bottom}C{fx} {} {} {ty} {} {ty}",
        bottom + GAP_Y,
        to.x() + WIDTH + GAP_X,
        to.x() + WIDTH
    );
    (path, (fx + 8, bottom + 18))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
