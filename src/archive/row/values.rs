//! What is hashed of a row: its values one after the other, and where it has none.
//!
//! The values are joined by tabs, and NULLs are left out; their places are the seed of the hash. PostgreSQL says
//! the same by `concat_ws` and `num_nulls`, at half the cost of the text of a record. A line of COPY without any
//! `\\` is that text already.

/// How many columns one call of `concat_ws` is given: PostgreSQL takes at most 100 arguments.
const GROUP: usize = 90;

/// The places of NULLs are counted modulo this, so that the sum of all bits is a bigint however many columns there are.
const PLACES: usize = 48;

/// Returns the SQL of the hash of a row with these columns, which are SQL expressions.
pub(super) fn sql<S: AsRef<str>>(columns: &[S]) -> String {
    let columns: Vec<&str> = columns.iter().map(AsRef::as_ref).collect();
    format!(
        "pg_catalog.hashtextextended({}, {})",
        texts(&columns),
        seed(&columns)
    )
}

fn texts(columns: &[&str]) -> String {
    let join = |texts: &[String]| format!("pg_catalog.concat_ws(E'\\t', {})", texts.join(", "));
    let groups = columns.chunks(GROUP).map(|group| {
        let group: Vec<String> = group.iter().map(|column| (*column).to_owned()).collect();
        join(&group)
    });
    let groups: Vec<String> = groups.collect();
    match groups.as_slice() {
        [] => "''".to_owned(),
        [one] => one.clone(),
        several => join(several),
    }
}

/// Where the NULLs are; `IS NULL` would take a composite value of NULLs for one.
fn seed(columns: &[&str]) -> String {
    if columns.is_empty() {
        return "0".to_owned();
    }
    let counts = columns
        .chunks(GROUP)
        .map(|group| format!("pg_catalog.num_nulls({})", group.join(", ")));
    let places = columns.iter().enumerate().map(|(place, column)| {
        let bit = 1_u64 << (place % PLACES);
        format!("pg_catalog.num_nulls({column}) * {bit}::bigint")
    });
    format!(
        "CASE WHEN {} = 0 THEN 0 ELSE {} END",
        counts.collect::<Vec<_>>().join(" + "),
        places.collect::<Vec<_>>().join(" + ")
    )
}

/// Finds what is hashed of a line of COPY's text format, without its newline: the text and the seed. `room` is only
/// memory that can be used again.
pub(super) fn of<'a>(line: &'a [u8], room: &'a mut Vec<u8>) -> (&'a [u8], u64) {
    if !line.contains(&b'\\') {
        return (line, 0);
    }
    room.clear();
    let (mut seed, mut is_first) = (0, true);
    for (place, field) in line.split(|byte| *byte == b'\t').enumerate() {
        if place > 0 && place % GROUP == 0 {
            room.push(b'\t');
            is_first = true;
        }
        if field == b"\\N" {
            seed += 1 << (place % PLACES);
            continue;
        }
        if !is_first {
            room.push(b'\t');
        }
        is_first = false;
        add(field, room);
    }
    (room, seed)
}

/// Adds a field as it was before COPY escaped it.
fn add(field: &[u8], to: &mut Vec<u8>) {
    let mut pieces = field.split(|byte| *byte == b'\\');
    to.extend_from_slice(pieces.next().unwrap_or_default());
    while let Some(piece) = pieces.next() {
        match piece.split_first() {
            Some((letter, rest)) => {
                to.push(unescaped(*letter));
                to.extend_from_slice(rest);
            }
            // Two in a row are one, and what follows the second is as it is.
            None => {
                to.push(b'\\');
                to.extend_from_slice(pieces.next().unwrap_or_default());
            }
        }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn values(line: &str) -> (String, u64) {
        let mut room = b"old".to_vec();
        let (text, seed) = of(line.as_bytes(), &mut room);
        (String::from_utf8(text.to_vec()).unwrap(), seed)
    }

    #[test]
    fn values_are_joined_and_nulls_are_the_seed() {
        let case = |line: &str, text: &str, seed: u64| {
            assert_eq!(values(line), (text.to_owned(), seed), "{line}");
        };
        case("1\tada", "1\tada", 0);
        case("", "", 0);
        case("\\N", "", 1);
        case("a\t\\N\t\tb", "a\t\tb", 2);
        case("\\N\t\\N", "", 3);
        case("\\\\N\tx", "\\N\tx", 0);
        case("a\\tb\\nc\\\\", "a\tb\nc\\", 0);
        case("\\\\\\\\x\\b", "\\\\x\u{8}", 0);
    }

    #[test]
    fn many_columns_are_told_group_by_group() {
        let mut fields = vec!["\\N"; 95];
        fields[93] = "x";
        let seed = (0..95)
            .filter(|at| *at != 93)
            .map(|at| 1_u64 << (at % PLACES))
            .sum();
        assert_eq!(values(&fields.join("\t")), ("\tx".to_owned(), seed));
    }

    proptest! {
        #[test]
        fn any_line_has_values(line: Vec<u8>) {
            let mut room = Vec::new();
            of(&line, &mut room);
        }
    }
}
