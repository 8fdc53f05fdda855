//! What is due is delivered, once, in order, and through every crash and every bad entry (KNOWN-BUGS R11).

use super::super::testing::{
    Bench, JAVA, LATE_MS, bodies, deliver_all, deliver_everything, level, message, records, send,
    until,
};
use super::*;
use std::cell::Cell;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use store::tags_code;

#[test]
fn a_message_is_delivered_when_it_is_due_and_not_a_millisecond_before() {
    let bench = Bench::new(JAVA);
    let store = bench.open();
    let progress = bench.progress(&store);
    for number in 1..=18 {
        let (one, due_ms) = (level(&store, number), send(&store, number, "x"));
        assert_eq!(
            deliver_all(&store, &progress, &one, due_ms - 1),
            Next::Due(due_ms)
        );
        assert_eq!(bodies(&store, "T", 2).len() as i32, number - 1);
        assert_eq!(deliver_all(&store, &progress, &one, due_ms), Next::Arrival);
        assert_eq!(bodies(&store, "T", 2).len() as i32, number);
    }
}

#[test]
fn what_is_delivered_is_what_was_sent_and_keeps_the_properties_of_its_wait() {
    let bench = Bench::new("1s");
    let store = bench.open();
    send(&store, 9, "body");
    deliver_everything(&store, &bench.progress(&store));
    let checked = records(&store, "T", 2, |record| {
        let properties =
            "TAGS\u{1}TagA\u{2}DELAY\u{1}1\u{2}REAL_TOPIC\u{1}T\u{2}REAL_QID\u{1}2\u{2}";
        assert_eq!(String::from_utf8_lossy(record.properties), properties);
        assert_eq!(
            (record.flag, record.sys_flag, record.reconsume_times),
            (7, 1, 3)
        );
        assert_eq!(
            (record.born_timestamp_ms, record.prepared_transaction_offset),
            (1_600_000_000_123, 0)
        );
        assert_eq!(record.born_addr(), Some(([10, 0, 0, 9], 50_123).into()));
        assert_eq!(record.store_addr(), Some(([10, 0, 0, 1], 10_911).into()));
        assert_eq!(record.body, b"body");
    });
    assert_eq!(checked.len(), 1);
    let entries = store.entries("T", 2, QueueOffset(0), 9);
    assert_eq!(
        entries.first().map(|entry| entry.tags_code),
        Some(tags_code(b"TagA"))
    );
}

#[test]
fn the_order_of_a_level_is_kept_over_many_turns() {
    let bench = Bench::new("1s");
    let store = bench.open();
    let sent: Vec<String> = (0..A_TURN + 44).map(|n| n.to_string()).collect();
    sent.iter().for_each(|body| _ = send(&store, 1, body));
    deliver_everything(&store, &bench.progress(&store));
    assert_eq!(bodies(&store, "T", 2), sent);
}

#[test]
fn what_would_wait_longer_than_its_level_is_due() {
    let mut bench = Bench::new("1h");
    let store = bench.open();
    let due_ms = send(&store, 1, "x");
    let hour = level(&store, 1);
    // Put back by less than the grace: it waits, an hour and a little.
    assert_eq!(
        hour.wait_ms(due_ms, due_ms - 3_600_000 - GRACE_MS),
        3_600_000 + GRACE_MS
    );
    assert_eq!(hour.wait_ms(due_ms, due_ms - 3_600_000 - GRACE_MS - 1), 0);
    assert_eq!(
        (
            hour.wait_ms(i64::MAX, i64::MIN),
            hour.wait_ms(i64::MIN, i64::MAX)
        ),
        (0, 0)
    );
    // The level is made shorter while the message waits.
    store.close();
    drop(store);
    bench.levels = "1s".to_owned();
    let store = bench.open();
    let progress = bench.progress(&store);
    assert_eq!(
        deliver_all(&store, &progress, &level(&store, 1), due_ms - 3_600_000),
        Next::Arrival
    );
    assert_eq!(bodies(&store, "T", 2), ["x"]);
}

#[test]
fn an_address_in_the_place_of_the_time_makes_the_record_tell_it() {
    let bench = Bench::new("5s");
    let store = bench.open();
    let due_ms = send(&store, 1, "x");
    let entry = store.entries(SCHEDULE_TOPIC, 0, QueueOffset(0), 1);
    let entry = entry.first().expect("an entry");
    let extended = QueueEntry {
        tags_code: i64::MIN + 4_711,
        ..*entry
    };
    let level = level(&store, 1);
    assert_eq!(
        (level.due_ms(&store, entry), level.due_ms(&store, &extended)),
        (due_ms, due_ms)
    );
    let gone = QueueEntry {
        log_offset: LogOffset(u64::MAX),
        ..extended
    };
    assert_eq!(level.due_ms(&store, &gone), 5_000);
}

#[test]
fn what_can_never_be_delivered_is_left_out_and_the_rest_comes() {
    let bench = Bench::new("1s");
    let store = bench.open();
    let back =
        |topic: &str, queue: &str| format!("REAL_TOPIC\u{1}{topic}\u{2}REAL_QID\u{1}{queue}\u{2}");
    let bad = [
        "TAGS\u{1}x\u{2}".to_owned(),
        back("T", "x"),
        back("T", "-1"),
        back("../../T", "2"),
        back(HALF_TOPIC, "0"),
        back(SCHEDULE_TOPIC, "0"),
        back(&"t".repeat(200), "0"),
    ];
    for properties in &bad {
        let stuck = NewMessage {
            queue_id: 0,
            ..message(SCHEDULE_TOPIC, "bad", properties)
        };
        store.append(&stuck).expect("stored");
    }
    send(&store, 1, "good");
    let progress = bench.progress(&store);
    deliver_everything(&store, &progress);
    assert_eq!(progress.place(0).next, QueueOffset(bad.len() as i64 + 1));
    assert_eq!(bodies(&store, "T", 2), ["good"]);
    assert_eq!(store.topics().len(), 2, "{:?}", store.topics());
}

#[test]
fn a_store_that_takes_no_messages_for_now_loses_none_and_skips_none() {
    let bench = Bench::new("1s");
    let store = bench.open();
    let bodies_sent: Vec<String> = (0..40)
        .map(|n| format!("{n}:{}", "x".repeat(8_000)))
        .collect();
    bodies_sent
        .iter()
        .for_each(|body| _ = send(&store, 1, body));
    let progress = bench.progress(&store);
    // The log's folder is away and a file in its place: no further file of the log can be made.
    let (log, away) = (
        bench.config().commit_log_dir,
        bench.folder.path().join("away"),
    );
    fs::rename(&log, &away).expect("moved");
    fs::write(&log, "").expect("in the way");
    let one = level(&store, 1);
    assert!(matches!(
        deliver_all(&store, &progress, &one, LATE_MS),
        Next::Room(_)
    ));
    let stuck = progress.place(0).next;
    assert!(stuck < QueueOffset(40));
    assert!(matches!(
        deliver_all(&store, &progress, &one, LATE_MS),
        Next::Room(_)
    ));
    assert_eq!(progress.place(0).next, stuck);
    fs::remove_file(&log).expect("out of the way");
    fs::rename(&away, &log).expect("moved back");
    until(|| deliver_all(&store, &progress, &one, LATE_MS) == Next::Arrival);
    assert_eq!(bodies(&store, "T", 2), bodies_sent);
}

#[test]
fn a_stop_ends_a_turn_between_two_messages() {
    let bench = Bench::new("1s");
    let store = bench.open();
    (0..5).for_each(|_| _ = send(&store, 1, "x"));
    let (progress, left) = (bench.progress(&store), Cell::new(2));
    let stop = || left.replace(left.get() - 1) == 0;
    assert!(matches!(
        level(&store, 1).turn(&store, &progress, &|| LATE_MS, &stop),
        Next::Due(_)
    ));
    assert_eq!(
        (progress.place(0).next, bodies(&store, "T", 2).len()),
        (QueueOffset(2), 2)
    );
}

/// Two messages in each of 18 levels; a crash after some number of deliveries, offsets saved half way there. What was
/// appended and what was noted of it in memory are one step: nothing but the file outlives the crash.
#[test]
fn after_a_crash_between_any_two_steps_all_levels_deliver_what_was_not_recorded() {
    for crash_after in (0..=36).step_by(4) {
        let bench = Bench::new(JAVA);
        let store = bench.open();
        for number in 1..=18 {
            (0..2).for_each(|n| _ = send(&store, number, &format!("{number}-{n}")));
        }
        let progress = bench.progress(&store);
        let save_after = crash_after / 2;
        for step in 0..crash_after {
            if step == save_after {
                progress.save(&progress.snapshot().0).expect("saved");
            }
            // Round the levels: at the crash some have delivered two, some one, some none.
            let asked = Cell::new(0);
            let once = || asked.replace(asked.get() + 1) == 1;
            level(&store, step % 18 + 1).turn(&store, &progress, &|| LATE_MS, &once);
        }
        drop((store, progress)); // as a crash leaves it

        let store = bench.open();
        deliver_everything(&store, &bench.progress(&store));
        let mut came: HashMap<String, i32> = HashMap::new();
        bodies(&store, "T", 2)
            .into_iter()
            .for_each(|body| *came.entry(body).or_default() += 1);
        for step in 0..36 {
            let body = format!("{}-{}", step % 18 + 1, step / 18);
            let twice = (save_after..crash_after).contains(&step);
            assert_eq!(
                came.get(&body),
                Some(&(1 + i32::from(twice))),
                "{body}, crash after {crash_after}"
            );
        }
    }
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../compat-tests/golden/store")
        .join(name)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("made");
    for entry in fs::read_dir(from).expect("a folder") {
        let (path, to) = entry
            .map(|entry| (entry.path(), to.join(entry.file_name())))
            .expect("an entry");
        if path.is_dir() {
            copy(&path, &to);
        } else {
            fs::copy(&path, &to).expect("copied");
        }
    }
}

/// Java delivered level 1 and left two messages of two hours; from its log and its delayOffset.json it goes on here, and
/// what it had delivered itself is delivered here as there, where the file is missing.
#[test]
fn a_store_that_java_left_goes_on_here() {
    let java_offsets = golden("config/delayOffset.json");
    for (recorded, expected) in [(true, 3), (false, 4)] {
        let bench = Bench::new(JAVA);
        let mut config = bench.config();
        copy(&golden("clean"), &config.root_dir);
        config.commit_log_file_bytes = 32_768;
        (config.index_slots, config.index_entries) = (100, 400);
        if recorded {
            fs::copy(&java_offsets, bench.offsets_file()).expect("copied");
        }
        let store = Store::open(config, Arc::new(())).expect("Java's store opens");
        deliver_everything(&store, &bench.progress(&store));
        let shown = records(&store, "GoldenDelay", 0, |record| {
            let text = String::from_utf8_lossy(record.properties);
            let mut properties: Vec<String> = text.split('\u{2}').map(str::to_owned).collect();
            properties.sort();
            (
                record.body.to_vec(),
                properties,
                record.born_host.to_vec(),
                record.store_host.to_vec(),
            )
        });
        assert_eq!(shown.len(), expected);
        let bodies: Vec<_> = shown
            .iter()
            .map(|one| String::from_utf8_lossy(&one.0).into_owned())
            .collect();
        assert_eq!(bodies[bodies.len() - 2..], ["level 18", "level 99"]);
        if !recorded {
            assert_eq!(shown[1], shown[0], "Java's delivery and ours");
        }
    }
}
