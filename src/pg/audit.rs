//! What a database must have, looked for in its catalogs: one question a group, whatever its size. The login
//! may be refused some of it; the rest is looked at all the same.

mod column;
mod function;
mod kind;
mod named;
mod object;
mod relation;
mod row;
mod setting;

use std::collections::HashMap;

use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

use super::failure;
use super::session::Session;
use crate::engine::database::{Found, Standing, Wanted};
use crate::engine::failure::Failure;
use crate::engine::port::Limits;
use crate::step::database::Group;
use relation::Lookup;

/// The code of what the login may not do.
const FORBIDDEN: &str = "42501";

impl Session {
    /// Looks for what a database must have: an answer for each thing, in the order of [`Wanted::names`].
    ///
    /// # Errors
    /// The server's word. What the login may not see is no error, but an answer.
    pub async fn audit(&mut self, wanted: &Wanted, limits: &Limits) -> Result<Vec<Found>, Failure> {
        let own = self.own_settings();
        self.inspect(limits, async |client: &Client| {
            let asked = Asked { client };
            let relations = asked.relations(wanted).await?;
            let auditor = Auditor {
                asked,
                wanted,
                own,
                relations,
            };
            auditor.all().await
        })
        .await
    }
}

/// Asks the server, inside of the open transaction.
struct Asked<'a> {
    client: &'a Client,
}

impl Asked<'_> {
    async fn rows(
        &self,
        text: &str,
        values: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<Vec<Row>, Failure> {
        self.client
            .query_typed(text, values)
            .await
            .map_err(|error| failure::of(&error, text, 0))
    }

    /// Asks what the server may refuse: nothing of the transaction is lost by it.
    async fn tried<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        let (kept, answer, back) = tokio::join!(biased;
            self.send("SAVEPOINT runbook_look"),
            work,
            self.send("ROLLBACK TO SAVEPOINT runbook_look; RELEASE SAVEPOINT runbook_look")
        );
        kept?;
        let answer = answer?;
        back.map(|()| answer)
    }

    async fn send(&self, text: &str) -> Result<(), Failure> {
        self.client
            .batch_execute(text)
            .await
            .map_err(|error| failure::of(&error, text, 0))
    }
}

struct Auditor<'a> {
    asked: Asked<'a>,
    wanted: &'a Wanted,
    /// The settings that the run itself makes: what they are is what it wants them to be.
    own: Vec<String>,
    /// The tables and indexes that are named, by how they are written.
    relations: HashMap<String, Lookup>,
}

impl Auditor<'_> {
    async fn all(&self) -> Result<Vec<Found>, Failure> {
        let mut all = Vec::new();
        for group in Group::ALL {
            let names = self.wanted.names(group);
            if names.is_empty() {
                continue;
            }
            let standings = match self.group(group).await {
                Ok(standings) => standings,
                Err(failure) if is_forbidden(&failure) => {
                    vec![Standing::Unseen(failure.message); names.len()]
                }
                Err(failure) => return Err(failure),
            };
            let each = names.into_iter().zip(standings);
            all.extend(each.map(|(name, standing)| Found {
                group,
                name,
                standing,
            }));
        }
        Ok(all)
    }

    /// Looks at a group; each kind of row finds its own way around what it may not see.
    async fn group(&self, group: Group) -> Result<Vec<Standing>, Failure> {
        let asked = &self.asked;
        match group {
            Group::Tables => Ok(self.tables()),
            Group::RowSecurity => Ok(self.row_security()),
            Group::Indexes => Ok(self.indexes()),
            Group::Columns => Box::pin(self.columns()).await,
            Group::Constraints => asked.tried(self.constraints()).await,
            Group::Triggers => asked.tried(self.triggers()).await,
            Group::Functions => Box::pin(self.functions()).await,
            Group::Extensions => asked.tried(self.extensions()).await,
            Group::Roles => asked.tried(self.roles()).await,
            Group::Settings => Box::pin(self.settings()).await,
            Group::Rows => Box::pin(self.rows()).await,
        }
    }
}

fn is_forbidden(failure: &Failure) -> bool {
    failure.sqlstate.as_deref() == Some(FORBIDDEN)
}

/// Returns a column of an answer; an answer that has not what was asked for is the server's mistake.
fn get<'a, T: tokio_postgres::types::FromSql<'a>>(
    row: &'a Row,
    index: usize,
) -> Result<T, Failure> {
    row.try_get(index)
        .map_err(|error| failure::of(&error, "", 0))
}
