//! The log of the servers: lines on stderr that cost nobody anything but themselves.
//!
//! ```text
//! event ─▶ limit (100 a second a place) ─▶ format (values cut at 256 characters) ─▶ queue ─▶ thread ─▶ stderr
//! ```
//!
//! The rule that is easy to break: a request may cause a line, and whoever sends requests must not be able to stop, slow
//! or fill anything by it. So a line waits in a bounded queue for a thread of its own; with nobody reading stderr, or
//! with stderr closed, lines are lost and the servers run on. One place in the code writes so many lines a second at
//! most and then says how many it left out; what a client chose to send is cut short.

mod limit;

use std::fmt;
use std::io::IsTerminal;

use tracing::field::Field;
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::format::{self, Writer};

use limit::Limited;

/// Lines that may wait for stderr; more are lost.
const QUEUE_LINES: usize = 8192;

/// Characters of one value that are written.
const VALUE_CHARS: usize = 256;

/// Keeps the log going. Dropping it writes what waits, for a second at most.
#[must_use = "the log ends when this is dropped"]
#[derive(Debug)]
pub struct Log {
    _thread: WorkerGuard,
}

/// Starts the log of this process. `RUST_LOG` decides what is logged, else `level`. To be called once.
pub fn to_stderr(level: &str) -> Log {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let (writer, thread) = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(QUEUE_LINES)
        .thread_name("log")
        .finish(std::io::stderr());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .fmt_fields(format::debug_fn(write_field).delimited(" "))
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal())
        .log_internal_errors(false)
        .compact()
        .map_event_format(Limited::new)
        .with_writer(writer)
        .init();
    Log { _thread: thread }
}

/// `name=value`, or the message alone.
fn write_field(writer: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug) -> fmt::Result {
    if field.name() != "message" {
        write!(writer, "{}=", field.name())?;
    }
    let mut cut = Cut {
        writer,
        room: VALUE_CHARS,
    };
    match fmt::write(&mut cut, format_args!("{value:?}")) {
        Err(fmt::Error) if cut.room == 0 => write!(writer, "…"),
        written => written,
    }
}

/// Takes so many characters and refuses the rest, so that a long value is not even formatted to its end.
struct Cut<'a, 'w> {
    writer: &'a mut Writer<'w>,
    room: usize,
}

impl fmt::Write for Cut<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        match text.char_indices().nth(self.room) {
            None => {
                self.room -= text.chars().count();
                self.writer.write_str(text)
            }
            Some((end, _)) => {
                self.room = 0;
                self.writer.write_str(text.get(..end).unwrap_or_default())?;
                Err(fmt::Error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_cut_at_its_limit_and_not_before() {
        for (chars, kept) in [
            (10, 10),
            (VALUE_CHARS, VALUE_CHARS),
            (VALUE_CHARS + 1, VALUE_CHARS),
        ] {
            let mut line = String::new();
            let mut writer = Writer::new(&mut line);
            let mut cut = Cut {
                writer: &mut writer,
                room: VALUE_CHARS,
            };
            let whole = fmt::write(&mut cut, format_args!("{}", "é".repeat(chars))).is_ok();
            assert_eq!((whole, line.chars().count()), (chars <= VALUE_CHARS, kept));
        }
    }
}
