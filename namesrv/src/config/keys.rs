//! One row a key: its Java name, where its value lives, and when a change takes effect.
//!
//! The order is Java's, that of the fields of `NamesrvConfig` and `NettyServerConfig` 4.7.0; keys of later versions
//! come last. Values are read as Java reads them: numbers without blanks, any text but `true` is false.
//!
//! Java 4.7.0 `common/MixAll.java`: `properties2Object`, `printObjectProperties`.

use std::net::IpAddr;
use std::path::PathBuf;

use super::{NamesrvConfig, Notice};

/// When a change by 318 takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// At once.
    Now,
    /// It is written to the file, as in Java, and read at the next start.
    NextStart,
    /// Never: it names a path, an address or a port (CVE-2023-37582).
    Never,
}

/// One key.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) change: Change,
    /// Unknown to Java 4.7.0: listed only where it differs from its default.
    pub(super) later: bool,
    place: Place,
}

/// Where the value of a key lives.
enum Place {
    Field(fn(&mut NamesrvConfig) -> Slot<'_>),
    /// In `kept`, with this default.
    Number(&'static str),
    /// In `kept`, with this default.
    Switch(&'static str),
}

/// A field, by its type.
enum Slot<'a> {
    Text(&'a mut String),
    MaybeText(&'a mut Option<String>),
    Path(&'a mut PathBuf),
    Switch(&'a mut bool),
    Number(&'a mut i32),
    Port(&'a mut u16),
    Ip(&'a mut Option<IpAddr>),
}

const fn field(
    name: &'static str,
    change: Change,
    slot: fn(&mut NamesrvConfig) -> Slot<'_>,
) -> Key {
    let (later, place) = (false, Place::Field(slot));
    Key {
        name,
        change,
        later,
        place,
    }
}

const fn kept(name: &'static str, place: Place) -> Key {
    let (change, later) = (Change::NextStart, false);
    Key {
        name,
        change,
        later,
        place,
    }
}

const fn later(key: Key) -> Key {
    Key { later: true, ..key }
}

use Change::{Never, NextStart, Now};
use Slot::{Ip, MaybeText, Path, Port, Text};

/// Every key.
pub(super) static KEYS: [Key; 22] = [
    field("rocketmqHome", Never, |c| MaybeText(&mut c.rocketmq_home)),
    field("kvConfigPath", Never, |c| Path(&mut c.kv_config_path)),
    field("configStorePath", Never, |c| Path(&mut c.config_store_path)),
    field("productEnvName", Now, |c| Text(&mut c.product_env_name)),
    field("clusterTest", Now, |c| Slot::Switch(&mut c.cluster_test)),
    field("orderMessageEnable", Now, |c| {
        Slot::Switch(&mut c.order_message_enable)
    }),
    field("listenPort", Never, |c| Port(&mut c.listen_port)),
    kept("serverWorkerThreads", Place::Number("8")),
    kept("serverCallbackExecutorThreads", Place::Number("0")),
    kept("serverSelectorThreads", Place::Number("3")),
    kept("serverOnewaySemaphoreValue", Place::Number("256")),
    kept("serverAsyncSemaphoreValue", Place::Number("64")),
    field("serverChannelMaxIdleTimeSeconds", NextStart, |c| {
        Slot::Number(&mut c.idle_seconds)
    }),
    field("serverSocketSndBufSize", NextStart, |c| {
        Slot::Number(&mut c.send_buffer_bytes)
    }),
    field("serverSocketRcvBufSize", NextStart, |c| {
        Slot::Number(&mut c.receive_buffer_bytes)
    }),
    kept("serverPooledByteBufAllocatorEnable", Place::Switch("true")),
    kept("useEpollNativeSelector", Place::Switch("false")),
    later(field("configBlackList", Never, |c| {
        MaybeText(&mut c.config_black_list)
    })),
    later(field("bindAddress", Never, |c| Ip(&mut c.bind_address))),
    later(field("serverSocketBacklog", NextStart, |c| {
        Slot::Number(&mut c.backlog)
    })),
    later(kept("writeBufferHighWaterMark", Place::Number("0"))),
    later(kept("writeBufferLowWaterMark", Place::Number("0"))),
];

impl Key {
    pub(super) fn named(name: &str) -> Option<&'static Key> {
        KEYS.iter().find(|key| key.name == name)
    }

    pub(super) fn default_text(&self) -> String {
        NamesrvConfig::default().show(self).unwrap_or_default()
    }
}

impl NamesrvConfig {
    /// Sets the value of `key` from text, or leaves it alone.
    pub(super) fn set(&mut self, key: &'static Key, text: &str) -> Result<(), Notice> {
        let bad = |expected| Notice::BadValue {
            key: key.name,
            value: text.to_owned(),
            expected,
        };
        let number = || text.parse::<i32>().map_err(|_| bad("a 32-bit number"));
        let switch = text.eq_ignore_ascii_case("true");
        match &key.place {
            Place::Number(_) => {
                self.kept.insert(key.name, number()?.to_string());
            }
            Place::Switch(_) => {
                self.kept.insert(key.name, switch.to_string());
            }
            Place::Field(slot) => match slot(self) {
                Slot::Text(value) => *value = text.to_owned(),
                Slot::MaybeText(value) => *value = Some(text.to_owned()),
                Slot::Path(value) => *value = PathBuf::from(text),
                Slot::Switch(value) => *value = switch,
                Slot::Number(value) => *value = number()?,
                Slot::Port(value) => *value = text.parse().map_err(|_| bad("a port"))?,
                Slot::Ip(value) => *value = Some(text.parse().map_err(|_| bad("an IP address"))?),
            },
        }
        Ok(())
    }

    /// The value of `key` as Java prints it; `None` where Java has null.
    pub(super) fn show(&mut self, key: &Key) -> Option<String> {
        match &key.place {
            Place::Number(default) | Place::Switch(default) => {
                let kept = self.kept.get(key.name);
                Some(kept.map_or_else(|| (*default).to_owned(), String::clone))
            }
            Place::Field(slot) => match slot(self) {
                Slot::Text(value) => Some(value.clone()),
                Slot::MaybeText(value) => value.clone(),
                Slot::Path(value) => Some(value.display().to_string()),
                Slot::Switch(value) => Some(value.to_string()),
                Slot::Number(value) => Some(value.to_string()),
                Slot::Port(value) => Some(value.to_string()),
                Slot::Ip(value) => value.map(|ip| ip.to_string()),
            },
        }
    }
}
