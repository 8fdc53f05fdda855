//! What recovery builds from the log is what the dispatcher built: to the byte, whatever the log holds and wherever it
//! is cut; and the abort file decides, as in Java, whether it is built at all.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use store::{Appended, LogOffset, NewMessage, QueueEntry, QueueOffset, Store, StoreConfig};
use support::{append_some, assert_holds, config, crash_copy, message, open, settle};

const TOPICS: [&str; 3] = ["A", "%RETRY%B", "SCHEDULE_TOPIC_XXXX"];
const QUEUES: u32 = 3;
const KEYS: u64 = 50;
/// Java's `TransactionPreparedType`: stored, but in no queue.
const PREPARED: i32 = 4;

/// Numbers that look random and are the same every time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
        (self.0 >> 33) % limit
    }
}

/// Several log files, so that there is more than one stretch for recovery's threads to pass on.
fn several_mebibytes(root: &Path) -> StoreConfig {
    StoreConfig {
        commit_log_file_bytes: 1024 * 1024,
        ..config(root)
    }
}

/// About 4 MB of messages of all kinds.
fn append_any(store: &Store, dice: &mut Dice) -> Vec<Appended> {
    let mut one = || {
        let mut properties = format!("UNIQ_KEY\u{1}u{}\u{2}", dice.below(KEYS));
        if dice.below(2) == 0 {
            let (first, second) = (dice.below(KEYS), dice.below(KEYS));
            properties.push_str(&format!("KEYS\u{1}k{first} k{second}\u{2}"));
        }
        properties.push_str(match dice.below(3) {
            0 => "TAGS\u{1}t\u{2}",
            1 => "DELAY\u{1}3\u{2}",
            _ => "",
        });
        let topic = match dice.below(3) {
            0 => "A",
            1 => "%RETRY%B",
            _ => "SCHEDULE_TOPIC_XXXX",
        };
        let queue_id = dice.below(QUEUES.into()) as u32;
        let body = vec![b'b'; dice.below(3000) as usize];
        let sys_flag = if dice.below(10) == 0 { PREPARED } else { 0 };
        let plain = message(topic, queue_id, &body, &properties);
        let appended = store.append(&NewMessage { sys_flag, ..plain });
        appended.expect("stored")
    };
    (0..2500).map(|_| one()).collect()
}

/// Every file of a folder by path, its bytes; index files, which are named by time, by their order.
fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut paths: Vec<_> = fs::read_dir(dir)
        .expect("listed")
        .map(|entry| entry.expect("listed").path())
        .collect();
    paths.sort();
    for (n, path) in paths.into_iter().enumerate() {
        let name = PathBuf::from(path.file_name().expect("a name"));
        if path.is_dir() {
            let below = files(&path).into_iter();
            all.extend(below.map(|(below, bytes)| (name.join(below), bytes)));
        } else if dir.ends_with("index") {
            all.insert(n.to_string().into(), fs::read(&path).expect("read"));
        } else {
            all.insert(name, fs::read(&path).expect("read"));
        }
    }
    all
}

/// Queues and index as they are on disk.
fn built(root: &Path) -> [BTreeMap<PathBuf, Vec<u8>>; 2] {
    [
        files(&root.join("consumequeue")),
        files(&root.join("index")),
    ]
}

fn entries(store: &Store, topic: &str, queue_id: u32) -> Vec<QueueEntry> {
    let mut all = Vec::new();
    while all.len() < store.max_offset(topic, queue_id).0 as usize {
        all.extend(store.entries(topic, queue_id, QueueOffset(all.len() as i64), 1000));
    }
    all
}

fn all_entries(store: &Store) -> Vec<QueueEntry> {
    let queues = TOPICS
        .iter()
        .flat_map(|topic| (0..QUEUES).map(move |id| (*topic, id)));
    queues
        .flat_map(|(topic, id)| entries(store, topic, id))
        .collect()
}

/// Where the messages are that are found under a key.
fn found(store: &Store) -> Vec<LogOffset> {
    let keys = (0..KEYS).flat_map(|n| [format!("u{n}"), format!("k{n}")]);
    let found = keys
        .flat_map(|key| TOPICS.map(|topic| store.query_by_key(topic, &key, 10_000, 0, i64::MAX)));
    let records = found.flat_map(|found| found.records);
    let place = |record: bytes::Bytes| store::Record::decode(&record).expect("whole").log_offset;
    records
        .map(|record| LogOffset(place(record) as u64))
        .collect()
}

#[test]
fn recovery_builds_to_the_byte_what_the_dispatcher_built() {
    for seed in 1..=4 {
        let dir = tempfile::tempdir().expect("folder");
        let (live, crashed) = (dir.path().join("live"), dir.path().join("crashed"));
        let (store, _) = open(several_mebibytes(&live));
        append_any(&store, &mut Dice(seed));
        settle(&store);
        crash_copy(&live, &crashed);
        fs::remove_file(crashed.join("checkpoint")).expect("removed");
        if seed % 2 == 0 {
            fs::remove_dir_all(crashed.join("index")).expect("removed");
        }
        let (again, _) = open(several_mebibytes(&crashed));
        assert_eq!(all_entries(&again), all_entries(&store), "seed {seed}");
        assert_eq!(again.max_log_offset(), store.max_log_offset());
        assert!(store.close() && again.close());
        assert!(
            built(&crashed) == built(&live),
            "seed {seed}: queue or index files differ"
        );
    }
}

#[test]
fn recovery_of_a_cut_log_keeps_what_lies_before_the_cut_and_nothing_else() {
    for seed in 1..=4 {
        let dir = tempfile::tempdir().expect("folder");
        let mut dice = Dice(seed);
        let (store, _) = open(several_mebibytes(dir.path()));
        let appended = append_any(&store, &mut dice);
        settle(&store);
        let bad = appended[dice.below(appended.len() as u64) as usize].log_offset;
        let before = |offset: LogOffset| offset < bad;
        let mut kept = all_entries(&store);
        kept.retain(|entry| before(entry.log_offset));
        let hits = StoreConfig {
            query_max_hits: 10_000,
            ..several_mebibytes(dir.path())
        };
        drop(store);
        let file = dir
            .path()
            .join(format!("commitlog/{:020}", bad.0 >> 20 << 20));
        let mut bytes = fs::read(&file).expect("read");
        bytes[(bad.0 % (1 << 20)) as usize + 4] ^= 1;
        fs::write(&file, bytes).expect("written");
        let (again, _) = open(hits);
        assert_eq!(again.max_log_offset(), bad, "seed {seed}");
        assert_eq!(all_entries(&again), kept, "seed {seed}");
        let found = found(&again);
        assert!(found.iter().all(|offset| before(*offset)));
        let is_found = |one: &&Appended| found.contains(&one.log_offset);
        let whole = appended.iter().filter(|one| before(one.log_offset));
        assert_eq!(
            whole.clone().filter(is_found).count(),
            whole.count(),
            "seed {seed}"
        );
    }
}

#[test]
fn the_abort_file_decides_whether_queues_are_built_anew() {
    let dir = tempfile::tempdir().expect("folder");
    let (store, _) = open(config(dir.path()));
    append_some(&store, 0, 600);
    settle(&store);
    assert!(store.close());
    drop(store);
    fs::remove_dir_all(dir.path().join("consumequeue/T/0")).expect("removed");
    fs::remove_file(dir.path().join("checkpoint")).expect("removed");
    let (store, _) = open(config(dir.path()));
    let queues = [0, 1].map(|queue_id| store.max_offset("T", queue_id).0);
    assert_eq!(
        queues,
        [0, 300],
        "after a clean stop the last entry is believed"
    );
    drop(store); // and leaves the abort file
    fs::remove_file(dir.path().join("checkpoint")).expect("removed");
    let (store, _) = open(config(dir.path()));
    assert_holds(&store, 600);
}
