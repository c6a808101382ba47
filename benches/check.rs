//! How long checking many runbooks takes, and what becomes of files that were made to hurt.
#![expect(clippy::print_stdout, reason = "its result is what it prints")]

mod support {
    pub(crate) mod child;
    pub(crate) mod table;
}

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use support::child::{self, Ended};
use support::table::{Table, ms};

const STEPS: usize = 50;

fn main() {
    many();
    hostile();
}

fn many() {
    let mut table = Table::new(
        &format!("Checking generated runbooks of {STEPS} steps each"),
        "seconds for 1,000, time linear in their number, memory bounded",
        &["runbooks", "time", "per runbook", "peak memory"],
    );
    for count in [100_u32, 300, 1000] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for number in 0..count {
            let name = format!("generated-{number}");
            let path = folder.path().join(format!("{name}.yaml"));
            std::fs::write(path, runbook(&name)).expect("a runbook");
        }
        let ended = check(folder.path());
        assert_eq!(ended.code, Some(0), "{}", ended.line);
        let each = ms(ended.took / count);
        table.row([count.to_string(), ms(ended.took), each, ended.memory()]);
    }
    table.print();
}

/// Returns a runbook of as many queries, checks and fixes as people write, each reading what came before.
fn runbook(name: &str) -> String {
    let mut text = format!(
        "runbook: {name}\ntitle: A generated runbook\nrisk: medium\nparams:\n  account: {{ type: bigint }}\nsteps:\n"
    );
    for step in 0..(STEPS - 12) / 2 {
        let _ = write!(
            text,
            "  - query: account_{step}
    about: The account with its orders and their sum, as of step {step}.
    sql: |
      SELECT a.id, a.name, a.balance, (SELECT count(*) FROM orders o WHERE o.account_id = a.id) AS orders
      FROM accounts a LEFT JOIN customers c ON c.id = a.customer_id
      WHERE a.id = {{{{ account }}}} AND c.deleted_at IS NULL
    rows: 1
  - check: solvent_{step}
    that: account_{step}.balance >= 0 and account_{step}.orders < 100
    else: {{ stop: \"{{{{ account_{step}.name }}}} has {{{{ account_{step}.balance }}}}.\" }}
"
        );
    }
    text += "  - confirm: go\n    ask: Change {{ account_0.name }}?\n";
    for step in 0..10 {
        let _ = write!(
            text,
            "  - fix: change_{step}
    sql: UPDATE accounts SET balance = balance + {step} WHERE id = {{{{ account_{step}.id }}}}
    rows: 1
"
        );
    }
    text + "  - check: after\n    sql: SELECT balance FROM accounts WHERE id = {{ account }}\n    that: balance > 0\n"
}

fn hostile() {
    let mut table = Table::new(
        "Files that were made to hurt",
        "an error in less than a second",
        &["file", "time", "peak memory", "exit code"],
    );
    let folder = tempfile::tempdir().expect("a temporary folder");
    let junk: String = (0_u32..10 << 20)
        .map(|index| {
            char::from(
                b' ' + u8::try_from(index.wrapping_mul(2_654_435_761) >> 25).unwrap_or(0) % 95,
            )
        })
        .collect();
    let texts = [
        ("bomb", bomb()),
        ("junk", junk),
        ("lists", "[".repeat(10_000)),
        ("maps", "{a: ".repeat(10_000)),
        (
            "indents",
            (0..2_000).fold(String::new(), |text, depth| {
                text + &" ".repeat(depth) + "a:\n"
            }),
        ),
        (
            "sql",
            format!(
                "runbook: sql\ntitle: SQL\nsteps:\n  - query: deep\n    sql: SELECT {}1\n",
                "(".repeat(10_000)
            ),
        ),
        (
            "expression",
            format!(
                "runbook: expression\ntitle: That\nsteps:\n  - check: deep\n    that: {}1\n",
                "(".repeat(10_000)
            ),
        ),
    ];
    for (name, text) in texts {
        let path = folder.path().join(format!("{name}.yaml"));
        std::fs::write(&path, text).expect("a file");
        let ended = check(&path);
        let code = ended
            .code
            .map_or_else(|| "killed".to_owned(), |code| code.to_string());
        table.row([name.to_owned(), ms(ended.took), ended.memory(), code]);
    }
    table.print();
}

/// Returns ten lists of ten references to the one before.
fn bomb() -> String {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..10 {
        let references = vec![format!("*a{}", level - 1); 10].join(", ");
        let _ = writeln!(text, "a{level}: &a{level} [{references}]");
    }
    text
}

fn check(path: &Path) -> Ended {
    child::run(
        Command::new(env!("CARGO_BIN_EXE_runbook"))
            .arg("check")
            .arg(path),
    )
}
