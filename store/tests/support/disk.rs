//! A disk that remembers what a power cut would leave: beside what the process sees it knows what of it
//! was synced, and every state in between that the kernel may have written by itself.
//!
//! ```text
//!   watched call ─► before: look at the files, note what was written through mappings; a crash point
//!                ─► after:  names and files made, renamed, removed; syncs make things durable
//!   crash(dice)  ─► an image: of every name, length and page some state since the last sync of it
//! ```
//!
//! What counts as durable is what POSIX promises, not what one file system does: a name after the sync
//! of its folder, a file's bytes and length after the sync of the file. In between a page is there in any
//! of its versions, or torn between two of them by sectors of 512 bytes and words of 4; pages come in no
//! order. Three things no journaling file system does are left out: half a rename, names of a folder
//! with renames out of order, and a page that was written to after a change of length without that.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::indexing_slicing,
    reason = "a wrong index fails a test; every test file uses a part of it"
)]

mod inode;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use store::calls::Call;

use inode::Inode;

/// Random numbers from a seed: splitmix64.
#[derive(Clone)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// One of `0..sides`.
    pub fn below(&mut self, sides: usize) -> usize {
        (self.roll() % sides.max(1) as u64) as usize
    }

    /// True once in `n` times.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub fn one_of<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())].clone()
    }
}

/// What of the unsynced survives a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Survives {
    /// Nothing.
    Nothing,
    /// All of it, as after `kill -9`.
    Everything,
    /// Some names, lengths and pages.
    SomePages,
    /// The same, and pages torn.
    SomeSectors,
}

/// Relative paths with contents, folders without, parents first.
pub type Image = BTreeMap<PathBuf, Option<Vec<u8>>>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Node {
    Dir,
    File(usize),
}

/// A name: what it led to when its folder was last synced, and all it has led to since.
#[derive(Default)]
struct Name {
    durable: Option<Node>,
    since: Vec<(u64, Option<Node>)>,
}

impl Name {
    fn live(&self) -> Option<Node> {
        self.since.last().map_or(self.durable, |(_, node)| *node)
    }
}

/// See the module. Paths are below `root`.
pub struct Disk {
    root: PathBuf,
    names: BTreeMap<PathBuf, Name>,
    inodes: Vec<Inode>,
    /// Counts changes.
    now: u64,
    /// Folders something was renamed in.
    renamed: Vec<PathBuf>,
    buffer: Vec<u8>,
}

impl Disk {
    /// The disk below `root`, all that is there durable.
    pub fn new(root: &Path) -> io::Result<Disk> {
        let mut disk = Disk {
            root: root.to_owned(),
            names: BTreeMap::new(),
            inodes: Vec::new(),
            now: 0,
            renamed: Vec::new(),
            buffer: Vec::new(),
        };
        disk.find(root)?;
        disk.make_durable(|_| true, |_| true);
        Ok(disk)
    }

    fn find(&mut self, dir: &Path) -> io::Result<()> {
        for entry in fs::read_dir(dir)? {
            let path = entry?.path();
            if path.is_dir() {
                self.set(&path, Some(Node::Dir));
                self.find(&path)?;
            } else {
                self.add_file(&path)?;
            }
        }
        Ok(())
    }

    /// Counts changes of what a crash can leave.
    pub fn now(&self) -> u64 {
        self.now
    }

    fn set(&mut self, path: &Path, node: Option<Node>) {
        let Ok(path) = path.strip_prefix(&self.root) else {
            return;
        };
        self.now += 1;
        let name = self.names.entry(path.to_owned()).or_default();
        name.since.push((self.now, node));
    }

    fn live(&self, path: &Path) -> Option<Node> {
        let path = path.strip_prefix(&self.root).ok()?;
        self.names.get(path)?.live()
    }

    fn add_file(&mut self, path: &Path) -> io::Result<()> {
        if self.live(path).is_none() {
            self.inodes.push(Inode::open(path)?);
            self.set(path, Some(Node::File(self.inodes.len() - 1)));
        }
        self.look_at(path)
    }

    /// Notes what has been written through mappings since the last look.
    pub fn look(&mut self) -> io::Result<()> {
        let live = self.names.values().filter_map(|name| match name.live()? {
            Node::File(inode) => Some(inode),
            Node::Dir => None,
        });
        for inode in live {
            let inode = &mut self.inodes[inode];
            if inode.mapped {
                inode.look(&mut self.now, &mut self.buffer)?;
            }
        }
        Ok(())
    }

    /// Notes what a call has done to a file.
    fn look_at(&mut self, path: &Path) -> io::Result<()> {
        let Some(Node::File(inode)) = self.live(path) else {
            return Ok(());
        };
        let inode = &mut self.inodes[inode];
        inode.look_at_length(&mut self.now)?;
        inode.look(&mut self.now, &mut self.buffer)
    }

    /// Notes what a call, which was made and went well, has changed.
    pub fn made(&mut self, call: &Call) -> io::Result<()> {
        match call {
            Call::MakeDir(path) => {
                let above = path.ancestors().collect::<Vec<_>>();
                for dir in above.into_iter().rev() {
                    if self.live(dir).is_none() && dir != self.root {
                        self.set(dir, Some(Node::Dir));
                    }
                }
            }
            Call::Create(path) => self.add_file(path)?,
            Call::RemoveDir(path) | Call::Remove(path) => self.set(path, None),
            Call::Link(from, to) => self.set(to, self.live(from)),
            Call::Rename(from, to) => {
                self.set(to, self.live(from));
                self.now -= 1; // both at once
                self.set(from, None);
                self.renamed.extend(to.parent().map(Path::to_owned));
            }
            Call::Sync { path, from, to } => {
                if let Some(Node::File(inode)) = self.live(path) {
                    self.now += 1;
                    self.inodes[inode].synced(*from as usize, (*to).min(1 << 40) as usize);
                }
            }
            Call::SyncDir(dir) => {
                self.now += 1;
                let dir = dir.strip_prefix(&self.root).unwrap_or(dir).to_owned();
                self.make_durable(|path| path.parent() == Some(&*dir), |_| false);
            }
            Call::SyncFileSystem(_) => {
                self.now += 1;
                self.make_durable(|_| true, |_| true);
            }
            Call::Resize(path) | Call::Allocate(path) | Call::Write(path) => self.look_at(path)?,
            Call::Open(_) | Call::Read(_) | Call::Map(_) => {}
        }
        Ok(())
    }

    fn make_durable(&mut self, names: impl Fn(&Path) -> bool, files: impl Fn(usize) -> bool) {
        for (path, name) in &mut self.names {
            if names(path) {
                name.durable = name.live();
                name.since.clear();
            }
        }
        for (number, inode) in self.inodes.iter_mut().enumerate() {
            if files(number) {
                inode.synced(0, usize::MAX);
            }
        }
        self.names
            .retain(|_, name| name.durable.is_some() || !name.since.is_empty());
    }

    /// What a crash now would leave.
    pub fn crash(&self, survives: Survives, dice: &mut Dice) -> Image {
        let mut image = Image::new();
        let mut cuts: BTreeMap<&Path, u64> = BTreeMap::new();
        for (path, name) in &self.names {
            let parent = path.parent().unwrap_or(Path::new(""));
            if !parent.as_os_str().is_empty() && image.get(parent) != Some(&None) {
                continue;
            }
            let in_order = self
                .renamed
                .iter()
                .any(|dir| *dir == self.root.join(parent));
            let count = match survives {
                Survives::Nothing => 0,
                Survives::Everything => name.since.len(),
                _ if in_order => {
                    let cut = cuts
                        .entry(parent)
                        .or_insert_with(|| dice.roll() % (self.now + 1));
                    name.since.iter().take_while(|(at, _)| at <= cut).count()
                }
                _ => dice.below(name.since.len() + 1),
            };
            let last = count.checked_sub(1).and_then(|last| name.since.get(last));
            match last.map_or(name.durable, |(_, node)| *node) {
                None => {}
                Some(Node::Dir) => drop(image.insert(path.clone(), None)),
                Some(Node::File(inode)) => {
                    let bytes = self.inodes[inode].crash(survives, dice);
                    image.insert(path.clone(), Some(bytes));
                }
            }
        }
        image
    }
}

/// Puts an image down as the content of a folder, in place of all that is there.
pub fn put_down(image: &Image, root: &Path) -> io::Result<()> {
    if root.exists() {
        fs::remove_dir_all(root)?;
    }
    fs::create_dir_all(root)?;
    for (path, content) in image {
        let path = root.join(path);
        match content {
            None => fs::create_dir(&path)?,
            Some(bytes) => {
                let file = File::create(&path)?;
                file.set_len(bytes.len() as u64)?;
                let written = bytes
                    .iter()
                    .rposition(|byte| *byte != 0)
                    .map_or(0, |last| last + 1);
                file.write_all_at(&bytes[..written], 0)?;
            }
        }
    }
    Ok(())
}
