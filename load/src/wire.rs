//! Requests made once and sent many times: only the opaque, the queue, the message key and the stamp change.
//!
//! The tool shares the machine with the server it measures. What a request costs here is taken from the server, so a
//! request is a copy of bytes, and of a send's reply no more than code and opaque is looked at.

use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::{Buf, Bytes, BytesMut};
use remoting::code::request;
use remoting::frame::{self, DecodeError, FRAME_LIMIT_BYTES};
use remoting::outbound::Outbound;
use remoting::{Command, HeaderForm};
use tokio::net::TcpStream;

/// Ten digits wherever it goes, so that a JSON header keeps its length.
const FIRST_OPAQUE: i32 = 1_000_000_000;
const KEY_MARK: &str = "0123456789ABCDEF0123456789ABCDEF";
const KEY_DIGITS: usize = 16;

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

    /// PULL_MESSAGE of one queue from `offset`; held for `suspend_ms` when there is nothing, unless that is 0.
    pub(crate) fn pull(
        topic: &str,
        group: &str,
        queue_id: u32,
        offset: i64,
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
        fields.push_number("queueOffset", offset);
        fields.push_number("maxMsgNums", batch);
        fields.push_number("sysFlag", sys_flag);
        fields.push("commitOffset", "0");
        fields.push_number("suspendTimeoutMillis", suspend_ms);
        fields.push("subscription", "*");
        fields.push("subVersion", "0");
        fields.push("expressionType", "TAG");
        Template::of(command, form)
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
            stamp_at: None,
            frame,
            form,
        }
    }

    /// Appends the request as number `slot` of those in flight, with a key of its own and the time.
    pub(crate) fn write(&self, slot: u32, key: u64, stamp_ns: u64, out: &mut BytesMut) {
        let start = out.len();
        out.extend_from_slice(&self.frame);
        let opaque = FIRST_OPAQUE + slot as i32;
        match self.form {
            HeaderForm::Json => patch(out, start + self.opaque_at, opaque.to_string().as_bytes()),
            HeaderForm::Binary => patch(out, start + self.opaque_at, &opaque.to_be_bytes()),
        }
        for at in &self.key_at {
            patch(out, start + at, &hex(key));
        }
        if let Some(at) = self.stamp_at {
            patch(out, start + at, &stamp_ns.to_be_bytes());
        }
    }
}

/// The slot of the request that `reply` answers, if it answers one of ours.
pub(crate) fn slot_of(reply: &Command) -> Option<usize> {
    usize::try_from(reply.opaque.checked_sub(FIRST_OPAQUE)?).ok()
}

/// The next reply that has arrived whole.
///
/// # Errors
/// The server sent bytes that are not a command.
pub(crate) fn take_reply(input: &mut BytesMut) -> Result<Option<Command>, DecodeError> {
    frame::take_frame(input, FRAME_LIMIT_BYTES)?
        .map(frame::decode)
        .transpose()
}

/// What a sender needs to know of a reply.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// 0 for success.
    pub(crate) code: i32,
    /// The request that it answers, if that is one of ours.
    pub(crate) slot: Option<usize>,
}

/// The outcome that the next whole reply tells. What is not a JSON header as both Java and this repository write it is read
/// in full.
///
/// # Errors
/// The server sent bytes that are not a command.
pub(crate) fn take_outcome(input: &mut BytesMut) -> Result<Option<Outcome>, DecodeError> {
    if let Some((frame_bytes, outcome)) = glance(input) {
        input.advance(frame_bytes);
        return Ok(Some(outcome));
    }
    let reply = take_reply(input)?;
    Ok(reply.map(|reply| Outcome {
        code: reply.code,
        slot: slot_of(&reply),
    }))
}

/// Bytes of the frame that `input` begins with, and its outcome. The code is the first field of a header; the opaque is found
/// from the end, as quotes inside a value have a backslash before them.
fn glance(input: &[u8]) -> Option<(usize, Outcome)> {
    const CODE: &[u8] = b"{\"code\":";
    const OPAQUE: &[u8; 9] = b"\"opaque\":";
    let (length, rest) = input.split_first_chunk::<4>()?;
    let frame = rest.get(..u32::from_be_bytes(*length) as usize)?;
    let (word, rest) = frame.split_first_chunk::<4>()?;
    let word = u32::from_be_bytes(*word);
    let is_json = word >> 24 == 0;
    let header = rest.get(..word as usize).filter(|_| is_json)?;
    let code = leading_number(header.strip_prefix(CODE)?)?;
    let opaque_at = header.windows(OPAQUE.len()).rposition(|w| w == OPAQUE)? + OPAQUE.len();
    let opaque = leading_number(header.get(opaque_at..)?)?;
    let slot = opaque.checked_sub(FIRST_OPAQUE).map(usize::try_from);
    let slot = slot.and_then(Result::ok);
    Some((length.len() + frame.len(), Outcome { code, slot }))
}

/// The digits that `text` begins with.
fn leading_number(text: &[u8]) -> Option<i32> {
    let end = text.iter().position(|byte| !byte.is_ascii_digit())?;
    str::from_utf8(text.get(..end)?).ok()?.parse().ok()
}

/// Walks over the records of a pull reply: count, and the stamp of each.
pub(crate) fn records(mut body: Bytes, mut each: impl FnMut(u64)) -> u64 {
    const BODY_LENGTH_AT: usize = 84; // with IPv4 hosts; see `store::record::layout`
    let mut count = 0;
    while body.len() >= BODY_LENGTH_AT + 4 {
        let size = body
            .get(..4)
            .and_then(|b| b.first_chunk())
            .map_or(0, |b| u32::from_be_bytes(*b)) as usize;
        if size == 0 || size > body.len() {
            break;
        }
        let stamp = body
            .get(BODY_LENGTH_AT + 4..)
            .and_then(|b| b.first_chunk())
            .map(|b| u64::from_be_bytes(*b));
        each(stamp.unwrap_or(0));
        count += 1;
        body.advance(size);
    }
    count
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

    #[test]
    fn a_glance_at_a_reply_sees_what_reading_it_in_full_does() {
        let mut replies = Vec::new();
        for form in [HeaderForm::Json, HeaderForm::Binary] {
            for (code, opaque) in [(0, FIRST_OPAQUE + 7), (2, FIRST_OPAQUE), (1, 3), (0, -1)] {
                let mut reply = Command::success().with_remark("\"opaque\":5,");
                (reply.code, reply.opaque, reply.form) = (code, opaque, form);
                reply.fields.push("opaque", "9");
                replies.push(reply);
            }
        }
        let mut out = Outbound::default();
        replies
            .iter()
            .for_each(|reply| frame::encode(reply.clone(), &mut out));
        let mut input = BytesMut::from(&*out.copy_to_bytes(out.remaining()));
        assert!(glance(&input).is_some());
        let mut cut = BytesMut::from(&input[..20]);
        assert_eq!(take_outcome(&mut cut), Ok(None));
        for reply in replies {
            let outcome = take_outcome(&mut input).expect("valid").expect("whole");
            assert_eq!((outcome.code, outcome.slot), (reply.code, slot_of(&reply)));
        }
        assert!(input.is_empty());
    }

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
}
