//! The service that delivers delayed messages when they are due.
//!
//! ```text
//! a task a level    turn (on a thread that may block) ─┬─ first message not due ─▶ sleep until it is
//!                      ▲                               ├─ nothing there ─▶ the bell, rung by the dispatcher
//!                      └───────────────────────────────┴─ store refuses ─▶ a second
//! a task            delayOffset.json, every flushDelayOffsetInterval and at the end
//! ```
//!
//! No level waits for another, and a level with a million messages holds one number of them. The rule that is easy to
//! break: the bell keeps a ring that nobody waits for, so that a message which arrives between a turn and the waiting is
//! not missed; there is no polling that would find it.
//!
//! Java 4.7.0 `store/schedule/ScheduleMessageService.java`: one timer thread for all levels, which looks for new
//! messages every 100 ms and waits 10 s after an append that failed. A slave does not deliver.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use remoting::body::offsets::DelayOffsetSerializeWrapper;
use store::{BrokerRole, SCHEDULE_TOPIC, Store};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval_at, sleep};
use tracing::{info, warn};

use super::deliver::{Level, Next};
use super::progress::Progress;
use crate::config::BrokerConfig;
use crate::json_file::LoadError;
use crate::tasks;

/// Pause after an append that was refused. Java waits 10 s.
const RETRY: Duration = Duration::from_secs(1);

/// The longest sleep: a clock that is put forward is noticed so soon.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

/// First saving so long after the start.
const FIRST_SAVE: Duration = Duration::from_secs(10);

/// One bell a level, for the dispatcher to ring. Rings before the levels are known are not needed: a level looks first.
#[derive(Debug, Default)]
pub struct Bells(OnceLock<Vec<Notify>>);

impl Bells {
    /// A message of this topic and queue has become readable. Costs a comparison unless it is a delayed one.
    pub(crate) fn arrived(&self, topic: &str, queue_id: u32) {
        if topic == SCHEDULE_TOPIC
            && let Some(bell) = self.of(queue_id)
        {
            bell.notify_one();
        }
    }

    fn of(&self, queue_id: u32) -> Option<&Notify> {
        self.0.get()?.get(queue_id as usize)
    }
}

/// The wall clock. Milliseconds since 1970.
type Clock = Box<dyn Fn() -> i64 + Send + Sync>;

/// Delivers delayed messages.
pub struct Delay {
    store: Arc<Store>,
    progress: Progress,
    bells: Arc<Bells>,
    now_ms: Clock,
    save_period: Duration,
    stopping: watch::Sender<bool>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl fmt::Debug for Delay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delay")
            .field("progress", &self.progress)
            .finish_non_exhaustive()
    }
}

impl Delay {
    /// The service over a store that was just opened; nothing runs yet. Blocks on the disk.
    ///
    /// # Errors
    /// [`LoadError`] when delayOffset.json cannot be read.
    pub(crate) fn open(
        config: &BrokerConfig,
        store: &Arc<Store>,
        bells: &Arc<Bells>,
    ) -> Result<Arc<Delay>, LoadError> {
        let path = config.table_file("delayOffset.json");
        Delay::with_clock(
            path,
            config.flush_delay_offset_interval,
            store,
            bells,
            Box::new(crate::now_ms),
        )
    }

    fn with_clock(
        path: PathBuf,
        save_period: Duration,
        store: &Arc<Store>,
        bells: &Arc<Bells>,
        now_ms: Clock,
    ) -> Result<Arc<Delay>, LoadError> {
        let progress = Progress::open(path, store)?;
        bells.0.get_or_init(|| {
            Level::all(store.delay_levels())
                .map(|_| Notify::new())
                .collect()
        });
        Ok(Arc::new(Delay {
            store: Arc::clone(store),
            progress,
            bells: Arc::clone(bells),
            now_ms,
            save_period: save_period.max(Duration::from_millis(1)),
            stopping: watch::Sender::new(false),
            tasks: Mutex::default(),
        }))
    }

    /// Starts to deliver, unless this broker is a slave.
    pub(crate) fn start(self: &Arc<Self>) {
        if self.store.config().broker_role == BrokerRole::Slave {
            return;
        }
        let levels: Vec<_> = Level::all(self.store.delay_levels()).collect();
        let mut tasks = self.tasks.lock();
        for level in levels {
            let delay = Arc::clone(self);
            tasks.push(tasks::spawn("deliver delayed messages", async move {
                delay.run(level).await
            }));
        }
        let delay = Arc::clone(self);
        tasks.push(tasks::spawn("save delay offsets", async move {
            delay.keep_saving().await
        }));
    }

    /// Stops between two messages, and saves. The store must still be open; blocks nobody.
    pub(crate) async fn stop(self: &Arc<Self>) {
        self.stopping.send_replace(true);
        let tasks = std::mem::take(&mut *self.tasks.lock());
        let ran = !tasks.is_empty();
        for task in tasks {
            let _ = task.await; // one that panics ends the process
        }
        if ran {
            self.save().await;
        }
    }

    /// Where every level is, as 45 tells it.
    pub(crate) fn offsets(&self) -> DelayOffsetSerializeWrapper {
        self.progress.snapshot().0
    }

    fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    /// Resolves when the service is to stop.
    async fn stopped(&self) {
        let mut stopping = self.stopping.subscribe();
        let _ = stopping.wait_for(|stopping| *stopping).await; // an error: the service is gone
    }

    /// One level, for as long as the service runs.
    async fn run(self: &Arc<Self>, level: Level) {
        let mut refused = false;
        while !self.is_stopping() {
            let next = self.turn(level).await;
            if let Next::Room(error) = &next {
                if !refused {
                    warn!(%error, queue_id = level.queue_id, "the store takes no delayed message, try again every second");
                }
                refused = true;
            } else if refused {
                info!(
                    queue_id = level.queue_id,
                    "delayed messages are delivered again"
                );
                refused = false;
            }
            tokio::select! {
                () = self.wait(level, &next) => {}
                () = self.stopped() => {}
            }
        }
    }

    async fn turn(self: &Arc<Self>, level: Level) -> Next {
        let delay = Arc::clone(self);
        let turn = tokio::task::spawn_blocking(move || {
            level.turn(&delay.store, &delay.progress, &*delay.now_ms, &|| {
                delay.is_stopping()
            })
        });
        turn.await
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
    }

    /// Waits for what the level waits for.
    async fn wait(&self, level: Level, next: &Next) {
        match next {
            Next::More => {}
            Next::Due(due_ms) => loop {
                let wait_ms = level.wait_ms(*due_ms, (self.now_ms)());
                if wait_ms == 0 {
                    return;
                }
                sleep(Duration::from_millis(wait_ms.unsigned_abs()).min(LONGEST_SLEEP)).await;
            },
            Next::Arrival => match self.bells.of(level.queue_id) {
                Some(bell) => bell.notified().await,
                None => std::future::pending().await,
            },
            Next::Room(_) => sleep(RETRY).await,
        }
    }

    async fn keep_saving(self: &Arc<Self>) {
        let mut tick = interval_at(tokio::time::Instant::now() + FIRST_SAVE, self.save_period);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = tick.tick() => self.save().await,
                () = self.stopped() => return,
            }
        }
    }

    /// Writes where the levels are, once what they delivered is on disk. One at a time.
    async fn save(self: &Arc<Self>) {
        let (offsets, delivered) = self.progress.snapshot();
        if let Err(error) = self.store.durable(delivered).await {
            return warn!(%error, "delay offsets are not saved");
        }
        let delay = Arc::clone(self);
        let saving = tokio::task::spawn_blocking(move || delay.progress.save(&offsets));
        let saved = saving
            .await
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
        if let Err(error) = saved {
            warn!(%error, "save delay offsets; try again next time");
        }
    }
}

#[cfg(test)]
mod tests;
