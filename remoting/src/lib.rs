//! RocketMQ's remoting protocol: what travels between clients, brokers and name servers.
//!
//! ```text
//! socket → frame → command → service → reply
//! ```
//!
//! Bytes come first (`frame`, `header_json`, `header_binary`, `ext_fields`), then what they mean (`code`, `header`,
//! `body`), sockets last (`connection`, `server`, `client`). Nothing here knows a topic or a file.

pub mod body;
mod bounds;
pub mod client;
pub mod code;
pub mod command;
pub mod connection;
pub mod ext_fields;
pub mod frame;
pub mod header;
mod header_binary;
mod header_json;
mod held;
pub mod java;
mod json_cursor;
pub mod outbound;
mod peer;
pub mod process;
pub mod properties;
pub mod router;
pub mod server;
mod text;
mod ticket;
mod turn;

pub use bounds::Bounds;
pub use client::{Client, ClientConfig};
pub use command::{Body, Command, HeaderForm};
pub use connection::{CallError, Peer};
pub use ext_fields::ExtFields;
pub use router::{Answer, Held, Refusal, Service};
pub use server::{Reserved, Server, ServerConfig};
