//! A position in JSON text, and the steps over it: blanks, strings, words, whole values.
//!
//! Nothing here copies but a string with escapes in it.

use std::borrow::Cow;

use super::scalar::Scalar;
use super::{JsonError, MAX_DEPTH};

/// A place in a text. Cheap to copy, which is how one looks ahead.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text<'a> {
    all: &'a str,
    at: usize,
}

impl<'a> Text<'a> {
    pub(super) fn new(all: &'a str) -> Self {
        Text { all, at: 0 }
    }

    /// Bytes from the start of the text.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// The same text from its first byte.
    pub(super) fn start(&self) -> Self {
        Text::new(self.all)
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    fn rest(&self) -> &'a str {
        self.all.get(self.at..).unwrap_or("")
    }

    pub(super) fn wrong(&self, expected: &'static str) -> JsonError {
        JsonError::Syntax {
            at: self.at,
            expected,
        }
    }

    /// The next byte that is not blank; blanks are passed.
    pub(super) fn peek(&mut self) -> Option<u8> {
        let rest = self.rest().as_bytes();
        let blanks = rest
            .iter()
            .take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0c | 0x08))
            .count();
        self.at += blanks;
        rest.get(blanks).copied()
    }

    /// Passes the ASCII byte that `peek` has shown.
    pub(super) fn pass(&mut self) {
        self.at += 1;
    }

    pub(super) fn expect(&mut self, byte: u8, name: &'static str) -> Result<(), JsonError> {
        if self.peek() != Some(byte) {
            return Err(self.wrong(name));
        }
        self.pass();
        Ok(())
    }

    /// Whether one more item stands before `close`; passes the commas between, or the `close`.
    pub(super) fn next_item(&mut self, close: u8, first: &mut bool) -> Result<bool, JsonError> {
        let mut free = std::mem::replace(first, false);
        loop {
            match self.peek() {
                None => return Err(self.wrong("the end of an object or list")),
                Some(b',') => free = true,
                Some(byte) if byte == close => {
                    self.pass();
                    return Ok(false);
                }
                Some(_) if free => return Ok(true),
                Some(_) => return Err(self.wrong("a comma")),
            }
            self.pass();
        }
    }

    /// A key that is no object: quoted, a number, or a bare word.
    pub(super) fn key(&mut self) -> Result<Scalar<'a>, JsonError> {
        match self.peek() {
            Some(b'"' | b'\'') => self.string().map(Scalar::Text),
            _ => match self.word() {
                "" => Err(self.wrong("a key")),
                word => Ok(Scalar::Text(Cow::Borrowed(word))),
            },
        }
    }

    /// A value that is neither object nor list.
    pub(super) fn scalar(&mut self) -> Result<Scalar<'a>, JsonError> {
        match self.peek() {
            Some(b'"' | b'\'') => return self.string().map(Scalar::Text),
            Some(b'-' | b'+' | b'0'..=b'9') => return Ok(Scalar::Number(self.word())),
            _ => {}
        }
        let before = *self;
        match self.word() {
            "true" => Ok(Scalar::True),
            "false" => Ok(Scalar::False),
            "null" => Ok(Scalar::Null),
            _ => Err(before.wrong("a value")),
        }
    }

    /// The letters, digits and signs from here on: a number, a literal or a bare key.
    fn word(&mut self) -> &'a str {
        let rest = self.rest();
        let is_word = |byte: &u8| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'-' | b'+' | b'.')
        };
        let bytes = rest
            .as_bytes()
            .iter()
            .take_while(|byte| is_word(byte))
            .count();
        self.at += bytes;
        rest.get(..bytes).unwrap_or("")
    }

    /// A quoted string. Control characters may stand in it raw.
    pub(super) fn string(&mut self) -> Result<Cow<'a, str>, JsonError> {
        let Some(quote @ (b'"' | b'\'')) = self.peek() else {
            return Err(self.wrong("a string"));
        };
        self.pass();
        let mut whole = String::new();
        loop {
            let rest = self.rest();
            let Some(bytes) = rest.bytes().position(|byte| byte == quote || byte == b'\\') else {
                return Err(self.wrong("the end of a string"));
            };
            let run = rest.get(..bytes).unwrap_or("");
            self.at += bytes + 1;
            if rest.as_bytes().get(bytes) == Some(&quote) {
                if whole.is_empty() {
                    return Ok(Cow::Borrowed(run));
                }
                whole.push_str(run);
                return Ok(Cow::Owned(whole));
            }
            whole.push_str(run);
            let char = self.escape()?;
            whole.push(char);
        }
    }

    /// What stands behind a backslash. A lone half of a surrogate pair becomes U+FFFD.
    fn escape(&mut self) -> Result<char, JsonError> {
        let Some(char) = self.rest().chars().next() else {
            return Err(self.wrong("an escape"));
        };
        self.at += char.len_utf8();
        Ok(match char {
            'b' => '\u{8}',
            'f' | 'F' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            '0'..='7' => char::from(char as u8 - b'0'),
            '"' | '\'' | '\\' | '/' => char,
            'x' => char::from_u32(self.hex(2)?).unwrap_or(char::REPLACEMENT_CHARACTER),
            'u' => {
                let high = self.hex(4)?;
                let mut behind = *self;
                match (high, behind.low_surrogate()) {
                    (0xd800..=0xdbff, Some(low)) => {
                        *self = behind;
                        char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00))
                            .unwrap_or(char::REPLACEMENT_CHARACTER)
                    }
                    _ => char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER),
                }
            }
            _ => return Err(self.wrong("an escape")),
        })
    }

    fn low_surrogate(&mut self) -> Option<u32> {
        if !self.rest().starts_with("\\u") {
            return None;
        }
        self.at += 2;
        self.hex(4)
            .ok()
            .filter(|low| (0xdc00..=0xdfff).contains(low))
    }

    fn hex(&mut self, digits: usize) -> Result<u32, JsonError> {
        let text = self
            .rest()
            .get(..digits)
            .filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let value = text
            .and_then(|text| u32::from_str_radix(text, 16).ok())
            .ok_or(self.wrong("hex digits"))?;
        self.at += digits;
        Ok(value)
    }

    /// Passes one value without making anything of it. `depth` levels are open already.
    pub(super) fn skip(&mut self, depth: usize) -> Result<(), JsonError> {
        if depth >= MAX_DEPTH {
            return Err(JsonError::TooDeep { at: self.at });
        }
        let mut first = true;
        match self.peek() {
            Some(b'{') => {
                self.pass();
                while self.next_item(b'}', &mut first)? {
                    match self.peek() {
                        Some(b'{') => self.skip(depth + 1)?,
                        _ => drop(self.key()?),
                    }
                    self.expect(b':', "a colon")?;
                    self.skip(depth + 1)?;
                }
            }
            Some(b'[') => {
                self.pass();
                while self.next_item(b']', &mut first)? {
                    self.skip(depth + 1)?;
                }
            }
            _ => drop(self.scalar()?),
        }
        Ok(())
    }
}
