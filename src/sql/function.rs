//! The functions that a statement calls, and the built-in ones that do more than compute.

use std::ops::Range;

use squawk_syntax::ast::{self, AstNode as _};
use squawk_syntax::{SyntaxKind, SyntaxNode, SyntaxToken};

use super::{ident, tree};

/// A call of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionCall {
    /// The schema, where the call names one.
    pub schema: Option<String>,
    /// The function, decoded and folded as PostgreSQL does.
    pub name: String,
    /// True for `x.name` without brackets: a column, unless the catalog has a function of that name
    /// which takes what `x` is; PostgreSQL calls it then.
    pub attribute: bool,
    /// Where its name stands in the text.
    pub range: Range<usize>,
}

/// Why a built-in function is more than a computation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hazard {
    /// It changes something that can be set right again.
    Acts,
    /// It changes something for good.
    ActsForGood,
    /// It runs a text as SQL, or on another server, where no rule of ours sees it.
    RunsSql,
    /// It reads or writes files of the server.
    Files,
    /// It changes the session: settings, locks or notifications that outlive the statement.
    Session,
}

impl Hazard {
    /// Says what the function does, after its name.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Acts | Self::ActsForGood => "changes something",
            Self::RunsSql => "runs a text as SQL, which cannot be checked",
            Self::Files => "reads or writes files of the server",
            Self::Session => "changes the session's settings, locks or notifications",
        }
    }
}

/// The built-in and commonly installed functions that do more than compute, by name in any schema; a `*` at the
/// end stands for any rest. From PostgreSQL's chapters 9.27 and 9.28 and the contrib modules.
const HAZARDS: &[(&str, Hazard)] = &[
    ("set_config", Hazard::Session),
    ("setseed", Hazard::Session),
    ("pg_notify", Hazard::Session),
    ("pg_advisory_*", Hazard::Session),
    ("pg_try_advisory_*", Hazard::Session),
    ("pg_export_snapshot", Hazard::Session),
    ("pg_replication_origin_*", Hazard::Session),
    ("dblink*", Hazard::RunsSql),
    ("postgres_fdw_disconnect*", Hazard::RunsSql),
    ("query_to_xml*", Hazard::RunsSql),
    ("cursor_to_xml*", Hazard::RunsSql),
    ("table_to_xml*", Hazard::RunsSql),
    ("schema_to_xml*", Hazard::RunsSql),
    ("database_to_xml*", Hazard::RunsSql),
    ("ts_stat", Hazard::RunsSql),
    ("ts_rewrite", Hazard::RunsSql),
    ("crosstab*", Hazard::RunsSql),
    ("connectby", Hazard::RunsSql),
    ("xpath_table", Hazard::RunsSql),
    ("pg_background_*", Hazard::RunsSql),
    ("lo_import*", Hazard::Files),
    ("lo_export", Hazard::Files),
    ("pg_read_file*", Hazard::Files),
    ("pg_read_binary_file*", Hazard::Files),
    ("pg_stat_file*", Hazard::Files),
    ("pg_ls_*", Hazard::Files),
    ("pg_file_*", Hazard::Files),
    ("pg_logdir_ls", Hazard::Files),
    ("pg_current_logfile", Hazard::Files),
    ("lo_unlink", Hazard::ActsForGood),
    ("lo_*", Hazard::Acts),
    ("lowrite", Hazard::Acts),
    ("loread", Hazard::Acts),
    ("nextval", Hazard::Acts),
    ("setval", Hazard::Acts),
    ("pg_reload_conf", Hazard::Acts),
    ("pg_rotate_logfile*", Hazard::Acts),
    ("pg_terminate_backend", Hazard::Acts),
    ("pg_cancel_backend", Hazard::Acts),
    ("pg_promote", Hazard::ActsForGood),
    ("pg_switch_wal", Hazard::Acts),
    ("pg_switch_xlog", Hazard::Acts),
    ("pg_create_*", Hazard::Acts),
    ("pg_copy_*", Hazard::Acts),
    ("pg_sync_replication_slots", Hazard::Acts),
    ("pg_drop_*", Hazard::ActsForGood),
    ("pg_replication_slot_advance", Hazard::ActsForGood),
    ("pg_logical_slot_peek_*", Hazard::Acts),
    ("pg_logical_emit_message", Hazard::Acts),
    ("pg_logical_*", Hazard::ActsForGood),
    ("pg_wal_replay_*", Hazard::Acts),
    ("pg_xlog_replay_*", Hazard::Acts),
    ("pg_start_backup", Hazard::Acts),
    ("pg_stop_backup", Hazard::Acts),
    ("pg_backup_start", Hazard::Acts),
    ("pg_backup_stop", Hazard::Acts),
    ("pg_log_*", Hazard::Acts),
    ("pg_stat_reset*", Hazard::ActsForGood),
    ("pg_stat_statements_reset", Hazard::ActsForGood),
    ("pg_import_system_collations", Hazard::Acts),
    ("pg_set_*_stats", Hazard::Acts),
    ("pg_set_*", Hazard::Acts),
    ("pg_restore_*", Hazard::Acts),
    ("pg_clear_*", Hazard::Acts),
    ("pg_nextoid", Hazard::Acts),
    ("pg_prewarm", Hazard::Acts),
    ("pg_buffercache_evict*", Hazard::Acts),
    ("pg_buffercache_mark_dirty*", Hazard::Acts),
    ("autoprewarm_*", Hazard::Acts),
    ("pg_truncate_visibility_map", Hazard::Acts),
    ("heap_force_*", Hazard::ActsForGood),
    ("brin_summarize_*", Hazard::Acts),
    ("brin_desummarize_range", Hazard::Acts),
    ("gin_clean_pending_list", Hazard::Acts),
    ("binary_upgrade_*", Hazard::ActsForGood),
];

/// The functions that act the moment they are called: on other sessions, on the server, on counters or on pages, so
/// that neither a rollback nor a rehearsal takes it back. `nextval` is not among them: what a rollback leaves of it is
/// a gap, which PostgreSQL promises to nobody not to be there. `setval` is: keys that are there would come again.
const AT_ONCE: &[&str] = &[
    "pg_terminate_backend",
    "pg_cancel_backend",
    "pg_reload_conf",
    "pg_rotate_logfile*",
    "pg_promote",
    "pg_switch_wal",
    "pg_switch_xlog",
    "pg_create_restore_point",
    "pg_create_physical_replication_slot",
    "pg_create_logical_replication_slot",
    "pg_copy_physical_replication_slot",
    "pg_copy_logical_replication_slot",
    "pg_sync_replication_slots",
    "pg_drop_replication_slot",
    "pg_replication_slot_advance",
    "pg_logical_slot_get_*",
    "pg_logical_emit_message",
    "setval",
    "heap_force_*",
    "pg_truncate_visibility_map",
    "brin_summarize_*",
    "brin_desummarize_range",
    "gin_clean_pending_list",
    "pg_wal_replay_*",
    "pg_xlog_replay_*",
    "pg_start_backup",
    "pg_stop_backup",
    "pg_backup_start",
    "pg_backup_stop",
    "pg_log_*",
    "pg_stat_reset*",
    "pg_stat_statements_reset",
    "pg_prewarm",
    "pg_buffercache_evict*",
    "pg_buffercache_mark_dirty*",
    "autoprewarm_*",
];

/// Returns why a function is dangerous by its name alone, whatever its schema.
pub(super) fn hazard(name: &str) -> Option<Hazard> {
    HAZARDS
        .iter()
        .find(|(pattern, _)| is_like(name, pattern))
        .map(|(_, hazard)| *hazard)
}

/// Returns the first function in a tree that acts the moment it is called.
pub(super) fn at_once(root: &SyntaxNode) -> Option<String> {
    let names = hazards(root).into_iter().map(|(name, ..)| name);
    names
        .into_iter()
        .find(|name| AT_ONCE.iter().any(|pattern| is_like(name, pattern)))
}

fn is_like(name: &str, pattern: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => name == pattern,
    }
}

/// Collects every call in a tree, in order.
pub(super) fn calls(root: &SyntaxNode) -> Vec<FunctionCall> {
    root.descendants()
        .filter_map(|node| {
            if let Some(call) = ast::CallExpr::cast(node.clone()) {
                return called(call.expr()?.syntax(), false);
            }
            let field = ast::FieldExpr::cast(node)?;
            field.field()?;
            if is_callee(field.syntax()) {
                return None;
            }
            called(field.syntax(), true)
        })
        .collect()
}

/// Returns the place and the danger of every name that PostgreSQL may take for a dangerous function.
///
/// It goes by tokens and not by the tree: a name before a bracket or after a dot counts wherever it stands, so
/// nothing hangs on how the parser sees that place. `(x).name` without brackets is a call too.
pub(super) fn hazards(root: &SyntaxNode) -> Vec<(String, Range<usize>, Hazard)> {
    let words: Vec<SyntaxToken> = tree::words(root).collect();
    let kind_at = |at: Option<usize>| at.and_then(|at| words.get(at)).map(SyntaxToken::kind);
    let mut found = Vec::new();
    for (at, token) in words.iter().enumerate() {
        let escaped = token.text().starts_with(['u', 'U']) && token.text().contains("&\"");
        let called = kind_at(Some(at + 1)) == Some(SyntaxKind::L_PAREN)
            || kind_at(at.checked_sub(1)) == Some(SyntaxKind::DOT);
        if !called && !escaped {
            continue;
        }
        let name = token_name(token, escaped);
        if let Some(hazard) = hazard(&name) {
            found.push((name, tree::token_range(token), hazard));
        }
    }
    found
}

/// Decodes the name that a token is.
fn token_name(token: &SyntaxToken, escaped: bool) -> String {
    match token.parent() {
        // Only the node knows the UESCAPE character behind it.
        Some(node) if escaped => ident::decoded(&node),
        _ => match token.text().strip_prefix('"') {
            Some(rest) => rest.strip_suffix('"').unwrap_or(rest).replace("\"\"", "\""),
            None => token.text().to_ascii_lowercase(),
        },
    }
}

fn called(callee: &SyntaxNode, attribute: bool) -> Option<FunctionCall> {
    let range = tree::range(callee);
    if let Some(name) = ast::NameRef::cast(callee.clone()) {
        let name = ident::decoded(name.syntax());
        return Some(FunctionCall {
            schema: None,
            name,
            attribute,
            range,
        });
    }
    let field = ast::FieldExpr::cast(callee.clone())?;
    let name = ident::decoded(field.field()?.syntax());
    let schema = match field.base()? {
        _ if attribute => None,
        ast::Expr::NameRef(base) => Some(ident::decoded(base.syntax())),
        ast::Expr::FieldExpr(base) => Some(ident::decoded(base.field()?.syntax())),
        _ => None,
    };
    Some(FunctionCall {
        schema,
        name,
        attribute,
        range,
    })
}

/// Returns true for the name of a call, or a part of it: `a.b` in `a.b.c(..)`.
fn is_callee(field: &SyntaxNode) -> bool {
    let mut node = field.clone();
    while let Some(parent) = node.parent() {
        match parent.kind() {
            SyntaxKind::FIELD_EXPR => node = parent,
            SyntaxKind::CALL_EXPR => return true,
            _ => return false,
        }
    }
    false
}
