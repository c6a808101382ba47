//! Plain-English helpers: the nearest name, lists and plurals.

/// Returns the candidate that `word` was most likely meant to be.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| {
            (
                strsim::jaro_winkler(&word.to_lowercase(), &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|(score, _)| *score >= 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// Returns "did you mean `x`?" when a candidate is near enough.
pub fn did_you_mean<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    nearest(word, candidates).map(|candidate| format!("did you mean `{candidate}`?"))
}

/// Returns the items as a list in words: "a, b and c".
pub fn list<S: AsRef<str>>(items: &[S]) -> String {
    match items {
        [] => "none".to_owned(),
        [only] => only.as_ref().to_owned(),
        [first @ .., last] => {
            let first: Vec<&str> = first.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", first.join(", "), last.as_ref())
        }
    }
}

/// Returns the items in backticks, joined by commas.
pub fn quoted<S: AsRef<str>>(items: &[S]) -> String {
    let items: Vec<String> = items
        .iter()
        .map(|item| format!("`{}`", item.as_ref()))
        .collect();
    items.join(", ")
}

/// Returns "1 row", "2 rows".
pub fn count(number: impl Into<i128>, singular: &str) -> String {
    let number: i128 = number.into();
    if number == 1 {
        format!("1 {singular}")
    } else {
        format!("{number} {}", plural(singular))
    }
}

/// Returns what the system says in plain words, without its number.
pub fn io(error: &std::io::Error) -> String {
    let text = error.to_string();
    let end = text.find(" (os error").unwrap_or(text.len());
    text[..end].to_lowercase()
}

/// Returns a length as the wider number that is written and compared.
pub fn long(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

fn plural(word: &str) -> String {
    match word.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'i', 'o', 'u']) => format!("{stem}ies"),
        _ if word.ends_with(['s', 'x']) => format!("{word}es"),
        _ => format!("{word}s"),
    }
}

/// Returns "812 B", "2.1 kB", "150 MB", "3 GB".
pub fn bytes(count: u64) -> String {
    let mut unit = (1, "B");
    for next in [
        (1_000, "kB"),
        (1_000_000, "MB"),
        (1_000_000_000, "GB"),
        (1_000_000_000_000, "TB"),
    ] {
        // What rounds to a thousand is one of the next.
        if count.saturating_add(next.0 / 2000) >= next.0 {
            unit = next;
        }
    }
    let (size, name) = unit;
    let tenths = (u128::from(count) * 10 + u128::from(size) / 2) / u128::from(size);
    match (size, tenths % 10) {
        (1, _) => format!("{count} B"),
        // A tenth of what is many is of no interest.
        (_, tenth) if tenth > 0 && tenths < 1000 => format!("{}.{tenth} {name}", tenths / 10),
        _ => format!("{} {name}", count.saturating_add(size / 2) / size),
    }
}

/// Breaks a line between words, so that no part is wider than `width` columns where that can be: what stands in
/// backticks is copied and typed, and stays in one piece.
pub fn wrapped(line: &str, width: usize) -> Vec<String> {
    if console::measure_text_width(line) <= width {
        return vec![line.to_owned()];
    }
    let mut parts: Vec<String> = Vec::new();
    for piece in pieces(line) {
        let fits = |part: &String| {
            console::measure_text_width(part) + 1 + console::measure_text_width(&piece) <= width
        };
        match parts.last_mut().filter(|part| fits(part)) {
            Some(part) => {
                part.push(' ');
                part.push_str(&piece);
            }
            None => parts.push(piece),
        }
    }
    parts
}

/// Returns the words of a line; what stands in backticks is one.
fn pieces(line: &str) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    let mut quoting = false;
    for word in line.split(' ') {
        match pieces.last_mut().filter(|_| quoting) {
            Some(piece) => {
                piece.push(' ');
                piece.push_str(word);
            }
            None => pieces.push(word.to_owned()),
        }
        quoting ^= word.matches('`').count() % 2 == 1;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plurals_and_lists_read_as_english() {
        assert_eq!(count(1, "query"), "1 query");
        assert_eq!(count(2, "query"), "2 queries");
        assert_eq!(count(0, "row"), "0 rows");
        assert_eq!(list(&["a", "b", "c"]), "a, b and c");
    }

    #[test]
    fn a_typing_slip_finds_its_name() {
        assert_eq!(nearest("statsu", ["status", "name"]), Some("status"));
        assert_eq!(nearest("zzz", ["status", "name"]), None);
    }

    #[test]
    fn lines_are_broken_between_words() {
        let line = "choose another name: `restore --into NAME`, or drop it";
        assert_eq!(wrapped(line, 80), [line]);
        assert_eq!(
            wrapped(line, 30),
            [
                "choose another name:",
                "`restore --into NAME`, or drop",
                "it"
            ]
        );
        assert_eq!(wrapped("overlong a", 4), ["overlong", "a"]);
    }

    #[test]
    fn sizes_read_as_people_say_them() {
        let cases = [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1 kB"),
            (2149, "2.1 kB"),
            (99_960, "100 kB"),
            (999_499, "999 kB"),
            (999_500, "1 MB"),
            (150_000_000, "150 MB"),
            (1_500_000_000, "1.5 GB"),
            (u64::MAX, "18446744 TB"),
        ];
        for (count, words) in cases {
            assert_eq!(bytes(count), words);
        }
    }
}
