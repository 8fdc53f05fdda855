//! What a server must be able to do, and the ways in which it answers.
//!
//! A service answers at once where it can. What must wait (for a flush, a message, a client) becomes a future that the
//! connection polls beside its other work; the frames behind it go on, and its answer goes out when it is there.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::code::{request, response};
use crate::command::Command;
use crate::connection::Peer;
use crate::header::HeaderError;

/// Why a request is not done. Becomes the error reply, with this code and remark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// One of `code::response`.
    pub code: i32,
    /// Java's text where a client may match it.
    pub remark: String,
}

impl Refusal {
    /// A refusal with `code`.
    pub fn new(code: i32, remark: impl Into<String>) -> Refusal {
        Refusal {
            code,
            remark: remark.into(),
        }
    }

    /// Code 1.
    pub fn system_error(remark: impl Into<String>) -> Refusal {
        Refusal::new(response::SYSTEM_ERROR, remark)
    }

    /// A code that nobody serves here. Java 4.7.0 `NettyRemotingAbstract.processRequestCommand`.
    pub fn not_supported(code: i32) -> Refusal {
        Refusal::new(
            response::REQUEST_CODE_NOT_SUPPORTED,
            format!(" request type {code} not supported"),
        )
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "code {}: {}", self.code, self.remark)
    }
}

impl From<HeaderError> for Refusal {
    fn from(error: HeaderError) -> Refusal {
        Refusal::system_error(error.to_string())
    }
}

impl From<Refusal> for Command {
    fn from(refusal: Refusal) -> Command {
        Command::reply(refusal.code).with_remark(refusal.remark)
    }
}

/// An answer that is not there yet.
pub type LaterAnswer = Pin<Box<dyn Future<Output = Result<Command, Refusal>> + Send>>;

/// How a request is answered.
pub enum Answer {
    /// It is done.
    Now(Result<Command, Refusal>),
    /// It waits. Dropped unfinished when its connection ends.
    Later(LaterAnswer),
    /// It is done, but not to be told before the service lets its mark go.
    Held(Held),
    /// It is refused, and told so even if it wants no answer.
    EvenOneway(Refusal),
    /// It gets no answer, though it may want one.
    Nothing,
}

/// A reply that many others of its connection wait beside, for the same thing and in the same order: costs less than an
/// answer that waits for itself.
#[derive(Debug)]
pub struct Held {
    /// What it waits for, as the service counts. Not below that of an earlier one of its connection.
    pub mark: u64,
    /// When it was held back.
    pub since: Instant,
    /// What it will be, if nothing comes in between.
    pub reply: Command,
}

impl Answer {
    /// An answer that waits for `future`.
    pub fn later(
        future: impl Future<Output = Result<Command, Refusal>> + Send + 'static,
    ) -> Answer {
        Answer::Later(Box::pin(future))
    }
}

impl From<Result<Command, Refusal>> for Answer {
    fn from(result: Result<Command, Refusal>) -> Answer {
        Answer::Now(result)
    }
}

impl From<Command> for Answer {
    fn from(reply: Command) -> Answer {
        Answer::Now(Ok(reply))
    }
}

/// What a server does with requests. Calls come from the connections' tasks: they must not block.
pub trait Service: Send + Sync + 'static {
    /// Serves one request. A panic costs this request (code 1), not the connection.
    fn call(self: &Arc<Self>, peer: &Arc<Peer>, request: Command) -> Answer;

    /// The refusal of a request that waited so long for its turn, of this connection and of others, that it is not to be
    /// served any more. `behind` counts the requests that wait behind it. Not asked of one that was served as it came.
    fn overdue(
        &self,
        code: i32,
        waited: Duration,
        behind: impl FnOnce() -> usize,
    ) -> Option<Refusal> {
        let _ = (code, waited, behind);
        None
    }

    /// Whether replies that are held at `mark` may go. Asked in their order.
    fn lets_go(&self, mark: u64) -> bool {
        let _ = mark;
        true
    }

    /// The answer of a held request, which is now the oldest one of its connection.
    fn wait_for(self: &Arc<Self>, held: Held) -> LaterAnswer {
        Box::pin(std::future::ready(Ok(held.reply)))
    }

    /// The connection of `peer` has ended. Called once, after the last `call`.
    fn closed(&self, peer: &Arc<Peer>);
}

/// The name of a request code for a log line.
pub(crate) fn request_name(code: i32) -> &'static str {
    request::name(code).unwrap_or("unknown")
}
