//! The service on tokio's paused clock, over a real store.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use super::super::testing;
use super::super::testing::{Bench, bodies, held, until};
use super::*;
use std::fs;
use store::QueueOffset;
use tokio::time::Instant;

/// What the service is to a test: on tokio's clock, which is paused and goes on when nobody has anything to do.
struct Fixture {
    bench: Bench,
    store: Arc<Store>,
    delay: Arc<Delay>,
    ring: Arc<Ring>,
    /// What the clock of `delay` shows when it is `began`. Milliseconds since 1970.
    began_ms: Arc<AtomicI64>,
    began: Instant,
}

/// Rings as the broker does, and counts.
struct Ring {
    bells: Arc<Bells>,
    rung: AtomicU64,
}

impl store::Arrivals for Ring {
    fn arrived(&self, arrival: &store::Arrival<'_>) {
        self.bells.arrived(arrival.topic, arrival.queue_id);
        self.rung.fetch_add(
            u64::from(arrival.topic == SCHEDULE_TOPIC),
            Ordering::Release,
        );
    }
}

impl Fixture {
    fn new(levels: &str) -> Fixture {
        Fixture::over(Bench::new(levels), |_| {})
    }

    fn over(bench: Bench, change: impl FnOnce(&mut store::StoreConfig)) -> Fixture {
        let bells = Arc::new(Bells::default());
        let mut config = bench.config();
        change(&mut config);
        let ring = Arc::new(Ring {
            bells: Arc::clone(&bells),
            rung: AtomicU64::new(0),
        });
        let store =
            Store::open(config, Arc::clone(&ring) as Arc<dyn store::Arrivals>).expect("opens");
        let (began, began_ms) = (Instant::now(), Arc::new(AtomicI64::new(crate::now_ms())));
        let clock = {
            let began_ms = Arc::clone(&began_ms);
            move || began_ms.load(Ordering::Acquire) + millis_since(began)
        };
        let period = Duration::from_secs(30);
        let delay = Delay::with_clock(
            bench.offsets_file(),
            period,
            &store,
            &bells,
            Box::new(clock),
        );
        Fixture {
            bench,
            store,
            delay: delay.expect("loads"),
            ring,
            began_ms,
            began,
        }
    }

    /// Stores a message of a level. When it is due; its bell has rung: real threads take no time on the paused clock. The
    /// store's own clock went on meanwhile, so the paused one is put forward to it: no message is of the future.
    fn send(&self, level: i32, body: &str) -> i64 {
        let rung = self.ring.rung.load(Ordering::Acquire);
        let due_ms = testing::send(&self.store, level, body);
        until(|| self.ring.rung.load(Ordering::Acquire) > rung);
        let stored_ms = due_ms - self.store.delay_levels().delay_ms(level);
        self.began_ms
            .fetch_max(stored_ms - millis_since(self.began), Ordering::AcqRel);
        due_ms
    }

    fn now_ms(&self) -> i64 {
        (self.delay.now_ms)()
    }

    /// Waits until a level is so far, and tells when that was.
    async fn delivered(&self, level: i32, count: i64) -> i64 {
        let queue_id = level.unsigned_abs() - 1;
        while self.delay.progress.place(queue_id).next < QueueOffset(count) {
            sleep(Duration::from_millis(1)).await;
        }
        self.now_ms()
    }

    fn file(&self) -> String {
        fs::read_to_string(self.bench.offsets_file())
            .unwrap_or_default()
            .replace(['\n', '\t'], "")
    }
}

fn millis_since(instant: Instant) -> i64 {
    i64::try_from(instant.elapsed().as_millis()).expect("a test's time")
}

/// Milliseconds that a delivery may take on the paused clock: sleeps end on whole ones.
const EXACT_MS: i64 = 5;

fn assert_on_time(at_ms: i64, due_ms: i64) {
    assert!(
        (due_ms..due_ms + EXACT_MS).contains(&at_ms),
        "due at {due_ms}, there at {at_ms}"
    );
}

#[tokio::test(start_paused = true)]
async fn every_level_is_on_time_and_none_waits_for_another() {
    let fixture = Fixture::new("20s 1s 5s 10s");
    fixture.delay.start();
    let due: Vec<i64> = (1..=4).map(|level| fixture.send(level, "x")).collect();
    for level in [2, 3, 4, 1] {
        assert_on_time(fixture.delivered(level, 1).await, due[level as usize - 1]);
    }
    fixture.delay.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_message_for_a_level_that_has_nothing_wakes_it() {
    let fixture = Fixture::new("1s 30s");
    fixture.delay.start();
    for count in 1..=3 {
        sleep(Duration::from_millis(7_777)).await;
        // The store's own time stands still meanwhile: what it stores now is long due.
        fixture.send(1, "x");
        let asked_ms = fixture.now_ms();
        assert_on_time(fixture.delivered(1, count).await, asked_ms);
    }
    fixture.delay.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_waited_while_nobody_delivered_is_delivered_at_the_start() {
    let fixture = Fixture::new("1s 5s");
    let due_ms = fixture.send(2, "later");
    (0..10).for_each(|_| _ = fixture.send(1, "x"));
    sleep(Duration::from_secs(3)).await;
    fixture.delay.start();
    let began_ms = fixture.now_ms();
    assert_on_time(fixture.delivered(1, 10).await, began_ms);
    assert_on_time(fixture.delivered(2, 1).await, due_ms);
    fixture.delay.stop().await;
}

#[tokio::test(start_paused = true)]
async fn offsets_are_saved_in_their_time_and_at_the_end_once_the_log_is_on_disk() {
    // The paused clock runs ahead while a real disk syncs: an hour of it may pass before the file is there.
    let fixture = Fixture::new("1s 1000d");
    fixture.delay.start();
    fixture.send(2, "much later");
    fixture.send(1, "x");
    fixture.delivered(1, 1).await;
    assert_eq!(fixture.file(), "");
    while fixture.file().is_empty() {
        sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(fixture.file(), "{\"offsetTable\":{1:1}}");
    let delivered = fixture.delay.progress.place(0).delivered;
    assert!(fixture.store.flushed_log_offset() >= delivered);
    fixture.send(1, "y");
    fixture.delivered(1, 2).await;
    fixture.delay.stop().await;
    assert_eq!(fixture.file(), "{\"offsetTable\":{1:2}}");
}

#[tokio::test(start_paused = true)]
async fn offsets_are_not_saved_when_the_log_cannot_be_written() {
    let fixture = Fixture::new("1s");
    fixture.delay.start();
    fixture.send(1, "x");
    fixture.delivered(1, 1).await;
    fixture
        .delay
        .progress
        .advance(0, QueueOffset(2), Some(store::LogOffset(u64::MAX)));
    fixture.store.close(); // what was said to be delivered will never be on disk
    fixture.delay.stop().await;
    assert_eq!(fixture.file(), "");
}

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_for_what_waits_and_a_start_goes_on_there() {
    let fixture = Fixture::new("1s 1h");
    fixture.delay.start();
    fixture.send(2, "hour");
    fixture.send(1, "second");
    fixture.delivered(1, 1).await;
    let began = Instant::now();
    fixture.delay.stop().await;
    assert!(
        began.elapsed() < Duration::from_secs(60),
        "{:?}",
        began.elapsed()
    );
    fixture.store.close();
    let Fixture {
        bench,
        store,
        delay,
        ..
    } = fixture;
    drop((store, delay));

    let fixture = Fixture::over(bench, |_| {});
    fixture.delay.start();
    fixture.send(1, "new");
    fixture.delivered(1, 2).await;
    assert_eq!(bodies(&fixture.store, "T", 2), ["second", "new"]);
    assert_eq!(held(&fixture.store, 2), QueueOffset(1));
    fixture.delay.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_store_that_refuses_is_asked_again_every_second() {
    let fixture = Fixture::new("1s");
    let large = "x".repeat(8_000);
    (0..40).for_each(|_| _ = fixture.send(1, &large));
    let (log, away) = (
        fixture.bench.config().commit_log_dir,
        fixture.bench.folder.path().join("away"),
    );
    fs::rename(&log, &away).expect("moved");
    fs::write(&log, "").expect("in the way");
    fixture.delay.start();
    sleep(Duration::from_secs(20)).await;
    let stuck = fixture.delay.progress.place(0).next;
    assert!(stuck < QueueOffset(40), "{stuck}");
    fs::remove_file(&log).expect("out of the way");
    fs::rename(&away, &log).expect("moved back");
    fixture.delivered(1, 40).await;
    assert_eq!(bodies(&fixture.store, "T", 2).len(), 40);
    fixture.delay.stop().await;
}

#[tokio::test(start_paused = true)]
async fn under_sync_flush_what_is_delivered_shows_once_it_is_on_disk() {
    let fixture = Fixture::over(Bench::new("1s"), |config| {
        config.flush_disk_type = store::FlushDiskType::Sync;
    });
    fixture.delay.start();
    (0..50).for_each(|_| _ = fixture.send(1, "x"));
    fixture.delivered(1, 50).await;
    let delivered = fixture.delay.progress.place(0).delivered;
    until(|| fixture.store.max_offset("T", 2) == QueueOffset(50));
    assert!(fixture.store.flushed_log_offset() >= delivered);
    fixture.delay.stop().await;
    assert_eq!(fixture.file(), "{\"offsetTable\":{1:50}}");
}

#[tokio::test(start_paused = true)]
async fn a_slave_delivers_nothing_and_leaves_the_file_alone() {
    let master = Fixture::new("1s");
    master.send(1, "x");
    master.store.close();
    let Fixture {
        bench,
        store,
        delay,
        ..
    } = master;
    drop((store, delay));
    let slave = Fixture::over(bench, |config| config.broker_role = BrokerRole::Slave);
    slave.delay.start();
    sleep(Duration::from_secs(60)).await;
    slave.delay.stop().await;
    assert_eq!(slave.delay.progress.place(0).next, QueueOffset(0));
    assert_eq!(slave.file(), "");
}

#[test]
fn bells_that_are_not_hung_yet_and_other_topics_ring_nobody() {
    let bells = Bells::default();
    bells.arrived(SCHEDULE_TOPIC, 0);
    bells.0.get_or_init(|| vec![Notify::new()]);
    bells.arrived("T", 0);
    bells.arrived(SCHEDULE_TOPIC, 1);
    assert!(
        futures_util::FutureExt::now_or_never(bells.0.get().expect("hung")[0].notified()).is_none()
    );
    bells.arrived(SCHEDULE_TOPIC, 0);
    assert!(
        futures_util::FutureExt::now_or_never(bells.0.get().expect("hung")[0].notified()).is_some()
    );
}
