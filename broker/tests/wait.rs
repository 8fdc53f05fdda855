//! `WAIT=false` under SYNC_FLUSH: the sender does not want to wait for the disk.
//!
//! Java 4.7.0 `store/CommitLog.java` (`submitFlushRequest`: `isWaitStoreMsgOK`).

mod support;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use store::FlushDiskType;
use store::calls::{Call, Watch, watch};
use support::{Fixture, message, send, stored};

/// Holds every sync of a log file back while it is stopped.
#[derive(Default)]
struct SlowDisk {
    stopped: Mutex<bool>,
    goes_on: Condvar,
}

impl SlowDisk {
    fn stop(&self) -> Stopped<'_> {
        *self.stopped.lock() = true;
        Stopped(self)
    }
}

/// Until this is dropped no sync is made.
struct Stopped<'a>(&'a SlowDisk);

impl Drop for Stopped<'_> {
    fn drop(&mut self) {
        *self.0.stopped.lock() = false;
        self.0.goes_on.notify_all();
    }
}

impl Watch for SlowDisk {
    fn before(&self, call: &Call) -> io::Result<()> {
        let mut parts = call.path().components();
        let is_log = parts.any(|part| part.as_os_str() == "commitlog");
        if is_log && matches!(call, Call::Sync { .. }) {
            let mut stopped = self.stopped.lock();
            self.goes_on.wait_while(&mut stopped, |stopped| *stopped);
        }
        Ok(())
    }

    fn after(&self, _: &Call) {}
}

#[tokio::test]
async fn a_send_that_does_not_wait_is_answered_before_the_disk_and_one_that_waits_is_not() {
    let fixture = Fixture::with(|config| {
        config.store.flush_disk_type = FlushDiskType::Sync;
        config.sync_flush_timeout = Duration::from_secs(600);
    })
    .await;
    let disk = Arc::new(SlowDisk::default());
    let watching = watch(fixture.folder.path(), disk.clone());
    let mut client = fixture.client().await;
    client
        .send(send(&message("T", ""), b"the topic is there"))
        .await;
    let stopped = disk.stop();
    let (waiting, not_waiting) = ("WAIT\u{1}true\u{2}", "WAIT\u{1}false\u{2}");
    let mut waiters = Vec::new();
    // Nothing said means: wait.
    for properties in ["", waiting] {
        waiters.push(client.write(send(&message("T", properties), b"safe")).await);
    }
    // Answers of one connection come as soon as they are there: one to the first two would come before this.
    let asked = client
        .write(send(&message("T", not_waiting), b"fast"))
        .await;
    let reply = client.read().await.expect("answered");
    assert_eq!((reply.opaque, reply.code), (asked, 0), "{:?}", reply.remark);
    assert_eq!(stored(&reply).queue_offset, 3, "behind those that wait");
    assert_eq!(fixture.running.broker().queue_end("T", 0), 1, "shown");
    drop(stopped);
    for _ in 0..2 {
        let reply = client.read().await.expect("answered");
        assert_eq!(reply.code, 0, "{:?}", reply.remark);
        waiters.retain(|opaque| *opaque != reply.opaque);
    }
    assert!(waiters.is_empty(), "{waiters:?}");
    fixture.readable("T", 4).await;
    drop(watching);
    fixture.running.stop().await;
}
