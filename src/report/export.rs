//! Rows for other programs: as CSV, or one JSON object a line.

use std::collections::HashSet;
use std::io::{Error, Result, Write};

use crate::runbook::data::{Column, TakeRows, oid};
use crate::step::query::FileFormat;

/// Writes rows as they come.
pub struct Export<W: Write> {
    out: Out<W>,
    columns: Vec<Column>,
}

enum Out<W: Write> {
    Csv(Box<csv::Writer<W>>),
    Jsonl(W),
}

impl<W: Write> Export<W> {
    /// Returns what writes rows to an output.
    pub fn new(out: W, format: FileFormat) -> Self {
        let mut csv = csv::WriterBuilder::new();
        csv.terminator(csv::Terminator::CRLF).flexible(true);
        let out = match format {
            FileFormat::Csv => Out::Csv(Box::new(csv.from_writer(out))),
            FileFormat::Jsonl => Out::Jsonl(out),
        };
        Self {
            out,
            columns: Vec::new(),
        }
    }

    /// Returns the output, with all of it written.
    ///
    /// # Errors
    /// The system refuses.
    pub fn finish(self) -> Result<W> {
        match self.out {
            Out::Csv(mut csv) => {
                csv.flush()?;
                let inner = csv.into_inner();
                inner.map_err(|error| Error::other(error.to_string()))
            }
            Out::Jsonl(mut out) => {
                out.flush()?;
                Ok(out)
            }
        }
    }
}

/// Returns a row as an object.
fn object(columns: &[Column], row: &[Option<String>]) -> Result<String> {
    let mut line = String::from("{");
    for (column, text) in columns.iter().zip(row) {
        if line.len() > 1 {
            line.push(',');
        }
        line.push_str(&serde_json::to_string(&column.name)?);
        line.push(':');
        line.push_str(&json(text.as_deref(), column.oid)?);
    }
    line.push_str("}\n");
    Ok(line)
}

impl<W: Write> TakeRows for Export<W> {
    fn columns(&mut self, columns: &[Column]) -> Result<()> {
        let mut names = HashSet::new();
        let twice = columns.iter().find(|column| !names.insert(&column.name));
        if let (Out::Jsonl(_), Some(column)) = (&self.out, twice) {
            let why = format!(
                "two columns are called `{}`: give each a name of its own with AS",
                column.name
            );
            return Err(Error::other(why));
        }
        columns.clone_into(&mut self.columns);
        if let Out::Csv(csv) = &mut self.out {
            csv.write_record(columns.iter().map(|column| column.name.as_bytes()))?;
        }
        Ok(())
    }

    fn row(&mut self, row: &[Option<String>]) -> Result<()> {
        match &mut self.out {
            Out::Csv(csv) => {
                csv.write_record(row.iter().map(|text| text.as_deref().unwrap_or_default()))?;
                Ok(())
            }
            Out::Jsonl(out) => out.write_all(object(&self.columns, row)?.as_bytes()),
        }
    }
}

/// Returns a value in JSON. Its digits stay as they are: a number of JSON may have any.
fn json(text: Option<&str>, kind: u32) -> Result<String> {
    let Some(text) = text else {
        return Ok("null".to_owned());
    };
    let is_number = || serde_json::from_str::<serde_json::Number>(text).is_ok();
    Ok(match kind {
        oid::BOOL => (text == "t").to_string(),
        oid::INT2 | oid::INT4 | oid::INT8 | oid::OID | oid::FLOAT4 | oid::FLOAT8 | oid::NUMERIC
            if is_number() =>
        {
            text.to_owned()
        }
        // Only between its parts can it have line breaks.
        oid::JSON | oid::JSONB => text.replace(['\n', '\r'], " "),
        _ => serde_json::to_string(text)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn export(format: FileFormat, rows: &[&[Option<&str>]], columns: &[(&str, u32)]) -> String {
        let mut export = Export::new(Vec::new(), format);
        let column = |(name, oid): &(&str, u32)| Column {
            name: (*name).to_owned(),
            kind: String::new(),
            oid: *oid,
            ..Column::default()
        };
        let columns: Vec<Column> = columns.iter().map(column).collect();
        export.columns(&columns).unwrap();
        for row in rows {
            let row: Vec<_> = row.iter().map(|text| text.map(str::to_owned)).collect();
            export.row(&row).unwrap();
        }
        String::from_utf8(export.finish().unwrap()).unwrap()
    }

    const COLUMNS: [(&str, u32); 5] = [
        ("id", oid::INT8),
        ("a \"b\", c", oid::TEXT),
        ("n", oid::NUMERIC),
        ("on", oid::BOOL),
        ("j", oid::JSON),
    ];

    const ROWS: [&[Option<&str>]; 3] = [
        &[
            Some("1"),
            Some("x,\ny\"z"),
            Some("12345678901234567890.1230"),
            Some("t"),
            Some("{\"a\":\n [1, 1.0]}"),
        ],
        &[Some("2"), Some(""), Some("NaN"), Some("f"), Some("null")],
        &[None, None, None, None, None],
    ];

    #[test]
    fn csv_is_quoted_where_it_must_be() {
        assert_eq!(
            export(FileFormat::Csv, &ROWS, &COLUMNS),
            "id,\"a \"\"b\"\", c\",n,on,j\r\n\
             1,\"x,\ny\"\"z\",12345678901234567890.1230,t,\"{\"\"a\"\":\n [1, 1.0]}\"\r\n\
             2,,NaN,f,null\r\n,,,,\r\n"
        );
        assert_eq!(
            export(FileFormat::Csv, &[&[None]], &[("a", 0)]),
            "a\r\n\"\"\r\n"
        );
    }

    #[test]
    fn json_has_types() {
        assert_eq!(
            export(FileFormat::Jsonl, &ROWS, &COLUMNS),
            "{\"id\":1,\"a \\\"b\\\", c\":\"x,\\ny\\\"z\",\"n\":12345678901234567890.1230,\"on\":true,\"j\":{\"a\":  [1, 1.0]}}\n\
             {\"id\":2,\"a \\\"b\\\", c\":\"\",\"n\":\"NaN\",\"on\":false,\"j\":null}\n\
             {\"id\":null,\"a \\\"b\\\", c\":null,\"n\":null,\"on\":null,\"j\":null}\n"
        );
    }

    #[test]
    fn an_object_has_no_name_twice() {
        let column = Column {
            name: "a".to_owned(),
            kind: String::new(),
            oid: 0,
            ..Column::default()
        };
        let both = [column.clone(), column];
        assert!(
            Export::new(Vec::new(), FileFormat::Jsonl)
                .columns(&both)
                .is_err()
        );
        assert!(
            Export::new(Vec::new(), FileFormat::Csv)
                .columns(&both)
                .is_ok()
        );
    }
}
