//! The header of an index file, beside its own entries and the file before it.

use crate::index::IndexFile;

/// Byte in the file, and what is wrong there.
pub(crate) type Flaw = (u64, String);

/// What is wrong with the header of `file`, which follows one that ends with the message at `before`.
pub(crate) fn flaws(file: &IndexFile, slots: u32, is_last: bool, before: u64) -> Vec<Flaw> {
    let (header, mut flaws) = (&file.header, Vec::new());
    let (entries, room) = (file.next() - 1, file.room(slots).saturating_sub(1));
    let (begin, end) = (header.begin_log_offset, header.end_log_offset);
    if u64::from(entries) > room {
        flaws.push((
            36,
            format!("counts {entries} entries, there is room for {room}"),
        ));
    }
    if entries == 0 {
        if !is_last {
            flaws.push((36, "counts no entries, and is not the last file".to_owned()));
        }
        return flaws;
    }
    if end < begin {
        flaws.push((16, format!("begins at {begin} and ends at {end}")));
    } else if begin < before {
        flaws.push((
            16,
            format!("begins at {begin}, the file before it ends at {before}"),
        ));
    }
    if header.puts > header.next_entry {
        flaws.push((
            32,
            format!("counts {} puts and {entries} entries", header.puts),
        ));
    }
    let offset = |number| {
        file.entry(slots, number)
            .map_or(0, |entry| entry.log_offset)
    };
    if offset(1) != begin {
        flaws.push((
            16,
            format!("begins at {begin}, its first entry is of {}", offset(1)),
        ));
    }
    if u64::from(entries) <= room && offset(entries) != end {
        flaws.push((
            24,
            format!("ends at {end}, its last entry is of {}", offset(entries)),
        ));
    }
    flaws
}
