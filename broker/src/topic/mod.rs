//! Topics of this broker: `config/topics.json`, the ones Java makes at the start, the rules by which a send makes one.

mod create;
pub mod name;
mod system;
mod table;

use std::fmt;

use remoting::body::topic_config::TopicConfig;

pub use create::{Found, TopicWish};
pub use table::{TopicRefused, TopicTable};

/// Permission bits of a topic. Java 4.7.0 `common/constant/PermName.java`.
pub mod perm {
    /// Readable.
    pub const READ: i32 = 4;
    /// Writable.
    pub const WRITE: i32 = 2;
    /// A template: topics may be made after it.
    pub const INHERIT: i32 = 1;

    /// Whether all bits of `wanted` are in `perm`.
    #[must_use]
    pub const fn has(perm: i32, wanted: i32) -> bool {
        perm & wanted == wanted
    }
}

/// A topic as Java's `TopicConfig.toString` writes it; it stands in remarks that reach clients.
pub struct Described<'a>(pub &'a TopicConfig);

impl fmt::Display for Described<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TopicConfig {
            order,
            perm,
            read_queue_nums,
            topic_filter_type,
            topic_name,
            topic_sys_flag,
            write_queue_nums,
        } = self.0;
        let letter = |bit, letter| if perm::has(*perm, bit) { letter } else { '-' };
        let (read, write, inherit) = (
            letter(perm::READ, 'R'),
            letter(perm::WRITE, 'W'),
            letter(perm::INHERIT, 'X'),
        );
        write!(
            f,
            "TopicConfig [topicName={topic_name}, readQueueNums={read_queue_nums}, \
             writeQueueNums={write_queue_nums}, perm={read}{write}{inherit}, topicFilterType={}, \
             topicSysFlag={topic_sys_flag}, order={order}]",
            topic_filter_type.name()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_described_as_java_does() {
        let topic = TopicConfig::new("T", 8, 4, perm::READ | perm::INHERIT);
        assert_eq!(
            Described(&topic).to_string(),
            "TopicConfig [topicName=T, readQueueNums=8, writeQueueNums=4, perm=R-X, \
             topicFilterType=SINGLE_TAG, topicSysFlag=0, order=false]"
        );
    }
}
