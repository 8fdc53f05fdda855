//! The JSON form of a header.
//!
//! ```text
//! {"code":310,"extFields":{"a":"group","b":"topic"},"flag":0,"language":"JAVA","opaque":7,
//!  "serializeTypeCurrentRPC":"JSON","version":353}
//! ```
//!
//! The text is checked to be UTF-8 once, as a whole; then one pass reads the numbers and checks the text of `extFields`,
//! which stays where it is (`ExtFields`). Read as
//! fastjson reads it: unknown keys are passed over, a number may be quoted, `language` may be an ordinal, a field's
//! value may be a bare number. What is written has fastjson's order and leaves nulls out.
//!
//! Java 4.7.0 `RemotingSerializable.encode`, `RemotingCommand.headerDecode`.

use bytes::{BufMut, Bytes, BytesMut};

use crate::code::language::Language;
use crate::command::Command;
use crate::ext_fields::ExtFields;
use crate::frame::DecodeError;
use crate::json_cursor::{Cursor, Scalar};

/// Fills `command` with what the JSON object in `header` says. Bytes that are no text read as U+FFFD, as in Java.
pub(crate) fn decode(header: &Bytes, command: &mut Command) -> Result<(), DecodeError> {
    let Ok(text) = std::str::from_utf8(header) else {
        let text = String::from_utf8_lossy(header).into_owned();
        return decode(&text.into(), command);
    };
    let mut cursor = Cursor::new(text);
    read_object(&mut cursor, header, command).ok_or(DecodeError::JsonHeader {
        at_byte: cursor.at(),
    })
}

fn read_object(cursor: &mut Cursor<'_>, header: &Bytes, command: &mut Command) -> Option<()> {
    while let Some(key) = cursor.next_key()? {
        match key.raw.as_bytes() {
            b"code" => command.code = cursor.number()?,
            b"flag" => command.flag = cursor.number()?,
            b"opaque" => command.opaque = cursor.number()?,
            b"version" => command.version = cursor.number()?,
            b"language" => command.language = language(&cursor.scalar(0)?),
            b"remark" => {
                let remark = cursor.scalar(0)?;
                command.remark = (!remark.is_null()).then(|| remark.text().into_owned());
            }
            b"extFields" => {
                let from = cursor.skip_blanks()?;
                let places = cursor.places()?;
                let object = header.slice(from..cursor.at());
                command.fields = ExtFields::from_checked_json(object, places);
            }
            _ => {
                cursor.scalar(0)?;
            }
        }
    }
    cursor.skip_blanks().is_none().then_some(()) // nothing may follow the object
}

fn language(value: &Scalar<'_>) -> Language {
    match value.number() {
        Some(ordinal) => u8::try_from(ordinal).map_or(Language::OTHER, Language::from_byte),
        None => Language::from_name(&value.text()),
    }
}

/// Appends the JSON form of `command`'s header to `out`.
pub(crate) fn encode(command: &Command, text: &mut BytesMut) {
    text.extend_from_slice(b"{\"code\":");
    push_number(text, command.code);
    let mut first = true;
    command.fields.each(|name, value| {
        text.extend_from_slice(if first { b",\"extFields\":{" } else { b"," });
        first = false;
        push_string(text, name);
        text.put_u8(b':');
        push_string(text, value);
    });
    if !first {
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
        push_string(text, remark.as_bytes());
    }
    text.extend_from_slice(b",\"serializeTypeCurrentRPC\":\"JSON\",\"version\":");
    push_number(text, command.version);
    text.put_u8(b'}');
}

fn push_number(text: &mut BytesMut, number: i32) {
    text.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Appends `value`, which is UTF-8, as a JSON string.
fn push_string(text: &mut BytesMut, value: &[u8]) {
    let must_escape = |byte: u8| byte < 0x20 || byte == b'"' || byte == b'\\';
    text.put_u8(b'"');
    let mut rest = value;
    // Looks at every byte without a branch between them: nearly all values have nothing to escape.
    if rest
        .iter()
        .fold(false, |any, byte| any | must_escape(*byte))
    {
        while let Some(at) = rest.iter().position(|byte| must_escape(*byte)) {
            let (plain, from) = rest.split_at(at);
            text.extend_from_slice(plain);
            let Some((byte, behind)) = from.split_first() else {
                break;
            };
            push_escape(text, *byte);
            rest = behind;
        }
    }
    text.extend_from_slice(rest);
    text.put_u8(b'"');
}

fn push_escape(text: &mut BytesMut, byte: u8) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let short = match byte {
        b'"' | b'\\' => byte,
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x08 => b'b',
        0x0c => b'f',
        _ => {
            text.extend_from_slice(b"\\u00");
            for digit in [byte >> 4, byte & 15] {
                text.extend(HEX.get(usize::from(digit)));
            }
            return;
        }
    };
    text.extend_from_slice(&[b'\\', short]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Command, DecodeError> {
        let mut command = Command::request(0);
        decode(&Bytes::copy_from_slice(text.as_bytes()), &mut command).map(|()| command)
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
        decode(&bytes.into(), &mut command).expect("read");
        assert_eq!(command.fields.get("b").as_deref(), Some("T\u{FFFD}x"));
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
