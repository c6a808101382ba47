//! Values on their way to the server: as text, so that PostgreSQL itself reads them as their type.

use std::error::Error;

use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{Format, IsNull, ToSql, Type, to_sql_checked};

use crate::runbook::data::Cell;
use crate::sql::token::{TokenKind, tokens};

/// A value in text format; PostgreSQL's input function of the type reads it.
#[derive(Debug)]
pub(super) struct TextBind(Option<String>);

impl ToSql for TextBind {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match &self.0 {
            Some(text) => {
                out.extend_from_slice(text.as_bytes());
                Ok(IsNull::No)
            }
            None => Ok(IsNull::Yes),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}

/// Returns the values of a statement with their types, as the driver takes them.
pub(super) fn params(binds: &[Cell]) -> Vec<(TextBind, Type)> {
    binds
        .iter()
        .map(|cell| (TextBind(cell.text.clone()), kind(cell.oid)))
        .collect()
}

/// Returns the values as the driver's calls that wait for all rows take them.
pub(super) fn borrowed(params: &[(TextBind, Type)]) -> Vec<(&(dyn ToSql + Sync), Type)> {
    params
        .iter()
        .map(|(bind, kind)| (bind as &(dyn ToSql + Sync), kind.clone()))
        .collect()
}

/// Returns the types of a statement's values.
pub(super) fn kinds(binds: &[Cell]) -> Vec<Type> {
    binds.iter().map(|cell| kind(cell.oid)).collect()
}

fn kind(oid: u32) -> Type {
    Type::from_oid(oid).unwrap_or(Type::UNKNOWN)
}

/// Returns a text made of parts of a statement with its parameters counted anew, and the values that it
/// uses: the server refuses a parameter that a text does not mention.
pub(super) fn renumber(text: &str, binds: &[Cell]) -> (String, Vec<Cell>) {
    let (mut out, mut used, mut copied): (String, Vec<usize>, usize) =
        (String::new(), Vec::new(), 0);
    for (kind, range) in tokens(text) {
        let number = text
            .get(range.clone())
            .and_then(|token| token.strip_prefix('$'));
        let (TokenKind::Param, Some(Ok(number))) = (kind, number.map(str::parse::<usize>)) else {
            continue;
        };
        let position = used
            .iter()
            .position(|known| *known == number)
            .unwrap_or_else(|| {
                used.push(number);
                used.len() - 1
            });
        out.push_str(text.get(copied..range.start).unwrap_or_default());
        out.push('$');
        out.push_str(&(position + 1).to_string());
        copied = range.end;
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    let values = used
        .into_iter()
        .filter_map(|number| binds.get(number.checked_sub(1)?).cloned())
        .collect();
    (out, values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_counted_anew_where_they_are_parameters() {
        let cell = |text: &str| Cell {
            text: Some(text.to_owned()),
            oid: 25,
        };
        let (text, values) = renumber(
            "a = $3 AND b = '$1' AND c = $1 AND d = $3",
            &[cell("x"), cell("y"), cell("z")],
        );
        assert_eq!(text, "a = $1 AND b = '$1' AND c = $2 AND d = $1");
        assert_eq!(values, [cell("z"), cell("x")]);
    }
}
