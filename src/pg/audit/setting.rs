//! Settings: as every other session has them, not as this one was set up.

use std::collections::HashMap;

use tokio_postgres::types::Type;

use super::{Auditor, get, is_forbidden};
use crate::engine::database::Standing;
use crate::engine::failure::Failure;

/// What this session set for itself tells nothing of the database: there, what a RESET would bring back does.
const KNOWN: &str = "\
    SELECT lower(s.name), CASE WHEN s.source = 'session' AND lower(s.name) <> ALL ($2) THEN s.reset_val \
        ELSE s.setting END, s.unit, s.vartype, \
        CASE WHEN s.source = 'session' AND lower(s.name) <> ALL ($2) THEN NULL ELSE current_setting(s.name) END \
    FROM pg_catalog.pg_settings s WHERE lower(s.name) = ANY ($1)";

/// A setting as the server has it.
struct Setting {
    raw: String,
    unit: Option<String>,
    kind: String,
    shown: String,
}

impl Auditor<'_> {
    pub(super) async fn settings(&self) -> Result<Vec<Standing>, Failure> {
        let folded = |name: &String| name.to_lowercase();
        let names: Vec<String> = self
            .wanted
            .settings
            .iter()
            .map(|(name, _)| folded(name))
            .collect();
        let own: Vec<String> = self.own.iter().map(folded).collect();
        let values = [
            (&names as _, Type::TEXT_ARRAY),
            (&own as _, Type::TEXT_ARRAY),
        ];
        let mut known: HashMap<String, Setting> = HashMap::new();
        for row in &self.asked.tried(self.asked.rows(KNOWN, &values)).await? {
            let (raw, unit): (String, Option<String>) = (get(row, 1)?, get(row, 2)?);
            let shown: Option<String> = get(row, 4)?;
            let shown = shown.unwrap_or_else(|| shown_with(&raw, unit.as_deref()));
            let kind = get(row, 3)?;
            known.insert(
                get(row, 0)?,
                Setting {
                    raw,
                    unit,
                    kind,
                    shown,
                },
            );
        }
        let mut standings = Vec::new();
        for ((name, wanted), folded) in self.wanted.settings.iter().zip(&names) {
            standings.push(match known.get(folded) {
                Some(setting) if setting.is(wanted) => Standing::There,
                Some(setting) => is_not(&setting.shown, wanted),
                None => self.custom(name, wanted).await?,
            });
        }
        Ok(standings)
    }

    /// Looks at a setting that is not listed: one of an application, or one that the login may not see.
    async fn custom(&self, name: &str, wanted: &str) -> Result<Standing, Failure> {
        let values = [(&name as _, Type::TEXT)];
        let question = "SELECT current_setting($1, true)";
        let answer = self.asked.tried(self.asked.rows(question, &values)).await;
        let value: Option<String> = match answer {
            Ok(rows) => rows.first().map_or(Ok(None), |row| get(row, 0))?,
            Err(failure) if is_forbidden(&failure) => {
                return Ok(Standing::Unseen(failure.message));
            }
            Err(failure) => return Err(failure),
        };
        Ok(match value {
            Some(value) if value == wanted => Standing::There,
            Some(value) => is_not(&value, wanted),
            None => Standing::missing("it is not set"),
        })
    }
}

fn is_not(value: &str, wanted: &str) -> Standing {
    let named = |text: &str| match text {
        "" => "empty".to_owned(),
        text => text.to_owned(),
    };
    Standing::Other(format!("is {}, not {}", named(value), named(wanted)))
}

impl Setting {
    /// Returns whether a value is the one that it has, however it is written.
    fn is(&self, wanted: &str) -> bool {
        let wanted = wanted.trim();
        if wanted == self.shown || wanted == self.raw {
            return true;
        }
        match self.kind.as_str() {
            "bool" => truth(wanted).is_some_and(|wanted| Some(wanted) == truth(&self.raw)),
            "enum" => wanted.eq_ignore_ascii_case(&self.raw),
            "integer" | "real" => {
                let unit = self.unit.as_deref();
                let (wanted, own) = (amount(wanted, unit), amount(&self.raw, unit));
                matches!((wanted, own), (Some(one), Some(other)) if (one - other).abs() < 1e-9 * other.abs().max(1.0))
            }
            _ => false,
        }
    }
}

/// Reads a boolean as PostgreSQL does.
fn truth(text: &str) -> Option<bool> {
    match text.to_lowercase().as_str() {
        "on" | "true" | "yes" | "1" | "t" | "y" => Some(true),
        "off" | "false" | "no" | "0" | "f" | "n" => Some(false),
        _ => None,
    }
}

/// Returns a number in bytes or microseconds, by its own unit or the setting's.
fn amount(text: &str, default: Option<&str>) -> Option<f64> {
    let text = text.trim();
    let end = text
        .find(|next: char| !(next.is_ascii_digit() || matches!(next, '.' | '-' | '+')))
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let number: f64 = number.parse().ok()?;
    let unit = match unit.trim() {
        "" => default,
        unit => Some(unit),
    };
    unit.map_or(Some(number), |unit| {
        factor(unit).map(|factor| number * factor)
    })
}

/// Returns how many bytes or microseconds a unit has; some are of blocks, such as `8kB`.
fn factor(unit: &str) -> Option<f64> {
    let start = unit.find(|next: char| !next.is_ascii_digit())?;
    let (count, unit) = unit.split_at(start);
    let count: f64 = if count.is_empty() {
        1.0
    } else {
        count.parse().ok()?
    };
    let one = match unit {
        "B" | "us" => 1.0,
        "kB" => 1024.0,
        "MB" => 1024.0 * 1024.0,
        "GB" => 1024.0 * 1024.0 * 1024.0,
        "TB" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        "ms" => 1_000.0,
        "s" => 1_000_000.0,
        "min" => 60_000_000.0,
        "h" => 3_600_000_000.0,
        "d" => 86_400_000_000.0,
        _ => return None,
    };
    Some(count * one)
}

/// Returns a value with its unit, unless it is one of those that mean "none".
fn shown_with(raw: &str, unit: Option<&str>) -> String {
    match unit {
        Some(unit) if !matches!(raw, "0" | "-1") && unit.starts_with(char::is_alphabetic) => {
            format!("{raw}{unit}")
        }
        _ => raw.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_the_same_however_they_are_written() {
        let is = |raw: &str, unit: Option<&str>, kind: &str, wanted: &str| {
            let setting = Setting {
                raw: raw.to_owned(),
                unit: unit.map(str::to_owned),
                kind: kind.to_owned(),
                shown: shown_with(raw, unit),
            };
            setting.is(wanted)
        };
        assert!(is("16384", Some("8kB"), "integer", "128MB"));
        assert!(is("16384", Some("8kB"), "integer", "131072 kB"));
        assert!(is("16384", Some("8kB"), "integer", "16384"));
        assert!(is("300000", Some("ms"), "integer", "5min"));
        assert!(is("0.9", None, "real", "0.90"));
        assert!(is("on", None, "bool", "true"));
        assert!(is("replica", None, "enum", "Replica"));
        assert!(!is("16384", Some("8kB"), "integer", "64MB"));
        assert!(!is("300000", Some("ms"), "integer", "5kg"));
        assert!(!is("on", None, "bool", "off"));
        assert!(!is("UTC", None, "string", "utc"));
    }
}
