//! A store of Java's whose queues have an extension, with the bits of three groups' filters in it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use broker::config::BrokerConfig;
use broker::filter::data::{Filters, GroupFilter};
use serde_json::Value;
use store::{Arrival, Arrivals, ExtUnit, QueueOffset, Record, Select, Store, StoreConfig};

use crate::golden::{int, list, text};
use crate::opened::{self, copy, expected};

const TOPIC: &str = "GoldenExt";

fn config(root: &Path) -> StoreConfig {
    let expected = expected("ext");
    let sizes = expected.get("config").expect("the sizes");
    let bytes = int(sizes, "mappedFileSizeConsumeQueueExt");
    StoreConfig {
        consume_queue_ext_enable: true,
        consume_queue_ext_file_bytes: u32::try_from(bytes).expect("a size"),
        ..opened::config(&expected, root)
    }
}

/// The filters that Java's store has in its `config/`.
struct Bits(Filters);

impl Bits {
    fn of(root: &Path) -> Arc<Bits> {
        let config = BrokerConfig {
            calc_filter_bit_map: true,
            store: config(root),
            ..BrokerConfig::default()
        };
        Arc::new(Bits(Filters::load(&config).expect("Java wrote them")))
    }
}

impl Arrivals for Bits {
    fn arrived(&self, _: &Arrival<'_>) {}
    fn filter_bits(&self, topic: &str, record: &Record<'_>) -> Option<Vec<u8>> {
        self.0.bits_of_message(topic, record.properties)
    }
}

/// What a group wants; notes what its bits let through.
struct Wanted {
    filter: Arc<GroupFilter>,
    may_want: Vec<i64>,
    wants: Vec<i64>,
}

impl Select for Wanted {
    fn entry(&mut self, _: i64) -> bool {
        true
    }
    fn unit(&mut self, unit: &ExtUnit<'_>) -> bool {
        self.filter.may_want(unit)
    }
    fn record(&mut self, record: &[u8]) -> bool {
        let record = Record::decode(record).expect("whole");
        self.may_want.push(record.queue_offset);
        let wants = self.filter.expression.wants(record.properties);
        if wants {
            self.wants.push(record.queue_offset);
        }
        wants
    }
}

fn assert_groups(store: &Store, bits: &Bits) {
    for group in list(&expected("ext"), "groups") {
        let filter = bits.0.get(text(group, "group"), TOPIC).expect("its filter");
        for queue in 0..2 {
            let mut wanted = Wanted {
                filter: Arc::clone(&filter),
                may_want: Vec::new(),
                wants: Vec::new(),
            };
            let (mut at, end) = (QueueOffset(0), store.max_offset(TOPIC, queue));
            while at < end {
                let read = store.read_queue(TOPIC, queue, at, 32, &mut wanted);
                assert!(read.next_begin > at, "stands still at {at}");
                at = read.next_begin;
            }
            let java = |what| -> Vec<i64> {
                let of_queue = list(group, what).get(queue as usize);
                let offsets = of_queue.and_then(Value::as_array).expect("offsets");
                offsets.iter().filter_map(Value::as_i64).collect()
            };
            let name = text(group, "group");
            assert_eq!(
                wanted.may_want,
                java("mayWant"),
                "{name} {queue}: records looked into"
            );
            assert_eq!(wanted.wants, java("wants"), "{name} {queue}");
        }
    }
}

/// Files of queues and extensions, by their path.
fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.join("consumequeue"), root.join("consumequeue_ext")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("listed") {
            let path = entry.expect("listed").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(root).expect("below it").display();
                found.insert(name.to_string(), fs::read(&path).expect("read"));
            }
        }
    }
    assert!(found.len() >= 10, "{} files", found.len());
    found
}

#[test]
fn javas_bits_spare_the_same_records_here_and_nothing_is_changed() {
    let folder = copy("ext");
    let java = files(folder.path());
    let bits = Bits::of(folder.path());
    let listener = Arc::clone(&bits) as Arc<dyn Arrivals>;
    let store = Store::open(config(folder.path()), listener).expect("opens");
    assert_eq!(
        store.max_log_offset().as_i64(),
        int(&expected("ext"), "maxPhysicalOffset")
    );
    assert_groups(&store, &bits);
    assert!(store.close());
    assert_eq!(files(folder.path()), java);
}

/// Java's log alone: the entries and units we make of it are Java's.
#[test]
fn the_same_log_makes_the_same_entries_and_units() {
    let folder = copy("ext");
    let java = files(folder.path());
    for made in ["consumequeue", "consumequeue_ext"] {
        fs::remove_dir_all(folder.path().join(made)).expect("removed");
    }
    let bits = Bits::of(folder.path());
    let listener = Arc::clone(&bits) as Arc<dyn Arrivals>;
    let store = Store::open(config(folder.path()), listener).expect("opens");
    assert_groups(&store, &bits);
    assert!(store.close());
    let ours = files(folder.path());
    assert_eq!(
        ours.keys().collect::<Vec<_>>(),
        java.keys().collect::<Vec<_>>()
    );
    for (name, bytes) in ours {
        assert!(java.get(&name) == Some(&bytes), "{name} differs");
    }
}

/// With the extension off Java cannot resolve its addresses; here the records say what the units did.
#[test]
fn without_the_extension_the_tags_are_the_records() {
    struct Tag(i64, Vec<i64>);
    impl Select for Tag {
        fn entry(&mut self, code: i64) -> bool {
            code == self.0
        }
        fn record(&mut self, record: &[u8]) -> bool {
            self.1
                .push(Record::decode(record).expect("whole").queue_offset);
            true
        }
    }
    let folder = copy("ext");
    let off = StoreConfig {
        consume_queue_ext_enable: false,
        ..config(folder.path())
    };
    let store = Store::open(off, Arc::new(())).expect("opens");
    let mut tag = Tag(
        store::tags_code("polygenelubricants".as_bytes()),
        Vec::new(),
    );
    let mut at = QueueOffset(0);
    while at < store.max_offset(TOPIC, 0) {
        at = store.read_queue(TOPIC, 0, at, 32, &mut tag).next_begin;
    }
    // Message n is entry n / 2 of queue n % 2; every seventh has no tag.
    let expected: Vec<_> = (0..150)
        .filter(|n| 2 * n % 4 == 2 && 2 * n % 7 != 6)
        .collect();
    assert_eq!(tag.1, expected);
}
