//! Where the fields of a record lie.
//!
//! | bytes    | name                          | meaning                                              |
//! |----------|-------------------------------|------------------------------------------------------|
//! | 0..4     | `record_bytes`                | the whole record                                     |
//! | 4..8     | magic                         | `0xDAA320A7`, or `0xCBD43194` for the filler          |
//! | 8..12    | `body_crc`                    | zlib CRC-32 of the body, top bit cleared              |
//! | 12..16   | `queue_id`                    |                                                      |
//! | 16..20   | `flag`                        | the sender's, opaque                                 |
//! | 20..28   | `queue_offset`                | entry in the queue; 0 for prepared and rollback      |
//! | 28..36   | `log_offset`                  | its own place in the log                             |
//! | 36..40   | `sys_flag`                    | see the constants                                    |
//! | 40..48   | `born_timestamp_ms`           |                                                      |
//! | 48..     | born host, 8 or 20            | address, then the port as 4 bytes                    |
//! | then     | `store_timestamp_ms`, 8       |                                                      |
//! | then     | store host, 8 or 20           |                                                      |
//! | then     | `reconsume_times`, 4          |                                                      |
//! | then     | `prepared_transaction_offset`, 8 |                                                   |
//! | then     | body: length 4, bytes         |                                                      |
//! | then     | topic: length 1, bytes        | at most 127                                          |
//! | then     | properties: length 2, bytes   | at most 32,767                                       |
//!
//! Big-endian. The rule that is easy to break: bits 4 and 5 of `sys_flag` say how long the hosts are,
//! so they must be set from the addresses that are written, whatever the sender set.
//! Java 4.7.0 `store/CommitLog.java`: `calMsgLength`, `doAppend`; `MessageSysFlag.java`.

/// Marks a message.
pub const MESSAGE_MAGIC: u32 = 0xDAA3_20A7;
/// Marks the filler behind the last message of a file.
pub(crate) const BLANK_MAGIC: u32 = 0xCBD4_3194;
/// Length and magic of a filler: as much is always left at the end of a file.
pub const BLANK_BYTES: u64 = 8;

pub(crate) const QUEUE_OFFSET_AT: usize = 20;
pub(crate) const LOG_OFFSET_AT: usize = 28;
pub(crate) const SYS_FLAG_AT: usize = 36;
pub(crate) const BORN_HOST_AT: usize = 48;

/// A record without body, topic, properties and hosts.
pub(crate) const FIXED_BYTES: usize = 75;
pub(crate) const V4_HOST_BYTES: usize = 8;
pub(crate) const V6_HOST_BYTES: usize = 20;

pub(crate) const MAX_TOPIC_BYTES: usize = 127;
pub(crate) const MAX_PROPERTIES_BYTES: usize = 32_767;

/// `sys_flag`: which of the four transaction kinds.
pub(crate) const TRANSACTION_MASK: i32 = 0xC;
/// A half message: no queue entry.
pub(crate) const TRANSACTION_PREPARED: i32 = 0x4;
/// A message rolled back: no queue entry, not in the index.
pub(crate) const TRANSACTION_ROLLBACK: i32 = 0xC;
/// `sys_flag`: the born host is an IPv6 address.
pub(crate) const BORN_HOST_V6: i32 = 0x10;
/// `sys_flag`: the store host is an IPv6 address.
pub(crate) const STORE_HOST_V6: i32 = 0x20;

/// Whether a message of this `sys_flag` is part of a transaction.
pub(crate) fn is_transactional(sys_flag: i32) -> bool {
    sys_flag & TRANSACTION_MASK != 0
}

/// Whether a message of this `sys_flag` has an entry in its queue.
#[must_use]
pub fn has_queue_entry(sys_flag: i32) -> bool {
    !matches!(
        sys_flag & TRANSACTION_MASK,
        TRANSACTION_PREPARED | TRANSACTION_ROLLBACK
    )
}

pub(crate) fn born_host_bytes(sys_flag: i32) -> usize {
    if sys_flag & BORN_HOST_V6 == 0 {
        V4_HOST_BYTES
    } else {
        V6_HOST_BYTES
    }
}

pub(crate) fn store_host_bytes(sys_flag: i32) -> usize {
    if sys_flag & STORE_HOST_V6 == 0 {
        V4_HOST_BYTES
    } else {
        V6_HOST_BYTES
    }
}

/// Where the store timestamp lies.
pub(crate) fn store_timestamp_at(sys_flag: i32) -> usize {
    BORN_HOST_AT + born_host_bytes(sys_flag)
}

/// The CRC as it is stored.
pub(crate) fn body_crc(body: &[u8]) -> u32 {
    crc32fast::hash(body) & 0x7FFF_FFFF
}
