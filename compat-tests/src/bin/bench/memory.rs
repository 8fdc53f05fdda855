//! Memory that the host has really given to this machine.
//!
//! The kernel of a virtual machine may hand memory that nobody uses back to the host ("free page reporting"). Whoever then
//! writes to such a page first waits until the host has found and cleared one, 4 to 9 µs here, where one that was in use before
//! costs 0.5 µs. A broker whose memory is full of its log, as after hours of work, meets the latter only; one on a machine where
//! stores were just deleted meets the former with every page of its log, and is measured by that. So each case begins with
//! free memory that was written to. What is not free stays as it is: nobody's files leave the cache.

use std::fs;
use std::hint::black_box;

/// Of what is free some is left alone, or the kernel would begin to look for more.
const LEFT_KIB: u64 = 1024 * 1024;

/// Has the host back up to `gib` GiB of what is free.
pub(crate) fn back(gib: u32) {
    let info = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let free_kib = info.lines().find_map(|line| {
        let words = line.strip_prefix("MemFree:")?;
        words.split_whitespace().next()?.parse::<u64>().ok()
    });
    let free_kib = free_kib.unwrap_or(0).saturating_sub(LEFT_KIB);
    let kib = free_kib.min(u64::from(gib) * 1024 * 1024);
    black_box(vec![1_u8; kib as usize * 1024]);
}
