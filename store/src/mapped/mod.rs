//! The layer under everything: files made, mapped, written, synced, cut and removed.
//!
//! ```text
//!   FileQueue ── a run of files by offset ── Allocator makes the next one early, Toucher its pages
//!       │
//!   MappedFile (append-only, read below `published`)      Words (random access, atomic)
//!       └──────────────── Mapping ───────────────────────────┘
//!                            │
//!                          disk: fallocate, zeros ahead, msync, remove, fsync of folders ─► calls: who watches
//! ```
//!
//! The rule that is easy to break: the room of every byte is taken from the disk before it is written
//! through a mapping, or a full disk kills the process with SIGBUS. And no `&[u8]` ever covers bytes that may
//! still be written. All `unsafe` of the crate is here.

pub(crate) mod allocate;
pub(crate) mod disk;
pub(crate) mod file;
mod mapping;
pub(crate) mod queue;
pub(crate) mod touch;
mod warm;
pub(crate) mod words;
