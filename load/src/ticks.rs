//! Ticks as fine as the kernel's: the runtime's own timers come at whole milliseconds, and a request sent late by the tool
//! would be told as a slow answer.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags};
use rustix::time::{Timespec, timerfd_create, timerfd_settime};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// More often, and the ticks would be most of the load: then requests that are due within a millisecond go out together.
const LEAST_PERIOD: Duration = Duration::from_micros(200);

/// Comes again and again, from when it was made.
pub(crate) struct Ticks(AsyncFd<OwnedFd>);

impl Ticks {
    /// A tick every `period`; `None` when that is too often.
    ///
    /// # Errors
    /// The system has no descriptor left.
    #[expect(
        deprecated,
        reason = "what is to take its place is unsafe for descriptors that may be closed meanwhile; nobody closes ours"
    )]
    pub(crate) fn every(period: Duration) -> io::Result<Option<Ticks>> {
        if period < LEAST_PERIOD {
            return Ok(None);
        }
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        let period = Timespec::try_from(period).map_err(io::Error::other)?;
        let times = Itimerspec {
            it_interval: period,
            it_value: period,
        };
        timerfd_settime(&timer, TimerfdTimerFlags::empty(), &times)?;
        AsyncFd::with_interest(timer, Interest::READABLE).map(|timer| Some(Ticks(timer)))
    }

    /// Waits for the next one. Those that nobody waited for are one.
    pub(crate) async fn next(&self) -> io::Result<()> {
        let mut ready = self.0.readable().await?;
        let _ = rustix::io::read(ready.get_inner(), &mut [0; 8]); // how many they were
        ready.clear_ready();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[tokio::test]
    async fn ticks_come_again_and_again_and_the_first_not_early() {
        let started = Instant::now();
        let period = LEAST_PERIOD;
        let ticks = Ticks::every(period)
            .expect("a timer")
            .expect("not too often");
        for _ in 0..20 {
            ticks.next().await.expect("it ticks");
            assert!(started.elapsed() >= period);
        }
        assert!(Ticks::every(period / 2).expect("nothing made").is_none());
    }
}
