//! One connection: a task that reads, serves, waits and writes.
//!
//! ```text
//! socket ─read─▶ frames ─▶ service ─now──▶ outbound ─one vectored write─▶ socket
//!                             ├──later──▶ waiting ──┤
//!                             └──held───▶ held ─────┤
//!                 other tasks ─▶ outbox ────────────┘
//! ```
//!
//! All of it happens in the one task, turn by turn: what had no room in the socket is written first, then every frame that
//! has arrived is served, and then all replies are written, so that a client with many requests in flight costs one read and
//! one write for all of them. A turn is short, however much has arrived: then the other connections have theirs, and a request
//! that waits for too many of them is refused (`Service::overdue`). A peer that does not read its replies is not read from either, once `outbound_limit_bytes` wait
//! for it, or less when all connections together hold too much (`bounds`). Who is silent keeps no buffers.
//!
//! Java 4.7.0 `NettyRemotingAbstract`, `NettyRemotingServer`.

use std::future::Future;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Interval, MissedTickBehavior};
use tokio_util::io::{poll_read_buf, poll_write_buf};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::bounds::{Bounds, FREE_BYTES};
use crate::command::Command;
use crate::frame::{self, DecodeError};
use crate::held::HeldReplies;
use crate::outbound::Outbound;
use crate::peer::Taken;
use crate::router::{Answer, Service};
use crate::ticket::{Ticket, Waiting};
use crate::turn::Turn;

pub use crate::peer::{CallError, Peer};

/// Room for what one read may bring.
const READ_BYTES: usize = 64 * 1024;

/// A read buffer over this is given back once it is empty.
const KEPT_BYTES: usize = 4 * READ_BYTES;

/// Idleness is looked at so many times in its limit: a connection closes at most a tenth late.
const IDLE_TICKS: u32 = 10;

/// A peer that has read nothing for so many of them is in the way when memory is short.
const STUCK_TICKS: u32 = 2;

/// Pause between looks at a connection that may be silent for ever: it can be in the way all the same. That of Java's
/// limit of 120 s.
const UNLIMITED_TICK: Duration = Duration::from_secs(12);

/// Bounds of one connection.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// The longest frame, its prefix counted.
    pub(crate) frame_bytes: u64,
    /// With so many bytes unwritten nothing more is read; a push is refused.
    pub(crate) outbound_bytes: usize,
    /// With so many requests waiting for their answers nothing more is read.
    pub(crate) waiting_requests: usize,
    /// The same for the bytes of these requests.
    pub(crate) waiting_bytes: usize,
    /// Without a byte in either direction for so long it is closed; 0 for never.
    pub(crate) idle: Duration,
    /// Those of all connections together.
    pub(crate) bounds: Arc<Bounds>,
}

/// Why a connection ended.
#[derive(Debug)]
pub(crate) enum End {
    Closed,
    Stopped,
    Idle,
    Malformed(DecodeError),
    /// Its unfinished frame does not fit beside those of other connections.
    NoRoom,
    /// It does not read, and all connections together hold more than there should be.
    HoldsTooMuch,
    Io(io::Error),
}

/// Serves `stream` until either side ends it, then tells the service.
pub(crate) async fn serve<S: Service>(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    peer: Arc<Peer>,
    service: Arc<S>,
    limits: Limits,
    stop: CancellationToken,
) {
    let mut connection = Connection {
        stream,
        peer: Arc::clone(&peer),
        service: Arc::clone(&service),
        input: BytesMut::with_capacity(READ_BYTES),
        unfinished_bytes: 0,
        read_at: Instant::now(),
        held_bytes: 0,
        waiting_bytes: 0,
        waiting: FuturesUnordered::new(),
        held: HeldReplies::default(),
        out: Outbound::default(),
        tick: ticks(limits.idle),
        limits,
        quiet_ticks: 0,
        paused: false,
        stopping: false,
    };
    let end = {
        let mut stopped = pin!(stop.cancelled());
        std::future::poll_fn(|cx| {
            connection.stopping |= stopped.as_mut().poll(cx).is_ready();
            connection.poll(cx)
        })
        .await
    };
    match end {
        End::Malformed(error) => {
            warn!(remote = %peer.remote(), %error, "close connection: its bytes are not a command")
        }
        End::NoRoom => {
            warn!(remote = %peer.remote(), "close connection: frames that are not whole take too much memory")
        }
        End::HoldsTooMuch => {
            warn!(remote = %peer.remote(), "close connection: it does not read, and too much waits for all of them")
        }
        End::Io(error) => debug!(remote = %peer.remote(), %error, "connection broke"),
        end => debug!(remote = %peer.remote(), ?end, "connection ended"),
    }
    drop(connection); // and with it the requests that wait
    peer.end();
    service.closed(&peer);
}

/// Ticks `IDLE_TICKS` times in `idle`.
fn ticks(idle: Duration) -> Interval {
    let period = idle / IDLE_TICKS;
    let mut tick = tokio::time::interval(if period.is_zero() {
        UNLIMITED_TICK
    } else {
        period
    });
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tick
}

struct Connection<T, S> {
    stream: T,
    peer: Arc<Peer>,
    service: Arc<S>,
    limits: Limits,
    input: BytesMut,
    /// What of `input` counts in `bounds.unfinished`.
    unfinished_bytes: usize,
    /// When the frames in `input` were read.
    read_at: Instant,
    /// What counts in `bounds.held`.
    held_bytes: usize,
    waiting: FuturesUnordered<Waiting>,
    held: HeldReplies,
    waiting_bytes: usize,
    out: Outbound,
    tick: Interval,
    quiet_ticks: u32,
    /// Nothing is read or taken out of the outbox until what waits for the peer has shrunk.
    paused: bool,
    stopping: bool,
}

impl<T: AsyncRead + AsyncWrite + Unpin, S: Service> Connection<T, S> {
    /// One turn. Ready when the connection has ended.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        self.peer.register(cx.waker());
        // What has waited goes first: who is gone is served nothing more, and who reads has room.
        if let Poll::Ready(Err(error)) = self.poll_write(cx) {
            return Poll::Ready(End::Io(error));
        }
        let read = self.poll_read(cx);
        self.poll_waiting(cx);
        let (closing, outbox_bytes) = self.take_outbox();
        let written = self.poll_write(cx);
        let bearable = self.account_held(outbox_bytes);
        if self.paused && !self.is_full() {
            cx.waker().wake_by_ref(); // there is room again: go on
        }
        if let Poll::Ready(end) = read {
            return Poll::Ready(end);
        }
        if let Poll::Ready(Err(error)) = written {
            return Poll::Ready(End::Io(error));
        }
        if !bearable {
            return Poll::Ready(End::HoldsTooMuch);
        }
        if closing && !self.out.has_remaining() {
            return Poll::Ready(End::Closed);
        }
        if self.stopping && !self.out.has_remaining() && self.waiting_requests() == 0 {
            return Poll::Ready(End::Stopped);
        }
        self.poll_idle(cx)
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        let mut turn = Turn::begin();
        if self.paused {
            self.read_at = turn.now; // it was the peer that kept them waiting
        }
        loop {
            if let Err(error) = self.serve_frames(&mut turn) {
                return Poll::Ready(End::Malformed(error));
            }
            self.paused = self.is_full();
            if self.paused || self.stopping {
                return Poll::Pending;
            }
            if turn.is_over() {
                // Not `wake`: that would go on before new bytes of the others are looked for.
                let _ = pin!(tokio::task::yield_now()).poll(cx);
                return Poll::Pending;
            }
            if !self.account_unfinished() {
                return Poll::Ready(End::NoRoom);
            }
            self.make_room();
            match ready!(poll_read_buf(
                Pin::new(&mut self.stream),
                cx,
                &mut self.input
            )) {
                Ok(0) => return Poll::Ready(End::Closed),
                Ok(_) => self.quiet_ticks = 0,
                Err(error) => return Poll::Ready(End::Io(error)),
            }
            turn.look();
            self.read_at = turn.now;
        }
    }

    /// Makes room for a read. A buffer that a large frame has stretched is not kept for the small ones.
    fn make_room(&mut self) {
        let capacity = self.input.capacity();
        if self.input.is_empty() && (capacity == 0 || capacity > KEPT_BYTES) {
            self.input = BytesMut::with_capacity(READ_BYTES);
        }
        self.input.reserve(READ_BYTES / 4);
    }

    fn waiting_requests(&self) -> usize {
        self.waiting.len() + self.held.len()
    }

    fn is_full(&self) -> bool {
        let unwritten = self.out.remaining();
        unwritten >= self.limits.outbound_bytes
            || self.waiting_bytes >= self.limits.waiting_bytes
            || self.waiting_requests() >= self.limits.waiting_requests
            || !self.limits.bounds.may_hold(unwritten + self.waiting_bytes)
    }

    /// Serves the frames that have arrived, as long as the turn lasts and their replies have room.
    fn serve_frames(&mut self, turn: &mut Turn) -> Result<(), DecodeError> {
        while !turn.is_over() && !self.is_full() {
            let Some(frame) = frame::take_frame(&mut self.input, self.limits.frame_bytes)? else {
                break;
            };
            let command = frame::decode(frame)?;
            if command.is_response() {
                self.peer.complete(command);
            } else {
                let waited = turn.now.saturating_duration_since(self.read_at);
                self.serve_request(command, waited);
            }
            turn.count();
        }
        Ok(())
    }

    /// Whether what has arrived of the next frame may be held. A short one is not counted.
    fn account_unfinished(&mut self) -> bool {
        let now = countable(self.input.len());
        let granted = now == self.unfinished_bytes
            || self
                .limits
                .bounds
                .unfinished
                .ask(self.unfinished_bytes, now);
        if granted {
            self.unfinished_bytes = now;
        }
        granted
    }

    /// Counts what waits for the peer, `outbox_bytes` of it in its outbox. Whether it may wait on.
    fn account_held(&mut self, outbox_bytes: usize) -> bool {
        let unserved = if self.paused { self.input.len() } else { 0 };
        let held = self.out.remaining() + self.waiting_bytes + outbox_bytes + unserved;
        let now = countable(held);
        let bounds = &self.limits.bounds;
        if now != self.held_bytes {
            bounds.held.take(self.held_bytes, now);
            self.held_bytes = now;
        }
        self.quiet_ticks < STUCK_TICKS || !bounds.must_go(held)
    }

    fn serve_request(&mut self, request: Command, waited: Duration) {
        let ticket = Ticket::of(&request);
        let (service, peer, input) = (&self.service, &self.peer, &self.input);
        let served = catch_unwind(AssertUnwindSafe(|| {
            if !waited.is_zero() {
                let overdue = service.overdue(request.code, waited, || frame::count(input));
                if let Some(refusal) = overdue {
                    return Answer::Now(Err(refusal));
                }
            }
            service.call(peer, request)
        }));
        match served {
            Ok(Answer::Now(result)) => ticket.answer(result, &mut self.out),
            Ok(Answer::Later(answer)) => {
                self.waiting_bytes += ticket.bytes;
                self.waiting.push(Waiting { ticket, answer });
            }
            Ok(Answer::Held(held)) => {
                self.waiting_bytes += ticket.bytes;
                self.held.push(ticket, held);
            }
            Ok(Answer::EvenOneway(refusal)) => ticket.reply(refusal.into(), &mut self.out),
            Ok(Answer::Nothing) => {}
            Err(panic) => ticket.answer(Err(ticket.panicked(&*panic)), &mut self.out),
        }
    }

    fn poll_waiting(&mut self, cx: &mut Context<'_>) {
        while let Poll::Ready(Some((ticket, result))) = self.waiting.poll_next_unpin(cx) {
            self.waiting_bytes -= ticket.bytes;
            ticket.answer(result, &mut self.out);
        }
        self.waiting_bytes -= self.held.poll(&self.service, &mut self.out, cx);
    }

    /// Takes what other tasks have left for this peer, if it has room. Whether the connection is to close behind it, and
    /// the bytes that had no room.
    fn take_outbox(&mut self) -> (bool, usize) {
        let has_room = self.out.remaining() < self.limits.outbound_bytes;
        self.paused |= !has_room;
        let Taken {
            commands,
            close,
            left_bytes,
        } = self.peer.take_outbox(has_room);
        commands
            .into_iter()
            .for_each(|command| frame::encode(command, &mut self.out));
        (close, left_bytes)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.out.has_remaining() {
            if ready!(poll_write_buf(
                Pin::new(&mut self.stream),
                cx,
                &mut self.out
            ))? == 0
            {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.quiet_ticks = 0;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        loop {
            ready!(self.tick.poll_tick(cx));
            self.quiet_ticks = self.quiet_ticks.saturating_add(1);
            if self.input.is_empty() {
                self.input = BytesMut::new();
            }
            self.out.give_back();
            self.held.give_back();
            if self.quiet_ticks > IDLE_TICKS && !self.limits.idle.is_zero() {
                return Poll::Ready(End::Idle);
            }
        }
    }
}

impl<T, S> Drop for Connection<T, S> {
    fn drop(&mut self) {
        let bounds = &self.limits.bounds;
        bounds.unfinished.take(self.unfinished_bytes, 0);
        bounds.held.take(self.held_bytes, 0);
    }
}

/// Little is not counted.
fn countable(bytes: usize) -> usize {
    if bytes < FREE_BYTES { 0 } else { bytes }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

    use super::*;

    struct Echo;

    impl Service for Echo {
        fn call(self: &Arc<Self>, _: &Arc<Peer>, _: Command) -> Answer {
            Command::success().into()
        }

        fn closed(&self, _: &Arc<Peer>) {}
    }

    /// A connection that is closed after so much silence, and its other end.
    fn connect(
        idle: Duration,
        bounds: &Arc<Bounds>,
    ) -> (DuplexStream, tokio::task::JoinHandle<()>) {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let nowhere = std::net::SocketAddr::from(([127, 0, 0, 1], 1));
        let limits = Limits {
            frame_bytes: frame::FRAME_LIMIT_BYTES,
            outbound_bytes: 1 << 20,
            waiting_requests: 1,
            waiting_bytes: 1 << 20,
            idle,
            bounds: Arc::clone(bounds),
        };
        let peer = Arc::new(Peer::new(nowhere, nowhere, &limits));
        let served = serve(ours, peer, Arc::new(Echo), limits, CancellationToken::new());
        (theirs, tokio::spawn(served))
    }

    #[tokio::test(start_paused = true)]
    async fn who_may_be_silent_for_ever_and_does_not_read_goes_when_memory_is_short() {
        let bounds = Arc::new(Bounds::new(2, 1 << 20, 1 << 16));
        bounds.held.take(0, 1 << 17); // by others
        let (mut stuck, stuck_end) = connect(Duration::ZERO, &bounds);
        let (_silent, silent_end) = connect(Duration::ZERO, &bounds);
        let mut request = Outbound::default();
        frame::encode(Command::request(1), &mut request);
        let request = request.copy_to_bytes(request.remaining());
        let written = async { while stuck.write_all(&request).await.is_ok() {} };
        let limit = Duration::from_secs(60); // of the paused clock
        (tokio::time::timeout(limit, written).await).expect("it is closed");
        stuck_end.await.expect("ended");
        assert!(!silent_end.is_finished());
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_connection_is_closed_and_a_busy_one_is_not() {
        let (idle, bounds) = (Duration::from_secs(10), Bounds::new(2, 1 << 20, 1 << 20));
        let bounds = Arc::new(bounds);
        let (_silent, silent_end) = connect(idle, &bounds);
        let (mut busy, busy_end) = connect(idle, &bounds);
        let mut request = Outbound::default();
        frame::encode(Command::request(1), &mut request);
        let request = request.copy_to_bytes(request.remaining());
        let started = tokio::time::Instant::now();
        for _ in 0..12 {
            busy.write_all(&request).await.expect("open");
            assert!(busy.read(&mut [0; 1024]).await.expect("open") > 0);
            tokio::time::sleep(Duration::from_secs(3)).await; // of the paused clock
        }
        assert!(silent_end.is_finished() && !busy_end.is_finished());
        silent_end.await.expect("ended");
        drop(busy);
        busy_end.await.expect("ended");
        assert!(started.elapsed() >= Duration::from_secs(36));
    }
}
