//! The string map of a header (`extFields`), kept as the bytes it came in.
//!
//! ```text
//! JSON    {"topic":"T","queueId":"3"}
//! binary  keyLength i16 | key | valueLength i32 | value | keyLength i16 | …
//! ```
//!
//! Nothing is put into a map: a typed header goes over the fields once, and `get` scans. That cannot fail, since the
//! header decoders check the whole text first, and remember where the fields of JSON lie; `ExtFields` is made from checked
//! bytes only. Fields that we write are kept as JSON: so nearly all of them leave.
//!
//! Java 4.7.0 `RemotingCommand.extFields`, `RocketMQSerializable.mapSerialize`.

use std::borrow::Cow;

use bytes::Bytes;

use crate::header_json::{must_escape, push_string};
use crate::json_cursor::{Cursor, Place, Places};
use crate::text::{Escapes, Text};

/// The fields of one header, in the order in which they stand there.
#[derive(Clone, Debug, Default)]
pub struct ExtFields {
    raw: Raw,
}

#[derive(Clone, Debug)]
enum Raw {
    /// A whole JSON object, braces included, and where its fields lie in it.
    Json(Bytes, Places),
    /// The entries of the binary form, without their total length.
    Binary(Bytes),
    /// A JSON object that we wrote, all but its last brace; empty while it has no fields.
    Written(Vec<u8>),
}

impl Default for Raw {
    fn default() -> Self {
        Raw::Written(Vec::new())
    }
}

impl ExtFields {
    /// `object` is a JSON object that `header_json` has walked over without an error.
    pub(crate) fn from_checked_json(object: Bytes, places: Places) -> ExtFields {
        ExtFields {
            raw: Raw::Json(object, places),
        }
    }

    /// `entries` are entries that `header_binary` has walked over without an error.
    pub(crate) fn from_checked_binary(entries: Bytes) -> ExtFields {
        ExtFields {
            raw: Raw::Binary(entries),
        }
    }

    /// Whether no field is there. Java reads a header without fields as `extFields == null`.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// All fields as (name, value). Borrowed unless a value has JSON escapes or is not UTF-8.
    pub fn iter(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        self.texts().map(|(name, value)| (name.get(), value.get()))
    }

    /// All fields as they lie here.
    pub(crate) fn texts(&self) -> Texts<'_> {
        match &self.raw {
            Raw::Json(object, places) => match places.all() {
                Some(places) => Texts::Placed(object, places),
                None => Texts::Json(Cursor::new(object)),
            },
            Raw::Binary(entries) => Texts::Binary(entries),
            Raw::Written(object) => Texts::Json(Cursor::new(object)),
        }
    }

    /// The value of the first field called `name`.
    pub fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        self.iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
    }

    /// Adds a field behind the others.
    pub fn push(&mut self, name: &str, value: &str) {
        let object = self.written();
        object.push(if object.is_empty() { b'{' } else { b',' });
        push_string(object, name);
        object.push(b':');
        push_string(object, value);
    }

    /// The same for a field whose name is one of ours: such has nothing to escape.
    pub(crate) fn push_named(&mut self, name: &'static str, value: &str) {
        push_string(self.named(name), value);
    }

    /// The same for a value that has nothing to escape either.
    pub(crate) fn push_plain(&mut self, name: &'static str, value: &str) {
        let object = self.named(name);
        object.push(b'"');
        object.extend_from_slice(value.as_bytes());
        object.push(b'"');
    }

    /// Adds a whole number in decimal, without going through the formatter.
    pub fn push_number(&mut self, name: &'static str, value: impl itoa::Integer) {
        self.push_plain(name, itoa::Buffer::new().format(value));
    }

    /// Begins a field: all but its value.
    fn named(&mut self, name: &'static str) -> &mut Vec<u8> {
        debug_assert!(!name.bytes().any(must_escape), "{name}");
        let object = self.written();
        object.extend_from_slice(if object.is_empty() { b"{\"" } else { b",\"" });
        object.extend_from_slice(name.as_bytes());
        object.extend_from_slice(b"\":");
        object
    }

    /// Makes room for `bytes` more bytes of fields at once.
    pub fn reserve(&mut self, bytes: usize) {
        self.written().reserve(bytes);
    }

    /// Bytes of their text, as it is kept here.
    pub(crate) fn bytes(&self) -> usize {
        match &self.raw {
            Raw::Json(text, _) | Raw::Binary(text) => text.len(),
            Raw::Written(object) => object.len(),
        }
    }

    /// The entries of the binary form, if the fields came in it.
    pub(crate) fn as_binary(&self) -> Option<&[u8]> {
        match &self.raw {
            Raw::Binary(entries) => Some(entries),
            Raw::Json(..) | Raw::Written(_) => None,
        }
    }

    /// A JSON object without its last brace, if we wrote the fields.
    pub(crate) fn as_written(&self) -> Option<&[u8]> {
        match &self.raw {
            Raw::Written(object) => Some(object),
            Raw::Json(..) | Raw::Binary(_) => None,
        }
    }

    fn written(&mut self) -> &mut Vec<u8> {
        if !matches!(self.raw, Raw::Written(_)) {
            let mut copy = ExtFields::default();
            for (name, value) in self.iter() {
                copy.push(&name, &value);
            }
            *self = copy;
        }
        match &mut self.raw {
            Raw::Written(object) => object,
            Raw::Json(..) | Raw::Binary(_) => {
                unreachable!("the fields were copied into the written form above")
            }
        }
    }
}

impl PartialEq for ExtFields {
    /// Equal when the same fields stand in the same order, in whatever form.
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl<N: AsRef<str>, V: AsRef<str>> FromIterator<(N, V)> for ExtFields {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(fields: I) -> Self {
        let mut all = ExtFields::default();
        for (name, value) in fields {
            all.push(name.as_ref(), value.as_ref());
        }
        all
    }
}

/// A walk over the fields of a header.
pub(crate) enum Texts<'a> {
    /// In a JSON object whose places are known: those still to come.
    Placed(&'a [u8], &'a [Place]),
    /// Inside a JSON object.
    Json(Cursor<'a>),
    /// Before an entry of the binary form.
    Binary(&'a [u8]),
}

impl<'a> Iterator for Texts<'a> {
    type Item = (Text<'a>, Text<'a>);

    // A pair that a call gives back goes through memory, which costs more than to find it.
    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Texts::Placed(object, places) => {
                let (place, rest) = places.split_first()?;
                *places = rest;
                place.field(object)
            }
            Texts::Json(cursor) => {
                let (name, value) = cursor.next_field()?;
                Some((name, value))
            }
            Texts::Binary(rest) => {
                let (name, value, behind) = take_entry(rest)?;
                *rest = behind;
                let text = |raw| Text {
                    raw,
                    escapes: Escapes::None,
                };
                Some((text(name), text(value)))
            }
        }
    }
}

/// One entry off the front of `entries`: name, value and what follows; `None` at the end and where a length is wrong.
pub(crate) fn take_entry(entries: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (length, rest) = entries.split_first_chunk::<2>()?;
    let (name, rest) = rest.split_at_checked(usize::try_from(i16::from_be_bytes(*length)).ok()?)?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (value, rest) =
        rest.split_at_checked(usize::try_from(i32::from_be_bytes(*length)).ok()?)?;
    Some((name, value, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_fields_come_back_in_their_order() {
        let mut fields = ExtFields::default();
        assert!(fields.is_empty());
        fields.push("topic", "T\u{e9}");
        fields.push_number("queueId", -3);
        let seen: Vec<_> = fields
            .iter()
            .map(|(n, v)| (n.into_owned(), v.into_owned()))
            .collect();
        assert_eq!(
            seen,
            [
                ("topic".into(), "T\u{e9}".into()),
                ("queueId".into(), "-3".into())
            ]
        );
        assert_eq!(fields.get("queueId").as_deref(), Some("-3"));
        assert_eq!(fields.get("missing"), None);
    }

    #[test]
    fn fields_read_from_json_can_be_added_to() {
        let header = Bytes::from_static(br#"{"code":1,"extFields":{"a":"1"}}"#);
        let mut command = crate::Command::request(0);
        crate::header_json::decode(header, &mut command).expect("valid");
        let mut fields = command.fields;
        fields.push("b", "2");
        assert_eq!(
            fields,
            [("a", "1"), ("b", "2")].into_iter().collect::<ExtFields>()
        );
    }
}
