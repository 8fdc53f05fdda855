//! Frames that Java 4.7.0 wrote: read as Java reads them, written again to the same bytes, and never trusted.
//!
//! | module    | what is held against Java                                          |
//! |-----------|--------------------------------------------------------------------|
//! | `bytes`   | whole frames: decoded facts, encoded bytes, cuts and flipped bytes |
//! | `headers` | typed headers: every field that Java sent is kept                  |
//! | `bodies`  | JSON bodies, batches, and the same JSON on disk                    |
//!
//! Every frame is there in both header forms. The order of ext fields is Java's HashMap's; it is kept when a frame that
//! was read is written again, so that whole frames can be compared.

mod bodies;
mod bytes;
mod frames;
#[path = "../golden/mod.rs"]
mod golden;
mod headers;
