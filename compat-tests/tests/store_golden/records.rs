//! Single records: Java's bytes survive, every cut is refused.

use std::fs;

use serde_json::Value;
use store::Record;

use crate::golden::{hex, hex_file, int, json_file, list, path, text};

#[test]
fn every_record_of_javas_decodes_and_every_cut_of_it_is_refused() {
    let mut records = 0;
    for file in fs::read_dir(path("store/records")).expect("a folder") {
        let name = file.expect("a file").file_name();
        let name = format!("store/records/{}", name.to_string_lossy());
        let bytes = hex_file(&name);
        let mut rest = &*bytes;
        while !rest.is_empty() {
            let record = Record::decode(rest).unwrap_or_else(|error| panic!("{name}: {error}"));
            record.check_body().expect("intact");
            let (whole, behind) = rest.split_at(record.record_bytes as usize);
            for cut in 0..whole.len() {
                let part = whole.get(..cut).expect("within the record");
                assert!(Record::decode(part).is_err(), "{name} cut at byte {cut}");
            }
            rest = behind;
            records += 1;
        }
    }
    assert!(records > 30, "{records} records");
}

/// The records of pull and query replies lie behind each other as the store writes them.
#[test]
fn records_in_replies_decode_to_what_java_saw() {
    let manifest = json_file("wire/manifest.json");
    let mut records = 0;
    for facts in manifest.as_array().expect("a list") {
        if facts.get("messages").is_none() {
            continue;
        }
        let body = hex(text(facts, "bodyHex"));
        let mut rest = &*body;
        for facts in list(facts, "messages") {
            let record = Record::decode(rest).expect("Java wrote it whole");
            assert_fields(&record, facts);
            rest = rest
                .get(record.record_bytes as usize..)
                .expect("within the body");
            records += 1;
        }
        assert!(rest.is_empty(), "{}", text(facts, "name"));
    }
    assert!(records > 5, "{records} records");
}

fn assert_fields(record: &Record<'_>, facts: &Value) {
    record.check_body().expect("intact");
    assert_eq!(record.topic, text(facts, "topic").as_bytes());
    assert_eq!(i64::from(record.queue_id), int(facts, "queueId"));
    assert_eq!(record.queue_offset, int(facts, "queueOffset"));
    assert_eq!(record.log_offset, int(facts, "physicalOffset"));
    assert_eq!(i64::from(record.record_bytes), int(facts, "storeSize"));
    assert_eq!(i64::from(record.flag), int(facts, "flag"));
    assert_eq!(i64::from(record.sys_flag), int(facts, "sysFlag"));
    assert_eq!(record.body, hex(text(facts, "bodyHex")));
    let properties = facts.get("properties").and_then(Value::as_object);
    for (name, value) in properties.expect("every message has them") {
        let read = record.property(name.as_bytes());
        assert_eq!(read, value.as_str().map(str::as_bytes), "{name}");
    }
}
