//! A disk that fails under a running broker: the sync of its log is refused once.

mod support;

use std::io;
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};
use store::FlushDiskType;
use store::calls::{Call, Watch, watch};
use support::{Fixture, PATIENCE, Wire, at_once, bodies, config, message, pull, pulling, send};

/// What the next sync of a log file meets.
#[derive(Default, PartialEq)]
enum Next {
    #[default]
    Works,
    /// It waits until it fails.
    Hangs,
    Fails,
}

#[derive(Default)]
struct BadDisk {
    next: Mutex<Next>,
    changed: Condvar,
}

impl BadDisk {
    fn set(&self, next: Next) {
        *self.next.lock() = next;
        self.changed.notify_all();
    }
}

impl Watch for BadDisk {
    fn before(&self, call: &Call) -> io::Result<()> {
        let is_log = call
            .path()
            .components()
            .any(|part| part.as_os_str() == "commitlog");
        let is_sync = matches!(call, Call::Sync { .. });
        if !is_log || !is_sync {
            return Ok(());
        }
        let mut next = self.next.lock();
        self.changed
            .wait_while_for(&mut next, |next| *next == Next::Hangs, PATIENCE);
        match std::mem::take(&mut *next) {
            Next::Works => Ok(()),
            _ => Err(io::Error::from_raw_os_error(5)), // EIO
        }
    }

    fn after(&self, _: &Call) {}
}

#[tokio::test]
async fn a_sync_that_fails_is_never_acknowledged_and_ends_the_broker_with_an_error() {
    let fixture = Fixture::with(|config| config.store.flush_disk_type = FlushDiskType::Sync).await;
    let disk = Arc::new(BadDisk::default());
    let watching = watch(fixture.folder.path(), disk.clone());
    let mut client = fixture.client().await;
    client.send(send(&message("T", ""), b"before")).await;
    disk.set(Next::Hangs);
    let waiting = [(); 3].map(|()| send(&message("T", ""), b"lost, perhaps"));
    let opaques = waiting.each_ref().map(|send| send.opaque);
    let unwaited = send(&message("T", "WAIT\u{1}false\u{2}"), b"lost, perhaps");
    let behind_them = unwaited.opaque;
    client
        .write_together(waiting.into_iter().chain([unwaited]))
        .await;
    let reply = client.read().await.expect("open");
    assert_eq!(
        (reply.opaque, reply.code),
        (behind_them, 0),
        "all are in the log"
    );
    disk.set(Next::Fails);
    for opaque in opaques {
        let reply = client.read().await.expect("open");
        assert_eq!(reply.opaque, opaque, "in their order");
        assert_ne!(reply.code, 0, "acknowledged");
    }
    assert!(*disk.next.lock() == Next::Works, "refused");
    let refused = client.call(send(&message("T", ""), b"after")).await;
    assert_ne!(refused.code, 0, "taken by a log whose pages nobody knows");
    let broken = fixture.running.broken();
    tokio::time::timeout(PATIENCE, broken)
        .await
        .expect("the program learns of it");
    let clean = fixture.running.stop().await;
    assert!(
        !clean,
        "the program ends with 255 after an ERROR line, see main"
    );
    drop(watching);
    let again = broker::run(config(&fixture.folder))
        .await
        .expect("starts when the disk is well");
    let mut client = Wire::open(([127, 0, 0, 1], again.port()).into()).await;
    let there = bodies(&client.call(pulling(&at_once(pull("T", "G", 0)))).await);
    assert_eq!(there.first().map(String::as_str), Some("before"));
    assert!(!there.contains(&"after".to_owned()), "{there:?}");
    assert_eq!(
        client
            .send(send(&message("T", ""), b"next"))
            .await
            .queue_offset,
        there.len() as i64
    );
    again.stop().await;
}
