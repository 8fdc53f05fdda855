//! Messages and the entries of their queues, from both sides.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};

use store::inspect::{ENTRY_BYTES, Entry, Handles, has_queue_entry};
use store::{Record, SCHEDULE_TOPIC, tags_code};

use crate::check::{Context, read_small};
use crate::extension::{Extensions, is_address};
use crate::queue::{Claim, Missing, NONE, Queue};
use crate::report::{Report, Weight};
use crate::run::{Run, entries, usual_bytes};
use crate::unclaimed::{judge, tell, tell_missing};

/// More queues without a folder than this are counted, not named.
const HOMELESS_KEPT: usize = 10_000;

/// Messages whose queue has no folder.
struct Homeless {
    first: u64,
    last: u64,
    count: u64,
}

/// The queues of a store.
pub(crate) struct QueueCheck {
    ext_dir: PathBuf,
    queues: Vec<Queue>,
    /// By topic and number.
    by_name: HashMap<Vec<u8>, Vec<(u32, usize)>>,
    file_bytes: u64,
    strange: Vec<PathBuf>,
    homeless: BTreeMap<(String, u32), Homeless>,
    homeless_more: u64,
    extensions: Extensions,
}

impl QueueCheck {
    pub(crate) fn open(
        root: &Path,
        file_bytes: Option<u64>,
    ) -> Result<QueueCheck, (PathBuf, io::Error)> {
        let listed = |dir: &Path| entries(dir).map_err(|error| (dir.to_owned(), error));
        let (mut found, mut strange) = (Vec::new(), Vec::new());
        for topic_dir in listed(&root.join("consumequeue"))? {
            if !topic_dir.is_dir() {
                strange.push(topic_dir);
                continue;
            }
            let topic = topic_dir
                .file_name()
                .unwrap_or_default()
                .as_encoded_bytes()
                .to_owned();
            for queue_dir in listed(&topic_dir)? {
                let id = queue_dir
                    .file_name()
                    .and_then(|name| name.to_str()?.parse::<u32>().ok());
                match id.filter(|_| queue_dir.is_dir()) {
                    Some(id) => {
                        let run =
                            Run::list(&queue_dir).map_err(|error| (queue_dir.clone(), error))?;
                        found.push((topic.clone(), id, queue_dir, run));
                    }
                    None => strange.push(queue_dir),
                }
            }
        }
        let usual = usual_bytes(found.iter().map(|(_, _, _, run)| run));
        let file_bytes = file_bytes.or(usual).unwrap_or(ENTRY_BYTES);
        let mut check = QueueCheck {
            ext_dir: root.join("consumequeue_ext"),
            queues: Vec::new(),
            by_name: HashMap::new(),
            file_bytes,
            strange,
            homeless: BTreeMap::new(),
            homeless_more: 0,
            extensions: Extensions::default(),
        };
        for (topic, id, dir, run) in found
            .into_iter()
            .filter(|(_, _, _, run)| !run.files.is_empty())
        {
            check
                .by_name
                .entry(topic)
                .or_default()
                .push((id, check.queues.len()));
            check.queues.push(Queue::new(dir, run, file_bytes));
        }
        Ok(check)
    }

    /// Names and lengths of the files.
    pub(crate) fn check_files(&mut self, report: &mut Report) {
        let in_queues = self.queues.iter().flat_map(|queue| &queue.run.strange);
        for path in self.strange.iter().chain(in_queues) {
            report.add(
                Weight::Note,
                "strange-file",
                path,
                None,
                "is not the store's".to_owned(),
            );
        }
        report.counts.queues = self.queues.len() as u64;
        for queue in &self.queues {
            crate::files::check_run(&queue.run, self.file_bytes, "queue", report);
            if !self.file_bytes.is_multiple_of(ENTRY_BYTES) {
                let reason = format!(
                    "queue files of {} bytes do not hold whole entries",
                    self.file_bytes
                );
                report.add(Weight::Damage, "file-size", &queue.dir, None, reason);
            }
        }
    }

    /// A message comes by.
    pub(crate) fn record(
        &mut self,
        at: u64,
        record: &Record<'_>,
        handles: &Handles<'_>,
        context: &mut Context,
    ) {
        if !has_queue_entry(record.sys_flag) {
            return;
        }
        let of_topic = self.by_name.get(record.topic);
        let known = of_topic.and_then(|ids| ids.iter().find(|(id, _)| *id == record.queue_id));
        let Some(queue) = known.and_then(|(_, place)| self.queues.get_mut(*place)) else {
            self.homeless(at, record);
            return;
        };
        let number = record.queue_offset;
        let (extensions, ext_dir) = (&mut self.extensions, &self.ext_dir);
        let code = |code| fits(code, record, handles, extensions, ext_dir);
        let weight = context.weight(at);
        let wrong = match queue.claim(number, at, record.record_bytes, code) {
            Claim::Mine => None,
            Claim::Differs(entry) => Some(difference(&entry, at, record)),
            Claim::Superseded => {
                queue.superseded += 1;
                return;
            }
            Claim::None => {
                let (log_offset, count) = (at, 0);
                let none = Missing {
                    number,
                    log_offset,
                    count,
                };
                queue.missing.get_or_insert(none).count += 1;
                return;
            }
            Claim::Taken(entry) => {
                let by = entry.log_offset;
                let reason = format!(
                    "the message at {at} says that it is number {number}, which is the message at {by}"
                );
                tell(context, queue, weight, "queue-offset", number, reason);
                return;
            }
            Claim::Elsewhere => {
                queue.unclaimed = Some((number, at));
                return;
            }
        };
        if let Some((kind, reason)) = wrong {
            tell(context, queue, weight, kind, number, reason);
        }
        tell_missing(queue, context);
        let (front, from) = (queue.next.is_none(), queue.next.unwrap_or(queue.first()));
        if number < from {
            let reason = format!(
                "entry {number} points to {at}, behind the messages of entries that follow it"
            );
            tell(context, queue, weight, "entry-order", number, reason);
            return;
        }
        judge(queue, from..number, front, at, context);
        queue.claimed += 1;
        queue.next = Some(number.saturating_add(1));
    }

    fn homeless(&mut self, at: u64, record: &Record<'_>) {
        let name = (
            String::from_utf8_lossy(record.topic).into_owned(),
            record.queue_id,
        );
        if self.homeless.len() >= HOMELESS_KEPT && !self.homeless.contains_key(&name) {
            self.homeless_more += 1;
            return;
        }
        let one = self.homeless.entry(name).or_insert(Homeless {
            first: at,
            last: at,
            count: 0,
        });
        one.last = at;
        one.count += 1;
    }

    /// The log is at its end: what nobody claimed is looked at.
    pub(crate) fn finish(&mut self, context: &mut Context) {
        for queue in &mut self.queues {
            tell_missing(queue, context);
            let from = queue.next.unwrap_or(queue.first());
            let mut number = from;
            while number < queue.room() && queue.entry(number) != NONE {
                number += 1;
            }
            let end = context.log_end();
            judge(queue, from..number, queue.next.is_none(), end, context);
            if queue.superseded > 0 {
                let reason = format!(
                    "{} messages in the log are older than the queue: its topic was deleted and made anew",
                    queue.superseded
                );
                context
                    .report
                    .add(Weight::Note, "topic-anew", &queue.dir, None, reason);
            }
            if let Some((path, error)) = queue.unreadable.take() {
                context
                    .report
                    .add(Weight::Damage, "unreadable", &path, None, error);
            }
            context.report.counts.queue_entries += queue.claimed;
            context.report.counts.expired_entries += queue.expired;
        }
        self.tell_homeless(context);
    }

    fn tell_homeless(&mut self, context: &mut Context) {
        let topics = read_small(&context.root.join("config/topics.json"))
            .ok()
            .flatten()
            .unwrap_or_default();
        for ((topic, id), one) in &self.homeless {
            let dir = context
                .root
                .join("consumequeue")
                .join(topic)
                .join(id.to_string());
            let known = String::from_utf8_lossy(&topics).contains(&format!("\"{topic}\""));
            let of_topic = self.by_name.get(topic.as_bytes());
            let anew = of_topic.into_iter().flatten().any(|(_, place)| {
                self.queues
                    .get(*place)
                    .is_some_and(|queue| queue.superseded > 0)
            });
            let there = known || of_topic.is_some();
            let weight = if one.last < context.settled.deleted_upto || !there || anew {
                Weight::Note
            } else {
                context.weight(one.first)
            };
            let (kind, why) = if weight == Weight::Note {
                ("topic-deleted", "its topic was deleted")
            } else {
                ("no-queue", "the queue has no files")
            };
            let reason = format!(
                "{} messages, the first at {}, have no entries: {why}",
                one.count, one.first
            );
            context.report.add(weight, kind, &dir, None, reason);
        }
        if self.homeless_more > 0 {
            let reason = format!(
                "{} messages of still more queues have no entries",
                self.homeless_more
            );
            let dir = context.root.join("consumequeue");
            context
                .report
                .add(Weight::Note, "topic-deleted", &dir, None, reason);
        }
    }
}

/// Whether a tags code can be that of a message.
fn fits(
    code: i64,
    record: &Record<'_>,
    handles: &Handles<'_>,
    extensions: &mut Extensions,
    ext_dir: &Path,
) -> bool {
    let code = if is_address(code) {
        let topic = String::from_utf8_lossy(record.topic);
        let dir = ext_dir.join(&*topic).join(record.queue_id.to_string());
        match extensions.unit(&dir, code) {
            Some(unit) if unit.stored_ms == record.store_timestamp_ms => unit.tags_code,
            _ => return false,
        }
    } else {
        code
    };
    // The levels are the configuration's: any time from the store time on can be when it is due.
    let delayed = handles.delay.is_some() && record.topic == SCHEDULE_TOPIC.as_bytes();
    delayed && code >= record.store_timestamp_ms || code == handles.tags.map_or(0, tags_code)
}

/// In what an entry that points to a message differs from what it should be.
fn difference(entry: &Entry, at: u64, record: &Record<'_>) -> (&'static str, String) {
    let (number, bytes) = (record.queue_offset, record.record_bytes);
    if u32::try_from(entry.record_bytes) == Ok(bytes) {
        let code = entry.tags_code;
        (
            "tags-code",
            format!(
                "entry {number} has tags code {code}, which is not that of its message at {at}"
            ),
        )
    } else {
        let says = entry.record_bytes;
        (
            "entry-size",
            format!("entry {number} says {says} bytes, its message at {at} has {bytes}"),
        )
    }
}
