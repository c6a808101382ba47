//! Ctrl-C, SIGTERM and a terminal that hangs up.

use tokio::signal::unix::{SignalKind, signal};

use crate::cli::Context;
use crate::engine::cancel::Canceller;

/// Waits for Ctrl-C.
pub(in crate::cli) async fn interrupted() {
    match signal(SignalKind::interrupt()) {
        Ok(mut interrupt) => drop(interrupt.recv().await),
        Err(_) => std::future::pending().await,
    }
}

/// Waits for Ctrl-C or SIGTERM.
pub(in crate::cli) async fn ended() {
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => tokio::select! {
            _ = terminate.recv() => {}
            () = interrupted() => {}
        },
        Err(_) => interrupted().await,
    }
}

/// Cancels the run at the first Ctrl-C or SIGTERM, or when the terminal hangs up; returns at the second Ctrl-C or
/// SIGTERM.
pub(super) async fn interrupted_twice(context: &Context<'_>, canceller: &Canceller) {
    let (Ok(mut interrupt), Ok(mut terminate)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        return std::future::pending().await;
    };
    let mut hangup = if hangups_are_ignored() {
        None
    } else {
        signal(SignalKind::hangup()).ok()
    };
    let mut cancelled = false;
    loop {
        let hung_up = async {
            match &mut hangup {
                Some(hangup) => drop(hangup.recv().await),
                None => std::future::pending().await,
            }
        };
        let by_hand = tokio::select! {
            _ = interrupt.recv() => true,
            _ = terminate.recv() => true,
            // The shell and the terminal may both say it: the second one is no haste.
            () = hung_up => false,
        };
        if cancelled && by_hand {
            return;
        }
        if !cancelled {
            cancelled = true;
            canceller.cancel();
            context
                .invocation
                .eprint("\ncancelling; once more ends it at once\n");
        }
    }
}

/// Returns whether whoever started the program wants it to outlive the terminal, as `nohup` does.
fn hangups_are_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    // SIGHUP is the first signal.
    ignored.is_some_and(|mask| mask & 1 == 1)
}
