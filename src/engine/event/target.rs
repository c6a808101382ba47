//! The database that a run works on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is known of the database that a run works on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TargetFacts {
    /// The target's name, or the address.
    pub name: String,
    /// The database.
    pub database: String,
    /// The login.
    pub user: String,
    /// The role that its sessions take on, where that is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Whether it is protected.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub protected: bool,
    /// The server's version, such as `15.18`.
    pub server_version: String,
    /// The cluster's system identifier, where the login may read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_identifier: Option<String>,
    /// The cluster's timeline: another one after a failover or a restore.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeline: Option<String>,
    /// The database's OID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database_oid: Option<u32>,
    /// The schemas in which tables without one are looked for; every session finds them anew.
    #[serde(skip)]
    pub search_path: Vec<String>,
}

impl TargetFacts {
    /// Returns what names it in a command that is told: ` --target production`, or nothing where it has no name. An
    /// address is not named by `--target`, and may have a password.
    pub fn flag(&self) -> String {
        if self.name.is_empty() || self.name.contains([':', '/', '@', '.']) {
            return String::new();
        }
        format!(" --target {}", self.name)
    }

    /// Returns the role whose rights its sessions have.
    pub fn acts_as(&self) -> &str {
        self.role.as_deref().unwrap_or(&self.user)
    }

    /// Returns the server's version as PostgreSQL counts it: 150018 for `15.18`, 170000 for `17beta1`.
    pub fn server_version_num(&self) -> u32 {
        let mut numbers = self.server_version.splitn(2, '.').map(|part| {
            let end = part.find(|next: char| !next.is_ascii_digit());
            part[..end.unwrap_or(part.len())].parse().unwrap_or(0)
        });
        let (major, minor): (u32, u32) = (
            numbers.next().unwrap_or_default(),
            numbers.next().unwrap_or_default(),
        );
        major.saturating_mul(10_000).saturating_add(minor)
    }
}
