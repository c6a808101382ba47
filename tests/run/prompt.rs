//! Parameters that are asked for at a terminal.

use std::time::Duration;

use crate::terminal::Terminal;
use crate::test::Test;

const CHOICES: &str = "
    risk: low
    params:
      company:
        type: int
        help: Which company
        choices: SELECT id, name FROM companies WHERE status = 'suspended' ORDER BY name
    steps:
      - query: found
        sql: SELECT name FROM companies WHERE id = {{ company }}
";

const TYPED: &str = "
    risk: low
    params:
      least: { type: int, max: 9 }
      window: { type: interval, default: 5 minutes }
    steps:
      - query: found
        sql: SELECT {{ least }} + 100 AS least, {{ window }} * 2 AS twice
";

const SECRET: &str = "
    risk: low
    params:
      token: { type: text, secret: true }
    steps:
      - query: found
        sql: SELECT length({{ token }}) + 100 AS n
";

/// Gives the program time to read what is typed after the prompt.
fn settle() {
    std::thread::sleep(Duration::from_millis(300));
}

fn ask<'a>(test: &'a Test, prompt: &str) -> Terminal<'a> {
    let terminal = Terminal::new(test, "run t").shows(prompt);
    settle();
    terminal
}

#[test]
fn typing_searches_the_choices() {
    let test = Test::crm().runbook("t", CHOICES);
    let (code, screen) = ask(&test, "type to search, Esc cancels")
        .types("init")
        .shows("init")
        .types("\n")
        .end();
    assert_eq!(code, Some(0), "{screen}");
    assert!(screen.contains("company  66"), "{screen}");
}

#[test]
fn nothing_is_chosen_without_a_word() {
    let test = Test::crm().runbook("t", CHOICES);
    let terminal = ask(&test, "type to search").types("\n\n");
    settle();
    let (code, screen) = terminal.types("\x1b").end();
    assert_eq!(code, Some(130), "{screen}");
    assert!(screen.contains("cancelled: nothing was run"), "{screen}");
}

#[test]
fn ctrl_c_at_a_prompt_cancels_and_brings_the_cursor_back() {
    for (runbook, prompt) in [
        (CHOICES, "type to search"),
        (TYPED, "least (int): "),
        (SECRET, "token (not shown): "),
    ] {
        let test = Test::crm().runbook("t", runbook);
        let (code, screen) = ask(&test, prompt).types("\x03").end();
        assert_eq!(code, Some(130), "{screen}");
        assert!(screen.contains("cancelled: nothing was run"), "{screen}");
        assert!(screen.contains("\x1b[?25h"), "{screen:?}");
    }
}

#[test]
fn a_wrong_value_is_asked_for_again_and_nothing_typed_takes_the_default() {
    let test = Test::crm().runbook("t", TYPED);
    let (code, screen) = ask(&test, "least (int): ")
        .types("\n")
        .shows("it needs a value")
        .types("ten\n")
        .shows("`ten` is not a whole number")
        .types("7\n")
        .shows("window (interval) [5 minutes]: ")
        .types("\n")
        .end();
    assert_eq!(code, Some(0), "{screen}");
    assert!(screen.contains("107  00:10:00"), "{screen}");
}

#[test]
fn a_secret_is_not_shown() {
    let test = Test::crm().runbook("t", SECRET);
    let (code, screen) = ask(&test, "token (not shown): ").types("hush-hush\n").end();
    assert_eq!(code, Some(0), "{screen}");
    assert!(!screen.contains("hush"), "{screen}");
    assert!(screen.contains("109"), "{screen}");
}

#[test]
fn the_demo_waits_until_its_scenes_are_read() {
    let test = Test::sql("SELECT 1");
    let terminal = Terminal::new(&test, "demo health-check").shows("Press Enter to go on");
    settle();
    let terminal = terminal.types("\n").shows("What will it do?");
    settle();
    let (code, screen) = terminal.types("\x04").end();
    assert_eq!(code, Some(130), "{screen}");
}
