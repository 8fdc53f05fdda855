//! Queue entries that no message claimed, and messages that have no entry: what that means.

use std::ops::Range;

use store::inspect::Entry;

use crate::check::Context;
use crate::queue::{Missing, NONE, Queue};
use crate::report::Weight;

/// Tells of an entry.
pub(crate) fn tell(
    context: &mut Context,
    queue: &Queue,
    weight: Weight,
    kind: &'static str,
    number: i64,
    reason: String,
) {
    let (path, at) = queue.place(number);
    context.report.add(weight, kind, &path, Some(at), reason);
}

/// Tells of the messages without entries that have come by since the last one with an entry.
pub(crate) fn tell_missing(queue: &mut Queue, context: &mut Context) {
    let Some(missing) = queue.missing.take() else {
        return;
    };
    let Missing {
        number,
        log_offset,
        count,
    } = missing;
    queue.told_missing = number..number.saturating_add_unsigned(count);
    let reason = format!(
        "no entry {number} for the message at {log_offset}, nor for {} messages behind it",
        count - 1
    );
    tell(
        context,
        queue,
        context.weight(log_offset),
        "no-entry",
        number,
        reason,
    );
}

/// Looks at entries that no message has claimed; those of messages in front of `upto` have come by. `front`: they are the
/// queue's first.
pub(crate) fn judge(
    queue: &mut Queue,
    numbers: Range<i64>,
    front: bool,
    upto: u64,
    context: &mut Context,
) {
    let mut next = queue.skip_gap(numbers.start.max(0));
    while next < numbers.end.min(queue.room()) {
        let number = next;
        next = queue.skip_gap(number + 1);
        let entry = queue.entry(number);
        let expired = entry.is_valid() && entry.log_offset.unsigned_abs() < context.log_begin();
        if front && (entry == Entry::BLANK || expired) {
            queue.expired += u64::from(entry != Entry::BLANK);
            continue;
        }
        if is_none(entry) && queue.told_missing.contains(&number) {
            continue;
        }
        let (mut kind, mut reason) = meaning(entry, number, context);
        let mut place = if entry.is_valid() {
            entry.log_offset.unsigned_abs()
        } else {
            upto
        };
        // The last message whose entry pointed elsewhere: either the entry is wrong, or the message's own number.
        match queue.unclaimed {
            Some((own, at)) if own == number => {
                reason = format!("{reason}; its message lies at {at}");
                place = place.min(at);
            }
            Some((own, at)) if entry.log_offset.unsigned_abs() == at => {
                kind = "queue-offset";
                reason = format!(
                    "the message at {at}, to which entry {number} points, says that it is number {own}"
                );
            }
            _ => {}
        }
        tell(context, queue, context.weight(place), kind, number, reason);
    }
}

fn is_none(entry: Entry) -> bool {
    entry == NONE || entry == Entry::BLANK
}

/// What an entry that is nobody's is.
fn meaning(entry: Entry, number: i64, context: &Context) -> (&'static str, String) {
    let (offset, end) = (entry.log_offset.unsigned_abs(), context.log_end());
    if is_none(entry) {
        (
            "no-entry",
            format!("no entry {number}, and no such message in the log"),
        )
    } else if !entry.is_valid() {
        (
            "entry",
            format!(
                "entry {number} cannot be one: offset {}, {} bytes",
                entry.log_offset, entry.record_bytes
            ),
        )
    } else if context.is_bad(offset) {
        (
            "lost-message",
            format!("the message of entry {number} at {offset} is not readable"),
        )
    } else if offset >= end {
        (
            "past-the-log",
            format!("entry {number} points to {offset}, the log ends at {end}"),
        )
    } else {
        (
            "entry-place",
            format!(
                "entry {number} points to {offset}, where no message {number} of its queue lies"
            ),
        )
    }
}
