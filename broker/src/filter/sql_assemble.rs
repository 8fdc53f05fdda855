//! Puts a filter's tree into steps.
//!
//! ```text
//! Between(v, l, h)   v  ─null?──────────────────────────────┐
//!                    l  ─settled by v ≥ l?──────────────────┤
//!                    h  both                                └▶ behind it
//! ```
//!
//! A node becomes the steps of its parts and its own behind them; where Java stops early a step jumps behind the whole
//! node. The rule that is easy to break: jumps land in the reverse of the order they were begun in, inner ones first.
//!
//! Java 4.7.0 `filter/expression/*.java` (`evaluate`).

use super::sql_eval::{Expression, Step};
use super::sql_tree::{Id, Node, Tree};

/// What is left to do while a tree is put into steps.
enum Work {
    Visit(Id),
    Add(Step),
    /// Adds a step that jumps to where a later [`Work::Land`] is met.
    Jump(Step),
    Land,
}

/// Puts a tree into steps. A list of work stands in for recursion: a row of ten thousand ANDs is a tree as deep.
pub(super) fn assemble(tree: &Tree, whole: Id) -> Expression {
    let mut names: Vec<(&str, u32)> = tree.names().iter().map(|name| &**name).zip(0..).collect();
    names.sort_unstable();
    let mut numbers = vec![0; names.len()];
    for ((_, old), new) in names.iter().zip(0..) {
        if let Some(number) = numbers.get_mut(*old as usize) {
            *number = new;
        }
    }
    let mut steps = Vec::new();
    let mut jumps = Vec::new();
    let (mut height, mut deepest) = (0_usize, 0);
    let mut work = vec![Work::Visit(whole)];
    while let Some(next) = work.pop() {
        let step = match next {
            Work::Visit(id) => {
                let from = work.len();
                visit(tree.node(id), &numbers, &mut work);
                if let Some(new) = work.get_mut(from..) {
                    new.reverse();
                }
                continue;
            }
            Work::Land => {
                let here = steps.len();
                land(jumps.pop().and_then(|at: usize| steps.get_mut(at)), here);
                continue;
            }
            Work::Add(step) => step,
            Work::Jump(step) => {
                jumps.push(steps.len());
                step
            }
        };
        height = match step {
            Step::Equal | Step::Relate(_) | Step::And | Step::Or => height.saturating_sub(1),
            Step::High { .. } => height.saturating_sub(2),
            Step::Negate | Step::Not | Step::Cast | Step::In { .. } => height,
            Step::IfNull(_) | Step::If(..) | Step::Low { .. } => height,
            _ => height + 1,
        };
        deepest = deepest.max(height);
        steps.push(step);
    }
    Expression {
        names: names.into_iter().map(|(name, _)| name.into()).collect(),
        steps: steps.into(),
        deepest,
    }
}

fn land(jump: Option<&mut Step>, here: usize) {
    if let Some(Step::IfNull(on) | Step::If(_, on) | Step::Low { settled: on, .. }) = jump {
        *on = here;
    }
}

/// A node's work, first things first. A jump lands behind the whole node, and inner ones land before outer ones.
fn visit(node: &Node, numbers: &[u32], work: &mut Vec<Work>) {
    use Work::{Add, Jump, Land, Visit};
    match node {
        Node::Property(old) => {
            let number = numbers.get(*old as usize).copied();
            work.push(Add(Step::Property(number.unwrap_or(u32::MAX))));
        }
        Node::Null => work.push(Add(Step::Null)),
        Node::Bool(value) => work.push(Add(Step::Bool(*value))),
        Node::Int(value) => work.push(Add(Step::Int(*value))),
        Node::Long(value) => work.push(Add(Step::Long(*value))),
        Node::Double(value) => work.push(Add(Step::Double(*value))),
        Node::Text(value) => work.push(Add(Step::Text(value.clone()))),
        Node::Negate(id) => work.extend([Visit(*id), Add(Step::Negate)]),
        Node::Not(id) => work.extend([Visit(*id), Add(Step::Not)]),
        Node::Cast(id) => work.extend([Visit(*id), Add(Step::Cast)]),
        Node::Equal(left, right) => {
            work.extend([Visit(*left), Visit(*right), Add(Step::Equal)]);
        }
        Node::Relate(relation, left, right) => work.extend([
            Visit(*left),
            Jump(Step::IfNull(0)),
            Visit(*right),
            Add(Step::Relate(*relation)),
            Land,
        ]),
        Node::Between {
            not,
            value,
            low,
            high,
        } => work.extend([
            Visit(*value),
            Jump(Step::IfNull(0)),
            Visit(*low),
            Jump(Step::Low {
                not: *not,
                settled: 0,
            }),
            Visit(*high),
            Add(Step::High { not: *not }),
            Land,
            Land,
        ]),
        Node::In {
            not,
            property,
            list,
        } => {
            let mut list = list.clone();
            list.sort_unstable();
            list.dedup();
            let (not, list) = (*not, list.into());
            work.extend([Visit(*property), Add(Step::In { not, list })]);
        }
        Node::And(left, right) => work.extend([
            Visit(*left),
            Jump(Step::If(false, 0)),
            Visit(*right),
            Add(Step::And),
            Land,
        ]),
        Node::Or(left, right) => work.extend([
            Visit(*left),
            Jump(Step::If(true, 0)),
            Visit(*right),
            Add(Step::Or),
            Land,
        ]),
    }
}
