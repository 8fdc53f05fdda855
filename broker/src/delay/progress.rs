//! How far each level is delivered: delayOffset.json.
//!
//! ```text
//! in memory   level → the next entry to deliver, and how far the log holds what was delivered before it
//! in the file {"offsetTable":{1:10,2:5}}
//! ```
//!
//! The rule that is easy to break: an offset goes to the file only after the messages delivered before it are on disk.
//! A message may so come twice after a crash, never not at all.
//!
//! What the file says is held against the queues when the store has just been opened, before anything new is in them. An
//! offset before the first entry becomes the first: the ones before it are gone. One behind the last becomes the end:
//! what was delivered there is gone from the log, and what takes its numbers must not be passed over. Java 4.7.0 waits
//! for ever in the second case (its issues 1869, 4033), until as many new messages were passed over. Levels that are not
//! configured keep their line in the file, as in Java.
//!
//! Java 4.7.0 `store/schedule/ScheduleMessageService.java`.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use parking_lot::Mutex;
use remoting::body::offsets::DelayOffsetSerializeWrapper;
use store::{LogOffset, QueueOffset, SCHEDULE_TOPIC, Store};
use tracing::warn;

use crate::json_file::{JsonFile, LoadError};

/// The levels' places, and their file.
#[derive(Debug)]
pub(crate) struct Progress {
    /// Of level 1, 2, …
    levels: Vec<Mutex<Place>>,
    /// Offsets of levels that are not configured.
    others: BTreeMap<i32, i64>,
    file: JsonFile,
}

/// Where a level is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// The entry to deliver next.
    pub(crate) next: QueueOffset,
    /// Where the last message ends that was delivered from here since the start.
    pub(crate) delivered: LogOffset,
}

impl Progress {
    /// Reads the file and holds it against the queues of `store`, which must have just been opened. Blocks on the disk.
    ///
    /// # Errors
    /// [`LoadError`] for a file that cannot be read; Java does not start either.
    pub(crate) fn open(path: impl Into<PathBuf>, store: &Store) -> Result<Progress, LoadError> {
        let file = JsonFile::new(path);
        let stored: DelayOffsetSerializeWrapper = file.load()?.unwrap_or_default();
        let mut others = stored.offset_table;
        let levels = (1..=store.delay_levels().last()).map(|level| {
            let next = corrected(store, level, others.remove(&level));
            Mutex::new(Place {
                next,
                ..Place::default()
            })
        });
        Ok(Progress {
            levels: levels.collect(),
            others,
            file,
        })
    }

    /// Where the level of this queue is; the start of everything for a queue that has no level.
    pub(crate) fn place(&self, queue_id: u32) -> Place {
        let level = self.levels.get(queue_id as usize);
        level.map_or_else(Place::default, |place| *place.lock())
    }

    /// Everything of this queue before `next` is done with. `end`: where the message lies that was delivered for it.
    pub(crate) fn advance(&self, queue_id: u32, next: QueueOffset, end: Option<LogOffset>) {
        if let Some(place) = self.levels.get(queue_id as usize) {
            let mut place = place.lock();
            place.next = next;
            place.delivered = end.unwrap_or(place.delivered);
        }
    }

    /// What belongs in the file now, and up to where the log must be on disk before it is written there.
    pub(crate) fn snapshot(&self) -> (DelayOffsetSerializeWrapper, LogOffset) {
        let (mut offset_table, mut delivered) = (self.others.clone(), LogOffset::default());
        for (level, place) in (1..).zip(&self.levels) {
            let place = *place.lock();
            if place.next > QueueOffset(0) {
                offset_table.insert(level, place.next.0);
            }
            delivered = delivered.max(place.delivered);
        }
        (DelayOffsetSerializeWrapper { offset_table }, delivered)
    }

    /// Writes a snapshot; of two the later one must come later. Blocks on the disk.
    ///
    /// # Errors
    /// What the file system says; the file is as it was.
    pub(crate) fn save(&self, snapshot: &DelayOffsetSerializeWrapper) -> io::Result<()> {
        self.file.save(snapshot).map(drop)
    }
}

/// Where to begin, whatever the file says.
fn corrected(store: &Store, level: i32, recorded: Option<i64>) -> QueueOffset {
    let queue_id = level.unsigned_abs().saturating_sub(1);
    let first = store.min_offset(SCHEDULE_TOPIC, queue_id);
    let end = store.max_offset(SCHEDULE_TOPIC, queue_id).max(first);
    let Some(recorded) = recorded.map(QueueOffset) else {
        return first;
    };
    let next = recorded.clamp(first, end);
    if next != recorded {
        warn!(level, %recorded, %first, %end, "delayOffset.json points outside its queue, go on at {next}");
    }
    next
}
