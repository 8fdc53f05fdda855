//! Values of a filter and how two of them compare.
//!
//! ```text
//! property   a text          number   int, long or double, as written       TRUE  FALSE  NULL
//! text ⋈ number              the text is read as that very kind of number; if it is none, the whole filter fails
//! int ⋈ long ⋈ double        by the wider of the two
//! text ⋈ boolean             true is "true" in any case
//! ```
//!
//! Java 4.7.0 `filter/expression/ComparisonExpression.java` (`__compare`, `evaluate`, `doCreateEqual`).

use std::cmp::Ordering;

use super::java_number::{double, int, long, order};

/// What a part of a filter comes to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value<'a> {
    Null,
    Bool(bool),
    Int(i32),
    Long(i64),
    Double(f64),
    Text(&'a str),
}

/// Why a filter comes to nothing: Java throws. The message is not delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// A text is not the number it is compared as.
    NotANumber,
    /// TRUE or FALSE is on the left of a text.
    Cast,
}

/// The four comparisons by order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    Greater,
    GreaterEqual,
    Less,
    LessEqual,
}

impl Relation {
    pub(super) fn sign(self) -> &'static str {
        match self {
            Relation::Greater => ">",
            Relation::GreaterEqual => ">=",
            Relation::Less => "<",
            Relation::LessEqual => "<=",
        }
    }

    fn holds(self, order: Ordering) -> bool {
        match self {
            Relation::Greater => order.is_gt(),
            Relation::GreaterEqual => order.is_ge(),
            Relation::Less => order.is_lt(),
            Relation::LessEqual => order.is_le(),
        }
    }
}

/// Orders two values that are not NULL; those of kinds that have nothing in common: the left one is less.
pub(super) fn compare(left: Value<'_>, right: Value<'_>) -> Result<Ordering, Trouble> {
    use Value::{Bool, Double, Int, Long, Text};
    Ok(match (left, right) {
        (Int(l), Int(r)) => l.cmp(&r),
        (Int(l), Long(r)) => i64::from(l).cmp(&r),
        (Long(l), Int(r)) => l.cmp(&i64::from(r)),
        (Long(l), Long(r)) => l.cmp(&r),
        (Int(l), Double(r)) => order(l.into(), r),
        (Double(l), Int(r)) => order(l, r.into()),
        (Long(l), Double(r)) => order(l as f64, r),
        (Double(l), Long(r)) => order(l, r as f64),
        (Double(l), Double(r)) => order(l, r),
        (Text(l), Text(r)) => l.encode_utf16().cmp(r.encode_utf16()),
        (Text(l), Int(r)) => int(l).ok_or(Trouble::NotANumber)?.cmp(&r),
        (Int(l), Text(r)) => l.cmp(&int(r).ok_or(Trouble::NotANumber)?),
        (Text(l), Long(r)) => long(l).ok_or(Trouble::NotANumber)?.cmp(&r),
        (Long(l), Text(r)) => l.cmp(&long(r).ok_or(Trouble::NotANumber)?),
        (Text(l), Double(r)) => order(double(l).ok_or(Trouble::NotANumber)?, r),
        (Double(l), Text(r)) => order(l, double(r).ok_or(Trouble::NotANumber)?),
        (Bool(l), Bool(r)) => l.cmp(&r),
        (Text(l), Bool(r)) => l.eq_ignore_ascii_case("true").cmp(&r),
        (Bool(_), Text(_)) => return Err(Trouble::Cast),
        _ => Ordering::Less,
    })
}

/// `left = right`, also as `IS NULL`: nothing equals nothing.
pub(super) fn equal(left: Value<'_>, right: Value<'_>) -> Result<Value<'static>, Trouble> {
    match (left, right) {
        (Value::Null, Value::Null) => Ok(Value::Bool(true)),
        (Value::Null, _) => Ok(Value::Null),
        (_, Value::Null) => Ok(Value::Bool(false)),
        (Value::Text(left), Value::Text(right)) => Ok(Value::Bool(left == right)),
        _ => compare(left, right).map(|order| Value::Bool(order.is_eq())),
    }
}

/// A comparison by order; two texts are compared as doubles.
pub(super) fn relate(
    relation: Relation,
    left: Value<'_>,
    right: Value<'_>,
) -> Result<Value<'static>, Trouble> {
    let order = match (left, right) {
        (Value::Null, _) | (_, Value::Null) => return Ok(Value::Null),
        (Value::Text(left), Value::Text(right)) => {
            let (left, right) = (double(left), double(right));
            order(
                left.ok_or(Trouble::NotANumber)?,
                right.ok_or(Trouble::NotANumber)?,
            )
        }
        _ => compare(left, right)?,
    };
    Ok(Value::Bool(relation.holds(order)))
}
