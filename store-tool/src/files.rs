//! Files by themselves: names and lengths, the checkpoint, the tables under config/.

use std::fs::File;
use std::io;
use std::path::Path;

use remoting::java::json;
use store::Record;
use store::inspect::Settled;

use crate::check::{Context, read_small};
use crate::report::{Report, Weight};
use crate::run::{Numbered, Run, entries, next_data, read_at};

const CHECKPOINT_BYTES: usize = 4096;
/// Bytes that hold the head of a record, its topic and more.
const HEAD_BYTES: usize = 64 * 1024;

/// Names and lengths of log files. Returns those that count, and the parts of the log that are missing.
pub(crate) fn check_log(
    mut run: Run,
    file_bytes: u64,
    report: &mut Report,
) -> (Run, Vec<(u64, u64)>) {
    for path in &run.strange {
        report.add(
            Weight::Note,
            "strange-file",
            path,
            None,
            "is not the store's; Java does not load a log with it".to_owned(),
        );
    }
    // What a process left that ended while it made the file: both servers make it again.
    while let Some(last) = run
        .files
        .last()
        .filter(|last| last.bytes < file_bytes || last.bytes == 0)
    {
        if !is_untouched(last) || run.files.len() == 1 && last.bytes > 0 {
            break;
        }
        report.add(
            Weight::Note,
            "file-size",
            &last.path,
            None,
            format!("is {} bytes long and empty: it was being made", last.bytes),
        );
        run.files.pop();
    }
    let gone = check_run(&run, file_bytes, "log", report);
    (run, gone)
}

fn is_untouched(file: &Numbered) -> bool {
    let opened = File::open(&file.path);
    opened
        .is_ok_and(|opened| next_data(&opened, 0).is_none_or(|_| is_zero(&opened).unwrap_or(false)))
}

fn is_zero(file: &File) -> io::Result<bool> {
    let (mut at, mut buffer) = (0, Vec::new());
    loop {
        read_at(file, at, HEAD_BYTES, &mut buffer)?;
        if buffer.is_empty() || buffer.iter().any(|byte| *byte != 0) {
            return Ok(buffer.is_empty());
        }
        at += buffer.len() as u64;
    }
}

/// Names and lengths of a run's files; returns the parts that are missing between them.
pub(crate) fn check_run(
    run: &Run,
    file_bytes: u64,
    of: &str,
    report: &mut Report,
) -> Vec<(u64, u64)> {
    let (mut gone, mut end) = (Vec::new(), run.first());
    for file in &run.files {
        if file.bytes != file_bytes {
            let reason = format!("is {} bytes long, {of} files are {file_bytes}", file.bytes);
            report.add(Weight::Damage, "file-size", &file.path, None, reason);
        }
        if file_bytes > 0 && !file.base.is_multiple_of(file_bytes) {
            let reason = format!(
                "begins at {}, which is no multiple of {file_bytes}",
                file.base
            );
            report.add(Weight::Damage, "file-name", &file.path, None, reason);
        } else if file.base > end {
            let reason = format!(
                "the {of} has nothing from {end} to {}: a file is missing in front of this one",
                file.base
            );
            report.add(Weight::Damage, "file-missing", &file.path, None, reason);
            gone.push((end, file.base));
        }
        end = file.base.saturating_add(file_bytes);
    }
    gone
}

/// The checkpoint by itself.
pub(crate) fn check_checkpoint(path: &Path, report: &mut Report) -> Settled {
    let mut damage =
        |at, reason: String| report.add(Weight::Damage, "checkpoint", path, at, reason);
    let bytes = match read_small(path) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => {
            report.add(
                Weight::Note,
                "checkpoint",
                path,
                None,
                "is not there: the next start makes it".to_owned(),
            );
            return Settled::default();
        }
        Err(error) => {
            damage(None, error.to_string());
            return Settled::default();
        }
    };
    if bytes.len() != CHECKPOINT_BYTES {
        damage(
            None,
            format!("is {} bytes long, not {CHECKPOINT_BYTES}", bytes.len()),
        );
    }
    let Some(head) = bytes.first_chunk() else {
        return Settled::default();
    };
    let settled = Settled::decode(head);
    let times = [
        ("log", settled.log_timestamp_ms),
        ("queues", settled.queue_timestamp_ms),
        ("index", settled.index_timestamp_ms),
    ];
    for (at, (of, time_ms)) in (0..).step_by(8).zip(times) {
        if time_ms < 0 {
            damage(
                Some(at),
                format!("the time of the {of} is {time_ms} ms, before 1970"),
            );
        }
    }
    let [times, copy, mark] =
        [0..24, 40..64, 24..32].map(|range| head.get(range).unwrap_or_default());
    if settled.log_offset.is_none() && times == copy && mark.iter().any(|byte| *byte != 0) {
        damage(
            Some(24),
            "its second part has a wrong mark or CRC: it does not count".to_owned(),
        );
    }
    if settled.deleted_upto == 0
        && head
            .get(68..80)
            .unwrap_or_default()
            .iter()
            .any(|byte| *byte != 0)
    {
        damage(
            Some(68),
            "where topics were deleted has a wrong CRC: it does not count".to_owned(),
        );
    }
    settled
}

/// From where on recovery makes queues and index again after a crash, by the checkpoint alone.
/// As `store/src/recover.rs`; Java 4.7.0 `store/CommitLog.java`: `isMappedFileMatchedRecover`.
pub(crate) fn vouched_for(log: &Run, settled: &Settled) -> u64 {
    let end = log
        .files
        .last()
        .map_or(0, |last| last.base.saturating_add(last.bytes));
    if let Some(offset) = settled
        .log_offset
        .filter(|offset| (log.first()..=end).contains(offset))
    {
        return offset;
    }
    let safe_ms = settled.safe_timestamp_ms(false);
    let old_enough =
        |file: &&Numbered| first_stored_ms(file).is_some_and(|ms| ms != 0 && ms <= safe_ms);
    log.files
        .iter()
        .rev()
        .find(old_enough)
        .map_or(log.first(), |file| file.base)
}

fn first_stored_ms(file: &Numbered) -> Option<i64> {
    let mut head = Vec::new();
    read_at(&File::open(&file.path).ok()?, 0, 4, &mut head).ok()?;
    let says = u32::from_be_bytes(*head.first_chunk()?);
    let bytes = u64::from(says).min(file.bytes).min(64 << 20);
    read_at(&File::open(&file.path).ok()?, 0, bytes as usize, &mut head).ok()?;
    Record::decode(&head)
        .ok()
        .map(|record| record.store_timestamp_ms)
}

/// What the checkpoint claims, beside the log.
pub(crate) fn check_claims(context: &mut Context) {
    let (settled, end, last_ms) = (context.settled, context.log_end(), context.last_store_ms);
    let path = context.root.join("checkpoint");
    if let Some(offset) = settled.log_offset.filter(|offset| *offset > end) {
        let reason = format!("says that the log is on disk up to {offset}, it ends at {end}");
        context
            .report
            .add(Weight::Damage, "checkpoint", &path, Some(32), reason);
    }
    if settled.deleted_upto > end {
        let reason = format!(
            "says that a topic was deleted when the log was at {}, it ends at {end}",
            settled.deleted_upto
        );
        context
            .report
            .add(Weight::Damage, "checkpoint", &path, Some(68), reason);
    }
    let times = [
        ("log", settled.log_timestamp_ms),
        ("queues", settled.queue_timestamp_ms),
        ("index", settled.index_timestamp_ms),
    ];
    for (at, (of, time_ms)) in (0..).step_by(8).zip(times) {
        if context.report.counts.messages > 0 && time_ms > last_ms {
            let reason = format!(
                "says that the {of} is on disk up to {time_ms} ms, the last message was stored at {last_ms}"
            );
            context
                .report
                .add(Weight::Damage, "checkpoint", &path, Some(at), reason);
        }
    }
}

/// The tables.
pub(crate) fn check_config(dir: &Path, report: &mut Report) {
    let paths = match entries(dir) {
        Ok(paths) => paths,
        Err(error) => return report.add(Weight::Damage, "config", dir, None, error.to_string()),
    };
    for path in paths
        .iter()
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
    {
        report.counts.config_files += 1;
        let Some(why) = unreadable(path) else {
            continue;
        };
        let backup = path.with_extension("json.bak");
        let then = match backup.exists().then(|| unreadable(&backup)) {
            Some(None) => "a start takes its .bak",
            Some(Some(_)) => "and so is its .bak: there is no start",
            None => "and there is no .bak: there is no start",
        };
        report.add(
            Weight::Damage,
            "config",
            path,
            None,
            format!("is not readable ({why}), {then}"),
        );
    }
}

fn unreadable(path: &Path) -> Option<String> {
    match read_small(path) {
        Ok(bytes) => json::read::<serde_json::Map<String, serde_json::Value>>(&bytes?)
            .err()
            .map(|error| error.to_string()),
        Err(error) => Some(error.to_string()),
    }
}
