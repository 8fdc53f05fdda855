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

use std::borrow::Cow;

use bytes::{BufMut, Bytes, BytesMut};

use crate::code::language::Language;
use crate::command::Command;
use crate::ext_fields::ExtFields;
use crate::frame::DecodeError;

/// Arrays and objects inside a value that nobody reads may be nested so deep and no deeper.
const DEPTH_LIMIT: usize = 32;

/// Fills `command` with what the JSON object in `header` says. Bytes that are no text read as U+FFFD, as in Java.
pub(crate) fn decode(header: &Bytes, command: &mut Command) -> Result<(), DecodeError> {
    let Ok(text) = std::str::from_utf8(header) else {
        let text = String::from_utf8_lossy(header).into_owned();
        return decode(&text.into(), command);
    };
    let mut cursor = Cursor::new(text);
    read_object(&mut cursor, header, command).ok_or(DecodeError::JsonHeader { at_byte: cursor.at })
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
                cursor.check_fields()?;
                command.fields = ExtFields::from_checked_json(header.slice(from..cursor.at));
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

/// A place in JSON text. Its methods return `None` where the text is not what they read.
#[doc(hidden)]
#[derive(Clone)]
pub struct Cursor<'a> {
    text: &'a str,
    at: usize,
    /// Whether the brace of the object that is being walked over lies behind.
    inside: bool,
}

/// A string, a number, `true`, `false`, `null`, or the text of an object or array that nobody reads.
struct Scalar<'a> {
    /// Without its quotes, escapes not yet undone.
    raw: &'a str,
    quoted: bool,
    escaped: bool,
}

impl<'a> Scalar<'a> {
    #[inline(always)]
    fn is_null(&self) -> bool {
        !self.quoted && self.raw == "null"
    }

    fn number(&self) -> Option<i32> {
        self.raw.parse().ok()
    }

    fn text(&self) -> Cow<'a, str> {
        if self.escaped {
            Cow::Owned(unescape(self.raw))
        } else {
            Cow::Borrowed(self.raw)
        }
    }
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(text: &'a str) -> Cursor<'a> {
        Cursor {
            text,
            at: 0,
            inside: false,
        }
    }

    /// The next field of a checked object; values that are null are not fields.
    pub(crate) fn next_field(&mut self) -> Option<(Cow<'a, str>, Cow<'a, str>)> {
        loop {
            let key = self.next_key()??;
            let value = self.scalar(0)?;
            if !value.is_null() {
                return Some((key.text(), value.text()));
            }
        }
    }

    fn check_fields(&mut self) -> Option<()> {
        if self.peek()? == b'n' {
            return self.scalar(0)?.is_null().then_some(());
        }
        let mut walk = Cursor {
            text: self.text,
            at: self.at,
            inside: false,
        };
        while walk.next_key()?.is_some() {
            walk.scalar(0)?;
        }
        self.at = walk.at;
        Some(())
    }

    /// The next key of the object, its colon passed; `Some(None)` when the object ends here. Inlined, as what it calls:
    /// a walk over a header is some fifty strings of a few bytes, and calls would be most of its cost.
    #[inline(always)]
    fn next_key(&mut self) -> Option<Option<Scalar<'a>>> {
        self.skip_blanks()?;
        if !self.inside {
            self.take(b'{')?;
            self.inside = true;
        } else if self.peek()? == b',' {
            self.at += 1;
        } else {
            self.take(b'}')?;
            return Some(None);
        }
        self.skip_blanks()?;
        if self.peek()? == b'}' {
            self.at += 1;
            return Some(None); // an empty object, or fastjson's leave for a comma before the brace
        }
        let key = self.string()?;
        self.skip_blanks()?;
        self.take(b':')?;
        Some(Some(key))
    }

    fn number(&mut self) -> Option<i32> {
        self.scalar(0)?.number()
    }

    #[inline(always)]
    fn scalar(&mut self, depth: usize) -> Option<Scalar<'a>> {
        self.skip_blanks()?;
        if self.peek()? == b'"' {
            self.string()
        } else {
            self.bare(depth)
        }
    }

    /// A value that is no string.
    fn bare(&mut self, depth: usize) -> Option<Scalar<'a>> {
        let from = self.at;
        match self.peek()? {
            b'{' | b'[' => self.skip_nested(depth)?,
            _ => {
                let rest = self.text.as_bytes().get(from..)?;
                // Numbers, `true`, `false`, `null`; whatever else follows must be a comma or an end.
                let word = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'+' | b'.');
                let length = rest.iter().position(|b| !word(b));
                self.at = from + length.unwrap_or(rest.len());
            }
        }
        let raw = self.text.get(from..self.at)?;
        (!raw.is_empty()).then_some(Scalar {
            raw,
            quoted: false,
            escaped: false,
        })
    }

    fn skip_nested(&mut self, depth: usize) -> Option<()> {
        if depth == DEPTH_LIMIT {
            return None;
        }
        let end = if self.peek()? == b'{' { b'}' } else { b']' };
        self.at += 1;
        loop {
            self.skip_blanks()?;
            match self.peek()? {
                byte if byte == end => {
                    self.at += 1;
                    return Some(());
                }
                b',' | b':' => self.at += 1,
                _ => {
                    self.scalar(depth + 1)?;
                }
            }
        }
    }

    #[inline(always)]
    fn string(&mut self) -> Option<Scalar<'a>> {
        self.take(b'"')?;
        let from = self.at;
        let mut escaped = false;
        loop {
            self.at += quote_or_backslash(self.text.as_bytes().get(self.at..)?)?;
            if self.peek()? == b'"' {
                break;
            }
            escaped = true;
            self.at += 2; // the backslash and what it stands before
        }
        let raw = self.text.get(from..self.at)?;
        self.at += 1;
        Some(Scalar {
            raw,
            quoted: true,
            escaped,
        })
    }

    #[inline(always)]
    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    #[inline(always)]
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Where the next byte that is no blank stands; `None` at the end.
    #[inline(always)]
    fn skip_blanks(&mut self) -> Option<usize> {
        while matches!(self.peek()?, b' ' | b'\t' | b'\r' | b'\n') {
            self.at += 1;
        }
        Some(self.at)
    }
}

/// Where the first quote or backslash stands. Most strings of a header are a few bytes long, so the first bytes are looked
/// at eight at a time, which is cheaper than the call of a searcher for long ones.
#[inline(always)]
fn quote_or_backslash(bytes: &[u8]) -> Option<usize> {
    const WORD: usize = 8;
    const WORDS: usize = 4;
    let mut rest = bytes;
    for word in 0..WORDS {
        let Some((eight, behind)) = rest.split_first_chunk::<WORD>() else {
            let at = rest.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
            return Some(word * WORD + at);
        };
        let eight = u64::from_be_bytes(*eight);
        let found = bytes_that_are(b'"', eight) | bytes_that_are(b'\\', eight);
        if found != 0 {
            return Some(word * WORD + found.leading_zeros() as usize / 8);
        }
        rest = behind;
    }
    Some(WORDS * WORD + memchr::memchr2(b'"', b'\\', rest)?)
}

/// The highest bit of each byte of `eight` that is `byte`, and no other bit.
#[inline(always)]
fn bytes_that_are(byte: u8, eight: u64) -> u64 {
    const LOW_BITS: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    let differs = eight ^ (u64::from(byte) * 0x0101_0101_0101_0101);
    !(((differs & LOW_BITS) + LOW_BITS) | differs | LOW_BITS)
}

fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        let (before, from) = rest.split_at(at);
        plain.push_str(before);
        let mut chars = from.chars();
        chars.next(); // the backslash
        match chars.next() {
            Some('u') => {
                let (character, behind) = unescape_unit(chars.as_str());
                plain.push(character);
                rest = behind;
                continue;
            }
            Some('n') => plain.push('\n'),
            Some('r') => plain.push('\r'),
            Some('t') => plain.push('\t'),
            Some('b') => plain.push('\u{8}'),
            Some('f') => plain.push('\u{c}'),
            Some(other) => plain.push(other),
            None => {}
        }
        rest = chars.as_str();
    }
    plain.push_str(rest);
    plain
}

/// What follows a `\u`: a UTF-16 unit, or two of them. A half of a pair alone reads as U+FFFD.
fn unescape_unit(text: &str) -> (char, &str) {
    let Some((unit, rest)) = hex_unit(text) else {
        return (char::REPLACEMENT_CHARACTER, text);
    };
    if let Some(character) = char::from_u32(unit) {
        return (character, rest);
    }
    let pair = rest.strip_prefix("\\u").and_then(hex_unit);
    if let (0xD800..0xDC00, Some((low @ 0xDC00..0xE000, behind))) = (unit, pair) {
        let character = char::from_u32(0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00));
        return (character.unwrap_or(char::REPLACEMENT_CHARACTER), behind);
    }
    (char::REPLACEMENT_CHARACTER, rest)
}

fn hex_unit(text: &str) -> Option<(u32, &str)> {
    let (digits, rest) = text.split_at_checked(4)?;
    let digit = |unit: u32, byte: u8| Some(unit * 16 + char::from(byte).to_digit(16)?);
    Some((digits.bytes().try_fold(0, digit)?, rest))
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
    fn surrogate_pairs_and_halves_are_read_as_java_shows_them() {
        assert_eq!(
            unescape(r"\ud83d\ude00 \ud83d \q\u00"),
            "\u{1F600} \u{FFFD} q\u{FFFD}00"
        );
    }

    #[test]
    fn the_end_of_a_string_is_found_wherever_it_stands() {
        let others = "a\u{80}\u{a2}\u{dc}\u{22}\u{5d}\u{23}";
        for end in ["\"", "\\"] {
            for before in 0..80 {
                let filler: String = others
                    .chars()
                    .filter(|c| *c != '"')
                    .cycle()
                    .take(before)
                    .collect();
                let text = format!("{filler}{end}behind\"");
                assert_eq!(
                    quote_or_backslash(text.as_bytes()),
                    Some(filler.len()),
                    "{text}"
                );
                assert_eq!(quote_or_backslash(filler.as_bytes()), None);
            }
        }
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
