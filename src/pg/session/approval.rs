//! The approval of other people, in the journal: what is asked, what was said, and that the glass was broken.

use super::Session;
use crate::engine::approval::{Request, Standing, Word};
use crate::engine::failure::{Failure, FailureKind};

fn missing() -> Failure {
    Failure::new(
        FailureKind::Unsupported,
        "this version has no approvals by other people",
    )
}

impl Session {
    /// Asks other people to approve. Where the same request is there already, it stands.
    ///
    /// # Errors
    /// The journal cannot be written.
    pub async fn request_approval(&mut self, _: &Request) -> Result<Standing, Failure> {
        Err(missing())
    }

    /// Returns the request of a run that was asked last, and where it stands.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub async fn requested(&mut self, _: &str) -> Result<Option<(Request, Standing)>, Failure> {
        Err(missing())
    }

    /// Returns where a request stands.
    ///
    /// # Errors
    /// The journal has no such request.
    pub async fn approval_standing(&mut self, _: &Request) -> Result<Standing, Failure> {
        Err(missing())
    }

    /// Says something of a request as this login.
    ///
    /// # Errors
    /// The server's word.
    pub async fn say_of_request(
        &mut self,
        _: &Request,
        _: Word,
        _: &str,
        _: Option<&str>,
    ) -> Result<(), Failure> {
        Err(missing())
    }

    /// Has the journal say that the run goes on without what the policy demands.
    ///
    /// # Errors
    /// The journal cannot be written.
    pub async fn break_glass(&mut self, _: &str, _: &[String]) -> Result<(), Failure> {
        Err(missing())
    }
}
