//! The settings that a runbook's `session` may set: an allowlist, since others would undo what the engine
//! and its proofs rest on, such as how quotes are read or whether triggers run.

use super::document::Head;
use crate::base::diagnostic::Diagnostic;
use crate::base::words;

/// Settings of PostgreSQL that change where a statement looks, how long it may take, or how it is planned.
const ALLOWED: [&str; 18] = [
    "application_name",
    "deadlock_timeout",
    "effective_cache_size",
    "enable_hashjoin",
    "enable_mergejoin",
    "enable_nestloop",
    "enable_seqscan",
    "jit",
    "lock_timeout",
    "maintenance_work_mem",
    "max_parallel_workers_per_gather",
    "random_page_cost",
    "role",
    "row_security",
    "search_path",
    "statement_timeout",
    "timezone",
    "work_mem",
];

/// Checks the names of a runbook's settings; those of extensions and applications, with a dot, are its own.
pub(super) fn check(head: &Head, diagnostics: &mut Vec<Diagnostic>) {
    for (name, value) in &head.session.0 {
        let known = ALLOWED
            .iter()
            .any(|allowed| name.eq_ignore_ascii_case(allowed));
        if name.eq_ignore_ascii_case("row_security") && !matches!(value.text(), "off" | "on") {
            let title = "`row_security` is `off` or `on`";
            diagnostics.push(
                Diagnostic::error("session", title)
                    .at(value.span(), "")
                    .help("`off` has statements fail from which policies would hide rows; `on` is the server's own"),
            );
            continue;
        }
        if known || name.contains('.') {
            continue;
        }
        let help = words::did_you_mean(name, ALLOWED).unwrap_or_else(|| {
            format!(
                "it may set {}, and settings with a dot such as `app.tenant`",
                ALLOWED.join(", ")
            )
        });
        let title = format!("`session` cannot set `{}`", name.value);
        diagnostics.push(
            Diagnostic::error("session", title)
                .at(name.span, "")
                .help(help),
        );
    }
}
