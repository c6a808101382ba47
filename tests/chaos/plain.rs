//! The proxy itself, with runs of the program that nobody takes up again.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use crate::fault::{Fault, Harm};
use crate::frame::{Side, Tag};
use crate::ground::Ground;
use crate::moment::{Action, Moment, Seen};

const ONE: &str = "risk: medium
steps:
- confirm: go
  of: add
  ask: Go?
- fix: add
  sql: UPDATE counters SET n = n + 1 WHERE id = 1
  rows: 1
- check: after
  that: true
";

/// The journal is there: the first run would make it, and be like no other.
fn ground() -> Ground {
    let mut ground = Ground::new(
        "CREATE TABLE counters (id int PRIMARY KEY, n int NOT NULL); INSERT INTO counters VALUES (1, 0)",
    )
    .runbook("one", ONE);
    ground.attempt(["init"], None).code(0);
    ground
}

const RUN: [&str; 3] = ["run", "one", "--yes"];

fn counter(ground: &Ground) -> i64 {
    ground.server.number("SELECT n FROM counters")
}

/// Returns how many messages a run has, and how many of them are COMMITs, of a side.
fn counts(ground: &mut Ground, side: Side) -> (usize, usize) {
    ground.renew();
    let seen = ground.attempt(RUN, None).code(0).seen;
    let of_side = seen.iter().filter(|seen| seen.side == side);
    let commits = of_side.clone().filter(|seen| seen.commit).count();
    (of_side.count(), commits)
}

#[test]
fn without_harm_a_run_is_as_it_is_without_a_proxy() {
    let mut ground = ground();
    let attempt = ground.attempt(RUN, None).code(0).says("Done in");
    assert_eq!(counter(&ground), 1);
    assert_eq!(attempt.seen[0].tag, Tag::Startup);
    let commits = |side| {
        let of_side = attempt.seen.iter().filter(|seen| seen.side == side);
        of_side.filter(|seen| seen.commit).count()
    };
    assert!(commits(Side::Client) > 0);
    assert_eq!(commits(Side::Client), commits(Side::Server), "{attempt}");
}

#[test]
fn what_is_cut_before_commit_leaves_nothing() {
    let mut ground = ground();
    let (_, commits) = counts(&mut ground, Side::Client);
    let before = counter(&ground);
    let fault = Fault::new(Harm::Cut, Moment::commit(commits));
    let attempt = ground.attempt(RUN, Some(fault));
    assert!(attempt.hit.is_some_and(|hit| hit.commit), "{attempt}");
    assert_ne!(attempt.code, Some(0), "{attempt}");
    assert_eq!(counter(&ground), before);
}

#[test]
fn what_is_cut_after_commit_was_answered_is_there() {
    let mut ground = ground();
    let (_, commits) = counts(&mut ground, Side::Server);
    let before = counter(&ground);
    let fault = Fault::new(Harm::Cut, Moment::committed(commits));
    ground.attempt(RUN, Some(fault)).code(0);
    assert_eq!(counter(&ground), before + 1);
}

#[test]
fn a_delay_changes_nothing() {
    let mut ground = ground();
    for moment in [Moment::client(5), Moment::server(5), Moment::commit(1)] {
        ground.renew();
        let before = counter(&ground);
        ground
            .attempt(RUN, Some(Fault::new(Harm::Delay, moment)))
            .code(0);
        assert_eq!(counter(&ground), before + 1);
    }
}

#[test]
fn every_harm_is_done_at_its_moment_and_the_ground_bears_the_next() {
    let mut ground = ground();
    let (messages, _) = counts(&mut ground, Side::Client);
    for harm in Harm::ALL {
        ground.renew();
        let before = counter(&ground);
        let moment = Moment::client(messages / 2);
        let attempt = ground.attempt(RUN, Some(Fault::new(harm, moment)));
        let hit = attempt.hit.unwrap_or_else(|| panic!("{harm:?}: {attempt}"));
        assert_eq!((hit.side, hit.nth), (Side::Client, messages / 2));
        let killed = matches!(harm, Harm::Kill | Harm::Strand);
        assert_eq!(attempt.code.is_none(), killed, "{harm:?}: {attempt}");
        ground.release();
        let changed = counter(&ground) - before;
        assert_eq!(changed, i64::from(attempt.code == Some(0)), "{harm:?}");
        ground.renew();
        ground.attempt(RUN, None).code(0);
    }
}

#[test]
fn a_stranded_session_lives_on_until_it_is_released() {
    let mut ground = ground();
    let (_, commits) = counts(&mut ground, Side::Client);
    let fault = Fault::new(Harm::Strand, Moment::commit(commits));
    ground.attempt(RUN, Some(fault));
    let open = "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'";
    assert_eq!(ground.server.number(open), 1);
    ground.release();
    assert_eq!(ground.server.number(open), 0);
}

#[test]
fn encryption_is_declined_and_clients_are_refused_on_demand() {
    let ground = ground();
    let connect = || UnixStream::connect(ground.proxy.folder().join(".s.PGSQL.5432")).unwrap();
    let fired = ground.proxy.arm(Moment::client(2), Action::Cut);
    let mut client = connect();
    let mut answer = [0];
    for request in [80_877_104_u32, 80_877_103] {
        client.write_all(&8_u32.to_be_bytes()).unwrap();
        client.write_all(&request.to_be_bytes()).unwrap();
        client.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"N");
    }
    client
        .write_all(b"\0\0\0\x29\0\x03\0\0user\0postgres\0database\0postgres\0\0")
        .unwrap();
    client.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"R");
    client.write_all(b"Q\0\0\0\x0dSELECT 1\0").unwrap();
    assert_eq!(fired.recv().unwrap().seen.tag, Tag::Typed(b'Q'));
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).unwrap();
    ground.proxy.refuse(true);
    assert_eq!(connect().read(&mut answer).unwrap(), 0);
}

#[test]
fn a_step_with_a_time_out_gives_up_on_silence_by_itself() {
    let text = ONE.replace("  rows: 1\n", "  rows: 1\n  timeout: 500ms\n");
    let mut ground = ground().runbook("one", &text);
    let seen = ground.attempt(RUN, None).code(0).seen;
    let commit = |seen: &&Seen| seen.side == Side::Client && seen.commit;
    let at = seen.iter().rfind(commit).unwrap().nth;
    for nth in [at - 8, at - 2] {
        ground.renew();
        let before = counter(&ground);
        let fault = Fault::new(Harm::Silence, Moment::client(nth));
        let attempt = ground.attempt(RUN, Some(fault));
        assert_ne!(attempt.code, Some(0), "{attempt}");
        ground.release();
        assert_eq!(counter(&ground), before);
    }
}
