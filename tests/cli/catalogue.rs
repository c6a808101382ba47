//! Where runbooks are found, listed and made.

use insta::assert_snapshot;

use crate::test::{READS, Test};

fn titled(name: &str, title: &str) -> String {
    format!("runbook: {name}\ntitle: {title}\nsteps:\n  - query: q\n    sql: SELECT 1 AS one\n")
}

#[test]
fn the_first_place_of_a_name_wins() {
    let place =
        |test: Test, folder: &str| test.file(&format!("{folder}/x.yaml"), titled("x", folder));
    let title = |test: Test, args: &[&str]| {
        let all = args.iter().copied().chain(["show", "x"]);
        let shown = test.args(all).stdout(0);
        shown.lines().next().unwrap_or_default().to_owned()
    };
    let user = "home/.config/runbook/runbooks";
    let test = || place(Test::new(), user);
    assert_eq!(title(test(), &[]), user);
    let test = || place(test(), "runbooks");
    assert_eq!(title(test(), &[]), "runbooks");
    let test = || place(test(), "work/runbooks/deep/er");
    assert_eq!(title(test(), &[]), "work/runbooks/deep/er");
    assert_eq!(title(test().at("work/a/b"), &[]), "work/runbooks/deep/er");
    let test = || {
        let test = place(test(), "shared");
        let path = format!("none:{}", test.root().join("shared").display());
        test.var("RUNBOOK_PATH", path)
    };
    assert_eq!(title(test(), &[]), "shared");
    let test = || place(test(), "work/mine");
    assert_eq!(title(test(), &["--runbooks", "mine"]), "work/mine");
}

#[test]
fn the_configuration_folder_can_be_elsewhere() {
    let test = Test::new().file("conf/runbook/runbooks/x.yaml", titled("x", "Here"));
    let folder = test.root().join("conf").display().to_string();
    let shown = test
        .var("XDG_CONFIG_HOME", folder)
        .args(["show", "x"])
        .stdout(0);
    assert!(shown.starts_with("Here\n"), "{shown}");
}

#[test]
fn a_folder_of_the_flag_must_be_there() {
    let stderr = Test::new().args(["list", "--runbooks", "none"]).stderr(2);
    assert!(
        stderr.starts_with("error: there is no folder `none`"),
        "{stderr}"
    );
}

#[test]
fn case_41_a_link_out_of_the_folder_is_refused() {
    let test = Test::new()
        .file("secret/x.yaml", titled("x", "Outside"))
        .link("work/runbooks/x.yaml", "../../secret/x.yaml")
        .link("work/runbooks/more", "../../secret")
        .args(["run", "x"]);
    assert_eq!(
        test.stderr(3),
        "error: the runbook `x` is not used: `runbooks/x.yaml` is a symbolic link that leaves the folder of runbooks\n"
    );
    let ran = test.args(["list"]).run();
    assert!(!ran.stdout.contains("Outside"), "{ran:?}");
    assert!(
        ran.stderr.contains("not listed: `runbooks/more`"),
        "{ran:?}"
    );
}

#[test]
fn a_link_inside_of_the_folder_and_loops_are_fine() {
    let test = Test::new()
        .runbook("real/x", titled("x", "Inside"))
        .link("work/runbooks/again", ".")
        .link("work/runbooks/loop", "loop");
    assert_eq!(test.args(["check"]).stdout(0), "1 runbook: 1 valid\n");
}

const X_TEST: &str = "test: x
cases:
  - case: it runs
    outcome: done
    path: [q]
";

#[test]
fn tests_of_runbooks_and_hidden_files_are_not_runbooks() {
    let test = Test::new()
        .runbook("x", titled("x", "T"))
        .runbook("x.test", X_TEST)
        .file("work/runbooks/.hidden/y.yaml", "broken")
        .file("work/runbooks/readme.md", "broken");
    assert_eq!(
        test.args(["check"]).stdout(0),
        "1 runbook, 1 test file: 2 valid\n"
    );
}

#[test]
fn two_of_a_name_in_one_folder_are_a_mistake() {
    let test = Test::new()
        .runbook("a/x", titled("x", "T"))
        .runbook("b/x", titled("x", "T"));
    let stdout = test.args(["check"]).stdout(3);
    assert!(
        stdout.contains("`runbooks/b/x.yaml` has the same name as `runbooks/a/x.yaml`"),
        "{stdout}"
    );
}

#[test]
fn a_search_puts_the_best_first() {
    // Words that no built-in runbook has.
    let about = |name: &str, title: &str, tags: &str| {
        let tags = format!("title: {title}\ntags: [{tags}]");
        titled(name, title).replacen(&format!("title: {title}"), &tags, 1)
    };
    let names = |words: &[&str]| -> Vec<String> {
        let args = ["list", "--output", "json"].iter().chain(words).copied();
        let burrow = about("badger-cannot-burrow", "A badger cannot dig", "badger");
        let digger = about("make-badger-digger", "Let it burrow", "badger, dusk");
        let text = Test::new()
            .runbook("badger-cannot-burrow", burrow)
            .runbook("make-badger-digger", digger)
            .runbook("moles", about("moles", "Show a badger's mole", "dusk"))
            .args(args)
            .stdout(0);
        let list: serde_json::Value = serde_json::from_str(&text).unwrap();
        let items = list.as_array().unwrap();
        items
            .iter()
            .map(|item| item["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let both = ["badger-cannot-burrow", "make-badger-digger"];
    assert_eq!(names(&["burrow"]), both);
    assert_eq!(names(&["DIGGER", "badger"]), ["make-badger-digger"]);
    assert_eq!(names(&["badger"]), [both[0], both[1], "moles"]);
    assert_eq!(names(&["mole"]), ["moles"]);
    assert_eq!(names(&["--tag", "dusk"]), ["make-badger-digger", "moles"]);
    assert_eq!(names(&["nothing-like-it"]), Vec::<String>::new());
}

#[test]
fn the_list_is_a_table_that_names_what_is_broken() {
    // A tag of their own: what else is listed depends on what is built in.
    let reads = READS.replacen("daily", "daily, ours", 1);
    let test = Test::new()
        .runbook("reads", &reads)
        .runbook("deep/er/again", reads.replacen("reads", "again", 1))
        .runbook(
            "broken",
            "runbook: broken\ntitle: A broken one\nsteps: []\n",
        );
    let test = test.args(["list"]);
    let ran = test.run();
    assert_eq!(ran.code, Some(0));
    assert_eq!(
        ran.stderr,
        "broken is not valid: `runbook check runbooks/broken.yaml` says why\n"
    );
    let names = ran.stdout.lines().map(|line| line.split_whitespace());
    let own: Vec<String> = names
        .take(3)
        .map(|words| words.take(3).collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(own, ["NAME TITLE RISK", "broken not valid", "reads Show a"]);
    assert_snapshot!(test.args(["list", "--tag", "ours"]).stdout(0));
    let none = Test::new().args(["list", "qqq"]).run();
    assert_eq!((none.stdout.as_str(), none.code), ("", Some(0)));
}

#[test]
fn a_new_runbook_is_valid_and_never_overwrites() {
    for template in ["query", "fix"] {
        let test = Test::new().args(["new", "reset-it", "--template", template]);
        let stdout = test.stdout(0);
        assert!(stdout.starts_with("runbooks/reset-it.yaml\n"), "{stdout}");
        assert_eq!(
            test.stderr(3),
            "error: `runbooks/reset-it.yaml` exists already\n  = help: choose another name, or remove it first\n"
        );
        let test = test.args(["check", "--deny-warnings", "reset-it"]);
        assert_eq!(test.stdout(0), "1 runbook, 1 test file: 2 valid\n");
    }
    let stderr = Test::new().args(["new", "../x"]).stderr(3);
    assert!(
        stderr.contains("`../x` is not a runbook's name"),
        "{stderr}"
    );
}
