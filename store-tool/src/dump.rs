//! What is in a store, a line each: records, queue entries, index entries.

use std::io::{self, Write};
use std::path::Path;

use serde_json::{Value, json};
use store::Record;
use store::inspect::{Entry, properties};

use crate::check::Options;
use crate::index::{IndexFile, find_slots, index_paths};
use crate::log::{Bad, Visitor, walk};
use crate::queue::{NONE, Queue};
use crate::run::{Run, usual_bytes};

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `name=value name=value …`
    Line,
    /// One JSON object.
    Json,
}

/// Which records.
#[derive(Clone, Debug)]
pub struct Records {
    /// Those that lie here or later.
    pub from: u64,
    /// At most so many.
    pub count: u64,
    /// Of this topic only.
    pub topic: Option<String>,
    /// With their bodies: as text if they are text, in hexadecimal otherwise.
    pub body: bool,
}

/// Writes records in log order, and a line for each place where something else lies.
///
/// # Errors
/// When the log's folder cannot be listed, or `out` takes no more.
pub fn records(
    options: &Options,
    which: &Records,
    form: Form,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut run = Run::list(&options.commit_log)?;
    let file_bytes = options
        .log_file_bytes
        .or_else(|| usual_bytes([&run].into_iter()))
        .unwrap_or(0);
    run.files
        .retain(|file| file.base.saturating_add(file_bytes) > which.from);
    let mut dump = RecordDump {
        which,
        form,
        out,
        written: 0,
        failed: None,
    };
    walk(&run, file_bytes, &mut dump);
    dump.failed.map_or(Ok(()), Err)
}

struct RecordDump<'a> {
    which: &'a Records,
    form: Form,
    out: &'a mut dyn Write,
    written: u64,
    failed: Option<io::Error>,
}

impl RecordDump<'_> {
    fn put(&mut self, line: &Value) {
        if self.failed.is_none() && self.written < self.which.count {
            self.written += 1;
            self.failed = put(self.out, self.form, line).err();
        }
    }
}

impl Visitor for RecordDump<'_> {
    fn record(&mut self, at: u64, record: &Record<'_>) {
        let wanted = self
            .which
            .topic
            .as_ref()
            .is_none_or(|topic| topic.as_bytes() == record.topic);
        if at < self.which.from || !wanted || self.is_done() {
            return;
        }
        let mut line = json!({
            "log_offset": at,
            "record_bytes": record.record_bytes,
            "topic": text(record.topic),
            "queue": record.queue_id,
            "queue_offset": record.queue_offset,
            "stored_ms": record.store_timestamp_ms,
            "born_ms": record.born_timestamp_ms,
            "born_host": host(record.born_host),
            "store_host": host(record.store_host),
            "flag": record.flag,
            "sys_flag": record.sys_flag,
            "reconsume_times": record.reconsume_times,
            "prepared_transaction_offset": record.prepared_transaction_offset,
            "body_bytes": record.body.len(),
            "body_intact": record.check_body().is_ok(),
            "properties": properties(record.properties).map(|(name, value)| (text(name), Value::from(text(value)))).collect::<serde_json::Map<_, _>>(),
        });
        if self.which.body
            && let Some(line) = line.as_object_mut()
        {
            let readable = std::str::from_utf8(record.body)
                .ok()
                .filter(|body| !body.contains('\0'));
            match readable {
                Some(body) => line.insert("body".to_owned(), body.into()),
                None => line.insert("body_hex".to_owned(), hex(record.body).into()),
            };
        }
        self.put(&line);
    }

    fn filler(&mut self, at: u64, says_bytes: u64, _: u64) {
        if at >= self.which.from && self.which.topic.is_none() {
            self.put(&json!({"log_offset": at, "filler_bytes": says_bytes}));
        }
    }

    fn bad(&mut self, bad: &Bad) {
        if bad.to > self.which.from {
            self.put(&json!({"log_offset": bad.from, "bad_bytes": bad.to.saturating_sub(bad.from), "why": bad.why.to_string()}));
        }
    }

    fn passed(&mut self, _: u64) {}

    fn is_done(&self) -> bool {
        self.failed.is_some() || self.written >= self.which.count
    }
}

/// Writes the entries of one queue, `count` at most from number `from` on.
///
/// # Errors
/// When its folder cannot be listed, or `out` takes no more.
pub fn queue_entries(
    root: &Path,
    topic: &str,
    id: u32,
    from: i64,
    count: u64,
    form: Form,
    out: &mut dyn Write,
) -> io::Result<()> {
    let dir = root.join("consumequeue").join(topic).join(id.to_string());
    let run = Run::list(&dir)?;
    if run.files.is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::NotFound,
            format!("{} has no queue files", dir.display()),
        ));
    }
    let file_bytes = usual_bytes([&run].into_iter()).unwrap_or(0);
    let mut queue = Queue::new(dir, run, file_bytes);
    let (mut number, mut written) = (from.max(queue.first()), 0);
    while number < queue.room() && written < count {
        let entry = queue.entry(number);
        if entry == NONE {
            break;
        }
        let line = json!({
            "queue_offset": number,
            "log_offset": entry.log_offset,
            "record_bytes": entry.record_bytes,
            "tags_code": entry.tags_code,
            "blank": entry == Entry::BLANK,
        });
        put(out, form, &line)?;
        (number, written) = (number + 1, written + 1);
    }
    Ok(())
}

/// Writes the header and the entries of each index file, `count` entries at most of each.
///
/// # Errors
/// When the folder cannot be listed, a file cannot be read, or `out` takes no more.
pub fn index_entries(
    options: &Options,
    count: u64,
    form: Form,
    out: &mut dyn Write,
) -> io::Result<()> {
    let (paths, _) = index_paths(&options.root.join("index"))?;
    let files = paths
        .iter()
        .map(|path| IndexFile::open(path))
        .collect::<io::Result<Vec<_>>>()?;
    let slots = match options.index_slots {
        Some(slots) => Some(slots),
        None => find_slots(&files)?,
    };
    for file in &files {
        let header = &file.header;
        let name = file.path.file_name().unwrap_or_default().to_string_lossy();
        let line = json!({
            "file": name,
            "begin_ms": header.begin_timestamp_ms,
            "end_ms": header.end_timestamp_ms,
            "begin_log_offset": header.begin_log_offset,
            "end_log_offset": header.end_log_offset,
            "puts": header.puts,
            "entries": file.next() - 1,
            "slots": slots,
        });
        put(out, form, &line)?;
        let Some(slots) = slots else { continue };
        let end = u64::from(file.next())
            .min(file.room(slots))
            .min(count.saturating_add(1));
        for number in 1..u32::try_from(end).unwrap_or(u32::MAX) {
            let entry = file.entry(slots, number)?;
            let line = json!({
                "entry": number,
                "hash": entry.hash,
                "log_offset": entry.log_offset,
                "seconds": entry.seconds,
                "previous": entry.previous,
            });
            put(out, form, &line)?;
        }
    }
    Ok(())
}

fn put(out: &mut dyn Write, form: Form, line: &Value) -> io::Result<()> {
    if form == Form::Json {
        return writeln!(out, "{line}");
    }
    let fields = line.as_object().into_iter().flatten();
    let fields: Vec<_> = fields
        .map(|(name, value)| {
            format!(
                "{name}={}",
                value.as_str().map_or_else(|| value.to_string(), escaped)
            )
        })
        .collect();
    writeln!(out, "{}", fields.join(" "))
}

/// Text that stays on its line.
fn escaped(text: &str) -> String {
    text.escape_debug().to_string()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Address and port, as they lie in a record.
fn host(bytes: &[u8]) -> String {
    let port = |port: &[u8; 4]| u32::from_be_bytes(*port);
    if let Some((ip, rest)) = bytes
        .split_first_chunk::<4>()
        .filter(|(_, rest)| rest.len() == 4)
    {
        let ip = std::net::Ipv4Addr::from(*ip);
        return rest
            .first_chunk()
            .map_or_else(|| ip.to_string(), |rest| format!("{ip}:{}", port(rest)));
    }
    match bytes.split_first_chunk::<16>() {
        Some((ip, rest)) => {
            let ip = std::net::Ipv6Addr::from(*ip);
            rest.first_chunk()
                .map_or_else(|| ip.to_string(), |rest| format!("[{ip}]:{}", port(rest)))
        }
        None => hex(bytes),
    }
}
