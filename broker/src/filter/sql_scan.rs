//! The grammar of filters as a look ahead walks it: whether it fits, and nothing made of it.
//!
//! The same rules as in `sql_parser`, in the order Java tries them. The rule that is easy to break: every word that is
//! looked for is told to the listing of a mistake, so the order of choices shows in messages.
//!
//! Java 4.7.0 `filter/parser/SelectorParser.java` (`jj_3…`).

use super::sql_ahead::{Ahead, Seen, Stop};
use super::sql_lexer::Kind;
use super::sql_parser::{MAX_DEPTH, too_deep};

impl Ahead {
    fn scan_or(&mut self) -> Seen {
        self.scan_and()?;
        self.scan_all(|ahead| {
            ahead.scan_word(Kind::Or)?;
            ahead.scan_and()
        })
    }

    fn scan_and(&mut self) -> Seen {
        self.scan_equality()?;
        self.scan_all(|ahead| {
            ahead.scan_word(Kind::And)?;
            ahead.scan_equality()
        })
    }

    fn scan_equality(&mut self) -> Seen {
        self.scan_comparison()?;
        self.scan_all(|ahead| {
            ahead.scan_any(&[
                |ahead| {
                    ahead.scan_word(Kind::Equal)?;
                    ahead.scan_comparison()
                },
                |ahead| {
                    ahead.scan_word(Kind::Unequal)?;
                    ahead.scan_comparison()
                },
                Ahead::scan_is_null,
                |ahead| ahead.scan_words(&[Kind::Is, Kind::Not, Kind::Null]),
            ])
        })
    }

    pub(super) fn scan_is_null(&mut self) -> Seen {
        self.scan_words(&[Kind::Is, Kind::Null])
    }

    fn scan_comparison(&mut self) -> Seen {
        self.scan_unary()?;
        self.scan_all(|ahead| {
            ahead.scan_any(&[
                |ahead| ahead.scan_relation(Kind::Greater),
                |ahead| ahead.scan_relation(Kind::GreaterEqual),
                |ahead| ahead.scan_relation(Kind::Less),
                |ahead| ahead.scan_relation(Kind::LessEqual),
                Ahead::scan_between,
                Ahead::scan_not_between,
                Ahead::scan_in,
                Ahead::scan_not_in,
            ])
        })
    }

    fn scan_relation(&mut self, kind: Kind) -> Seen {
        self.scan_word(kind)?;
        self.scan_unary()
    }

    fn scan_between(&mut self) -> Seen {
        self.scan_word(Kind::Between)?;
        self.scan_unary()?;
        self.scan_word(Kind::And)?;
        self.scan_unary()
    }

    pub(super) fn scan_not_between(&mut self) -> Seen {
        self.scan_word(Kind::Not)?;
        self.scan_between()
    }

    fn scan_in(&mut self) -> Seen {
        self.scan_words(&[Kind::In, Kind::Open, Kind::Text])?;
        self.scan_all(|ahead| ahead.scan_words(&[Kind::Comma, Kind::Text]))?;
        self.scan_word(Kind::Close)
    }

    pub(super) fn scan_not_in(&mut self) -> Seen {
        self.scan_word(Kind::Not)?;
        self.scan_in()
    }

    fn scan_unary(&mut self) -> Seen {
        self.scan.depth += 1;
        if self.scan.depth > MAX_DEPTH {
            return Err(Stop::Error(too_deep()));
        }
        let seen = self.scan_any(&[
            Ahead::scan_plus,
            |ahead| {
                ahead.scan_word(Kind::Minus)?;
                ahead.scan_unary()
            },
            |ahead| {
                ahead.scan_word(Kind::Not)?;
                ahead.scan_unary()
            },
            |ahead| ahead.scan_word(Kind::Text),
            |ahead| ahead.scan_word(Kind::Decimal),
            |ahead| ahead.scan_word(Kind::Float),
            |ahead| ahead.scan_word(Kind::True),
            |ahead| ahead.scan_word(Kind::False),
            |ahead| ahead.scan_word(Kind::Null),
            |ahead| ahead.scan_word(Kind::Name),
            |ahead| {
                ahead.scan_word(Kind::Open)?;
                ahead.scan_or()?;
                ahead.scan_word(Kind::Close)
            },
        ]);
        self.scan.depth -= 1;
        seen
    }

    pub(super) fn scan_plus(&mut self) -> Seen {
        self.scan_word(Kind::Plus)?;
        self.scan_unary()
    }
}
