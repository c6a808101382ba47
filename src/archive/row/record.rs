//! The line of COPY's text format that is the same row as the text of a record.

/// Returns whether `record_out` puts a field with this byte in quotes.
fn is_special(byte: u8) -> bool {
    matches!(
        byte,
        b'\t'..=b'\r' | b' ' | b'(' | b')' | b',' | b'"' | b'\\'
    )
}

/// Returns the line of COPY's text format, without its newline, for the text of a record as `record_out`
/// prints it; none where it is no record.
pub fn line_of(record: &str) -> Option<Vec<u8>> {
    let mut rest = record.as_bytes().strip_prefix(b"(")?;
    let mut line = Vec::with_capacity(record.len());
    loop {
        let after = match rest.strip_prefix(b"\"") {
            Some(quoted) => add_quoted(quoted, &mut line)?,
            None => add_bare(rest, &mut line)?,
        };
        match after {
            b")" => return Some(line),
            [b',', next @ ..] => rest = next,
            _ => return None,
        }
        line.push(b'\t');
    }
}

/// Adds a field without quotes, which is NULL where it is empty; returns what follows it.
fn add_bare<'a>(text: &'a [u8], line: &mut Vec<u8>) -> Option<&'a [u8]> {
    let end = text.iter().position(|byte| is_special(*byte))?;
    let (field, after) = text.split_at_checked(end)?;
    match field {
        [] => line.extend_from_slice(b"\\N"),
        _ => field.iter().for_each(|byte| escape(*byte, line)),
    }
    Some(after)
}

/// Adds a field in quotes, of which the first is taken already; returns what follows the last.
fn add_quoted<'a>(text: &'a [u8], line: &mut Vec<u8>) -> Option<&'a [u8]> {
    let mut rest = text;
    loop {
        let (byte, after) = rest.split_first()?;
        rest = match (byte, after) {
            (b'"', [b'"', after @ ..]) | (b'\\', [b'\\', after @ ..]) => {
                escape(*byte, line);
                after
            }
            (b'"', after) => return Some(after),
            (b'\\', _) => return None,
            (byte, after) => {
                escape(*byte, line);
                after
            }
        };
    }
}

/// Adds a byte of a field as COPY prints it.
fn escape(byte: u8, line: &mut Vec<u8>) {
    let letter = match byte {
        0x08 => b'b',
        b'\t' => b't',
        b'\n' => b'n',
        0x0b => b'v',
        0x0c => b'f',
        b'\r' => b'r',
        b'\\' => b'\\',
        plain => return line.push(plain),
    };
    line.extend_from_slice(&[b'\\', letter]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `record_out`, as its source reads.
    fn record_out(fields: &[Option<Vec<u8>>]) -> Vec<u8> {
        let mut out = vec![b'('];
        for (at, field) in fields.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            let Some(field) = field else { continue };
            let special = |byte: &u8| b"\"\\(), \t\n\x0b\x0c\r".contains(byte);
            let quoted = field.is_empty() || field.iter().any(special);
            if quoted {
                out.push(b'"');
            }
            for byte in field {
                if matches!(byte, b'"' | b'\\') {
                    out.push(*byte);
                }
                out.push(*byte);
            }
            if quoted {
                out.push(b'"');
            }
        }
        out.push(b')');
        out
    }

    /// `CopyAttributeOutText`, as its source reads.
    fn copy_out(fields: &[Option<Vec<u8>>]) -> Vec<u8> {
        let fields: Vec<Vec<u8>> = fields
            .iter()
            .map(|field| {
                let Some(field) = field else {
                    return b"\\N".to_vec();
                };
                let mut out = Vec::new();
                for byte in field {
                    match byte {
                        0x08 => out.extend_from_slice(b"\\b"),
                        0x0c => out.extend_from_slice(b"\\f"),
                        b'\n' => out.extend_from_slice(b"\\n"),
                        b'\r' => out.extend_from_slice(b"\\r"),
                        b'\t' => out.extend_from_slice(b"\\t"),
                        0x0b => out.extend_from_slice(b"\\v"),
                        b'\\' => out.extend_from_slice(b"\\\\"),
                        byte => out.push(*byte),
                    }
                }
                out
            })
            .collect();
        fields.join(&b'\t')
    }

    #[test]
    fn fields_read_as_the_server_prints_them() {
        let case = |line: &str, text: &str| {
            assert_eq!(line_of(text).unwrap(), line.as_bytes());
        };
        case("1\tada", "(1,ada)");
        case("\\N", "()");
        case("", "(\"\")");
        case("\t", "(\"\",\"\")");
        case("\\N\t\t\\N", "(,\"\",)");
        case("a b", "(\"a b\")");
        case("a\\tb\\nc", "(\"a\tb\nc\")");
        case("\\\\N", "(\"\\\\N\")");
        case("\\b", "(\u{8})");
        case("say \"hi\"", "(\"say \"\"hi\"\"\")");
        case("(1,\"a b\")", "(\"(1,\"\"a b\"\")\")");
        case("\u{7}\u{1}é😀", "(\u{7}\u{1}é😀)");
    }

    #[test]
    fn what_is_no_record_is_none() {
        for text in [
            "",
            "(",
            ")",
            "1",
            "(1",
            "1)",
            "(1)x",
            "(\"a)",
            "(\"a\"b)",
            "(a\"b)",
            "(a b)",
            "(a\\b)",
            "(\"a\\b\")",
            "(1,2))",
            "((1)",
            "(\"\\\")",
        ] {
            assert_eq!(line_of(text), None, "{text}");
        }
    }

    fn fields() -> impl Strategy<Value = Vec<Option<Vec<u8>>>> {
        let byte = prop_oneof![
            3 => any::<char>(),
            2 => proptest::sample::select("\\\"(), \t\n\r\u{8}\u{b}\u{c}bfnrtvN.".chars().collect::<Vec<_>>()),
        ];
        let text = proptest::collection::vec(byte, 0..20)
            .prop_map(|chars| chars.into_iter().collect::<String>().into_bytes());
        proptest::collection::vec(proptest::option::of(text), 1..6)
    }

    proptest! {
        #[test]
        fn a_record_is_the_line_of_the_same_row(fields in fields()) {
            let (line, text) = (copy_out(&fields), record_out(&fields));
            prop_assert_eq!(line_of(str::from_utf8(&text).unwrap()), Some(line));
        }

        #[test]
        fn any_text_is_a_record_or_none(text in "\\(?[a-c\"\\\\(), \t]*\\)?") {
            if let Some(line) = line_of(&text) {
                prop_assert!(!line.contains(&b'\n'));
            }
        }
    }
}
