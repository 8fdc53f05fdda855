//! What is done with the bytes of a hostile disk, or peer: read, checked, opened. Nothing may panic, hang, or allocate more
//! than the bytes make plausible; what comes out does not matter.
//!
//! ```text
//! cargo +nightly fuzz run log_file -s none          bytes that a fuzzer finds, as long as you like (cargo-fuzz, in this folder's parent)
//! cargo test -p store-tool --test hostile_files     the corpus and what a simple mutator makes of it; part of the tests
//! MUTATIONS=100000 HOSTILE_SEED=7 cargo test …      longer, from another seed
//! ```
//!
//! The first byte of an input for a file of a store says how it is put there: bit 0: the store was killed (`abort`), bit 1: the
//! file is as long as the input, otherwise it is cut or filled up with zeros to the length that it should have.
//! A finding goes into `corpus/<target>/` with its fix.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use broker::BrokerConfig;
use broker::group::GroupTable;
use broker::offset::OffsetTable;
use broker::topic::TopicTable;
use bytes::BytesMut;
use remoting::frame;
use remoting::java::{config_file as properties_file, json};
use store::inspect::{Entry, IndexEntry, IndexHeader, Settled, hashes};
use store::{Everything, LogOffset, NewMessage, QueueOffset, Record, Store, StoreConfig};

/// One thing to do with any bytes.
pub type Target = fn(&[u8]);

/// All of them, by the names of their corpora.
pub const TARGETS: [(&str, Target); 8] = [
    ("record", record),
    ("log_file", log_file),
    ("queue_file", queue_file),
    ("index_file", index_file),
    ("checkpoint", checkpoint),
    ("config_json", config_json),
    ("config_file", config_file),
    ("frame", self::frame),
];

const LOG_FILE_BYTES: u32 = 8192;
const QUEUE_FILE_BYTES: u32 = 400;

fn config(root: &Path) -> StoreConfig {
    StoreConfig {
        commit_log_file_bytes: LOG_FILE_BYTES,
        consume_queue_file_bytes: QUEUE_FILE_BYTES,
        index_slots: 10,
        index_entries: 60,
        max_message_bytes: 4096,
        ..StoreConfig::at(root)
    }
}

/// The log's decoder, and everything that is read out of a record.
pub fn record(bytes: &[u8]) {
    let mut rest = bytes;
    while let Ok(record) = Record::decode(rest) {
        let _ = (record.check_body(), record.property(b"KEYS"));
        let _ = hashes(&record, &record.handles()).count();
        rest = rest.get(record.record_bytes as usize..).unwrap_or_default();
    }
    let _ = bytes.first_chunk().map(Entry::decode);
    let _ = bytes.first_chunk().map(IndexEntry::decode);
    let _ = bytes.first_chunk().map(IndexHeader::decode);
    let _ = bytes.first_chunk().map(Settled::decode);
}

/// The second log file of a store.
pub fn log_file(bytes: &[u8]) {
    opened_with("commitlog/00000000000000008192", bytes);
}

/// A queue file of a store.
pub fn queue_file(bytes: &[u8]) {
    opened_with("consumequeue/T/0/00000000000000000000", bytes);
}

/// The index file of a store.
pub fn index_file(bytes: &[u8]) {
    opened_with("index/20200101000000000", bytes);
}

/// The checkpoint of a store.
pub fn checkpoint(bytes: &[u8]) {
    opened_with("checkpoint", bytes);
}

/// A table of the broker; the first byte says which.
pub fn config_json(bytes: &[u8]) {
    let Some((which, content)) = bytes.split_first() else {
        return;
    };
    let _ = json::read::<serde_json::Value>(content);
    let root = folder();
    let mut config = BrokerConfig::default();
    config.store.root_dir = root.path().to_owned();
    let names = ["topics", "subscriptionGroup", "consumerOffset"];
    let place = usize::from(*which) % names.len();
    let path = config.table_file(&format!("{}.json", names.get(place).unwrap_or(&"topics")));
    fs::create_dir_all(root.path().join("config")).expect("made");
    fs::write(&path, content).expect("written");
    match place {
        0 => drop(TopicTable::load(&config)),
        1 => drop(GroupTable::load(&config)),
        _ => drop(OffsetTable::load(path)),
    }
}

/// A `.properties` file.
pub fn config_file(bytes: &[u8]) {
    if let Ok(pairs) = properties_file::read(bytes) {
        let again = properties_file::read(properties_file::write(pairs.clone()).as_bytes());
        assert_eq!(again, Ok(pairs), "what is written is not what is read");
    }
}

/// Frames of a connection, one after the other.
pub fn frame(bytes: &[u8]) {
    let mut input = BytesMut::from(bytes);
    while let Ok(Some(frame)) = frame::take_frame(&mut input, 1 << 20) {
        if let Ok(command) = frame::decode(frame) {
            let _ = (command.is_oneway(), command.is_response());
        }
    }
}

/// A folder in memory, if there is such a place.
fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() {
        tempfile::tempdir_in(memory)
    } else {
        tempfile::tempdir()
    };
    made.expect("a folder can be made")
}

/// A sound store of three log files: path below the root, content.
fn sound() -> &'static [(PathBuf, Vec<u8>)] {
    static SOUND: OnceLock<Vec<(PathBuf, Vec<u8>)>> = OnceLock::new();
    SOUND.get_or_init(|| {
        let root = folder();
        let store = Store::open(config(root.path()), Arc::new(())).expect("a new store opens");
        for n in 0..25 {
            append(&store, n, &[b'x'; 700]);
        }
        assert!(store.close(), "closed");
        drop(store);
        let mut files = Vec::new();
        collect(root.path(), root.path(), &mut files);
        let index = files.iter_mut().find(|(path, _)| path.starts_with("index"));
        index.expect("made").0 = PathBuf::from("index/20200101000000000");
        files
    })
}

fn collect(root: &Path, dir: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in fs::read_dir(dir).expect("listed") {
        let path = entry.expect("listed").path();
        if path.is_dir() {
            collect(root, &path, files);
        } else {
            let below = path.strip_prefix(root).expect("below").to_owned();
            files.push((below, fs::read(path).expect("read")));
        }
    }
}

fn append(store: &Store, n: u32, body: &[u8]) {
    let properties = format!("KEYS\u{1}key-{n}\u{2}TAGS\u{1}tag-{n}\u{2}");
    let message = NewMessage {
        topic: "T",
        queue_id: n % 2,
        flag: 0,
        sys_flag: 0,
        born_timestamp_ms: 1,
        born_host: ([127, 0, 0, 1], 1).into(),
        store_host: ([127, 0, 0, 1], 2).into(),
        reconsume_times: 0,
        prepared_transaction_offset: 0,
        body,
        properties: &properties,
    };
    let _ = store.append(&message);
}

/// Checks and opens the sound store with one of its files replaced, reads all of it, and writes to it.
fn opened_with(file: &str, bytes: &[u8]) {
    let Some((how, content)) = bytes.split_first() else {
        return;
    };
    let root = folder();
    for (path, sound) in sound() {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().expect("below the root")).expect("made");
        let mut own = sound.clone();
        if path.ends_with(file) {
            let usual = own.len();
            own = content.to_vec();
            if how & 2 == 0 {
                own.resize(usual, 0);
            }
        }
        fs::write(path, own).expect("written");
    }
    if how & 1 == 1 {
        fs::write(root.path().join("abort"), "").expect("written");
    }
    let options = store_tool::Options::at(root.path());
    let report = store_tool::check(&options, &mut |_, _| {}).expect("nobody has it open");
    let _ = (report.to_string(), serde_json::to_string(&report));
    if let Ok(store) = Store::open(config(root.path()), Arc::new(())) {
        read_all(&store);
        append(&store, 0, b"one more");
        append(&store, 1, b"one more");
        let _ = store.close();
    }
}

fn read_all(store: &Store) {
    for topic in store.topics() {
        for id in store.queue_ids(&topic) {
            let mut at = store.min_offset(&topic, id);
            for _ in 0..100 {
                let read = store.read_queue(&topic, id, at, 32, &mut Everything);
                if read.next_begin <= at {
                    break;
                }
                at = read.next_begin;
            }
            let _ = store.entries(&topic, id, QueueOffset(0), 1000);
            for time_ms in [i64::MIN, 0, 1, i64::MAX] {
                let _ = store.offset_by_time(&topic, id, time_ms);
            }
        }
    }
    for n in 0..26 {
        let _ = store.query_by_key("T", &format!("key-{n}"), 64, 0, i64::MAX);
        let _ = store.record_at(LogOffset(n * 731));
    }
}
