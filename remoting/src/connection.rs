//! One connection: a task that reads, serves, waits and writes.
//!
//! ```text
//! socket ─read─▶ frames ─▶ service ─now──▶ outbound ─one vectored write─▶ socket
//!                             └──later──▶ waiting ──┘
//!                 other tasks ─▶ outbox ────────────┘
//! ```
//!
//! All of it happens in the one task, turn by turn: every frame that has arrived is served before anything is written,
//! so that a client with many requests in flight costs one read and one write for all of them. A peer that does not
//! read its replies is not read from either, once `outbound_limit_bytes` wait for it.
//!
//! Java 4.7.0 `NettyRemotingAbstract`, `NettyRemotingServer`.

use std::future::Future;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Interval, MissedTickBehavior};
use tokio_util::io::{poll_read_buf, poll_write_buf};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, warn};

use crate::command::{Command, HeaderForm};
use crate::frame::{self, DecodeError};
use crate::outbound::Outbound;
use crate::peer::Taken;
use crate::router::{Answer, LaterAnswer, Refusal, Service, request_name};

pub use crate::peer::{CallError, Peer};

/// Room for what one read may bring.
const READ_BYTES: usize = 64 * 1024;

/// A read buffer over this is given back once it is empty.
const KEPT_BYTES: usize = 4 * READ_BYTES;

/// So many reads in a row, then the other connections have their turn.
const READS_A_TURN: u32 = 4;

/// Idleness is looked at so many times in its limit: a connection closes at most a tenth late.
const IDLE_TICKS: u32 = 10;

/// Bounds of one connection.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// The longest frame, its prefix counted.
    pub(crate) frame_bytes: u64,
    /// With so many bytes unwritten nothing more is read; a push is refused.
    pub(crate) outbound_bytes: usize,
    /// With so many requests waiting for their answers nothing more is read.
    pub(crate) waiting_requests: usize,
    /// Without a byte in either direction for so long it is closed; 0 for never.
    pub(crate) idle: Duration,
    /// What frames that have not arrived whole may take, over all connections of a server.
    pub(crate) unfinished: Arc<Budget>,
}

/// Bytes that may be held at once, by whoever asks first.
#[derive(Debug)]
pub(crate) struct Budget {
    left: AtomicUsize,
}

impl Budget {
    pub(crate) fn new(bytes: usize) -> Budget {
        Budget {
            left: AtomicUsize::new(bytes),
        }
    }

    /// Makes `held` bytes taken into `wanted`. False, and nothing is changed, if there is no room.
    fn change(&self, held: usize, wanted: usize) -> bool {
        let change = |left: usize| (left + held).checked_sub(wanted);
        self.left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, change)
            .is_ok()
    }
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
        waiting: FuturesUnordered::new(),
        out: Outbound::default(),
        tick: idle_tick(limits.idle),
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
        End::Io(error) => debug!(remote = %peer.remote(), %error, "connection broke"),
        end => debug!(remote = %peer.remote(), ?end, "connection ended"),
    }
    drop(connection); // and with it the requests that wait
    peer.end();
    service.closed(&peer);
}

/// Ticks `IDLE_TICKS` times in `idle`; `None` if a connection may be silent for ever.
fn idle_tick(idle: Duration) -> Option<Interval> {
    let period = idle / IDLE_TICKS;
    (!period.is_zero()).then(|| {
        let mut tick = tokio::time::interval(period);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tick
    })
}

struct Connection<T, S> {
    stream: T,
    peer: Arc<Peer>,
    service: Arc<S>,
    limits: Limits,
    input: BytesMut,
    /// What `limits.unfinished` has lent for `input`.
    unfinished_bytes: usize,
    waiting: FuturesUnordered<Waiting>,
    out: Outbound,
    tick: Option<Interval>,
    quiet_ticks: u32,
    /// Nothing is read or taken out of the outbox until what waits for the peer has shrunk.
    paused: bool,
    stopping: bool,
}

impl<T: AsyncRead + AsyncWrite + Unpin, S: Service> Connection<T, S> {
    /// One turn. Ready when the connection has ended.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        self.peer.register(cx.waker());
        let read = self.poll_read(cx);
        self.poll_waiting(cx);
        let closing = self.take_outbox();
        let written = self.poll_write(cx);
        if self.paused && !self.is_full() {
            cx.waker().wake_by_ref(); // there is room again: go on
        }
        if let Poll::Ready(end) = read {
            return Poll::Ready(end);
        }
        if let Poll::Ready(Err(error)) = written {
            return Poll::Ready(End::Io(error));
        }
        if closing && !self.out.has_remaining() {
            return Poll::Ready(End::Closed);
        }
        if self.stopping && !self.out.has_remaining() && self.waiting.is_empty() {
            return Poll::Ready(End::Stopped);
        }
        self.poll_idle(cx)
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        for reads in 0.. {
            if let Err(error) = self.serve_frames() {
                return Poll::Ready(End::Malformed(error));
            }
            if !self.account_unfinished() {
                return Poll::Ready(End::NoRoom);
            }
            self.paused = self.is_full();
            if self.paused || self.stopping {
                return Poll::Pending;
            }
            if reads == READS_A_TURN {
                cx.waker().wake_by_ref();
                return Poll::Pending;
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
        }
        Poll::Pending
    }

    /// Makes room for a read. A buffer that a large frame has stretched is not kept for the small ones.
    fn make_room(&mut self) {
        if self.input.is_empty() && self.input.capacity() > KEPT_BYTES {
            self.input = BytesMut::with_capacity(READ_BYTES);
        }
        self.input.reserve(READ_BYTES / 4);
    }

    fn is_full(&self) -> bool {
        self.out.remaining() >= self.limits.outbound_bytes
            || self.waiting.len() >= self.limits.waiting_requests
    }

    /// Serves the frames that have arrived, as long as their replies have room.
    fn serve_frames(&mut self) -> Result<(), DecodeError> {
        while !self.is_full() {
            let Some(frame) = frame::take_frame(&mut self.input, self.limits.frame_bytes)? else {
                break;
            };
            let command = frame::decode(frame)?;
            if command.is_response() {
                self.peer.complete(command);
            } else {
                self.serve_request(command);
            }
        }
        Ok(())
    }

    /// Whether what has arrived of the next frame may be held. A short one is not counted.
    fn account_unfinished(&mut self) -> bool {
        let wanted = if self.input.len() < READ_BYTES {
            0
        } else {
            self.input.len()
        };
        let granted = wanted == self.unfinished_bytes
            || self.limits.unfinished.change(self.unfinished_bytes, wanted);
        if granted {
            self.unfinished_bytes = wanted;
        }
        granted
    }

    fn serve_request(&mut self, request: Command) {
        let ticket = Ticket::of(&request);
        let served = catch_unwind(AssertUnwindSafe(|| self.service.call(&self.peer, request)));
        match served {
            Ok(Answer::Now(result)) => ticket.answer(result, &mut self.out),
            Ok(Answer::Later(answer)) => self.waiting.push(Waiting { ticket, answer }),
            Ok(Answer::Nothing) => {}
            Err(panic) => ticket.answer(Err(ticket.panicked(&*panic)), &mut self.out),
        }
    }

    fn poll_waiting(&mut self, cx: &mut Context<'_>) {
        while let Poll::Ready(Some((ticket, result))) = self.waiting.poll_next_unpin(cx) {
            ticket.answer(result, &mut self.out);
        }
    }

    /// Takes what other tasks have left for this peer, if it has room. Whether the connection is to close behind it.
    fn take_outbox(&mut self) -> bool {
        let has_room = self.out.remaining() < self.limits.outbound_bytes;
        self.paused |= !has_room;
        let Taken { commands, close } = self.peer.take_outbox(has_room);
        commands
            .into_iter()
            .for_each(|command| frame::encode(command, &mut self.out));
        close
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
        let Some(tick) = &mut self.tick else {
            return Poll::Pending;
        };
        loop {
            ready!(tick.poll_tick(cx));
            self.quiet_ticks += 1;
            if self.quiet_ticks > IDLE_TICKS {
                return Poll::Ready(End::Idle);
            }
        }
    }
}

impl<T, S> Drop for Connection<T, S> {
    fn drop(&mut self) {
        self.limits.unfinished.change(self.unfinished_bytes, 0);
    }
}

/// What must be kept of a request until it is answered.
#[derive(Clone, Copy)]
struct Ticket {
    code: i32,
    opaque: i32,
    form: HeaderForm,
    oneway: bool,
}

impl Ticket {
    fn of(request: &Command) -> Ticket {
        Ticket {
            code: request.code,
            opaque: request.opaque,
            form: request.form,
            oneway: request.is_oneway(),
        }
    }

    fn answer(self, result: Result<Command, Refusal>, out: &mut Outbound) {
        let mut reply = match result {
            Ok(reply) => reply,
            Err(refusal) => {
                debug!(request = request_name(self.code), opaque = self.opaque, %refusal, "refuse");
                refusal.into()
            }
        };
        if self.oneway {
            return;
        }
        reply.opaque = self.opaque;
        reply.form = self.form;
        frame::encode(reply, out);
    }

    fn panicked(self, panic: &(dyn std::any::Any + Send)) -> Refusal {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("no message");
        error!(
            request = request_name(self.code),
            code = self.code,
            panic = text,
            "handler panicked, its request fails"
        );
        Refusal::system_error(format!(
            "internal error while serving request {}",
            self.code
        ))
    }
}

/// A request whose answer is not there yet.
struct Waiting {
    ticket: Ticket,
    answer: LaterAnswer,
}

impl Future for Waiting {
    type Output = (Ticket, Result<Command, Refusal>);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let polled = catch_unwind(AssertUnwindSafe(|| self.answer.as_mut().poll(cx)));
        let result = match polled {
            Ok(poll) => ready!(poll),
            Err(panic) => Err(self.ticket.panicked(&*panic)),
        };
        Poll::Ready((self.ticket, result))
    }
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

    /// A connection that is closed after ten seconds of silence, and its other end.
    fn connect() -> (DuplexStream, tokio::task::JoinHandle<()>) {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let nowhere = std::net::SocketAddr::from(([127, 0, 0, 1], 1));
        let limits = Limits {
            frame_bytes: frame::FRAME_LIMIT_BYTES,
            outbound_bytes: 1 << 20,
            waiting_requests: 1,
            idle: Duration::from_secs(10),
            unfinished: Arc::new(Budget::new(1 << 20)),
        };
        let peer = Arc::new(Peer::new(nowhere, nowhere, limits.outbound_bytes));
        let served = serve(ours, peer, Arc::new(Echo), limits, CancellationToken::new());
        (theirs, tokio::spawn(served))
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_connection_is_closed_and_a_busy_one_is_not() {
        let (_silent, silent_end) = connect();
        let (mut busy, busy_end) = connect();
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
