//! What the files hold, for programs that read a store which nobody has open: the layouts, decoded from bytes.
//!
//! Nothing here opens, makes or changes a file, but for [`ReadLock`], which keeps brokers away meanwhile. Bytes are
//! never trusted: what is not there is `None` or an error. The layouts are described where they are written.

pub use crate::checkpoint::Settled;
pub use crate::consume_queue::unit::{ENTRY_BYTES, Entry};
pub use crate::index::{INDEX_ENTRY_BYTES, INDEX_HEADER_BYTES, IndexEntry, IndexHeader, hashes};
pub use crate::lock::ReadLock;
pub use crate::record::decode::{Frame, Handles, frame, properties};
pub use crate::record::layout::{BLANK_BYTES, MESSAGE_MAGIC, has_queue_entry};
