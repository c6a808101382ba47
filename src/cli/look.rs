//! How output looks: colours, Unicode and width, decided once from flags, variables and terminals.

use clap::ValueEnum;

use crate::pg::environment::Environment;

/// What is known of the terminal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terminal {
    /// Whether standard input is one.
    pub stdin: bool,
    /// Whether standard output is one.
    pub stdout: bool,
    /// Whether standard error is one.
    pub stderr: bool,
    /// Its width in columns.
    pub width: Option<usize>,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum When {
    /// On a terminal that has them.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How output looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Whether standard output has colours.
    pub color_out: bool,
    /// Whether standard error has colours.
    pub color_err: bool,
    /// Whether more than ASCII can be drawn.
    pub unicode: bool,
    /// The width in columns.
    pub width: usize,
}

impl Look {
    /// Decides how output looks.
    pub fn new(terminal: &Terminal, environment: &Environment, when: When) -> Self {
        let colored = |is_terminal: bool| match when {
            When::Always => true,
            When::Never => false,
            When::Auto if environment.var("NO_COLOR").is_some() => false,
            When::Auto
                if environment
                    .var("CLICOLOR_FORCE")
                    .is_some_and(|force| force != "0") =>
            {
                true
            }
            When::Auto => is_terminal && environment.var("TERM") != Some("dumb"),
        };
        let columns = environment
            .var("COLUMNS")
            .and_then(|columns| columns.parse().ok());
        Self {
            color_out: colored(terminal.stdout),
            color_err: colored(terminal.stderr),
            unicode: unicode(environment),
            width: terminal.width.or(columns).unwrap_or(100).max(40),
        }
    }
}

/// A locale that is set and is not UTF-8 cannot show more than ASCII; one that is not set says nothing, as
/// in containers, whose output goes to something that can.
fn unicode(environment: &Environment) -> bool {
    ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .find_map(|name| environment.var(name))
        .is_none_or(|locale| {
            let locale = locale.to_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    type Vars = [(&'static str, &'static str)];

    const TERMINAL: Terminal = Terminal {
        stdin: true,
        stdout: true,
        stderr: true,
        width: Some(120),
    };

    #[test]
    fn colours_follow_flags_then_variables_then_terminals() {
        let cases: [(&Vars, When, bool, bool); 8] = [
            (&[], When::Auto, true, true),
            (&[], When::Auto, false, false),
            (&[("NO_COLOR", "1")], When::Auto, true, false),
            (&[("NO_COLOR", "1")], When::Always, false, true),
            (&[("CLICOLOR_FORCE", "1")], When::Auto, false, true),
            (&[("CLICOLOR_FORCE", "0")], When::Auto, false, false),
            (&[("TERM", "dumb")], When::Auto, true, false),
            (&[("CLICOLOR_FORCE", "1")], When::Never, true, false),
        ];
        for (vars, when, stdout, colored) in cases {
            let environment = vars
                .iter()
                .fold(Environment::empty(), |all, (name, value)| {
                    all.with(*name, *value)
                });
            let terminal = Terminal { stdout, ..TERMINAL };
            let look = Look::new(&terminal, &environment, when);
            assert_eq!(look.color_out, colored, "{vars:?} {when:?} {stdout}");
        }
    }

    #[test]
    fn the_first_locale_that_is_set_decides_about_unicode() {
        let cases: [(&Vars, bool); 5] = [
            (&[], true),
            (&[("LANG", "C")], false),
            (&[("LANG", "en_US.UTF-8")], true),
            (&[("LC_ALL", "POSIX"), ("LANG", "en_US.UTF-8")], false),
            (&[("LC_CTYPE", "de_DE.utf8"), ("LANG", "C")], true),
        ];
        for (vars, expected) in cases {
            let environment = vars
                .iter()
                .fold(Environment::empty(), |all, (name, value)| {
                    all.with(*name, *value)
                });
            assert_eq!(unicode(&environment), expected, "{vars:?}");
        }
    }
}
