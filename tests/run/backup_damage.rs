//! Backups that were cut off, altered, or could not be written: never taken for good ones, and those from before
//! stay.

use std::fs;
use std::path::{Path, PathBuf};

use crate::test::{Ran, Test};

/// Where the program of a test keeps its backups.
const BACKUPS: &str = "work/backups";

/// A database with a table whose rows do not compress well, and a small one.
fn ground() -> Test {
    Test::sql(
        "CREATE TABLE small (id int PRIMARY KEY, name text); \
         INSERT INTO small SELECT n, 'name ' || n FROM generate_series(1, 50) n; \
         CREATE TABLE large (id int PRIMARY KEY, noise text); \
         INSERT INTO large SELECT n, md5(n::text) || md5(random()::text) FROM generate_series(1, 8000) n",
    )
}

impl Test {
    fn backup(&self, args: &str) -> Ran {
        self.run(&format!("backup {args} --folder backups"))
    }

    fn backups(&self) -> PathBuf {
        self.root().join(BACKUPS)
    }

    /// Runs `backup create` where no file can grow beyond this many blocks of 512 bytes. A file that would is an
    /// error of the write then, as on a full disk; `killed` has the program be killed by it instead.
    fn create_limited(&self, blocks: u32, args: &str, killed: bool) -> Ran {
        let trap = if killed { "" } else { "trap '' XFSZ; " };
        let script = format!("{trap}ulimit -c 0; ulimit -f {blocks}; exec \"$0\" \"$@\"");
        let url = self.db.url();
        let fixed = [
            "backup",
            "create",
            "--folder",
            "backups",
            "--database-url",
            &url,
        ];
        let all = fixed.into_iter().chain(args.split_whitespace());
        let mut command = self.shell(&script, env!("CARGO_BIN_EXE_runbook"), all);
        self.ran(&command.output().unwrap())
    }
}

/// The names in a folder, in order.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// All files of a backup but its notes, with what is in them.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    for name in names(folder) {
        let path = folder.join(&name);
        if path.is_dir() {
            all.extend(files(&path));
        } else if name != "notes.json" {
            let content = fs::read(&path).unwrap();
            all.push((path, content));
        }
    }
    all
}

/// Makes a backup, and returns its folder.
#[track_caller]
fn made(test: &Test, args: &str) -> PathBuf {
    test.backup(&format!("create {args}")).code(0);
    let names = names(&test.backups());
    test.backups().join(names.last().unwrap())
}

/// Does something to each file of a backup in turn, and puts it and the notes back.
fn each_file(folder: &Path, damage: impl Fn(&Path, &[u8])) {
    let notes = fs::read(folder.join("notes.json")).unwrap_or_default();
    for (path, whole) in files(folder) {
        damage(&path, &whole);
        fs::write(&path, whole).unwrap();
        fs::write(folder.join("notes.json"), &notes).unwrap();
    }
}

/// Asserts that nothing takes the only backup for a good one.
#[track_caller]
fn assert_refused(test: &Test, id: &str, what: &str) {
    let verified = test.backup(&format!("verify {id}"));
    assert_eq!(verified.code, Some(10), "{what}: {verified}");
    let restored = test.backup(&format!("restore {id} --dry-run"));
    assert_ne!(restored.code, Some(0), "{what}: {restored}");
    let listed = test.backup("list").code(0);
    assert!(listed.stdout.contains("damaged"), "{what}: {listed}");
}

fn id(folder: &Path) -> String {
    folder.file_name().unwrap().to_str().unwrap().to_owned()
}

const KINDS: [&str; 3] = [
    "one --table small --table large",
    "one --rows small=id<40",
    "one",
];

#[test]
fn case_43_backup_that_was_cut_is_never_good() {
    for kind in KINDS {
        let test = ground();
        let folder = made(&test, kind);
        let id = id(&folder);
        each_file(&folder, |path, whole| {
            for percent in [0, 1, 50, 99] {
                fs::write(path, &whole[..whole.len() * percent / 100]).unwrap();
                assert_refused(&test, &id, &format!("{} at {percent} %", path.display()));
            }
            fs::remove_file(path).unwrap();
            assert_refused(&test, &id, &format!("{} is gone", path.display()));
        });
        test.backup(&format!("verify {id}")).code(0);
    }
}

#[test]
fn case_44_backup_with_a_flipped_bit_anywhere_is_found() {
    for kind in KINDS {
        let test = ground();
        let folder = made(&test, kind);
        let id = id(&folder);
        each_file(&folder, |path, whole| {
            for tenth in [0, 3, 6, 9] {
                let mut flipped = whole.to_vec();
                let at = whole.len() * tenth / 10;
                flipped[at] ^= 1 << (at % 8);
                fs::write(path, flipped).unwrap();
                assert_refused(&test, &id, &format!("{} at byte {at}", path.display()));
            }
        });
        test.backup(&format!("verify {id}")).code(0);
    }
}

#[test]
fn case_46_backup_on_a_full_disk_leaves_those_from_before() {
    for kind in [
        "one --table small --table large",
        "one --rows large=true",
        "one",
    ] {
        let test = ground();
        let before = files(&made(&test, "one --table small"));
        let ran = test.create_limited(128, kind, false).code(10);
        let said = ran.to_string();
        let ours = said.contains("cannot write") && said.contains("help: free some space");
        let theirs = said.contains("pg_dump: error: could not write");
        assert!(ours || theirs, "{ran}");
        assert_eq!(names(&test.backups()).len(), 1, "{kind}");
        for (path, content) in before {
            assert_eq!(fs::read(path).unwrap(), content);
        }
        test.backup("verify --all").code(0);
    }
}

#[test]
fn case_46_backup_folder_that_cannot_be_made_is_named() {
    let test = ground().file("backups", "a file");
    for folder in ["backups", "backups/below"] {
        let ran = test.run(&format!(
            "backup create one --table small --folder {folder}"
        ));
        ran.code(10).says(&format!("work/{folder}"));
    }
    assert_eq!(fs::read_to_string(test.backups()).unwrap(), "a file");
}

#[test]
fn backup_that_was_killed_is_unfinished_and_the_next_one_sweeps_it() {
    let test = ground();
    made(&test, "one --table small");
    let ran = test.create_limited(128, "one --table large", true);
    assert_eq!(ran.code, None, "{ran}");
    let partial = names(&test.backups()).remove(0);
    assert!(
        partial.starts_with(".one-") && partial.ends_with(".partial"),
        "{partial}"
    );
    test.backup("list").code(0).says("unfinished");
    test.backup("verify --all").code(0);
    // Its files could be anything.
    test.backup(&format!("verify {partial}")).code(10);
    test.backup("restore .one").code(2);
    made(&test, "two --table small");
    assert!(
        names(&test.backups())
            .iter()
            .all(|name| !name.starts_with('.'))
    );
}

#[test]
fn case_47_backup_that_failed_has_nothing_be_deleted() {
    let test = ground();
    for _ in 0..2 {
        made(&test, "one --table small");
    }
    let two = names(&test.backups());
    assert_eq!(two.len(), 2);
    test.create_limited(128, "one --table large --keep-last 1", false)
        .code(10);
    assert_eq!(names(&test.backups()), two);
    test.create_limited(128, "one --table large --keep-last 1", true);
    let left = names(&test.backups());
    assert_eq!(left.len(), 3);
    // A newer one is unfinished: nobody knows yet whether the others are needed.
    test.backup("prune one --keep-last 1 --yes")
        .code(0)
        .says("unfinished");
    assert_eq!(names(&test.backups()), left);
    // A new one is good, and then those before it go.
    let newest = made(&test, "one --table small --keep-last 1");
    assert_eq!(names(&test.backups()), [id(&newest)]);
}

#[test]
fn case_47_backup_that_is_newer_and_damaged_has_nothing_be_deleted() {
    let test = ground();
    for _ in 0..2 {
        made(&test, "one --table small");
    }
    let newest = made(&test, "one --table small");
    let all = names(&test.backups());
    for (path, whole) in files(&newest) {
        if path.extension().is_some_and(|end| end == "zst") {
            fs::write(path, &whole[1..]).unwrap();
        }
    }
    test.backup("prune one --keep-last 1 --yes").code(0);
    assert_eq!(names(&test.backups()), all);
}

#[test]
fn case_48_backup_that_alone_is_good_stays() {
    let test = ground();
    let good = made(&test, "one --table small");
    for keep in [
        "--keep-last 0",
        "--keep-days 0",
        "--keep-last 0 --keep-days 0",
    ] {
        test.backup(&format!("prune {keep} --yes")).code(0);
        test.backup(&format!("prune one {keep} --yes")).code(0);
    }
    let ran = test.backup(&format!("prune {} --yes", id(&good)));
    assert_ne!(ran.code, Some(0), "{ran}");
    assert_eq!(names(&test.backups()), [id(&good)]);
    test.backup("verify --all").code(0);
}
