//! The login: whether it may what runs need, and no more.

use super::ask::{Answer, row};
use super::finding::Finding;
use crate::base::words;
use crate::pg::session::Session;
use crate::sql::ident::quote_ident;

/// What the login is and may. Tables are those of everybody but the system and the journal.
const FACTS: &str = "\
    WITH tables AS ( \
      SELECT c.oid, c.oid::regclass::text AS name, c.relrowsecurity, \
             has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT') AS reads, \
             has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE') AS writes \
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
      WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname <> 'runbook' \
        AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'), \
    part AS (SELECT name FROM tables WHERE reads AND relrowsecurity AND row_security_active(oid) ORDER BY 1) \
    SELECT session_user::text, current_user::text, me.rolsuper::text, me.rolbypassrls::text, me.rolcreaterole::text, \
           has_database_privilege(current_database(), 'CONNECT')::text, \
           (SELECT count(*)::text FROM tables), (SELECT count(*)::text FROM tables WHERE reads), \
           (SELECT count(*)::text FROM tables WHERE writes), \
           (SELECT count(*)::text FROM part), (SELECT string_agg(name, ', ') FROM (SELECT name FROM part LIMIT 3) AS first), \
           (SELECT string_agg(format('%I', nspname), ', ' ORDER BY nspname) FROM pg_namespace n \
            WHERE nspname <> 'runbook' AND nspname <> 'information_schema' AND nspname !~ '^pg_' \
              AND EXISTS (SELECT FROM pg_class WHERE relnamespace = n.oid AND relkind IN ('r', 'p')) \
              AND NOT has_schema_privilege(n.oid, 'USAGE')), \
           coalesce((SELECT rolname::text FROM pg_roles r, pg_database d \
                     WHERE d.datname = current_database() AND r.oid = d.datdba), '') \
    FROM pg_roles me WHERE me.rolname = current_user";

/// Looks at the login. Returns as well whether it may change any table of the application.
pub(super) async fn look(session: &Session) -> (Vec<Finding>, bool) {
    match row(session, FACTS).await {
        Ok(answer) => (
            judge(&answer, &session.target().database),
            answer.number(8) > 0,
        ),
        Err(why) => (vec![Finding::unseen("rights", why)], true),
    }
}

fn judge(answer: &Answer, database: &str) -> Vec<Finding> {
    let (login, user) = (answer.text(0), answer.text(1));
    let who = if login == user {
        user.to_owned()
    } else {
        format!("{login}, which takes on the role {user}")
    };
    let mut found = vec![power(answer, &who, database)];
    found.push(tables(answer, database));
    found.extend(schemas(answer, user));
    found.extend(security(answer, user));
    found
}

/// Whether it may more than it needs.
fn power(answer: &Answer, who: &str, database: &str) -> Finding {
    if answer.is(2) {
        return Finding::warning(
            "role",
            format!("{who} is a superuser: no right holds it, and it may alter the journal's past and forge approvals"),
        )
        .help("run runbooks as a login that may only what they need:")
        .helps(fixer(database));
    }
    if answer.is(4) {
        return Finding::warning(
            "role",
            format!("{who} may make roles: before PostgreSQL 16 it can make itself a member of those who approve"),
        )
        .help(format!("`ALTER ROLE {} NOCREATEROLE;`", quote_ident(answer.text(1))));
    }
    Finding::well("role", format!("{who}, no superuser"))
}

/// The SQL that makes a login which may fix, and no more; the README has it as well.
fn fixer(database: &str) -> Vec<String> {
    let database = quote_ident(database);
    [
        "`CREATE ROLE fixer LOGIN;`".to_owned(),
        format!("`GRANT CONNECT ON DATABASE {database} TO fixer;`"),
        "`GRANT USAGE ON SCHEMA public TO fixer;`".to_owned(),
        "`GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA public TO fixer;`".to_owned(),
        "`GRANT UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO fixer;`".to_owned(),
        "`GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO fixer;`".to_owned(),
        "`runbook init --grant fixer`".to_owned(),
    ]
    .into()
}

fn tables(answer: &Answer, database: &str) -> Finding {
    let (all, reads, writes) = (answer.number(6), answer.number(7), answer.number(8));
    let user = quote_ident(answer.text(1));
    let connect = answer.is(5);
    let may = format!(
        "it may read {reads} of {}, and change {writes}",
        words::count(all, "table")
    );
    match (all, reads) {
        _ if !connect => Finding::missing(
            "rights",
            "it may not connect anew: the right to CONNECT was taken away",
        )
        .help(format!(
            "`GRANT CONNECT ON DATABASE {} TO {user};`",
            quote_ident(database)
        )),
        (1.., 0) => Finding::missing("rights", may)
            .help(format!(
                "as its owner: `GRANT USAGE ON SCHEMA public TO {user};`"
            ))
            .help(format!(
                "`GRANT SELECT ON ALL TABLES IN SCHEMA public TO {user};`"
            )),
        _ => Finding::well("rights", may),
    }
}

fn schemas(answer: &Answer, user: &str) -> Option<Finding> {
    let closed = answer.some(11)?;
    let says = format!(
        "it sees nothing of what is in the schema {}",
        closed.replace(", ", " or ")
    );
    let help = format!(
        "if runbooks are about it: `GRANT USAGE ON SCHEMA {closed} TO {};`",
        quote_ident(user)
    );
    // Not to see a schema may well be meant.
    Some(Finding::well("schemas", says).help(help))
}

/// What of tables it does not see, or sees although a policy hides it.
fn security(answer: &Answer, user: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    if answer.is(3) && !answer.is(2) {
        let says = "it has BYPASSRLS: policies of tables hide no row from it";
        let help = format!(
            "unless it must see all rows: `ALTER ROLE {} NOBYPASSRLS;`",
            quote_ident(user)
        );
        found.push(Finding::warning("row security", says).help(help));
    }
    let (count, some) = (answer.number(9), answer.text(10));
    if count > 0 {
        let more = if count > 3 { " and others" } else { "" };
        let says =
            format!("it may see only a part of the rows of {some}{more}: policies decide which");
        found.push(
            Finding::warning("row security", says)
                .help("a fix that is meant for these rows alone says `row_security: true`; backups of such tables are refused")
                .help(format!(
                    "where it must see all of them: `ALTER ROLE {} BYPASSRLS;`",
                    quote_ident(user)
                )),
        );
    }
    found
}
