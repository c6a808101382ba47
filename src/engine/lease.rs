//! Gives up the leases of a run that is over.

use std::time::Duration;

use super::port::World;

/// How long at most it is waited between two tries.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Gives up the leases; a server that is just not there is waited for a little. Returns what to say where it
/// cannot be done.
pub(super) async fn release<W: World>(world: &mut W) -> Option<String> {
    let mut wait = Duration::from_millis(100);
    let failure = loop {
        match world.release().await {
            Ok(()) => return None,
            Err(failure) if wait > LONGEST_WAIT => break failure,
            Err(_) => {}
        }
        tokio::time::sleep(wait).await;
        wait *= 2;
        // Where it fails, the next try says why.
        let _ = world.reconnect().await;
    };
    Some(format!(
        "the lock of the run could not be given up: {}; it expires by itself within an hour",
        failure.message
    ))
}
