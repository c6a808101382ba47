//! Where only a transaction's id can tell what became of it, the id must outlive a crash of the server.

use super::Session;
use crate::engine::failure::Failure;
use crate::pg::failure;

/// A transaction of its own that writes something and waits until that is on disk, and with it all that was
/// written before.
const FLUSH: &str = "\
    SELECT set_config('synchronous_commit', 'local', true), pg_current_xact_id(), \
           pg_logical_emit_message(true, 'runbook', '')";

impl Session {
    /// Has the server write down that the open transaction's id is taken. After a crash it would be given to
    /// another transaction otherwise, whose fate would pass for this one's.
    ///
    /// # Errors
    /// There is no second session to be had, or the server's word.
    pub(super) async fn keep_id(&self) -> Result<(), Failure> {
        let settings = self.settings.clone().with_application_name("runbook/flush");
        let connected = settings.connect().await.map_err(|error| {
            failure::lost().note(format!(
                "a second session is needed to commit without a journal: {error}"
            ))
        })?;
        connected
            .client
            .batch_execute(FLUSH)
            .await
            .map_err(|error| failure::of(&error, FLUSH, FLUSH.len()))
    }
}
