//! Several pieces of work at a time, each on a thread with a runtime of its own: the world of a run cannot move
//! from thread to thread.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};

use tokio::runtime::Runtime;

use crate::cli::error::CliError;
use crate::cli::{connection, runner};
use crate::engine::cancel::{Cancel, Canceller};

/// Does `count` pieces of work, at most `jobs` at a time, and hands each result to `told` as it comes, on this
/// thread. When it is cancelled, what is not done is given up.
///
/// # Errors
/// The system has no resources left.
pub(in crate::cli) fn several<T: Send>(
    jobs: usize,
    count: usize,
    cancel: &Cancel,
    work: impl AsyncFn(usize) -> T + Sync,
    mut told: impl FnMut(usize, T),
) -> Result<(), CliError> {
    let next = AtomicUsize::new(0);
    let worker = |runtime: Runtime, sender: Sender<(usize, T)>| {
        runtime.block_on(async {
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= count || cancel.is_set() {
                    return;
                }
                let done = tokio::select! {
                    done = work(index) => done,
                    () = cancel.wait() => return,
                };
                if sender.send((index, done)).is_err() {
                    return;
                }
            }
        });
    };
    let worker = &worker;
    let runtimes = (0..jobs.min(count)).map(|_| connection::runtime());
    let runtimes = runtimes.collect::<Result<Vec<_>, _>>()?;
    std::thread::scope(|scope| {
        let (sender, results) = channel();
        for runtime in runtimes {
            let sender = sender.clone();
            scope.spawn(move || worker(runtime, sender));
        }
        drop(sender);
        for (index, done) in results {
            told(index, done);
        }
    });
    Ok(())
}

/// Cancels everything at Ctrl-C or SIGTERM, for as long as the program lives.
///
/// # Errors
/// The system has no resources left.
pub(in crate::cli) fn cancel_at_signal(canceller: Canceller) -> Result<(), CliError> {
    let runtime = connection::runtime()?;
    std::thread::spawn(move || {
        runtime.block_on(runner::ended());
        canceller.cancel();
    });
    Ok(())
}
