//! The limits of long work: what is cut short is cancelled on the server, and nothing of it is waited for.

use std::time::Duration;

use tokio::time::Instant;

use crate::engine::failure::{Failure, FailureKind};
use crate::engine::port::Limits;
use crate::pg::connect::Canceller;

/// How long a server may take to hear that a statement is cancelled; it notices lost clients by itself as well.
const HEARD: Duration = Duration::from_secs(1);

/// Waits until there is no more time, or Ctrl-C comes, and says which.
pub(super) async fn reached(limits: &Limits) -> Failure {
    let late = async {
        match limits.deadline {
            Some(deadline) => tokio::time::sleep_until(deadline).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = limits.cancel.wait() => cancelled(),
        () = late => too_long(),
    }
}

/// Returns an error once there is no more time, or Ctrl-C came.
pub(super) fn check(limits: &Limits) -> Result<(), Failure> {
    if limits.cancel.is_set() {
        return Err(cancelled());
    }
    match limits.deadline {
        Some(deadline) if deadline <= Instant::now() => Err(too_long()),
        _ => Ok(()),
    }
}

/// Waits for work of a connection that is of no use once the work is cut short.
pub(super) async fn within<T>(
    limits: &Limits,
    canceller: Option<&Canceller>,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let failure = tokio::select! {
        biased;
        done = work => return done,
        failure = reached(limits) => failure,
    };
    if let Some(canceller) = canceller {
        cancel(canceller).await;
    }
    Err(failure)
}

/// Has the server end what a connection does.
pub(super) async fn cancel(canceller: &Canceller) {
    // Who cannot be reached cannot be told: the server then notices that nobody listens.
    let _ = tokio::time::timeout(HEARD, canceller.cancel()).await;
}

fn cancelled() -> Failure {
    Failure::new(FailureKind::Cancelled, "cancelled by Ctrl-C")
}

fn too_long() -> Failure {
    Failure::new(
        FailureKind::Timeout,
        "the backup took longer than its `timeout`",
    )
    .help("give it a longer `timeout`, or have it hold less")
}
