//! One target of `runbook.yaml`, from what its author wrote.

use std::time::Duration;

use super::address;
use super::document::{self, Project};
use super::named;
use super::rules::Rules;
use super::target::{Connection, Identity, Target, Watchdog};
use crate::base::diagnostic::Diagnostic;
use crate::base::source::{Source, Span, Spanned};
use crate::base::words;
use crate::runbook::notice::{self, Notify};
use crate::runbook::sensitive::Sensitive;
use crate::step::text::Template;

/// libpq's modes of TLS.
const SSLMODES: [&str; 6] = [
    "disable",
    "allow",
    "prefer",
    "require",
    "verify-ca",
    "verify-full",
];

/// The longest time-out that PostgreSQL takes, in milliseconds.
const LONGEST: u128 = 2_147_483_647;

/// When a fix on a protected target gives up, where nothing is said.
const PROTECTED: Watchdog = Watchdog {
    sessions: Some(20),
    wait: Some(Duration::from_secs(30)),
};

/// Resolves the targets of a project, one by one.
pub(super) struct Resolving<'a> {
    pub(super) source: &'a Source,
    pub(super) project: &'a Project,
    /// The policies, by name, in order.
    pub(super) policies: &'a [(String, Rules)],
}

impl Resolving<'_> {
    /// Returns a target; every mistake becomes a diagnostic.
    pub(super) fn target(
        &self,
        name: &Spanned<String>,
        written: &document::Target,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Target {
        let path = written.search_path.as_ref();
        let search_path = path.map(|path| path.0.iter().map(|name| name.text().to_owned()));
        Target {
            name: name.value.clone(),
            place: name.span,
            about: text(written.about.as_ref()),
            connection: self.connection(name, written, diagnostics),
            role: written.role.as_ref().map(|role| role.value.clone()),
            search_path: search_path.map(Iterator::collect),
            statement_timeout: timeout(
                "statement_timeout",
                written.statement_timeout,
                name,
                diagnostics,
            ),
            lock_timeout: timeout("lock_timeout", written.lock_timeout, name, diagnostics),
            journal: written.journal,
            identity: identity(name, written.identity.as_ref(), diagnostics),
            policy: written.policy.as_ref().map(|policy| policy.0.clone()),
            rules: Rules {
                protected: written.protected,
                ..self.rules(written, diagnostics)
            },
            sensitive: sensitive(written, diagnostics),
            backup_folder: text(written.backups.as_ref().and_then(|all| all.folder.as_ref())),
            keep: written.backups.as_ref().and_then(|backups| backups.keep),
            encrypt: recipients(written.backups.as_ref(), diagnostics),
            watchdog: watchdog(written),
            notify: self.notify(written, diagnostics),
        }
    }

    /// Returns whom to tell: the target's own, then those of all targets.
    fn notify(&self, written: &document::Target, diagnostics: &mut Vec<Diagnostic>) -> Vec<Notify> {
        notice::check(&written.notify, self.source, diagnostics);
        let all = written.notify.iter().chain(&self.project.notify);
        all.map(|notify| notify.value.clone()).collect()
    }

    fn rules(&self, written: &document::Target, diagnostics: &mut Vec<Diagnostic>) -> Rules {
        let Some(policy) = &written.policy else {
            return Rules::default();
        };
        let found = self.policies.iter().find(|(name, _)| name == policy.text());
        found.map_or_else(
            || {
                let names = self.policies.iter().map(|(name, _)| name.as_str());
                diagnostics.push(named::unknown(
                    "policy",
                    policy.text(),
                    policy.span(),
                    names,
                ));
                Rules::default()
            },
            |(_, rules)| rules.clone(),
        )
    }

    fn connection(
        &self,
        name: &Spanned<String>,
        written: &document::Target,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Connection {
        match (&written.url, &written.service) {
            (None, None) => diagnostics.push(
                Diagnostic::error("target", format!("the target `{}` is nowhere", name.value))
                    .at(name.span, "it has neither `url` nor `service`")
                    .help("give `url: $NAME`, an environment variable that holds its connection URL; or `service: NAME`"),
            ),
            (Some(url), Some(service)) => diagnostics.push(
                Diagnostic::error("target", "`url` and `service` together")
                    .at(service.span, "")
                    .at(url.span, "and this")
                    .help("one of both says where the target is"),
            ),
            _ => {}
        }
        if let Some(url) = &written.url {
            self.url(url, diagnostics);
        }
        sslmode(written.sslmode.as_ref(), diagnostics);
        password_command(written, name.span, diagnostics);
        let value = |text: &Option<Spanned<String>>| text.as_ref().map(|text| text.value.clone());
        let command = written.password_command.as_deref().unwrap_or_default();
        Connection {
            url: value(&written.url),
            service: value(&written.service),
            passfile: value(&written.passfile),
            password_command: command.iter().map(|word| word.text().to_owned()).collect(),
            sslmode: value(&written.sslmode),
            sslrootcert: value(&written.sslrootcert),
        }
    }

    /// A file that is shared and kept in version control is no place for a password.
    fn url(&self, url: &Spanned<String>, diagnostics: &mut Vec<Diagnostic>) {
        if url.value.trim().starts_with('$') {
            if address::variable(url.value.trim()).is_none() {
                diagnostics.push(
                    Diagnostic::error("target", "`url` names no environment variable")
                        .at(url.span, "")
                        .help("write `$NAME` alone, and put the whole URL into that variable"),
                );
            }
            return;
        }
        if !address::holds_password(&url.value) {
            return;
        }
        let here = address::passwords(self.source.text())
            .into_iter()
            .find(|range| range.start >= url.span.start && range.start < url.span.end);
        let place = here.map_or(url.span, |range| {
            Span::new(range.start, range.end.min(url.span.end))
        });
        diagnostics.push(
            Diagnostic::error("password", "a password in `url`")
                .at(place, "this file is shared, and no place for it")
                .help("put the whole URL into an environment variable: `url: $NAME`")
                .help("or leave the password out, and name a `passfile` or a `password_command`"),
        );
    }
}

fn text(text: Option<&Template>) -> Option<String> {
    text.map(|text| text.text().to_owned())
}

fn sslmode(mode: Option<&Spanned<String>>, diagnostics: &mut Vec<Diagnostic>) {
    let Some(mode) = mode.filter(|mode| !SSLMODES.contains(&mode.value.as_str())) else {
        return;
    };
    // The nearest name is not to be a weaker one than what was meant.
    let near = mode.value.starts_with("verify").then_some("verify-full");
    let near = near.map(|near| format!("did you mean `{near}`?"));
    let near = near.or_else(|| words::did_you_mean(&mode.value, SSLMODES));
    let help = near.unwrap_or_else(|| format!("it is one of {}", words::quoted(&SSLMODES)));
    diagnostics.push(
        Diagnostic::error("target", format!("`sslmode` cannot be `{}`", mode.value))
            .at(mode.span, "")
            .help(help),
    );
}

fn password_command(written: &document::Target, place: Span, diagnostics: &mut Vec<Diagnostic>) {
    let Some(command) = &written.password_command else {
        return;
    };
    let program = command.first();
    if program.is_none_or(|program| program.text().trim().is_empty()) {
        diagnostics.push(
            Diagnostic::error("target", "`password_command` names no program")
                .at(program.map_or(place, Template::span), "")
                .help(
                    "write the program and its arguments as a list: `[pass, show, crm/production]`",
                ),
        );
    }
    if let (Some(passfile), Some(program)) = (&written.passfile, program) {
        diagnostics.push(
            Diagnostic::error("target", "`passfile` and `password_command` together")
                .at(program.span(), "")
                .at(passfile.span, "and this")
                .help("one of both has the password"),
        );
    }
}

fn timeout(
    key: &str,
    span: Option<crate::step::shape::Span>,
    name: &Spanned<String>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Duration> {
    let duration = span?.0;
    if (1..=LONGEST).contains(&duration.as_millis()) {
        return Some(duration);
    }
    let title = format!("`{key}` is from 1 ms to 24 days");
    diagnostics.push(
        Diagnostic::error("target", title)
            .at(name.span, "of this target")
            .help("write a length of time such as `5s` or `10m`"),
    );
    None
}

fn identity(
    name: &Spanned<String>,
    written: Option<&document::Identity>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Identity> {
    let written = written?;
    if written.system_identifier.is_none() && written.database.is_none() {
        let title = format!("the `identity` of `{}` says nothing", name.value);
        diagnostics.push(
            Diagnostic::error("target", title)
                .at(name.span, "")
                .help("`runbook targets --check` prints what belongs there"),
        );
    }
    if let Some(identifier) = &written.system_identifier {
        let text = identifier.text();
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            diagnostics.push(
                Diagnostic::error("target", "a system identifier is a number of many digits")
                    .at(identifier.span(), "")
                    .help("`runbook targets --check` prints it; so does `SELECT system_identifier FROM pg_control_system()`"),
            );
        }
    }
    Some(Identity {
        system_identifier: written.system_identifier.as_ref().map(|one| one.0.clone()),
        database: written.database.clone(),
    })
}

fn sensitive(written: &document::Target, diagnostics: &mut Vec<Diagnostic>) -> Vec<Sensitive> {
    let mut all = Vec::new();
    for (table, columns) in &written.sensitive.0 {
        for column in &columns.0 {
            let name = format!("{}.{}", table.value, column.text());
            match Sensitive::parse(&name) {
                Some(one) => all.push(one),
                None => diagnostics.push(
                    Diagnostic::error("sensitive", format!("`{name}` is no column of a table"))
                        .at(column.span(), "")
                        .help("write a table and its columns: `users: [email]`; `\"*\"` is every table, and a name with capital letters is written as '\"User\"'"),
                ),
            }
        }
    }
    all
}

fn recipients(
    written: Option<&document::Backups>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<String> {
    let all = written.and_then(|backups| backups.encrypt.as_ref());
    let all: &[Template] = all.map_or(&[], |keys| &keys.0);
    for key in all.iter().filter(|key| !key.text().starts_with("age1")) {
        diagnostics.push(
            Diagnostic::error("target", "this is no public key of age")
                .at(key.span(), "")
                .help("it begins with `age1`; `age-keygen` makes a pair"),
        );
    }
    all.iter().map(|key| key.text().to_owned()).collect()
}

fn watchdog(written: &document::Target) -> Option<Watchdog> {
    let said = written.watchdog.map(|watchdog| Watchdog {
        sessions: watchdog.sessions,
        wait: watchdog.wait.map(|wait| wait.0),
    });
    said.or_else(|| written.protected.then_some(PROTECTED))
}
