//! Looks at targets, all at the same time: whether each is there, and is what it should be.

use std::time::Duration;

use tokio::task::LocalSet;

use crate::cli::connection::Goal;
use crate::cli::error::CliError;
use crate::engine::event::TargetFacts;
use crate::pg::session::Session;
use crate::policy::target::Target;

/// How long one target may take.
const MOST: Duration = Duration::from_secs(20);

/// How the connection is encrypted, and who is logged in.
const HOW: &str =
    "SELECT CASE WHEN ssl THEN version END FROM pg_stat_ssl WHERE pid = pg_backend_pid()";

/// What was seen of a target.
pub(super) enum Seen {
    /// It answers.
    There(Box<There>),
    /// It does not, or is another one: the whole of why.
    Wrong(String),
}

/// What a target that answers is.
pub(super) struct There {
    pub(super) facts: TargetFacts,
    /// The version of TLS; nothing where the connection is not encrypted.
    pub(super) tls: Option<String>,
    pub(super) replica: bool,
}

impl Seen {
    /// Returns whether the target is as it should be.
    pub(super) fn is_well(&self) -> bool {
        matches!(self, Self::There(_))
    }
}

/// Looks at all of them at the same time; what is seen stands in their order.
pub(super) async fn all(goals: &[(Target, Result<Goal, CliError>)]) -> Vec<Seen> {
    let local = LocalSet::new();
    let looks: Vec<_> = goals
        .iter()
        .map(|(_, goal)| match goal {
            Ok(goal) => {
                let goal = goal.clone();
                Ok(local.spawn_local(async move { one(&goal).await }))
            }
            Err(error) => Err(error.render(false)),
        })
        .collect();
    local
        .run_until(async {
            let mut seen = Vec::new();
            for look in looks {
                seen.push(match look {
                    Ok(look) => look
                        .await
                        .unwrap_or_else(|error| Seen::Wrong(error.to_string())),
                    Err(why) => Seen::Wrong(why),
                });
            }
            seen
        })
        .await
}

async fn one(goal: &Goal) -> Seen {
    let looked = async {
        let session = goal.connect("runbook/targets").await?;
        Ok::<_, CliError>(Seen::There(Box::new(There {
            tls: tls(&session).await,
            replica: session.is_replica(),
            facts: session.target().clone(),
        })))
    };
    match tokio::time::timeout(MOST, looked).await {
        Ok(Ok(seen)) => seen,
        Ok(Err(error)) => Seen::Wrong(error.render(false)),
        Err(_) => Seen::Wrong(format!(
            "error: {} does not answer within {} s\n",
            goal.settings.describe(),
            MOST.as_secs()
        )),
    }
}

async fn tls(session: &Session) -> Option<String> {
    let rows = session.client().query_typed(HOW, &[]).await.ok()?;
    rows.first()?.get(0)
}
