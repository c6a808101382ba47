//! A scratch server starts quickly, keeps to itself and leaves nothing.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use runbook::pg::binaries::Binaries;
use runbook::pg::environment::Environment;
use runbook::pg::scratch::{Place, ScratchError, ScratchOptions};

use crate::support::{connect, start, text};

fn is_running(pid: u32) -> bool {
    let pid = Pid::from_raw(i32::try_from(pid).expect("a process id"));
    kill(pid, None) != Err(Errno::ESRCH)
}

/// Waits until something is so, for ten seconds at most.
fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[tokio::test]
async fn two_at_once_and_two_in_a_row_leave_nothing() {
    for _ in 0..2 {
        let first = start(ScratchOptions::default()).await;
        let second = start(ScratchOptions::default()).await;
        assert_ne!(first.path(), second.path());
        let settings = "SELECT current_setting('fsync') || current_setting('listen_addresses') \
                        || current_setting('lc_ctype')";
        for server in [&first, &second] {
            let connected = connect(&server.url("postgres"))
                .await
                .expect("a connection");
            assert!(text(&connected, settings).await.starts_with("off"));
            assert_eq!(
                text(&connected, "SELECT current_user::text").await,
                "postgres"
            );
        }
        let left: Vec<(PathBuf, u32)> = [&first, &second]
            .map(|server| (server.path().to_owned(), server.pid().expect("a process")))
            .into();
        first.stop().expect("an orderly end");
        drop(second);
        for (folder, pid) in left {
            assert!(!folder.exists(), "{} is left", folder.display());
            assert!(!is_running(pid), "{pid} is left");
        }
    }
}

#[tokio::test]
async fn databases_are_created_from_templates_whatever_their_names() {
    let server = start(ScratchOptions::default()).await;
    let name = r#"a "b" c/?é"#;
    server
        .create_database("origin", None)
        .await
        .expect("a database");
    let origin = connect(&server.url("origin")).await.expect("a connection");
    origin
        .client
        .batch_execute("CREATE TABLE t AS SELECT 'kept'::text AS x")
        .await
        .expect("a table");
    drop(origin);
    // The server takes a moment to notice that the session has gone, and will not copy a database in use.
    for _ in 0..100 {
        if server.create_database(name, Some("origin")).await.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let copy = connect(&server.url(name)).await.expect("a connection");
    assert_eq!(text(&copy, "SELECT x FROM t").await, "kept");
    let error = server.create_database("origin", None).await.err();
    assert!(
        matches!(error, Some(ScratchError::Statement(words)) if words.contains("already exists"))
    );
}

#[tokio::test]
async fn a_durable_server_keeps_what_was_committed_through_a_crash() {
    let mut server = start(ScratchOptions {
        durable: true,
        settings: vec![("work_mem".to_owned(), "5MB".to_owned())],
        ..ScratchOptions::default()
    })
    .await;
    let before = connect(&server.url("postgres"))
        .await
        .expect("a connection");
    assert_eq!(
        text(&before, "SELECT current_setting('work_mem')").await,
        "5MB"
    );
    before
        .client
        .batch_execute("CREATE TABLE t AS SELECT 'kept'::text AS x")
        .await
        .expect("a table");
    let pid = server.pid().expect("a process");
    server.crash().expect("a crash");
    assert!(!is_running(pid));
    assert!(connect(&server.url("postgres")).await.is_err());
    assert!(before.client.query_one("SELECT 1", &[]).await.is_err());

    server.restart().await.expect("a recovery");
    let after = connect(&server.url("postgres"))
        .await
        .expect("a connection");
    assert_eq!(text(&after, "SELECT x FROM t").await, "kept");
    assert!(server.log().contains("automatic recovery in progress"));
    server.restart().await.expect("a restart while it runs");
}

#[tokio::test]
async fn a_server_with_many_sessions_starts_again_right_after_a_crash() {
    let mut server = start(ScratchOptions::default()).await;
    for _ in 0..3 {
        let mut sessions = Vec::new();
        for _ in 0..30 {
            let session = connect(&server.url("postgres")).await;
            sessions.push(session.expect("a connection"));
        }
        server.crash().expect("a crash");
        server.restart().await.expect("a recovery");
    }
}

#[tokio::test]
async fn a_kept_folder_stays_and_a_fresh_server_has_its_own_identity() {
    let parent = tempfile::Builder::new()
        .prefix("rb")
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .tempdir_in("/tmp")
        .expect("a folder");
    let kept = start(ScratchOptions {
        keep: true,
        fresh: true,
        place: Place::Folder(parent.path().to_owned()),
        ..ScratchOptions::default()
    })
    .await;
    let other = start(ScratchOptions::default()).await;
    let identity = "SELECT system_identifier::text FROM pg_control_system()";
    let mut seen = Vec::new();
    for server in [&kept, &other] {
        let connected = connect(&server.url("postgres"))
            .await
            .expect("a connection");
        seen.push(text(&connected, identity).await);
    }
    assert_ne!(seen[0], seen[1]);
    let data = kept.data();
    kept.stop().expect("an orderly end");
    assert!(data.join("PG_VERSION").exists());
    assert!(!data.join("postmaster.pid").exists());
}

#[tokio::test]
async fn a_wrong_setting_fails_with_the_servers_own_words_and_leaves_nothing() {
    let parent = tempfile::Builder::new()
        .prefix("rb")
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .tempdir_in("/tmp")
        .expect("a folder");
    let options = ScratchOptions {
        settings: vec![("shared_buffers".to_owned(), "many".to_owned())],
        place: Place::Folder(parent.path().to_owned()),
        fresh: true,
        ..ScratchOptions::default()
    };
    let environment = Environment::from_process();
    let error = runbook::pg::scratch::start(&environment, options)
        .await
        .err();
    let words = error.map(|error| error.to_string()).unwrap_or_default();
    assert!(words.contains("shared_buffers"), "{words}");
    let left = fs::read_dir(parent.path()).expect("a folder").count();
    assert_eq!(left, 0);
}

/// Returns the first file of a name below a folder, as long as it is there.
fn find_below(folder: &Path, name: &str) -> Option<PathBuf> {
    fs::read_dir(folder).ok()?.flatten().find_map(|entry| {
        let path = entry.path();
        if path.is_dir() {
            find_below(&path, name)
        } else {
            (path.file_name()? == name).then_some(path)
        }
    })
}

/// Returns the process of the server whose data lies below a folder, once it accepts connections.
fn server_below(folder: &Path) -> Option<u32> {
    let text = fs::read_to_string(find_below(folder, "postmaster.pid")?).ok()?;
    let pid = text.lines().next()?.parse().ok()?;
    text.contains("ready").then_some(pid)
}

#[test]
fn a_killed_parent_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).expect("rights");
    let mut demo = Command::new(env!("CARGO_BIN_EXE_runbook"))
        .args(["demo", "--yes"])
        .env("TMPDIR", folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the demo");
    eventually("the demo's server starts", || {
        server_below(folder.path()).is_some()
    });
    let server = server_below(folder.path()).expect("a server");
    let parent = Pid::from_raw(i32::try_from(demo.id()).expect("a process id"));
    kill(parent, nix::sys::signal::Signal::SIGKILL).expect("a kill");
    demo.wait().expect("its end");
    eventually("the server is gone", || !is_running(server));
    eventually("its data is gone", || {
        find_below(folder.path(), "PG_VERSION").is_none()
    });
}

#[test]
fn the_makefile_finds_the_same_programs() {
    let found = Binaries::find(&Environment::from_process()).expect("PostgreSQL");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/postgres");
    let output = Command::new(script).arg("find").output().expect("a script");
    let printed = String::from_utf8(output.stdout).expect("a path");
    assert_eq!(Path::new(printed.trim()), found.folder());
    assert!(found.version().contains("PostgreSQL"));
    assert!(found.program("initdb").is_some());
}

#[test]
fn without_postgresql_the_error_says_how_to_install_it() {
    let words = ScratchError::NoPostgres.to_string();
    for hint in ["make postgres", "apt-get", "dnf", "brew"] {
        assert!(words.contains(hint), "{words}");
    }
}
