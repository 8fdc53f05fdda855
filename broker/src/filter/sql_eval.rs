//! An SQL92 filter made ready: steps over a small stack of values, in the order Java evaluates.
//!
//! ```text
//! a > 3 AND b = 'x'     a  ─null?─▶ 3  >  ─false?─▶ b  'x'  =  AND
//!                       └──────▶ ┘        └──────────────────▶ ┘
//! ```
//!
//! One pass over a message's properties fills the names the filter asks for; the steps then run without recursion, and
//! without allocation unless the filter is unusually large. The rule that is easy to break: what Java does not evaluate
//! cannot fail, so a step that is jumped over must be jumped over here too.
//!
//! Java 4.7.0 `filter/expression/*.java` (`evaluate`), `broker/filter/MessageEvaluationContext.java`.

use super::sql_assemble::assemble;
use super::sql_parser::{SqlError, parse};
use super::sql_value::{Relation, Trouble, Value, equal, relate};

/// Names and stack places that need no allocation.
const SMALL: usize = 16;

/// A filter that can be asked about messages.
#[derive(Debug)]
pub struct Expression {
    /// The properties it asks about, ascending.
    pub(super) names: Box<[Box<str>]>,
    pub(super) steps: Box<[Step]>,
    /// Places of the stack that it needs.
    pub(super) deepest: usize,
}

/// What a filter says about a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is wanted.
    True,
    /// It is not.
    False,
    /// It is unknown, for want of a property: it is not delivered.
    Null,
    /// Java throws, say for a text that is no number: it is not delivered.
    Error,
}

/// One thing to do, with the values at hand.
#[derive(Debug)]
pub(super) enum Step {
    /// Puts a property.
    Property(u32),
    Null,
    Bool(bool),
    Int(i32),
    Long(i64),
    Double(f64),
    Text(Box<str>),
    /// Changes the top.
    Negate,
    Not,
    Cast,
    In {
        not: bool,
        list: Box<[Box<str>]>,
    },
    /// Takes two, puts one.
    Equal,
    Relate(Relation),
    And,
    Or,
    /// Goes on at a later step when the top is NULL.
    IfNull(usize),
    /// Goes on at a later step when the top is this.
    If(bool, usize),
    /// value, low ▶ value, whether low holds; or, when that settles it, whether it holds, and on at a later step.
    Low {
        not: bool,
        settled: usize,
    },
    /// value, low holds, high ▶ whether both hold, or with `not` any.
    High {
        not: bool,
    },
}

impl Expression {
    /// Reads a filter.
    ///
    /// # Errors
    /// With Java's text.
    pub fn compile(text: &str) -> Result<Expression, SqlError> {
        let (tree, whole) = parse(text)?;
        Ok(assemble(&tree, whole))
    }

    /// What it says about a message with these properties, `name \x01 value \x02 …`.
    #[must_use]
    pub fn verdict(&self, properties: &str) -> Verdict {
        let mut few = [None; SMALL];
        let mut many = Vec::new();
        let values = match few.get_mut(..self.names.len()) {
            Some(few) => few,
            None => {
                many.resize(self.names.len(), None);
                &mut many[..]
            }
        };
        for (name, value) in remoting::properties::iter(properties) {
            if let Ok(number) = self.names.binary_search_by(|known| (**known).cmp(name))
                && let Some(place) = values.get_mut(number)
            {
                *place = Some(value); // the last of several counts
            }
        }
        self.run(values)
    }

    /// [`verdict`](Self::verdict) over bytes; what is no UTF-8 reads as U+FFFD, as in Java.
    #[must_use]
    pub fn wants(&self, properties: &[u8]) -> bool {
        self.verdict(&String::from_utf8_lossy(properties)) == Verdict::True
    }

    fn run(&self, values: &[Option<&str>]) -> Verdict {
        let mut few = [Value::Null; SMALL];
        let mut many = Vec::new();
        let places = if self.deepest <= SMALL {
            &mut few[..]
        } else {
            many.resize(self.deepest, Value::Null);
            &mut many[..]
        };
        let mut stack = Stack { places, height: 0 };
        match self.run_on(&mut stack, values) {
            Ok(Value::Bool(true)) => Verdict::True,
            Ok(Value::Bool(false)) => Verdict::False,
            Ok(_) => Verdict::Null,
            Err(_) => Verdict::Error,
        }
    }

    fn run_on<'a>(
        &'a self,
        stack: &mut Stack<'_, 'a>,
        values: &[Option<&'a str>],
    ) -> Result<Value<'a>, Trouble> {
        let mut at = 0;
        while let Some(step) = self.steps.get(at) {
            at += 1;
            match step {
                Step::Property(number) => {
                    let value = values.get(*number as usize).copied().flatten();
                    stack.put(value.map_or(Value::Null, Value::Text));
                }
                Step::Null => stack.put(Value::Null),
                Step::Bool(value) => stack.put(Value::Bool(*value)),
                Step::Int(value) => stack.put(Value::Int(*value)),
                Step::Long(value) => stack.put(Value::Long(*value)),
                Step::Double(value) => stack.put(Value::Double(*value)),
                Step::Text(value) => stack.put(Value::Text(value)),
                Step::Negate | Step::Not | Step::Cast | Step::In { .. } => {
                    let changed = change(step, stack.take());
                    stack.put(changed);
                }
                Step::Equal => {
                    let (right, left) = (stack.take(), stack.take());
                    stack.put(equal(left, right)?);
                }
                Step::Relate(relation) => {
                    let (right, left) = (stack.take(), stack.take());
                    stack.put(relate(*relation, left, right)?);
                }
                Step::And | Step::Or => {
                    let (right, left) = (stack.take(), stack.take());
                    stack.put(joined(matches!(step, Step::Or), left, right));
                }
                Step::IfNull(on) => at = if stack.top() == Value::Null { *on } else { at },
                Step::If(this, on) => {
                    at = if stack.top() == Value::Bool(*this) {
                        *on
                    } else {
                        at
                    };
                }
                Step::Low { not, settled } => {
                    let low = stack.take();
                    let first = if *not {
                        Relation::Less
                    } else {
                        Relation::GreaterEqual
                    };
                    let holds = relate(first, stack.top(), low)?;
                    if holds == Value::Bool(*not) {
                        stack.take();
                        at = *settled;
                    }
                    stack.put(holds);
                }
                Step::High { not } => {
                    let (high, first, value) = (stack.take(), stack.take(), stack.take());
                    let second = if *not {
                        Relation::Greater
                    } else {
                        Relation::LessEqual
                    };
                    let second = relate(second, value, high)?;
                    stack.put(joined(*not, first, second));
                }
            }
        }
        Ok(stack.take())
    }
}

/// AND or OR of two that may be NULL.
fn joined(or: bool, left: Value<'_>, right: Value<'_>) -> Value<'static> {
    let settles = Value::Bool(or);
    if left == settles || right == settles {
        return Value::Bool(or);
    }
    match (left, right) {
        (Value::Bool(_), Value::Bool(_)) => Value::Bool(!or),
        _ => Value::Null,
    }
}

fn change<'a>(step: &Step, value: Value<'a>) -> Value<'a> {
    match (step, value) {
        (Step::Negate, Value::Int(value)) => Value::Int(value.wrapping_neg()),
        (Step::Negate, Value::Long(value)) => Value::Long(value.wrapping_neg()),
        (Step::Negate, Value::Double(value)) => Value::Double(-value),
        (Step::Not, Value::Bool(value)) => Value::Bool(!value),
        (Step::Cast, Value::Bool(value)) => Value::Bool(value),
        (Step::Cast, Value::Null) => Value::Null,
        (Step::Cast, _) => Value::Bool(false),
        (Step::In { not, list }, Value::Text(text)) => {
            let there = list.binary_search_by(|known| (**known).cmp(text)).is_ok();
            Value::Bool(there != *not)
        }
        _ => Value::Null,
    }
}

/// The values at hand. `deepest` of the expression is its size, so nothing is lost.
struct Stack<'s, 'a> {
    places: &'s mut [Value<'a>],
    height: usize,
}

impl<'a> Stack<'_, 'a> {
    fn put(&mut self, value: Value<'a>) {
        if let Some(place) = self.places.get_mut(self.height) {
            *place = value;
        }
        self.height += 1;
    }

    fn take(&mut self) -> Value<'a> {
        let top = self.top();
        self.height = self.height.saturating_sub(1);
        top
    }

    fn top(&self) -> Value<'a> {
        let top = self
            .height
            .checked_sub(1)
            .and_then(|top| self.places.get(top));
        top.copied().unwrap_or(Value::Null)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(text: &str, properties: &[(&str, &str)]) -> Verdict {
        let mut said = String::new();
        for (name, value) in properties {
            remoting::properties::push(&mut said, name, value);
        }
        let expression =
            Expression::compile(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        expression.verdict(&said)
    }

    fn message(text: &str) -> String {
        Expression::compile(text)
            .expect_err("no filter")
            .to_string()
    }

    #[test]
    fn a_text_is_compared_as_the_kind_of_number_it_meets() {
        let a = |value| [("a", value)];
        assert_eq!(verdict("a > 3", &a("4")), Verdict::True);
        assert_eq!(verdict("a > 3", &a("3.5")), Verdict::Error, "no int");
        assert_eq!(verdict("a > 3.0", &a("3.5")), Verdict::True);
        assert_eq!(verdict("a = 3000000000", &a("3000000000")), Verdict::True);
        assert_eq!(verdict("a BETWEEN -2 AND 5", &a("-2")), Verdict::True);
        assert_eq!(verdict("a NOT BETWEEN 0 AND 5", &a("-2")), Verdict::True);
        assert_eq!(verdict("a = TRUE", &a("tRue")), Verdict::True);
        assert_eq!(verdict("TRUE = a", &a("true")), Verdict::Error);
        assert_eq!(
            verdict("a", &a("true")),
            Verdict::False,
            "a text is no boolean"
        );
    }

    #[test]
    fn a_missing_property_is_unknown() {
        assert_eq!(verdict("a <> 'x'", &[]), Verdict::Null);
        assert_eq!(verdict("NOT (a > 1)", &[]), Verdict::Null);
        assert_eq!(verdict("a IS NULL", &[]), Verdict::True);
        assert_eq!(
            verdict("a IS NOT NULL", &[("a", "")]),
            Verdict::False,
            "no value, no property"
        );
        assert_eq!(
            verdict("a = b", &[]),
            Verdict::True,
            "nothing equals nothing"
        );
        assert_eq!(
            verdict("a > 1 OR b IN ('x', 'y')", &[("b", "y")]),
            Verdict::True
        );
        assert_eq!(verdict("a NOT IN ('x')", &[]), Verdict::Null);
        assert_eq!(verdict("a > 1 AND FALSE", &[]), Verdict::False);
    }

    #[test]
    fn what_is_not_evaluated_cannot_fail() {
        assert_eq!(verdict("a = 'x' OR a > 1", &[("a", "x")]), Verdict::True);
        assert_eq!(verdict("a > 1 OR a = 'x'", &[("a", "x")]), Verdict::Error);
        assert_eq!(
            verdict("(c BETWEEN -(b > 3) AND 5) IS NULL", &[("b", "x")]),
            Verdict::True
        );
    }

    #[test]
    fn the_last_of_several_properties_with_one_name_counts() {
        assert_eq!(verdict("a = '2'", &[("a", "1"), ("a", "2")]), Verdict::True);
    }

    #[test]
    fn mistakes_have_javas_text() {
        assert_eq!(
            message("a >"),
            "org.apache.rocketmq.filter.parser.ParseException: Encountered \"<EOF>\" at line 1, column 3.\n\
             Was expecting one of:\n    \"NOT\" ...\n    \"TRUE\" ...\n    \"FALSE\" ...\n    \"NULL\" ...\n    \
             <DECIMAL_LITERAL> ...\n    <FLOATING_POINT_LITERAL> ...\n    <STRING_LITERAL> ...\n    <ID> ...\n    \
             \"(\" ...\n    \"-\" ...\n    "
        );
        assert_eq!(
            message("a BETWEEN 5 AND 1"),
            "java.lang.RuntimeException: Illegal values of between, left value(5) must less than or equal to right value(1)"
        );
        assert_eq!(
            message("(a = 1 AND b) > 'x'"),
            "java.lang.RuntimeException: Value '((a == 1) && b)' cannot be compared."
        );
        assert_eq!(
            message("0.0 = a"),
            "java.lang.RuntimeException: 0.0 is less than 4.9E-324"
        );
    }

    #[test]
    fn a_hostile_filter_is_refused_or_evaluated_within_bounds() {
        let deep = |open: &str, close: &str, times: usize| {
            format!("{}a = 1{}", open.repeat(times), close.repeat(times))
        };
        for (open, close) in [
            ("(", ")"),
            ("NOT ", ""),
            ("+(", ")"),
            ("- -(", ")"),
            ("- ", ""),
        ] {
            let text = deep(open, close, 20_000);
            assert_eq!(message(&text), "java.lang.StackOverflowError", "{open}");
        }
        assert_eq!(verdict(&deep("(", ")", 200), &[("a", "1")]), Verdict::True);
        let long = vec!["a = 1"; 12_000].join(" AND ");
        assert_eq!(verdict(&long, &[("a", "1")]), Verdict::True);
        let mut twice = "a".to_owned();
        for _ in 0..60 {
            twice = format!("-({twice} BETWEEN 1 AND 2)");
        }
        let refused = message(&format!("({twice} = 1) > 1"));
        assert!(
            refused.len() < 20_000,
            "a message of {} bytes",
            refused.len()
        );
        let big = format!("a = '{}'", "x".repeat(200_000));
        assert_eq!(
            message(&big),
            "the expression has 200006 bytes, more than 131072"
        );
    }
}
