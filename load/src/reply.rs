//! What is read of a reply: no more than the tool goes on from, without taking the header apart.
//!
//! Headers that are not JSON as both Java and this repository write it are read in full.

use bytes::{Buf, BytesMut};
use memchr::memmem;
use remoting::Command;
use remoting::code::response;
use remoting::frame::{self, DecodeError, FRAME_LIMIT_BYTES};

use crate::wire::FIRST_OPAQUE;

/// The slot of the request that `reply` answers, if it answers one of ours.
pub(crate) fn slot_of(reply: &Command) -> Option<usize> {
    slot(reply.opaque)
}

fn slot(opaque: i32) -> Option<usize> {
    usize::try_from(opaque.checked_sub(FIRST_OPAQUE)?).ok()
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

/// The outcome that the next whole reply tells.
///
/// # Errors
/// The server sent bytes that are not a command.
pub(crate) fn take_outcome(input: &mut BytesMut) -> Result<Option<Outcome>, DecodeError> {
    if let Some(seen) = glance(input) {
        let (outcome, frame_bytes) = (seen.outcome, seen.frame_bytes);
        input.advance(frame_bytes);
        return Ok(Some(outcome));
    }
    let reply = take_reply(input)?;
    Ok(reply.map(|reply| Outcome {
        code: reply.code,
        slot: slot_of(&reply),
    }))
}

/// What a puller needs to know of a reply.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Pulled {
    /// Whether there are messages, and which pull it answers.
    pub(crate) outcome: Outcome,
    /// Where to go on in the queue.
    pub(crate) next_begin: Option<i64>,
    /// How many messages came.
    pub(crate) messages: u64,
}

/// What the next whole reply to a pull tells; `each` is given the stamp of every message in it.
///
/// # Errors
/// The server sent bytes that are not a command.
pub(crate) fn take_pulled(
    input: &mut BytesMut,
    each: impl FnMut(u64),
) -> Result<Option<Pulled>, DecodeError> {
    const NEXT_BEGIN: &[u8] = b"\"nextBeginOffset\":\"";
    if let Some(seen) = glance(input) {
        let next = memmem::find(seen.header, NEXT_BEGIN).map(|at| at + NEXT_BEGIN.len());
        let next_begin = next.and_then(|at| leading_number(seen.header.get(at..)?));
        let (frame_bytes, body) = (seen.frame_bytes, seen.body);
        let pulled = Pulled::of(seen.outcome, next_begin, body, each);
        input.advance(frame_bytes);
        return Ok(Some(pulled));
    }
    let reply = take_reply(input)?;
    Ok(reply.map(|reply| {
        let outcome = Outcome {
            code: reply.code,
            slot: slot_of(&reply),
        };
        let next_begin = reply.fields.get("nextBeginOffset");
        let next_begin = next_begin.and_then(|text| text.parse().ok());
        Pulled::of(outcome, next_begin, &reply.body.into_bytes(), each)
    }))
}

impl Pulled {
    fn of(outcome: Outcome, next_begin: Option<i64>, body: &[u8], each: impl FnMut(u64)) -> Pulled {
        let messages = match outcome.code {
            response::SUCCESS => records(body, each),
            _ => 0,
        };
        Pulled {
            outcome,
            next_begin,
            messages,
        }
    }
}

/// A frame that has arrived whole.
struct Glance<'a> {
    frame_bytes: usize,
    outcome: Outcome,
    header: &'a [u8],
    body: &'a [u8],
}

/// The frame that `input` begins with. The code is the first field of a header; the opaque is found from the end, as quotes
/// inside a value have a backslash before them.
fn glance(input: &[u8]) -> Option<Glance<'_>> {
    const CODE: &[u8] = b"{\"code\":";
    const OPAQUE: &[u8; 9] = b"\"opaque\":";
    let (length, rest) = input.split_first_chunk::<4>()?;
    let frame = rest.get(..u32::from_be_bytes(*length) as usize)?;
    let (word, rest) = frame.split_first_chunk::<4>()?;
    let word = u32::from_be_bytes(*word);
    let is_json = word >> 24 == 0;
    let (header, body) = rest.split_at_checked(word as usize).filter(|_| is_json)?;
    let code = leading_number(header.strip_prefix(CODE)?)?;
    let opaque_at = header.windows(OPAQUE.len()).rposition(|w| w == OPAQUE)? + OPAQUE.len();
    let opaque = leading_number(header.get(opaque_at..)?)?;
    Some(Glance {
        frame_bytes: length.len() + frame.len(),
        outcome: Outcome {
            code: i32::try_from(code).ok()?,
            slot: slot(i32::try_from(opaque).ok()?),
        },
        header,
        body,
    })
}

/// The digits that `text` begins with.
fn leading_number(text: &[u8]) -> Option<i64> {
    let end = text.iter().position(|byte| !byte.is_ascii_digit())?;
    str::from_utf8(text.get(..end)?).ok()?.parse().ok()
}

/// Walks over the records of a pull reply: count, and the stamp of each.
fn records(mut body: &[u8], mut each: impl FnMut(u64)) -> u64 {
    const BODY_LENGTH_AT: usize = 84; // with IPv4 hosts; see `store::record::layout`
    let mut count = 0;
    while let Some(size) = body.first_chunk() {
        let size = u32::from_be_bytes(*size) as usize;
        let Some((record, behind)) = body.split_at_checked(size).filter(|_| size > 0) else {
            break;
        };
        let stamp = record.get(BODY_LENGTH_AT + 4..);
        let stamp = stamp.and_then(|rest| rest.first_chunk());
        each(stamp.map_or(0, |stamp| u64::from_be_bytes(*stamp)));
        count += 1;
        body = behind;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use remoting::HeaderForm;
    use remoting::outbound::Outbound;

    /// These replies as a server writes them, one behind the other.
    fn written(replies: &[Command]) -> BytesMut {
        let mut out = Outbound::default();
        for reply in replies {
            frame::encode(reply.clone(), &mut out);
        }
        BytesMut::from(&*out.copy_to_bytes(out.remaining()))
    }

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
        let mut input = written(&replies);
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
    fn a_pulls_reply_tells_where_to_go_on_and_every_stamp() {
        let record = |stamp: u64| {
            let mut record = vec![0; 100];
            record[..4].copy_from_slice(&100_u32.to_be_bytes());
            record[88..96].copy_from_slice(&stamp.to_be_bytes());
            record
        };
        for form in [HeaderForm::Json, HeaderForm::Binary] {
            let mut found = Command::success().with_body([record(5), record(6)].concat());
            found.fields.push("minOffset", "1");
            found.fields.push("nextBeginOffset", "1234567890123");
            let mut nothing = Command::reply(response::PULL_NOT_FOUND);
            nothing.fields.push("nextBeginOffset", "8");
            (found.opaque, nothing.opaque) = (FIRST_OPAQUE + 3, FIRST_OPAQUE + 4);
            (found.form, nothing.form) = (form, form);
            let mut input = written(&[found, nothing]);
            let mut stamps = Vec::new();
            let mut next = || {
                let pulled = take_pulled(&mut input, |stamp| stamps.push(stamp));
                let pulled = pulled.expect("valid").expect("whole");
                (pulled.outcome.slot, pulled.next_begin, pulled.messages)
            };
            assert_eq!(next(), (Some(3), Some(1_234_567_890_123), 2));
            assert_eq!(next(), (Some(4), Some(8), 0));
            assert_eq!((stamps, input.len()), (vec![5, 6], 0));
        }
    }
}
