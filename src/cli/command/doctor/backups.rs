//! Backups: the programs that make them, the newest good one, and the room for the next.

use std::path::Path;

use jiff::Timestamp;

use super::ask::row;
use super::finding::Finding;
use super::machine;
use crate::archive::manifest::Holds;
use crate::archive::store::{self, Found};
use crate::base::words;
use crate::cli::Context;
use crate::cli::backups::{Standing, age};
use crate::engine::event::TargetFacts;
use crate::pg::backup::tools::Tools;
use crate::pg::session::Session;
use crate::policy::target::Target;
use crate::step::backup::DatabaseBackup;

/// A backup of the whole database that is older than this is worth a word.
const OLD: u64 = 7 * 86_400;

const SIZE: &str = "SELECT pg_database_size(current_database())::text";

/// Looks for the programs; without a server's version for any.
pub(super) fn tools(context: &Context<'_>, server: Option<&str>) -> Finding {
    match Tools::find(&context.invocation.environment, server.unwrap_or("0")) {
        Ok(tools) => Finding::well(
            "pg_dump",
            format!("{}, {}", tools.version, tools.dump.display()),
        ),
        Err(failure) => Finding::warning(
            "pg_dump",
            format!(
                "{}: the whole database cannot be backed up",
                failure.message
            ),
        )
        .helps(failure.help),
    }
}

/// Looks for the newest good backup of this database, and for room.
pub(super) async fn look(
    session: &Session,
    folder: &Path,
    target: Option<&Target>,
) -> Vec<Finding> {
    let mut found = match store::list(folder) {
        Ok(stored) => {
            let newest = stored
                .found
                .iter()
                .filter(|found| is_of(found, session.target()));
            let newest = newest.map(|found| found.manifest.taken_at).max();
            let flag = session.target().flag();
            vec![newest_of(newest, demanded(target), Timestamp::now(), &flag)]
        }
        Err(failure) => vec![Finding::unseen("newest", failure.message)],
    };
    found.extend(room(session, folder).await);
    found
}

/// Whether it is a backup of all of this database, and was read back.
fn is_of(found: &Found, facts: &TargetFacts) -> bool {
    let source = &found.manifest.source;
    let same = |a: &Option<String>, b: &Option<String>| a.is_none() || b.is_none() || a == b;
    found.manifest.holds == Holds::Database(DatabaseBackup::Full)
        && source.database == facts.database
        && same(&source.system_identifier, &facts.system_identifier)
        && matches!(
            Standing::of(&found.manifest, &found.notes),
            Standing::Read(_) | Standing::Restored(_)
        )
}

/// Returns how many seconds old it may be, by the strictest rule.
fn demanded(target: Option<&Target>) -> Option<u64> {
    let rules = target.into_iter().flat_map(|target| &target.rules.rules);
    rules
        .filter_map(|rule| rule.backup)
        .map(|age| age.as_secs())
        .min()
}

fn newest_of(
    newest: Option<Timestamp>,
    demanded: Option<u64>,
    now: Timestamp,
    flag: &str,
) -> Finding {
    let make = format!("`runbook backup create{flag}` makes one, and reads it back");
    let Some(newest) = newest else {
        let says = "there is no verified backup of this whole database";
        let finding = match demanded {
            Some(_) => Finding::missing("newest", format!("{says}, and the policy demands one")),
            None => Finding::warning("newest", says),
        };
        return finding.help(make);
    };
    let seconds = u64::try_from(now.as_second() - newest.as_second()).unwrap_or(0);
    let says = format!("verified, {} old", age(newest, now));
    match demanded {
        Some(limit) if seconds > limit => Finding::missing(
            "newest",
            format!(
                "{says}; the policy demands one of the last {}",
                words_of(limit)
            ),
        )
        .help(make),
        None if seconds > OLD => Finding::warning("newest", says).help(make),
        _ => Finding::well("newest", says),
    }
}

fn words_of(seconds: u64) -> String {
    match seconds {
        0..7_200 => words::count(seconds.div_ceil(60), "minute"),
        7_200..172_800 => words::count(seconds.div_ceil(3600), "hour"),
        _ => words::count(seconds.div_ceil(86_400), "day"),
    }
}

/// Whether the next one has room: rows compress to about half.
async fn room(session: &Session, folder: &Path) -> Option<Finding> {
    let free = machine::free(folder)?;
    let size = match row(session, SIZE).await {
        Ok(answer) => u64::try_from(answer.number(0)).unwrap_or_default(),
        Err(why) => return Some(Finding::unseen("room", why)),
    };
    let (size, free_words) = (size, words::bytes(free));
    let says = format!("{free_words} free for a database of {}", words::bytes(size));
    Some(if free < size / 2 {
        Finding::warning("room", says)
            .help("name a folder with more room by `--folder DIR` or `$RUNBOOK_BACKUPS`")
            .help("delete backups that nobody needs: `runbook backup prune`")
    } else {
        Finding::well("room", says)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::command::doctor::finding::State;

    #[test]
    fn a_backup_is_held_against_the_policy() {
        let now = Timestamp::from_second(10_000_000).unwrap_or_default();
        let ago = |seconds: i64| Timestamp::from_second(10_000_000 - seconds).ok();
        let cases = [
            (None, None, State::Warning),
            (None, Some(86_400), State::Missing),
            (ago(3600), Some(7200), State::Well),
            (ago(7201), Some(7200), State::Missing),
            (ago(3600), None, State::Well),
            (ago(8 * 86_400), None, State::Warning),
            (ago(8 * 86_400), Some(30 * 86_400), State::Well),
        ];
        for (newest, demanded, state) in cases {
            let found = newest_of(newest, demanded, now, "");
            assert_eq!(found.state, state, "{newest:?} {demanded:?}");
        }
    }
}
