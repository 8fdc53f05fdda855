//! Reads an SQL92 filter.
//!
//! ```text
//! or          and { OR and }
//! and         equality { AND equality }
//! equality    comparison { = comparison | <> comparison | IS NULL | IS NOT NULL }
//! comparison  unary { > >= < <= unary | [NOT] BETWEEN unary AND unary | [NOT] IN ( 'text' {, 'text'} ) }
//! unary       + unary | - unary | NOT unary | literal | name | ( or )
//! ```
//!
//! What follows a whole filter is not looked at: `a = 1 nonsense` is `a = 1`. The rule that is easy to break: a `+`
//! counts only where a whole `unary` can be seen behind it; otherwise the `+` itself is the mistake. Depth is counted, and
//! too much of it ends as it does in Java, with its StackOverflowError; there some thousand brackets do, here
//! [`MAX_DEPTH`].
//!
//! Java 4.7.0 `filter/parser/SelectorParser.jj`.

use std::fmt;

use super::sql_ahead::Ahead;
use super::sql_lexer::Kind;
use super::sql_tree::{Id, Node, Tree};
use super::sql_value::Relation;

/// How deep signs, NOTs and brackets may stand in each other.
pub const MAX_DEPTH: u32 = 256;

/// Longest filter that is read, in bytes. Java has no bound but its memory.
pub const MAX_BYTES: usize = 128 * 1024;

/// Why a text is no filter, as Java's exception says it. Whoever sent it gets the text with code 23.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlError(pub(super) String);

impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SqlError {}

/// Reads a filter: the tree, and the node that stands for all of it.
pub(super) fn parse(text: &str) -> Result<(Tree, Id), SqlError> {
    if text.len() > MAX_BYTES {
        let bytes = text.len();
        return Err(SqlError(format!(
            "the expression has {bytes} bytes, more than {MAX_BYTES}"
        )));
    }
    let mut parser = Parser {
        ahead: Ahead::new(text),
        tree: Tree::default(),
        depth: 0,
    };
    let whole = parser.or().and_then(|id| parser.tree.boolean(id));
    whole.map(|id| (parser.tree, id)).map_err(SqlError)
}

struct Parser {
    ahead: Ahead,
    tree: Tree,
    depth: u32,
}

type Parsed = Result<Id, String>;

impl Parser {
    fn or(&mut self) -> Parsed {
        let mut left = self.and()?;
        while self.ahead.next_is_of(0)? {
            self.ahead.take(Kind::Or)?;
            let right = self.and()?;
            left = self.tree.or(left, right)?;
        }
        Ok(left)
    }

    fn and(&mut self) -> Parsed {
        let mut left = self.equality()?;
        while self.ahead.next_is_of(1)? {
            self.ahead.take(Kind::And)?;
            let right = self.equality()?;
            left = self.tree.and(left, right)?;
        }
        Ok(left)
    }

    fn equality(&mut self) -> Parsed {
        let mut left = self.comparison()?;
        while self.ahead.next_is_of(2)? {
            match self.ahead.peek()? {
                kind @ (Kind::Equal | Kind::Unequal) => {
                    self.ahead.take(kind)?;
                    let right = self.comparison()?;
                    left = self.tree.equal(left, right)?;
                    if kind == Kind::Unequal {
                        left = self.tree.not(left)?;
                    }
                }
                _ => left = self.is_null(left)?,
            }
        }
        Ok(left)
    }

    fn is_null(&mut self, left: Id) -> Parsed {
        self.ahead.note(3);
        let not = !self.ahead.sees_is_null()?;
        self.ahead.take(Kind::Is)?;
        if not {
            self.ahead.take(Kind::Not)?;
        }
        self.ahead.take(Kind::Null)?;
        let null = self.tree.is_null(left);
        if not { self.tree.not(null) } else { Ok(null) }
    }

    fn comparison(&mut self) -> Parsed {
        let mut left = self.unary()?;
        while self.ahead.next_is_of(5)? {
            let kind = self.ahead.peek()?;
            let relation = match kind {
                Kind::Greater => Relation::Greater,
                Kind::GreaterEqual => Relation::GreaterEqual,
                Kind::Less => Relation::Less,
                Kind::LessEqual => Relation::LessEqual,
                _ => {
                    left = self.between_or_in(kind, left)?;
                    continue;
                }
            };
            self.ahead.take(kind)?;
            let right = self.unary()?;
            left = self.tree.relate(relation, left, right)?;
        }
        Ok(left)
    }

    fn between_or_in(&mut self, kind: Kind, left: Id) -> Parsed {
        if kind == Kind::Between {
            return self.between(false, left);
        }
        self.ahead.note(8);
        if self.ahead.sees_not_between()? {
            self.ahead.take(Kind::Not)?;
            return self.between(true, left);
        }
        if kind == Kind::In {
            return self.within(false, 6, left);
        }
        self.ahead.note(9);
        if self.ahead.sees_not_in()? {
            self.ahead.take(Kind::Not)?;
            return self.within(true, 7, left);
        }
        Err(self.ahead.mistake())
    }

    fn between(&mut self, not: bool, value: Id) -> Parsed {
        self.ahead.take(Kind::Between)?;
        let low = self.unary()?;
        self.ahead.take(Kind::And)?;
        let high = self.unary()?;
        self.tree.between(not, value, low, high)
    }

    fn within(&mut self, not: bool, more: usize, left: Id) -> Parsed {
        self.ahead.take(Kind::In)?;
        self.ahead.take(Kind::Open)?;
        let mut list = vec![self.text()?.into()];
        while self.ahead.next_is_of(more)? {
            self.ahead.take(Kind::Comma)?;
            list.push(self.text()?.into());
        }
        self.ahead.take(Kind::Close)?;
        self.tree.within(not, left, list)
    }

    fn unary(&mut self) -> Parsed {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(too_deep());
        }
        let id = self.unary_within_depth();
        self.depth -= 1;
        id
    }

    fn unary_within_depth(&mut self) -> Parsed {
        if self.ahead.sees_plus_and_more()? {
            self.ahead.take(Kind::Plus)?;
            return self.unary();
        }
        match self.ahead.peek()? {
            Kind::Minus => {
                self.ahead.take(Kind::Minus)?;
                let id = self.unary()?;
                Ok(self.tree.add(Node::Negate(id)))
            }
            Kind::Not => {
                self.ahead.take(Kind::Not)?;
                let id = self.unary()?;
                self.tree.not(id)
            }
            kind if self.ahead.is_of(10, kind) => self.primary(kind),
            _ => {
                self.ahead.note(10);
                Err(self.ahead.mistake())
            }
        }
    }

    fn primary(&mut self, kind: Kind) -> Parsed {
        match kind {
            Kind::Open => {
                self.ahead.take(Kind::Open)?;
                let id = self.or()?;
                self.ahead.take(Kind::Close)?;
                Ok(id)
            }
            Kind::Text => {
                let text = self.text()?.into();
                Ok(self.tree.add(Node::Text(text)))
            }
            _ => {
                let word = self.ahead.take(kind)?;
                match kind {
                    Kind::Name => Ok(self.tree.property(word)),
                    Kind::Decimal => self.tree.whole_number(&word),
                    Kind::Float => self.tree.float(&word),
                    Kind::True => Ok(self.tree.add(Node::Bool(true))),
                    Kind::False => Ok(self.tree.add(Node::Bool(false))),
                    _ => Ok(self.tree.add(Node::Null)),
                }
            }
        }
    }

    /// A text between quotes, which stand twice inside it.
    fn text(&mut self) -> Result<String, String> {
        let word = self.ahead.take(Kind::Text)?;
        let inner = word.get(1..word.len() - 1).unwrap_or_default();
        Ok(inner.replace("''", "'"))
    }
}

/// What Java says when its stack is used up.
pub(super) fn too_deep() -> String {
    "java.lang.StackOverflowError".to_owned()
}
