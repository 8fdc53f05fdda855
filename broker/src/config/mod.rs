//! What a broker is told: Java's `.properties` files and command line, read as Java reads them.
//!
//! ```text
//! defaults ← environment ← -c FILE ← -n ADDR      load     values, and notices about what was not used
//!        → roles and addresses checked            settle   the two cases in which Java refuses to start
//! ```
//!
//! The rule that is easy to break: a key never stops the start. A value that cannot be read keeps the default, a key
//! nobody knows is skipped; both end up in a WARN, since Java's silence there has cost people their settings.
//! Java 4.7.0 `broker/BrokerStartup.java`, `common/MixAll.java`.

mod accepted;
mod broker;
mod environment;
mod keys;
mod load;
mod notice;
mod settle;
#[cfg(test)]
mod shipped;
mod sockets;
mod value;

pub use accepted::Accepted;
pub use broker::BrokerConfig;
pub use environment::Environment;
pub use keys::print;
pub use load::{LoadError, Loaded, load};
pub use notice::{Notice, Source};
pub use settle::{Refused, settle};
pub use sockets::{ClientSettings, ServerSettings};
pub use value::Problem;
