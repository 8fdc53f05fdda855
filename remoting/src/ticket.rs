//! A request between its call and its answer.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tracing::{debug, error};

use crate::command::{Command, HeaderForm};
use crate::frame;
use crate::outbound::Outbound;
use crate::router::{LaterAnswer, Refusal, request_name};

/// What must be kept of a request until it is answered.
#[derive(Clone, Copy)]
pub(crate) struct Ticket {
    code: i32,
    opaque: i32,
    form: HeaderForm,
    oneway: bool,
    /// About what the request keeps while its answer is not there.
    pub(crate) bytes: usize,
}

impl Ticket {
    pub(crate) fn of(request: &Command) -> Ticket {
        Ticket {
            code: request.code,
            opaque: request.opaque,
            form: request.form,
            oneway: request.is_oneway(),
            bytes: request.weight(),
        }
    }

    pub(crate) fn answer(self, result: Result<Command, Refusal>, out: &mut Outbound) {
        let reply = match result {
            Ok(reply) => reply,
            Err(refusal) => {
                debug!(request = request_name(self.code), opaque = self.opaque, %refusal, "refuse");
                refusal.into()
            }
        };
        if self.oneway {
            return;
        }
        self.reply(reply, out);
    }

    /// Answers a request that wants none too.
    pub(crate) fn reply(self, mut reply: Command, out: &mut Outbound) {
        reply.opaque = self.opaque;
        reply.form = self.form;
        frame::encode(reply, out);
    }

    pub(crate) fn panicked(self, panic: &(dyn std::any::Any + Send)) -> Refusal {
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
pub(crate) struct Waiting {
    pub(crate) ticket: Ticket,
    pub(crate) answer: LaterAnswer,
}

impl Future for Waiting {
    type Output = (Ticket, Result<Command, Refusal>);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.poll_answer(cx)
    }
}

impl Waiting {
    pub(crate) fn poll_answer(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<(Ticket, Result<Command, Refusal>)> {
        let polled = catch_unwind(AssertUnwindSafe(|| self.answer.as_mut().poll(cx)));
        let result = match polled {
            Ok(poll) => ready!(poll),
            Err(panic) => Err(self.ticket.panicked(&*panic)),
        };
        Poll::Ready((self.ticket, result))
    }
}
