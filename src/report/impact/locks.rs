//! What is locked, and who would wait for it, in plain words.

use crate::base::words;
use crate::engine::lock::{LockMode, TableLock};

/// How many tables of one mode are named.
const NAMED: usize = 3;

/// Returns what is locked, the strongest first; nothing where nobody but who changes the structure would wait.
pub(super) fn said(locks: &[TableLock]) -> Option<String> {
    // Looking up what a foreign key names keeps hardly anybody waiting.
    let is_strong = |lock: &&TableLock| lock.mode > LockMode::RowShare;
    let mut told: Vec<&TableLock> = locks.iter().filter(is_strong).collect();
    if told.is_empty() {
        told = locks.iter().collect();
    }
    let modes = told.chunk_by(|one, other| one.mode == other.mode);
    let said: Vec<String> = modes.filter_map(of_mode).collect();
    (!said.is_empty()).then(|| said.join("; "))
}

/// Returns "ROW EXCLUSIVE on companies: nobody waits but who changes the same rows".
fn of_mode(locks: &[&TableLock]) -> Option<String> {
    let mode = locks.first()?.mode;
    let mut names: Vec<String> = locks.iter().map(|lock| lock.table.clone()).collect();
    if names.len() > NAMED + 1 {
        let more = words::long(names.len() - NAMED);
        names.truncate(NAMED);
        names.push(words::count(more, "more table"));
    }
    let mut said = format!(
        "{} on {}: {}",
        mode.name(),
        words::list(&names),
        waits(mode, locks.len() == 1)
    );
    let used: Vec<String> = locks.iter().filter_map(|lock| users(lock, locks)).collect();
    if !used.is_empty() {
        said = format!("{said}; {}", words::list(&used));
    }
    Some(said)
}

/// Returns "14 sessions use it now, 2 of them would wait".
fn users(lock: &TableLock, of: &[&TableLock]) -> Option<String> {
    if lock.users == 0 {
        return None;
    }
    let it = if of.len() == 1 { "it" } else { &lock.table };
    let sessions = words::count(lock.users, "session");
    let verb = if lock.users == 1 { "uses" } else { "use" };
    let waiting = match lock.waiting {
        // That all wait is said already.
        _ if lock.mode == LockMode::AccessExclusive => String::new(),
        0 => String::new(),
        waiting if waiting == lock.users => " and would wait".to_owned(),
        waiting => format!(", of which {waiting} would wait"),
    };
    Some(format!("{sessions} {verb} {it} now{waiting}"))
}

/// Says who waits for a lock.
fn waits(mode: LockMode, one: bool) -> String {
    let it = if one { "it" } else { "them" };
    match mode {
        LockMode::AccessShare => format!("nobody waits but who drops or rewrites {it}"),
        LockMode::RowShare => {
            "nobody waits but who changes the rows that were looked up".to_owned()
        }
        LockMode::RowExclusive => "nobody waits but who changes the same rows".to_owned(),
        LockMode::ShareUpdateExclusive => {
            format!("only VACUUM, ANALYZE and changes of the structure of {it} wait")
        }
        LockMode::Share | LockMode::ShareRowExclusive => {
            format!("everybody waits who changes {it}, nobody who reads {it}")
        }
        LockMode::Exclusive => format!("everybody waits but who only reads {it}"),
        LockMode::AccessExclusive => format!("every query of {it} waits"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(table: &str, mode: LockMode, users: u32, waiting: u32) -> TableLock {
        TableLock {
            table: table.to_owned(),
            mode,
            waiting,
            users,
        }
    }

    #[test]
    fn who_waits_is_said_in_plain_words() {
        let locks = [
            lock("orders", LockMode::AccessExclusive, 14, 14),
            lock("logs", LockMode::Share, 3, 1),
            lock("companies", LockMode::RowExclusive, 0, 0),
            lock("farms", LockMode::RowExclusive, 1, 1),
            lock("users", LockMode::RowShare, 5, 0),
        ];
        assert_eq!(
            said(&locks).unwrap(),
            "ACCESS EXCLUSIVE on orders: every query of it waits; 14 sessions use it now; \
             SHARE on logs: everybody waits who changes it, nobody who reads it; \
             3 sessions use it now, of which 1 would wait; \
             ROW EXCLUSIVE on companies and farms: nobody waits but who changes the same rows; \
             1 session uses farms now and would wait"
        );
    }

    #[test]
    fn many_tables_are_counted() {
        let names = ["a", "b", "c", "d", "e"];
        let all = names.map(|name| lock(name, LockMode::RowExclusive, 0, 0));
        let told = said(&all).unwrap();
        assert!(told.contains("on a, b, c and 2 more tables:"), "{told}");
        let told = said(&all[..4]).unwrap();
        assert!(told.contains("on a, b, c and d:"), "{told}");
        let weak = [lock("a", LockMode::RowShare, 0, 0)];
        assert!(said(&weak).unwrap().starts_with("ROW SHARE on a: "));
        assert_eq!(said(&[]), None);
    }
}
