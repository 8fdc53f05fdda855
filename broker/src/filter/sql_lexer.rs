//! The words of an SQL92 filter.
//!
//! ```text
//! price > 5 AND name = 'it''s'   ─▶   ID  ">"  DECIMAL  "AND"  ID  "="  STRING  <EOF>
//! ```
//!
//! The longest word at a place wins, blanks and comments are passed over, and everything is counted in UTF-16 units as
//! Java does, since clients are shown line and column. The rule that is easy to break: a word is only looked for when
//! somebody asks for it. What follows a whole expression is never read, right or wrong.
//!
//! Java 4.7.0 `filter/parser/SelectorParser.jj` (its tokens), `SelectorParserTokenManager.java`, `SimpleCharStream.java`.

use std::fmt::Write as _;

/// Kinds of words, in the order of Java's token numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    End = 0,
    Not = 8,
    And = 9,
    Or = 10,
    Between = 11,
    In = 12,
    True = 13,
    False = 14,
    Null = 15,
    Is = 16,
    Decimal = 17,
    Float = 18,
    Text = 20,
    Name = 21,
    Equal = 22,
    Unequal = 23,
    Greater = 24,
    GreaterEqual = 25,
    Less = 26,
    LessEqual = 27,
    Open = 28,
    Comma = 29,
    Close = 30,
    Plus = 31,
    Minus = 32,
}

/// All kinds, ascending.
pub(super) const KINDS: [Kind; 25] = [
    Kind::End,
    Kind::Not,
    Kind::And,
    Kind::Or,
    Kind::Between,
    Kind::In,
    Kind::True,
    Kind::False,
    Kind::Null,
    Kind::Is,
    Kind::Decimal,
    Kind::Float,
    Kind::Text,
    Kind::Name,
    Kind::Equal,
    Kind::Unequal,
    Kind::Greater,
    Kind::GreaterEqual,
    Kind::Less,
    Kind::LessEqual,
    Kind::Open,
    Kind::Comma,
    Kind::Close,
    Kind::Plus,
    Kind::Minus,
];

const KEYWORDS: [(&str, Kind); 9] = [
    ("NOT", Kind::Not),
    ("AND", Kind::And),
    ("OR", Kind::Or),
    ("BETWEEN", Kind::Between),
    ("IN", Kind::In),
    ("TRUE", Kind::True),
    ("FALSE", Kind::False),
    ("NULL", Kind::Null),
    ("IS", Kind::Is),
];

impl Kind {
    /// Its bit in a set of kinds.
    pub(super) fn bit(self) -> u64 {
        1 << (self as u64)
    }

    /// As Java's messages name it.
    pub(super) fn image(self) -> &'static str {
        match self {
            Kind::End => "<EOF>",
            Kind::Not => "\"NOT\"",
            Kind::And => "\"AND\"",
            Kind::Or => "\"OR\"",
            Kind::Between => "\"BETWEEN\"",
            Kind::In => "\"IN\"",
            Kind::True => "\"TRUE\"",
            Kind::False => "\"FALSE\"",
            Kind::Null => "\"NULL\"",
            Kind::Is => "\"IS\"",
            Kind::Decimal => "<DECIMAL_LITERAL>",
            Kind::Float => "<FLOATING_POINT_LITERAL>",
            Kind::Text => "<STRING_LITERAL>",
            Kind::Name => "<ID>",
            Kind::Equal => "\"=\"",
            Kind::Unequal => "\"<>\"",
            Kind::Greater => "\">\"",
            Kind::GreaterEqual => "\">=\"",
            Kind::Less => "\"<\"",
            Kind::LessEqual => "\"<=\"",
            Kind::Open => "\"(\"",
            Kind::Comma => "\",\"",
            Kind::Close => "\")\"",
            Kind::Plus => "\"+\"",
            Kind::Minus => "\"-\"",
        }
    }
}

/// A word and where it stands, in UTF-16 units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) begin: usize,
    pub(super) end: usize,
}

/// Cuts a text into words, from its front.
#[derive(Debug)]
pub(super) struct Lexer {
    text: Vec<u16>,
    at: usize,
    /// Behind the last line end: there "--" begins no comment, and need not be searched for one's end.
    last_line: usize,
}

/// What stands at a place.
enum Found {
    Word(Kind, usize),
    Passed(usize),
    /// Nothing; so many units might have been the beginning of something.
    Nothing(usize),
}

impl Lexer {
    pub(super) fn new(text: &str) -> Lexer {
        let text: Vec<u16> = text.encode_utf16().collect();
        let line_end = text.iter().rposition(|unit| matches!(*unit, 10 | 13));
        Lexer {
            last_line: line_end.map_or(0, |at| at + 1),
            text,
            at: 0,
        }
    }

    /// The next word; [`Kind::End`] again and again at the end.
    ///
    /// # Errors
    /// Java's message for what is no word.
    pub(super) fn next(&mut self) -> Result<Token, String> {
        loop {
            let begin = self.at;
            let Some(unit) = self.unit(begin) else {
                let (kind, end) = (Kind::End, begin);
                return Ok(Token { kind, begin, end });
            };
            match self.look(begin, unit) {
                Found::Word(kind, length) => {
                    self.at = begin + length;
                    let end = self.at;
                    return Ok(Token { kind, begin, end });
                }
                Found::Passed(length) => self.at = begin + length,
                Found::Nothing(hopeful) => return Err(self.error(begin, hopeful)),
            }
        }
    }

    /// The units of a word.
    pub(super) fn units(&self, token: Token) -> &[u16] {
        self.text.get(token.begin..token.end).unwrap_or_default()
    }

    /// Line and column of a word as Java counts them: from 1, tabs to the next eighth; the end is where the last unit is.
    pub(super) fn place(&self, token: Token) -> (usize, usize) {
        match token.kind {
            Kind::End => token
                .begin
                .checked_sub(1)
                .map_or((0, 0), |last| self.place_of(last)),
            _ => self.place_of(token.begin),
        }
    }

    fn place_of(&self, at: usize) -> (usize, usize) {
        let (mut line, mut column) = (1, 0);
        let mut before = 0;
        let mut line_ended = false;
        for unit in self.text.iter().take(at + 1).copied() {
            column += 1;
            if line_ended || (before == 13 && unit != 10) {
                line += 1;
                column = 1;
            }
            // A line feed ends its line behind it, also behind a carriage return.
            line_ended = unit == 10;
            if unit == 9 {
                column -= 1;
                column += 8 - column % 8;
            }
            before = unit;
        }
        (line, column)
    }

    fn unit(&self, at: usize) -> Option<u16> {
        self.text.get(at).copied()
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.unit(at).and_then(|unit| u8::try_from(unit).ok())
    }

    fn look(&self, at: usize, unit: u16) -> Found {
        let word = |kind| Found::Word(kind, 1);
        let next = self.byte(at + 1);
        match u8::try_from(unit).unwrap_or(u8::MAX) {
            b' ' | b'\t' | b'\n' | b'\r' | 12 => Found::Passed(1),
            b'(' => word(Kind::Open),
            b')' => word(Kind::Close),
            b',' => word(Kind::Comma),
            b'+' => word(Kind::Plus),
            b'=' => word(Kind::Equal),
            b'<' if next == Some(b'>') => Found::Word(Kind::Unequal, 2),
            b'<' if next == Some(b'=') => Found::Word(Kind::LessEqual, 2),
            b'<' => word(Kind::Less),
            b'>' if next == Some(b'=') => Found::Word(Kind::GreaterEqual, 2),
            b'>' => word(Kind::Greater),
            b'-' if next == Some(b'-') && at + 2 < self.last_line => self.line_comment(at),
            b'-' => word(Kind::Minus),
            b'/' => self.block_comment(at),
            b'\'' => self.text_literal(at),
            b'.' | b'0'..=b'9' => self.number(at),
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'$' => self.name(at),
            _ => Found::Nothing(0),
        }
    }

    /// From `--` over the end of its line. There is one.
    fn line_comment(&self, at: usize) -> Found {
        let ends = |unit: &u16| matches!(*unit, 10 | 13);
        let body = self.text.get(at..).unwrap_or_default();
        let end = body.iter().position(ends).unwrap_or(body.len());
        let both = body.get(end..end + 2) == Some(&[13, 10]);
        Found::Passed(end + 1 + usize::from(both))
    }

    fn block_comment(&self, at: usize) -> Found {
        if self.byte(at + 1) != Some(b'*') {
            return Found::Nothing(1);
        }
        let body = self.text.get(at + 2..).unwrap_or_default();
        let end = [u16::from(b'*'), u16::from(b'/')];
        match body.windows(2).position(|two| two == end) {
            Some(end) => Found::Passed(end + 4),
            None => Found::Nothing(body.len() + 2),
        }
    }

    /// `'…'` with `''` for one quote. One that does not end is cut behind its last pair: `'a''b` begins with `'a'`.
    fn text_literal(&self, at: usize) -> Found {
        let body = self.text.get(at + 1..).unwrap_or_default();
        let mut quotes = body.iter().enumerate();
        let mut longest = None;
        while let Some((quote, _)) = quotes.find(|(_, unit)| **unit == 39) {
            longest = Some(quote + 2);
            if quotes.next().is_none_or(|(_, unit)| *unit != 39) {
                break;
            }
        }
        match longest {
            Some(length) => Found::Word(Kind::Text, length),
            None => Found::Nothing(body.len() + 1),
        }
    }

    fn digits(&self, at: usize) -> usize {
        let rest = self.text.get(at..).unwrap_or_default();
        let digit = |unit: &&u16| (48..58).contains(*unit);
        rest.iter().take_while(digit).count()
    }

    /// Units of an exponent at a place, 0 for none.
    fn exponent(&self, at: usize) -> usize {
        if !matches!(self.byte(at), Some(b'e' | b'E')) {
            return 0;
        }
        let sign = usize::from(matches!(self.byte(at + 1), Some(b'+' | b'-')));
        match self.digits(at + 1 + sign) {
            0 => 0,
            digits => 1 + sign + digits,
        }
    }

    fn number(&self, at: usize) -> Found {
        let whole = self.digits(at);
        if self.byte(at + whole) == Some(b'.') {
            let fraction = self.digits(at + whole + 1);
            if whole + fraction == 0 {
                return Found::Nothing(1);
            }
            let end = whole + 1 + fraction;
            return Found::Word(Kind::Float, end + self.exponent(at + end));
        }
        match self.exponent(at + whole) {
            0 if self.byte(at) == Some(b'0') => Found::Word(Kind::Decimal, 1),
            0 => {
                let long = matches!(self.byte(at + whole), Some(b'l' | b'L'));
                Found::Word(Kind::Decimal, whole + usize::from(long))
            }
            exponent => Found::Word(Kind::Float, whole + exponent),
        }
    }

    fn name(&self, at: usize) -> Found {
        let rest = self.text.get(at..).unwrap_or_default();
        let part = |unit: &&u16| {
            u8::try_from(**unit)
                .is_ok_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$'))
        };
        let length = rest.iter().take_while(part).count();
        let word = rest.get(..length).unwrap_or_default();
        let is = |keyword: &str| {
            let lower = |byte: u8| u16::from(byte.to_ascii_lowercase());
            keyword.len() == length
                && keyword
                    .bytes()
                    .zip(word)
                    .all(|(letter, unit)| lower(letter) == *unit || u16::from(letter) == *unit)
        };
        let keyword = KEYWORDS.iter().find(|(keyword, _)| is(keyword));
        Found::Word(keyword.map_or(Kind::Name, |(_, kind)| *kind), length)
    }

    /// Java's message: what was read in vain, and what broke it off or that the end did.
    fn error(&self, begin: usize, hopeful: usize) -> String {
        let behind = begin + hopeful;
        let (last, read) = match behind < self.text.len() {
            true => (behind, hopeful + 1),
            false => (behind.saturating_sub(1), hopeful),
        };
        let (mut line, mut column) = self.place_of(last);
        let unit = self.unit(last).unwrap_or_default();
        let at_end = last + 1 >= self.text.len();
        let read_upto = if at_end { last + 1 } else { last };
        let after = match read {
            0 | 1 => &[],
            _ => self.text.get(begin..read_upto).unwrap_or_default(),
        };
        let found = if at_end {
            match unit {
                10 | 13 => (line, column) = (line + 1, 0),
                _ => column += 1,
            }
            "<EOF> ".to_owned()
        } else {
            format!("\"{}\" ({unit}), ", escaped(&[unit]))
        };
        format!(
            "Lexical error at line {line}, column {column}.  Encountered: {found}after : \"{}\"",
            escaped(after)
        )
    }
}

/// As Java's parser shows text in its messages.
pub(super) fn escaped(units: &[u16]) -> String {
    let mut out = String::with_capacity(units.len());
    for unit in units {
        match *unit {
            0 => {}
            8 => out.push_str("\\b"),
            9 => out.push_str("\\t"),
            10 => out.push_str("\\n"),
            12 => out.push_str("\\f"),
            13 => out.push_str("\\r"),
            34 => out.push_str("\\\""),
            39 => out.push_str("\\'"),
            92 => out.push_str("\\\\"),
            plain @ 0x20..=0x7e => out.push(char::from(plain as u8)),
            other => {
                let _ = write!(out, "\\u{other:04x}"); // a String takes everything
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Result<Vec<Kind>, String> {
        let mut lexer = Lexer::new(text);
        let mut kinds = Vec::new();
        loop {
            match lexer.next()?.kind {
                Kind::End => return Ok(kinds),
                kind => kinds.push(kind),
            }
        }
    }

    #[test]
    fn the_longest_word_wins() {
        use Kind::{Decimal, Float, GreaterEqual, LessEqual, Name, Text, Unequal};
        assert_eq!(kinds("a<>1"), Ok(vec![Name, Unequal, Decimal]));
        assert_eq!(kinds("a>=1.5e-3"), Ok(vec![Name, GreaterEqual, Float]));
        assert_eq!(kinds("a<=.5"), Ok(vec![Name, LessEqual, Float]));
        assert_eq!(
            kinds("00 5e 1L"),
            Ok(vec![Decimal, Decimal, Decimal, Name, Decimal])
        );
        assert_eq!(kinds("'it''s' 'x'"), Ok(vec![Text, Text]));
        assert_eq!(kinds("iN NoT inx"), Ok(vec![Kind::In, Kind::Not, Name]));
    }

    #[test]
    fn comments_and_blanks_are_passed_over() {
        assert_eq!(
            kinds("a --x\n/* * / **/b"),
            Ok(vec![Kind::Name, Kind::Name])
        );
        let minuses = kinds("--x");
        assert_eq!(
            minuses,
            Ok(vec![Kind::Minus, Kind::Minus, Kind::Name]),
            "no line end"
        );
    }

    #[test]
    fn what_is_no_word_has_javas_message() {
        let message = |text| kinds(text).expect_err("no word");
        assert_eq!(
            message("a # b"),
            "Lexical error at line 1, column 3.  Encountered: \"#\" (35), after : \"\""
        );
        assert_eq!(
            message("a = 'x"),
            "Lexical error at line 1, column 7.  Encountered: <EOF> after : \"\\'x\""
        );
    }
}
