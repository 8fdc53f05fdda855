//! The words of a filter as its parser looks at them, and Java's message when they are the wrong ones.
//!
//! ```text
//! tokens   … current │ next …            fetched from the lexer when looked at, never earlier
//! noted    13 places of the grammar, each with the turn in which its words were last not found
//! ahead    4 places that look further than one word, each with how far they have looked
//! ```
//!
//! A message lists what might have stood at the wrong word: the words of all places noted in this turn, and some of
//! those that were looked for ahead. The rule that is easy to break: turns are counted by words taken, and a place that
//! looked far ahead still counts when the mistake is further on. Java's generated parser adds what it finds when it
//! looks ahead once more only if it stands in the list already; so some words are listed twice, as clients see it.
//!
//! Java 4.7.0 `filter/parser/SelectorParser.java`: `generateParseException`, `jj_rescan_token`, `jj_add_error_token`,
//! `jj_save`, `jj_3…`, `ParseException.java`.

use super::sql_lexer::{KINDS, Kind, Lexer, Token, escaped};
use super::sql_parser::too_deep;

/// Looks as far as the text goes.
const WITHOUT_LIMIT: i64 = 2_147_483_647;

const LITERALS: u64 = bits(&[
    Kind::True,
    Kind::False,
    Kind::Null,
    Kind::Decimal,
    Kind::Float,
    Kind::Text,
]);

/// The words that may stand at each of the 13 places.
const PLACES: [u64; 13] = [
    bits(&[Kind::Or]),
    bits(&[Kind::And]),
    bits(&[Kind::Is, Kind::Equal, Kind::Unequal]),
    bits(&[Kind::Equal, Kind::Unequal]),
    bits(&[Kind::Is]),
    RELATIONS | bits(&[Kind::Not, Kind::Between, Kind::In]),
    bits(&[Kind::Comma]),
    bits(&[Kind::Comma]),
    RELATIONS | bits(&[Kind::Between]),
    bits(&[Kind::In]),
    LITERALS | bits(&[Kind::Not, Kind::Name, Kind::Open, Kind::Minus]),
    LITERALS | bits(&[Kind::Name, Kind::Open]),
    LITERALS,
];

const RELATIONS: u64 = bits(&[
    Kind::Greater,
    Kind::GreaterEqual,
    Kind::Less,
    Kind::LessEqual,
]);

const fn bits(kinds: &[Kind]) -> u64 {
    let mut set = 0;
    let mut rest = kinds;
    while let [first, more @ ..] = rest {
        set |= 1 << (*first as u64);
        rest = more;
    }
    set
}

/// The words, from the one taken last.
pub(super) struct Ahead {
    lexer: Lexer,
    tokens: Vec<Token>,
    /// The word taken last; the first is a stand-in.
    current: usize,
    turn: i64,
    noted: [i64; 13],
    looked: [Vec<Look>; 4],
    pub(super) scan: Scan,
}

/// A look ahead that has been taken.
#[derive(Clone, Copy, Default)]
struct Look {
    /// It counts in mistakes of earlier turns than this.
    until_turn: i64,
    from: usize,
    limit: i64,
}

/// A look ahead that is being taken.
#[derive(Default)]
pub(super) struct Scan {
    at: usize,
    furthest: usize,
    left: i64,
    pub(super) depth: u32,
    /// What a mistake's list gets from it.
    listing: Option<Listing>,
}

struct Listing {
    kinds: Vec<Kind>,
    /// The words looked for at the places behind the current one.
    chain: [Kind; 100],
    chain_end: usize,
}

/// Why a look ahead goes no further.
pub(super) enum Stop {
    /// Another word stands there.
    Other,
    /// It has seen as much as it was to see.
    Enough,
    Error(String),
}

pub(super) type Seen = Result<(), Stop>;

impl Ahead {
    pub(super) fn new(text: &str) -> Ahead {
        let (kind, begin, end) = (Kind::End, 0, 0);
        Ahead {
            lexer: Lexer::new(text),
            tokens: vec![Token { kind, begin, end }],
            current: 0,
            turn: 0,
            noted: [-1; 13],
            looked: std::array::from_fn(|_| vec![Look::default()]),
            scan: Scan::default(),
        }
    }

    fn token(&mut self, at: usize) -> Result<Token, String> {
        while self.tokens.len() <= at {
            let token = self.lexer.next().map_err(|message| {
                format!("org.apache.rocketmq.filter.parser.TokenMgrError: {message}")
            })?;
            self.tokens.push(token);
        }
        self.tokens.get(at).copied().ok_or_else(too_deep)
    }

    /// The next word.
    pub(super) fn peek(&mut self) -> Result<Kind, String> {
        self.token(self.current + 1).map(|token| token.kind)
    }

    /// Takes the next word, which must be of this kind.
    pub(super) fn take(&mut self, kind: Kind) -> Result<String, String> {
        let token = self.token(self.current + 1)?;
        if token.kind != kind {
            return Err(self.mistake_for(kind.bit()));
        }
        self.current += 1;
        self.turn += 1;
        Ok(String::from_utf16_lossy(self.lexer.units(token)))
    }

    /// Whether a word may stand at a place of the grammar.
    pub(super) fn is_of(&self, place: usize, kind: Kind) -> bool {
        PLACES.get(place).is_some_and(|set| set & kind.bit() != 0)
    }

    /// Whether the next word may; notes it if not.
    pub(super) fn next_is_of(&mut self, place: usize) -> Result<bool, String> {
        let kind = self.peek()?;
        let is = self.is_of(place, kind);
        if !is {
            self.note(place);
        }
        Ok(is)
    }

    /// Notes that none of a place's words was found in this turn.
    pub(super) fn note(&mut self, place: usize) {
        if let Some(noted) = self.noted.get_mut(place) {
            *noted = self.turn;
        }
    }

    pub(super) fn sees_is_null(&mut self) -> Result<bool, String> {
        self.look(0, 2)
    }

    pub(super) fn sees_not_between(&mut self) -> Result<bool, String> {
        self.look(1, 2)
    }

    pub(super) fn sees_not_in(&mut self) -> Result<bool, String> {
        self.look(2, 2)
    }

    pub(super) fn sees_plus_and_more(&mut self) -> Result<bool, String> {
        self.look(3, WITHOUT_LIMIT)
    }

    fn look(&mut self, which: usize, limit: i64) -> Result<bool, String> {
        let seen = self.scan_from(which, self.current, limit);
        let (turn, from) = (self.turn, self.current);
        let look = Look {
            until_turn: turn + limit - self.scan.left,
            from,
            limit,
        };
        let looks = self.looked.get_mut(which);
        if let Some(looks) = looks {
            match looks.iter_mut().find(|old| old.until_turn <= turn) {
                Some(old) => *old = look,
                None => looks.push(look),
            }
        }
        match seen {
            Ok(()) | Err(Stop::Enough) => Ok(true),
            Err(Stop::Other) => Ok(false),
            Err(Stop::Error(error)) => Err(error),
        }
    }

    fn scan_from(&mut self, which: usize, from: usize, limit: i64) -> Seen {
        self.scan = Scan {
            at: from,
            furthest: from,
            left: limit,
            depth: 0,
            listing: self.scan.listing.take(),
        };
        match which {
            0 => self.scan_is_null(),
            1 => self.scan_not_between(),
            2 => self.scan_not_in(),
            _ => self.scan_plus(),
        }
    }

    /// Java's message for a next word that fits nowhere.
    pub(super) fn mistake(&mut self) -> String {
        self.mistake_for(0)
    }

    fn mistake_for(&mut self, mut expected: u64) -> String {
        for (place, noted) in PLACES.iter().zip(self.noted) {
            if noted == self.turn {
                expected |= place;
            }
        }
        let kinds = KINDS.into_iter().filter(|kind| expected & kind.bit() != 0);
        self.scan.listing = Some(Listing {
            kinds: kinds.collect(),
            chain: [Kind::End; 100],
            chain_end: 0,
        });
        for which in 0..self.looked.len() {
            let looks = self.looked.get(which).cloned().unwrap_or_default();
            let turn = self.turn;
            for look in looks.iter().filter(|look| look.until_turn > turn) {
                match self.scan_from(which, look.from, look.limit) {
                    Ok(()) | Err(Stop::Other) => {}
                    Err(Stop::Enough) => break,
                    Err(Stop::Error(error)) => return error,
                }
            }
        }
        let Some(mut listing) = self.scan.listing.take() else {
            return String::new();
        };
        listing.add(Kind::End, 0);
        match self.token(self.current + 1) {
            Ok(found) => self.message(found, &listing.kinds),
            Err(error) => error,
        }
    }

    fn message(&self, found: Token, expected: &[Kind]) -> String {
        let (line, column) = self.lexer.place(found);
        let encountered = match (expected, found.kind) {
            ([], _) => String::new(),
            (_, Kind::End) => Kind::End.image().to_owned(),
            (_, kind) => {
                let word = escaped(self.lexer.units(found));
                format!(" {} \"{word} \"", kind.image())
            }
        };
        let one_of = if expected.len() == 1 { "" } else { " one of" };
        let mut message = format!(
            "org.apache.rocketmq.filter.parser.ParseException: Encountered \"{encountered}\" at line {line}, \
             column {column}.\nWas expecting{one_of}:\n    "
        );
        for kind in expected {
            let more = if *kind == Kind::End { "" } else { "..." };
            message.push_str(&format!("{} {more}\n    ", kind.image()));
        }
        message
    }

    pub(super) fn scan_word(&mut self, kind: Kind) -> Seen {
        self.scan.at += 1;
        if self.scan.at > self.scan.furthest {
            self.scan.left -= 1;
            self.scan.furthest = self.scan.at;
        }
        let at = self.scan.at;
        let found = self.token(at).map_err(Stop::Error)?;
        if let (Some(listing), Some(place)) = (&mut self.scan.listing, at.checked_sub(self.current))
        {
            listing.add(kind, place);
        }
        if found.kind != kind {
            return Err(Stop::Other);
        }
        if self.scan.left == 0 && at == self.scan.furthest {
            return Err(Stop::Enough);
        }
        Ok(())
    }

    pub(super) fn scan_words(&mut self, kinds: &[Kind]) -> Seen {
        kinds.iter().try_for_each(|kind| self.scan_word(*kind))
    }

    /// The first of several that is seen.
    pub(super) fn scan_any(&mut self, choices: &[fn(&mut Ahead) -> Seen]) -> Seen {
        let at = self.scan.at;
        for choice in choices {
            self.scan.at = at;
            match choice(self) {
                Err(Stop::Other) => {}
                seen => return seen,
            }
        }
        Err(Stop::Other)
    }

    /// As many as are seen.
    pub(super) fn scan_all(&mut self, part: fn(&mut Ahead) -> Seen) -> Seen {
        loop {
            let at = self.scan.at;
            match part(self) {
                Ok(()) => {}
                Err(Stop::Other) => {
                    self.scan.at = at;
                    return Ok(());
                }
                stop => return stop,
            }
        }
    }
}

impl Listing {
    /// A word was looked for, `place` words behind the current one.
    fn add(&mut self, kind: Kind, place: usize) {
        if place >= self.chain.len() {
            return;
        }
        if place != self.chain_end + 1 {
            if self.chain_end == 0 {
                return;
            }
            let [first, ..] = self.chain;
            if self.chain_end == 1 && self.kinds.contains(&first) {
                self.kinds.push(first);
            }
            if place == 0 {
                return;
            }
        }
        self.chain_end = place;
        if let Some(last) = place
            .checked_sub(1)
            .and_then(|last| self.chain.get_mut(last))
        {
            *last = kind;
        }
    }
}
