//! The name server's configuration: Java's keys, from a `.properties` file.
//!
//! ```text
//! defaults ─▶ -c file ─▶ NamesrvConfig ─▶ 319, -p
//!                             ▲ 318: what may change ─▶ written back to the -c file
//! ```
//!
//! `keys` has one row a key, and from it come reading, printing, 318 and 319. No key stops the start: one that is
//! unknown, or whose value Java could not parse, is a `Notice` for the log, and the default stays.
//!
//! Java 4.7.0 `common/namesrv/NamesrvConfig.java`, `remoting/netty/NettyServerConfig.java`, `common/Configuration.java`,
//! `common/MixAll.java`: `properties2Object`. `configBlackList` and the refusal of keys in 318 are Java 4.9.8's.

mod keys;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use remoting::ServerConfig;
use remoting::java::config_file::{self, ConfigFileError};

use keys::{Change, KEYS, Key};

/// Without an end: Java's 0 switches the idle check off.
const NEVER_IDLE: Duration = Duration::from_secs(365 * 24 * 3600);

/// Plain values under Java's names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamesrvConfig {
    /// `rocketmqHome`: only shown. Java does not start without it, this server does. Default `$ROCKETMQ_HOME`.
    pub rocketmq_home: Option<String>,
    /// `kvConfigPath`: the file of the stored keys. Default `~/namesrv/kvConfig.json`.
    pub kv_config_path: PathBuf,
    /// `configStorePath`: the file that 318 writes. The `-c` file when there is one; default `~/namesrv/namesrv.properties`.
    pub config_store_path: PathBuf,
    /// `productEnvName`: only shown. Default `center`.
    pub product_env_name: String,
    /// `clusterTest`: routes carry order configuration as with `order_message_enable`. Default false. Java also looks
    /// up unknown topics in another environment, this server does not.
    pub cluster_test: bool,
    /// `orderMessageEnable`: routes carry the order configuration of their topic. Default false.
    pub order_message_enable: bool,
    /// `listenPort`: default 9876. 0 takes any free one.
    pub listen_port: u16,
    /// `bindAddress` (Java 5.0): default all addresses, of IPv4 and IPv6.
    pub bind_address: Option<IpAddr>,
    /// `serverChannelMaxIdleTimeSeconds`: a connection without traffic for so long is closed. Seconds, 0 never; default 120.
    pub idle_seconds: i32,
    /// `serverSocketSndBufSize`: bytes, 0 leaves it to the system; default 65535.
    pub send_buffer_bytes: i32,
    /// `serverSocketRcvBufSize`: bytes, 0 leaves it to the system; default 65535.
    pub receive_buffer_bytes: i32,
    /// `serverSocketBacklog` (Java 4.9.8): connections that may wait to be accepted; default 1024.
    pub backlog: i32,
    /// `configBlackList` (Java 4.9.8): more keys that 318 refuses, separated by `;`. Default none.
    pub config_black_list: Option<String>,
    /// Keys about Netty's threads and buffers, which have no meaning here: taken, shown, written back.
    kept: BTreeMap<&'static str, String>,
    /// Keys of the file that nobody knows: shown by 319 and written back, as in Java.
    unknown: BTreeMap<String, String>,
}

impl Default for NamesrvConfig {
    fn default() -> Self {
        let folder = std::env::home_dir().unwrap_or_default().join("namesrv");
        NamesrvConfig {
            rocketmq_home: std::env::var("ROCKETMQ_HOME").ok(),
            kv_config_path: folder.join("kvConfig.json"),
            config_store_path: folder.join("namesrv.properties"),
            product_env_name: "center".to_owned(),
            cluster_test: false,
            order_message_enable: false,
            listen_port: 9876,
            bind_address: None,
            idle_seconds: 120,
            send_buffer_bytes: 65_535,
            receive_buffer_bytes: 65_535,
            backlog: 1024,
            config_black_list: None,
            kept: BTreeMap::new(),
            unknown: BTreeMap::new(),
        }
    }
}

/// Something in the file that the operator should know. It never stops the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// No such key in any Java version this server knows.
    UnknownKey(String),
    /// `clusterTest=true`, of which only the smaller half is done here.
    ClusterTest,
    /// A value that Java could not parse; what was in force stays.
    BadValue {
        /// The key.
        key: &'static str,
        /// The value as it stands in the file.
        value: String,
        /// What would have been right.
        expected: &'static str,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Notice::UnknownKey(key) => write!(f, "unknown key {key:?} has no effect"),
            Notice::ClusterTest => {
                write!(
                    f,
                    "clusterTest=true: unknown topics are not looked up in another environment"
                )
            }
            Notice::BadValue {
                key,
                value,
                expected,
            } => {
                write!(
                    f,
                    "{key}={value:?} is not {expected}: the value in force stays"
                )
            }
        }
    }
}

/// Why a configuration file cannot be used at all.
#[derive(Debug)]
pub struct ConfigError {
    /// The file.
    pub path: PathBuf,
    /// The system's words, or where the text is wrong.
    pub reason: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "cannot read config file {}: {}",
            self.path.display(),
            self.reason
        )
    }
}

impl std::error::Error for ConfigError {}

/// Why 318 changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Forbidden {
    /// A path, an address, a port, or a key of the black list.
    Key(String),
}

impl NamesrvConfig {
    /// The defaults, overlaid with a `.properties` file, which 318 will write to.
    ///
    /// # Errors
    /// The file cannot be read, or is no `.properties` text. Keys and values never are an error.
    pub fn load(path: &Path) -> Result<(NamesrvConfig, Vec<Notice>), ConfigError> {
        let failed = |reason: String| ConfigError {
            path: path.to_owned(),
            reason,
        };
        let text = fs::read(path).map_err(|error| failed(error.to_string()))?;
        let pairs = config_file::read(&text).map_err(|error| failed(error.to_string()))?;
        let mut config = NamesrvConfig::default();
        let mut notices = Vec::new();
        for (name, value) in pairs {
            match Key::named(&name) {
                Some(key) => notices.extend(config.set(key, &value).err()),
                None => {
                    notices.push(Notice::UnknownKey(name.clone()));
                    config.unknown.insert(name, value);
                }
            }
        }
        config.config_store_path = path.to_owned();
        notices.extend(config.cluster_test.then_some(Notice::ClusterTest));
        Ok((config, notices))
    }

    /// Takes the changes of a 318, all of them or, when one is forbidden, none. Unknown keys are passed over, as in Java.
    ///
    /// # Errors
    /// A key that may not change at run time.
    pub(crate) fn update(
        &mut self,
        changes: &[(String, String)],
    ) -> Result<Vec<Notice>, Forbidden> {
        let forbidden = changes.iter().find(|(name, _)| self.is_forbidden(name));
        if let Some((name, _)) = forbidden {
            return Err(Forbidden::Key(name.clone()));
        }
        let mut notices = Vec::new();
        for (name, value) in changes {
            match Key::named(name) {
                Some(key) => notices.extend(self.set(key, value).err()),
                None => notices.push(Notice::UnknownKey(name.clone())),
            }
        }
        Ok(notices)
    }

    fn is_forbidden(&self, name: &str) -> bool {
        let list = self.config_black_list.as_deref().unwrap_or_default();
        Key::named(name).is_some_and(|key| key.change == Change::Never)
            || list.split(';').any(|listed| listed == name)
    }

    /// Names and values as 319 lists them: every key that has a value, then those of the file that nobody knows.
    pub(crate) fn listed(&self) -> Vec<(String, String)> {
        let mut shown = self.clone();
        let keys = KEYS.iter().filter_map(|key| {
            let value = shown.show(key)?;
            (!key.later || value != key.default_text()).then(|| (key.name.to_owned(), value))
        });
        let mut listed: Vec<_> = keys.collect();
        let unknown = self.unknown.iter();
        listed.extend(unknown.map(|(name, value)| (name.clone(), value.clone())));
        listed
    }

    /// What `-p` prints: `name=value`, one a line, in Java's order.
    #[must_use]
    pub fn printed(&self) -> String {
        let mut shown = self.clone();
        let keys = KEYS.iter().filter(|key| !key.later);
        keys.map(|key| format!("{}={}\n", key.name, shown.show(key).unwrap_or_default()))
            .collect()
    }

    /// The text of the file with `changes` in their places, the rest of it as it was. Comments are lost, as in Java.
    ///
    /// # Errors
    /// The file is no `.properties` text any more.
    pub(crate) fn written_back(
        &self,
        file: &[u8],
        changes: &[(String, String)],
    ) -> Result<Vec<u8>, ConfigFileError> {
        let mut pairs = config_file::read(file)?;
        let mut shown = self.clone();
        for (name, _) in changes {
            let Some(value) = Key::named(name).and_then(|key| shown.show(key)) else {
                continue;
            };
            pairs.retain(|(known, _)| known != name);
            pairs.push((name.clone(), value));
        }
        Ok(config_file::write(pairs).into_bytes())
    }

    /// How connections are served.
    pub(crate) fn server(&self) -> ServerConfig {
        let count = |value: i32| usize::try_from(value).unwrap_or(0);
        let idle = u64::try_from(self.idle_seconds)
            .ok()
            .filter(|seconds| *seconds > 0);
        ServerConfig {
            idle: idle.map_or(NEVER_IDLE, Duration::from_secs),
            send_buffer_bytes: count(self.send_buffer_bytes),
            receive_buffer_bytes: count(self.receive_buffer_bytes),
            backlog: u32::try_from(self.backlog).unwrap_or(1024),
            ..ServerConfig::default()
        }
    }
}

#[cfg(test)]
mod tests;
