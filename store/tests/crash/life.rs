//! One life of a store: opened, worked on step by step, and at every call that changes its disk a few
//! images taken of what a crash there would leave.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use store::calls::{Call, Watch, Watching, watch};
use store::{Appended, FlushDiskType, LogOffset, NewMessage, Step, Store, StoreConfig};

use crate::disk::{Dice, Disk, Image, Survives};
use crate::history::{History, Message};
use crate::support;

pub(crate) const TOPICS: [&str; 4] = ["A", "B", "%RETRY%g", "SCHEDULE_TOPIC_XXXX"];
const PREPARED: i32 = 4;
const ROLLBACK: i32 = 12;

/// When images are taken.
#[derive(Clone, Copy)]
pub(crate) enum Taken {
    /// So many at every crash point.
    Each(usize),
    /// One, at the crash point with this number, counted from 0.
    Once(usize),
}

/// A crash that could have been.
pub(crate) struct Crash {
    pub(crate) image: Image,
    pub(crate) survives: Survives,
    /// The call in front of which it came.
    pub(crate) call: String,
}

/// Takes the images.
struct Recorder(Mutex<Recording>);

struct Recording {
    disk: Disk,
    dice: Dice,
    taken: Taken,
    /// State of the disk at the last crash point.
    seen: u64,
    crashes: Vec<Crash>,
}

impl Recording {
    fn crash_point(&mut self, call: &dyn Fn() -> String) -> io::Result<()> {
        self.disk.look()?;
        if self.seen == self.disk.now() {
            return Ok(());
        }
        self.seen = self.disk.now();
        let draws = match &mut self.taken {
            Taken::Each(draws) => *draws,
            Taken::Once(0) => {
                self.taken = Taken::Each(0);
                1
            }
            Taken::Once(left) => {
                *left -= 1;
                0
            }
        };
        for _ in 0..draws {
            let survives = match self.dice.below(8) {
                0 => Survives::Nothing,
                1 => Survives::Everything,
                2..5 => Survives::SomePages,
                _ => Survives::SomeSectors,
            };
            let image = self.disk.crash(survives, &mut self.dice);
            self.crashes.push(Crash {
                image,
                survives,
                call: call(),
            });
        }
        Ok(())
    }
}

impl Recorder {
    fn with<T>(&self, use_it: impl FnOnce(&mut Recording) -> T) -> T {
        use_it(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Watch for Recorder {
    fn before(&self, call: &Call) -> io::Result<()> {
        if matches!(call, Call::Open(_) | Call::Read(_) | Call::Map(_)) {
            return Ok(());
        }
        self.with(|recording| recording.crash_point(&|| format!("{call:?}")))
    }

    fn after(&self, call: &Call) {
        let noted = self.with(|recording| recording.disk.made(call));
        noted.expect("the disk can be looked at");
    }
}

/// See the module.
pub(crate) struct Life {
    pub(crate) config: StoreConfig,
    pub(crate) history: History,
    /// What ends there or before was acknowledged, or could be read by a consumer after a start.
    pub(crate) kept: u64,
    /// What was done, for the report of a failure.
    pub(crate) steps: Vec<String>,
    store: Option<Arc<Store>>,
    recorder: Arc<Recorder>,
    _watching: Watching,
    dice: Dice,
}

/// Sizes so small that files end all the time.
pub(crate) fn config(root: &Path, dice: &mut Dice) -> StoreConfig {
    StoreConfig {
        commit_log_file_bytes: dice.one_of(&[4096, 8192, 16384, 32768]),
        consume_queue_file_bytes: dice.one_of(&[100, 200, 2000]),
        index_slots: dice.one_of(&[1, 8, 40]),
        index_entries: dice.one_of(&[4, 10, 60]),
        message_index_safe: dice.one_in(4),
        flush_disk_type: dice.one_of(&[FlushDiskType::Sync, FlushDiskType::Async]),
        ..support::config(root)
    }
}

impl Life {
    /// A store over what is below the root of `config`: all of that is on disk. Not open yet.
    pub(crate) fn new(
        config: StoreConfig,
        history: History,
        kept: u64,
        taken: Taken,
        mut dice: Dice,
    ) -> Life {
        let disk = Disk::new(&config.root_dir).expect("the disk can be looked at");
        let recording = Recording {
            seen: disk.now(),
            disk,
            dice: Dice::new(dice.roll()),
            taken,
            crashes: Vec::new(),
        };
        let recorder = Arc::new(Recorder(Mutex::new(recording)));
        Life {
            _watching: watch(&config.root_dir, recorder.clone()),
            config,
            history,
            kept,
            steps: Vec::new(),
            store: None,
            recorder,
            dice,
        }
    }

    /// The crashes that could have come in the last step.
    pub(crate) fn crashes(&self) -> Vec<Crash> {
        self.recorder
            .with(|recording| std::mem::take(&mut recording.crashes))
    }

    /// The crashes that could come now.
    pub(crate) fn crashes_now(&self) -> Vec<Crash> {
        let taken = self
            .recorder
            .with(|recording| recording.crash_point(&|| "between two steps".to_owned()));
        taken.expect("the disk can be looked at");
        self.crashes()
    }

    /// Opens the store. What is there from now on counts as kept: consumers can have it.
    pub(crate) fn open(&mut self) -> Result<(), String> {
        self.steps.push("open".to_owned());
        let store = Store::open_still(self.config.clone())
            .map_err(|error| format!("does not open: {error}"))?;
        self.history.check(&store, self.kept, self.dice.one_in(4))?;
        self.history = self.history.cut(store.max_log_offset().0);
        self.store = Some(store);
        Ok(())
    }

    /// Notes what has come to disk since the last step; after that, crashes must keep it.
    pub(crate) fn keep(&mut self) {
        if let Some(store) = &self.store {
            self.kept = self.kept.max(store.flushed_log_offset().0);
        }
    }

    /// Does something.
    pub(crate) fn step(&mut self) -> Result<(), String> {
        let Some(store) = self.store.clone() else {
            return self.open();
        };
        match self.dice.below(100) {
            0..45 => self.append(&store),
            45..60 => self.do_step(&store, Step::FlushLog),
            60..75 => self.do_step(&store, Step::Dispatch),
            75..81 => {
                let least_pages = self.dice.one_of(&[0, 1]);
                self.do_step(&store, Step::FlushQueues(least_pages))
            }
            81..87 => self.do_step(&store, Step::FlushAll),
            87..90 => self.do_step(&store, Step::Allocate),
            90..93 => self.do_step(&store, Step::Touch),
            93..95 => self.delete(&store),
            95..97 => self.close(store),
            _ => self.kill(store),
        }
    }

    fn do_step(&mut self, store: &Store, step: Step) -> Result<(), String> {
        self.steps.push(format!("{step:?}"));
        store
            .step(step)
            .map_err(|error| format!("{step:?}: {error}"))
    }

    /// Everything to disk and to the queues, and looks at it.
    pub(crate) fn settle(&mut self) -> Result<(), String> {
        let Some(store) = self.store.clone() else {
            return Ok(());
        };
        self.do_step(&store, Step::FlushLog)?;
        self.do_step(&store, Step::Dispatch)?;
        self.history
            .check(&store, store.flushed_log_offset().0, true)
    }

    /// Ends in order; the next step opens it again.
    fn close(&mut self, store: Arc<Store>) -> Result<(), String> {
        self.settle()?;
        self.steps.push("close".to_owned());
        self.store = None;
        if store.close() {
            Ok(())
        } else {
            Err("does not close".to_owned())
        }
    }

    /// Ends at once. All that was appended is in the page cache and has to be there after the next open.
    fn kill(&mut self, store: Arc<Store>) -> Result<(), String> {
        self.steps.push("kill, open".to_owned());
        self.store = None;
        let end = store.max_log_offset().0;
        drop(store);
        self.open()?;
        let again = self
            .store
            .as_ref()
            .map_or(0, |store| store.max_log_offset().0);
        if again < end {
            Err(format!("{end} were appended, {again} are there"))
        } else {
            Ok(())
        }
    }

    fn delete(&mut self, store: &Store) -> Result<(), String> {
        let topic = self.dice.one_of(&["A", "B"]);
        self.steps.push(format!("delete {topic}"));
        self.history.deleted.insert(topic, store.max_log_offset().0);
        store
            .delete_topic(topic)
            .map_err(|error| format!("delete {topic}: {error}"))
    }

    /// Appends one message, or some to the same queue at once.
    fn append(&mut self, store: &Store) -> Result<(), String> {
        let topic = self.dice.one_of(&TOPICS);
        let queue_id = self.dice.below(2) as u32;
        let count = if self.dice.one_in(5) {
            1 + self.dice.below(4)
        } else {
            1
        };
        let sys_flag = if count == 1 && self.dice.one_in(8) {
            self.dice.one_of(&[PREPARED, ROLLBACK])
        } else {
            0
        };
        let mut parts = Vec::new();
        for n in 0..count {
            let number = self.dice.roll();
            // Two large ones fit into a file, three do not.
            let size = if count < 3 && self.dice.one_in(20) {
                1500
            } else {
                self.dice.below(300)
            };
            let body = format!("{number:016x}-{n}-{}", "x".repeat(size));
            let key = self.dice.one_in(2).then(|| format!("k{number:x}{n}"));
            let mut properties = key
                .as_ref()
                .map_or(String::new(), |key| format!("KEYS\u{1}{key}\u{2}"));
            if topic == TOPICS[3] {
                properties.push_str("DELAY\u{1}1\u{2}");
            }
            parts.push((body, key.filter(|_| sys_flag != ROLLBACK), properties));
        }
        let messages = parts.iter().map(|(body, _, properties)| NewMessage {
            sys_flag,
            ..support::message(topic, queue_id, body.as_bytes(), properties)
        });
        let messages: Vec<_> = messages.collect();
        self.steps.push(format!(
            "append {count} to {topic} {queue_id} with {sys_flag}"
        ));
        let appended: Vec<Appended> = match &messages[..] {
            [one] => store.append(one).map(|one| vec![one]),
            several => store.append_batch(several),
        }
        .map_err(|error| format!("append: {error}"))?;
        for (appended, (body, key, properties)) in appended.iter().zip(&parts) {
            let LogOffset(log_offset) = appended.log_offset;
            self.history.messages.push(Message {
                topic,
                queue_id,
                queue_offset: (sys_flag == 0).then_some(appended.queue_offset.0),
                log_offset,
                end: appended.end().0,
                body: format!("{body} {properties}"),
                key: key.clone(),
            });
        }
        Ok(())
    }
}
