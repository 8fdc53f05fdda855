//! Keys and values in namespaces, kept in `kvConfig.json`. Order topic configuration is one namespace of them.
//!
//! ```text
//! kvConfig.json   {"configTable":{"ORDER_TOPIC_CONFIG":{"topic":"broker:8;broker2:8"}}}
//! ```
//!
//! The file is replaced as a whole and read from its `.bak` if it is torn ([`durable::WholeFile`]); a start fails when there
//! is a file and none can be read. Java does not read its `.bak`.
//!
//! Java 4.7.0 `namesrv/kvconfig/KVConfigManager.java`.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::Path;

use durable::{LoadError, WholeFile};
use parking_lot::{Mutex, RwLock};
use remoting::java::json;
use serde::{Deserialize, Serialize};
use tracing::info;

/// Of topics in strict order: which brokers have how many queues, told to clients with the route.
pub(crate) const ORDER_TOPIC_CONFIG: &str = "ORDER_TOPIC_CONFIG";

/// Namespaces and keys that are kept, together. Java: any number.
const MOST_NAMES: usize = 100_000;
/// Bytes of them and of their values. Every change writes them all, and a namespace goes out as one frame of 16 MiB at most.
const MOST_BYTES: usize = 8 * 1024 * 1024;

/// Namespace → key → value.
type Namespaces = BTreeMap<String, BTreeMap<String, String>>;

/// How much is kept.
#[derive(Clone, Copy, Debug, Default)]
struct Size {
    names: usize,
    bytes: usize,
}

impl Size {
    fn of(namespaces: &Namespaces) -> Size {
        let keys = namespaces.values().flatten();
        let pairs = keys.map(|(key, value)| key.len() + value.len());
        let (mut size, names) = (Size::default(), namespaces.keys().map(String::len));
        names.chain(pairs).for_each(|bytes| size.add(bytes));
        size
    }

    fn add(&mut self, bytes: usize) {
        self.names += 1;
        self.bytes += bytes;
    }

    /// Whether there is room for it after `before`; a file that holds more than we take may still shrink.
    fn fits(self, before: Size) -> bool {
        self.names <= MOST_NAMES.max(before.names) && self.bytes <= MOST_BYTES.max(before.bytes)
    }
}

/// Why a key is not taken; nothing has changed.
#[derive(Debug)]
pub(crate) struct Full(Size);

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Size { names, bytes } = self.0;
        write!(
            f,
            "there would be {names} namespaces and keys, {MOST_NAMES} are kept, and {bytes} bytes, {MOST_BYTES} are kept"
        )
    }
}

#[derive(Debug, Default)]
struct Table {
    namespaces: Namespaces,
    size: Size,
}

impl Table {
    fn of(namespaces: Namespaces) -> Table {
        let size = Size::of(&namespaces);
        Table { namespaces, size }
    }

    fn put(&mut self, namespace: String, key: String, value: String) -> Result<(), Full> {
        let known = self.namespaces.get(&namespace);
        let old = known.and_then(|values| values.get(&key));
        let mut size = self.size;
        if known.is_none() {
            size.add(namespace.len());
        }
        match old {
            Some(old) => size.bytes = size.bytes - old.len() + value.len(),
            None => size.add(key.len() + value.len()),
        }
        if !size.fits(self.size) {
            return Err(Full(size));
        }
        self.size = size;
        let values = self.namespaces.entry(namespace).or_default();
        values.insert(key, value);
        Ok(())
    }

    fn delete(&mut self, namespace: &str, key: &str) {
        let values = self.namespaces.get_mut(namespace);
        if let Some(value) = values.and_then(|values| values.remove(key)) {
            self.size.names -= 1;
            self.size.bytes -= key.len() + value.len();
        }
    }
}

#[derive(Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
struct FileBody {
    config_table: Namespaces,
}

/// All keys and values, in memory and in their file.
#[derive(Debug)]
pub(crate) struct KvStore {
    table: RwLock<Table>,
    file: Mutex<WholeFile>,
}

impl KvStore {
    /// Reads what is stored. A file that is not there is fine. Blocks.
    ///
    /// # Errors
    /// There is a file, and neither it nor its `.bak` can be read.
    pub(crate) fn open(path: &Path) -> Result<KvStore, LoadError> {
        let mut file = WholeFile::new(path);
        let namespaces: Namespaces = file.load_unless_empty(read)?.unwrap_or_default();
        info!(path = %path.display(), namespaces = namespaces.len(), "load stored keys");
        Ok(KvStore {
            table: RwLock::new(Table::of(namespaces)),
            file: Mutex::new(file),
        })
    }

    pub(crate) fn get(&self, namespace: &str, key: &str) -> Option<String> {
        let table = self.table.read();
        table.namespaces.get(namespace)?.get(key).cloned()
    }

    /// All of a namespace; empty when its keys were deleted, `None` when it never had one.
    pub(crate) fn namespace(&self, namespace: &str) -> Option<BTreeMap<String, String>> {
        self.table.read().namespaces.get(namespace).cloned()
    }

    /// In memory; `save` makes it last.
    ///
    /// # Errors
    /// There is no room for it.
    pub(crate) fn put(&self, namespace: String, key: String, value: String) -> Result<(), Full> {
        self.table.write().put(namespace, key, value)
    }

    /// In memory; `save` makes it last.
    pub(crate) fn delete(&self, namespace: &str, key: &str) {
        self.table.write().delete(namespace, key);
    }

    /// Writes everything that was put and deleted before this call. Blocks for two `fsync`s; one save at a time.
    ///
    /// # Errors
    /// What the system says. The old file is then still there, whole. Java logs it and answers success.
    pub(crate) fn save(&self) -> io::Result<()> {
        let mut file = self.file.lock();
        let body = FileBody {
            config_table: self.table.read().namespaces.clone(),
        };
        file.replace(&json::write(&body))
    }
}

fn read(bytes: Vec<u8>) -> Result<Namespaces, String> {
    let body: FileBody = json::read(&bytes).map_err(|error| error.to_string())?;
    Ok(body.config_table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;
    use std::fs;
    use std::path::PathBuf;

    fn open(path: &Path) -> KvStore {
        KvStore::open(path).expect("readable")
    }

    /// `kvConfig.json` and `.bak` make `kvConfig.json.bak`.
    fn beside(path: &Path, suffix: &str) -> PathBuf {
        let mut name = OsString::from(path);
        name.push(suffix);
        PathBuf::from(name)
    }

    fn put(store: &KvStore, key: &str, value: &str) {
        let put = store.put("ns".into(), key.into(), value.into());
        put.expect("room for it");
        store.save().expect("saved");
    }

    #[test]
    fn keys_live_through_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("made/by/save/kvConfig.json");
        let store = open(&path);
        assert_eq!(store.namespace("ns"), None);
        put(&store, "k1", "a:1;b:2");
        put(&store, "k2", "\"quoted\" 中文");
        store.delete("ns", "k1");
        store.save().expect("saved");
        let again = open(&path);
        assert_eq!(again.get("ns", "k1"), None);
        assert_eq!(again.get("ns", "k2").as_deref(), Some("\"quoted\" 中文"));
        again.delete("ns", "k2");
        again.save().expect("saved");
        assert_eq!(open(&path).namespace("ns"), Some(BTreeMap::new()));
    }

    #[test]
    fn a_file_of_java_is_read_and_ours_looks_like_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kvConfig.json");
        let java = r#"{"configTable":{"ORDER_TOPIC_CONFIG":{"T":"broker-a:4"}}}"#;
        fs::write(&path, java).unwrap();
        let store = open(&path);
        assert_eq!(
            store.get(ORDER_TOPIC_CONFIG, "T").as_deref(),
            Some("broker-a:4")
        );
        store.save().expect("saved");
        assert_eq!(fs::read_to_string(&path).unwrap(), java);
    }

    #[test]
    fn what_is_kept_is_bounded_and_what_goes_makes_room() {
        let mut table = Table::default();
        let mut put = |key: &str, value: &str| table.put("ns".into(), key.into(), value.into());
        for key in 1..MOST_NAMES {
            put(&key.to_string(), "").expect("room, the namespace counts too");
        }
        assert!(put("one more", "").is_err());
        put("1", "new").expect("it is there already");
        table.delete("ns", "no such key");
        table.delete("ns", "1");
        assert_eq!(table.size.names, MOST_NAMES - 1);
        assert!(table.put("new".into(), "k".into(), String::new()).is_err());
        let large = "x".repeat(MOST_BYTES);
        let error = table.put("ns".into(), "1".into(), large.clone());
        let error = error.expect_err("no room").to_string();
        assert!(error.contains("8388608 are kept"), "{error}");
        let counted = Size::of(&table.namespaces);
        assert_eq!(
            (counted.names, counted.bytes),
            (table.size.names, table.size.bytes)
        );
        let values = BTreeMap::from([("k".to_owned(), large + "y")]);
        let mut loaded = Table::of(BTreeMap::from([("ns".to_owned(), values)]));
        let smaller = "x".repeat(MOST_BYTES);
        let shrunk = loaded.put("ns".into(), "k".into(), smaller);
        shrunk.expect("it may hold more, and shrink");
    }

    #[test]
    fn a_torn_file_is_read_from_its_bak_wherever_it_was_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kvConfig.json");
        put(&open(&path), "k", "old");
        put(&open(&path), "k", "new");
        let whole = fs::read(&path).unwrap();
        for cut in 0..whole.len() {
            fs::write(&path, &whole[..cut]).unwrap();
            let value = open(&path).get("ns", "k");
            assert_eq!(value.as_deref(), Some("old"), "cut at byte {cut}");
        }
    }

    #[test]
    fn a_torn_file_never_becomes_the_bak() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kvConfig.json");
        put(&open(&path), "k", "old");
        put(&open(&path), "k", "new");
        fs::write(&path, "{\"configTa").unwrap();
        put(&open(&path), "k", "newest");
        assert_eq!(open(&path).get("ns", "k").as_deref(), Some("newest"));
        fs::write(&path, "").unwrap();
        assert_eq!(open(&path).get("ns", "k").as_deref(), Some("old"));
    }

    #[test]
    fn nothing_starts_on_files_that_cannot_be_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kvConfig.json");
        fs::write(&path, "{\"configTa").unwrap();
        let error = KvStore::open(&path)
            .expect_err("torn, and no .bak")
            .to_string();
        assert!(error.contains("kvConfig.json.bak"), "{error}");
        fs::write(beside(&path, ".bak"), "\0\0\0").unwrap();
        assert!(KvStore::open(&path).is_err());
        fs::remove_file(&path).unwrap();
        assert!(KvStore::open(&path).is_err(), "its keys may be in the .bak");
    }

    #[test]
    fn a_failed_save_leaves_the_old_file_and_the_next_one_works() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kvConfig.json");
        let store = open(&path);
        put(&store, "k", "old");
        let in_the_way = beside(&path, ".tmp");
        fs::create_dir(&in_the_way).unwrap();
        let put = store.put("ns".into(), "k".into(), "new".into());
        put.expect("room for it");
        assert!(store.save().is_err());
        assert_eq!(open(&path).get("ns", "k").as_deref(), Some("old"));
        fs::remove_dir(&in_the_way).unwrap();
        store.save().expect("saved");
        assert_eq!(open(&path).get("ns", "k").as_deref(), Some("new"));
    }
}
