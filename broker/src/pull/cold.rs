//! Messages that are no longer in memory.
//!
//! A reply is slices of the mapped log. Written to a socket as they are, missing pages would be read from the disk by the
//! thread that serves the connections, and all of them would wait. So a thread that may block touches them first.

use std::hint::black_box;

use remoting::{Command, Refusal};

/// Smallest page of the machines we run on.
const PAGE_BYTES: usize = 4096;

/// The same reply, once its body is in memory.
pub(crate) async fn read_first(reply: Command) -> Result<Command, Refusal> {
    let reading = tokio::task::spawn_blocking(move || {
        for slice in reply.body.slices() {
            slice.chunks(PAGE_BYTES).for_each(|page| {
                black_box(page.first());
            });
        }
        reply
    });
    reading
        .await
        .map_err(|error| Refusal::system_error(format!("read the messages: {error}")))
}
