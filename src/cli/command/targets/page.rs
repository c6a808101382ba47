//! How targets are told: as blocks of facts, or as JSON. Never with a password.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::Told;
use super::look::{Seen, There};
use crate::base::words::wrapped;
use crate::pg::secret::mask_passwords;
use crate::policy::document::{Journal, RISKS};
use crate::policy::target::{Identity, Target};
use crate::policy::words;
use crate::sql::risk::Risk;

/// How far facts stand from the left.
const INDENT: &str = "  ";

/// What they say begins here.
const LABEL: usize = 12;

/// Returns the targets as text, each a block of its facts. `marks` are the signs of good and bad. Facts are broken between words
/// where they would run over `width`.
pub(super) fn text(told: &[Told], marks: (&str, &str), width: Option<usize>) -> String {
    let draw = |told| block(told, marks, width);
    let blocks: Vec<String> = told.iter().map(draw).collect();
    blocks.join("\n")
}

fn block(told: &Told, (good, bad): (&str, &str), width: Option<usize>) -> String {
    let target = &told.target;
    let mut head = target.name.clone();
    let protected = target.rules.protected.then_some("protected");
    let default = told.is_default.then_some("default");
    for word in protected.into_iter().chain(default) {
        let _ = write!(head, ", {word}");
    }
    let mut block = format!("{head}\n");
    let mut fact = |name: &str, text: &str| {
        let room = width.map_or(usize::MAX, |width| width.saturating_sub(LABEL).max(20));
        let next = format!("\n{:LABEL$}", "");
        let text = wrapped(text, room).join(&next);
        let _ = writeln!(block, "{INDENT}{name:<10}{text}");
    };
    fact("where", told.place.as_ref().unwrap_or_else(|why| why));
    if let Some(about) = &target.about {
        fact("about", about);
    }
    if let Some(role) = &target.role {
        fact("role", role);
    }
    if let Some(identity) = &target.identity {
        fact("pinned to", &pinned(identity));
    }
    if let Some(journal) = target.journal {
        fact("journal", word_of(journal));
    }
    if let Some(policy) = &target.policy {
        fact("policy", &policy.value);
    }
    for risk in RISKS {
        let needs = words::rule(&target.rules, risk);
        if !needs.is_empty() && needs_more(target, risk) {
            fact(&format!("  {risk}"), &needs.join(", "));
        }
    }
    if !told.groups.is_empty() {
        fact("groups", &told.groups.join(", "));
    }
    match &told.seen {
        None => {}
        Some(Seen::There(there)) => {
            let _ = writeln!(block, "{INDENT}{good} {}", found(there));
            block.push_str(&unpinned(target, there));
        }
        Some(Seen::Wrong(why)) => {
            let why = mask_passwords(why.trim_end());
            let mut lines = why.lines();
            let first = lines.next().unwrap_or_default();
            let first = first.strip_prefix("error: ").unwrap_or(first);
            let _ = writeln!(block, "{INDENT}{bad} {first}");
            for line in lines {
                let _ = writeln!(block, "{INDENT}{INDENT}{line}");
            }
        }
    }
    block
}

/// What every target demands is not worth a line.
fn needs_more(target: &Target, risk: Risk) -> bool {
    target.policy.is_some() || target.rules.protected && risk == Risk::Low
}

fn word_of(journal: Journal) -> &'static str {
    match journal {
        Journal::Database => "database",
        Journal::Local => "local",
    }
}

fn pinned(identity: &Identity) -> String {
    let cluster = identity.system_identifier.as_ref();
    let cluster = cluster.map(|cluster| format!("cluster {}", cluster.value));
    let database = identity.database.as_ref();
    let database = database.map(|name| format!("database {}", name.value));
    let parts: Vec<String> = cluster.into_iter().chain(database).collect();
    parts.join(", ")
}

fn found(there: &There) -> String {
    let facts = &there.facts;
    let mut text = format!("PostgreSQL {}", facts.server_version);
    match &there.tls {
        Some(version) => {
            let _ = write!(text, ", {version}");
        }
        None => text.push_str(", no TLS"),
    }
    if there.replica {
        text.push_str(", a replica");
    }
    let _ = write!(text, ", database {}, as {}", facts.database, facts.user);
    if let Some(role) = &facts.role {
        let _ = write!(text, " in the role {role}");
    }
    text
}

/// Returns what pins a target that is not pinned, to be pasted.
fn unpinned(target: &Target, there: &There) -> String {
    if target.identity.is_some() {
        return format!("{INDENT}{INDENT}it is the one that is pinned\n");
    }
    let Some(cluster) = &there.facts.system_identifier else {
        return format!(
            "{INDENT}{INDENT}it is not pinned, and its login may not read by what: GRANT EXECUTE ON FUNCTION \
             pg_control_system() TO {}\n",
            crate::sql::ident::quote_ident(&there.facts.user)
        );
    };
    let name = &target.name;
    let database = Value::from(there.facts.database.as_str());
    format!(
        "{INDENT}{INDENT}it is not pinned: any database under its address would do\n\
         {INDENT}{INDENT}to pin it, put this under `{name}:` in runbook.yaml:\n\n    identity:\n      system_identifier: \"{cluster}\"\n      database: {database}\n"
    )
}

/// Returns the targets as JSON.
pub(super) fn json(told: &[Told]) -> Value {
    told.iter().map(object).collect()
}

fn object(told: &Told) -> Value {
    let target = &told.target;
    let needs = RISKS.map(|risk| {
        (
            risk.to_string(),
            Value::from(words::rule(&target.rules, risk)),
        )
    });
    let needs: serde_json::Map<String, Value> = needs.into_iter().collect();
    let identity = target.identity.as_ref().map(|identity| {
        let text = |one: &Option<crate::base::source::Spanned<String>>| {
            one.as_ref().map(|one| one.value.clone())
        };
        json!({
            "system_identifier": text(&identity.system_identifier),
            "database": text(&identity.database),
        })
    });
    let mut object = json!({
        "name": target.name,
        "about": target.about,
        "where": told.place.as_ref().ok(),
        "default": told.is_default,
        "role": target.role,
        "protected": target.rules.protected,
        "policy": target.policy.as_ref().map(|policy| &policy.value),
        "needs": needs,
        "identity": identity,
        "groups": told.groups,
    });
    let seen = told.seen.as_ref().map(|seen| match seen {
        Seen::There(there) => json!({
            "ok": true,
            "server_version": there.facts.server_version,
            "tls": there.tls,
            "replica": there.replica,
            "login": there.facts.user,
            "role": there.facts.role,
            "system_identifier": there.facts.system_identifier,
            "database": there.facts.database,
            "pinned": target.identity.is_some(),
        }),
        Seen::Wrong(why) => json!({ "ok": false, "error": mask_passwords(why.trim_end()) }),
    });
    if let (Some(seen), Some(object)) = (seen, object.as_object_mut()) {
        object.insert("check".to_owned(), seen);
    }
    object
}
