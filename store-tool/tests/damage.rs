//! A store that Java wrote is sound as it is; each kind of damage to a copy is found and named.

mod support;

use std::path::{Path, PathBuf};

use serde_json::Value;
use support::{Checked, check, contents, copy_of, edit, flip, golden, overwrite};

/// A message of the golden store.
#[derive(Clone, Debug)]
struct Message {
    at: u64,
    topic: String,
    queue: u64,
    number: u64,
}

fn messages() -> Vec<Message> {
    let text = std::fs::read_to_string(golden("clean.expected.json")).expect("there");
    let expected: Value = serde_json::from_str(&text).expect("JSON");
    let field = |message: &Value, name: &str| message.get(name).and_then(Value::as_u64);
    let message = |message: &Value| Message {
        at: field(message, "physicalOffset").expect("number"),
        topic: message
            .get("topic")
            .and_then(Value::as_str)
            .expect("text")
            .to_owned(),
        queue: field(message, "queueId").expect("number"),
        number: field(message, "queueOffset").expect("number"),
    };
    let list = expected.get("messages").and_then(Value::as_array);
    list.expect("list").iter().map(message).collect()
}

const LOG_FILE_BYTES: u64 = 32_768;
const QUEUE_FILE_BYTES: u64 = 2_000;
const SLOTS: u64 = 100;

/// Number `number` of queue 0 of the topic that fills the files.
fn fill(number: u64) -> Message {
    let of = |message: &Message| {
        message.topic == "GoldenFill" && message.queue == 0 && message.number == number
    };
    messages().into_iter().find(of).expect("there")
}

fn log_file(root: &Path, at: u64) -> (PathBuf, u64) {
    let base = at - at % LOG_FILE_BYTES;
    (root.join(format!("commitlog/{base:020}")), at - base)
}

fn queue_file(root: &Path, message: &Message) -> (PathBuf, u64) {
    let at = message.number * 20;
    let base = at - at % QUEUE_FILE_BYTES;
    let dir = format!(
        "consumequeue/{}/{}/{base:020}",
        message.topic, message.queue
    );
    (root.join(dir), at - base)
}

fn index_file(root: &Path, n: usize) -> PathBuf {
    support::files(&root.join("index")).swap_remove(n)
}

fn index_entry(number: u64) -> u64 {
    40 + SLOTS * 4 + number * 20
}

/// Damages a copy of Java's store, and sees that this is found: kind, file, place.
#[track_caller]
fn assert_found(kind: &str, damage: impl FnOnce(&Path) -> (PathBuf, Option<u64>)) -> Checked {
    let root = copy_of("clean");
    let (file, at) = damage(root.path());
    let before = contents(root.path());
    let checked = check(root.path(), &[]);
    assert_eq!(checked.exit, 1, "{checked:#?}");
    let file = file
        .strip_prefix(root.path())
        .expect("below")
        .display()
        .to_string();
    let is_it = |finding: &Value| {
        let text = |field| finding.get(field).and_then(Value::as_str);
        let same = (text("weight"), text("kind"), text("file"))
            == (Some("damage"), Some(kind), Some(&file));
        same && (at.is_none() || finding.get("at").and_then(Value::as_u64) == at)
    };
    assert!(
        checked.findings().iter().any(is_it),
        "no {kind} at {file} {at:?}: {:#?}",
        checked.report
    );
    assert!(before == contents(root.path()), "the store was changed");
    checked
}

#[test]
fn stores_that_java_wrote_are_sound_and_left_as_they_are() {
    for name in ["clean", "killed"] {
        let root = copy_of(name);
        let before = contents(root.path());
        let checked = check(root.path(), &[]);
        assert_eq!((checked.exit, checked.findings()), (0, vec![]), "{name}");
        assert!(before == contents(root.path()), "{name} was changed");
    }
    let clean = check(&golden("clean"), &[]).report;
    let counts = &clean["counts"];
    assert_eq!(
        (&counts["messages"], &counts["log_end"]),
        (&207.into(), &110_655.into())
    );
    assert_eq!(
        (&counts["queue_entries"], &counts["index_entries"]),
        (&205.into(), &565.into())
    );
}

#[test]
fn a_bit_of_a_body() {
    assert_found("body-crc", |root| {
        let (file, at) = log_file(root, fill(50).at);
        flip(&file, at + 88);
        (file, Some(at))
    });
}

#[test]
fn the_size_of_a_record() {
    for bytes in [
        [0, 0, 0, 1],
        [0, 0, 1, 0xFF],
        [0x7F, 0xFF, 0xFF, 0xFF],
        [0xFF; 4],
    ] {
        let checked = assert_found("log-record", |root| {
            let (file, at) = log_file(root, fill(50).at);
            overwrite(&file, at, &bytes);
            (file, Some(at))
        });
        assert_eq!(
            checked.report["counts"]["messages"], 206,
            "went on behind it"
        );
        assert!(
            checked.kinds().contains("damage lost-message"),
            "{checked:#?}"
        );
    }
}

#[test]
fn the_magic_of_a_record() {
    assert_found("log-record", |root| {
        let (file, at) = log_file(root, fill(50).at);
        flip(&file, at + 4);
        (file, Some(at))
    });
}

#[test]
fn where_a_record_says_it_lies() {
    assert_found("log-offset", |root| {
        let (file, at) = log_file(root, fill(50).at);
        flip(&file, at + 35);
        (file, Some(at))
    });
}

#[test]
fn the_number_a_record_says_it_has() {
    assert_found("queue-offset", |root| {
        let message = fill(50);
        let (file, at) = log_file(root, message.at);
        overwrite(&file, at + 20, &51u64.to_be_bytes());
        let (file, at) = queue_file(root, &message);
        (file, Some(at))
    });
}

#[test]
fn zeros_in_the_middle_of_the_log() {
    assert_found("log-record", |root| {
        let (file, at) = log_file(root, fill(50).at);
        overwrite(&file, at, &[0; 1000]);
        (file, Some(at))
    });
}

#[test]
fn the_length_of_a_filler() {
    assert_found("filler", |root| {
        let file = root.join(format!("commitlog/{:020}", 0));
        overwrite(&file, 32_142, &627u32.to_be_bytes());
        (file, Some(32_142))
    });
}

#[test]
fn the_last_record_of_all() {
    let checked = assert_found("past-the-log", |root| {
        let last = messages().pop().expect("some");
        let (file, at) = log_file(root, last.at);
        flip(&file, at + 4);
        let (file, at) = queue_file(root, &last);
        (file, Some(at))
    });
    assert!(checked.kinds().contains("note log-tail"), "{checked:#?}");
}

#[test]
fn a_log_file_that_is_missing_or_has_another_length() {
    let checked = assert_found("file-missing", |root| {
        std::fs::remove_file(root.join(format!("commitlog/{:020}", 32_768))).expect("removed");
        (root.join(format!("commitlog/{:020}", 65_536)), None)
    });
    assert!(
        checked.kinds().contains("damage lost-message"),
        "{checked:#?}"
    );
    for bytes in [20_000, 40_000] {
        assert_found("file-size", |root| {
            let file = root.join(format!("commitlog/{:020}", 32_768));
            edit(&file, |content| content.resize(bytes, 0));
            (file, None)
        });
    }
}

#[test]
fn an_entry_that_points_elsewhere_or_past_the_log() {
    for (kind, to) in [
        ("entry-place", fill(48).at),
        ("entry-place", fill(53).at),
        ("entry-place", 5),
        ("past-the-log", 5_000_000),
    ] {
        let checked = assert_found(kind, |root| {
            let (file, at) = queue_file(root, &fill(50));
            overwrite(&file, at, &to.to_be_bytes());
            (file, Some(at))
        });
        assert!(
            checked
                .text
                .contains(&format!("its message lies at {}", fill(50).at)),
            "{checked:#?}"
        );
    }
}

#[test]
fn an_entry_that_cannot_be_one() {
    assert_found("entry", |root| {
        let (file, at) = queue_file(root, &fill(50));
        overwrite(&file, at, &[0xFF; 8]);
        (file, Some(at))
    });
}

#[test]
fn an_entry_that_is_missing() {
    for blank in [[0; 20], store::inspect::Entry::BLANK.encode()] {
        assert_found("no-entry", |root| {
            let (file, at) = queue_file(root, &fill(50));
            overwrite(&file, at, &blank);
            (file, Some(at))
        });
    }
}

#[test]
fn an_entry_that_is_there_twice() {
    assert_found("entry-place", |root| {
        let (file, at) = queue_file(root, &fill(50));
        edit(&file, |content| {
            content.copy_within(at as usize - 20..at as usize, at as usize)
        });
        (file, Some(at))
    });
}

#[test]
fn size_and_tags_code_of_an_entry() {
    for (kind, byte) in [("entry-size", 11), ("tags-code", 19)] {
        assert_found(kind, |root| {
            let (file, at) = queue_file(root, &fill(50));
            flip(&file, at + byte);
            (file, Some(at))
        });
    }
}

#[test]
fn a_queue_file_that_is_missing_or_has_another_length() {
    assert_found("no-entry", |root| {
        let dir = root.join("consumequeue/GoldenFill/0");
        std::fs::remove_file(dir.join(format!("{:020}", 2000))).expect("removed");
        (dir.join(format!("{:020}", 0)), Some(2000))
    });
    for bytes in [1990, 2020] {
        assert_found("file-size", |root| {
            let file = root.join(format!("consumequeue/GoldenFill/1/{:020}", 0));
            edit(&file, |content| content.resize(bytes, 0));
            (file, None)
        });
    }
}

#[test]
fn a_queue_without_its_folder() {
    assert_found("no-queue", |root| {
        let dir = root.join("consumequeue/GoldenFill/1");
        std::fs::remove_dir_all(&dir).expect("removed");
        (dir, None)
    });
}

#[test]
fn the_header_of_an_index_file() {
    for (at, bytes) in [(16, [0x11; 8]), (24, [0; 8]), (32, [0x11; 8])] {
        assert_found("index-header", |root| {
            let file = index_file(root, 0);
            overwrite(&file, at, &bytes);
            (file, None)
        });
    }
}

#[test]
fn slots_and_chains_of_the_index() {
    for slot in [u32::MAX, 399, 0] {
        assert_found("index-slot", |root| {
            let file = index_file(root, 0);
            overwrite(&file, 40 + 5 * 4, &slot.to_be_bytes());
            (file, Some(40 + 5 * 4))
        });
    }
    for previous in [u32::MAX, 200, 7] {
        assert_found("index-chain", |root| {
            let file = index_file(root, 0);
            overwrite(&file, index_entry(200) + 16, &previous.to_be_bytes());
            (file, Some(index_entry(200)))
        });
    }
}

#[test]
fn an_index_entry_under_another_hash_place_or_time() {
    let changed = |kind, field: u64, bytes: &[u8]| {
        assert_found(kind, |root| {
            let file = index_file(root, 0);
            overwrite(&file, index_entry(200) + field, bytes);
            (file, Some(index_entry(200)))
        })
    };
    changed("index-entry", 0, &[1, 2, 3, 4]);
    changed("index-order", 4, &5u64.to_be_bytes());
    changed("index-order", 4, &5_000_000u64.to_be_bytes());
    changed("index-time", 12, &[0, 0, 9, 9]);
}

#[test]
fn an_index_file_of_another_length() {
    assert_found("file-size", |root| {
        let file = index_file(root, 1);
        edit(&file, |content| content.resize(8440 - 20, 0));
        (file, None)
    });
}

#[test]
fn a_checkpoint_that_cannot_be_or_is_ahead_of_the_log() {
    for (at, bytes) in [
        (0, [0xFF; 8]),
        (0, [0x7F; 8]),
        (8, [0x7F; 8]),
        (16, [0x7F; 8]),
    ] {
        assert_found("checkpoint", |root| {
            let file = root.join("checkpoint");
            overwrite(&file, at, &bytes);
            (file, Some(at))
        });
    }
    assert_found("checkpoint", |root| {
        let file = root.join("checkpoint");
        edit(&file, |content| content.truncate(100));
        (file, None)
    });
}

#[test]
fn a_table_that_cannot_be_read() {
    for (content, backup, says) in [
        ("{\"offsetTable\":{", None, "there is no .bak"),
        ("", Some("{}"), "takes its .bak"),
        ("x", Some("x"), "so is its .bak"),
    ] {
        let checked = assert_found("config", |root| {
            support::copy(&golden("config"), &root.join("config"));
            let file = root.join("config/consumerOffset.json");
            std::fs::write(&file, content).expect("written");
            if let Some(backup) = backup {
                std::fs::write(root.join("config/consumerOffset.json.bak"), backup)
                    .expect("written");
            }
            (file, None)
        });
        assert!(checked.text.contains(says), "{checked:#?}");
        assert_eq!(checked.report["counts"]["config_files"], 6);
    }
}

#[test]
fn every_bit_of_the_first_records_is_watched_or_said_to_be_free() {
    // Flag, most of the system flag, born time and host, the milliseconds of the store time, store host, reconsume times and prepared offset are told by nothing else.
    let free = [16..20, 36..39, 40..56, 62..84];
    let root = copy_of("clean");
    let (file, at) = log_file(root.path(), fill(50).at);
    for byte in 0..91u64 {
        flip(&file, at + byte);
        let exit = check(root.path(), &[]).exit;
        let is_free = free.iter().any(|range| range.contains(&byte));
        assert!(exit == 1 || is_free, "byte {byte} may be anything");
        flip(&file, at + byte);
    }
}

#[test]
fn files_with_names_that_cannot_be_do_no_harm() {
    for dir in ["commitlog", "consumequeue/GoldenFill/0"] {
        for name in [
            "18446744073709551615",
            "09223372036854775807",
            "00000000000000000007",
            "99999999999999999999",
        ] {
            let root = copy_of("clean");
            std::fs::write(root.path().join(dir).join(name), vec![1; 32_768]).expect("written");
            let checked = check(root.path(), &[]);
            assert!([0, 1].contains(&checked.exit), "{dir} {name}: {checked:#?}");
            assert!(checked.text.contains(name), "{dir} {name}: {checked:#?}");
        }
    }
}
