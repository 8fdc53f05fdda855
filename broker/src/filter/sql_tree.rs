//! What a filter says, as a tree, and what may stand where in it.
//!
//! Nodes lie in one list, a node behind those it is made of; dropping a tree or writing it out takes no stack. The rules
//! are Java's, as odd as they are: `TRUE = 1` is refused and `1 = TRUE` is not, `NULL` counts as a boolean, `- 5` is no
//! constant, brackets leave no trace. A refusal's text shows the tree the way Java prints it.
//!
//! Java 4.7.0 `filter/expression/ComparisonExpression.java` (`create…`, `check…`), `LogicExpression.java`,
//! `UnaryExpression.java`, `ConstantExpression.java`.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::fmt::Write as _;

use super::java_number;
use super::sql_value::{Relation, Trouble, Value, compare};

/// Longest tree that a message shows. A tree can say more than its text: what BETWEEN asks about stands in it twice.
const LONGEST_SHOWN: usize = 16 * 1024;

/// A node's place in the list.
pub(super) type Id = u32;

#[derive(Clone, Debug)]
pub(super) enum Node {
    /// A property, by its number among the names.
    Property(u32),
    Null,
    Bool(bool),
    Int(i32),
    Long(i64),
    Double(f64),
    Text(Box<str>),
    Negate(Id),
    Not(Id),
    /// A property where a boolean is asked for.
    Cast(Id),
    Equal(Id, Id),
    Relate(Relation, Id, Id),
    Between {
        not: bool,
        value: Id,
        low: Id,
        high: Id,
    },
    In {
        not: bool,
        property: Id,
        list: Vec<Box<str>>,
    },
    And(Id, Id),
    Or(Id, Id),
}

/// The tree while it grows.
#[derive(Debug, Default)]
pub(super) struct Tree {
    nodes: Vec<Node>,
    names: Vec<Box<str>>,
    numbers: HashMap<Box<str>, u32>,
}

/// A refusal: Java's exception and its message.
pub(super) fn refused<T>(message: &str) -> Result<T, String> {
    Err(format!("java.lang.RuntimeException: {message}"))
}

impl Tree {
    pub(super) fn add(&mut self, node: Node) -> Id {
        self.nodes.push(node);
        (self.nodes.len() - 1) as Id
    }

    pub(super) fn node(&self, id: Id) -> &Node {
        self.nodes.get(id as usize).unwrap_or(&Node::Null)
    }

    /// The names of properties, by number.
    pub(super) fn names(&self) -> &[Box<str>] {
        &self.names
    }

    pub(super) fn property(&mut self, name: String) -> Id {
        let number = match self.numbers.get(&*name) {
            Some(number) => *number,
            None => {
                let number = self.names.len() as u32;
                self.names.push(name.as_str().into());
                self.numbers.insert(name.into(), number);
                number
            }
        };
        self.add(Node::Property(number))
    }

    /// Digits, perhaps with an `l` behind them: an int where it fits, else a long.
    pub(super) fn whole_number(&mut self, word: &str) -> Result<Id, String> {
        let digits = word.strip_suffix(['l', 'L']).unwrap_or(word);
        let Some(long) = java_number::long(digits) else {
            return Err(format!("java.lang.{}", no_number(digits)));
        };
        Ok(self.add(i32::try_from(long).map_or(Node::Long(long), Node::Int)))
    }

    /// A number with a point or an exponent. 0 is refused.
    pub(super) fn float(&mut self, word: &str) -> Result<Id, String> {
        let value = java_number::double(word).unwrap_or(f64::NAN);
        if value > f64::MAX {
            return refused(&format!("{word} is greater than 1.7976931348623157E308"));
        }
        if value <= 0.0 {
            return refused(&format!("{word} is less than 4.9E-324"));
        }
        Ok(self.add(Node::Double(value)))
    }

    /// What stands where a boolean is asked for.
    pub(super) fn boolean(&mut self, id: Id) -> Result<Id, String> {
        if self.is_boolean(id) {
            return Ok(id);
        }
        if matches!(self.node(id), Node::Property(_)) {
            return Ok(self.add(Node::Cast(id)));
        }
        let text = self.text(id);
        Err(format!(
            "org.apache.rocketmq.filter.parser.ParseException: Expression will not result in a boolean value: {text}"
        ))
    }

    fn is_boolean(&self, id: Id) -> bool {
        !matches!(
            self.node(id),
            Node::Property(_)
                | Node::Int(_)
                | Node::Long(_)
                | Node::Double(_)
                | Node::Text(_)
                | Node::Negate(_)
        )
    }

    /// The value of a constant.
    fn constant(&self, id: Id) -> Option<Value<'_>> {
        Some(match self.node(id) {
            Node::Null => Value::Null,
            Node::Bool(value) => Value::Bool(*value),
            Node::Int(value) => Value::Int(*value),
            Node::Long(value) => Value::Long(*value),
            Node::Double(value) => Value::Double(*value),
            Node::Text(value) => Value::Text(value),
            _ => return None,
        })
    }

    pub(super) fn not(&mut self, id: Id) -> Result<Id, String> {
        let id = self.boolean(id)?;
        Ok(self.add(Node::Not(id)))
    }

    pub(super) fn and(&mut self, left: Id, right: Id) -> Result<Id, String> {
        let (left, right) = (self.boolean(left)?, self.boolean(right)?);
        Ok(self.add(Node::And(left, right)))
    }

    pub(super) fn or(&mut self, left: Id, right: Id) -> Result<Id, String> {
        let (left, right) = (self.boolean(left)?, self.boolean(right)?);
        Ok(self.add(Node::Or(left, right)))
    }

    pub(super) fn is_null(&mut self, id: Id) -> Id {
        let null = self.add(Node::Null);
        self.add(Node::Equal(id, null))
    }

    pub(super) fn equal(&mut self, left: Id, right: Id) -> Result<Id, String> {
        for id in [left, right] {
            if matches!(self.node(id), Node::Null) {
                return refused("'NULL' cannot be compared.");
            }
        }
        let other = self.constant(right).is_some() && !self.is_boolean(right);
        if matches!(self.node(left), Node::Bool(_)) && other {
            let (left, right) = (self.text(left), self.text(right));
            return refused(&format!("'{left}' cannot be compared with '{right}'"));
        }
        Ok(self.add(Node::Equal(left, right)))
    }

    pub(super) fn relate(&mut self, relation: Relation, left: Id, right: Id) -> Result<Id, String> {
        self.may_be_ordered(left)?;
        self.may_be_ordered(right)?;
        Ok(self.add(Node::Relate(relation, left, right)))
    }

    /// Only numbers have an order, and what may turn out to be one.
    fn may_be_ordered(&self, id: Id) -> Result<(), String> {
        if matches!(self.node(id), Node::Text(_)) || self.is_boolean(id) {
            return refused(&format!("Value '{}' cannot be compared.", self.text(id)));
        }
        Ok(())
    }

    pub(super) fn between(
        &mut self,
        not: bool,
        value: Id,
        low: Id,
        high: Id,
    ) -> Result<Id, String> {
        if !not {
            self.check_bounds(low, high)?;
        }
        self.may_be_ordered(value)?;
        self.may_be_ordered(low)?;
        self.may_be_ordered(high)?;
        Ok(self.add(Node::Between {
            not,
            value,
            low,
            high,
        }))
    }

    /// Bounds that are both constants must be in order.
    fn check_bounds(&self, low: Id, high: Id) -> Result<(), String> {
        let (Some(low), Some(high)) = (self.constant(low), self.constant(high)) else {
            return Ok(());
        };
        if low == Value::Null || high == Value::Null {
            return refused("Illegal values of between, values can not be null!");
        }
        match compare(high, low) {
            Ok(Ordering::Less) => refused(&format!(
                "Illegal values of between, left value({}) must less than or equal to right value({})",
                shown(low),
                shown(high)
            )),
            Ok(_) => Ok(()),
            Err(Trouble::NotANumber) => {
                let (text, double) = match (low, high) {
                    (Value::Text(text), other) | (other, Value::Text(text)) => {
                        (text, matches!(other, Value::Double(_)))
                    }
                    _ => ("", false),
                };
                let text = if double { java_number::trimmed(text) } else { text };
                match (double, text) {
                    (true, "") => refused("java.lang.NumberFormatException: empty String"),
                    _ => refused(&format!("java.lang.{}", no_number(text))),
                }
            }
            Err(Trouble::Cast) => Err(
                "java.lang.ClassCastException: class java.lang.Boolean cannot be cast to class java.lang.String \
                 (java.lang.Boolean and java.lang.String are in module java.base of loader 'bootstrap')"
                    .to_owned(),
            ),
        }
    }

    pub(super) fn within(
        &mut self,
        not: bool,
        left: Id,
        list: Vec<Box<str>>,
    ) -> Result<Id, String> {
        if !matches!(self.node(left), Node::Property(_)) {
            let text = self.text(left);
            return refused(&format!(
                "Expected a property for In expression, got: {text}"
            ));
        }
        Ok(self.add(Node::In {
            not,
            property: left,
            list,
        }))
    }

    /// A node as Java prints it.
    fn text(&self, id: Id) -> String {
        enum Piece {
            Node(Id),
            Said(&'static str),
        }
        use Piece::{Node as Of, Said};
        let mut out = String::new();
        let mut open = vec![Of(id)];
        while let Some(piece) = open.pop() {
            if out.len() > LONGEST_SHOWN {
                break;
            }
            let mut then = |pieces: &mut Vec<Piece>| {
                pieces.reverse();
                open.append(pieces);
            };
            let id = match piece {
                Said(text) => {
                    out.push_str(text);
                    continue;
                }
                Of(id) => id,
            };
            let mut both = |left, sign, right| {
                then(&mut vec![
                    Said("("),
                    Of(left),
                    Said(" "),
                    Said(sign),
                    Said(" "),
                    Of(right),
                    Said(")"),
                ]);
            };
            match self.node(id) {
                Node::And(left, right) => both(*left, "&&", *right),
                Node::Or(left, right) => both(*left, "||", *right),
                Node::Equal(left, right) => both(*left, "==", *right),
                Node::Relate(relation, left, right) => both(*left, relation.sign(), *right),
                Node::Between {
                    not,
                    value,
                    low,
                    high,
                } => {
                    let signs = match not {
                        false => [" >= ", ") && (", " <= "],
                        true => [" < ", ") || (", " > "],
                    };
                    let [first, joint, second] = signs.map(Said);
                    let (value, again) = (Of(*value), Of(*value));
                    let low = [Said("(("), value, first, Of(*low), joint];
                    let high = [again, second, Of(*high), Said("))")];
                    then(&mut low.into_iter().chain(high).collect());
                }
                Node::Not(id) => then(&mut vec![Said("(NOT "), Of(*id), Said(")")]),
                Node::Negate(id) => then(&mut vec![Said("(- "), Of(*id), Said(")")]),
                Node::Cast(id) => then(&mut vec![Of(*id)]),
                leaf => self.leaf_text(leaf, &mut out),
            }
        }
        out
    }

    fn leaf_text(&self, node: &Node, out: &mut String) {
        match node {
            Node::Property(number) => {
                out.push_str(self.names.get(*number as usize).map_or("", |name| name));
            }
            Node::Null => out.push_str("NULL"),
            Node::Bool(true) => out.push_str("TRUE"),
            Node::Bool(false) => out.push_str("FALSE"),
            Node::Text(text) => {
                let _ = write!(out, "'{}'", text.replace('\'', "''")); // a String takes everything
            }
            Node::Int(value) => out.push_str(&shown(Value::Int(*value))),
            Node::Long(value) => out.push_str(&shown(Value::Long(*value))),
            Node::Double(value) => out.push_str(&shown(Value::Double(*value))),
            Node::In {
                not,
                property,
                list,
            } => {
                let name = self.text(*property);
                let list = as_java_keeps(list).join(", ");
                let not = if *not { "NOT " } else { "" };
                let _ = write!(out, "{name} {not}IN ( {list} )"); // a String takes everything
            }
            _ => {}
        }
    }
}

/// The list of an IN in the order Java walks over it: as written below five, by hash from five on.
fn as_java_keeps(list: &[Box<str>]) -> Vec<&str> {
    let mut list: Vec<&str> = list.iter().map(|text| &**text).collect();
    if list.len() < 5 {
        return list;
    }
    let room = ((list.len() as f64 / 0.75) as usize + 1).max(16);
    let slots = room.next_power_of_two();
    let mut seen = std::collections::HashSet::new();
    list.retain(|text| seen.insert(*text));
    list.sort_by_key(|text| {
        let hash = store::java_hash(text.as_bytes()) as u32;
        (hash ^ hash >> 16) as usize & (slots - 1)
    });
    list
}

fn no_number(text: &str) -> String {
    format!("NumberFormatException: For input string: \"{text}\"")
}

fn shown(value: Value<'_>) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Long(value) => value.to_string(),
        Value::Double(value) => java_number::double_text(value),
        Value::Text(text) => text.to_owned(),
    }
}
