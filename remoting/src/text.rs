//! One name or value of a header, where it lies.
//!
//! ```text
//! "a":"T\u0001"     raw: T\u0001, with escapes    text: T and U+0001
//! ```
//!
//! It is looked at when somebody asks for it, and copied only if it has escapes. The rule that is easy to break: the bytes
//! need not be UTF-8, for nobody has checked them. What is none reads as U+FFFD, as in Java.

use std::borrow::Cow;

use crate::json_cursor::quote_or_backslash;

/// Bytes of a header that are read as text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text<'a> {
    /// Without quotes, escapes not yet undone.
    pub(crate) raw: &'a [u8],
    pub(crate) escapes: Escapes,
}

/// Whether text has JSON escapes. A word long, for texts are moved about by the word: a byte in one is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Escapes {
    None,
    Some,
}

impl From<bool> for Escapes {
    #[inline(always)]
    fn from(has_some: bool) -> Escapes {
        if has_some {
            Escapes::Some
        } else {
            Escapes::None
        }
    }
}

impl<'a> Text<'a> {
    /// The text itself.
    #[inline]
    pub(crate) fn get(self) -> Cow<'a, str> {
        // Quicker than `from_utf8_lossy` where all is well, as it nearly always is.
        let text = std::str::from_utf8(self.raw)
            .map_or_else(|_| String::from_utf8_lossy(self.raw), Cow::Borrowed);
        if self.escapes == Escapes::Some {
            Cow::Owned(unescape(&text))
        } else {
            text
        }
    }

    /// Its bytes, to compare them with what is ASCII: such text is found, or not, in what is no UTF-8 too.
    #[inline]
    pub(crate) fn bytes(self) -> Cow<'a, [u8]> {
        if self.escapes == Escapes::Some {
            Cow::Owned(self.get().into_owned().into_bytes())
        } else {
            Cow::Borrowed(self.raw)
        }
    }

    /// Everything but `true` is false, as in `Boolean.parseBoolean`.
    #[inline]
    pub(crate) fn is_true(self) -> bool {
        self.bytes().eq_ignore_ascii_case(b"true")
    }

    /// The whole number that it says, as `str::parse` reads it.
    #[inline]
    pub(crate) fn number<N: TryFrom<i64>>(self) -> Option<N> {
        number(&self.bytes())
    }
}

/// The number that `digits`, perhaps behind a sign, say. Without a look at whether all of it is text.
#[inline]
pub(crate) fn number<N: TryFrom<i64>>(digits: &[u8]) -> Option<N> {
    let (negative, digits) = match digits {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() {
        return None;
    }
    // Below 0 all the way: there is one number more than above.
    let below = digits.iter().try_fold(0_i64, |below, byte| {
        let digit = byte.wrapping_sub(b'0');
        let below = below.checked_mul(10)?.checked_sub(i64::from(digit))?;
        (digit < 10).then_some(below)
    })?;
    let number = if negative {
        below
    } else {
        below.checked_neg()?
    };
    N::try_from(number).ok()
}

/// `text` is a string of JSON, in which every quote has its backslash.
fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = quote_or_backslash(rest.as_bytes()) {
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

    #[test]
    fn surrogate_pairs_and_halves_are_read_as_java_shows_them() {
        assert_eq!(
            unescape(r"\ud83d\ude00 \ud83d \q\u00"),
            "\u{1F600} \u{FFFD} q\u{FFFD}00"
        );
    }

    #[test]
    fn numbers_are_read_as_the_standard_library_reads_them() {
        let texts = [
            "",
            "-",
            "+",
            "0",
            "-0",
            "+7",
            "007",
            "--1",
            "+-1",
            "1x",
            "x1",
            " 1",
            "1 ",
            "1.0",
            "١",
            "/",
            ":",
            "2147483647",
            "2147483648",
            "-2147483648",
            "-2147483649",
            "9223372036854775807",
            "9223372036854775808",
            "-9223372036854775808",
            "-9223372036854775809",
            "000000000000000000000000000001",
            "99999999999999999999999x",
        ];
        for text in texts {
            assert_eq!(number(text.as_bytes()), text.parse::<i32>().ok(), "{text}");
            assert_eq!(number(text.as_bytes()), text.parse::<i64>().ok(), "{text}");
        }
    }
}
