//! Makes what differs from run to run the same, so that output can be compared as a whole.
//!
//! | what                        | becomes           |
//! |-----------------------------|-------------------|
//! | the folder of the test      | `ROOT`            |
//! | the server's folder         | `SERVER`          |
//! | the test's database         | `DB`              |
//! | a run's id                  | `RUN`             |
//! | the name of its backups     | `backups/RUN-`    |
//! | a duration, `12 ms`, `1.2 s`| `TIME`            |
//! | user and host of the actor  | `(USER@HOST)`     |
//! | a session's process id      | `session PID`     |
//! | when a session began        | `since MOMENT`    |

use regex_lite::Regex;

pub(crate) fn redact(text: &str, known: &[(&str, &str)]) -> String {
    let mut text = text.to_owned();
    for (what, becomes) in known {
        text = text.replace(what, becomes);
    }
    let patterns = [
        (r"\brun(book/| )[2-9a-hjkmnp-z]{6}\b", "run${1}RUN"),
        (
            r"\brunbook (undo|resume) [2-9a-hjkmnp-z]{6}\b",
            "runbook $1 RUN",
        ),
        (r"\bbackups/[2-9a-hjkmnp-z]{6}-", "backups/RUN-"),
        (r"\b(restore|Backup) ( *)[2-9a-hjkmnp-z]{6}-", "$1 ${2}RUN-"),
        (r"\brun `[2-9a-hjkmnp-z]{6}`", "run `RUN`"),
        (r"error: [^()\s]+@[^()\s]+ works", "error: USER@HOST works"),
        (r"as process \d+ since \S+", "as process PID since MOMENT"),
        // Scratch servers of `runbook test`, and the databases of cases there.
        (
            r"/\S*/runbook-\w{6}:5432/(case_\d+|test)",
            "SERVER:5432/CASE",
        ),
        (r"\b\d+(\.\d+)? (ms|s)\b", "TIME"),
        // A machine that is busy takes longer than nobody's answer.
        (r" \(TIME waiting for you\)", ""),
        // On a terminal, durations stand at its right side.
        (r"(?m) {2,}TIME$", "  TIME"),
        (r"\([^()\s]+@[^()\s]+\)", "(USER@HOST)"),
        // The header's right side is as wide as the target's name is long.
        (r" {2,}run RUN", "  run RUN"),
        (r"\b(session|pid) \d+", "$1 PID"),
        (r"since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\+00", "since MOMENT"),
    ];
    for (pattern, becomes) in patterns {
        text = Regex::new(pattern)
            .unwrap()
            .replace_all(&text, becomes)
            .into_owned();
    }
    text
}
