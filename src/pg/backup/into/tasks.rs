//! What is to be done for the tables of a new database, and what of it can be done now.

use std::collections::VecDeque;

use crate::archive::manifest::Table;

/// What one worker does at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// The rows of a table come.
    Rows(usize),
    /// Its keys are made, and whatever else nobody else may look at it for.
    Keys(usize),
    /// An index of it is built.
    Index(usize, String),
    /// Its rows are counted and hashed, and compared.
    Compare(usize),
    /// The planner learns what is in it.
    Analyze(usize),
    /// A foreign key is checked: of which tables, and by which statement.
    Foreign(Vec<usize>, String),
}

/// What is known of a table so far.
struct Progress {
    keys: Vec<String>,
    indexes: Vec<String>,
    /// How many tasks of it must be done before it is whole.
    open: usize,
    /// How large it is, about.
    bytes: u64,
}

/// The tasks of all tables.
pub(super) struct Tasks {
    tables: Vec<Progress>,
    ready: VecDeque<Task>,
    foreign: Vec<(Vec<usize>, String)>,
    /// Tables that a foreign key is being checked of.
    busy: Vec<usize>,
    running: usize,
    /// Tables that are not whole.
    unfinished: usize,
    /// Whether rows are compared and tables analyzed only, since they are there already.
    is_filled: bool,
}

impl Tasks {
    /// Everything for these tables, the largest first; of tables that are filled only what comes after.
    pub(super) fn new(tables: &[Table], is_filled: bool) -> Self {
        let mut order: Vec<usize> = (0..tables.len()).collect();
        order.sort_by_key(|index| std::cmp::Reverse(tables.get(*index).map(|table| table.bytes)));
        let mut foreign = Vec::new();
        let progress = |(index, table): (usize, &Table)| {
            let (mut keys, mut indexes) = (Vec::new(), Vec::new());
            for statement in &table.definition.after {
                if is_foreign(statement) {
                    foreign.push((involved(tables, index, statement), statement.clone()));
                } else if statement.starts_with("CREATE INDEX ")
                    || statement.starts_with("CREATE UNIQUE INDEX ")
                {
                    indexes.push(statement.clone());
                } else {
                    keys.push(statement.clone());
                }
            }
            Progress {
                keys,
                open: 1 + indexes.len(),
                indexes,
                bytes: table.bytes,
            }
        };
        let states: Vec<Progress> = tables.iter().enumerate().map(progress).collect();
        let first = if is_filled { Task::Compare } else { Task::Rows };
        Self {
            unfinished: states.len(),
            tables: states,
            ready: order.into_iter().map(first).collect(),
            foreign,
            busy: Vec::new(),
            running: 0,
            is_filled,
        }
    }

    /// Returns what can be done now.
    pub(super) fn take(&mut self) -> Option<Task> {
        let task = self.ready.pop_front().or_else(|| self.foreign())?;
        self.running += 1;
        Some(task)
    }

    /// Returns whether nothing is left, nor will come.
    pub(super) fn is_over(&self) -> bool {
        self.running == 0 && self.ready.is_empty() && self.foreign.is_empty()
    }

    /// Foreign keys come when all tables are whole; two of the same table would wait for each other.
    fn foreign(&mut self) -> Option<Task> {
        if self.unfinished > 0 {
            return None;
        }
        let is_free = |(of, _): &(Vec<usize>, String)| !of.iter().any(|at| self.busy.contains(at));
        let at = self.foreign.iter().position(is_free)?;
        let (of, statement) = self.foreign.remove(at);
        self.busy.extend(&of);
        Some(Task::Foreign(of, statement))
    }

    /// Notes what is done, and what can be done by that.
    pub(super) fn done(&mut self, task: &Task) {
        self.running -= 1;
        match task {
            Task::Rows(index) => self.next(Task::Keys(*index), *index),
            Task::Keys(index) => {
                let indexes = self.tables.get_mut(*index);
                let indexes = indexes.map_or_else(Vec::new, |of| std::mem::take(&mut of.indexes));
                self.next(Task::Compare(*index), *index);
                for statement in indexes {
                    self.next(Task::Index(*index, statement), *index);
                }
            }
            Task::Index(index, _) | Task::Compare(index) => {
                let Some(of) = self.tables.get_mut(*index) else {
                    return;
                };
                of.open = if self.is_filled { 0 } else { of.open - 1 };
                if of.open == 0 {
                    self.next(Task::Analyze(*index), *index);
                }
            }
            Task::Analyze(_) => self.unfinished -= 1,
            Task::Foreign(of, _) => self.busy.retain(|at| !of.contains(at)),
        }
    }

    /// What goes on with a table comes before smaller tables begin.
    fn next(&mut self, task: Task, index: usize) {
        let size = |index: usize| self.tables.get(index).map_or(0, |of| of.bytes);
        let own = size(index);
        let at = self.ready.iter().position(|task| {
            let of = match task {
                Task::Rows(at)
                | Task::Keys(at)
                | Task::Index(at, _)
                | Task::Compare(at)
                | Task::Analyze(at) => *at,
                Task::Foreign(..) => return true,
            };
            of != index && size(of) <= own
        });
        self.ready.insert(at.unwrap_or(self.ready.len()), task);
    }

    /// Returns what makes the keys of a table.
    pub(super) fn keys(&mut self, index: usize) -> Vec<String> {
        let of = self.tables.get_mut(index);
        of.map_or_else(Vec::new, |of| std::mem::take(&mut of.keys))
    }
}

fn is_foreign(statement: &str) -> bool {
    statement.starts_with("ALTER TABLE ") && statement.contains(" FOREIGN KEY (")
}

/// Returns the tables that a foreign key is about: all of them, where it names none of these.
fn involved(tables: &[Table], own: usize, statement: &str) -> Vec<usize> {
    let is_named = |table: &Table| statement.contains(&format!(" REFERENCES {}(", table.relation));
    let mut of: Vec<usize> = (0..tables.len())
        .filter(|at| tables.get(*at).is_some_and(is_named))
        .collect();
    if of.is_empty() {
        return (0..tables.len()).collect();
    }
    of.push(own);
    of
}
