//! Encrypted backups: what opens them, and what happens without it.

use insta::assert_snapshot;

use crate::backup_cli::{listed, newest, shop, told};
use crate::terminal::Terminal;
use crate::test::Test;

/// A backup that a passphrase opens.
fn sealed() -> Test {
    let test = shop()
        .file("secret", "correct horse\n")
        .file("wrong", "battery\n");
    test.run("backup create one --table users --passphrase-file secret")
        .code(0)
        .keeps("correct horse");
    test
}

#[test]
fn backup_by_a_passphrase_is_opened_by_it_alone() {
    let test = sealed();
    assert_eq!(listed(&test)[0]["encrypted"], true);
    let verify = |args: &str| test.run(&format!("backup verify one {args}"));
    assert_snapshot!(told(&verify("").code(0)), @"");
    assert_snapshot!(told(&verify("--passphrase-file secret").code(0)), @"");
    assert_snapshot!(told(&verify("--passphrase-file wrong --restore").code(10)), @"");
    let restore = |args: &str| test.run(&format!("backup restore one --dry-run {args}"));
    assert_snapshot!(told(&restore("").code(10)), @"");
    restore("--passphrase-file wrong").code(10).keeps("battery");
    restore("--passphrase-file secret").code(0);
    verify("--restore --passphrase-file secret").code(0);
    assert_eq!(listed(&test)[0]["state"], "restored");
    assert_snapshot!(told(&test.run("backup show one").code(0)), @"");
}

#[test]
fn backup_passphrase_is_asked_for_without_being_shown() {
    let test = shop();
    let (code, text) = Terminal::new(&test, "backup create one --table users --passphrase")
        .shows("Passphrase")
        .types("correct horse\n")
        .shows("The same again")
        .types("correct horse\n")
        .end();
    assert_eq!(code, Some(0), "{text}");
    assert!(!text.contains("horse"), "{text}");
    let (code, text) = Terminal::new(&test, "backup verify one")
        .shows("Passphrase of one-")
        .types("correct horse\n")
        .end();
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("read in full"), "{text}");
    assert!(!text.contains("horse"), "{text}");
    let id = newest(&test);
    let (code, text) = Terminal::new(&test, &format!("backup verify {id} --restore"))
        .shows("Passphrase of one-")
        .types("battery staple\n")
        .end();
    assert_eq!(code, Some(10), "{text}");
}

#[test]
fn backup_with_two_different_passphrases_is_not_made() {
    let test = shop();
    let (code, text) = Terminal::new(&test, "backup create one --table users --passphrase")
        .shows("Passphrase")
        .types("correct horse\n")
        .shows("The same again")
        .types("correct house\n")
        .end();
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("differ"), "{text}");
    assert!(listed(&test).is_empty());
}

#[test]
fn backup_for_a_recipient_is_opened_by_its_key() {
    const PUBLIC: &str = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";
    let test = shop();
    test.run(&format!(
        "backup create one --table users --recipient {PUBLIC}"
    ))
    .code(0);
    let ran = test.run("backup create two --table users --recipient age1nonsense");
    assert_snapshot!(told(&ran.code(10)), @"");
    let test = test.file("none", "# no key\n");
    assert_snapshot!(told(&test.run("backup verify one --identity none").code(2)), @"");
    assert_snapshot!(told(&test.run("backup restore one --dry-run").code(10)), @"");
}
