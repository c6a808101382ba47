//! Which database this is, whatever its address.

use super::finding::Finding;
use crate::engine::event::TargetFacts;
use crate::policy::target::Target;

/// Looks at whether the target's name stands for one database only.
pub(super) fn look(facts: &TargetFacts, target: Option<&Target>) -> Finding {
    let Some(system) = &facts.system_identifier else {
        return Finding::warning(
            "identity",
            "the login may not ask for the cluster's identity: nobody sees when it is another one",
        )
        .help("as a superuser: `GRANT EXECUTE ON FUNCTION pg_control_system() TO PUBLIC;`");
    };
    let is = format!("cluster {system}, database {}", facts.database);
    let yaml = format!(
        "`identity: {{ system_identifier: \"{system}\", database: {} }}`",
        facts.database
    );
    match target.map(|target| target.identity.as_ref()) {
        // Another one than the pinned one was refused at the connection.
        Some(Some(_)) => Finding::well("identity", format!("{is}, as runbook.yaml has it")),
        Some(None) => Finding::warning("identity", format!("{is}; runbook.yaml does not say so: another database at this address would be taken for it"))
            .help(format!("in runbook.yaml: {yaml}")),
        None => Finding::well("identity", is),
    }
}
