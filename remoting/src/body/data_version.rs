//! DataVersion: tells two states of a table apart without comparing the tables.
//!
//! Every change of the table gives a new one; a peer that has the same one has the same table.
//!
//! Java 4.7.0 `common/DataVersion.java`.

use serde::{Deserialize, Serialize};

use super::now_ms;

/// The state of a table: equal versions, equal tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct DataVersion {
    /// Changes so far.
    pub counter: i64,
    /// Time of the last change, ms since 1970.
    pub timestamp: i64,
}

impl DataVersion {
    /// What a name server gives a broker older than V3_0_11, which sends none.
    pub const NONE: DataVersion = DataVersion {
        counter: 0,
        timestamp: 0,
    };

    /// The table has changed.
    pub fn next_version(&mut self) {
        self.timestamp = now_ms();
        self.counter = self.counter.wrapping_add(1);
    }
}

impl Default for DataVersion {
    /// Of a table made just now. Where a body lacks its version this is as good as "changed", as in Java.
    fn default() -> Self {
        DataVersion {
            counter: 0,
            timestamp: now_ms(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::assert_java;
    use super::*;
    use crate::java::json::read;

    #[test]
    fn javas_version_survives() {
        let version = DataVersion {
            counter: 7,
            timestamp: 1_700_000_000_000,
        };
        assert_java(&version, r#"{"counter":7,"timestamp":1700000000000}"#);
    }

    #[test]
    fn a_version_of_5_x_is_read_and_a_missing_time_is_now() {
        let version = read::<DataVersion>(br#"{"counter":7,"stateVersion":3,"timestamp":9}"#);
        assert_eq!(
            version,
            Ok(DataVersion {
                counter: 7,
                timestamp: 9
            })
        );
        assert!(read::<DataVersion>(b"{}").unwrap().timestamp > 1_600_000_000_000);
    }

    #[test]
    fn a_change_gives_another_version() {
        let mut version = DataVersion::NONE;
        version.next_version();
        assert_eq!(version.counter, 1);
        assert_ne!(version, DataVersion::NONE);
    }
}
