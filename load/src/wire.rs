//! Requests made once and sent many times: only the opaque, the queue's offset, the message key and the stamp change.
//!
//! The tool shares the machine with the server it measures. What a request costs here is taken from the server, so a
//! request is a copy of bytes.

use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::{Buf, BytesMut};
use remoting::code::request;
use remoting::frame;
use remoting::outbound::Outbound;
use remoting::{Command, HeaderForm};
use tokio::net::TcpStream;

/// Ten digits wherever it goes, so that a JSON header keeps its length.
pub(crate) const FIRST_OPAQUE: i32 = 1_000_000_000;
const KEY_MARK: &str = "0123456789ABCDEF0123456789ABCDEF";
const KEY_DIGITS: usize = 16;
/// Nineteen digits wherever it goes.
const OFFSET_MARK: i64 = 1_234_567_890_123_456_789;

/// Bytes at the front of a body that hold the time of the send, nanoseconds since 1970, big-endian.
pub(crate) const STAMP_BYTES: usize = 8;

/// What every message of a load has in common.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    /// Topic; must be there or be made by the broker.
    pub(crate) topic: String,
    /// Body size; at least `STAMP_BYTES`.
    pub(crate) body_bytes: usize,
    /// Tag, if any.
    pub(crate) tag: Option<String>,
    /// Whether each has a key of its own, which the broker indexes beside the unique id.
    pub(crate) keys: bool,
    /// More property bytes, to see what long properties cost.
    pub(crate) property_bytes: usize,
}

/// A connection to `addr`, host:port; the error names it.
pub(crate) async fn connect(addr: &str) -> io::Result<TcpStream> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{addr}: {error}"));
    let stream = TcpStream::connect(addr).await.map_err(named)?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A request whose changing parts are known.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    frame: Vec<u8>,
    form: HeaderForm,
    opaque_at: usize,
    key_at: Vec<usize>,
    offset_at: Option<usize>,
    stamp_at: Option<usize>,
}

impl Template {
    /// SEND_MESSAGE_V2 to one queue, as a Java producer sends it.
    pub(crate) fn send(message: &Message, queue_id: u32, form: HeaderForm) -> Template {
        let mut command = Command::request(request::SEND_MESSAGE_V2);
        let fields = &mut command.fields;
        fields.push("a", "mqload");
        fields.push("b", &message.topic);
        fields.push("c", "TBW102");
        fields.push("d", "8");
        fields.push_number("e", queue_id);
        fields.push("f", "0");
        fields.push_number("g", now_ns() / 1_000_000);
        fields.push("h", "0");
        fields.push("i", &properties(message));
        fields.push("j", "0");
        fields.push("k", "false");
        fields.push("m", "false");
        let body = vec![b'x'; message.body_bytes.max(STAMP_BYTES)];
        let body_bytes = body.len();
        let mut template = Template::of(command.with_body(body), form);
        template.stamp_at = template.frame.len().checked_sub(body_bytes);
        template
    }

    /// PULL_MESSAGE of one queue; held for `suspend_ms` when there is nothing, unless that is 0.
    pub(crate) fn pull(
        topic: &str,
        group: &str,
        queue_id: u32,
        batch: u32,
        suspend_ms: u64,
        form: HeaderForm,
    ) -> Template {
        let mut command = Command::request(request::PULL_MESSAGE);
        let fields = &mut command.fields;
        let sys_flag = if suspend_ms > 0 { 6 } else { 4 };
        fields.push("consumerGroup", group);
        fields.push("topic", topic);
        fields.push_number("queueId", queue_id);
        fields.push_number("queueOffset", OFFSET_MARK);
        fields.push_number("maxMsgNums", batch);
        fields.push_number("sysFlag", sys_flag);
        fields.push("commitOffset", "0");
        fields.push_number("suspendTimeoutMillis", suspend_ms);
        fields.push("subscription", "*");
        fields.push("subVersion", "0");
        fields.push("expressionType", "TAG");
        let mut template = Template::of(command, form);
        template.offset_at = find(&template.frame, OFFSET_MARK.to_string().as_bytes());
        template
    }

    /// GET_ROUTEINFO_BY_TOPIC, as every client asks its name server.
    pub(crate) fn route(topic: &str, form: HeaderForm) -> Template {
        let mut command = Command::request(request::GET_ROUTEINFO_BY_TOPIC);
        command.fields.push("topic", topic);
        Template::of(command, form)
    }

    fn of(mut command: Command, form: HeaderForm) -> Template {
        command.form = form;
        command.opaque = FIRST_OPAQUE;
        let mut out = Outbound::default();
        frame::encode(command, &mut out);
        let frame = out.copy_to_bytes(out.remaining()).to_vec();
        let opaque_at = match form {
            HeaderForm::Json => find(&frame, FIRST_OPAQUE.to_string().as_bytes()),
            HeaderForm::Binary => find(&frame, &FIRST_OPAQUE.to_be_bytes()),
        };
        let marks = frame.windows(KEY_MARK.len()).enumerate();
        let key_at = marks
            .filter(|(_, window)| *window == KEY_MARK.as_bytes())
            .map(|(at, _)| at + KEY_MARK.len() - KEY_DIGITS)
            .collect();
        Template {
            opaque_at: opaque_at.unwrap_or(0),
            key_at,
            offset_at: None,
            stamp_at: None,
            frame,
            form,
        }
    }

    /// Appends the pull as number `slot` of those in flight, from `offset` on.
    pub(crate) fn write_pull(&self, slot: u32, offset: i64, out: &mut BytesMut) {
        let start = self.write_numbered(slot, out);
        if let Some(at) = self.offset_at {
            patch(out, start + at, &digits::<19>(offset.unsigned_abs()));
        }
    }

    /// Appends the request as number `slot` of those in flight. Where it begins.
    fn write_numbered(&self, slot: u32, out: &mut BytesMut) -> usize {
        let start = out.len();
        out.extend_from_slice(&self.frame);
        let opaque = FIRST_OPAQUE + slot as i32;
        let at = start + self.opaque_at;
        match self.form {
            HeaderForm::Json => patch(out, at, &digits::<10>(u64::from(opaque.unsigned_abs()))),
            HeaderForm::Binary => patch(out, at, &opaque.to_be_bytes()),
        }
        start
    }

    /// Appends the request as number `slot` of those in flight, with a key of its own and the time.
    pub(crate) fn write(&self, slot: u32, key: u64, stamp_ns: u64, out: &mut BytesMut) {
        let start = self.write_numbered(slot, out);
        for at in &self.key_at {
            patch(out, start + at, &hex(key));
        }
        if let Some(at) = self.stamp_at {
            patch(out, start + at, &stamp_ns.to_be_bytes());
        }
    }
}

/// Nanoseconds since 1970.
pub(crate) fn now_ns() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos() as u64)
}

fn properties(message: &Message) -> String {
    let mut text = format!("UNIQ_KEY\u{1}{KEY_MARK}\u{2}WAIT\u{1}true\u{2}");
    if message.keys {
        text.push_str(&format!("KEYS\u{1}{KEY_MARK}\u{2}"));
    }
    if let Some(tag) = &message.tag {
        text.push_str(&format!("TAGS\u{1}{tag}\u{2}"));
    }
    if message.property_bytes > 0 {
        text.push_str(&format!(
            "p\u{1}{}\u{2}",
            "y".repeat(message.property_bytes)
        ));
    }
    text
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}

fn patch(out: &mut BytesMut, at: usize, bytes: &[u8]) {
    if let Some(place) = out.get_mut(at..at + bytes.len()) {
        place.copy_from_slice(bytes);
    }
}

/// The last `N` digits of a number, zeros in front.
fn digits<const N: usize>(mut number: u64) -> [u8; N] {
    let mut digits = [b'0'; N];
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
    digits
}

fn hex(key: u64) -> [u8; KEY_DIGITS] {
    let mut digits = [0; KEY_DIGITS];
    for (index, digit) in digits.iter_mut().rev().enumerate() {
        let nibble = (key >> (4 * index)) as u8 & 15;
        *digit = if nibble < 10 {
            b'0' + nibble
        } else {
            b'A' + nibble - 10
        };
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::{slot_of, take_reply};

    #[test]
    fn a_written_request_is_a_frame_with_its_own_opaque_and_key() {
        let message = Message {
            topic: "T".into(),
            body_bytes: 20,
            tag: Some("t".into()),
            keys: true,
            property_bytes: 3,
        };
        for form in [HeaderForm::Json, HeaderForm::Binary] {
            let template = Template::send(&message, 3, form);
            let mut out = BytesMut::new();
            template.write(5, 0xABC, 7, &mut out);
            template.write(6, 1, 8, &mut out);
            let first = take_reply(&mut out).expect("valid").expect("whole");
            let second = take_reply(&mut out).expect("valid").expect("whole");
            assert_eq!((slot_of(&first), slot_of(&second)), (Some(5), Some(6)));
            assert_eq!(first.fields.get("e").as_deref(), Some("3"));
            let text = first.fields.get("i").expect("properties").into_owned();
            assert!(
                text.contains("UNIQ_KEY\u{1}0123456789ABCDEF0000000000000ABC\u{2}")
                    && text.contains("\u{2}KEYS\u{1}0123456789ABCDEF0000000000000ABC\u{2}"),
                "{text}"
            );
            assert_eq!(
                second.body.into_bytes().first_chunk(),
                Some(&8u64.to_be_bytes())
            );
        }
    }

    #[test]
    fn a_written_pull_says_from_where() {
        for form in [HeaderForm::Json, HeaderForm::Binary] {
            let template = Template::pull("T", "G", 3, 32, 0, form);
            for offset in [0, 7, i64::MAX / 2] {
                let mut out = BytesMut::new();
                template.write_pull(9, offset, &mut out);
                let pull = take_reply(&mut out).expect("valid").expect("whole");
                let read: remoting::header::pull::PullRequest<'_> = pull.header().expect("whole");
                assert_eq!((read.queue_offset, read.queue_id), (offset, 3));
                assert_eq!(slot_of(&pull), Some(9));
            }
        }
    }
}
