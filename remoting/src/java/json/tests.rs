//! Both directions against text that fastjson 1.2.62 printed: `RemotingSerializable.toJson(value, false)`
//! and `(value, true)` of `rocketmq-common` 4.7.0, on JDK 17.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{JsonError, read, write, write_pretty, write_standard};
use crate::java::dice::Dice;

fn value(text: &str) -> Result<Value, JsonError> {
    read(text.as_bytes())
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Queue {
    broker_name: String,
    perm: i32,
    order: bool,
    tps: f64,
    version: Option<i64>,
    kind: Option<Kind>,
}

#[derive(Debug, PartialEq, Deserialize)]
enum Kind {
    #[serde(rename = "SINGLE_TAG")]
    SingleTag,
}

#[test]
fn a_list_is_no_object() {
    for text in ["[]", "[1,2]", r#"["b",6]"#] {
        assert!(read::<Queue>(text.as_bytes()).is_err(), "{text}");
    }
}

#[test]
fn strings_are_escaped_as_fastjson_does() {
    let table = BTreeMap::from([("a\tb\"c\\d/e'f<>&", "v\u{1}\u{2028}\u{7f}\u{80}中")]);
    assert_eq!(
        String::from_utf8(write(&BTreeMap::from([("table", table)]))).unwrap(),
        r#"{"table":{"a\tb\"c\\d/e'f<>&":"v\u0001\u2028\u007F\u0080中"}}"#
    );
    let controls: String = ('\0'..='\u{10}').collect();
    assert_eq!(
        String::from_utf8(write(&controls)).unwrap(),
        r#""\u0000\u0001\u0002\u0003\u0004\u0005\u0006\u0007\b\t\n\u000B\f\r\u000E\u000F\u0010""#
    );
    let raw = "\u{2027}\u{2029}\u{202a}\u{feff}\u{ffff}/中文😀\u{a0}";
    assert_eq!(
        String::from_utf8(write(raw)).unwrap(),
        "\"\u{2027}\\u2029\u{202a}\u{feff}\u{ffff}/中文😀\u{a0}\""
    );
}

#[test]
fn the_standard_form_has_quoted_keys_and_ascii_only() {
    let table = BTreeMap::from([
        (0, Some("é/中😀<>'\u{7f}\u{1}\u{8}\t\"\\")),
        (2, None),
        (10, Some("x")),
    ]);
    let java = r#"{"0":"\u00E9\/\u4E2D\uD83D\uDE00<>'\u007F\u0001\b\t\"\\","10":"x"}"#;
    assert_eq!(String::from_utf8(write_standard(&table)).unwrap(), java);
    assert_eq!(
        value(java).unwrap(),
        serde_json::from_str::<Value>(java).unwrap()
    );
}

#[test]
fn the_pretty_form_breaks_lines_where_fastjson_does() {
    #[derive(Serialize)]
    struct Mixed {
        list: (i32, f64, bool, Option<i32>),
        numbers: BTreeMap<i32, i64>,
        empty: BTreeMap<i32, i64>,
        none: Option<i32>,
        nothing: Vec<i32>,
    }
    let mixed = Mixed {
        list: (1, 2.5, true, None),
        numbers: BTreeMap::from([(0, 12), (1, 13)]),
        empty: BTreeMap::new(),
        none: None,
        nothing: Vec::new(),
    };
    assert_eq!(
        String::from_utf8(write_pretty(&mixed)).unwrap(),
        "{\n\t\"list\":[\n\t\t1,\n\t\t2.5,\n\t\ttrue,\n\t\tnull\n\t],\n\t\"numbers\":{0:12,1:13\n\t},\n\t\"empty\":{},\n\t\"nothing\":[]\n}"
    );
}

#[test]
fn fastjsons_liberties_are_read() {
    for (text, meant) in [
        (r#"{0:"a",10:"b"}"#, json!({"0": "a", "10": "b"})),
        (r#"{'a':'it\'s',b:1}"#, json!({"a": "it's", "b": 1})),
        (r#"{"a":[1,2,,3,],,}"#, json!({"a": [1, 2, 3]})),
        (
            r#"{"a":"\x41\u0042\/\v\7\ud83d\ude00\ud83d"}"#,
            json!({"a": "AB/\u{b}\u{7}😀\u{fffd}"}),
        ),
        ("{\"a\":\"raw\ttab\nline\"}", json!({"a": "raw\ttab\nline"})),
        (
            r#"{"a":null,"b":[null,1.5e3,-2]}"#,
            json!({"b": [null, 1500.0, -2]}),
        ),
        (" \t\r\n{ \"a\" : true } ", json!({"a": true})),
        (r#"{"a":01,"b":+1}"#, json!({"a": 1, "b": 1})),
        ("18446744073709551615", json!(u64::MAX)),
    ] {
        assert_eq!(value(text).unwrap(), meant, "{text}");
    }
}

#[test]
fn what_fastjson_refuses_is_refused() {
    for text in [
        "",
        " ",
        "nul",
        "{",
        "{\"a\":1",
        "[1 2]",
        "{\"a\":1 \"b\":2}",
        "{\"a\":1;\"b\":2}",
        "{\"a\":TRUE}",
        "{\"a\":.5}",
        "{\"table\":{}} trailing",
        "{\"a\"}",
        "{:1}",
        "\"\\",
        "\"\\q\"",
        "\"\\u12\"",
        "{\"a\":]",
        "[}",
    ] {
        assert!(value(text).is_err(), "accepted {text}");
    }
}

#[test]
fn scalars_become_what_the_type_asks_for() {
    let queue = |text: &str| read::<Queue>(text.as_bytes()).map_err(|error| error.to_string());
    let perm = |perm| {
        Ok(Queue {
            perm,
            ..Queue::default()
        })
    };
    assert_eq!(queue(r#"{"perm":"6"}"#), perm(6));
    assert_eq!(queue(r#"{"perm":6.7}"#), perm(6));
    assert_eq!(queue(r#"{"perm":null}"#), perm(0));
    assert_eq!(queue(r#"{"perm":true}"#), perm(1));
    assert!(queue(r#"{"perm":99999999999}"#).is_err());
    assert!(queue(r#"{"perm":1e300}"#).is_err());
    assert!(queue(r#"{"perm":"x"}"#).is_err());
    assert!(queue(r#"{"perm":[6]}"#).is_err());
    assert_eq!(queue(r#"{"brokerName":5}"#).unwrap().broker_name, "5");
    assert_eq!(queue(r#"{"brokerName":true}"#).unwrap().broker_name, "true");
    for (text, order) in [
        ("true", true),
        ("\"true\"", true),
        ("1", true),
        ("\"0\"", false),
        ("0", false),
    ] {
        assert_eq!(
            queue(&format!("{{\"order\":{text}}}")).unwrap().order,
            order
        );
    }
    assert_eq!(
        queue(r#"{"tps":"1.5","version":"7","kind":"SINGLE_TAG"}"#)
            .unwrap()
            .version,
        Some(7)
    );
    assert!(queue(r#"{"kind":"NOPE"}"#).is_err());
    assert_eq!(queue(r#"{"more":{{"x":[{}]}:{1:2}},"perm":4}"#), perm(4));
    assert_eq!(
        read::<BTreeMap<i64, String>>(br#"{"0":"a",1:"b"}"#),
        read(br#"{0:"a","1":"b"}"#)
    );
}

#[test]
fn objects_are_written_and_read_as_keys() {
    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Key {
        broker_name: String,
        queue_id: i32,
    }
    let key = |queue_id| Key {
        broker_name: "b".into(),
        queue_id,
    };
    let table = BTreeMap::from([("offsetTable", BTreeMap::from([(key(0), 1), (key(1), 2)]))]);
    let java =
        r#"{"offsetTable":{{"brokerName":"b","queueId":0}:1,{"brokerName":"b","queueId":1}:2}}"#;
    assert_eq!(String::from_utf8(write(&table)).unwrap(), java);
    assert_eq!(
        read::<BTreeMap<String, BTreeMap<Key, i64>>>(java.as_bytes()).unwrap()["offsetTable"]
            [&key(1)],
        2
    );
    assert_eq!(
        String::from_utf8(write_pretty(&table)).unwrap(),
        "{\n\t\"offsetTable\":{{\n\t\t\t\"brokerName\":\"b\",\n\t\t\t\"queueId\":0\n\t\t}:1,{\n\t\t\t\"brokerName\":\"b\",\n\t\t\t\"queueId\":1\n\t\t}:2\n\t}\n}"
    );
    assert!(serde_json::from_slice::<Value>(&write_standard(&table)).is_ok());
}

#[test]
fn references_stand_for_what_they_name() {
    for (text, meant) in [
        (
            r#"{"a.b":{"x":1},"c":{"$ref":"$.a\\.b"}}"#,
            json!({"a.b": {"x": 1}, "c": {"x": 1}}),
        ),
        (
            r#"{"d":{9:{"y":2},10:{"$ref":"$.d[9]"}}}"#,
            json!({"d": {"9": {"y": 2}, "10": {"y": 2}}}),
        ),
        (
            r#"{"l":[[1],[2]],"m":{"$ref":"$.l[1]"}}"#,
            json!({"l": [[1], [2]], "m": [2]}),
        ),
        (
            r#"{"a":{"x":1},"b":[{"$ref":"$.a"}],"c":{"$ref":"$.b[0]"}}"#,
            json!({"a": {"x": 1}, "b": [{"x": 1}], "c": {"x": 1}}),
        ),
    ] {
        assert_eq!(value(text), Ok(meant), "{text}");
    }
    let keyed: BTreeMap<String, Vec<i32>> = read(br#"{"a":[3],"b":{"$ref":"$.a"}}"#).unwrap();
    assert_eq!(keyed["b"], [3]);
}

#[test]
fn references_to_nothing_or_into_themselves_are_refused() {
    for path in [
        "$",
        "@",
        "..",
        "",
        "$.b",
        "$.a",
        "$.l[9]",
        "$.l.x",
        "$[0",
        "$x",
        "$.l[0][0]",
        "$.c\\\\",
    ] {
        let text = format!(r#"{{"a":{{"$ref":"{path}"}},"l":[1]}}"#);
        assert!(value(&text).is_err(), "followed {path}");
    }
    assert_eq!(value(r#"{"$ref":5}"#).unwrap(), json!({"$ref": 5}));
}

#[test]
fn references_cannot_make_a_short_text_long() {
    // Every list holds the one before twice: followed to the end, 2^40 items.
    let mut text = String::from(r#"{"a0":[1,1]"#);
    for level in 1..40 {
        let before = format!(r#"{{"$ref":"$.a{}"}}"#, level - 1);
        text.push_str(&format!(r#","a{level}":[{before},{before}]"#));
    }
    text.push('}');
    assert!(matches!(value(&text), Err(JsonError::Reference { .. })));
}

#[test]
fn depth_is_bounded() {
    for open in ["[", "{\"a\":", "{{\"a\":1}:", "{"] {
        let text = open.repeat(100_000);
        assert!(value(&text).is_err());
        assert!(read::<Queue>(format!("{{\"x\":{text}").as_bytes()).is_err());
        assert!(read::<Queue>(text.as_bytes()).is_err());
    }
    assert!(matches!(
        value(&"[".repeat(100)),
        Err(JsonError::TooDeep { at: 64 })
    ));
    assert!(value(&format!("{}{}", "[".repeat(64), "]".repeat(64))).is_ok());
}

/// Any JSON without `null`, which objects drop.
fn random(dice: &mut Dice, depth: usize) -> Value {
    let text = |dice: &mut Dice| -> String {
        (0..dice.below(6))
            .filter_map(|_| char::from_u32(dice.below(0x3000) as u32))
            .collect()
    };
    match dice.below(if depth > 4 { 4 } else { 6 }) {
        0 => json!(dice.below(2) == 0),
        1 => json!(dice.roll() as i64),
        2 => json!(dice.below(1000) as f64 / 8.0),
        3 => json!(text(dice)),
        4 => (0..dice.below(5))
            .map(|_| random(dice, depth + 1))
            .collect(),
        _ => (0..dice.below(5))
            .map(|_| (text(dice), random(dice, depth + 1)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
    }
}

#[test]
fn what_is_written_is_read_in_every_form() {
    let mut dice = Dice::new(1);
    for round in 0..2000 {
        let any = random(&mut dice, 0);
        for text in [write(&any), write_pretty(&any), write_standard(&any)] {
            assert_eq!(
                read::<Value>(&text),
                Ok(any.clone()),
                "round {round}: {}",
                String::from_utf8_lossy(&text)
            );
        }
        assert_eq!(
            serde_json::from_slice::<Value>(&write_standard(&any)).unwrap(),
            any,
            "round {round}"
        );
    }
}

#[test]
fn damaged_text_never_panics() {
    let mut dice = Dice::new(2);
    let text = br#"{"a":{"x":[1,"\u0041\ud83d\ude00",null,true]},"b":{"$ref":"$.a.x[0]"},{"q":0}:1,7:'y',}"#;
    for _ in 0..5000 {
        let damaged = dice.damage(text);
        let _ = read::<Value>(&damaged);
        let _ = read::<Queue>(&damaged);
        let _ = read::<BTreeMap<String, BTreeMap<i64, String>>>(&damaged);
    }
}
