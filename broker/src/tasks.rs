//! The broker's own tasks: named, and fail-stop.
//!
//! A task that panics would leave a broker that lives on without saving offsets, noticing dead clients or registering. So
//! it takes the process with it, with an ERROR line; what was acknowledged is in the log.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior};
use tracing::error;

use crate::broker::Broker;

/// Starts a task that ends the process if it panics.
pub(crate) fn spawn(
    name: &'static str,
    task: impl Future<Output = ()> + Send + 'static,
) -> JoinHandle<()> {
    let fail_stop = FailStop(name);
    tokio::spawn(async move {
        let _fail_stop = fail_stop;
        task.await;
    })
}

/// Does something again and again; a turn that is late is not made up for.
pub(crate) fn every<F>(
    name: &'static str,
    first: Duration,
    period: Duration,
    broker: &Arc<Broker>,
    turn: impl Fn(Arc<Broker>) -> F + Send + 'static,
) -> JoinHandle<()>
where
    F: Future<Output = ()> + Send,
{
    let broker = Arc::clone(broker);
    let period = period.max(Duration::from_millis(1));
    spawn(name, async move {
        let mut tick = tokio::time::interval_at(Instant::now() + first, period);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            turn(Arc::clone(&broker)).await;
        }
    })
}

/// Dropped by a panic it ends the process; by the end of its task, or when that is aborted, nothing.
struct FailStop(&'static str);

impl Drop for FailStop {
    fn drop(&mut self) {
        if std::thread::panicking() {
            error!(task = self.0, "task panicked, the process ends");
            std::process::abort();
        }
    }
}
