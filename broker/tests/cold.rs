//! Messages on a slow disk: whoever pulls them waits, and nobody else.

mod support;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::{Condvar, Mutex};
use store::calls::{Call, Watch, watch};
use support::{Fixture, PATIENCE, Wire, at_once, bodies, config, message, pull, pulling, send};

/// Has every read of a log file wait until it is released.
#[derive(Default)]
struct SlowDisk {
    reads: AtomicUsize,
    held: Mutex<bool>,
    released: Condvar,
}

impl SlowDisk {
    fn hold(&self, hold: bool) {
        *self.held.lock() = hold;
        self.released.notify_all();
    }

    fn reads(&self) -> usize {
        self.reads.load(Ordering::SeqCst)
    }
}

impl Watch for SlowDisk {
    fn before(&self, call: &Call) -> io::Result<()> {
        let mut parts = call.path().components();
        if matches!(call, Call::Read(_)) && parts.any(|part| part.as_os_str() == "commitlog") {
            self.reads.fetch_add(1, Ordering::SeqCst);
            let mut held = self.held.lock();
            self.released
                .wait_while_for(&mut held, |held| *held, PATIENCE);
        }
        Ok(())
    }

    fn after(&self, _: &Call) {}
}

async fn pulled(wire: &mut Wire, group: &str, offset: i64) -> Vec<String> {
    let reply = wire.call(pulling(&at_once(pull("T", group, offset)))).await;
    assert_eq!(reply.code, 0, "{:?}", reply.remark);
    bodies(&reply)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_pull_that_waits_for_the_disk_holds_up_nobody_and_is_read_once() {
    let Fixture { running, folder } = Fixture::new().await;
    let mut client = Wire::open(([127, 0, 0, 1], running.port()).into()).await;
    for body in ["a", "b", "c"] {
        client.send(send(&message("T", ""), body.as_bytes())).await;
    }
    assert!(running.stop().await);

    let disk = Arc::new(SlowDisk::default());
    let running = broker::run(config(&folder)).await.expect("starts");
    let _watching = watch(folder.path(), disk.clone());
    let fixture = Fixture { running, folder };
    disk.hold(true);
    let (mut reader, mut sender) = (fixture.client().await, fixture.client().await);
    reader.write(pulling(&at_once(pull("T", "G", 0)))).await;
    support::until(|| disk.reads() == 1).await;
    // The one thread of the runtime is free: for others, and for the same connection.
    for wire in [&mut sender, &mut reader] {
        let sent = wire.send(send(&message("T", ""), b"new")).await;
        assert!(sent.queue_offset >= 3);
    }
    fixture.readable("T", 5).await;
    assert_eq!(pulled(&mut sender, "G", 3).await, ["new", "new"]);
    assert_eq!(disk.reads(), 1, "what was just sent is in memory");

    disk.hold(false);
    let reply = reader.read().await.expect("connected");
    assert_eq!(bodies(&reply)[..3], ["a", "b", "c"]);
    assert_eq!(pulled(&mut sender, "H", 0).await.len(), 5);
    assert_eq!(disk.reads(), 1, "what was read stays in memory");
}
