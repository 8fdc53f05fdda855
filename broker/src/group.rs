//! What each consumer group may do: subscriptionGroup.json.
//!
//! The rule that is easy to break: groups that begin with `CID_RMQ_SYS_` are made whatever
//! `autoCreateSubscriptionGroup` says, and a name is checked before any group is made, since a retry topic and with it
//! a folder follows from it. Java 4.7.0 makes any, see COMPATIBILITY.md.
//! Java 4.7.0 `broker/subscription/SubscriptionGroupManager.java`.

use std::sync::Arc;

use parking_lot::RwLock;
use remoting::body::DataVersion;
use remoting::body::groups::{SubscriptionGroupConfig, SubscriptionGroupWrapper};
use tracing::{error, info, warn};

use crate::config::BrokerConfig;
use crate::json_file::{JsonFile, LoadError};
use crate::topic::name::{self, NameError};

/// Groups that exist on every broker.
const PREDEFINED: [&str; 7] = [
    "TOOLS_CONSUMER",
    "FILTERSRV_CONSUMER",
    "SELF_TEST_C_GROUP",
    "CID_ONS-HTTP-PROXY",
    "CID_ONSAPI_PULL",
    "CID_ONSAPI_PERMISSION",
    "CID_ONSAPI_OWNER",
];

/// Groups of the broker itself begin so.
const SYSTEM_PREFIX: &str = "CID_RMQ_SYS_";

/// Whether a group is there on every broker or the broker's own.
#[must_use]
pub fn is_system(group: &str) -> bool {
    PREDEFINED.contains(&group) || group.starts_with(SYSTEM_PREFIX)
}

/// All groups, by name.
#[derive(Debug)]
pub struct GroupTable {
    groups: RwLock<Groups>,
    file: JsonFile,
}

#[derive(Debug, Default)]
struct Groups {
    by_name: foldhash::HashMap<Arc<str>, Arc<SubscriptionGroupConfig>>,
    version: DataVersion,
}

impl Groups {
    fn put(&mut self, group: SubscriptionGroupConfig) -> Arc<SubscriptionGroupConfig> {
        let group = Arc::new(group);
        self.by_name
            .insert(group.group_name.as_str().into(), Arc::clone(&group));
        group
    }
}

impl GroupTable {
    /// The predefined groups, and what `config/subscriptionGroup.json` below the store's root holds over them.
    /// Blocks on the disk.
    ///
    /// # Errors
    /// [`LoadError`]; the start ends.
    pub fn load(config: &BrokerConfig) -> Result<Self, LoadError> {
        let file = JsonFile::new(config.table_file("subscriptionGroup.json"));
        let mut groups = Groups::default();
        for name in PREDEFINED {
            groups.put(SubscriptionGroupConfig::new(name));
        }
        if let Some(stored) = file.load::<SubscriptionGroupWrapper>()? {
            groups.version = stored.data_version;
            for (name, group) in stored.subscription_group_table {
                if name::may_be_kept(&name) {
                    groups.put(SubscriptionGroupConfig {
                        group_name: name,
                        ..group
                    });
                } else {
                    warn!(
                        group = name,
                        "{}: no name for a group, not loaded",
                        file.path().display()
                    );
                }
            }
        }
        info!(
            groups = groups.by_name.len(),
            version = groups.version.counter,
            "load subscription groups"
        );
        Ok(GroupTable {
            groups: RwLock::new(groups),
            file,
        })
    }

    /// A group, if there is one of that name. Cheap: for every pull.
    #[must_use]
    pub fn get(&self, group: &str) -> Option<Arc<SubscriptionGroupConfig>> {
        self.groups.read().by_name.get(group).cloned()
    }

    /// A group, made on its first use if `auto_create` (`autoCreateSubscriptionGroup`) or its name allows it. Java's
    /// `findSubscriptionGroupConfig`. A new one is in memory only: the caller sees to it that the table is saved before it
    /// answers (`made`).
    pub fn find(&self, group: &str, auto_create: bool) -> Option<Arc<SubscriptionGroupConfig>> {
        if let Some(found) = self.get(group) {
            return Some(found);
        }
        if !auto_create && !group.starts_with(SYSTEM_PREFIX) {
            return None;
        }
        if let Err(error) = name::check_group(group) {
            warn!(group, %error, "group not made");
            return None;
        }
        let mut groups = self.groups.write();
        if let Some(found) = groups.by_name.get(group) {
            return Some(Arc::clone(found));
        }
        let made = groups.put(SubscriptionGroupConfig::new(group));
        groups.version.next_version();
        drop(groups);
        self.file.changed();
        info!(group, "group made on its first use");
        Some(made)
    }

    /// Makes or replaces a group as an administrator asks (code 200). Blocks until it is on disk.
    ///
    /// # Errors
    /// [`NameError`]: no name for a group. One that is already there may keep the name it has.
    pub fn update(&self, group: SubscriptionGroupConfig) -> Result<(), NameError> {
        if self.get(&group.group_name).is_none() {
            name::check_group(&group.group_name)?;
        }
        let mut groups = self.groups.write();
        let group = groups.put(group);
        groups.version.next_version();
        drop(groups);
        info!(?group, "make or change subscription group");
        self.file.changed();
        self.save();
        Ok(())
    }

    /// Deletes a group. Whether there was one. Blocks until it is gone from the disk. Those of the broker ([`is_system`])
    /// are not to be deleted; the caller sees to it.
    pub fn delete(&self, group: &str) -> bool {
        let mut groups = self.groups.write();
        if groups.by_name.remove(group).is_none() {
            warn!(group, "delete a subscription group that does not exist");
            return false;
        }
        groups.version.next_version();
        drop(groups);
        info!(group, "delete subscription group");
        self.file.changed();
        self.save();
        true
    }

    /// How many groups there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.groups.read().by_name.len()
    }

    /// Whether there is none: never, since some are predefined.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The state of the table.
    #[must_use]
    pub fn version(&self) -> DataVersion {
        self.groups.read().version
    }

    /// The whole table with its version, as it is answered to 201 and written to the file.
    #[must_use]
    pub fn wrapper(&self) -> SubscriptionGroupWrapper {
        let groups = self.groups.read();
        let entries = groups
            .by_name
            .iter()
            .map(|(name, group)| (name.to_string(), (**group).clone()));
        SubscriptionGroupWrapper {
            data_version: groups.version,
            subscription_group_table: entries.collect(),
        }
    }

    /// Whether the table has changed since it was saved, or could not be.
    #[must_use]
    pub fn is_unsaved(&self) -> bool {
        self.file.is_unsaved()
    }

    /// Writes the table if it has changed. A disk that refuses is an ERROR in the log; the group is served all the same,
    /// as in Java.
    pub fn save(&self) {
        if let Err(error) = self.file.save_with(|| self.wrapper()) {
            error!(%error, file = %self.file.path().display(), "write subscription groups");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> (tempfile::TempDir, GroupTable) {
        let folder = tempfile::tempdir().expect("a folder");
        let table = load_again(&folder);
        (folder, table)
    }

    fn load_again(folder: &tempfile::TempDir) -> GroupTable {
        let mut config = BrokerConfig::default();
        config.store.root_dir = folder.path().to_owned();
        GroupTable::load(&config).expect("loads")
    }

    #[test]
    fn predefined_groups_are_there_and_nothing_is_written_for_them() {
        let (folder, table) = table();
        for group in PREDEFINED {
            assert!(table.get(group).is_some());
        }
        assert!(!folder.path().join("config").exists());
    }

    #[test]
    fn a_group_is_made_on_its_first_use_with_javas_defaults() {
        let (folder, table) = table();
        let group = table.find("g", true).expect("made");
        assert_eq!(
            (
                group.retry_max_times,
                group.retry_queue_nums,
                group.consume_enable
            ),
            (16, 1, true)
        );
        table.find("g", true).expect("there");
        assert_eq!((table.version().counter, table.is_unsaved()), (1, true));
        table.save();
        let again = load_again(&folder);
        assert_eq!(again.wrapper(), table.wrapper());
    }

    #[test]
    fn without_auto_creation_only_the_brokers_own_groups_are_made() {
        let (_folder, table) = table();
        assert_eq!(table.find("g", false), None);
        assert!(table.find("CID_RMQ_SYS_TRANS", false).is_some());
    }

    #[test]
    fn a_deleted_group_is_gone_from_the_disk_too() {
        let (folder, table) = table();
        table.find("g", true).expect("made");
        table.save();
        assert!(table.delete("g") && !table.delete("g"));
        assert_eq!((table.get("g"), table.version().counter), (None, 2));
        assert_eq!(load_again(&folder).wrapper(), table.wrapper());
    }

    #[test]
    fn no_group_that_walks_directories_is_made_or_loaded() {
        let (folder, table) = table();
        assert_eq!(table.find("../../x", true), None);
        assert_eq!(table.find("CID_RMQ_SYS_/../x", false), None);
        assert!(table.update(SubscriptionGroupConfig::new("a/b")).is_err());
        let path = folder.path().join("config").join("subscriptionGroup.json");
        std::fs::create_dir(folder.path().join("config")).expect("made");
        let text =
            "{\"subscriptionGroupTable\":{\"../x\":{\"groupName\":\"../x\"},\"odd.group\":{}}}";
        std::fs::write(&path, text).expect("written");
        let table = load_again(&folder);
        assert_eq!(table.get("../x"), None);
        let odd = table.get("odd.group").expect("kept");
        let changed = SubscriptionGroupConfig {
            consume_enable: false,
            ..(*odd).clone()
        };
        table.update(changed).expect("an old name stays");
        assert!(!table.get("odd.group").expect("there").consume_enable);
    }
}
