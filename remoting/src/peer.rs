//! The other end of a connection, as the rest of the program sees it.
//!
//! A service can push commands to a client and call it: they go out on the connection that the client has opened.
//! Commands wait in a bounded outbox until the connection's task takes them.

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Waker;
use std::time::Duration;

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::bounds::Bounds;
use crate::command::Command;
use crate::connection::Limits;

/// Why a call to the other end has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallError {
    /// The connection is gone, or ended before the answer came.
    Closed,
    /// No answer within the time given. One that comes later is dropped.
    TimedOut(Duration),
    /// The other end does not read: so many bytes wait for it already.
    Overflow {
        /// Bytes that wait.
        waiting_bytes: usize,
    },
    /// No connection to this address could be opened.
    Connect {
        /// `host:port`.
        addr: String,
        /// The system's words.
        reason: String,
    },
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CallError::Closed => write!(f, "the connection is closed"),
            CallError::TimedOut(limit) => write!(f, "no answer within {} ms", limit.as_millis()),
            CallError::Overflow { waiting_bytes } => {
                write!(
                    f,
                    "the other end does not read, {waiting_bytes} bytes wait for it"
                )
            }
            CallError::Connect { addr, reason } => write!(f, "connect to {addr}: {reason}"),
        }
    }
}

impl std::error::Error for CallError {}

/// The other end of one connection.
#[derive(Debug)]
pub struct Peer {
    id: u64,
    remote: SocketAddr,
    local: SocketAddr,
    outbox_limit_bytes: usize,
    bounds: Arc<Bounds>,
    outbox: Mutex<Outbox>,
    /// Calls whose answer has not come, by opaque.
    calls: Mutex<HashMap<i32, oneshot::Sender<Command>>>,
    task: AtomicWaker,
}

#[derive(Debug, Default)]
struct Outbox {
    commands: Vec<Command>,
    bytes: usize,
    close: bool,
    ended: bool,
}

/// What the connection's task takes out of the outbox.
pub(crate) struct Taken {
    pub(crate) commands: Vec<Command>,
    /// The connection is to be closed once they are written.
    pub(crate) close: bool,
    /// What had no room and stays.
    pub(crate) left_bytes: usize,
}

impl Peer {
    pub(crate) fn new(remote: SocketAddr, local: SocketAddr, limits: &Limits) -> Peer {
        static NEXT_ID: AtomicU64 = AtomicU64::new(1);
        Peer {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            remote,
            local,
            outbox_limit_bytes: limits.outbound_bytes,
            bounds: Arc::clone(&limits.bounds),
            outbox: Mutex::default(),
            calls: Mutex::default(),
            task: AtomicWaker::new(),
        }
    }

    /// Unlike that of any other connection of this process.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The other end's address.
    pub fn remote(&self) -> SocketAddr {
        self.remote
    }

    /// Our end's address.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// Whether commands can still be sent to it.
    pub fn is_open(&self) -> bool {
        let outbox = self.outbox.lock();
        !outbox.close && !outbox.ended
    }

    /// Sends a command that wants no answer.
    ///
    /// # Errors
    /// `Closed`, or `Overflow` when the other end does not read.
    pub fn push(&self, command: Command) -> Result<(), CallError> {
        self.send(command.oneway())
    }

    /// Sends a request and waits for its answer.
    ///
    /// # Errors
    /// Every `CallError` but `Connect`.
    pub async fn call(&self, request: Command, limit: Duration) -> Result<Command, CallError> {
        let (sender, answer) = oneshot::channel();
        let call = Call {
            peer: self,
            opaque: request.opaque,
        };
        self.calls.lock().insert(call.opaque, sender);
        self.send(request)?;
        match tokio::time::timeout(limit, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => Err(CallError::Closed),
            Err(_) => Err(CallError::TimedOut(limit)),
        }
    }

    /// Ends the connection once what waits for the other end is written.
    pub fn close(&self) {
        self.outbox.lock().close = true;
        self.task.wake();
    }

    fn send(&self, command: Command) -> Result<(), CallError> {
        let bytes = command.weight();
        {
            let mut outbox = self.outbox.lock();
            if outbox.close || outbox.ended {
                return Err(CallError::Closed);
            }
            let wanted = outbox.bytes + bytes;
            let fits = wanted <= self.outbox_limit_bytes && self.bounds.may_hold(wanted);
            if outbox.bytes > 0 && !fits {
                return Err(CallError::Overflow {
                    waiting_bytes: outbox.bytes,
                });
            }
            outbox.bytes = wanted;
            outbox.commands.push(command);
        }
        self.task.wake();
        Ok(())
    }

    /// Has `waker` woken when a command or the wish to close is there.
    pub(crate) fn register(&self, waker: &Waker) {
        self.task.register(waker);
    }

    /// The commands that wait, unless there is no room for them yet, and whether the connection is to close.
    pub(crate) fn take_outbox(&self, has_room: bool) -> Taken {
        let mut outbox = self.outbox.lock();
        let mut commands = Vec::new();
        if has_room {
            outbox.bytes = 0;
            commands = std::mem::take(&mut outbox.commands);
        }
        Taken {
            commands,
            close: outbox.close,
            left_bytes: outbox.bytes,
        }
    }

    /// Hands an answer to the call that waits for it, if one still does.
    pub(crate) fn complete(&self, answer: Command) {
        if let Some(sender) = self.calls.lock().remove(&answer.opaque) {
            let _ = sender.send(answer); // an error: the caller has given up
        }
    }

    /// The connection is over: every call that waits fails, and every later one.
    pub(crate) fn end(&self) {
        self.outbox.lock().ended = true;
        self.calls.lock().clear();
    }
}

/// Takes the call out of the table when its caller is done waiting, or gone.
struct Call<'a> {
    peer: &'a Peer,
    opaque: i32,
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.peer.calls.lock().remove(&self.opaque);
    }
}
