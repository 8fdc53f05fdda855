//! Stores that Java 4.7.0 left behind: opened as they are, read as Java reads them, written further, written alike.
//!
//! | module    | what is held against Java                                                          |
//! |-----------|------------------------------------------------------------------------------------|
//! | `reading` | every message of `clean/` by offset, queue, time and key; opening changes no byte   |
//! | `writing` | appended to and reopened; the same messages put into an empty store, byte by byte   |
//! | `killed`  | `killed/`, whose last owner got SIGKILL                                             |
//! | `records` | single records, and those in recorded replies                                      |
//! | `ext`     | `ext/`: the extension of queues, and the bits of filters in it                      |

mod ext;
#[path = "../golden/mod.rs"]
mod golden;
mod killed;
mod opened;
mod reading;
mod records;
mod writing;
