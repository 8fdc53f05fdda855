//! The broker's own tasks: named, and fail-stop.
//!
//! A task that panics would leave a broker that lives on without saving offsets, noticing dead clients or registering. So
//! it takes the process with it, with an ERROR line; what was acknowledged is in the log.

use std::future::poll_fn;
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
    let mut task = Box::pin(task);
    tokio::spawn(poll_fn(move |context| {
        let _fail_stop = FailStop(name);
        task.as_mut().poll(context)
    }))
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

/// How long the log, which has a thread of its own, gets for its last lines.
const LAST_LINES: Duration = Duration::from_millis(200);

/// Lives while a task is polled: dropped by a panic it ends the process. A task that is dropped because something else
/// unwinds, such as a test together with its runtime, has not panicked.
struct FailStop(&'static str);

impl Drop for FailStop {
    fn drop(&mut self) {
        if std::thread::panicking() {
            error!(task = self.0, "task panicked, the process ends");
            std::thread::sleep(LAST_LINES);
            std::process::abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, Output};

    const CHILD: &str = "A_TEST_OF_TASKS_IN_A_PROCESS_OF_ITS_OWN";

    /// Runs a test of this module once more, in a process that it may end.
    fn alone(test: &str) -> Output {
        let this = std::env::current_exe().expect("this program");
        let test = format!("tasks::tests::{test}");
        let mut child = Command::new(this);
        child.args([&test, "--exact", "--nocapture"]);
        child.env(CHILD, "").env_remove("RUST_LOG");
        child.output().expect("it runs")
    }

    fn is_child() -> bool {
        std::env::var_os(CHILD).is_some()
    }

    fn said(output: &Output) -> String {
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    /// Within a runtime: a task that has begun and does not end by itself.
    async fn task_that_waits() -> JoinHandle<()> {
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let task = spawn("waits", async move {
            let _ = begun.send(());
            std::future::pending().await
        });
        has_begun.await.expect("it runs");
        task
    }

    #[test]
    fn a_task_that_panics_ends_the_process_with_an_error_line() {
        if is_child() {
            let _log = logging::to_stderr("info");
            let runtime = tokio::runtime::Runtime::new().expect("threads");
            runtime.block_on(async {
                let _task = spawn("breaks", async {
                    tokio::task::yield_now().await;
                    panic!("of its own");
                });
                std::future::pending::<()>().await
            });
        }
        let output = alone("a_task_that_panics_ends_the_process_with_an_error_line");
        let (status, said) = (output.status, said(&output));
        assert_eq!(status.signal(), Some(6), "{status} {said}");
        assert!(said.contains("of its own"), "{said}");
        let line = said.lines().find(|line| line.contains("ERROR"));
        let line = line.unwrap_or_else(|| panic!("no ERROR line: {said}"));
        assert!(line.contains("task panicked, the process ends"), "{line}");
        assert!(line.contains("task=\"breaks\""), "{line}");
    }

    #[test]
    fn a_panic_of_who_owns_the_tasks_is_told_and_ends_no_process() {
        if is_child() {
            let runtime = tokio::runtime::Builder::new_current_thread().build();
            runtime.expect("a runtime").block_on(async {
                let _task = task_that_waits().await;
                panic!("of the owner");
            });
        }
        let output = alone("a_panic_of_who_owns_the_tasks_is_told_and_ends_no_process");
        let (status, said) = (output.status, said(&output));
        assert_eq!(status.code(), Some(101), "{status} {said}");
        assert!(said.contains("of the owner"), "{said}");
    }

    #[tokio::test]
    async fn a_task_that_is_aborted_ends_alone() {
        let task = task_that_waits().await;
        task.abort();
        assert!(task.await.is_err_and(|ended| ended.is_cancelled()));
    }
}
