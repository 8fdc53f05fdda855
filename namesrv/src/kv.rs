//! Keys and values in namespaces, kept in `kvConfig.json`. Order topic configuration is one namespace of them.
//!
//! ```text
//! kvConfig.json   {"configTable":{"ORDER_TOPIC_CONFIG":{"topic":"broker:8;broker2:8"}}}
//! save            .tmp ─fsync─▶   old ─▶ .bak   .tmp ─rename─▶ kvConfig.json   ─fsync folder
//! load            kvConfig.json, else .bak and a WARN, else nothing; a start fails when there is a file and none can be read
//! ```
//!
//! The rule that is easy to break: `.bak` is only ever made from a file that could be read, so that a torn file cannot
//! push out the last good one. Java deletes the file before it renames and syncs nothing, and does not read its `.bak`.
//!
//! Java 4.7.0 `namesrv/kvconfig/KVConfigManager.java`, `common/MixAll.java`: `string2File`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use parking_lot::{Mutex, RwLock};
use remoting::java::json;
use serde::{Deserialize, Serialize};
use tracing::{info, warn};

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

/// Why the stored keys cannot be read. The server does not start, so that it cannot overwrite what a person may repair.
#[derive(Debug)]
pub struct KvError {
    /// The file that should have been read.
    pub path: PathBuf,
    /// What is wrong with it and with its `.bak`.
    pub reason: String,
}

impl fmt::Display for KvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot read {}: {}", self.path.display(), self.reason)
    }
}

impl std::error::Error for KvError {}

/// All keys and values, in memory and in their file.
#[derive(Debug)]
pub(crate) struct KvStore {
    table: RwLock<Table>,
    file: Mutex<StoredFile>,
}

impl KvStore {
    /// Reads what is stored. A file that is not there is fine. Blocks.
    ///
    /// # Errors
    /// There is a file, and neither it nor its `.bak` can be read.
    pub(crate) fn open(path: &Path) -> Result<KvStore, KvError> {
        let (namespaces, sound) = load(path)?;
        Ok(KvStore {
            table: RwLock::new(Table::of(namespaces)),
            file: Mutex::new(StoredFile {
                path: path.to_owned(),
                sound,
            }),
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

/// A file that is replaced as a whole.
#[derive(Debug)]
pub(crate) struct StoredFile {
    path: PathBuf,
    /// What stands there now could be read, or was written by us: it may become the `.bak`.
    sound: bool,
}

impl StoredFile {
    /// A file that is known to be sound, or not there.
    pub(crate) fn sound(path: PathBuf) -> StoredFile {
        StoredFile { path, sound: true }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Puts `content` into the file's place, so that a crash leaves the old or the new, and keeps the old as `.bak`.
    /// Makes the folder if need be. Blocks.
    ///
    /// # Errors
    /// What the system says; the old file is still there.
    pub(crate) fn replace(&mut self, content: &[u8]) -> io::Result<()> {
        let parent = self
            .path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        let folder = parent.unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let tmp = beside(&self.path, ".tmp");
        let mut file = File::create(&tmp)?;
        file.write_all(content)?;
        file.sync_all()?;
        if self.sound {
            self.keep_as_bak()?;
        }
        fs::rename(&tmp, &self.path)?;
        self.sound = true;
        File::open(folder)?.sync_all()
    }

    /// The file gets a second name, so that it is at no moment missing under its first.
    fn keep_as_bak(&self) -> io::Result<()> {
        let bak = beside(&self.path, ".bak");
        let linked = match fs::remove_file(&bak) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => fs::hard_link(&self.path, &bak),
        };
        match linked {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()), // the first save
            Err(_) => fs::copy(&self.path, &bak).map(drop), // a file system without links
            Ok(()) => Ok(()),
        }
    }
}

/// `kvConfig.json` and `.bak` make `kvConfig.json.bak`.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

/// What is stored, and whether it came from the file itself.
fn load(path: &Path) -> Result<(Namespaces, bool), KvError> {
    let main = read(path);
    if let Ok(Some(namespaces)) = main {
        info!(path = %path.display(), namespaces = namespaces.len(), "load stored keys");
        return Ok((namespaces, true));
    }
    let bak_path = beside(path, ".bak");
    match (main, read(&bak_path)) {
        (main, Ok(Some(namespaces))) => {
            let reason = main.err().unwrap_or_else(|| "missing or empty".to_owned());
            warn!(path = %path.display(), reason, bak = %bak_path.display(), "use the file saved before");
            Ok((namespaces, false))
        }
        (Ok(_), Ok(None)) => Ok((Namespaces::new(), true)),
        (Err(reason), Ok(None)) => Err(format!("{reason}; there is no {}", bak_path.display())),
        (Ok(_), Err(bak)) => Err(format!("missing or empty; {}: {bak}", bak_path.display())),
        (Err(reason), Err(bak)) => Err(format!("{reason}; {}: {bak}", bak_path.display())),
    }
    .map_err(|reason| KvError {
        path: path.to_owned(),
        reason,
    })
}

/// `None` for a file that is missing or empty.
fn read(path: &Path) -> Result<Option<Namespaces>, String> {
    let bytes = match fs::read(path) {
        Ok(bytes) if bytes.trim_ascii().is_empty() => return Ok(None),
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    let body: FileBody = json::read(&bytes).map_err(|error| error.to_string())?;
    Ok(Some(body.config_table))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(path: &Path) -> KvStore {
        KvStore::open(path).expect("readable")
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
