//! What the file system is asked to do, besides mapping.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::SystemTime;

use rustix::fs::{FallocateFlags, SeekFrom, fallocate, seek};
use rustix::io::Errno;

/// Linux page, which is also the unit of Java's "least pages" keys.
pub(crate) const PAGE_BYTES: u64 = 4096;

/// Makes a file of `bytes`, zero throughout, with all its room taken from the disk. An unfinished
/// file is removed again.
pub(super) fn create(path: &Path, bytes: u64) -> io::Result<File> {
    create_with(path, |file| allocate(file, 0, bytes, true))
}

/// Makes a file of `bytes`, zero throughout, which takes no room yet.
pub(super) fn create_sparse(path: &Path, bytes: u64) -> io::Result<File> {
    create_with(path, |file| file.set_len(bytes))
}

fn create_with(path: &Path, finish: impl FnOnce(&File) -> io::Result<()>) -> io::Result<File> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    let make = || {
        OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(path)
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
        let _ = fs::remove_file(path);
        return Err(error);
    }
    Ok(file)
}

/// Opens a file that is there, for reading and writing.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open(path)
}

/// Removes a file that nothing was ever written to: the process ended while it was being made.
/// False if there is something in it.
pub(crate) fn remove_unfinished(path: &Path) -> io::Result<bool> {
    let file = open(path)?;
    let untouched = match seek(&file, SeekFrom::Data(0)) {
        Err(Errno::NXIO) => true,
        // A file system that cannot tell, or one that had the zeros written.
        _ => is_zero(&file)?,
    };
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

fn is_zero(file: &File) -> io::Result<bool> {
    let (mut at, mut bytes) = (0, [0; 64 * 1024]);
    loop {
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
pub(super) fn allocate(file: &File, from: u64, to: u64, fresh: bool) -> io::Result<()> {
    if from >= to {
        return Ok(());
    }
    match fallocate(file, FallocateFlags::empty(), from, to - from) {
        Ok(()) => Ok(()),
        Err(Errno::OPNOTSUPP | Errno::NOSYS) if fresh => write_zeros(file, from, to),
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// Makes `[from, to)` zero, giving no room back. Costs little where nothing was ever written.
pub(super) fn zero(file: &File, from: u64, to: u64) -> io::Result<()> {
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

/// Writes the names in a folder to disk: a new file survives a power cut only after this.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Writes everything of the file system that `dir` is in to disk. Blocks.
///
/// # Errors
/// Also when a write since `dir` was opened went wrong; Linux before 5.8 does not tell.
pub(crate) fn sync_file_system(dir: &File) -> io::Result<()> {
    rustix::fs::syncfs(dir).map_err(io::Error::from)
}

/// Makes a folder and those above it, as far as they are missing, their names on disk too.
pub(crate) fn make_dir(dir: &Path) -> io::Result<()> {
    if dir.is_dir() || dir.as_os_str().is_empty() {
        return Ok(());
    }
    let parent = dir.parent().unwrap_or(Path::new("/"));
    make_dir(parent)?;
    match fs::create_dir(dir) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    sync_dir(if parent.as_os_str().is_empty() {
        Path::new(".")
    } else {
        parent
    })
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
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Makes a small marker file with `content` on disk, name and all. An existing one is kept.
pub(crate) fn put_marker(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)?;
    file.write_all(content)?;
    file.sync_all()?;
    path.parent().map_or(Ok(()), sync_dir)
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
        zero(&file, 60, 64 * 1024).expect("zeroed");
        let mut all = vec![1; 64 * 1024];
        file.read_exact_at(&mut all, 0).expect("read");
        assert_eq!(all[50..60], [7; 10]);
        assert!(all[60..].iter().all(|byte| *byte == 0));
        assert_eq!(file.metadata().expect("metadata").len(), 64 * 1024);
    }
}
