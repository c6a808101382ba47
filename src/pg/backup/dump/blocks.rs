//! The rows in what `pg_restore` prints: blocks of lines between `COPY table (columns) FROM stdin;` and `\.`.

use std::io::{Error, ErrorKind, Read, Result};

/// How much is read at once.
const CHUNK: usize = 256 << 10;

/// What ends a block.
const END: &[u8] = b"\\.\n";

/// A table as the beginning of its block names it: names as they are, without quotes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name {
    pub(super) schema: String,
    pub(super) table: String,
}

/// What a block holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) name: Name,
    pub(super) columns: Vec<String>,
}

/// Reads what `pg_restore --data-only` prints.
pub(super) struct Blocks<R> {
    from: R,
    buffer: Vec<u8>,
    /// What of the buffer was not handed on yet.
    start: usize,
    ended: bool,
}

impl<R: Read> Blocks<R> {
    pub(super) fn new(from: R) -> Self {
        Self {
            from,
            buffer: Vec::new(),
            start: 0,
            ended: false,
        }
    }

    /// Passes over what is between blocks, and returns what the next one holds; none at the end. The block
    /// before must have been read to its end.
    ///
    /// # Errors
    /// It cannot be read, or is not what `pg_restore` prints.
    pub(super) fn block(&mut self) -> Result<Option<Header>> {
        let mut statement = Vec::new();
        let mut quote = None;
        while let Some(line) = self.line()? {
            // Comments, and what is meant for psql: neither is within a statement.
            let between = quote.is_none() && statement.is_empty();
            if between && (line.starts_with(b"--") || line.starts_with(b"\\") || line == b"\n") {
                continue;
            }
            for byte in &line {
                match (quote, byte) {
                    (None, b'\'' | b'"') => quote = Some(*byte),
                    (Some(open), byte) if open == *byte => quote = None,
                    _ => {}
                }
            }
            statement.extend_from_slice(&line);
            if quote.is_none() && statement.trim_ascii_end().ends_with(b";") {
                if let Some(header) = Header::read(&statement)? {
                    return Ok(Some(header));
                }
                statement.clear();
            }
        }
        if statement.is_empty() {
            return Ok(None);
        }
        Err(Error::new(
            ErrorKind::UnexpectedEof,
            "it ends in the middle of a statement",
        ))
    }

    /// Returns the next lines of the block, whole ones with their newlines; none at its end.
    ///
    /// # Errors
    /// It cannot be read, or ends before the block does.
    pub(super) fn lines(&mut self) -> Result<Option<&[u8]>> {
        let (whole, ends) = loop {
            let rest = self.rest();
            if let Some(last) = rest.iter().rposition(|byte| *byte == b'\n') {
                let lines = rest.get(..=last).unwrap_or_default();
                break end_in(lines).map_or((lines.len(), false), |at| (at, true));
            }
            if !self.fill()? {
                return Err(Error::new(
                    ErrorKind::UnexpectedEof,
                    "it ends in the middle of a table's rows",
                ));
            }
        };
        let start = self.start;
        self.start += whole;
        if whole > 0 {
            return Ok(self.buffer.get(start..start + whole));
        }
        if ends {
            self.start += END.len();
        }
        Ok(None)
    }

    fn rest(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }

    /// Returns the next line with its newline.
    fn line(&mut self) -> Result<Option<Vec<u8>>> {
        loop {
            let newline = self.rest().iter().position(|byte| *byte == b'\n');
            if let Some(at) = newline {
                let line = self.rest().get(..=at).unwrap_or_default().to_vec();
                self.start += line.len();
                return Ok(Some(line));
            }
            if !self.fill()? {
                let line = self.rest().to_vec();
                self.start += line.len();
                return Ok(Some(line).filter(|line| !line.is_empty()));
            }
        }
    }

    /// Reads more; returns whether there was any.
    fn fill(&mut self) -> Result<bool> {
        self.buffer.drain(..self.start);
        self.start = 0;
        let before = self.buffer.len();
        if self.ended {
            return Ok(false);
        }
        let more = u64::try_from(CHUNK).unwrap_or(u64::MAX);
        let count = self
            .from
            .by_ref()
            .take(more)
            .read_to_end(&mut self.buffer)?;
        self.ended = count == 0;
        Ok(self.buffer.len() > before)
    }
}

/// Returns where the line begins that ends a block.
fn end_in(lines: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(rest) = lines.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with(END) {
            return Some(at);
        }
        at += rest.iter().position(|byte| *byte == b'\n')? + 1;
    }
    None
}

impl Header {
    /// Reads the statement that begins a block; none where it is another one.
    fn read(statement: &[u8]) -> Result<Option<Self>> {
        let is_copy = |text: &&[u8]| text.starts_with(b"COPY ") && text.ends_with(b" FROM stdin;");
        let Some(text) = Some(statement.trim_ascii_end()).filter(is_copy) else {
            return Ok(None);
        };
        let text = String::from_utf8_lossy(text);
        let header = Self::parse(&text).ok_or_else(|| {
            let why = format!("what begins a table's rows cannot be read: {text}");
            Error::new(ErrorKind::InvalidData, why)
        })?;
        Ok(Some(header))
    }

    fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("COPY ")?;
        let (schema, rest) = name(rest)?;
        let (table, rest) = name(rest.strip_prefix('.')?)?;
        let rest = rest.strip_suffix("FROM stdin;")?.trim();
        let mut columns = Vec::new();
        if !rest.is_empty() {
            let mut list = rest.strip_prefix('(')?.strip_suffix(')')?;
            loop {
                let (column, after) = name(list)?;
                columns.push(column);
                match after.strip_prefix(", ") {
                    Some(more) => list = more,
                    None if after.is_empty() => break,
                    None => return None,
                }
            }
        }
        Some(Self {
            name: Name { schema, table },
            columns,
        })
    }
}

impl Name {
    /// Reads a table's name with its schema, quoted as servers quote.
    pub(super) fn parse(relation: &str) -> Option<Self> {
        let (schema, rest) = name(relation)?;
        let (table, rest) = name(rest.strip_prefix('.')?)?;
        rest.is_empty().then_some(Self { schema, table })
    }
}

/// Takes a name off the beginning of a text, and its quotes off the name.
fn name(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([' ', '.', ',', '(', ')']).unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        return (!name.is_empty()).then(|| (name.to_owned(), rest));
    };
    let mut name = String::new();
    let mut rest = quoted;
    loop {
        let (before, after) = rest.split_once('"')?;
        name.push_str(before);
        match after.strip_prefix('"') {
            Some(more) => {
                name.push('"');
                rest = more;
            }
            None => return Some((name, after)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = "--\n-- It's a dump\n--\n\n\\restrict x'\n\nSET a = 'b;\nCOPY public.no (a) FROM stdin;\n';\n\
        COPY public.users (id, \"a, \"\"b\") FROM stdin;\n1\t\\\\.\n2\tx\n\\.\n\n\n\
        SELECT pg_catalog.setval('public.s', 1, true);\n\
        COPY \"A B\".\"c.d\"  FROM stdin;\n\n\\.\n\\unrestrict x\n";

    /// Hands out few bytes at a time.
    struct Slow<'a>(&'a [u8]);

    impl Read for Slow<'_> {
        fn read(&mut self, to: &mut [u8]) -> Result<usize> {
            let count = 3.min(to.len());
            self.0.read(&mut to[..count])
        }
    }

    fn read(text: &str) -> Result<Vec<(Header, String)>> {
        let mut blocks = Blocks::new(Slow(text.as_bytes()));
        let mut found = Vec::new();
        while let Some(header) = blocks.block()? {
            let mut rows = String::new();
            while let Some(lines) = blocks.lines()? {
                rows.push_str(std::str::from_utf8(lines).unwrap());
            }
            found.push((header, rows));
        }
        Ok(found)
    }

    #[test]
    fn blocks_are_found_among_statements_comments_and_texts() {
        let header = |schema: &str, table: &str, columns: &[&str]| Header {
            name: Name {
                schema: schema.to_owned(),
                table: table.to_owned(),
            },
            columns: columns.iter().map(|&column| column.to_owned()).collect(),
        };
        assert_eq!(
            read(PRINTED).unwrap(),
            [
                (
                    header("public", "users", &["id", "a, \"b"]),
                    "1\t\\\\.\n2\tx\n".to_owned()
                ),
                (header("A B", "c.d", &[]), "\n".to_owned()),
            ]
        );
    }

    #[test]
    fn case_43_what_ends_within_a_block_is_found() {
        let begin = PRINTED.find("COPY public.users").unwrap();
        let end = PRINTED.find("\\.\n\n\nSELECT").unwrap();
        for cut in begin + 1..end {
            assert!(read(&PRINTED[..cut]).is_err(), "{cut}");
        }
    }
}
