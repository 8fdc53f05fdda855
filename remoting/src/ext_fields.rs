//! The string map of a header (`extFields`), kept as the bytes it came in.
//!
//! ```text
//! JSON    {"topic":"T","queueId":"3"}
//! binary  keyLength i16 | key | valueLength i32 | value | keyLength i16 | …
//! ```
//!
//! Nothing is put into a map: a typed header goes over the fields once, and `get` scans. That cannot fail, since the
//! header decoders check the whole text first, and remember where the fields of JSON lie; `ExtFields` is made from checked
//! bytes only. Fields that we write
//! are kept in the binary form, whatever form they leave in.
//!
//! Java 4.7.0 `RemotingCommand.extFields`, `RocketMQSerializable.mapSerialize`.

use std::borrow::Cow;

use bytes::Bytes;

use crate::json_cursor::{Cursor, Place, Places};

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
    /// Entries that we wrote, as in the binary form.
    Written(Vec<u8>),
}

impl Default for Raw {
    fn default() -> Self {
        Raw::Written(Vec::new())
    }
}

impl ExtFields {
    /// `object` is a JSON object, in UTF-8, that `header_json` has walked over without an error.
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
    pub fn iter(&self) -> Fields<'_> {
        match &self.raw {
            Raw::Json(object, places) => {
                let object = std::str::from_utf8(object).unwrap_or_default();
                match places.all() {
                    Some(places) => Fields::Placed(object, places),
                    None => Fields::Json(Cursor::new(object)),
                }
            }
            Raw::Binary(entries) => Fields::Binary(entries),
            Raw::Written(entries) => Fields::Binary(entries),
        }
    }

    /// Calls `each` with every name and value, as UTF-8. What we wrote ourselves is not looked at again.
    pub(crate) fn each(&self, mut each: impl FnMut(&[u8], &[u8])) {
        let Raw::Written(entries) = &self.raw else {
            return self
                .iter()
                .for_each(|(name, value)| each(name.as_bytes(), value.as_bytes()));
        };
        let mut rest = &entries[..];
        while let Some((name, value, behind)) = take_entry(rest) {
            each(name, value);
            rest = behind;
        }
    }

    /// The value of the first field called `name`.
    pub fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        self.iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
    }

    /// Adds a field behind the others. A name or value longer than its length field can say is cut there.
    pub fn push(&mut self, name: &str, value: &str) {
        let entries = self.written();
        let name = cut(name, i16::MAX as usize);
        let value = cut(value, i32::MAX as usize);
        entries.reserve(6 + name.len() + value.len());
        entries.extend_from_slice(&(name.len() as u16).to_be_bytes());
        entries.extend_from_slice(name.as_bytes());
        entries.extend_from_slice(&(value.len() as u32).to_be_bytes());
        entries.extend_from_slice(value.as_bytes());
    }

    /// Adds a whole number in decimal, without going through the formatter.
    pub fn push_number(&mut self, name: &str, value: impl itoa::Integer) {
        self.push(name, itoa::Buffer::new().format(value));
    }

    /// Makes room for `bytes` more bytes of fields at once.
    pub fn reserve(&mut self, bytes: usize) {
        self.written().reserve(bytes);
    }

    /// Bytes of their text, as it is kept here.
    pub(crate) fn bytes(&self) -> usize {
        match &self.raw {
            Raw::Json(text, _) | Raw::Binary(text) => text.len(),
            Raw::Written(entries) => entries.len(),
        }
    }

    /// The fields as entries of the binary form, if they are in it already.
    pub(crate) fn as_binary(&self) -> Option<&[u8]> {
        match &self.raw {
            Raw::Json(..) => None,
            Raw::Binary(entries) => Some(entries),
            Raw::Written(entries) => Some(entries),
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
            Raw::Written(entries) => entries,
            Raw::Json(..) | Raw::Binary(_) => {
                unreachable!("the fields were copied into the written form above")
            }
        }
    }
}

fn cut(text: &str, limit_bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(limit_bytes))
        .unwrap_or(text)
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
pub enum Fields<'a> {
    /// In a JSON object whose places are known: those still to come.
    #[doc(hidden)]
    Placed(&'a str, &'a [Place]),
    /// Inside a JSON object.
    #[doc(hidden)]
    Json(Cursor<'a>),
    /// Before an entry of the binary form.
    #[doc(hidden)]
    Binary(&'a [u8]),
}

impl<'a> Iterator for Fields<'a> {
    type Item = (Cow<'a, str>, Cow<'a, str>);

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Fields::Placed(object, places) => {
                let (place, rest) = places.split_first()?;
                *places = rest;
                place.field(object)
            }
            Fields::Json(cursor) => cursor.next_field(),
            Fields::Binary(rest) => {
                let (name, value, behind) = take_entry(rest)?;
                *rest = behind;
                Some((text(name), text(value)))
            }
        }
    }
}

/// Quicker than `from_utf8_lossy` where all is well, as it nearly always is.
fn text(bytes: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
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
    fn an_entry_cut_anywhere_ends_the_walk() {
        let mut fields = ExtFields::default();
        fields.push("topic", "T");
        let bytes = fields.as_binary().expect("written").to_vec();
        for end in 0..bytes.len() {
            assert!(
                take_entry(&bytes[..end]).is_none(),
                "read an entry cut at byte {end}"
            );
        }
    }

    #[test]
    fn fields_read_from_json_can_be_added_to() {
        let header = Bytes::from_static(br#"{"code":1,"extFields":{"a":"1"}}"#);
        let mut command = crate::Command::request(0);
        crate::header_json::decode(&header, &mut command).expect("valid");
        let mut fields = command.fields;
        fields.push("b", "2");
        assert_eq!(
            fields,
            [("a", "1"), ("b", "2")].into_iter().collect::<ExtFields>()
        );
    }
}
