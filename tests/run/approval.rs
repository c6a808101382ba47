//! A run that other people approve: it waits with nothing open, and goes on with what they said.

use insta::assert_snapshot;

use crate::approval_people::People;
use crate::terminal::Terminal;

/// What of a run is open on the server.
const OPEN: &str = "\
    SELECT (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()), \
           (SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database WHERE d.datname = current_database() AND l.locktype = 'advisory'), \
           (SELECT count(*) FROM pg_prepared_xacts), (SELECT count(*) FROM runbook.lease)";

#[test]
fn case_39_two_people_and_three_processes() {
    let people = People::asking(2);
    let run = it_waits(&people);
    it_is_approved(&people, &run);
    it_goes_on(&people, &run);
}

fn it_waits(people: &People) -> String {
    assert_snapshot!(people.by("ann", "run t --answer go=yes"), @"
    exit 15
    --- stdout
    Raise the plan  run RUN · ann@SERVER:5432/DB · medium risk
      plan  gold

      ? go
          raise changes 2 rows of users
            users  1, 2  plan  free → gold
          Operation      UPDATE users
          Risk           medium: UPDATE with a predicate
          Data at risk   2 rows of users updated
          Locks          ROW EXCLUSIVE on users: nobody waits but who changes the same rows
          Backup         none made; what changes is kept in the journal
          Recovery time  about a minute at most, at a guess: runbook undo RUN
          Raise it to gold?
          asked for the approval of one other person until MOMENT

    Waiting for approval after TIME.
    `go` needs the approval of one other person until MOMENT
    Nothing was changed.
    Ask another person to run: runbook approve RUN
    Then go on with: runbook resume RUN
    ");
    // Waiting costs nothing.
    assert_eq!(people.test.rows(OPEN), "0 | 0 | 0 | 0");
    assert_eq!(people.plans(), "free free free free free");
    let run = people.test.id();
    assert_snapshot!(people.by("ann", &format!("resume {run} --quiet")), @"
    exit 15
    --- stderr
    Waiting for approval after TIME.
    `go` needs the approval of one other person until MOMENT
    Nothing was changed.
    Ask another person to run: runbook approve RUN
    Then go on with: runbook resume RUN
    ");
    assert_eq!(people.test.rows(OPEN), "0 | 0 | 0 | 0");
    people
        .by("ann", "history")
        .code(0)
        .says("waiting: `go` needs the approval of one other person until MOMENT");
    people.by("ben", "approve").code(0).says("may approve");
    people.by("ann", "approve").code(0).says("needs 1 more");
    run
}

fn it_is_approved(people: &People, run: &str) {
    assert_snapshot!(people.by("ben", &format!("approve {run}")), @"
    exit 12
    --- stdout
    Raise the plan  run RUN · ann@SERVER:5432/DB · medium risk
      plan  gold

      asked by  ann (USER@HOST)
      asked at  MOMENT
      runbook   t
                SHA256
      approval  waits for one other person until MOMENT
      digest    SHA256

      ? go
      raise changes 2 rows of users
        users  1, 2  plan  free → gold
      Operation      UPDATE users
      Risk           medium: UPDATE with a predicate
      Data at risk   2 rows of users updated
      Locks          ROW EXCLUSIVE on users: nobody waits but who changes the same rows
      Backup         none made; what changes is kept in the journal
      Recovery time  about a minute at most, at a guess: runbook undo RUN
      Raise it to gold?
    --- stderr
    error: nobody approved run RUN: there is no terminal to ask at
      = help: run it in a terminal
      = help: or approve what you have seen by its digest: --digest DIGEST
    ");
    let digest = people.digest(run);
    let approve = format!("approve {run} --digest {digest}");
    let mut command = people.command("ben", &approve);
    let approved = people
        .test
        .ran(&command.args(["--reason", "looks right"]).output().unwrap())
        .code(0);
    approved.says("goes on with it: runbook resume RUN");
}

fn it_goes_on(people: &People, run: &str) {
    assert_snapshot!(people.by("ann", &format!("resume {run}")), @"
    exit 0
    --- stdout
    Raise the plan  run RUN · ann@SERVER:5432/DB · medium risk
      plan  gold

      ? go
          raise changes 2 rows of users
            users  1, 2  plan  free → gold
          Operation      UPDATE users
          Risk           medium: UPDATE with a predicate
          Data at risk   2 rows of users updated
          Locks          ROW EXCLUSIVE on users: nobody waits but who changes the same rows
          Backup         none made; what changes is kept in the journal
          Recovery time  about a minute at most, at a guess: runbook undo RUN
          Raise it to gold?
          asked for the approval of one other person until MOMENT

    Waiting for approval after TIME.
    `go` needs the approval of one other person until MOMENT
    Nothing was changed.
    Ask another person to run: runbook approve RUN
    Then go on with: runbook resume RUN
      ⟲ resumed by ann (USER@HOST)
      ? go

    Waiting for approval after TIME.
    `go` needs the approval of one other person until MOMENT
    Nothing was changed.
    Ask another person to run: runbook approve RUN
    Then go on with: runbook resume RUN
      ⟲ resumed by ann (USER@HOST)
      ? go
          approved by ben (USER@HOST) at MOMENT: looks right
          raise changes 2 rows of users
            users  1, 2  plan  free → gold
          ✓ yes · ann (USER@HOST), approved by ben (USER@HOST)
      ✓ raise                  2 rows changed, committed  TIME
      ✓ after                  passed  TIME

    Done in TIME. Undo with: runbook undo RUN
    ");
    assert_eq!(people.plans(), "gold gold free free free");
    assert_snapshot!(people.words(), @"
    approve | ben | looks right
    use | ann | null
    ");
    people
        .by("ann", &format!("audit verify {run}"))
        .code(0)
        .says("1 record whole");
    let report = people
        .by("ann", &format!("report {run} --format markdown"))
        .code(0);
    let report = report.says("| go | Raise it to gold? | yes | ann");
    report.says("waits for other people");
    people
        .by("ann", &format!("report {run} --format html"))
        .code(0)
        .says("approved by");
    people
        .by("ann", &format!("report {run} --format json"))
        .code(0)
        .says("approval_asked")
        .says("approval_seen");
}

#[test]
fn case_39_a_run_that_waits_is_no_torn_one() {
    let people = People::asking(2);
    let run = people.wait();
    people
        .by("ann", &format!("audit verify {run}"))
        .code(0)
        .says("1 record whole")
        .keeps("not ended");
    assert_snapshot!(people.by("ann", &format!("report {run} --format text")).stdout.lines().last().unwrap(), @"Then go on with: runbook resume RUN");
}

#[test]
fn case_39_nobody_approves_their_own_run() {
    let people = People::asking(2);
    let run = people.wait();
    assert_snapshot!(people.by("ann", &format!("approve {run}")).code(12).stderr, @"
    error: ann asked for the approval of run RUN, so somebody else must decide
      = help: take it back: runbook cancel RUN
    ");
    let digest = people.digest(&run);
    people
        .by("ann", &format!("approve {run} --digest {digest}"))
        .code(12);
    let forged = "INSERT INTO runbook.verdict (request, word, digest, actor) SELECT id, 'approve', digest, 'ben' FROM runbook.request";
    assert_snapshot!(people.sql("ann", forged), @"ann asked for the approval of run RUN, so somebody else must decide");
    assert_eq!(people.words(), "");
    people.by("ann", &format!("resume {run}")).code(15);
}

#[test]
fn case_39_a_person_types_the_run() {
    let people = People::asking(2);
    let run = people.wait();
    let approve = format!("approve {run}");
    let ask =
        || Terminal::of(&people.test, people.command("ben", &approve)).shows("to approve it: ");
    let (code, said) = ask().types("yes\n").end();
    assert_eq!(code, Some(12));
    assert!(said.contains("is not the run's id"), "{said}");
    let (code, _) = ask().types("\x04").end();
    assert_eq!(code, Some(12));
    let (code, said) = ask().interrupts().end();
    assert_eq!(code, Some(130), "{said}");
    assert_eq!(people.words(), "");
    let (code, said) = ask().types(&format!("{run}\n")).end();
    assert_eq!(code, Some(0), "{said}");
    people.by("ann", &format!("resume {run}")).code(0);
}

#[test]
fn case_39_without_a_terminal_nobody_approves() {
    let people = People::asking(2);
    let run = people.wait();
    assert_snapshot!(people.by("ben", &format!("approve {run}")).code(12).stderr, @"
    error: nobody approved run RUN: there is no terminal to ask at
      = help: run it in a terminal
      = help: or approve what you have seen by its digest: --digest DIGEST
    ");
    let other = "0".repeat(64);
    assert_snapshot!(people.by("ben", &format!("approve {run} --digest {other}")).code(12).stderr, @"
    error: what run RUN asks for has another digest than the one that was given
      = note: it is SHA256
      = help: look at it: runbook approve RUN
    ");
    assert_eq!(people.words(), "");
}

#[test]
fn case_39_a_no_of_another_person_ends_the_run() {
    let people = People::asking(2);
    let run = people.wait();
    let decline = format!("approve {run} --decline --reason unclear");
    let said = people.by("ben", &decline).code(0);
    assert!(
        said.stdout
            .ends_with("learns of it by: runbook resume RUN\n"),
        "{said}"
    );
    assert_snapshot!(people.by("ann", &format!("resume {run} --quiet")).code(12), @"
    exit 12
    --- stderr
    Declined after TIME.
    `go` was declined by ben (USER@HOST): unclear
    Nothing was changed.
    ");
    assert_eq!(people.plans(), "free free free free free");
    let over = people.by("cat", &format!("approve {run}")).code(12);
    over.says("the request of run RUN is over: declined");
    people
        .by("ann", &format!("resume {run}"))
        .code(12)
        .says("is over: declined");
}

#[test]
fn case_39_a_no_leads_to_else() {
    let people = People::new();
    people.file(
        "runbook: t\ntitle: T\nrisk: medium\nsteps:\n  - confirm: go\n    of: raise\n    approvers: 2\n    ask: Go?\n    else:\n      done: Nobody wanted it.\n\
         \x20 - fix: raise\n    sql: UPDATE users SET plan = 'gold' WHERE id < 3\n    rows: 2\n  - check: after\n    that: true\n",
    );
    let run = people.wait();
    people
        .by("ben", &format!("approve {run} --decline"))
        .code(0);
    people
        .by("ann", &format!("resume {run}"))
        .code(0)
        .says("Nobody wanted it.");
    assert_eq!(people.plans(), "free free free free free");
}

#[test]
fn case_39_an_approval_expires() {
    let people = People::asking(2);
    let run = people.wait();
    people.approve("ben", &run);
    people.expire();
    let late = people.by("cat", &format!("approve {run}")).code(12);
    late.says("is over: expired at");
    assert_snapshot!(people.by("ann", &format!("resume {run} --quiet")).code(12), @"
    exit 12
    --- stderr
    Approval expired after TIME.
    `go`: not enough people approved in time
    Nothing was changed.
    ");
    assert_eq!(people.plans(), "free free free free free");
    people
        .by("ben", "approve")
        .code(0)
        .says("No run waits for approval");
}

#[test]
fn case_39_a_request_is_withdrawn() {
    let people = People::asking(2);
    let run = people.wait();
    people.approve("ben", &run);
    let cancelled = people.by("ann", &format!("cancel {run} --reason enough --quiet"));
    assert_snapshot!(cancelled.code(12), @"
    exit 12
    --- stderr
    Withdrawn after TIME.
    `go` was taken back by ann (USER@HOST): enough
    Nothing was changed.
    ");
    assert_snapshot!(people.words(), @"
    approve | ben | null
    withdraw | ann | enough
    ");
    people
        .by("cat", &format!("approve {run}"))
        .code(12)
        .says("is over: withdrawn");
    people
        .by("ann", &format!("cancel {run}"))
        .code(12)
        .says("is over: withdrawn");
    assert_eq!(people.plans(), "free free free free free");
}

#[test]
fn case_39_a_request_is_withdrawn_without_the_record() {
    let people = People::asking(2);
    let run = people.wait();
    let elsewhere = format!("cancel {run} --state-dir elsewhere");
    people.by("ann", &elsewhere).code(0).says("is withdrawn");
    people.by("ben", &format!("cancel {run}")).code(2);
    people.by("ann", &format!("resume {run}")).code(12);
    assert_eq!(people.plans(), "free free free free free");
}

#[test]
fn case_39_what_is_approved_is_what_is_done_or_nothing() {
    let people = People::asking(2);
    let run = people.wait();
    people.approve("ben", &run);
    people
        .test
        .connect()
        .run("UPDATE users SET plan = 'silver' WHERE id = 2");
    assert_snapshot!(people.by("ann", &format!("resume {run} --quiet")).code(12), @"
    exit 12
    --- stderr
    Not what was approved after TIME.
    `go`: the rows are others now than those that were approved
    Nothing was changed.
    ");
    assert_eq!(people.plans(), "free silver free free free");
    // Nobody looks at it any more.
    people
        .by("ben", "approve")
        .code(0)
        .says("No run waits for approval");
}

#[test]
fn case_39_another_runbook_is_not_approved() {
    let people = People::asking(2);
    let run = people.wait();
    people.approve("ben", &run);
    let path = people.test.root().join("work/runbooks/t.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("id < 3", "id < 4")).unwrap();
    people
        .by("ann", &format!("resume {run}"))
        .code(3)
        .says("was changed since");
    // Whoever approves with another text of it is told so.
    let run = people.by("cat", &format!("approve {run}"));
    run.says("warning: the runbook `t` here has another text");
    assert_eq!(people.plans(), "free free free free free");
}

#[test]
fn case_39_other_secrets_are_not_approved() {
    let people = People::new();
    people.file(
        "runbook: t\ntitle: T\nrisk: medium\nparams:\n  token:\n    type: text\n    secret: true\nsteps:\n  - confirm: go\n    of: raise\n    approvers: 2\n    ask: Go with {{ token }}?\n\
         \x20 - fix: raise\n    sql: UPDATE users SET plan = 'gold' WHERE id < 3 AND {{ token }} <> ''\n    rows: 2\n  - check: after\n    that: true\n",
    );
    people
        .by("ann", "run t --answer go=yes --param token=s3cret1")
        .code(15)
        .keeps("s3cret1");
    let run = people.test.id();
    assert!(
        !people
            .test
            .rows("SELECT content FROM runbook.request")
            .contains("s3cret1")
    );
    people.approve("ben", &run);
    let other = people
        .by(
            "ann",
            &format!("resume {run} --param token=s3cret2 --quiet"),
        )
        .code(12);
    other.says("the parameters are others");
    assert_eq!(people.plans(), "free free free free free");
}

#[test]
fn case_39_two_others_must_approve() {
    let people = People::asking(3);
    let run = people.wait();
    people.approve("ben", &run);
    people
        .by("ann", &format!("resume {run} --quiet"))
        .code(15)
        .says("one other person");
    let again = people.by(
        "ben",
        &format!("approve {run} --digest {}", people.digest(&run)),
    );
    again.code(12).says("run RUN is approved by ben");
    people.by("cat", "approve").says("may approve");
    people.by("ben", "approve").says("approved");
    people.approve("cat", &run);
    people.by("ann", &format!("resume {run}")).code(0);
    assert_eq!(people.plans(), "gold gold free free free");
}

#[test]
fn case_39_what_is_committed_stays_while_a_run_waits() {
    let people = People::new();
    people.file(
        "runbook: t\ntitle: T\nrisk: medium\nlock: users\non_failure: stop\nsteps:\n  - confirm: first\n    of: one\n    ask: First?\n  - fix: one\n    sql: UPDATE users SET plan = 'gold' WHERE id = 1\n    rows: 1\n  - check: between\n    that: true\n\
         \x20 - confirm: go\n    of: two\n    approvers: 2\n    ask: Second?\n  - fix: two\n    sql: UPDATE users SET plan = 'gold' WHERE id = 2\n    rows: 1\n  - check: after\n    that: true\n",
    );
    let waiting = people.by("ann", "run t --answer first=yes --answer go=yes --quiet");
    assert_snapshot!(waiting.code(15), @"
    exit 15
    --- stderr
    Waiting for approval after TIME.
    `go` needs the approval of one other person until MOMENT
    Committed, and still there: one.
    Ask another person to run: runbook approve RUN
    Then go on with: runbook resume RUN
    ");
    // Nobody else is to change what the rest of it is about.
    assert_eq!(people.test.rows(OPEN), "0 | 0 | 0 | 1");
    let run = people.test.id();
    people
        .by("ben", &format!("approve {run} --decline"))
        .code(0);
    people
        .by("ann", &format!("resume {run}"))
        .code(13)
        .says("Committed, and still there: one");
    assert_eq!(people.plans(), "gold free free free free");
    assert_eq!(people.test.rows(OPEN), "0 | 0 | 0 | 0");
}

#[test]
fn a_used_runbook_waits_as_well() {
    let people = People::asking(2);
    let text = "runbook: outer\ntitle: T\nrisk: medium\nsteps:\n  - use: t\n    name: inner\n  - check: at_last\n    that: true\n";
    std::fs::write(people.test.root().join("work/runbooks/outer.yaml"), text).unwrap();
    let ran = people.by("ann", "run outer --answer inner.go=yes");
    ran.code(15);
    let run = people.test.id();
    people.approve("ben", &run);
    people.by("ann", &format!("resume {run}")).code(0);
    assert_eq!(people.plans(), "gold gold free free free");
}

#[test]
fn a_dry_run_asks_nobody_else() {
    let people = People::asking(2);
    people.by("ann", "run t --dry-run").code(0);
    assert_eq!(
        people.test.rows("SELECT count(*) FROM runbook.request"),
        "0"
    );
}

#[test]
fn a_no_of_ones_own_asks_nobody_else() {
    let people = People::asking(2);
    people.by("ann", "run t --answer go=no").code(12);
    people.by("ann", "run t").code(12);
    assert_eq!(
        people.test.rows("SELECT count(*) FROM runbook.request"),
        "0"
    );
}

#[test]
fn a_journal_beside_the_record_cannot_ask() {
    let people = People::asking(2);
    assert_snapshot!(people.by("ann", "run t --journal local --answer go=yes").code(3), @"
    exit 3
    --- stderr
    error: `t` cannot run with its journal beside its record: `go` needs the approval of other people
      they are asked, and approve, in the journal of the database
      = help: run it without `--journal local`
    ");
}

#[test]
fn requests_are_json_for_programs() {
    let people = People::asking(2);
    let run = people.wait();
    let list = people.test.ran(
        &people
            .command("ben", "approve --output json")
            .output()
            .unwrap(),
    );
    let list: serde_json::Value = serde_json::from_str(&list.stdout).unwrap();
    assert_eq!(list[0]["run"], *run);
    assert_eq!(list[0]["may_decide"], true);
    assert_eq!(list[0]["missing"], 1);
    assert_eq!(list[0]["request"]["approved"].as_array().unwrap().len(), 1);
    let digest = list[0]["digest"].as_str().unwrap().to_owned();
    let one = people.command(
        "ben",
        &format!("approve {run} --output json --digest {digest}"),
    );
    let mut one = one;
    let one = people.test.ran(&one.output().unwrap()).code(0);
    let one: serde_json::Value = serde_json::from_str(&one.stdout).unwrap();
    assert_eq!(one["missing"], 0);
    assert_eq!(one["may_decide"], false);
}

#[test]
fn a_run_that_asks_nobody_cannot_be_approved() {
    let people = People::asking(2);
    people
        .by("ben", "approve nobody")
        .code(2)
        .says("asks nobody for approval");
    people
        .by("ben", "approve --decline")
        .code(2)
        .says("which run?");
    people
        .by("ben", "approve")
        .code(0)
        .says("No run waits for approval");
}

/// A target whose policy asks two members of `dba` for what is of medium risk.
fn production(people: &People, count: u32) -> String {
    let dba = people.login("dba");
    format!(
        "targets:\n  production:\n    url: $DB_URL\n    policy: careful\npolicies:\n  careful:\n    medium:\n      approvals:\n        count: {count}\n        by: {dba}\n        expire: 2h\n"
    )
}

/// Runs the program as somebody on the target `production`.
fn at_production(people: &People, name: &str, args: &str) -> crate::test::Ran {
    let mut command = people.test.bare(args.split_whitespace());
    command.args(["--target", "production"]);
    command.env("DB_URL", people.url(name));
    if name != "ann" {
        command.args(["--state-dir", name]);
    }
    let ran = people.test.ran(&command.output().unwrap());
    crate::test::Ran {
        stdout: people.plain(&ran.stdout),
        stderr: people.plain(&ran.stderr),
        ..ran
    }
}

fn project(people: &People, text: &str) {
    std::fs::write(people.test.root().join("work/runbook.yaml"), text).unwrap();
}

#[test]
fn case_39_the_policy_of_a_target_says_who() {
    let people = People::asking(1);
    project(&people, &production(&people, 1));
    let waiting = at_production(&people, "ann", "run t --answer go=yes").code(15);
    waiting
        .says("asked for the approval of one other member of dba until MOMENT")
        .says("Ask another person to run: runbook approve RUN --target production\nThen go on with: runbook resume RUN --target production");
    let run = people.test.id();
    let digest = people.digest(&run);
    let approve = format!("approve {run} --digest {digest}");
    assert_snapshot!(at_production(&people, "cat", &approve).code(12).stderr, @"error: cat is no member of dba, who decide about run RUN");
    at_production(&people, "cat", "approve")
        .code(0)
        .says("may not");
    at_production(&people, "ben", &approve).code(0);
    at_production(&people, "ann", &format!("resume {run}")).code(0);
    assert_eq!(people.plans(), "gold gold free free free");
}

#[test]
fn case_39_the_approvers_policy_counts_too() {
    let people = People::asking(2);
    // Whoever asks has no policy.
    let run = people.wait();
    project(&people, &production(&people, 2));
    let approve = format!("approve {run} --digest {}", people.digest(&run));
    assert_snapshot!(at_production(&people, "ben", &approve).code(12).stderr, @"
    error: runbook.yaml here demands more of such a run on production than was asked for
      = note: medium risk: it needs 2 other members of dba, and one other person was asked for
      = note: whoever asks may have another runbook.yaml
      = help: `runbook approve RUN --target production --decline --reason …` declines it
    ");
    assert_eq!(people.words(), "");
}

#[test]
fn case_39_a_policy_that_got_stricter_is_heeded() {
    let people = People::asking(1);
    project(&people, &production(&people, 1));
    at_production(&people, "ann", "run t --answer go=yes").code(15);
    let run = people.test.id();
    let approve = format!("approve {run} --digest {}", people.digest(&run));
    at_production(&people, "ben", &approve).code(0);
    let (dba, cat) = (people.login("dba"), people.login("cat"));
    people.test.connect().run(&format!("GRANT {dba} TO {cat}"));
    project(&people, &production(&people, 2));
    let ran = at_production(&people, "ann", &format!("resume {run} --quiet")).code(10);
    assert_snapshot!(ran, @"
    exit 10
    --- stderr
    error: production, medium risk: such changes need 2 approvals by `dba` within 2 h, and there is 1
      = note: `raise` is not committed: nothing of it remains
      = help: run it again: a question about the fix asks for them
    Failed after TIME.
    `raise`: production, medium risk: such changes need 2 approvals by `dba` within 2 h, and there is 1
    Nothing was changed.
    ");
    assert_eq!(people.plans(), "free free free free free");
}
