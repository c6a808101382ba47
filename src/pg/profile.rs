//! What every connection to a named target begins with, and which database it must be.

use std::time::Duration;

use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};

use super::connect_error::{ConnectError, Elsewhere, Mismatch};
use crate::policy::document::Journal;
use crate::runbook::sensitive::Sensitive;
use crate::sql::ident::quote_ident;

/// What a database says of itself before anything else is done with it.
const WHO: &str = concat!(
    "SELECT current_database()::text, session_user::text, ",
    cluster!()
);

/// What a database is known by, whatever its address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pin {
    /// The cluster's system identifier.
    pub system_identifier: Option<String>,
    /// The database's name.
    pub database: Option<String>,
}

/// What every connection to a target begins with. The default is that of a plain address: nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// The target's name.
    pub name: Option<String>,
    /// Whether it is protected.
    pub protected: bool,
    /// The role that sessions take on.
    pub role: Option<String>,
    /// Where tables without a schema are looked for.
    pub search_path: Option<Vec<String>>,
    /// How long a statement may take.
    pub statement_timeout: Option<Duration>,
    /// How long a statement may wait for a lock.
    pub lock_timeout: Option<Duration>,
    /// Where its journal is kept, where it says so.
    pub journal: Option<Journal>,
    /// The one database that it is.
    pub pin: Pin,
    /// Targets that it must not be, by name: one of them is called by its name alone.
    pub others: Vec<(String, Pin)>,
    /// Columns whose values are never shown.
    pub sensitive: Vec<Sensitive>,
}

impl Profile {
    /// Compares the database with the pinned one, before anything else, and takes on the role.
    ///
    /// # Errors
    /// It is another one, or the login may not take on the role.
    pub(super) async fn begin(&self, client: &Client, place: &str) -> Result<(), ConnectError> {
        let wrong = |error: tokio_postgres::Error| ConnectError::from_driver(place, &error);
        if self.pin != Pin::default() || !self.others.is_empty() {
            let rows = client.query_typed(WHO, &[]).await.map_err(wrong)?;
            self.compare(rows.first(), place)?;
        }
        let Some(role) = &self.role else {
            return Ok(());
        };
        let set = "SELECT set_config('role', $1, false)";
        let taken = client.query_typed(set, &[(role, Type::TEXT)]).await;
        taken.map_err(|error| {
            let reason = match error.as_db_error() {
                Some(refusal) => format!("the role `{role}`: {}", refusal.message()),
                None => return wrong(error),
            };
            ConnectError::Refused {
                place: place.to_owned(),
                reason,
                help: format!(
                    "the login must be a member: GRANT {} TO its role; or mend `role` of the target",
                    quote_ident(role)
                ),
            }
        })?;
        Ok(())
    }

    fn compare(&self, row: Option<&Row>, place: &str) -> Result<(), ConnectError> {
        let fact = |index: usize| row.and_then(|row| row.get::<_, Option<String>>(index));
        let database = fact(0).unwrap_or_default();
        let login = fact(1).unwrap_or_default();
        let cluster = fact(2);
        match self.mismatch(cluster.as_deref(), &database) {
            None => Ok(()),
            Some(mismatch) => Err(ConnectError::Elsewhere(Box::new(Elsewhere {
                target: self.name.clone(),
                place: place.to_owned(),
                login,
                database,
                cluster,
                mismatch,
            }))),
        }
    }

    fn mismatch(&self, cluster: Option<&str>, database: &str) -> Option<Mismatch> {
        if let Some(pinned) = &self.pin.system_identifier
            && cluster != Some(pinned)
        {
            return Some(match cluster {
                Some(_) => Mismatch::Cluster(pinned.clone()),
                None => Mismatch::Unproved,
            });
        }
        if let Some(pinned) = self.pin.database.as_ref().filter(|name| *name != database) {
            return Some(Mismatch::Database(pinned.clone()));
        }
        if self.pin.system_identifier.is_some() {
            return None;
        }
        let is = |pin: &Pin, cluster: Option<&str>| {
            let is_cluster = pin.system_identifier.as_deref() == cluster;
            is_cluster && pin.database.as_deref().is_none_or(|name| name == database)
        };
        if cluster.is_some() {
            let found = self.others.iter().find(|(_, pin)| is(pin, cluster));
            return found.map(|(name, _)| Mismatch::Named(name.clone()));
        }
        // What cannot be told apart from a protected target is taken for it.
        let may_be = |pin: &Pin| pin.database.as_deref().is_none_or(|name| name == database);
        let found = self.others.iter().find(|(_, pin)| may_be(pin));
        found.map(|(name, _)| Mismatch::MayBe(name.clone()))
    }

    /// Returns what has the sessions of libpq's programs take on the role, as one of their options.
    pub fn role_option(&self) -> Option<String> {
        let role = self.role.as_ref()?;
        let mut escaped = String::new();
        for letter in role.chars() {
            if letter.is_whitespace() || letter == '\\' {
                escaped.push('\\');
            }
            escaped.push(letter);
        }
        Some(format!("-c role={escaped}"))
    }

    /// Returns what sets a session up beside what every session begins with.
    pub(super) fn settings(&self) -> String {
        let path = self.search_path.as_ref().map(|path| {
            let names: Vec<String> = path.iter().map(|name| quote_ident(name)).collect();
            format!("; SET search_path = {}", names.join(", "))
        });
        let timeout = |name: &str, duration: Option<Duration>| {
            duration.map(|duration| format!("; SET {name} = '{}ms'", duration.as_millis()))
        };
        let all = [
            path,
            timeout("statement_timeout", self.statement_timeout),
            timeout("lock_timeout", self.lock_timeout),
        ];
        all.into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pin(cluster: Option<&str>, database: Option<&str>) -> Pin {
        Pin {
            system_identifier: cluster.map(str::to_owned),
            database: database.map(str::to_owned),
        }
    }

    #[test]
    fn a_pinned_target_is_the_one_database_alone() {
        let profile = Profile {
            pin: pin(Some("7"), Some("crm")),
            ..Profile::default()
        };
        assert_eq!(profile.mismatch(Some("7"), "crm"), None);
        assert_eq!(
            profile.mismatch(Some("8"), "crm"),
            Some(Mismatch::Cluster("7".to_owned()))
        );
        assert_eq!(
            profile.mismatch(Some("7"), "other"),
            Some(Mismatch::Database("crm".to_owned()))
        );
        assert_eq!(profile.mismatch(None, "crm"), Some(Mismatch::Unproved));
    }

    #[test]
    fn an_address_is_none_of_the_others() {
        let profile = Profile {
            others: vec![
                ("production".to_owned(), pin(Some("7"), Some("crm"))),
                ("whole".to_owned(), pin(Some("9"), None)),
            ],
            ..Profile::default()
        };
        let named = |name: &str| Some(Mismatch::Named(name.to_owned()));
        assert_eq!(profile.mismatch(Some("7"), "crm"), named("production"));
        assert_eq!(profile.mismatch(Some("9"), "any"), named("whole"));
        assert_eq!(profile.mismatch(Some("7"), "staging"), None);
        assert_eq!(profile.mismatch(Some("8"), "crm"), None);
        assert_eq!(
            profile.mismatch(None, "crm"),
            Some(Mismatch::MayBe("production".to_owned()))
        );
    }

    #[test]
    fn names_are_quoted_where_a_session_is_set_up() {
        let profile = Profile {
            search_path: Some(vec!["app".to_owned(), "Odd\"; DROP".to_owned()]),
            lock_timeout: Some(Duration::from_secs(2)),
            ..Profile::default()
        };
        assert_eq!(
            profile.settings(),
            "; SET search_path = app, \"Odd\"\"; DROP\"; SET lock_timeout = '2000ms'"
        );
    }
}
