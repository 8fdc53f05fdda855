//! From a `.properties` file and the command line to a [`BrokerConfig`].
//!
//! The file is applied to all four Java objects, then `-n` over `namesrvAddr`. Of a key that is written twice the last
//! one counts, as in `java.util.Properties`.
//! Java 4.7.0 `broker/BrokerStartup.java`, `createBrokerController`.

use std::collections::HashSet;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use remoting::java::config_file;

use super::broker::BrokerConfig;
use super::environment::Environment;
use super::keys::elsewhere::{Elsewhere, look_up};
use super::keys::{self, Key, Kind};
use super::notice::{Notice, Source};
use super::value::Taken;

/// A configuration with what there is to say about it.
#[derive(Debug)]
pub struct Loaded {
    /// The values in force.
    pub config: BrokerConfig,
    /// In the order of the file. To be logged once logging is up.
    pub notices: Vec<Notice>,
}

/// Why a file could not be read. The start ends: the operator named it.
#[derive(Debug)]
pub enum LoadError {
    /// The file system says no.
    Read {
        /// The file given with `-c`.
        path: PathBuf,
        /// What it says.
        error: io::Error,
    },
    /// It is no `.properties` file.
    Syntax {
        /// The file given with `-c`.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::Read { path, error } => write!(
                f,
                "The configuration file {} cannot be read: {error}. Give -c the path of a file this user may read.",
                path.display()
            ),
            LoadError::Syntax { path, problem } => {
                write!(
                    f,
                    "The configuration file {} is not a properties file: {problem}.",
                    path.display()
                )
            }
        }
    }
}

impl std::error::Error for LoadError {}

/// Reads `file` over the defaults, then `namesrv_addr` (the value of `-n`) over that.
///
/// # Errors
/// Only when a file is named and cannot be read as a whole; nothing in it can be wrong enough.
pub fn load(
    environment: &Environment,
    file: Option<&Path>,
    namesrv_addr: Option<&str>,
) -> Result<Loaded, LoadError> {
    let mut config = BrokerConfig::new(environment);
    let mut notices = Vec::new();
    if let Some(path) = file {
        let bytes = std::fs::read(path).map_err(|error| LoadError::Read {
            path: path.to_owned(),
            error,
        })?;
        let entries = config_file::read(&bytes).map_err(|error| LoadError::Syntax {
            path: path.to_owned(),
            problem: error.to_string(),
        })?;
        let source = Source::File(path.to_owned());
        for (name, value) in last_of_each(entries) {
            apply(&mut config, &mut notices, &name, &value, &source);
        }
    }
    if let Some(value) = namesrv_addr {
        apply(
            &mut config,
            &mut notices,
            "namesrvAddr",
            value,
            &Source::CommandLine,
        );
    }
    Ok(Loaded { config, notices })
}

/// Keeps of every name its last value, in the order of the file.
fn last_of_each(entries: Vec<(String, String)>) -> Vec<(String, String)> {
    let mut seen = HashSet::new();
    let mut last: Vec<_> = entries
        .into_iter()
        .rev()
        .filter(|(name, _)| seen.insert(name.clone()))
        .collect();
    last.reverse();
    last
}

/// Sets every key of that name, and notes what there is to say about it.
fn apply(
    config: &mut BrokerConfig,
    notices: &mut Vec<Notice>,
    name: &str,
    value: &str,
    source: &Source,
) {
    let mut known = false;
    for key in keys::named(name) {
        known = true;
        notices.extend(set(config, key, value, source));
    }
    if !known {
        let (key, source) = (name.to_owned(), source.clone());
        notices.push(match look_up(name) {
            Elsewhere::Gone(instead) => Notice::Gone {
                key,
                source,
                instead,
            },
            Elsewhere::Later => Notice::Later { key, source },
            Elsewhere::Unknown { similar } => Notice::Unknown {
                key,
                source,
                similar,
            },
        });
    }
}

fn set(
    config: &mut BrokerConfig,
    key: &'static Key,
    value: &str,
    source: &Source,
) -> Option<Notice> {
    let before = key.show(config).unwrap_or_default();
    let (name, text, place) = (key.name, value.to_owned(), source.clone());
    match key.set(config, value) {
        Err(problem) => Some(Notice::BadValue {
            key: name,
            value: text,
            source: place,
            problem,
            kept: before,
        }),
        Ok(Taken::AsFalse) => Some(Notice::ReadAsFalse {
            key: name,
            value: text,
            source: place,
        }),
        Ok(Taken::WithBlanks) => Some(Notice::Blanks {
            key: name,
            value: text,
            source: place,
        }),
        Ok(Taken::Plainly) => match &key.kind {
            Kind::Accepted(accepted) if key.show(config).unwrap_or_default() != before => {
                Some(Notice::NoEffect {
                    key: name,
                    value: text,
                    why: accepted.why,
                })
            }
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Problem;
    use std::time::Duration;
    use store::{BrokerRole, FlushDiskType};

    fn load_text(text: &str) -> Loaded {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("broker.conf");
        std::fs::write(&path, text).expect("written");
        load(&Environment::of_this_host(), Some(&path), None).expect("loads")
    }

    #[test]
    fn a_file_from_a_tutorial_works() {
        let loaded = load_text(
            "# cluster\nbrokerClusterName=rocketmq-cluster\nbrokerName=broker-a\nbrokerId=0\n\
             namesrvAddr=a:9876;b:9876\ndefaultTopicQueueNums=4\nautoCreateTopicEnable=true\n\
             autoCreateSubscriptionGroup=true\nlistenPort=10911\ndeleteWhen=04\nfileReservedTime=120\n\
             mapedFileSizeCommitLog=1073741824\nmapedFileSizeConsumeQueue=300000\ndiskMaxUsedSpaceRatio=88\n\
             storePathRootDir=/s\nstorePathCommitLog=/s/commitlog\nstorePathConsumeQueue=/s/consumequeue\n\
             storePathIndex=/s/index\nstoreCheckpoint=/s/checkpoint\nabortFile=/s/abort\nmaxMessageSize=65536\n\
             brokerRole=SYNC_MASTER\nflushDiskType=SYNC_FLUSH\n",
        );
        let config = &loaded.config;
        assert_eq!(
            config.name_servers().collect::<Vec<_>>(),
            ["a:9876", "b:9876"]
        );
        assert_eq!(config.broker_name, "broker-a");
        assert_eq!(config.default_topic_queue_nums, 4);
        assert_eq!(config.store.broker_role, BrokerRole::SyncMaster);
        assert_eq!(config.store.flush_disk_type, FlushDiskType::Sync);
        let gone: Vec<_> = loaded
            .notices
            .iter()
            .filter(|notice| notice.level() == tracing::Level::WARN)
            .map(|notice| match notice {
                Notice::Gone { key, .. } => key.as_str(),
                other => panic!("{other}"),
            })
            .collect();
        assert_eq!(
            gone,
            [
                "mapedFileSizeCommitLog",
                "mapedFileSizeConsumeQueue",
                "storePathConsumeQueue",
                "storePathIndex",
                "storeCheckpoint",
                "abortFile"
            ]
        );
        let defaults = BrokerConfig::default();
        let size = |config: &BrokerConfig| {
            keys::print(config, false)
                .into_iter()
                .find(|(name, _)| *name == "mappedFileSizeCommitLog")
        };
        assert_eq!(size(config), size(&defaults));
    }

    #[test]
    fn a_bad_value_keeps_the_default_and_says_so() {
        let loaded =
            load_text("fileReservedTime=48 \nbrokerRole=SLAVE \nshortPollingTimeMills=two\n");
        assert_eq!(loaded.config.store.broker_role, BrokerRole::AsyncMaster);
        assert_eq!(loaded.config.short_polling, Duration::from_millis(1_000));
        let texts: Vec<String> = loaded.notices.iter().map(ToString::to_string).collect();
        assert_eq!(texts.len(), 3);
        assert!(matches!(
            &loaded.notices[0],
            Notice::BadValue {
                problem: Problem::Blanks,
                ..
            }
        ));
        for part in [
            "fileReservedTime=\"48 \"",
            "broker.conf",
            "fileReservedTime=72 is in force",
        ] {
            assert!(texts[0].contains(part), "{} lacks {part}", texts[0]);
        }
        assert!(texts[1].contains("ASYNC_MASTER, SYNC_MASTER, SLAVE"));
    }

    #[test]
    fn javas_system_properties_of_the_disk_are_keys_of_the_file_and_are_not_printed() {
        let loaded = load_text(
            "rocketmq.broker.diskSpaceWarningLevelRatio=0.98\nrocketmq.broker.diskSpaceCleanForciblyRatio=0.97\n\
             fileReservedTime=48\ndeleteWhen=02;14\ndiskMaxUsedSpaceRatio=88\n",
        );
        assert!(loaded.notices.is_empty(), "{:?}", loaded.notices);
        let expiry = &loaded.config.store.expiry;
        assert_eq!(
            (expiry.warning_level_ratio, expiry.clean_forcibly_ratio),
            (0.98, 0.97)
        );
        assert_eq!(expiry.file_reserved_time, Duration::from_secs(48 * 3600));
        assert_eq!(expiry.delete_when, "02;14");
        assert_eq!(expiry.disk_max_used_percent, 88);
        let printed = keys::print(&loaded.config, false);
        assert!(printed.iter().all(|(name, _)| !name.contains('.')));
    }

    #[test]
    fn the_last_of_two_values_counts_even_when_it_is_bad() {
        assert_eq!(load_text("brokerId=1\nbrokerId=2\n").config.broker_id, 2);
        let loaded = load_text("brokerId=1\nbrokerId=x\n");
        assert_eq!(loaded.config.broker_id, 0);
        assert_eq!(loaded.notices.len(), 1);
    }

    #[test]
    fn keys_without_effect_are_told_when_they_are_changed() {
        let loaded = load_text(
            "sendMessageThreadPoolNums=1\npullMessageThreadPoolNums=128\nslaveTimeout=1\nnamsrvAddr=x\n",
        );
        assert_eq!(loaded.notices.len(), 3);
        assert!(matches!(
            &loaded.notices[0],
            Notice::NoEffect {
                key: "pullMessageThreadPoolNums",
                ..
            }
        ));
        assert!(matches!(&loaded.notices[1], Notice::Later { .. }));
        assert!(matches!(
            &loaded.notices[2],
            Notice::Unknown {
                similar: Some("namesrvAddr"),
                ..
            }
        ));
    }

    #[test]
    fn the_command_line_wins_over_the_file_and_the_file_over_the_environment() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("broker.conf");
        std::fs::write(&path, "namesrvAddr=file:9876\n").expect("written");
        let environment = Environment {
            namesrv_addr: Some("env:9876".to_owned()),
            ..Environment::of_this_host()
        };
        let addr = |file, option| {
            load(&environment, file, option)
                .expect("loads")
                .config
                .namesrv_addr
        };
        assert_eq!(addr(None, None).as_deref(), Some("env:9876"));
        assert_eq!(
            addr(Some(path.as_path()), None).as_deref(),
            Some("file:9876")
        );
        assert_eq!(
            addr(Some(path.as_path()), Some("option:9876")).as_deref(),
            Some("option:9876")
        );
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = load(
            &Environment::of_this_host(),
            Some(Path::new("/nowhere/b.conf")),
            None,
        )
        .expect_err("none");
        assert!(error.to_string().contains("/nowhere/b.conf"));
    }
}
