//! How output looks: its colours, its characters and its width.

use console::Style;

use super::line::Line;

/// What a terminal, a file or a pipe can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Whether it shows colours.
    pub colors: bool,
    /// Whether it shows more than ASCII.
    pub unicode: bool,
    /// How many columns it has; a file or a pipe has no width, and nothing is cut for it.
    pub width: Option<usize>,
}

impl Look {
    /// Returns an empty line.
    pub fn line(self) -> Line {
        Line::new(self)
    }

    /// Returns the look of what stands `indent` columns further in.
    #[must_use]
    pub fn inside(self, indent: usize) -> Self {
        Self {
            width: self.width.map(|width| width.saturating_sub(indent).max(1)),
            ..self
        }
    }

    /// Returns the characters to draw with.
    pub fn glyphs(self) -> &'static Glyphs {
        if self.unicode { &UNICODE } else { &ASCII }
    }

    /// Returns the column at which text that flows breaks, and times end.
    pub(super) fn edge(self) -> usize {
        self.width.map_or(EDGE, |width| width.min(EDGE))
    }
}

/// Wider lines are hard to follow from their name to their time.
const EDGE: usize = 98;

/// What a piece of text is, for its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// As it is.
    Plain,
    /// Less important.
    Dim,
    /// More important.
    Strong,
    /// It went well.
    Good,
    /// It did not.
    Bad,
    /// Something to look at.
    Warn,
    /// A question, or what to do next.
    Ask,
}

impl Tone {
    pub(super) fn style(self, colors: bool) -> Style {
        let style = Style::new().force_styling(colors);
        match self {
            Self::Plain => style,
            Self::Dim => style.dim(),
            Self::Strong => style.bold(),
            Self::Good => style.green(),
            Self::Bad => style.red().bold(),
            Self::Warn => style.yellow(),
            Self::Ask => style.cyan(),
        }
    }
}

/// What stands before a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// It went well.
    Passed,
    /// It failed, or said no.
    Failed,
    /// It asks.
    Asks,
    /// Something to look at.
    Warning,
    /// It was left out.
    Skipped,
    /// It runs again.
    Again,
    /// It said no, and the run goes on by another way.
    Leads,
    /// It was put back.
    Undone,
}

impl Mark {
    /// Returns its colour.
    pub fn tone(self) -> Tone {
        match self {
            Self::Passed => Tone::Good,
            Self::Failed => Tone::Bad,
            Self::Asks => Tone::Ask,
            Self::Warning | Self::Again => Tone::Warn,
            Self::Skipped => Tone::Dim,
            Self::Leads | Self::Undone => Tone::Plain,
        }
    }

    /// Returns its character.
    pub fn glyph(self, glyphs: &Glyphs) -> &str {
        let [passed, failed, asks, warning, skipped, again, leads, undone] = glyphs.marks;
        match self {
            Self::Passed => passed,
            Self::Failed => failed,
            Self::Asks => asks,
            Self::Warning => warning,
            Self::Skipped => skipped,
            Self::Again => again,
            Self::Leads => leads,
            Self::Undone => undone,
        }
    }
}

/// Characters to draw with.
#[derive(Debug)]
pub struct Glyphs {
    /// In the order of [`Mark`].
    marks: [&'static str; 8],
    /// How many columns the widest mark has.
    pub mark_width: usize,
    /// Between before and after.
    pub arrow: &'static str,
    /// Something was left out.
    pub ellipsis: &'static str,
    /// Between facts.
    pub dot: &'static str,
    /// For a line feed.
    pub newline: &'static str,
    /// For a tab.
    pub tab: &'static str,
    /// Parts of a bar, the smallest first; the last is a whole one.
    pub bars: &'static [&'static str],
}

const UNICODE: Glyphs = Glyphs {
    marks: ["✓", "✗", "?", "!", "–", "⟲", "→", "↶"],
    mark_width: 1,
    arrow: "→",
    ellipsis: "…",
    dot: "·",
    newline: "↵",
    tab: "⇥",
    bars: &["▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"],
};

const ASCII: Glyphs = Glyphs {
    marks: ["ok", "x", "?", "!", "-", "~", ">", "<"],
    mark_width: 2,
    arrow: "->",
    ellipsis: "...",
    dot: "-",
    newline: "\\n",
    tab: "\\t",
    bars: &["#"],
};
