//! Keys of the store that the broker acts on, and that no other test would miss.

mod support;

use std::io;
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};
use remoting::code::{request, response};
use store::FlushDiskType;
use store::calls::{Call, Watch, watch};
use support::{Fixture, PATIENCE, ask, message, send};

/// Has every sync of a log file wait until it is released.
#[derive(Default)]
struct SlowDisk {
    held: Mutex<bool>,
    released: Condvar,
}

impl Watch for SlowDisk {
    fn before(&self, call: &Call) -> io::Result<()> {
        let mut parts = call.path().components();
        if matches!(call, Call::Sync { .. }) && parts.any(|part| part.as_os_str() == "commitlog") {
            let mut held = self.held.lock();
            self.released
                .wait_while_for(&mut held, |held| *held, PATIENCE);
        }
        Ok(())
    }

    fn after(&self, _: &Call) {}
}

/// `syncFlushTimeout`: sends that may not wait so long are answered before the disk is, those behind the first one too.
#[tokio::test]
async fn a_send_waits_for_the_disk_so_long_and_no_longer() {
    for (timeout_ms, late) in [(0, true), (50, true), (60_000, false)] {
        let fixture = Fixture::with(|config| {
            config.store.flush_disk_type = FlushDiskType::Sync;
            config.sync_flush_timeout = std::time::Duration::from_millis(timeout_ms);
        })
        .await;
        let disk = Arc::new(SlowDisk::default());
        let watching = watch(fixture.folder.path(), disk.clone());
        let mut client = fixture.client().await;
        *disk.held.lock() = late;
        let sends = [(); 3].map(|()| send(&message("T", ""), b"x"));
        let opaques = sends.each_ref().map(|send| send.opaque);
        client.write_together(sends).await;
        let mut replies = Vec::new();
        for opaque in opaques {
            let reply = client.read().await.expect("open");
            assert_eq!(reply.opaque, opaque, "in their order");
            replies.push(reply.code);
        }
        *disk.held.lock() = false;
        disk.released.notify_all();
        let expected = if late {
            response::FLUSH_DISK_TIMEOUT
        } else {
            0
        };
        assert_eq!(replies, [expected; 3], "{timeout_ms} ms");
        assert!(fixture.running.stop().await);
        drop(watching);
    }
}

/// `defaultQueryMaxNum`: what a query by unique key finds at most, whatever it asks for.
#[tokio::test]
async fn a_query_by_unique_key_finds_so_many_at_most() {
    for most in [2, 32] {
        let fixture = Fixture::with(|config| config.query_unique_max_hits = most).await;
        let mut client = fixture.client().await;
        for _ in 0..5 {
            let properties = "UNIQ_KEY\u{1}k\u{2}";
            client.send(send(&message("T", properties), b"x")).await;
        }
        fixture.readable("T", 5).await;
        let fields = [
            ("topic", "T"),
            ("key", "k"),
            ("maxNum", "20"),
            ("beginTimestamp", "0"),
            ("endTimestamp", "9999999999999"),
            ("_UNIQUE_KEY_QUERY", "true"),
        ];
        let expected = (most as usize).min(5);
        let found = async {
            loop {
                let reply = client.call(ask(request::QUERY_MESSAGE, &fields)).await;
                // The index comes after the queue.
                if reply.code == 0 && support::bodies(&reply).len() >= expected {
                    return support::bodies(&reply).len();
                }
            }
        };
        let found = tokio::time::timeout(support::PATIENCE, found).await;
        assert_eq!(found, Ok(expected));
        fixture.running.stop().await;
    }
}
