//! What the database itself refuses of approvals and of the past, whatever program speaks to it.

use insta::assert_snapshot;

use crate::approval_people::People;

/// Says a word of the only request.
fn say(word: &str) -> String {
    format!(
        "INSERT INTO runbook.verdict (request, word, digest, actor) SELECT id, '{word}', digest, 'somebody' FROM runbook.request"
    )
}

#[test]
fn case_39_a_verdict_is_of_who_says_it() {
    let people = People::asking(2);
    people.wait();
    // Nobody names another login or another time.
    for column in ["login", "at"] {
        let forged = format!(
            "INSERT INTO runbook.verdict (request, word, digest, actor, {column}) SELECT id, 'approve', digest, 'ben', \
             {value} FROM runbook.request",
            value = if column == "login" { "'ben'" } else { "NULL" }
        );
        assert_eq!(
            people.sql("ann", &forged),
            "permission denied for table verdict",
            "{column}"
        );
    }
    for change in [
        "UPDATE runbook.verdict SET login = 'ben'",
        "DELETE FROM runbook.verdict",
        "TRUNCATE runbook.verdict",
        "DELETE FROM runbook.request",
        "UPDATE runbook.request SET approvals = 0",
        "INSERT INTO runbook.request (content, login) VALUES ('{}', 'ben')",
        "ALTER TABLE runbook.verdict DISABLE TRIGGER guard",
        "DROP TRIGGER guard ON runbook.verdict",
        "SET session_replication_role = replica",
    ] {
        assert_ne!(people.sql("ann", change), "done", "{change}");
    }
    // Even the owner is stopped by what was said, and sets neither who nor when.
    let owner = people.test.connect();
    owner.run(
        "INSERT INTO runbook.verdict (request, word, digest, actor, login, at) \
         SELECT id, 'approve', digest, 'ben', 'nobody', 'epoch' FROM runbook.request",
    );
    assert_eq!(
        people
            .test
            .rows("SELECT login, at > now() - interval '1 hour' FROM runbook.verdict"),
        "postgres | t"
    );
    let altered = |sql: &str| {
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            people.test.connect().run(sql);
        }));
        done.is_ok()
    };
    assert!(!altered("UPDATE runbook.verdict SET login = 'ben'"));
    assert!(!altered("DELETE FROM runbook.verdict"));
    assert!(!altered("TRUNCATE runbook.verdict"));
    assert!(!altered("UPDATE runbook.request SET login = 'ben'"));
}

#[test]
fn case_39_the_server_knows_who_may_say_what() {
    let people = People::asking(3);
    people.wait();
    assert_snapshot!(people.sql("ann", &say("approve")), @"ann asked for the approval of run RUN, so somebody else must decide");
    assert_snapshot!(people.sql("ann", &say("decline")), @"ann asked for the approval of run RUN, so somebody else must decide");
    assert_snapshot!(people.sql("ann", &say("use")), @"run RUN is approved by 0, and needs 2");
    assert_snapshot!(people.sql("ben", &say("use")), @"only ann, who asked for it, withdraws or uses the approval of run RUN");
    assert_snapshot!(people.sql("ben", &say("withdraw")), @"only ann, who asked for it, withdraws or uses the approval of run RUN");
    let other = say("approve").replace("digest, 'somebody'", "repeat('0', 64), 'somebody'");
    assert_snapshot!(people.sql("ben", &other), @"run RUN asks for the approval of something else than this");
    assert_eq!(people.sql("ben", &say("approve")), "done");
    assert_snapshot!(people.sql("ben", &say("decline")), @"ben has approved run RUN already");
    assert_snapshot!(people.sql("ann", &say("use")), @"run RUN is approved by 1, and needs 2");
    let unseeing = format!(
        "BEGIN ISOLATION LEVEL REPEATABLE READ; {}; COMMIT",
        say("approve")
    );
    assert_snapshot!(people.sql("cat", &unseeing), @"a verdict is written in a transaction that is READ COMMITTED: it must see what others said");
    assert_eq!(people.sql("cat", &say("approve")), "done");
    assert_eq!(people.sql("ann", &say("use")), "done");
    assert_snapshot!(people.sql("ann", &say("use")), @"the request of run RUN is used already, by ann");
    assert_snapshot!(people.sql("ann", &say("withdraw")), @"the request of run RUN is used already, by ann");
}

#[test]
fn case_39_the_server_knows_the_roles_and_the_time() {
    let people = People::asking(2);
    people.wait();
    // The same request, for members of a role, by the one who may ask.
    let dba = people.login("dba");
    let asked = format!(
        "INSERT INTO runbook.request (content) SELECT jsonb_set(content::jsonb, '{{needs,by}}', '[\"{dba}\"]')::text FROM runbook.request"
    );
    assert_eq!(people.sql("ann", &asked), "done");
    let last = |word: &str| format!("{} ORDER BY id DESC LIMIT 1", say(word));
    assert_snapshot!(people.sql("cat", &last("approve")), @"cat is no member of dba, who decide about run RUN");
    people.expire();
    assert_snapshot!(people.sql("ben", &last("approve")), @"the request of run RUN expired at MOMENT");
    assert_snapshot!(people.sql("ann", &last("use")), @"the request of run RUN expired at MOMENT");
    // It is always possible to take it back.
    assert_eq!(people.sql("ann", &last("withdraw")), "done");
    assert_snapshot!(people.sql("ben", &last("decline")), @"the request of run RUN is withdrawn already, by ann");
}

#[test]
fn case_39_a_membership_counts_that_is_not_inherited() {
    let people = People::asking(2);
    people.wait();
    let dba = people.login("dba");
    let asked = format!(
        "INSERT INTO runbook.request (content) SELECT jsonb_set(content::jsonb, '{{needs,by}}', '[\"{dba}\"]')::text FROM runbook.request"
    );
    assert_eq!(people.sql("ann", &asked), "done");
    people
        .test
        .connect()
        .run(&format!("ALTER ROLE {} NOINHERIT", people.login("ben")));
    // What stands in a schema of one's own deceives nobody.
    let shadowed = format!(
        "CREATE TEMPORARY TABLE pg_roles (rolname name, oid oid); CREATE TEMPORARY TABLE text (); \
         SET search_path = pg_temp, runbook, pg_catalog; {} ORDER BY id DESC LIMIT 1",
        say("approve")
    );
    assert_ne!(people.sql("cat", &shadowed), "done");
    assert_eq!(people.sql("ben", &shadowed), "done");
}

#[test]
fn the_past_of_the_journal_is_not_altered() {
    let people = People::asking(2);
    let run = people.wait();
    people.approve("ben", &run);
    people.by("ann", &format!("resume {run}")).code(0);
    let before = people
        .test
        .rows("SELECT e, c, i FROM runbook.entry e, runbook.capture c, runbook.image i ORDER BY 3");
    for sql in [
        "UPDATE runbook.entry SET rows = 0",
        "UPDATE runbook.entry SET head = 'f00d'",
        "UPDATE runbook.capture SET rows = 0",
        "UPDATE runbook.capture SET changed = '{}'",
        "INSERT INTO runbook.capture (entry, step, relation, alone, columns, key, changed, kept, ignored, direct, rows) \
         SELECT id, 1, 'public.users', true, '', '{}', '{}', '{}', '{}', true, 0 FROM runbook.entry",
        "INSERT INTO runbook.entry (run, step, name, by_run, runbook, hash, actor, login) VALUES ('a', 1, 'a', 'a', 'a', 'a', 'a', 'ben')",
        "INSERT INTO runbook.entry (run, step, name, by_run, runbook, hash, actor, xid) VALUES ('a', 1, 'a', 'a', 'a', 'a', 'a', '3')",
        "UPDATE runbook.image SET before = NULL",
        "DELETE FROM runbook.image",
        "TRUNCATE runbook.image",
    ] {
        assert_ne!(people.sql("ann", sql), "done", "{sql}");
    }
    assert_snapshot!(people.sql("ann", "UPDATE runbook.entry SET rows = 0"), @"an entry of the journal is filled in only by the transaction that wrote it");
    assert_snapshot!(people.sql("ann", "UPDATE runbook.capture SET rows = 0"), @"a capture of the journal is written and filled in only by the transaction that wrote its entry");
    let after = people
        .test
        .rows("SELECT e, c, i FROM runbook.entry e, runbook.capture c, runbook.image i ORDER BY 3");
    assert_eq!(before, after);
    // An image more than the capture says is found before anything is put back.
    let image = "INSERT INTO runbook.image SELECT capture, '(4)', '(4,x)', '(4,free)' FROM runbook.image LIMIT 1";
    assert_eq!(people.sql("ann", image), "done");
    let undone = people.by("ann", &format!("undo {run} --yes --quiet"));
    assert_snapshot!(undone, @"
    exit 10
    --- stderr
    error: the journal has 3 row images of public.users, where 2 were kept
      = note: images were added or lost since: nothing was put back
      = help: restore the journal, the schema `runbook`, or the table from a backup
    Failed after TIME.
    nothing was put back: the journal has 3 row images of public.users, where 2 were kept
    Nothing was changed.
    ");
    assert_eq!(people.plans(), "gold gold free free free");
}

#[test]
fn what_is_shown_is_what_would_be_approved() {
    let people = People::asking(2);
    let run = people.wait();
    let zeros = "0".repeat(64);
    let database = people.test.db.name();
    let forged = [
        (
            "{changes,digest}",
            format!("\"{zeros}\""),
            "the changes that it shows are not those",
        ),
        (
            "{approved,0,digest}",
            format!("\"{zeros}\""),
            "the changes that it shows are not those",
        ),
        (
            "{target,database}",
            format!("\"not_{database}\""),
            "another database than this",
        ),
    ];
    for (path, becomes, why) in forged {
        let asked = format!(
            "INSERT INTO runbook.request (content) SELECT jsonb_set(content::jsonb, '{path}', '{becomes}')::text \
             FROM runbook.request ORDER BY id LIMIT 1"
        );
        assert_eq!(people.sql("ann", &asked), "done", "{path}");
        let digest = people.digest(&run);
        people
            .by("ben", &format!("approve {run} --digest {digest}"))
            .code(12)
            .says(why);
    }
    assert_eq!(people.words(), "");
}

#[test]
fn who_asks_in_the_name_of_another_is_seen() {
    let people = People::asking(2);
    let run = people.wait();
    let asked = "INSERT INTO runbook.request (content) \
        SELECT jsonb_set(content::jsonb, '{actor}', '\"root (boss@office)\"')::text FROM runbook.request";
    assert_eq!(people.sql("cat", asked), "done");
    // The list has the login alone, as the server knows it.
    people.by("ben", "approve").code(0).says("medium  cat");
    people
        .by("ben", &format!("approve {run}"))
        .code(12)
        .says("the login cat, in the name of root");
}
