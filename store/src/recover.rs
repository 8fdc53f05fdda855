//! From files of unknown state to a store that can be written: log, queues and index made to agree.
//!
//! ```text
//!   after a clean stop   from = where the last queue entry's record ends
//!   otherwise            from = the checkpoint; queues and index are cut back to it first
//!   then                 check the log from there, dispatch each record (`rebuild`), cut the log at
//!                        the first that cannot be trusted, cut what points behind that
//! ```
//!
//! After a stop that was not clean nothing behind the checkpoint is believed but the log: queue and
//! index entries are built from it anew, so no page that was lost or came back can leave a gap or a
//! duplicate. The rules that are easy to break: cut first, then build; and before anything is cut that
//! the checkpoint claims, the checkpoint is lowered, for the next crash may come before it is built again.
//! Java 4.7.0 `store/DefaultMessageStore.java`: `recover`, `start`.

use crate::api::Arrivals;
use crate::checkpoint::{Checkpoint, Settled};
use crate::commit_log::{Checks, CommitLog};
use crate::config::StoreConfig;
use crate::consume_queue::queue::Queue;
use crate::consume_queue::table::QueueTable;
use crate::consume_queue::unit::Entry;
use crate::delay_levels::DelayLevels;
use crate::dispatch::Entries;
use crate::error::StoreError;
use crate::index::IndexService;
use crate::paths;
use crate::rebuild::rebuild;

/// The parts of a store that have been opened and belong to nobody else yet.
pub(crate) struct Parts<'a> {
    pub(crate) log: &'a mut CommitLog,
    pub(crate) queues: &'a mut QueueTable,
    pub(crate) index: Option<&'a mut IndexService>,
}

/// Looks whether a store that has had messages still has a log: if not, its disk is not there, most
/// likely.
///
/// # Errors
/// `LogGone`.
pub(crate) fn log_is_there(
    config: &StoreConfig,
    log: &CommitLog,
    queues: &QueueTable,
) -> Result<(), StoreError> {
    let all = queues.all();
    if log.is_empty() && all.iter().any(|queue| queue.last_entry().is_some()) {
        return Err(StoreError::LogGone {
            log_dir: config.commit_log_dir.clone(),
            queue_dir: paths::consume_queue_dir(&config.root_dir),
        });
    }
    Ok(())
}

/// Makes the parts agree. `clean`: the last owner closed the store in order. Reads the log from the
/// place that is known to be good; blocks for as long as that takes. Returns whether anything was given
/// up, so that what the checkpoint says is not to be believed any more.
pub(crate) fn recover(
    config: &StoreConfig,
    clean: bool,
    checkpoint: &Checkpoint,
    (levels, arrivals): (&DelayLevels, &dyn Arrivals),
    mut parts: Parts<'_>,
) -> Result<bool, StoreError> {
    let aside = paths::cut_dir(&config.root_dir);
    let damaged = match parts.index.as_deref_mut() {
        Some(index) => index.set_aside_damaged(parts.log, clean, checkpoint, &aside)?,
        None => Vec::new(),
    };
    let settled = checkpoint.read();
    let lower = |to| {
        let lowered = checkpoint.lower(to);
        lowered.map_err(StoreError::io("write", paths::checkpoint(&config.root_dir)))
    };
    if parts.log.is_empty() {
        lower(0)?;
        parts.empty(clean)?;
        return Ok(true);
    }
    let checks = checks(config, clean, &settled);
    let from = start(config, &parts, &settled, (clean, checks));
    let promised = promised(parts.queues, clean, &settled);
    if !clean {
        lower(from)?;
        parts.cut_queues(from)?;
        parts.cut_index(from, true)?;
    }
    if let Some(index) = parts.index.as_deref_mut() {
        index.rebuild(damaged, parts.log, from, checks)?;
    }
    let to = Entries {
        queues: parts.queues,
        levels,
        arrivals,
    };
    let end = rebuild(parts.log, from, checks, to, parts.index.as_deref())?;
    let lost = parts.log.tell_cut(end, promised, checks, &aside);
    lower(end)?;
    if settled.deleted_upto > end {
        // That part of the log was lost, and what comes in its place was not deleted.
        let forgotten = checkpoint.write_deleted_upto(end);
        forgotten.map_err(StoreError::io("write", paths::checkpoint(&config.root_dir)))?;
    }
    // What was given up once must not come back, nor be told again.
    parts.log.cut(from, end, !clean || lost)?;
    let entries = entries(parts.queues);
    parts.cut_queues(end)?;
    let cut = entries - self::entries(parts.queues);
    if cut > 0 {
        tracing::error!(
            entries = cut,
            "queue entries without a message are given up"
        );
    }
    parts.cut_index(end, false)?;
    let min = parts.log.min_offset();
    parts
        .queues
        .all()
        .iter()
        .for_each(|queue| queue.settle(min));
    tracing::info!(clean, from, end, "store recovered");
    Ok(lost || promised > end)
}

/// How far the log reached at the last stop, or is known to be on disk.
fn promised(queues: &QueueTable, clean: bool, settled: &Settled) -> u64 {
    if !clean {
        return settled.log_offset.unwrap_or(0);
    }
    let all = queues.all();
    let ends = all.iter().filter_map(|queue| queue.last_entry());
    ends.map(|entry| entry.log_end()).max().unwrap_or(0)
}

/// How many entries all queues have had.
fn entries(queues: &QueueTable) -> i64 {
    queues.all().iter().map(|queue| queue.max_offset().0).sum()
}

impl Parts<'_> {
    /// Removes what would point into a log that has no files.
    fn empty(&mut self, clean: bool) -> Result<(), StoreError> {
        if !self.queues.topics().is_empty() {
            tracing::warn!(dir = %self.log.dir().display(), "the log has no files, remove the queues");
            self.queues.destroy()?;
        }
        self.cut_index(0, !clean)?;
        self.log.cut(0, 0, !clean)
    }

    fn cut_queues(&mut self, log_offset: u64) -> Result<(), StoreError> {
        let log = &*self.log;
        let is_ours = |queue: &Queue, entry: Entry| {
            let bytes = u64::from(entry.record_bytes.unsigned_abs());
            log.has_record_of(queue, entry.log_offset.unsigned_abs(), bytes)
        };
        self.queues
            .for_each_mut(|queue| queue.cut(log_offset, is_ours))
    }

    fn cut_index(&mut self, log_offset: u64, torn: bool) -> Result<(), StoreError> {
        let log = &*self.log;
        let has = |offset, hash| log.has_key(offset, hash);
        let index = self.index.as_deref_mut();
        index.map_or(Ok(()), |index| index.cut(log_offset, torn, &has))
    }
}

/// A stop in order writes all to disk. After a crash what looks torn is, for this broker stores nothing
/// that looks so; but Java does, so what the checkpoint claims is not doubted: by its offset, and by its
/// time, which Java writes too and no start lowers.
fn checks(config: &StoreConfig, clean: bool, settled: &Settled) -> Checks {
    let unsynced = (settled.log_offset.unwrap_or(0), settled.log_timestamp_ms);
    Checks {
        crc: config.check_crc_on_recover,
        torn_from: (!clean).then_some(unsynced),
    }
}

/// Where to start: a place before which log, queues and index are known to agree.
fn start(
    config: &StoreConfig,
    parts: &Parts<'_>,
    settled: &Settled,
    (clean, checks): (bool, Checks),
) -> u64 {
    let log = &*parts.log;
    let in_log = |offset: &u64| (log.min_offset()..=log.files_end()).contains(offset);
    // Queues that end earlier may be all that a deletion left; but none at all were removed by hand.
    let deleted_upto = Some(settled.deleted_upto).filter(in_log).unwrap_or(0);
    let none = parts.queues.topics().is_empty();
    let queues_end =
        queues_end(parts, checks).map(|end| if none { end } else { end.max(deleted_upto) });
    if clean {
        return queues_end.unwrap_or_else(|| log.third_last_file());
    }
    let with_index = config.message_index_enable && config.message_index_safe;
    let by_time = || log.file_from_before(settled.safe_timestamp_ms(with_index));
    let settled_end = settled.log_offset.filter(in_log).unwrap_or_else(by_time);
    // Queues that do not reach that far were removed.
    settled_end.min(queues_end.unwrap_or(settled_end))
}

/// Where the last record that has a queue entry ends: the start of the log when none has, `None`
/// when the last entry points to no record of its queue. One that is torn can point into a record.
fn queues_end(parts: &Parts<'_>, checks: Checks) -> Option<u64> {
    let (log, queues) = (&*parts.log, parts.queues.all());
    let last = queues
        .iter()
        .filter_map(|queue| Some((queue, queue.last_entry()?)))
        .max_by_key(|(_, entry)| entry.log_end());
    match last.filter(|(_, last)| last.log_end() > log.min_offset()) {
        None => Some(log.min_offset()),
        Some((queue, last)) => {
            let offset = last.log_offset.unsigned_abs();
            let bytes = u64::from(last.record_bytes.unsigned_abs());
            let is_it = log.holds_record(offset, checks) && log.has_record_of(queue, offset, bytes);
            is_it.then(|| last.log_end())
        }
    }
}
