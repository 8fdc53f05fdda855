//! The files under `conf/`: each loads without a warning and makes the broker its name says.
//!
//! Their names and values are those of Java 4.7.0's `distribution/conf`.

use std::path::{Path, PathBuf};

use store::{BrokerRole, FlushDiskType};
use tracing::Level;

use super::{BrokerConfig, Environment, load, settle};

fn conf() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../conf")
}

/// Loads a file as a start does; nothing louder than INFO may come of it.
fn started(name: &str) -> BrokerConfig {
    let loaded = load(&Environment::of_this_host(), Some(&conf().join(name)), None).expect(name);
    let mut config = loaded.config;
    let mut notices = loaded.notices;
    notices.extend(settle(&mut config).expect(name));
    let loud: Vec<_> = notices
        .iter()
        .filter(|notice| notice.level() != Level::INFO)
        .collect();
    assert!(loud.is_empty(), "{name}: {loud:?}");
    config
}

fn assert_is(file: &str, broker_name: &str, broker_id: i64, role: BrokerRole) {
    let config = started(file);
    assert_eq!(config.cluster_name, "DefaultCluster", "{file}");
    assert_eq!(config.broker_name, broker_name, "{file}");
    assert_eq!(config.broker_id, broker_id, "{file}");
    assert_eq!(config.store.broker_role, role, "{file}");
    assert_eq!(config.store.flush_disk_type, FlushDiskType::Async, "{file}");
    let shown = super::print(&config, false);
    for wanted in [
        ("deleteWhen", "04"),
        ("fileReservedTime", "48"),
        ("listenPort", "10911"),
    ] {
        assert!(
            shown.contains(&(wanted.0, wanted.1.to_owned())),
            "{file}: {wanted:?}"
        );
    }
}

#[test]
fn every_broker_file_makes_the_broker_its_name_says() {
    assert_is("broker.conf", "broker-a", 0, BrokerRole::AsyncMaster);
    for set in ["a", "b"] {
        let name = format!("broker-{set}");
        for (folder, role) in [
            ("2m-2s-sync", BrokerRole::SyncMaster),
            ("2m-2s-async", BrokerRole::AsyncMaster),
            ("2m-noslave", BrokerRole::AsyncMaster),
        ] {
            assert_is(&format!("{folder}/{name}.properties"), &name, 0, role);
        }
        for folder in ["2m-2s-sync", "2m-2s-async"] {
            assert_is(
                &format!("{folder}/{name}-s.properties"),
                &name,
                1,
                BrokerRole::Slave,
            );
        }
    }
    assert_is(
        "2m-noslave/broker-trace.properties",
        "broker-trace",
        0,
        BrokerRole::AsyncMaster,
    );
}

#[test]
fn no_file_is_left_out() {
    let mut files = 0;
    let mut folders = vec![conf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files += 1;
            }
        }
    }
    // Twelve of brokers, checked above, and namesrv.properties.
    assert_eq!(files, 13, "a file without a test");
}
