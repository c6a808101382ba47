//! Rows as PostgreSQL prints them, and what expressions see of them.

use minijinja::Value;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The type OIDs that have a meaning here, from PostgreSQL's `pg_type.dat`; they never change.
pub mod oid {
    /// Left to PostgreSQL to infer, as for a quoted literal.
    pub const UNKNOWN: u32 = 705;
    /// boolean
    pub const BOOL: u32 = 16;
    /// bigint
    pub const INT8: u32 = 20;
    /// smallint
    pub const INT2: u32 = 21;
    /// integer
    pub const INT4: u32 = 23;
    /// oid
    pub const OID: u32 = 26;
    /// text
    pub const TEXT: u32 = 25;
    /// json
    pub const JSON: u32 = 114;
    /// real
    pub const FLOAT4: u32 = 700;
    /// double precision
    pub const FLOAT8: u32 = 701;
    /// date
    pub const DATE: u32 = 1082;
    /// timestamp without time zone
    pub const TIMESTAMP: u32 = 1114;
    /// timestamp with time zone
    pub const TIMESTAMPTZ: u32 = 1184;
    /// interval
    pub const INTERVAL: u32 = 1186;
    /// numeric
    pub const NUMERIC: u32 = 1700;
    /// uuid
    pub const UUID: u32 = 2950;
    /// jsonb
    pub const JSONB: u32 = 3802;
}

/// A column of a result.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// The name of its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The OID of its type.
    pub oid: u32,
    /// Whether its values are shown as `•••`, since the runbook calls what they come from sensitive.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sensitive: bool,
}

/// Rows of a result: each value exactly as psql prints it, `null` for NULL.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rows {
    /// The columns.
    pub columns: Vec<Column>,
    /// The rows that were kept.
    pub rows: Vec<Vec<Option<String>>>,
    /// How many there are in all.
    pub count: u64,
}

impl Rows {
    /// Returns the value of a row as expressions see it: a map by column.
    pub fn record(&self, row: &[Option<String>]) -> Value {
        let pairs = self.columns.iter().zip(row);
        Value::from_pairs(
            pairs.map(|(column, text)| (column.name.clone(), value(text.as_deref(), column.oid))),
        )
    }
}

/// Who takes rows one by one, however many there are.
pub trait TakeRows {
    /// Takes the columns, before any row.
    ///
    /// # Errors
    /// It cannot: no row follows.
    fn columns(&mut self, columns: &[Column]) -> std::io::Result<()>;

    /// Takes a row.
    ///
    /// # Errors
    /// It cannot: no other follows.
    fn row(&mut self, row: &[Option<String>]) -> std::io::Result<()>;
}

/// A value of a known type, as PostgreSQL prints and reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// The text; none for NULL.
    pub text: Option<String>,
    /// The type, or [`oid::UNKNOWN`].
    pub oid: u32,
}

/// Returns what an expression sees of a value. Numbers can be calculated with; a `numeric` with a
/// fraction is the nearest double in expressions, while a template that names it binds it exactly.
pub fn value(text: Option<&str>, oid: u32) -> Value {
    let Some(text) = text else {
        return Value::from(());
    };
    let plain = || Value::from(text);
    match oid {
        oid::BOOL => Value::from(text == "t"),
        oid::INT2 | oid::INT4 | oid::INT8 | oid::OID => {
            text.parse::<i64>().map_or_else(|_| plain(), Value::from)
        }
        oid::NUMERIC => match text.parse::<i128>() {
            Ok(whole) => Value::from(whole),
            Err(_) => text.parse::<f64>().map_or_else(|_| plain(), Value::from),
        },
        oid::FLOAT4 | oid::FLOAT8 => text.parse::<f64>().map_or_else(|_| plain(), Value::from),
        oid::JSON | oid::JSONB => serde_json::from_str::<serde_json::Value>(text)
            .map_or_else(|_| plain(), |json| from_json(&json)),
        _ => array(text, oid).unwrap_or_else(plain),
    }
}

/// Returns what an expression sees of JSON.
pub fn from_json(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::from(()),
        serde_json::Value::Bool(value) => Value::from(*value),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(whole) => Value::from(whole),
            None => number
                .as_f64()
                .map_or_else(|| Value::from(number.to_string()), Value::from),
        },
        serde_json::Value::String(text) => Value::from(text.as_str()),
        serde_json::Value::Array(items) => items.iter().map(from_json).collect(),
        serde_json::Value::Object(entries) => Value::from_pairs(
            entries
                .iter()
                .map(|(key, value)| (key.clone(), from_json(value))),
        ),
    }
}

/// Returns the items of a one-dimensional array of a type that expressions know.
fn array(text: &str, oid: u32) -> Option<Value> {
    let item = match oid {
        1000 => oid::BOOL,
        1005 | 1007 | 1016 => oid::INT8,
        1009 | 1015 | 2951 => oid::UNKNOWN,
        1231 => oid::NUMERIC,
        _ => return None,
    };
    let items = array_items(text)?;
    Some(
        items
            .iter()
            .map(|text| value(text.as_deref(), item))
            .collect(),
    )
}

/// Reads the literal of a one-dimensional array: `{1,"a b",NULL}`.
fn array_items(text: &str) -> Option<Vec<Option<String>>> {
    let inner = text.strip_prefix('{')?.strip_suffix('}')?;
    let (mut items, mut item, mut quoted) = (Vec::new(), String::new(), false);
    let mut chars = inner.chars();
    let (mut in_quotes, mut any) = (false, false);
    let mut finish = |item: &mut String, quoted: &mut bool| {
        let text = std::mem::take(item);
        let null = !*quoted && text == "NULL";
        *quoted = false;
        items.push((!null).then_some(text));
    };
    while let Some(next) = chars.next() {
        any = true;
        match next {
            '\\' => item.push(chars.next()?),
            '"' => {
                in_quotes = !in_quotes;
                quoted = true;
            }
            ',' if !in_quotes => finish(&mut item, &mut quoted),
            '{' if !in_quotes => return None,
            other => item.push(other),
        }
    }
    if any {
        finish(&mut item, &mut quoted);
    }
    Some(items)
}

/// Returns the literal of an array of texts, for binding a list.
pub fn array_literal(items: &[String]) -> String {
    let quoted: Vec<String> = items
        .iter()
        .map(|item| format!("\"{}\"", item.replace('\\', "\\\\").replace('"', "\\\"")))
        .collect();
    format!("{{{}}}", quoted.join(","))
}

/// Splits the text of a composite value, as `record_out` prints it, into its fields.
pub fn record_fields(text: &str) -> Option<Vec<Option<String>>> {
    let inner = text.strip_prefix('(')?.strip_suffix(')')?;
    let mut fields = Vec::new();
    let (mut field, mut quoted, mut in_quotes) = (String::new(), false, false);
    let mut chars = inner.chars().peekable();
    while let Some(next) = chars.next() {
        match next {
            '"' if in_quotes && chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            '"' => {
                in_quotes = !in_quotes;
                quoted = true;
            }
            '\\' => field.push(chars.next()?),
            ',' if !in_quotes => {
                fields.push((quoted || !field.is_empty()).then(|| std::mem::take(&mut field)));
                field.clear();
                quoted = false;
            }
            other => field.push(other),
        }
    }
    fields.push((quoted || !field.is_empty()).then_some(field));
    (!in_quotes).then_some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn record_texts_split_as_the_server_joined_them() {
        let some = |text: &str| Some(text.to_owned());
        let cases = [
            ("(1,a,)", vec![some("1"), some("a"), None]),
            (
                r#"("a ""q"" \\ b","",x)"#,
                vec![some(r#"a "q" \ b"#), some(""), some("x")],
            ),
            (
                r#"("(1,2)","{""a"":1}")"#,
                vec![some("(1,2)"), some(r#"{"a":1}"#)],
            ),
            ("(\"line\nbreak\")", vec![some("line\nbreak")]),
        ];
        for (text, fields) in cases {
            assert_eq!(record_fields(text), Some(fields), "{text}");
        }
    }

    #[test]
    fn arrays_are_lists_in_expressions() {
        assert_eq!(value(Some("{1,2,NULL}"), 1007).to_string(), "[1, 2, None]");
        assert_eq!(value(Some(r#"{"a,b","c\"d",NULL}"#), 1009).len(), Some(3));
        assert_eq!(value(Some("{}"), 1009).len(), Some(0));
        assert_eq!(value(Some("{{1},{2}}"), 1007).to_string(), "{{1},{2}}");
    }

    #[test]
    fn numbers_keep_what_they_can() {
        assert_eq!(
            value(Some("99999999999999999999"), oid::NUMERIC).to_string(),
            "99999999999999999999"
        );
        assert_eq!(value(Some("1.5"), oid::NUMERIC).to_string(), "1.5");
        assert_eq!(value(Some("NaN"), oid::NUMERIC).to_string(), "NaN");
        assert!(value(None, oid::INT8).is_none());
    }

    proptest::proptest! {
        #[test]
        fn any_text_splits_or_is_refused(text in "\\PC*") {
            let _ = record_fields(&text);
            let _ = array_items(&text);
        }

        #[test]
        fn what_array_literal_writes_is_read_back(items in proptest::collection::vec("\\PC*", 0..5)) {
            let read = array_items(&array_literal(&items)).unwrap();
            proptest::prop_assert_eq!(read, items.into_iter().map(Some).collect::<Vec<_>>());
        }
    }
}
