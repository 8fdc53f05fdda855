//! The JSON form of a header.
//!
//! ```text
//! {"code":310,"extFields":{"a":"group","b":"topic"},"flag":0,"language":"JAVA","opaque":7,
//!  "serializeTypeCurrentRPC":"JSON","version":353}
//! ```
//!
//! One pass reads the numbers and checks `extFields`, which stay where they are (`ExtFields`). Read as fastjson reads it:
//! unknown keys are passed over, a number may be quoted, `language` may be an ordinal, a field's value may be a bare number.
//! What is written has fastjson's order and leaves nulls out. The rule that is easy to break: what is known as a whole
//! (`BEHIND_FIELDS`, short keys, short numbers) must read as the walk reads it, and anything else must be left to the walk.
//!
//! Java 4.7.0 `RemotingSerializable.encode`, `RemotingCommand.headerDecode`.

use std::ops::Range;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::code::language::Language;
use crate::command::Command;
use crate::ext_fields::ExtFields;
use crate::frame::DecodeError;
use crate::json_cursor::{Cursor, Places, Scalar};

/// What Java's clients write behind the fields of a request, up to its opaque. Key by key that would cost half as much as
/// all the fields of a send.
const BEHIND_FIELDS: &[u8] = br#","flag":0,"language":"JAVA","opaque":"#;

/// What they write behind that, which nobody reads.
const BEHIND_OPAQUE: &[u8] = br#","serializeTypeCurrentRPC":"JSON""#;

/// Fills `command` with what the JSON object in `header` says. Bytes that are no text read as U+FFFD, as in Java.
pub(crate) fn decode(mut header: Bytes, command: &mut Command) -> Result<(), DecodeError> {
    let mut cursor = Cursor::new(&header);
    let fields = read_object(&mut cursor, command).ok_or(DecodeError::JsonHeader {
        at_byte: cursor.at(),
    })?;
    if let Some((object, places)) = fields {
        header.truncate(object.end);
        header.advance(object.start);
        command.fields = ExtFields::from_checked_json(header, places);
    }
    Ok(())
}

/// Where `extFields` lie, if there are any, and where its fields lie in them.
fn read_object(
    cursor: &mut Cursor<'_>,
    command: &mut Command,
) -> Option<Option<(Range<usize>, Places)>> {
    let mut fields = None;
    while let Some(key) = cursor.next_key()? {
        match key.raw {
            b"code" => command.code = cursor.number()?,
            b"flag" => command.flag = cursor.number()?,
            b"opaque" => command.opaque = cursor.number()?,
            b"version" => command.version = cursor.number()?,
            b"language" => command.language = language(&cursor.scalar(0)?),
            b"remark" => {
                let remark = cursor.scalar(0)?;
                command.remark = (!remark.is_null()).then(|| remark.text().get().into_owned());
            }
            b"extFields" => {
                let from = cursor.skip_blanks()?;
                let places = cursor.places()?;
                fields = Some((from..cursor.at(), places));
                if cursor.pass(BEHIND_FIELDS) {
                    (command.flag, command.language) = (0, Language::JAVA);
                    command.opaque = cursor.number()?;
                    cursor.pass(BEHIND_OPAQUE);
                }
            }
            _ => {
                cursor.scalar(0)?;
            }
        }
    }
    cursor.skip_blanks().is_none().then_some(fields) // nothing may follow the object
}

fn language(value: &Scalar<'_>) -> Language {
    match value.number() {
        Some(ordinal) => u8::try_from(ordinal).map_or(Language::OTHER, Language::from_byte),
        None => Language::from_name(&value.text().get()),
    }
}

/// Appends the JSON form of `command`'s header to `out`.
pub(crate) fn encode(command: &Command, text: &mut BytesMut) {
    text.extend_from_slice(b"{\"code\":");
    push_number(text, command.code);
    let copy: ExtFields;
    let fields = match command.fields.as_written() {
        Some(fields) => fields,
        None => {
            copy = command.fields.iter().collect();
            copy.as_written().unwrap_or_default()
        }
    };
    if !fields.is_empty() {
        text.extend_from_slice(b",\"extFields\":");
        text.extend_from_slice(fields);
        text.put_u8(b'}');
    }
    text.extend_from_slice(b",\"flag\":");
    push_number(text, command.flag);
    text.extend_from_slice(b",\"language\":\"");
    text.extend_from_slice(command.language.name().as_bytes());
    text.extend_from_slice(b"\",\"opaque\":");
    push_number(text, command.opaque);
    if let Some(remark) = &command.remark {
        text.extend_from_slice(b",\"remark\":");
        push_string(text, remark);
    }
    text.extend_from_slice(b",\"serializeTypeCurrentRPC\":\"JSON\",\"version\":");
    push_number(text, command.version);
    text.put_u8(b'}');
}

fn push_number(text: &mut BytesMut, number: i32) {
    text.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Whether a byte cannot stand in a JSON string as it is.
pub(crate) fn must_escape(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// Appends `value` as a JSON string.
pub(crate) fn push_string(text: &mut impl BufMut, value: &str) {
    text.put_u8(b'"');
    let mut rest = value.as_bytes();
    // Looks at every byte without a branch between them: nearly all values have nothing to escape.
    if rest
        .iter()
        .fold(false, |any, byte| any | must_escape(*byte))
    {
        while let Some(at) = rest.iter().position(|byte| must_escape(*byte)) {
            let (plain, from) = rest.split_at(at);
            text.put_slice(plain);
            let Some((byte, behind)) = from.split_first() else {
                break;
            };
            push_escape(text, *byte);
            rest = behind;
        }
    }
    text.put_slice(rest);
    text.put_u8(b'"');
}

fn push_escape(text: &mut impl BufMut, byte: u8) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let short = match byte {
        b'"' | b'\\' => byte,
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x08 => b'b',
        0x0c => b'f',
        _ => {
            text.put_slice(b"\\u00");
            for digit in [byte >> 4, byte & 15] {
                text.put_u8(HEX.get(usize::from(digit)).copied().unwrap_or(b'0'));
            }
            return;
        }
    };
    text.put_slice(&[b'\\', short]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Command, DecodeError> {
        let mut command = Command::default();
        decode(Bytes::copy_from_slice(text.as_bytes()), &mut command).map(|()| command)
    }

    const SEND: &str = r#"{"code":310,"extFields":{"a":"g\u0001\"\u00e9","b":"Tä","e":3,"n":null},"flag":2,"language":"GO","opaque":-7,"remark":"r\ne","serializeTypeCurrentRPC":"JSON","version":353,"later":[{"x":[1,"]"]}]}"#;

    #[test]
    fn a_header_is_read_whole() {
        let command = read(SEND).expect("valid");
        assert_eq!(
            (command.code, command.flag, command.opaque, command.version),
            (310, 2, -7, 353)
        );
        assert_eq!(command.language, Language::from_name("GO"));
        assert_eq!(command.remark.as_deref(), Some("r\ne"));
        let fields: Vec<_> = command
            .fields
            .iter()
            .map(|(n, v)| format!("{n}={v}"))
            .collect();
        assert_eq!(fields, ["a=g\u{1}\"é", "b=Tä", "e=3"]);
    }

    #[test]
    fn a_header_cut_anywhere_is_refused() {
        for end in (0..SEND.len()).filter(|end| SEND.is_char_boundary(*end)) {
            assert!(
                read(&SEND[..end]).is_err(),
                "read a header cut at byte {end}"
            );
        }
        assert!(read(&format!("{SEND}x")).is_err());
    }

    #[test]
    fn quoted_numbers_ordinals_nulls_and_blanks_are_read() {
        let command = read(
            " { \"code\" : \"34\" , \"language\" : 1 , \"extFields\" : null, \"remark\":null , } ",
        );
        let command = command.expect("fastjson reads it");
        assert_eq!((command.code, command.language), (34, Language::CPP));
        assert!(command.fields.is_empty() && command.remark.is_none());
    }

    #[test]
    fn deep_nesting_is_refused_without_a_stack_overflow() {
        let deep = format!("{{\"x\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(read(&deep).is_err());
    }

    #[test]
    fn bytes_that_are_no_text_cost_a_character_and_not_the_request() {
        let mut bytes = br#"{"code":10,"extFields":{"b":"T?x"}}"#.to_vec();
        let at = bytes.iter().position(|byte| *byte == b'?').expect("there");
        bytes[at] = 0xff;
        let mut command = Command::request(0);
        decode(bytes.into(), &mut command).expect("read");
        assert_eq!(command.fields.get("b").as_deref(), Some("T\u{FFFD}x"));
    }

    #[test]
    fn a_header_that_is_no_text_reads_as_its_text_would_wherever_it_is_broken() {
        for (at, byte) in
            (0..SEND.len()).flat_map(|at| [0x80, 0xc3, 0xe2, 0xff].map(|byte| (at, byte)))
        {
            let mut bytes = SEND.as_bytes().to_vec();
            bytes[at] = byte;
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let all = |command: Command| {
                let numbers = (command.code, command.flag, command.version);
                (numbers, command.language, command.remark, command.fields)
            };
            let mut command = Command::default();
            let seen = decode(bytes.into(), &mut command).map(|()| all(command));
            assert_eq!(seen.ok(), read(&text).map(all).ok(), "{text}");
        }
    }

    #[test]
    fn what_is_known_as_a_whole_reads_as_key_by_key() {
        const JAVA: &str = r#"{"code":310,"extFields":{"a":"g","d":"4"},"flag":0,"language":"JAVA","opaque":71,"serializeTypeCurrentRPC":"JSON","version":353}"#;
        let all = |command: Command| {
            let numbers = (command.code, command.flag, command.opaque, command.version);
            (numbers, command.language, command.fields)
        };
        let behind = JAVA.find('}').expect("there") + 1;
        let header = read(JAVA).map(all).expect("valid");
        assert_eq!(header.0, (310, 0, 71, 353));
        for (at, byte) in
            (behind..JAVA.len()).flat_map(|at| b"\"\\,:{} x-0".map(|byte| (at, char::from(byte))))
        {
            let mut text = JAVA.to_owned();
            text.replace_range(at..=at, byte.encode_utf8(&mut [0]));
            let mut by_key = text.clone();
            by_key.insert(behind, ' ');
            let (seen, expected) = (read(&text).map(all), read(&by_key).map(all));
            assert_eq!(seen.ok(), expected.ok(), "{text}");
        }
    }

    #[test]
    fn a_number_reads_alike_whatever_follows_it() {
        let numbers = [
            "7",
            "-7",
            "+7",
            "007",
            "",
            "x",
            "7x",
            "7-",
            "7.0",
            "123456789",
            "1234567890",
            "2147483647",
            "2147483648",
            "-2147483648",
            "00000000012",
            "\"7\"",
            "null",
            "true",
        ];
        for number in numbers {
            let codes = ["", " ", ",", " ,"].map(|behind| {
                let command = read(&format!("{{\"code\":{number}{behind}}}"));
                command.ok().map(|command| command.code)
            });
            let expected = number.trim_matches('"').parse::<i32>().ok();
            assert_eq!(codes, [expected; 4], "{number}");
        }
    }

    #[test]
    fn as_many_fields_as_come_are_read() {
        for count in [0, 1, 13, 14, 15, 40] {
            let field = |n| format!("\"k{n}\\u0041\":\"v{n}\\u0001é\",\"none{n}\":null");
            let fields: Vec<_> = (0..count).map(field).collect();
            let text = format!("{{\"code\":1,\"extFields\":{{{}}}}}", fields.join(","));
            let command = read(&text).expect("valid");
            let seen: Vec<_> = command.fields.iter().collect();
            let expected = |n| (format!("k{n}A").into(), format!("v{n}\u{1}é").into());
            assert_eq!(seen, (0..count).map(expected).collect::<Vec<_>>());
        }
    }

    #[test]
    fn fields_of_any_size_are_read() {
        for bytes in [255, 256, 65_535, 65_536, 200_000] {
            let (key, value) = ("k".repeat(bytes.min(300)), "é".repeat(bytes / 2));
            let text = format!("{{\"extFields\":{{\"{key}\":\"{value}\",\"last\":\"1\"}}}}");
            let fields = read(&text).expect("valid").fields;
            assert_eq!(fields.get(&key).as_deref(), Some(&*value));
            assert_eq!(fields.get("last").as_deref(), Some("1"));
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        let mut command = Command::request(10);
        command.remark = Some("a \"b\" \\ \u{1}\u{8} é".into());
        command.fields.push("k\"", "v\n\u{2}");
        let mut text = BytesMut::new();
        encode(&command, &mut text);
        let back = read(std::str::from_utf8(&text).expect("text")).expect("valid");
        assert_eq!((back.remark, back.fields), (command.remark, command.fields));
    }
}
