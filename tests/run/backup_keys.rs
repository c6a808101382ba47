//! Encrypted backups: what opens them, and what happens without it.

use age::secrecy::ExposeSecret as _;
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
    assert_snapshot!(told(&verify("").code(0)), @"
    exit 0
    --- stdout
    one-DATE  its files are what was written; --identity or --passphrase-file opens them
    ");
    assert_snapshot!(told(&verify("--passphrase-file secret").code(0)), @"
    exit 0
    --- stdout
    one-DATE  good: read in full
    ");
    assert_snapshot!(told(&verify("--passphrase-file wrong --restore").code(10)), @"
    exit 10
    --- stderr
    error: the passphrase is not the one that the backup in ROOT/.local/state/runbook/backups/one-DATE is encrypted by
      = help: give the passphrase that it was made with: nothing else opens it
    ");
    let restore = |args: &str| test.run(&format!("backup restore one --dry-run {args}"));
    assert_snapshot!(told(&restore("").code(10)), @"
    exit 10
    --- stderr
    error: the backup in ROOT/.local/state/runbook/backups/one-DATE is encrypted by a passphrase, and none is given
      = help: give its passphrase
    ");
    restore("--passphrase-file wrong").code(10).keeps("battery");
    restore("--passphrase-file secret").code(0);
    verify("--restore --passphrase-file secret").code(0);
    assert_eq!(listed(&test)[0]["state"], "restored");
    assert_snapshot!(told(&test.run("backup show one").code(0)), @"
    exit 0
    --- stdout
    one-DATE
    6 rows of 1 table · SIZE

    name  one
    of  DB at postgres@SERVER:5432, PostgreSQL VERSION
    taken  MOMENT, AGE ago
    made by  postgres (USER@HOST), run RUN (backup create)
    read in full  MOMENT, AGE ago
    restored on trial  MOMENT, AGE ago
    encrypted  with age, by a passphrase
    folder  ROOT/.local/state/runbook/backups/one-DATE

    Tables
      TABLE  ROWS  SIZE  FILE
      public.users  6  SIZE  tables/0001.copy.zst.age

    Files
      FILE  SIZE  SHA-256
      key.age  SIZE  HASH
      tables/0001.copy.zst.age  SIZE  HASH

    How to restore it
      runbook backup restore one-DATE --passphrase-file FILE
          into a new database, DB_restored_DATE
      runbook backup restore one-DATE --in-place --passphrase-file FILE
          in place of what is there; asks for the database's name
      runbook backup restore one-DATE --merge --passphrase-file FILE
          puts back single rows that differ or are gone
      runbook backup restore one-DATE --table public.users --as NEW --passphrase-file FILE
          one table, beside the live one
    ");
}

#[test]
fn backup_for_a_recipient_is_restored_by_who_has_its_key() {
    let identity = age::x25519::Identity::generate();
    let others = age::x25519::Identity::generate();
    let text = |identity: &age::x25519::Identity| identity.to_string().expose_secret().to_owned();
    let test = shop()
        .file("key", text(&identity))
        .file("other", text(&others));
    let recipient = identity.to_public();
    test.run(&format!(
        "backup create one --table users --verify restore --recipient {recipient}"
    ))
    .code(0);
    test.run("backup verify one --restore --identity key")
        .code(0)
        .says("restored on trial");
    let before = test.rows("SELECT count(*), sum(hashtextextended(u::text, 0)) FROM users u");
    let back = |key: &str| {
        test.run(&format!(
            "backup restore one --table users --as copy --identity {key}"
        ))
    };
    back("other").code(10).says("key");
    assert_eq!(test.rows("SELECT to_regclass('copy') IS NULL"), "t");
    back("key").code(0);
    assert_eq!(
        test.rows("SELECT count(*), sum(hashtextextended(u::text, 0)) FROM copy u"),
        before
    );
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
    assert_snapshot!(told(&ran.code(10)), @r#"
    exit 10
    --- stdout
    Backup of DB  run RUN · postgres@SERVER:5432/DB · low risk
      backup  two-DATE
      holds  users
      encrypted  for age1nonsense

      ✗ backup  failed  TIME
          error: "age1nonsense" is no public key of age
            = note: no backup was made; earlier ones are as they were
            = help: a recipient is what `age-keygen -y KEYFILE` prints: `age1` and 58 letters and digits

    Failed after TIME.
    nothing was saved: "age1nonsense" is no public key of age
    Nothing was changed.
    "#);
    let test = test.file("none", "# no key\n");
    assert_snapshot!(told(&test.run("backup verify one --identity none").code(2)), @"
    exit 2
    --- stderr
    error: `none` has no private key of age: a line that begins with AGE-SECRET-KEY-
      = help: `age-keygen -o FILE` makes one; the public key, age1…, is what `--recipient` takes
    ");
    assert_snapshot!(told(&test.run("backup restore one --dry-run").code(10)), @"
    exit 10
    --- stderr
    error: the backup in ROOT/.local/state/runbook/backups/one-DATE is encrypted, and no private key is given
      = help: name the file of a private key of one of its recipients: `--identity FILE`
    ");
}
