//! Replies that are there and held back, in the order of their requests: sends that wait for the disk.
//!
//! ```text
//! push ─▶ behind ─oldest─▶ first ─when its future is ready─▶ out, and with it all of `behind` that may go
//! ```
//!
//! Only the oldest one waits as a future, with a waker and a timer; the others are looked at when it is through. So a
//! connection is woken once for all its replies that one sync lets go, however many. The rule that is easy to break: they
//! go in their order, so the marks of one connection may only rise.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::outbound::Outbound;
use crate::router::{Held, Service};
use crate::ticket::{Ticket, Waiting};

/// Those of one connection.
#[derive(Default)]
pub(crate) struct HeldReplies {
    first: Option<Waiting>,
    behind: VecDeque<(Ticket, Held)>,
}

impl HeldReplies {
    pub(crate) fn len(&self) -> usize {
        self.behind.len() + usize::from(self.first.is_some())
    }

    pub(crate) fn push(&mut self, ticket: Ticket, held: Held) {
        let last = self.behind.back().map_or(0, |(_, last)| last.mark);
        debug_assert!(held.mark >= last, "{} behind {last}", held.mark);
        self.behind.push_back((ticket, held));
    }

    /// Writes those that may go, and sees to it that the task is woken for the next. The bytes that their requests were
    /// counted with.
    pub(crate) fn poll(
        &mut self,
        service: &Arc<impl Service>,
        out: &mut Outbound,
        cx: &mut Context<'_>,
    ) -> usize {
        let mut bytes = 0;
        loop {
            if let Some(first) = &mut self.first {
                let Poll::Ready((ticket, result)) = first.poll_answer(cx) else {
                    return bytes;
                };
                bytes += ticket.bytes;
                ticket.answer(result, out);
                self.first = None;
            }
            let Some((ticket, held)) = self.behind.pop_front() else {
                return bytes;
            };
            if service.lets_go(held.mark) {
                bytes += ticket.bytes;
                ticket.answer(Ok(held.reply), out);
            } else {
                let answer = service.wait_for(held);
                self.first = Some(Waiting { ticket, answer });
            }
        }
    }

    /// Keeps no room while nothing is held.
    pub(crate) fn give_back(&mut self) {
        if self.behind.is_empty() {
            self.behind = VecDeque::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
    use std::task::Waker;

    use bytes::{Buf, BytesMut};

    use super::*;
    use crate::command::Command;
    use crate::connection::Peer;
    use crate::frame;
    use crate::router::{Answer, LaterAnswer, Refusal};

    /// Lets go what is held up to `come_to`, and refuses what is held at `BAD`.
    #[derive(Default)]
    struct Disk {
        come_to: AtomicU64,
        asked: AtomicUsize,
    }

    const BAD: u64 = 30;

    impl Service for Disk {
        fn call(self: &Arc<Self>, _: &Arc<Peer>, _: Command) -> Answer {
            Answer::Nothing
        }

        fn lets_go(&self, mark: u64) -> bool {
            mark <= self.come_to.load(Ordering::SeqCst)
        }

        fn wait_for(self: &Arc<Self>, held: Held) -> LaterAnswer {
            self.asked.fetch_add(1, Ordering::SeqCst);
            let disk = Arc::clone(self);
            Box::pin(async move {
                if held.mark == BAD {
                    return Err(Refusal::new(14, "never"));
                }
                std::future::poll_fn(|_| match disk.lets_go(held.mark) {
                    true => Poll::Ready(()),
                    false => Poll::Pending,
                })
                .await;
                Ok(held.reply)
            })
        }

        fn closed(&self, _: &Arc<Peer>) {}
    }

    fn held_at(marks: impl IntoIterator<Item = u64>) -> HeldReplies {
        let mut held = HeldReplies::default();
        for mark in marks {
            let mut request = Command::request(310);
            request.opaque = mark as i32;
            let (since, reply) = (std::time::Instant::now(), Command::success());
            held.push(Ticket::of(&request), Held { mark, since, reply });
        }
        held
    }

    /// Opaque and code of what goes now.
    fn going(held: &mut HeldReplies, disk: &Arc<Disk>) -> Vec<(i32, i32)> {
        let mut out = Outbound::default();
        held.poll(disk, &mut out, &mut Context::from_waker(Waker::noop()));
        let mut written = BytesMut::from(&*out.copy_to_bytes(out.remaining()));
        std::iter::from_fn(|| frame::take_frame(&mut written, 1 << 20).expect("a frame"))
            .map(|frame| frame::decode(frame).expect("a command"))
            .map(|reply| (reply.opaque, reply.code))
            .collect()
    }

    #[test]
    fn replies_go_in_their_order_as_far_as_the_service_has_come_and_only_the_oldest_waits() {
        let (disk, mut held) = (Arc::new(Disk::default()), held_at([10, 11, 12, 20, 21]));
        assert_eq!(going(&mut held, &disk), []);
        disk.come_to.store(12, Ordering::SeqCst);
        assert_eq!(going(&mut held, &disk), [(10, 0), (11, 0), (12, 0)]);
        assert_eq!((held.len(), disk.asked.load(Ordering::SeqCst)), (2, 2));
        disk.come_to.store(21, Ordering::SeqCst);
        assert_eq!(going(&mut held, &disk), [(20, 0), (21, 0)]);
        assert_eq!((held.len(), disk.asked.load(Ordering::SeqCst)), (0, 2));
    }

    #[test]
    fn one_that_is_refused_takes_no_other_with_it() {
        let (disk, mut held) = (Arc::new(Disk::default()), held_at([10, BAD, 40]));
        disk.come_to.store(10, Ordering::SeqCst);
        assert_eq!(going(&mut held, &disk), [(10, 0), (BAD as i32, 14)]);
        disk.come_to.store(40, Ordering::SeqCst);
        assert_eq!(going(&mut held, &disk), [(40, 0)]);
    }
}
