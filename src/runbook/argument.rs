//! The values that a run gives to parameters: checked by type before anything runs.

use minijinja::Value;

use super::data::{Cell, array_literal, oid};
use super::param::{Param, Scalar};
use crate::step::text::Template;

/// A checked value of a parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Argument {
    /// The value as PostgreSQL reads it, and its type.
    pub cell: Cell,
    /// The value as expressions see it.
    pub value: Value,
    /// The value as people see it.
    pub shown: String,
    /// The value as it was given.
    pub given: serde_json::Value,
}

impl Argument {
    /// Checks the value given to a parameter.
    ///
    /// # Errors
    /// A sentence without a full stop that says what the value should be.
    pub fn new(param: &Param, given: &serde_json::Value) -> Result<Self, String> {
        if given.is_null() {
            return Err("it has no value".to_owned());
        }
        if param.kind.list {
            list(param, given)
        } else {
            one(param, given)
        }
    }

    /// Checks a value given as text: on the command line, in an environment variable, at a prompt. The
    /// items of a list stand between commas, or in a JSON list.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn parse(param: &Param, text: &str) -> Result<Self, String> {
        if !param.kind.list {
            return Self::new(param, &text.into());
        }
        match serde_json::from_str::<serde_json::Value>(text) {
            Ok(items @ serde_json::Value::Array(_)) => Self::new(param, &items),
            _ => {
                let items: Vec<serde_json::Value> = text
                    .split(',')
                    .map(str::trim)
                    .filter(|item| !item.is_empty())
                    .map(Into::into)
                    .collect();
                Self::new(param, &items.into())
            }
        }
    }
}

/// Returns every text that shows a value: of a list that of each item too, in the form in which it was given and in
/// that in which it is sent.
pub fn texts(argument: &Argument) -> Vec<String> {
    let text = |value: &serde_json::Value| match value {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mut texts = vec![argument.shown.clone(), text(&argument.given)];
    texts.extend(argument.cell.text.clone());
    if let serde_json::Value::Array(items) = &argument.given {
        texts.extend(items.iter().map(text));
        let items = argument.value.try_iter().into_iter().flatten();
        texts.extend(items.map(|item| item.to_string()));
    }
    texts
}

fn list(param: &Param, given: &serde_json::Value) -> Result<Argument, String> {
    let Some(items) = given.as_array() else {
        return Err(format!("expected a {}", param.kind));
    };
    let items: Vec<Argument> = items
        .iter()
        .enumerate()
        .map(|(index, item)| one(param, item).map_err(|why| format!("item {}: {why}", index + 1)))
        .collect::<Result<_, _>>()?;
    let texts: Vec<String> = items
        .iter()
        .filter_map(|item| item.cell.text.clone())
        .collect();
    let shown: Vec<&str> = items.iter().map(|item| item.shown.as_str()).collect();
    Ok(Argument {
        shown: shown.join(", "),
        given: given.clone(),
        value: items.iter().map(|item| item.value.clone()).collect(),
        cell: Cell {
            text: Some(array_literal(&texts)),
            oid: array_oid(param.kind.scalar),
        },
    })
}

fn one(param: &Param, given: &serde_json::Value) -> Result<Argument, String> {
    let scalar = param.kind.scalar;
    let text = match given {
        serde_json::Value::String(text) => text.clone(),
        other if scalar == Scalar::Json => other.to_string(),
        serde_json::Value::Array(_) | serde_json::Value::Object(_) => {
            return Err(format!("expected a {}, found {given}", scalar.name()));
        }
        other => other.to_string(),
    };
    if text.contains('\0') {
        return Err("PostgreSQL cannot hold a NUL character".to_owned());
    }
    let text = normal(param, &text)?;
    bounds(param, &text)?;
    let value = match scalar {
        Scalar::Json => super::data::value(Some(&text), oid::JSON),
        Scalar::Bool => Value::from(text == "true"),
        _ => super::data::value(Some(&text), scalar_oid(scalar)),
    };
    Ok(Argument {
        value,
        shown: text.clone(),
        given: given.clone(),
        cell: Cell {
            text: Some(text),
            oid: scalar_oid(scalar),
        },
    })
}

/// Returns the value in the form in which it is sent, when it is of the type.
fn normal(param: &Param, text: &str) -> Result<String, String> {
    let trimmed = text.trim();
    let wrong = |what: &str| Err(format!("`{}` is not {what}", excerpt(text)));
    let checked = |good: bool, what: &str| {
        if good {
            Ok(trimmed.to_owned())
        } else {
            wrong(what)
        }
    };
    match param.kind.scalar {
        Scalar::Text => Ok(text.to_owned()),
        Scalar::Int => checked(
            trimmed.parse::<i32>().is_ok(),
            "a whole number from -2147483648 to 2147483647",
        ),
        Scalar::Bigint => checked(trimmed.parse::<i64>().is_ok(), "a whole number of 64 bits"),
        Scalar::Numeric => checked(is_numeric(trimmed), "a decimal number"),
        Scalar::Bool => match trimmed.to_lowercase().as_str() {
            "true" | "t" | "yes" | "y" | "on" | "1" => Ok("true".to_owned()),
            "false" | "f" | "no" | "n" | "off" | "0" => Ok("false".to_owned()),
            _ => wrong("true or false"),
        },
        Scalar::Uuid => checked(is_uuid(trimmed), "a UUID"),
        Scalar::Date => checked(
            trimmed.parse::<jiff::civil::Date>().is_ok(),
            "a day such as 2026-11-02",
        ),
        Scalar::Timestamptz => checked(
            trimmed.parse::<jiff::Timestamp>().is_ok(),
            "a moment with its offset, such as 2026-11-02T08:14:03Z",
        ),
        Scalar::Interval => checked(
            trimmed.chars().any(|next| next.is_ascii_digit()),
            "a length of time such as `5 minutes`",
        ),
        Scalar::Email => checked(is_email(trimmed), "an e-mail address"),
        Scalar::Identifier => checked(
            !trimmed.is_empty() && trimmed.len() < 64,
            "a name of 1 to 63 bytes",
        ),
        Scalar::Json => checked(
            serde_json::from_str::<serde_json::Value>(trimmed).is_ok(),
            "JSON",
        ),
        Scalar::Enum => {
            let values: Vec<&str> = param.values.iter().flatten().map(Template::text).collect();
            if values.contains(&trimmed) {
                Ok(trimmed.to_owned())
            } else {
                Err(format!(
                    "`{}` is not one of {}",
                    excerpt(text),
                    values.join(", ")
                ))
            }
        }
    }
}

/// Returns what an error may show of a value: a 10 MB text does not belong on a terminal.
fn excerpt(text: &str) -> String {
    let mut short: String = text.chars().take(60).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short.escape_debug().to_string()
}

fn bounds(param: &Param, text: &str) -> Result<(), String> {
    let outside = |bound: &Option<Template>, wrong: std::cmp::Ordering, word: &str| match bound {
        Some(bound) if compare(param.kind.scalar, text, bound.text()) == Some(wrong) => {
            Err(format!("{text} is {word} {}", bound.text()))
        }
        _ => Ok(()),
    };
    outside(&param.min, std::cmp::Ordering::Less, "less than")?;
    outside(&param.max, std::cmp::Ordering::Greater, "more than")?;
    let length = text.chars().count();
    if let Some(least) = param.min_length.filter(|least| length < *least) {
        return Err(format!("it has {length} characters, {least} is the least"));
    }
    if let Some(most) = param.max_length.filter(|most| length > *most) {
        return Err(format!("it has {length} characters, {most} is the most"));
    }
    if let Some(pattern) = &param.pattern {
        let regex = regex_lite::Regex::new(&format!("^(?:{})$", pattern.text()))
            .map_err(|error| error.to_string())?;
        if !regex.is_match(text) {
            return Err(format!(
                "`{}` does not match {}",
                excerpt(text),
                pattern.text()
            ));
        }
    }
    Ok(())
}

/// Compares two values of a type, where the type has an order.
pub(super) fn compare(scalar: Scalar, a: &str, b: &str) -> Option<std::cmp::Ordering> {
    match scalar {
        Scalar::Int | Scalar::Bigint => Some(
            a.trim()
                .parse::<i64>()
                .ok()?
                .cmp(&b.trim().parse::<i64>().ok()?),
        ),
        Scalar::Numeric => a
            .trim()
            .parse::<f64>()
            .ok()?
            .partial_cmp(&b.trim().parse::<f64>().ok()?),
        Scalar::Date => Some(a.parse::<jiff::civil::Date>().ok()?.cmp(&b.parse().ok()?)),
        Scalar::Timestamptz => Some(a.parse::<jiff::Timestamp>().ok()?.cmp(&b.parse().ok()?)),
        _ => None,
    }
}

fn is_numeric(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = digits.split_once(['e', 'E']).unwrap_or((digits, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let all_digits = |part: &str| part.chars().all(|next| next.is_ascii_digit());
    !(whole.is_empty() && fraction.is_empty())
        && all_digits(whole)
        && all_digits(fraction)
        && exponent.parse::<i16>().is_ok()
        && mantissa.chars().any(|next| next.is_ascii_digit())
}

fn is_uuid(text: &str) -> bool {
    let groups: Vec<usize> = text.split('-').map(str::len).collect();
    groups == [8, 4, 4, 4, 12]
        && text
            .chars()
            .all(|next| next == '-' || next.is_ascii_hexdigit())
}

/// One `@`, something before it, a dotted domain after it, no white space: what a typing slip breaks.
/// Only sending a message proves more.
fn is_email(text: &str) -> bool {
    let odd = |next: char| {
        next.is_whitespace() || next.is_control() || matches!(next, '<' | '>' | ',' | ';')
    };
    match text.split_once('@') {
        Some((local, domain)) => {
            !local.is_empty()
                && text.len() <= 254
                && !domain.contains('@')
                && domain.contains('.')
                && domain.split('.').all(|label| !label.is_empty())
                && !text.chars().any(odd)
        }
        None => false,
    }
}

/// Returns the type with which a parameter's value is bound.
pub fn oid_of(param: &Param) -> u32 {
    if param.kind.list {
        array_oid(param.kind.scalar)
    } else {
        scalar_oid(param.kind.scalar)
    }
}

/// A number or moment is bound as its type; a text as PostgreSQL infers it, so that it can be compared
/// with an enum, a citext or a uuid as a quoted literal can.
fn scalar_oid(scalar: Scalar) -> u32 {
    match scalar {
        Scalar::Int => oid::INT4,
        Scalar::Bigint => oid::INT8,
        Scalar::Numeric => oid::NUMERIC,
        Scalar::Bool => oid::BOOL,
        Scalar::Uuid => oid::UUID,
        Scalar::Date => oid::DATE,
        Scalar::Timestamptz => oid::TIMESTAMPTZ,
        Scalar::Interval => oid::INTERVAL,
        Scalar::Text | Scalar::Email | Scalar::Identifier | Scalar::Json | Scalar::Enum => {
            oid::UNKNOWN
        }
    }
}

fn array_oid(scalar: Scalar) -> u32 {
    match scalar {
        Scalar::Int => 1007,
        Scalar::Bigint => 1016,
        Scalar::Numeric => 1231,
        Scalar::Bool => 1000,
        Scalar::Uuid => 2951,
        Scalar::Date => 1182,
        Scalar::Timestamptz => 1185,
        Scalar::Interval => 1187,
        Scalar::Text | Scalar::Email | Scalar::Identifier | Scalar::Json | Scalar::Enum => {
            oid::UNKNOWN
        }
    }
}
