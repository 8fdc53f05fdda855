//! A walk over the JSON text of a header, and where its fields lie in it.
//!
//! ```text
//! {"a":"group","b":"T\u0001"}      Cursor: key, value, key, value, end
//!  │ │ │   │                       Places: 2..3 = 6..11, 14..15 = 18..25 with escapes
//! ```
//!
//! Read as fastjson reads: blanks between tokens, a comma before the end, bare numbers and words. Nothing is copied but
//! text with escapes. The rule that is easy to break: a place is a number that we counted, but text is only ever taken by
//! `get`, so that a wrong one is a missing field and no panic.

use crate::text::{Escapes, Text, number};

/// Arrays and objects inside a value that nobody reads may be nested so deep and no deeper.
const DEPTH_LIMIT: usize = 32;

/// A place in JSON text. Its methods return `None` where the text is not what they read.
#[derive(Clone)]
pub(crate) struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
    /// Whether the brace of the object that is being walked over lies behind.
    inside: bool,
}

/// A string, a number, `true`, `false`, `null`, or the text of an object or array that nobody reads.
pub(crate) struct Scalar<'a> {
    /// Without its quotes, escapes not yet undone.
    pub(crate) raw: &'a [u8],
    /// Where that begins in what the cursor walks over.
    at: usize,
    quoted: bool,
    escaped: bool,
}

impl<'a> Scalar<'a> {
    #[inline(always)]
    pub(crate) fn is_null(&self) -> bool {
        !self.quoted && self.raw == b"null"
    }

    /// Escapes in it are not undone.
    pub(crate) fn number(&self) -> Option<i32> {
        number(self.raw)
    }

    pub(crate) fn text(&self) -> Text<'a> {
        Text {
            raw: self.raw,
            escapes: self.escaped.into(),
        }
    }
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(text: &'a [u8]) -> Cursor<'a> {
        Cursor {
            text,
            at: 0,
            inside: false,
        }
    }

    /// How far it has come. Bytes.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// The next field of a checked object; values that are null are not fields.
    pub(crate) fn next_field(&mut self) -> Option<(Text<'a>, Text<'a>)> {
        loop {
            let key = self.next_key()??;
            let value = self.scalar(0)?;
            if !value.is_null() {
                return Some((key.text(), value.text()));
            }
        }
    }

    /// Checks the object that begins here and says where its fields lie in it.
    pub(crate) fn places(&mut self) -> Option<Places> {
        let mut places = Places::default();
        let from = self.at;
        if self.peek()? == b'n' {
            return self.scalar(0)?.is_null().then_some(places);
        }
        let mut walk = Cursor {
            text: self.text,
            at: self.at,
            inside: false,
        };
        while let Some(key) = walk.next_key()? {
            let value = walk.scalar(0)?;
            if !value.is_null() {
                places.push(from, &key, &value);
            }
        }
        self.at = walk.at;
        Some(places)
    }

    /// The next key of the object, its colon passed; `Some(None)` when the object ends here. Inlined, as what it calls:
    /// a walk over a header is some fifty strings of a few bytes, and calls would be most of its cost.
    #[inline(always)]
    pub(crate) fn next_key(&mut self) -> Option<Option<Scalar<'a>>> {
        match self.next_short_key() {
            Some(key) => Some(Some(key)),
            None => self.next_any_key(),
        }
    }

    #[inline(always)]
    fn next_any_key(&mut self) -> Option<Option<Scalar<'a>>> {
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

    /// A key of one letter as clients write those of a send: `,"a":`. For all else there is `next_any_key`.
    #[inline(always)]
    fn next_short_key(&mut self) -> Option<Scalar<'a>> {
        let rest = self.text.get(self.at..).filter(|_| self.inside)?;
        let [b',', b'"', letter, b'"', b':'] = rest.first_chunk::<5>()? else {
            return None;
        };
        if matches!(letter, b'"' | b'\\') {
            return None; // the empty key, or a quote with its backslash
        }
        let at = self.at + 2;
        self.at += 5;
        Some(Scalar {
            raw: std::slice::from_ref(letter),
            at,
            quoted: true,
            escaped: false,
        })
    }

    pub(crate) fn number(&mut self) -> Option<i32> {
        let rest = self.text.get(self.at..)?;
        let digit = |byte: &u8| Some(i32::from(*byte) - 48).filter(|digit| matches!(digit, 0..10));
        let (mut number, mut digits) = (0, 0);
        // As many as an i32 has room for, whatever they are.
        for digit in rest.iter().take(9).map_while(digit) {
            (number, digits) = (number * 10 + digit, digits + 1);
        }
        if digits > 0 && matches!(rest.get(digits), Some(b',' | b'}')) {
            self.at += digits;
            return Some(number);
        }
        self.scalar(0)?.number()
    }

    /// Passes over `text` if it stands here.
    #[inline(always)]
    pub(crate) fn pass(&mut self, text: &[u8]) -> bool {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let here = rest.starts_with(text);
        self.at += if here { text.len() } else { 0 };
        here
    }

    #[inline(always)]
    pub(crate) fn scalar(&mut self, depth: usize) -> Option<Scalar<'a>> {
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
                let rest = self.text.get(from..)?;
                // Numbers, `true`, `false`, `null`; whatever else follows must be a comma or an end.
                let word = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'+' | b'.');
                let length = rest.iter().position(|b| !word(b));
                self.at = from + length.unwrap_or(rest.len());
            }
        }
        let raw = self.text.get(from..self.at)?;
        (!raw.is_empty()).then_some(Scalar {
            raw,
            at: from,
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
            self.at += quote_or_backslash(self.text.get(self.at..)?)?;
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
            at: from,
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
        self.text.get(self.at).copied()
    }

    /// Where the next byte that is no blank stands; `None` at the end.
    #[inline(always)]
    pub(crate) fn skip_blanks(&mut self) -> Option<usize> {
        while matches!(self.peek()?, b' ' | b'\t' | b'\r' | b'\n') {
            self.at += 1;
        }
        Some(self.at)
    }
}

/// Where the first quote or backslash stands. Most strings of a header are a few bytes long, so the first bytes are looked
/// at eight at a time, which is cheaper than the call of a searcher for long ones.
#[inline(always)]
pub(crate) fn quote_or_backslash(bytes: &[u8]) -> Option<usize> {
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

/// Most fields that are remembered: as many as a send of a 5.x client has. What has more is walked over again.
const PLACES: usize = 14;

/// Where the fields of an object lie in its text, so that it is walked over once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places {
    places: [Place; PLACES],
    /// `PLACES + 1` when they are not all here.
    count: usize,
}

/// Where one field lies: bytes from the start of the object. Small, for a command is moved about with its places.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Place {
    key_at: u16,
    value_at: u16,
    value_bytes: u16,
    key_bytes: u8,
    /// Bit 0: the key has escapes, bit 1: the value has.
    escaped: u8,
}

impl Places {
    fn push(&mut self, from: usize, key: &Scalar<'_>, value: &Scalar<'_>) {
        let place = Place::of(from, key, value);
        match (place, self.places.get_mut(self.count)) {
            (Some(place), Some(free)) => {
                *free = place;
                self.count += 1;
            }
            _ => self.count = PLACES + 1,
        }
    }

    /// All of them, in their order; `None` if there were too many, or too large ones.
    pub(crate) fn all(&self) -> Option<&[Place]> {
        self.places.get(..self.count)
    }
}

impl Place {
    /// `None` for a field that is too large or lies too far behind.
    fn of(from: usize, key: &Scalar<'_>, value: &Scalar<'_>) -> Option<Place> {
        Some(Place {
            key_at: u16::try_from(key.at - from).ok()?,
            value_at: u16::try_from(value.at - from).ok()?,
            value_bytes: u16::try_from(value.raw.len()).ok()?,
            key_bytes: u8::try_from(key.raw.len()).ok()?,
            escaped: u8::from(key.escaped) | u8::from(value.escaped) << 1,
        })
    }

    /// Name and value in the text of their object.
    #[inline(always)]
    pub(crate) fn field<'a>(&self, object: &'a [u8]) -> Option<(Text<'a>, Text<'a>)> {
        let text = |at: u16, bytes: u16, escaped_bit: u8| {
            let at = usize::from(at);
            let raw = object.get(at..at + usize::from(bytes))?;
            let escapes = Escapes::from(self.escaped & escaped_bit != 0);
            Some(Text { raw, escapes })
        };
        let name = text(self.key_at, u16::from(self.key_bytes), 1)?;
        Some((name, text(self.value_at, self.value_bytes, 2)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_key_is_the_key_that_any_walk_finds() {
        let header = br#"{"code":310,"extFields":{"a":"g","b":"","c" :"\",","l":4,"\\":1,"":2}}"#;
        let mut short_keys = 0;
        for (changed, byte) in
            (0..header.len()).flat_map(|at| b"\"\\,:{} x\xff".map(|byte| (at, byte)))
        {
            let mut text = *header;
            text[changed] = byte;
            for at in 0..text.len() {
                let from = Cursor {
                    text: &text,
                    at,
                    inside: true,
                };
                let (mut short, mut any) = (from.clone(), from);
                let Some(key) = short.next_short_key() else {
                    continue;
                };
                let other = any.next_any_key().flatten().expect("a key");
                let seen = |key: Scalar<'_>| (key.raw.to_vec(), key.escaped, key.at, key.quoted);
                assert_eq!((seen(key), short.at), (seen(other), any.at));
                short_keys += 1;
            }
        }
        assert!(short_keys > 1000, "{short_keys}");
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
}
