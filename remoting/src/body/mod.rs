//! JSON bodies: what stands behind the header of registrations, routes, heartbeats and tables.
//!
//! Plain data with Java's names. Read with [`crate::java::json::read`], written with `write`; some are also
//! files under `config/`. Three rules for a struct here:
//!
//! - fields stand in the alphabetical order of their Java names, since fastjson writes them so;
//! - `#[serde(default)]` on every struct, with the values that Java's fields start with: what an older or
//!   newer peer leaves out must not matter, and what it adds is passed over;
//! - no field is refused for being `null`: that counts as left out.
//!
//! Java 4.7.0 `common/protocol/{body,heartbeat,route}`, `common/TopicConfig.java`, `common/DataVersion.java`.

pub mod batch;
pub mod client;
pub mod connections;
mod data_version;
pub mod groups;
pub mod heartbeat;
pub mod lock;
mod message_queue;
pub mod offsets;
pub mod register;
pub mod route;
pub mod seek;
pub mod stats;
pub mod topic_config;
pub mod topics;

pub use data_version::DataVersion;
pub use message_queue::MessageQueue;

/// A Java enum: written by name; a name we do not know is read as the first constant, where Java has `null`.
macro_rules! named {
    ($(#[$doc:meta])* pub enum $type:ident { $(#[$first_doc:meta])* $first:ident = $first_name:literal,
        $($(#[$variant_doc:meta])* $variant:ident = $name:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize)]
        pub enum $type {
            $(#[$first_doc])*
            #[default]
            #[serde(rename = $first_name)]
            $first,
            $($(#[$variant_doc])* #[serde(rename = $name)] $variant,)*
        }

        impl $type {
            /// Java's name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    Self::$first => $first_name,
                    $(Self::$variant => $name,)*
                }
            }

            /// The constant of that name, if Java has it.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $first_name => Some(Self::$first),
                    $($name => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let name = <String as serde::Deserialize>::deserialize(from)?;
                Ok(Self::from_name(&name).unwrap_or_default())
            }
        }
    };
}
use named;

/// Milliseconds since 1970, what Java's clock counts in; 0 on a clock before that.
pub(crate) fn now_ms() -> i64 {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Holds a type against text that Java printed: read, compared, written again byte for byte.
#[cfg(test)]
pub(crate) fn assert_java<T>(value: &T, java: &str)
where
    T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug,
{
    use crate::java::json::{read, write};
    assert_eq!(&read::<T>(java.as_bytes()).expect("Java wrote it"), value);
    assert_eq!(String::from_utf8(write(value)).expect("text"), java);
    for cut in 0..java.len() {
        assert!(
            read::<T>(&java.as_bytes()[..cut]).is_err(),
            "accepted a body cut at byte {cut}"
        );
    }
}

/// The same for the pretty form of a file.
#[cfg(test)]
pub(crate) fn assert_java_file<T>(value: &T, java: &str)
where
    T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug,
{
    use crate::java::json::{read, write_pretty};
    assert_eq!(&read::<T>(java.as_bytes()).expect("Java wrote it"), value);
    assert_eq!(String::from_utf8(write_pretty(value)).expect("text"), java);
}
