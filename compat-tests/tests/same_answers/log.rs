//! What a broker puts into its log, read from the log's files while it runs.
//!
//! A message is in the log before its sender is answered, so a look after each answer tells what that request has stored.
//! What a broker does by itself meanwhile is left out: messages that have become due, half messages asked about.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use store::inspect::{Frame, frame};
use store::{Record, SCHEDULE_TOPIC};

const HALF_TOPIC: &[u8] = b"RMQ_SYS_TRANS_HALF_TOPIC";
/// What a message has that waits, or has waited, for its time or the end of its transaction.
const WAITED: &[u8] = b"REAL_TOPIC";
/// Looks at a record that is not whole, a millisecond apart, before it counts as broken.
const PATIENCE: u32 = 1000;
const ASKED_ABOUT: &[u8] = b"TRANSACTION_CHECK_TIMES";

/// The log's end as it was at the last look.
pub(crate) struct LogTail {
    folder: PathBuf,
    at: u64,
}

impl LogTail {
    /// From the log's end on.
    pub(crate) fn new(folder: PathBuf) -> LogTail {
        let at = names(&folder).next().unwrap_or(0);
        let mut tail = LogTail { folder, at };
        tail.topics();
        tail
    }

    /// The topics of the messages that requests have stored since the last look.
    pub(crate) fn topics(&mut self) -> Vec<String> {
        let mut topics = Vec::new();
        let mut patience = PATIENCE;
        while let Some((file, begin)) = self.file() {
            let mut size = [0; 4];
            let place = self.at - begin;
            if file.read_exact_at(&mut size, place).is_err() || size == [0; 4] {
                break;
            }
            let mut bytes = vec![0; u32::from_be_bytes(size) as usize];
            if file.read_exact_at(&mut bytes, place).is_err() {
                break;
            }
            match frame(&bytes) {
                Ok(Frame::Message(record)) if is_of_a_request(&record) => {
                    topics.push(String::from_utf8_lossy(record.topic).into_owned());
                }
                Ok(_) => {}
                // One that the broker stores by itself, perhaps, and is just copying.
                Err(_) if patience > 0 => {
                    patience -= 1;
                    thread::sleep(Duration::from_millis(1));
                    continue;
                }
                Err(error) => topics.push(format!("? ({error})")),
            }
            self.at += bytes.len() as u64;
        }
        topics
    }

    /// The file with the place of the next look, and where it begins.
    fn file(&self) -> Option<(File, u64)> {
        let begin = names(&self.folder)
            .take_while(|begin| *begin <= self.at)
            .last()?;
        let file = File::open(self.folder.join(format!("{begin:020}"))).ok()?;
        Some((file, begin))
    }
}

/// Where the files begin, in order.
fn names(folder: &PathBuf) -> impl Iterator<Item = u64> {
    let entries = fs::read_dir(folder).into_iter().flatten(); // none before the first message
    let names = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let mut names: Vec<u64> = names.collect();
    names.sort_unstable();
    names.into_iter()
}

fn is_of_a_request(record: &Record) -> bool {
    let waits = record.topic == HALF_TOPIC || record.topic == SCHEDULE_TOPIC.as_bytes();
    let was_due = !waits && record.property(WAITED).is_some();
    !was_due && record.property(ASKED_ABOUT).is_none()
}
