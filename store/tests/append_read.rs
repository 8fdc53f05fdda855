//! What goes in comes out: appending, rolling, reading.

mod support;

use store::{
    AppendError, BrokerRole, Everything, Illegal, NewMessage, QueueOffset, ReadStatus, Record,
    Select, StoreConfig, tags_code,
};
use support::{append_some, assert_holds, bodies, config, message, open, records, settle};

#[test]
fn messages_are_read_back_over_many_files_of_log_and_queue() {
    let dir = tempfile::tempdir().expect("folder");
    let (store, arrived) = open(config(dir.path()));
    let appended = append_some(&store, 0, 3000);
    arrived.wait_for(3000);
    assert_holds(&store, 3000);
    assert!(
        store.max_log_offset().0 > 4 * 64 * 1024,
        "the log did not roll"
    );
    for one in appended.iter().step_by(97) {
        let record = store.record_at(one.log_offset).expect("there");
        let decoded = Record::decode(&record).expect("whole");
        assert_eq!(decoded.log_offset, one.log_offset.as_i64());
        assert_eq!(decoded.store_timestamp_ms, one.store_timestamp_ms);
        assert_eq!(record.len(), one.record_bytes as usize);
    }
    assert!(store.close());
}

#[test]
fn arrivals_come_in_order_after_their_entry_is_readable() {
    let dir = tempfile::tempdir().expect("folder");
    let (store, arrived) = open(config(dir.path()));
    append_some(&store, 0, 50);
    let seen = arrived.wait_for(50);
    let expected: Vec<_> = (0..50)
        .map(|n| ("T".to_owned(), n % 2, i64::from(n / 2)))
        .collect();
    assert_eq!(seen, expected);
}

#[test]
fn every_answer_to_an_offset_is_javas() {
    let dir = tempfile::tempdir().expect("folder");
    let (store, arrived) = open(config(dir.path()));
    let read = |topic, offset| {
        let read = store.read_queue(topic, 0, QueueOffset(offset), 32, &mut Everything);
        (
            read.status,
            read.next_begin.0,
            read.min_offset.0,
            read.max_offset.0,
        )
    };
    assert_eq!(read("never", 7), (ReadStatus::NoMessageInQueue, 0, 0, 0));
    append_some(&store, 0, 20);
    arrived.wait_for(20);
    assert_eq!(read("T", -1), (ReadStatus::OffsetTooSmall, 0, 0, 10));
    assert_eq!(read("T", 0), (ReadStatus::Found, 10, 0, 10));
    assert_eq!(read("T", 9), (ReadStatus::Found, 10, 0, 10));
    assert_eq!(read("T", 10), (ReadStatus::OffsetOverflowOne, 10, 0, 10));
    assert_eq!(read("T", 11), (ReadStatus::OffsetOverflowBadly, 10, 0, 10));
    assert_eq!(read("T", i64::MIN), (ReadStatus::OffsetTooSmall, 0, 0, 10));
    assert_eq!(
        read("T", i64::MAX),
        (ReadStatus::OffsetOverflowBadly, 10, 0, 10)
    );
}

#[test]
fn a_slave_leaves_offsets_alone_unless_told_to_check_them() {
    let dir = tempfile::tempdir().expect("folder");
    let slave = StoreConfig {
        broker_role: BrokerRole::Slave,
        ..config(dir.path())
    };
    let checking = StoreConfig {
        offset_check_in_slave: true,
        ..slave.clone()
    };
    for (config, next) in [(slave, 7), (checking, 0)] {
        let (store, _) = open(config);
        assert_eq!(
            store
                .read_queue("T", 0, QueueOffset(7), 32, &mut Everything)
                .next_begin,
            QueueOffset(next)
        );
        let refused = store.append(&message("T", 0, b"x", ""));
        assert!(
            matches!(refused, Err(AppendError::ServiceNotAvailable(_))),
            "{refused:?}"
        );
    }
}

struct Tag(&'static str);

impl Select for Tag {
    fn entry(&mut self, code: i64) -> bool {
        code == tags_code(self.0.as_bytes())
    }
}

struct BodyEnds(&'static [u8]);

impl Select for BodyEnds {
    fn entry(&mut self, _: i64) -> bool {
        true
    }

    fn record(&mut self, record: &[u8]) -> bool {
        Record::decode(record)
            .expect("whole")
            .body
            .ends_with(self.0)
    }
}

#[test]
fn only_wanted_messages_are_read_and_the_offset_passes_the_others() {
    let dir = tempfile::tempdir().expect("folder");
    let (store, arrived) = open(config(dir.path()));
    append_some(&store, 0, 60);
    arrived.wait_for(60);
    let tagged = store.read_queue("T", 0, QueueOffset(0), 5, &mut Tag("tag-2"));
    assert_eq!(tagged.status, ReadStatus::Found);
    assert_eq!(tagged.message_count, 5);
    assert_eq!(
        records(&tagged).first(),
        Some(&(1, "body-000002".to_owned()))
    );
    assert_eq!(
        tagged.next_begin,
        QueueOffset(14),
        "right behind the fifth hit"
    );
    let none = store.read_queue("T", 0, QueueOffset(0), 5, &mut Tag("tag-9"));
    assert_eq!(
        (none.status, none.next_begin.0, none.bytes),
        (ReadStatus::NoMatchedMessage, 30, 0)
    );
    let by_body = store.read_queue("T", 0, QueueOffset(0), 32, &mut BodyEnds(b"4"));
    assert_eq!(by_body.message_count, 6);
}

#[test]
fn a_read_stops_at_the_limits_and_neighbours_are_one_slice() {
    let dir = tempfile::tempdir().expect("folder");
    let small = StoreConfig {
        max_transfer_bytes_in_memory: 1000,
        max_transfer_count_in_memory: 7,
        ..config(dir.path())
    };
    let (store, arrived) = open(small);
    for n in 0..20 {
        store
            .append(&message("T", 0, &vec![7; 10 + n / 10 * 300], ""))
            .expect("stored");
    }
    arrived.wait_for(20);
    let by_count = store.read_queue("T", 0, QueueOffset(0), 32, &mut Everything);
    assert_eq!((by_count.message_count, by_count.records.len()), (7, 1));
    let by_wish = store.read_queue("T", 0, QueueOffset(0), 3, &mut Everything);
    assert_eq!(by_wish.message_count, 3);
    let by_bytes = store.read_queue("T", 0, QueueOffset(10), 32, &mut Everything);
    assert_eq!((by_bytes.message_count, by_bytes.next_begin.0), (2, 12));
    assert!(by_bytes.bytes <= 1000);
}

#[test]
fn a_message_larger_than_the_limits_is_read_all_the_same() {
    let dir = tempfile::tempdir().expect("folder");
    let (store, arrived) = open(StoreConfig {
        max_transfer_bytes_in_memory: 10,
        ..config(dir.path())
    });
    append_some(&store, 0, 2);
    arrived.wait_for(2);
    assert_eq!(
        store
            .read_queue("T", 0, QueueOffset(0), 32, &mut Everything)
            .message_count,
        1
    );
}

#[test]
fn a_batch_has_own_ids_successive_entries_and_one_time() {
    let dir = tempfile::tempdir().expect("folder");
    let (store, arrived) = open(config(dir.path()));
    append_some(&store, 0, 1);
    let bodies_in: Vec<_> = (0..10).map(|n| format!("batch-{n}")).collect();
    let batch: Vec<_> = bodies_in
        .iter()
        .map(|body| message("T", 0, body.as_bytes(), "K\u{1}v\u{2}"))
        .collect();
    let appended = store.append_batch(&batch).expect("stored");
    arrived.wait_for(11);
    for (n, one) in appended.iter().enumerate() {
        assert_eq!(one.queue_offset.0, n as i64 + 1);
        assert_eq!(one.store_timestamp_ms, appended[0].store_timestamp_ms);
        let record = store.record_at(one.log_offset).expect("there");
        let record = Record::decode(&record).expect("whole");
        record.check_body().expect("a CRC of its own");
        assert_ne!(record.body_crc, 0);
        assert_eq!(record.body, bodies_in[n].as_bytes());
    }
    assert!(
        appended
            .windows(2)
            .all(|two| two[0].end() == two[1].log_offset)
    );
    assert_eq!(bodies(&store, "T", 0).len(), 11);
}

#[test]
fn a_batch_is_never_divided_between_files() {
    let dir = tempfile::tempdir().expect("folder");
    let (store, arrived) = open(config(dir.path()));
    let body = vec![1; 1000];
    let batch = vec![message("T", 0, &body, ""); 20];
    for _ in 0..10 {
        let appended = store.append_batch(&batch).expect("stored");
        let file = |offset: u64| offset / (64 * 1024);
        assert_eq!(file(appended[0].log_offset.0), file(appended[19].end().0));
    }
    arrived.wait_for(200);
    assert_eq!(bodies(&store, "T", 0).len(), 200);
}

#[test]
fn illegal_messages_are_refused_and_leave_nothing() {
    let dir = tempfile::tempdir().expect("folder");
    let (store, _) = open(config(dir.path()));
    let (long, large) = ("x".repeat(32_768), vec![0; 33 * 1024]);
    let legal = message("T", 0, b"x", "");
    let refused = |message: NewMessage<'_>| store.append(&message).expect_err("illegal");
    assert_eq!(
        refused(NewMessage {
            topic: "../../x",
            ..legal
        }),
        AppendError::MessageIllegal(Illegal::Topic)
    );
    assert_eq!(
        refused(NewMessage { topic: "", ..legal }),
        AppendError::MessageIllegal(Illegal::Topic)
    );
    assert_eq!(
        refused(NewMessage {
            queue_id: u32::MAX,
            ..legal
        }),
        AppendError::MessageIllegal(Illegal::QueueId)
    );
    assert_eq!(
        refused(NewMessage {
            properties: &long,
            ..legal
        }),
        AppendError::PropertiesSizeExceeded { bytes: 32_768 }
    );
    let too_large = refused(NewMessage {
        body: &large,
        ..legal
    });
    assert!(matches!(
        too_large,
        AppendError::MessageIllegal(Illegal::Size { .. })
    ));
    let batch = |messages: &[NewMessage<'_>]| store.append_batch(messages).expect_err("illegal");
    assert_eq!(batch(&[]), AppendError::MessageIllegal(Illegal::Batch));
    assert_eq!(
        batch(&[legal, message("T", 1, b"x", "")]),
        AppendError::MessageIllegal(Illegal::Batch)
    );
    assert_eq!(
        batch(&[NewMessage {
            sys_flag: 4,
            ..legal
        }]),
        AppendError::MessageIllegal(Illegal::Batch)
    );
    assert_eq!(store.max_log_offset().0, 0);
    assert!(store.topics().is_empty());
}

#[test]
fn no_message_is_stored_that_recovery_would_take_for_torn() {
    let dir = tempfile::tempdir().expect("folder");
    let (store, _) = open(config(dir.path()));
    for (properties, stored) in [
        (format!("a\u{1}{}\u{2}", "\0".repeat(63)), true),
        (format!("a\u{1}{}\u{2}", "\0".repeat(64)), false),
        ("a\u{1}b\0".to_owned(), false),
    ] {
        let appended = store.append(&message("T", 0, b"body", &properties));
        let refused = AppendError::MessageIllegal(Illegal::Properties);
        assert_eq!(appended.is_ok(), stored, "{properties:?}");
        assert!(stored || appended.is_err_and(|error| error == refused));
    }
}

#[test]
fn half_and_rolled_back_messages_have_no_queue_entry() {
    let dir = tempfile::tempdir().expect("folder");
    let (store, arrived) = open(config(dir.path()));
    for sys_flag in [0x4, 0xC, 0x8, 0x0] {
        let appended = store
            .append(&NewMessage {
                sys_flag,
                ..message("T", 0, b"x", "")
            })
            .expect("stored");
        let place = i64::from(sys_flag == 0);
        assert_eq!(appended.queue_offset.0, place);
    }
    arrived.wait_for(2);
    settle(&store);
    assert_eq!(store.max_offset("T", 0), QueueOffset(2));
}

#[test]
fn an_offset_where_no_record_begins_gives_none() {
    let dir = tempfile::tempdir().expect("folder");
    let (store, _) = open(config(dir.path()));
    let appended = append_some(&store, 0, 3);
    for offset in [
        1,
        7,
        appended[1].log_offset.0 + 1,
        appended[2].end().0,
        u64::MAX,
    ] {
        assert!(
            store.record_at(store::LogOffset(offset)).is_none(),
            "{offset}"
        );
    }
}

#[test]
fn many_threads_append_without_loss_or_double_numbers() {
    let dir = tempfile::tempdir().expect("folder");
    let (store, arrived) = open(config(dir.path()));
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let store = &store;
            scope.spawn(move || {
                for n in 0..500 {
                    let body = format!("{thread}-{n}");
                    store
                        .append(&message("T", n % 2, body.as_bytes(), ""))
                        .expect("stored");
                }
            });
        }
    });
    arrived.wait_for(2000);
    let mut all = [bodies(&store, "T", 0), bodies(&store, "T", 1)].concat();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 2000);
}

/// Wants every message, and says how many records it was shown.
struct Shown(usize);

impl Select for Shown {
    fn entry(&mut self, _: i64) -> bool {
        true
    }

    fn record(&mut self, _: &[u8]) -> bool {
        self.0 += 1;
        true
    }
}

#[test]
fn what_another_process_wrote_is_touched_only_by_those_who_wait_for_the_disk() {
    let dir = tempfile::tempdir().expect("folder");
    let config = StoreConfig {
        commit_log_file_bytes: 1 << 20,
        ..config(dir.path())
    };
    let (store, arrived) = open(config.clone());
    let body = [b'b'; 30_000];
    let append = |store: &store::Store| {
        let appended = store.append(&message("T", 0, &body, ""));
        appended.expect("stored");
    };
    (0..4).for_each(|_| append(&store));
    arrived.wait_for(4);
    assert!(store.close());
    drop(store);

    let (store, arrived) = open(config);
    let in_memory = |from: i64, shown: &mut Shown| {
        let read = store.read_queue_in_memory("T", 0, QueueOffset(from), 32, shown);
        read.map(|read| (read.message_count, read.next_begin.0))
    };
    let mut shown = Shown(0);
    assert_eq!(in_memory(0, &mut shown), None);
    assert_eq!(shown.0, 0, "a filter has waited for the disk");
    let read = store.read_queue_from_disk("T", 0, QueueOffset(0), 1, &mut shown);
    assert_eq!((read.message_count, shown.0), (1, 1));
    let read = store.read_queue_in_memory("T", 0, QueueOffset(0), 2, &mut shown);
    assert_eq!(read.map(|read| read.message_count), Some(2), "its window");
    assert_eq!(in_memory(0, &mut shown), None, "its window only");
    assert_eq!(in_memory(2, &mut shown), None);
    append(&store);
    arrived.wait_for(1);
    assert_eq!(in_memory(4, &mut shown), Some((1, 5)), "appended here");
    let read = store.read_queue_from_disk("T", 0, QueueOffset(1), 32, &mut Everything);
    assert_eq!(read.message_count, 4);
    assert_eq!(in_memory(0, &mut Shown(0)), Some((5, 5)));
}
