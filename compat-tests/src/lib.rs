//! Proof that unchanged Java clients work with our servers, with Java's own servers as the control.
//!
//! ```text
//! tests/send_consume.rs ── run ──┬── cluster ── servers ── process     our binaries or Java's, on free ports
//!                                ├── client ─── java ───── process     one JVM a client version, driven by lines
//!                                └── board ──── gaps, observations, report
//! tests/in_place ─ chain ── cluster (above), and one JVM of java/swap   a store handed from broker to broker
//! ```
//!
//! A scenario is Java code (`java/scenarios`), named in [`scenarios`]; each runs with every client version against
//! every kind of server. A scenario that Java's own servers fail is wrong.

pub mod batches;
pub mod board;
pub mod client;
pub mod cluster;
pub mod gaps;
pub mod java;
pub mod logs;
pub mod observations;
pub mod orphans;
pub mod ports;
pub mod process;
pub mod report;
pub mod run;
pub mod scenarios;
mod seat;
pub mod servers;
pub mod trouble;
