//! Ctrl-C, as the engine sees it.

use tokio::sync::watch;

/// Tells whether a run is to be cancelled.
#[derive(Clone, Debug)]
pub struct Cancel(watch::Receiver<bool>);

/// Cancels a run.
#[derive(Debug)]
pub struct Canceller(watch::Sender<bool>);

impl Cancel {
    /// Returns a pair of which one cancels the other.
    pub fn new() -> (Canceller, Self) {
        let (sender, receiver) = watch::channel(false);
        (Canceller(sender), Self(receiver))
    }

    /// Returns one that is never set.
    pub fn never() -> Self {
        Self::new().1
    }

    /// Returns whether the run is to be cancelled.
    pub fn is_set(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until the run is to be cancelled; for ever when that never happens.
    pub async fn wait(&self) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(|set| *set).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Canceller {
    /// Cancels the run.
    pub fn cancel(&self) {
        self.0.send_replace(true);
    }
}
