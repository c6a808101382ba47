//! The journal: whether changes can be recorded, by whom, and what dead runs left there.

use super::ask::{Answer, row, rows};
use super::finding::Finding;
use crate::base::words;
use crate::pg::session::Session;
use crate::policy::document::Journal;
use crate::policy::target::Target;
use crate::sql::ident::quote_ident;

/// What the login may in the journal, how large that is, and whose it is.
const RIGHTS: &str = "\
    SELECT has_schema_privilege(n.oid, 'USAGE')::text, has_any_column_privilege(e.oid, 'INSERT')::text, \
           has_table_privilege(e.oid, 'SELECT')::text, pg_has_role(n.nspowner, 'USAGE')::text, \
           pg_get_userbyid(n.nspowner)::text, \
           (SELECT sum(pg_total_relation_size(oid))::text FROM pg_class WHERE relnamespace = n.oid AND relkind = 'r'), \
           (SELECT rolsuper::text FROM pg_roles WHERE rolname = current_user), \
           (SELECT string_agg(c.relname::text, ', ' ORDER BY c.relname) FROM pg_class c \
            WHERE c.relnamespace = n.oid AND c.relkind = 'r' AND c.relname <> 'lease' \
              AND has_table_privilege(c.oid, 'UPDATE, DELETE, TRUNCATE, TRIGGER')), \
           (SELECT has_table_privilege(c.oid, 'SELECT')::text FROM pg_class c \
            WHERE c.relnamespace = n.oid AND c.relname = 'request') \
    FROM pg_namespace n JOIN pg_class e ON e.relnamespace = n.oid AND e.relname = 'entry' WHERE n.nspname = 'runbook'";

/// Whether the login may make the journal.
const MAY_MAKE: &str = "SELECT has_database_privilege(current_database(), 'CREATE')::text";

/// What runs left locked that have no session any more.
const LEFT: &str = "\
    SELECT l.run, l.key, l.actor, (l.expires_at <= now())::text FROM runbook.lease l \
    WHERE NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.application_name = 'runbook/' || l.run) \
    ORDER BY l.taken_at LIMIT 5";

/// What asks other people and has no answer yet.
const WAITING: &str = "\
    SELECT r.run, r.login, r.approvals::text, to_char(r.expires_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI UTC'), \
           (SELECT count(*)::text FROM runbook.verdict v WHERE v.request = r.id AND v.word = 'approve') \
    FROM runbook.request r WHERE r.expires_at > now() \
      AND NOT EXISTS (SELECT FROM runbook.verdict v WHERE v.request = r.id AND v.word IN ('use', 'withdraw', 'decline')) \
    ORDER BY r.at LIMIT 5";

/// Looks at the journal. `changes` is whether the login may change any table of the application.
pub(super) async fn look(
    session: &Session,
    target: Option<&Target>,
    changes: bool,
) -> Vec<Finding> {
    if target.and_then(|target| target.journal) == Some(Journal::Local) {
        return vec![Finding::well(
            "journal",
            "kept beside the records of runs, as runbook.yaml says",
        )];
    }
    if let Some(failure) = session.journal_fault() {
        return vec![Finding::missing("journal", failure.message).helps(failure.help)];
    }
    let user = &session.target().user;
    if !session.is_journal_there() {
        return vec![none(session, user).await];
    }
    let mut found = Vec::new();
    match row(session, RIGHTS).await {
        Ok(answer) => {
            found.push(rights(&answer, user, changes));
            found.extend(excess(&answer, user));
            if session.is_journal_old() {
                found.push(old(&answer));
            }
            if answer.is(1) {
                found.extend(left(session).await);
            }
            if answer.is(8) {
                found.extend(waiting(session).await);
            }
        }
        Err(why) => found.push(Finding::unseen("journal", why)),
    }
    found
}

/// There is none yet.
async fn none(session: &Session, user: &str) -> Finding {
    let help = format!(
        "have the owner of the database make it: `runbook init{} --grant {}`",
        session.target().flag(),
        quote_ident(user)
    );
    match row(session, MAY_MAKE).await {
        Ok(answer) if answer.is(0) => Finding::warning(
            "journal",
            "there is none: the first change makes it, and its login owns it then, and may alter what is recorded",
        )
        .help("make it as an owner who runs no runbooks: `runbook init --grant FIXER`"),
        Ok(_) => Finding::missing("journal", "there is none, and the login may not make it: nothing can be changed").help(help),
        Err(why) => Finding::unseen("journal", why),
    }
}

fn rights(answer: &Answer, user: &str, changes: bool) -> Finding {
    let size = u64::try_from(answer.number(5)).unwrap_or_default();
    let size = words::bytes(size);
    let (may_use, may_write) = (answer.is(0), answer.is(1));
    let (is_owner, owner) = (answer.is(3), answer.text(4));
    if !(may_use && may_write || changes) {
        return Finding::well(
            "journal",
            "the login may not write to it, nor change any table: it only reads",
        );
    }
    if !(may_use && may_write) {
        let says = "it is there, and the login may not write to it: nothing can be changed";
        return Finding::missing("journal", says).help(format!(
            "have {owner} grant it: `runbook init --grant {}`",
            quote_ident(user)
        ));
    }
    // That superusers own everything is said of the login.
    if is_owner && !answer.is(6) {
        return Finding::warning(
            "journal",
            format!("{size}; the login owns it, and may alter what is recorded"),
        )
        .help("run runbooks as another login: `runbook init --grant FIXER`");
    }
    Finding::well("journal", format!("{size}, of {owner}"))
}

/// Rights by which the past could be altered: nobody needs them.
fn excess(answer: &Answer, user: &str) -> Option<Finding> {
    let tables = answer.some(7).filter(|_| !answer.is(3) && !answer.is(6))?;
    let says = format!(
        "the login may alter what is recorded: it has too many rights on {}",
        words::list(&tables.split(", ").collect::<Vec<_>>())
    );
    let user = quote_ident(user);
    Some(
        Finding::missing("past", says)
            .help(format!(
                "`REVOKE ALL ON ALL TABLES IN SCHEMA runbook FROM {user};`"
            ))
            .help("and take the role away that may give it, such as pg_write_all_data")
            .help(format!(
                "then grant what a run needs: `runbook init --grant {user}`"
            )),
    )
}

fn old(answer: &Answer) -> Finding {
    let says = "it is of an earlier version of the program: what is recorded is not guarded yet, and nobody can be asked to approve";
    let finding = if answer.is(3) {
        Finding::warning("version", says)
    } else {
        Finding::missing("version", says)
    };
    finding.help(format!("as {}: `runbook init`", answer.text(4)))
}

/// What other people are asked.
async fn waiting(session: &Session) -> Vec<Finding> {
    let of = |request: &Answer| {
        let (run, login, needs) = (request.text(0), request.text(1), request.text(2));
        let says = format!(
            "run {run} of {login} waits for approval until {}: {} of {needs}",
            request.text(3),
            request.text(4)
        );
        Finding::well("waits", says).help(format!(
            "another login than {login}: `runbook approve {run}`"
        ))
    };
    match rows(session, WAITING).await {
        Ok(requests) => requests.iter().map(of).collect(),
        Err(why) => vec![Finding::unseen("waits", why)],
    }
}

/// What dead runs left.
async fn left(session: &Session) -> Vec<Finding> {
    let leases = match rows(session, LEFT).await {
        Ok(leases) => leases,
        Err(why) => return vec![Finding::unseen("leases", why)],
    };
    let of = |lease: &Answer| {
        let (run, key, actor) = (lease.text(0), lease.text(1), lease.text(2));
        let held = if lease.is(3) {
            "its lease is over"
        } else {
            "its lease still holds"
        };
        Finding::warning(
            "lease",
            format!("run {run} by {actor} left the lock `{key}` behind; {held}"),
        )
        .help(format!(
            "`runbook resume {run}` goes on with it, `runbook undo {run}` puts back what it changed"
        ))
    };
    leases.iter().map(of).collect()
}
