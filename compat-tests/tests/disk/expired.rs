//! A store whose oldest log files have gone, handed from broker to broker and back.
//!
//! Between two brokers the oldest files of log and queue are taken away, as cleaning takes them. (Java 4.7.0 left with queue
//! files that point nowhere looks into the first only, and says until its next cleaning that the queue begins at 0.)

use std::fs;
use std::ops::Range;
use std::path::Path;

use compat_tests::cluster::{Cluster, Mode, Spec};
use compat_tests::logs;
use compat_tests::servers::Servers;
use compat_tests::trouble::{Doing, Trouble};

use crate::wire::{Client, LARGE_BODY_BYTES};

const LOG_FILE_BYTES: usize = 262_144;
const QUEUE_FILE_BYTES: usize = 40;
const ENTRIES_A_FILE: usize = 2;
const KEYS: &[(&str, &str)] = &[
    ("mappedFileSizeCommitLog", "262144"),
    ("mappedFileSizeConsumeQueue", "40"),
    ("maxHashSlotNum", "100"),
    ("maxIndexNum", "100"),
];
/// Three messages fill a log file.
const MESSAGES_A_FILE: usize = 3;

/// `first` writes, and its files go; `second` goes on, and files go again; then `first` has it once more.
pub(crate) fn run(first: Servers, second: Servers) -> Result<(), Trouble> {
    first.prepare()?;
    second.prepare()?;
    let logs = logs::fresh_folder(&format!("disk_expired/{first}_{second}"))?;
    let spec = Spec {
        servers: Servers::Ours,
        namesrvs: 1,
        mode: Mode::Test(KEYS),
    };
    let mut cluster = Cluster::without_broker(spec, &logs)?;
    let mut stored = 0;
    let mut expired = 0;
    for servers in [first, second, first] {
        cluster.hand_broker_to(servers, KEYS)?;
        cluster.start_broker()?;
        let mut client = Client::connect(&cluster.broker_addr())?;
        client.stored = stored;
        client.holds_from(expired * MESSAGES_A_FILE)?;
        for _ in 0..5 * MESSAGES_A_FILE {
            client.send(LARGE_BODY_BYTES)?.is(0, |_| true)?;
        }
        client.holds_from(expired * MESSAGES_A_FILE)?;
        stored = client.stored;
        cluster.stop_broker()?;
        expire(&cluster.store(), expired..expired + 2)?;
        expired += 2;
    }
    Ok(())
}

/// Removes these log files and the queue files whose entries all point into them.
fn expire(store: &Path, files: Range<usize>) -> Result<(), Trouble> {
    let remove = |folder: &str, base: usize| {
        let path = store.join(folder).join(format!("{base:020}"));
        fs::remove_file(&path).doing(|| format!("remove {}", path.display()))
    };
    for file in files {
        remove("commitlog", file * LOG_FILE_BYTES)?;
        // The entries in front of the first message that is left, and where this file's begin.
        let [begin, end] = [file, file + 1].map(|file| file * MESSAGES_A_FILE);
        for queue_file in begin / ENTRIES_A_FILE..end / ENTRIES_A_FILE {
            remove("consumequeue/Disk/0", queue_file * QUEUE_FILE_BYTES)?;
        }
    }
    Ok(())
}
