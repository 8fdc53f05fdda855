//! Messages that may be on disk only.
//!
//! A reply is slices of the mapped log. Touched by the thread that serves the connections, missing pages would be read
//! from the disk there, and sends and everybody else would wait. So who must wait for the disk does it on a thread that
//! may, and only so many do at once: the others wait in their order.

use remoting::Refusal;
use tokio::sync::Semaphore;

/// Reads at once. Java 4.7.0 reads with its 16 to 32 pull threads (`BrokerConfig.pullMessageThreadPoolNums`).
const AT_ONCE: usize = 16;

/// Those who read from the disk.
#[derive(Debug)]
pub(crate) struct ColdReads(Semaphore);

impl Default for ColdReads {
    fn default() -> ColdReads {
        ColdReads(Semaphore::new(AT_ONCE))
    }
}

impl ColdReads {
    /// Runs `read` on a thread that may block, when it is its turn.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let _turn = self.0.acquire().await; // it is never closed
        tokio::task::spawn_blocking(read)
            .await
            .map_err(|error| Refusal::system_error(format!("read the messages: {error}")))
    }
}
