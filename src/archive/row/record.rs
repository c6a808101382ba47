//! The text of a record as `record_out` prints it, and the line of COPY's text format that is the same row.

/// What a byte means in a line of COPY or in a record; a field has all that its bytes have.
const PLAIN: u8 = 0;
/// A field with such a byte is in quotes in a record.
const QUOTED: u8 = 1;
/// Such a byte is doubled in a record, and its field is in quotes.
const DOUBLED: u8 = 2;
/// In a line: the byte after it says what it is.
const ESCAPE: u8 = 4;
/// In a line: the end of a field.
const TAB: u8 = 8;

/// What each byte means.
const MEANING: [u8; 256] = meaning();

const fn meaning() -> [u8; 256] {
    let mut all = [PLAIN; 256];
    let mut byte = 0;
    while byte < all.len() {
        all[byte] = match byte {
            0x09 => QUOTED | TAB,
            // What `isspace` knows besides, and what has a meaning between fields.
            0x0a..=0x0d | 0x20 | 0x28 | 0x29 | 0x2c => QUOTED,
            0x22 => QUOTED | DOUBLED,
            0x5c => QUOTED | DOUBLED | ESCAPE,
            _ => PLAIN,
        };
        byte += 1;
    }
    all
}

fn means(byte: u8) -> u8 {
    MEANING[usize::from(byte)]
}

/// Returns the text of the record that a line of COPY's text format is, without the line's newline. What was in
/// `record` is gone: it is only room that can be used again.
pub fn record_of(line: &[u8], record: &mut Vec<u8>) {
    record.clear();
    record.push(b'(');
    let mut rest = Some(line);
    while let Some(text) = rest {
        let (field, found, after) = first_field(text);
        add_field(field, found, record);
        rest = after;
        if rest.is_some() {
            record.push(b',');
        }
    }
    record.push(b')');
}

/// Returns the first field of a line, what its bytes mean, and what follows its tab.
fn first_field(text: &[u8]) -> (&[u8], u8, Option<&[u8]>) {
    let mut found = PLAIN;
    let end = text.iter().position(|byte| {
        let meaning = means(*byte);
        if meaning & TAB != 0 {
            return true;
        }
        found |= meaning;
        false
    });
    let (field, after) = text.split_at(end.unwrap_or(text.len()));
    (field, found, after.get(1..))
}

/// Adds a field of a line; `found` is what its bytes mean.
fn add_field(field: &[u8], found: u8, record: &mut Vec<u8>) {
    if found == PLAIN && !field.is_empty() {
        record.extend_from_slice(field);
    } else if found & ESCAPE != 0 {
        add_escaped(field, record);
    } else {
        record.push(b'"');
        add_doubled(field, found, record);
        record.push(b'"');
    }
}

/// Adds a field of a line that has `\\` in it.
fn add_escaped(field: &[u8], record: &mut Vec<u8>) {
    if field == b"\\N" {
        return;
    }
    let start = record.len();
    let mut found = PLAIN;
    record.push(b'"');
    let mut pieces = field.split(|byte| *byte == b'\\');
    if let Some(first) = pieces.next() {
        found |= add_piece(first, record);
    }
    while let Some(piece) = pieces.next() {
        found |= match piece.split_first() {
            Some((letter, rest)) => {
                let meant = add_byte(unescaped(*letter), record);
                meant | add_piece(rest, record)
            }
            // Two in a row are one, and what follows the second is as it is.
            None => {
                add_byte(b'\\', record)
                    | pieces.next().map_or(PLAIN, |next| add_piece(next, record))
            }
        };
    }
    if found & QUOTED == 0 {
        record.remove(start);
    } else {
        record.push(b'"');
    }
}

/// Adds a piece of a field without `\\`; returns what its bytes mean.
fn add_piece(piece: &[u8], record: &mut Vec<u8>) -> u8 {
    let found = piece.iter().fold(PLAIN, |all, byte| all | means(*byte));
    add_doubled(piece, found, record);
    found
}

fn add_byte(byte: u8, record: &mut Vec<u8>) -> u8 {
    let meaning = means(byte);
    if meaning & DOUBLED != 0 {
        record.push(byte);
    }
    record.push(byte);
    meaning
}

fn add_doubled(bytes: &[u8], found: u8, record: &mut Vec<u8>) {
    if found & DOUBLED == 0 {
        record.extend_from_slice(bytes);
        return;
    }
    for piece in bytes.split_inclusive(|byte| means(*byte) & DOUBLED != 0) {
        record.extend_from_slice(piece);
        record.extend(piece.last().filter(|byte| means(**byte) & DOUBLED != 0));
    }
}

/// Returns the byte that a letter after `\\` stands for.
fn unescaped(letter: u8) -> u8 {
    match letter {
        b'b' => 0x08,
        b't' => b'\t',
        b'n' => b'\n',
        b'v' => 0x0b,
        b'f' => 0x0c,
        b'r' => b'\r',
        other => other,
    }
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
    let end = text.iter().position(|byte| means(*byte) != PLAIN)?;
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

    fn record(line: &[u8]) -> Vec<u8> {
        let mut record = b"old".to_vec();
        record_of(line, &mut record);
        record
    }

    #[test]
    fn fields_read_as_the_server_prints_them() {
        let case = |line: &str, text: &str| {
            assert_eq!(String::from_utf8(record(line.as_bytes())).unwrap(), text);
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
        case("\\\\", "(\"\\\\\")");
        case("\\\\\\\\x\\\\", "(\"\\\\\\\\x\\\\\")");
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
        fn a_row_is_the_same_as_a_line_and_as_a_record(fields in fields()) {
            let (line, text) = (copy_out(&fields), record_out(&fields));
            prop_assert_eq!(&record(&line), &text);
            prop_assert_eq!(line_of(str::from_utf8(&text).unwrap()), Some(line));
        }

        #[test]
        fn any_bytes_are_some_record(line: Vec<u8>) {
            let text = record(&line);
            prop_assert!(text.starts_with(b"(") && text.ends_with(b")"));
        }

        #[test]
        fn any_text_is_a_record_or_none(text in "\\(?[a-c\"\\\\(), \t]*\\)?") {
            if let Some(line) = line_of(&text) {
                prop_assert!(!line.contains(&b'\n'));
                let again = record(&line);
                prop_assert_eq!(line_of(str::from_utf8(&again).unwrap()), Some(line));
            }
        }
    }
}
