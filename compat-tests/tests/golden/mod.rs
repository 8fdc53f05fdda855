//! The files under `golden/`, made by Java 4.7.0; `golden/README.md` says what each is.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// A path below `golden/`.
pub(crate) fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("golden")
        .join(name)
}

/// The bytes of a hex dump.
pub(crate) fn hex_file(name: &str) -> Vec<u8> {
    let text = std::fs::read_to_string(path(name)).expect("a golden file");
    hex(&text)
}

/// Pairs of hex digits, white space left out.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| u8::try_from(c.to_digit(16).expect("a hex digit")).expect("below 16"))
        .collect();
    assert!(digits.len().is_multiple_of(2), "half a byte");
    digits
        .chunks_exact(2)
        .map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit))
        .collect()
}

/// A JSON file.
pub(crate) fn json_file(name: &str) -> Value {
    let text = std::fs::read(path(name)).expect("a golden file");
    serde_json::from_slice(&text).expect("standard JSON")
}

/// A whole number of a fact.
pub(crate) fn int(fact: &Value, name: &str) -> i64 {
    fact.get(name)
        .and_then(Value::as_i64)
        .unwrap_or_else(|| panic!("no number {name} in {fact}"))
}

/// A text of a fact.
pub(crate) fn text<'a>(fact: &'a Value, name: &str) -> &'a str {
    fact.get(name)
        .and_then(Value::as_str)
        .unwrap_or_else(|| panic!("no text {name} in {fact}"))
}

/// A list of a fact.
pub(crate) fn list<'a>(fact: &'a Value, name: &str) -> &'a [Value] {
    fact.get(name)
        .and_then(Value::as_array)
        .unwrap_or_else(|| panic!("no list {name}"))
}
