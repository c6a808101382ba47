//! Connection strings taken apart: `postgres://` URLs and libpq's `keyword=value` form.
//!
//! No error quotes the text: whatever goes wrong, a piece of a password may be where something else was expected.

use super::connect_error::ConnectError;

/// A keyword and its value, as written.
pub type Pair = (String, String);

/// What is wrong with a connection string, and what to do about it.
type Fault = (String, &'static str);

const ENCODE: &str = "inside a user, password or database, write `/` as %2F, `@` as %40, `:` as %3A, `?` as %3F, `%` as %25";
const QUOTE: &str =
    "write keyword='a value with spaces', with `'` and `\\` inside it as \\' and \\\\";

/// Returns the settings in a URL or a `keyword=value` string. `origin` says where it is from.
pub fn parse(text: &str, origin: &str) -> Result<Vec<Pair>, ConnectError> {
    let text = text.trim();
    let schemes = ["postgresql://", "postgres://"];
    let parsed = match schemes.iter().find_map(|scheme| text.strip_prefix(scheme)) {
        Some(rest) => parse_url(rest),
        None => match text.split_once("://") {
            Some((scheme, _)) if is_scheme(scheme) => Err((
                format!("`{scheme}://` is not a PostgreSQL URL"),
                "write postgres://user@host:port/database",
            )),
            _ => parse_pairs(text),
        },
    };
    parsed.map_err(|(reason, help)| ConnectError::setting(origin, reason, help))
}

fn is_scheme(text: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '+' | '-' | '.' | ':'))
}

/// Parses what follows `postgres://`: `[user[:password]@][host[:port],…][/database][?keyword=value&…]`.
fn parse_url(rest: &str) -> Result<Vec<Pair>, Fault> {
    let mut pairs = Vec::new();
    let before_path = rest.split('/').next().unwrap_or_default();
    let rest = match before_path.split_once('@') {
        Some((login, _)) => {
            parse_login(login, &mut pairs)?;
            &rest[login.len() + 1..]
        }
        None => rest,
    };
    let (rest, query) = match rest.split_once('?') {
        Some((rest, query)) => (rest, Some(query)),
        None => (rest, None),
    };
    let (hosts, database) = match rest.split_once('/') {
        Some((hosts, database)) => (hosts, Some(database)),
        None => (rest, None),
    };
    if rest.contains('@') {
        return Err(("there is an `@` too many".to_owned(), ENCODE));
    }
    parse_hosts(hosts, &mut pairs)?;
    if let Some(database) = database.filter(|database| !database.is_empty()) {
        pairs.push(("dbname".to_owned(), decode(database, "database")?));
    }
    for pair in query.into_iter().flat_map(|query| query.split('&')) {
        if !pair.is_empty() {
            pairs.push(parse_parameter(pair)?);
        }
    }
    Ok(pairs)
}

fn parse_login(login: &str, pairs: &mut Vec<Pair>) -> Result<(), Fault> {
    let (user, password) = match login.split_once(':') {
        Some((user, password)) => (user, Some(password)),
        None => (login, None),
    };
    if !user.is_empty() {
        pairs.push(("user".to_owned(), decode(user, "user")?));
    }
    if let Some(password) = password {
        pairs.push(("password".to_owned(), decode(password, "password")?));
    }
    Ok(())
}

/// Splits `host:port,[::1]:port` into libpq's parallel lists.
fn parse_hosts(text: &str, pairs: &mut Vec<Pair>) -> Result<(), Fault> {
    if text.is_empty() {
        return Ok(());
    }
    let mut hosts = Vec::new();
    let mut ports = Vec::new();
    for one in text.split(',') {
        let (host, port) = split_port(one)?;
        if !port.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(("the port is not a number".to_owned(), ENCODE));
        }
        hosts.push(decode(host, "host")?);
        ports.push(port.to_owned());
    }
    if hosts.iter().any(|host| !host.is_empty()) {
        pairs.push(("host".to_owned(), hosts.join(",")));
    }
    if ports.iter().any(|port| !port.is_empty()) {
        pairs.push(("port".to_owned(), ports.join(",")));
    }
    Ok(())
}

fn split_port(text: &str) -> Result<(&str, &str), Fault> {
    let Some(bracketed) = text.strip_prefix('[') else {
        return Ok(text.split_once(':').unwrap_or((text, "")));
    };
    let unclosed = || {
        (
            "an IPv6 address is not closed by `]`".to_owned(),
            "write postgres://user@[::1]:5432/database",
        )
    };
    let (address, after) = bracketed.split_once(']').ok_or_else(unclosed)?;
    if after.is_empty() {
        return Ok((address, ""));
    }
    let port = after.strip_prefix(':').ok_or_else(unclosed)?;
    Ok((address, port))
}

fn parse_parameter(pair: &str) -> Result<Pair, Fault> {
    let Some((keyword, value)) = pair.split_once('=') else {
        return Err(("a parameter after `?` has no `=`".to_owned(), ENCODE));
    };
    let keyword = decode(keyword, "keyword")?;
    if value.contains('=') {
        return Err((
            format!("the value of `{keyword}` has a bare `=`"),
            "write it as %3D",
        ));
    }
    let value = decode(value, &keyword)?;
    // libpq takes this one from JDBC's URLs.
    if keyword == "ssl" && value == "true" {
        return Ok(("sslmode".to_owned(), "require".to_owned()));
    }
    Ok((keyword, value))
}

/// Undoes percent encoding.
fn decode(text: &str, part: &str) -> Result<String, Fault> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let high = rest.next().and_then(hex);
        let low = rest.next().and_then(hex);
        match (high, low) {
            (Some(high), Some(low)) if high | low != 0 => bytes.push(high << 4 | low),
            _ => {
                return Err((
                    format!("the {part} has a `%` without two hexadecimal digits after it"),
                    ENCODE,
                ));
            }
        }
    }
    String::from_utf8(bytes).map_err(|_| (format!("the {part} is not UTF-8"), ENCODE))
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

/// Parses `keyword=value keyword = 'value with \' and spaces'`.
fn parse_pairs(text: &str) -> Result<Vec<Pair>, Fault> {
    let mut pairs: Vec<Pair> = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (keyword, after) = rest.split_once('=').unwrap_or((rest, ""));
        let keyword = keyword.trim_end();
        if rest.len() == keyword.len()
            || !rest.contains('=')
            || keyword.contains(char::is_whitespace)
        {
            return Err(missing_equals(&pairs));
        }
        let (value, after) = take_value(after.trim_start(), keyword)?;
        pairs.push((keyword.to_owned(), value));
        rest = after.trim_start();
    }
    Ok(pairs)
}

fn missing_equals(pairs: &[Pair]) -> Fault {
    match pairs.last() {
        Some((keyword, _)) => (
            format!("a word without `=` follows the value of `{keyword}`"),
            QUOTE,
        ),
        None => (
            "this is neither a URL nor `keyword=value`".to_owned(),
            "write postgres://user@host:port/database",
        ),
    }
}

/// Takes one value off the front; the second text is what follows it.
fn take_value<'a>(text: &'a str, keyword: &str) -> Result<(String, &'a str), Fault> {
    let (body, quoted) = match text.strip_prefix('\'') {
        Some(body) => (body, true),
        None => (text, false),
    };
    let mut value = String::new();
    let mut letters = body.char_indices();
    while let Some((index, letter)) = letters.next() {
        match letter {
            '\\' => value.extend(letters.next().map(|(_, letter)| letter)),
            '\'' if quoted => return Ok((value, &body[index + 1..])),
            _ if !quoted && letter.is_whitespace() => return Ok((value, &body[index..])),
            _ => value.push(letter),
        }
    }
    if quoted {
        return Err((
            format!("the value of `{keyword}` has no closing quote"),
            QUOTE,
        ));
    }
    Ok((value, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        match parse(text, "test") {
            Ok(pairs) => pairs
                .iter()
                .map(|(keyword, value)| format!("{keyword}={value}"))
                .collect::<Vec<_>>()
                .join(" "),
            Err(error) => format!("error: {}", error.reason()),
        }
    }

    #[test]
    fn every_form_of_url_is_taken_apart() {
        for (text, expected) in [
            ("postgres://", ""),
            ("postgresql:///crm", "dbname=crm"),
            ("postgres://db", "host=db"),
            ("postgres://db:5433/", "host=db port=5433"),
            (
                "postgres://a:b@db/crm",
                "user=a password=b host=db dbname=crm",
            ),
            (
                "postgres://a%40x:p%2Fw%25@db",
                "user=a@x password=p/w% host=db",
            ),
            ("postgres://a:p?w@db", "user=a password=p?w host=db"),
            ("postgres://a:@db", "user=a password= host=db"),
            ("postgres://[::1]:5433/crm", "host=::1 port=5433 dbname=crm"),
            ("postgres://[2001:db8::1]", "host=2001:db8::1"),
            ("postgres://a,b:5433,c/x", "host=a,b,c port=,5433, dbname=x"),
            ("postgres://%2Frun%2Fpg/x", "host=/run/pg dbname=x"),
            (
                "postgres://u@/x?host=/run/pg&port=5",
                "user=u dbname=x host=/run/pg port=5",
            ),
            ("postgres://db?ssl=true", "host=db sslmode=require"),
            (
                "postgres://db/x?options=-c%20a%3Db",
                "host=db dbname=x options=-c a=b",
            ),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn every_form_of_pairs_is_taken_apart() {
        for (text, expected) in [
            ("", ""),
            ("host=db port = 5433", "host=db port=5433"),
            (r"user='a b' password=p\ w\'\\", r"user=a b password=p w'\"),
            (r"password='it\'s' dbname=''", "password=it's dbname="),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn errors_never_quote_a_password() {
        for text in [
            "postgres://a:hunter/2@db/crm",
            "postgres://a:55/hunter@db/crm",
            "postgres://a:x@hunter@db/crm",
            "postgres://a:hunter%zz@db",
            "postgres://a:hunter%00@db",
            "postgres://a:hunter%ff@db",
            "postgres://db?password=hunter=x",
            "postgres://db?hunter",
            "postgres://[::1/hunter",
            "password=x hunter",
            "password='hunter",
            "hunter",
            "mysql://a:hunter@db",
        ] {
            let error = parse(text, "test").err().map(|error| error.to_string());
            assert!(
                error
                    .as_ref()
                    .is_some_and(|error| !error.contains("hunter")),
                "{text}: {error:?}"
            );
        }
    }
}
