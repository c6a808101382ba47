//! What every connection to a target begins with, and which databases it must not be.

use crate::base::source::Spanned;
use crate::pg::profile::{Pin, Profile};
use crate::policy::target::{Identity, Target, Targets};

/// Returns what every connection to a target begins with.
pub(super) fn profile(target: &Target, targets: &Targets) -> Profile {
    Profile {
        name: Some(target.name.clone()),
        protected: target.rules.protected,
        role: target.role.clone(),
        search_path: target.search_path.clone(),
        statement_timeout: target.statement_timeout,
        lock_timeout: target.lock_timeout,
        journal: target.journal,
        pin: target.identity.as_ref().map(pin).unwrap_or_default(),
        others: others(Some(targets), Some(&target.name)),
        sensitive: target.sensitive.clone(),
    }
}

fn pin(identity: &Identity) -> Pin {
    let text = |text: &Option<Spanned<String>>| text.as_ref().map(|text| text.value.clone());
    Pin {
        system_identifier: text(&identity.system_identifier),
        database: text(&identity.database),
    }
}

/// Returns the pinned targets that demand something: none of them is worked on but by its own name, so that what it
/// demands holds whatever address it is given.
pub(super) fn others(targets: Option<&Targets>, own: Option<&str>) -> Vec<(String, Pin)> {
    let all = targets.iter().flat_map(|targets| &targets.targets);
    let others = all.filter(|target| Some(target.name.as_str()) != own);
    let demanding = others.filter(|target| target.rules.protected || target.policy.is_some());
    let pinned = demanding.filter_map(|target| {
        let pin = pin(target.identity.as_ref()?);
        pin.system_identifier
            .is_some()
            .then(|| (target.name.clone(), pin))
    });
    pinned.collect()
}
