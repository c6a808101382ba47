//! Passwords that stand in `runbook.yaml`, where none may: found, so that they are refused, and blanked, so that no
//! message shows the line with them in it.

use std::ops::Range;

/// What a connection URL begins with.
const SCHEMES: [&str; 2] = ["postgresql://", "postgres://"];

/// The settings of a connection that are secrets.
const SECRETS: [&str; 2] = ["password", "sslpassword"];

/// Returns the variable that a text names: `$NAME` or `${NAME}`.
pub(super) fn variable(text: &str) -> Option<&str> {
    let name = text.strip_prefix('$')?;
    let name = name
        .strip_prefix('{')
        .map_or(Some(name), |name| name.strip_suffix('}'))?;
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    (!name.is_empty() && name.chars().all(is_plain)).then_some(name)
}

/// Returns whether a URL or `keyword=value` string holds a password.
pub(super) fn holds_password(text: &str) -> bool {
    let text = text.trim();
    let Some(rest) = SCHEMES.iter().find_map(|scheme| text.strip_prefix(scheme)) else {
        return !keyword_values(text).is_empty();
    };
    // A password that should have been encoded may hold any of the signs that end the login.
    let before_path = rest.split('/').next().unwrap_or_default();
    let before_query = rest.split('?').next().unwrap_or_default();
    let login = before_path
        .split_once('@')
        .or_else(|| before_query.rsplit_once('@'))
        .map(|(login, _)| login);
    let query = rest.split_once('?').map(|(_, query)| query);
    login.is_some_and(|login| login.contains(':'))
        || query.is_some_and(|query| !keyword_values(query).is_empty())
}

/// Returns the text with every password in it blanked, byte for byte, so that places stay what they are. It takes
/// too much for a password rather than too little.
pub(super) fn blanked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut offset = 0;
    for range in passwords(text) {
        let (before, after) = rest.split_at(range.start - offset);
        let (secret, after) = after.split_at(range.end - range.start);
        out.push_str(before);
        out.extend(secret.bytes().map(|_| '*'));
        (rest, offset) = (after, range.end);
    }
    out.push_str(rest);
    out
}

/// Returns where passwords stand in a text of several lines, in order.
pub(super) fn passwords(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let mut of_line = in_line(line.trim_end());
        of_line.sort_by_key(|range| range.start);
        for range in of_line {
            let (begin, end) = (start + range.start, start + range.end);
            match found.last_mut() {
                Some(Range { end: last, .. }) if begin <= *last => *last = end.max(*last),
                _ => found.push(begin..end),
            }
        }
        start += line.len();
    }
    found
}

fn in_line(line: &str) -> Vec<Range<usize>> {
    let mut found = keyword_values(line);
    found.extend(key_values(line));
    for scheme in SCHEMES {
        for (at, _) in line.match_indices(scheme) {
            let login = at + scheme.len();
            let rest = line.get(login..).unwrap_or_default();
            let Some(host) = rest.rfind('@') else {
                continue;
            };
            if let Some(colon) = rest.find(':').filter(|colon| colon + 1 < host) {
                found.push(login + colon + 1..login + host);
            }
        }
    }
    found
}

/// Returns where the values of `password=` stand in a line: up to its end, since quotes and blanks may be part of one.
fn keyword_values(line: &str) -> Vec<Range<usize>> {
    let ends = line.trim_end_matches(['"', '\'', '}', ' ', ',']).len();
    let of_keyword = |keyword: &'static str| {
        line.match_indices(keyword).filter_map(move |(at, _)| {
            let after = at + keyword.len();
            let rest = line.get(after..)?;
            let value = rest.trim_start().strip_prefix('=')?.trim_start();
            let begin = line.len() - value.len();
            (begin < ends).then_some(begin..ends)
        })
    };
    SECRETS.into_iter().flat_map(of_keyword).collect()
}

/// Returns where the values of keys stand in a line that hold a password, whether or not there are such keys.
fn key_values(line: &str) -> Vec<Range<usize>> {
    let of_key = |key: &'static str| {
        line.match_indices(key).filter_map(move |(at, _)| {
            let rest = line.get(at + key.len()..)?;
            let value = rest
                .trim_start_matches(['"', '\'', ' '])
                .strip_prefix(':')?;
            let value = value.trim_start();
            (!value.is_empty()).then_some(line.len() - value.len()..line.len())
        })
    };
    ["password", "passwd"]
        .into_iter()
        .flat_map(of_key)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_found_wherever_it_is_in_an_address() {
        for text in [
            "postgres://u:hunter2@db/crm",
            "postgresql://u:hunter2@db",
            "postgres://u:hun/ter2@db/crm",
            "postgres://u:hun?ter2@db/crm",
            "postgres://u:hun@ter2@db/crm",
            "postgres://u@db/crm?password=hunter2",
            "postgres://u@db/crm?sslmode=require&password=hunter2",
            "host=db password=hunter2",
            "host=db password = 'hunt er2'",
            "host=db sslpassword=hunter2 user=u",
        ] {
            assert!(holds_password(text), "{text}");
            let blanked = blanked(text);
            assert!(!blanked.contains("ter2"), "{blanked}");
            assert_eq!(blanked.len(), text.len());
        }
        for text in [
            "postgres://u@db:5432/crm",
            "postgres://db:5432/crm?options=-c%20a@b",
            "postgres://u@db/crm?sslmode=verify-full",
            "postgres://[::1]:5432/crm",
            "host=db passfile=/x user=u@v",
            "",
        ] {
            assert!(!holds_password(text), "{text}");
        }
    }

    #[test]
    fn every_line_of_a_file_is_blanked_and_places_stay() {
        let text = "a: postgres://u:p@h # postgres://u:ö@h\nb: \"host=h password=x y\"\nc: 1\n";
        assert_eq!(
            blanked(text),
            "a: postgres://u:*********************@h\nb: \"host=h password=***\"\nc: 1\n"
        );
    }

    #[test]
    fn the_value_of_a_key_for_a_password_is_blanked() {
        for line in [
            "    password: hunter2",
            "  f: { passwd: 'hunter2' }",
            "  g: { \"password\" : hunter2, url: x }",
        ] {
            let blanked = blanked(line);
            assert!(!blanked.contains("hunter2"), "{blanked}");
            assert_eq!(blanked.len(), line.len());
        }
        let command = "    password_command: [pass, show, crm]";
        assert_eq!(blanked(command), command);
    }

    #[test]
    fn a_variable_is_a_plain_name() {
        assert_eq!(variable("$CRM_URL"), Some("CRM_URL"));
        assert_eq!(variable("${CRM_URL}"), Some("CRM_URL"));
        for text in ["$", "${}", "${A", "$A-B", "A", "$A/x"] {
            assert_eq!(variable(text), None, "{text}");
        }
    }
}
