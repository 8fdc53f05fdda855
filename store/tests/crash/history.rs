//! What was stored, and what of it an opened store must have.
//!
//! | what                                                    | must hold                                  |
//! |---------------------------------------------------------|--------------------------------------------|
//! | a message that ends at `kept` or before                 | is there                                   |
//! | the others                                              | the first so many of them are there, in log order |
//! | an entry of a queue                                     | the message that was appended under its number, whole |
//! | a key                                                   | finds its message, once                    |
//! | a topic that was deleted                                | may have older messages back, each once    |

use std::collections::{BTreeMap, BTreeSet};

use store::{Everything, LogOffset, QueueOffset, Record, Store};

/// A message that `append` returned for, or was called with when the crash came.
#[derive(Clone)]
pub(crate) struct Message {
    pub(crate) topic: &'static str,
    pub(crate) queue_id: u32,
    /// `None` for prepared and rollback messages.
    pub(crate) queue_offset: Option<i64>,
    pub(crate) log_offset: u64,
    pub(crate) end: u64,
    /// With the properties behind it.
    pub(crate) body: String,
    pub(crate) key: Option<String>,
}

/// See the module.
#[derive(Clone, Default)]
pub(crate) struct History {
    pub(crate) messages: Vec<Message>,
    /// Topics, and where the log ended when they were deleted last.
    pub(crate) deleted: BTreeMap<&'static str, u64>,
}

macro_rules! must {
    ($holds:expr, $($text:tt)*) => {
        if !$holds {
            return Err(format!($($text)*));
        }
    };
}

impl History {
    /// Looks whether the store has what it must have if everything up to `kept` was acknowledged. With
    /// `thorough` every key is looked up.
    pub(crate) fn check(&self, store: &Store, kept: u64, thorough: bool) -> Result<(), String> {
        let end = store.max_log_offset().0;
        must!(
            end >= kept,
            "the log ends at {end}, {kept} were acknowledged"
        );
        let torn = |message: &&Message| message.log_offset < end && message.end > end;
        if let Some(torn) = self.messages.iter().find(torn) {
            return Err(format!("the log ends at {end} within {:?}", torn.body));
        }
        must!(store.dispatch_behind_bytes() == 0, "not all is dispatched");
        let there = || self.messages.iter().filter(|message| message.end <= end);
        let mut queues: BTreeMap<_, Vec<&Message>> = BTreeMap::new();
        for message in there() {
            let queue = queues.entry((message.topic, message.queue_id)).or_default();
            if message.queue_offset.is_some() {
                queue.push(message);
            } else {
                self.check_record(store, message)?;
            }
        }
        for topic in store.topics() {
            for queue_id in store.queue_ids(&topic) {
                let known = queues
                    .keys()
                    .any(|(known, id)| *known == topic && *id == queue_id);
                // Its folder, or a later file, can come to disk without the messages it was made for, none of
                // which was acknowledged. It holds nothing then, and the next one may have a higher number.
                let ends = (
                    store.min_offset(&topic, queue_id),
                    store.max_offset(&topic, queue_id),
                );
                let empty = ends.0 == ends.1;
                must!(known || empty, "a queue {topic} {queue_id} that never was");
            }
        }
        for ((topic, queue_id), messages) in &queues {
            match self.deleted.get(topic) {
                None => check_queue(store, topic, *queue_id, messages)?,
                Some(upto) => check_deleted(store, topic, *queue_id, messages, *upto)?,
            }
        }
        let step = if thorough { 1 } else { 7 };
        there()
            .rev()
            .step_by(step)
            .try_for_each(|message| self.check_key(store, message))
    }

    fn check_record(&self, store: &Store, message: &Message) -> Result<(), String> {
        let record = store.record_at(LogOffset(message.log_offset));
        let body = record.as_deref().map(body_of).transpose()?;
        must!(
            body.as_ref() == Some(&message.body),
            "{:?} reads {body:?}",
            message.body
        );
        Ok(())
    }

    fn check_key(&self, store: &Store, message: &Message) -> Result<(), String> {
        let Some(key) = &message.key else {
            return Ok(());
        };
        let found = store
            .query_by_key(message.topic, key, 32, 0, i64::MAX)
            .records;
        let bodies = found
            .iter()
            .map(|record| body_of(record))
            .collect::<Result<Vec<_>, _>>()?;
        must!(
            bodies == [message.body.clone()],
            "{key} of {:?} finds {bodies:?}",
            message.body
        );
        Ok(())
    }

    /// What is left of it when the log ends at `end`.
    pub(crate) fn cut(&self, end: u64) -> History {
        let there = self.messages.iter().filter(|message| message.end <= end);
        History {
            messages: there.cloned().collect(),
            deleted: self.deleted.clone(),
        }
    }
}

/// Body of a whole record, checked against its CRC.
fn body_of(record: &[u8]) -> Result<String, String> {
    let record = Record::decode(record).map_err(|error| format!("no record: {error}"))?;
    record
        .check_body()
        .map_err(|error| format!("torn: {error}"))?;
    let (body, properties) = (
        String::from_utf8_lossy(record.body),
        String::from_utf8_lossy(record.properties),
    );
    Ok(format!("{body} {properties}"))
}

/// Queue offset, log offset and body of a message.
type Found = (i64, u64, String);

/// Everything in a queue, and its end.
fn read_all(store: &Store, topic: &str, queue_id: u32) -> Result<(Vec<Found>, i64), String> {
    let (mut at, mut all) = (store.min_offset(topic, queue_id), Vec::new());
    loop {
        let read = store.read_queue(topic, queue_id, at, 32, &mut Everything);
        for slice in &read.records {
            let mut rest = &slice[..];
            while !rest.is_empty() {
                let record =
                    Record::decode(rest).map_err(|error| format!("{topic} {queue_id}: {error}"))?;
                let (bytes, behind) = rest.split_at(record.record_bytes as usize);
                all.push((
                    record.queue_offset,
                    record.log_offset.unsigned_abs(),
                    body_of(bytes)?,
                ));
                rest = behind;
            }
        }
        if read.next_begin == at {
            return Ok((all, store.max_offset(topic, queue_id).0));
        }
        at = read.next_begin;
    }
}

/// The queue has exactly these, one after the other.
fn check_queue(
    store: &Store,
    topic: &str,
    queue_id: u32,
    messages: &[&Message],
) -> Result<(), String> {
    let (found, max) = read_all(store, topic, queue_id)?;
    let place = format!("{topic} {queue_id}");
    must!(
        store.min_offset(topic, queue_id) == QueueOffset(0) && max == messages.len() as i64,
        "{place} has {} to {max}, {} messages are in the log",
        store.min_offset(topic, queue_id).0,
        messages.len()
    );
    must!(
        found.len() == messages.len(),
        "{place} reads {} of {}",
        found.len(),
        messages.len()
    );
    for (n, (found, message)) in found.iter().zip(messages).enumerate() {
        let (queue_offset, log_offset, body) = found;
        let right = message.queue_offset == Some(n as i64)
            && *queue_offset == n as i64
            && *log_offset == message.log_offset
            && *body == message.body;
        must!(right, "{place} {n} is {found:?} and not {:?}", message.body);
    }
    Ok(())
}

/// The queue has those behind `upto`; of those in front it may have some. Each once and in order.
fn check_deleted(
    store: &Store,
    topic: &str,
    queue_id: u32,
    messages: &[&Message],
    upto: u64,
) -> Result<(), String> {
    let (found, _) = read_all(store, topic, queue_id)?;
    must!(
        found.is_sorted_by(|one, next| one.1 < next.1),
        "{topic} {queue_id} is not in log order: {found:?}"
    );
    let known: BTreeSet<_> = messages
        .iter()
        .map(|message| (message.log_offset, &message.body))
        .collect();
    for (_, log_offset, body) in &found {
        must!(
            known.contains(&(*log_offset, body)),
            "{topic} {queue_id} has {body:?}"
        );
    }
    for message in messages.iter().filter(|message| message.log_offset >= upto) {
        let there = found
            .iter()
            .any(|(_, log_offset, _)| *log_offset == message.log_offset);
        must!(
            there,
            "{topic} {queue_id} lacks {:?}, stored after it was deleted",
            message.body
        );
    }
    Ok(())
}
