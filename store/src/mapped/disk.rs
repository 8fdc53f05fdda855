//! What the file system is asked to do, besides mapping.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::SystemTime;

use rustix::fs::{FallocateFlags, SeekFrom, fallocate, seek};
use rustix::io::Errno;

use durable::calls::{Call, watched};

/// Linux page, which is also the unit of Java's "least pages" keys.
pub(crate) const PAGE_BYTES: u64 = 4096;

/// Makes a file of `bytes`, zero throughout, with all its room taken from the disk and its length on
/// disk: the caller syncs its name next, and a name without a length would be a file that is too short.
/// An unfinished file is removed again.
pub(super) fn create(path: &Path, bytes: u64) -> io::Result<File> {
    create_with(path, |file| {
        allocate(file, path, 0, bytes, true)?;
        sync_all(file, path)
    })
}

/// Makes a file of `bytes`, zero throughout, which takes no room yet.
pub(super) fn create_sparse(path: &Path, bytes: u64) -> io::Result<File> {
    create_with(path, |file| resize(file, path, bytes))
}

fn create_with(path: &Path, finish: impl FnOnce(&File) -> io::Result<()>) -> io::Result<File> {
    if let Some(dir) = path.parent() {
        make_dir_unsynced(dir)?;
    }
    let make = || {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        watched(|| Call::Create(path.into()), || options.open(path))
    };
    let file = match make() {
        // Left over by an attempt that could not be undone.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && remove_unfinished(path)? => {
            make()?
        }
        made => made?,
    };
    if let Err(error) = finish(&file) {
        drop(file);
        let _ = remove(path);
        return Err(error);
    }
    Ok(file)
}

/// Opens a file that is there, for reading and writing.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    watched(|| Call::Open(path.into()), || options.open(path))
}

/// Gives a file another length; what is new of it is zero and takes no room.
pub(crate) fn resize(file: &File, path: &Path, bytes: u64) -> io::Result<()> {
    watched(|| Call::Resize(path.into()), || file.set_len(bytes))
}

/// Removes a file that nothing was ever written to: the process ended while it was being made.
/// False if there is something in it.
pub(crate) fn remove_unfinished(path: &Path) -> io::Result<bool> {
    let untouched = is_zero(&open(path)?)?;
    if untouched {
        remove(path)?;
    }
    Ok(untouched)
}

/// Where the last bytes of a file end that were ever written, if any were from `at` on: what lies behind
/// is a hole, or room that was taken and not used, and reads as zero. A file system that cannot tell
/// says the end of the file. Reads nothing.
pub(crate) fn data_end(file: &File, mut at: u64) -> Option<u64> {
    let mut end = None;
    loop {
        let data = match seek(file, SeekFrom::Data(at)) {
            Ok(data) => data,
            Err(Errno::NXIO) => return end,
            Err(_) => return file.metadata().map(|meta| meta.len()).ok(),
        };
        at = seek(file, SeekFrom::Hole(data)).ok()?;
        end = Some(at);
    }
}

/// Whether there is nothing in a file. Reads what was written to it, up to the first byte that is not zero; on a file
/// system that cannot tell, all of it.
pub(super) fn is_zero(file: &File) -> io::Result<bool> {
    let (mut at, mut bytes) = (0, [0; 64 * 1024]);
    loop {
        match seek(file, SeekFrom::Data(at)) {
            Ok(data) => at = data,
            Err(Errno::NXIO) => return Ok(true),
            Err(_) => {}
        }
        let read = file.read_at(&mut bytes, at)?;
        if bytes.iter().take(read).any(|byte| *byte != 0) {
            return Ok(false);
        }
        if read == 0 {
            return Ok(true);
        }
        at += read as u64;
    }
}

/// Takes the room for `[from, to)` from the disk; bytes that are there stay. A file system that
/// cannot (`EOPNOTSUPP`) gets zeros written into a `fresh` file and is taken at its word for others.
pub(super) fn allocate(
    file: &File,
    path: &Path,
    from: u64,
    to: u64,
    fresh: bool,
) -> io::Result<()> {
    if from >= to {
        return Ok(());
    }
    let run = || match fallocate(file, FallocateFlags::empty(), from, to - from) {
        Ok(()) => Ok(()),
        Err(Errno::OPNOTSUPP | Errno::NOSYS) if fresh => write_zeros(file, from, to),
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
        Err(errno) => Err(errno.into()),
    };
    watched(|| Call::Allocate(path.into()), run)
}

/// Makes `[from, to)` zero, giving no room back. Costs little where nothing was ever written.
pub(crate) fn zero(file: &File, path: &Path, from: u64, to: u64) -> io::Result<()> {
    watched(|| Call::Allocate(path.into()), || zero_part(file, from, to))
}

/// Makes `[from, to)` zero and gives its room back. A file system that cannot do that has zeros written.
pub(crate) fn punch(file: &File, path: &Path, from: u64, to: u64) -> io::Result<()> {
    let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    let run = || match fallocate(file, hole, from, to - from) {
        Ok(()) => Ok(()),
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => write_zeros(file, from, to),
        Err(errno) => Err(errno.into()),
    };
    watched(|| Call::Allocate(path.into()), run)
}

/// Writes zeros over `[from, to)` of a file.
pub(super) fn put_zeros(file: &File, path: &Path, from: u64, to: u64) -> io::Result<()> {
    watched(|| Call::Write(path.into()), || write_zeros(file, from, to))
}

fn zero_part(file: &File, from: u64, to: u64) -> io::Result<()> {
    let page_end = from.next_multiple_of(PAGE_BYTES).min(to);
    let mut page = vec![0; (page_end - from) as usize];
    file.read_exact_at(&mut page, from)?;
    if page.iter().any(|byte| *byte != 0) {
        write_zeros(file, from, page_end)?;
    }
    let beyond = match seek(file, SeekFrom::Data(page_end)) {
        Ok(data) if data < to => data,
        Ok(_) | Err(Errno::NXIO) => return Ok(()),
        Err(_) => page_end, // cannot tell holes from data
    };
    match fallocate(file, FallocateFlags::ZERO_RANGE, beyond, to - beyond) {
        Ok(()) => Ok(()),
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => write_zeros(file, beyond, to),
        Err(errno) => Err(errno.into()),
    }
}

fn write_zeros(file: &File, from: u64, to: u64) -> io::Result<()> {
    let zeros = [0; 64 * 1024];
    let mut at = from;
    while at < to {
        let count = (to - at).min(zeros.len() as u64);
        file.write_all_at(zeros.get(..count as usize).unwrap_or(&zeros), at)?;
        at += count;
    }
    Ok(())
}

/// Writes everything of the file system that `dir` is in to disk. Blocks.
///
/// # Errors
/// Also when a write since `dir` was opened went wrong; Linux before 5.8 does not tell.
pub(crate) fn sync_file_system(dir: &File, path: &Path) -> io::Result<()> {
    let run = || rustix::fs::syncfs(dir).map_err(io::Error::from);
    watched(|| Call::SyncFileSystem(path.into()), run)
}

/// Makes a folder and those above it, as far as they are missing, in the page cache.
pub(crate) fn make_dir_unsynced(dir: &Path) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    watched(|| Call::MakeDir(dir.into()), || fs::create_dir_all(dir))
}

/// Says when a file was last written to.
pub(super) fn set_modified(path: &Path, when: SystemTime) -> io::Result<()> {
    open(path)?.set_modified(when)
}

/// The used part of the disk that `dir` is on, 0 to 1; `None` where there is none.
/// Java 4.7.0 `UtilAll.getDiskPartitionSpaceUsedPercent`.
#[must_use]
pub fn used_ratio(dir: &Path) -> Option<f64> {
    let disk = rustix::fs::statvfs(dir).ok()?;
    let used = disk.f_blocks.saturating_sub(disk.f_bfree);
    (disk.f_blocks > 0).then(|| used as f64 / disk.f_blocks as f64)
}

/// Removes a file; that it is already gone is fine.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match watched(|| Call::Remove(path.into()), || fs::remove_file(path)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Makes a small marker file with `content` on disk, name and all. An existing one is kept.
pub(crate) fn put_marker(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    let mut file = watched(|| Call::Create(path.into()), || options.open(path))?;
    watched(|| Call::Write(path.into()), || file.write_all(content))?;
    sync_all(&file, path)?;
    path.parent().map_or(Ok(()), durable::sync_dir)
}

/// Gives a file another name, in place of the file that has it.
pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    let run = || fs::rename(from, to);
    watched(|| Call::Rename(from.into(), to.into()), run)
}

/// Removes a folder if it is empty.
pub(crate) fn remove_dir(dir: &Path) -> io::Result<()> {
    watched(|| Call::RemoveDir(dir.into()), || fs::remove_dir(dir))
}

/// Writes a file to disk. Blocks.
pub(crate) fn sync_all(file: &File, path: &Path) -> io::Result<()> {
    watched(|| Call::sync_all(path), || file.sync_all())
}

/// Writes a file to disk, without what is not needed to read it. Blocks.
pub(super) fn sync_data(file: &File, path: &Path) -> io::Result<()> {
    watched(|| Call::sync_all(path), || file.sync_data())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn a_new_file_has_its_room_on_disk() {
        let dir = tempfile::tempdir().expect("folder");
        let file = create(&dir.path().join("a/b"), 1 << 20).expect("made");
        let meta = file.metadata().expect("metadata");
        assert_eq!(meta.len(), 1 << 20);
        assert!(
            meta.blocks() * 512 >= 1 << 20,
            "sparse: a full disk would be a SIGBUS"
        );
    }

    #[test]
    fn a_file_that_cannot_be_made_leaves_nothing() {
        let dir = tempfile::tempdir().expect("folder");
        let path = dir.path().join("huge");
        assert!(create(&path, i64::MAX as u64 - 1).is_err());
        assert!(!path.exists());
    }

    #[test]
    fn room_that_was_never_written_is_behind_the_end_of_the_data() {
        let dir = tempfile::tempdir().expect("folder");
        let file = create(&dir.path().join("f"), 1 << 20).expect("made");
        assert_eq!(data_end(&file, 0), None);
        for at in [50, 40_000] {
            file.write_all_at(&[7; 100], at).expect("written");
            let end = at + 100;
            for from in [0, at, at + 99] {
                let found = data_end(&file, from).expect("data");
                assert!(
                    (end..end + PAGE_BYTES).contains(&found),
                    "{found} from {from}"
                );
            }
        }
        assert_eq!(data_end(&file, 100_000), None);
    }

    #[test]
    fn zeroing_wipes_what_lies_behind_holes() {
        let dir = tempfile::tempdir().expect("folder");
        let file = create(&dir.path().join("f"), 64 * 1024).expect("made");
        file.write_all_at(&[7; 100], 50).expect("written");
        file.write_all_at(&[7; 100], 40_000).expect("written");
        zero(&file, Path::new("f"), 60, 64 * 1024).expect("zeroed");
        let mut all = vec![1; 64 * 1024];
        file.read_exact_at(&mut all, 0).expect("read");
        assert_eq!(all[50..60], [7; 10]);
        assert!(all[60..].iter().all(|byte| *byte == 0));
        assert_eq!(file.metadata().expect("metadata").len(), 64 * 1024);
    }
}
