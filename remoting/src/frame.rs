//! Frames: where one command ends and the next begins.
//!
//! | bytes | name            | meaning                                                  |
//! |-------|-----------------|----------------------------------------------------------|
//! | 4     | length          | of all that follows                                      |
//! | 1     | header form     | 0 JSON, 1 binary                                         |
//! | 3     | header length   |                                                          |
//! | n     | header          | `header_json`, `header_binary`                           |
//! | rest  | body            |                                                          |
//!
//! Big-endian. A frame that cannot be read ends its connection: nothing after it can be trusted to be a frame.
//!
//! Java 4.7.0 `NettyDecoder`, `RemotingCommand.decode`.

use std::fmt;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::code::response;
use crate::command::{Body, Command, HeaderForm};
use crate::ext_fields::ExtFields;
use crate::outbound::Outbound;
use crate::{header_binary, header_json};

/// The longest frame that is read unless configured otherwise, its length prefix counted.
/// Java's `com.rocketmq.remoting.frameMaxLength`.
pub const FRAME_LIMIT_BYTES: u64 = 16_777_216;

const PREFIX_BYTES: u64 = 4;

/// What three bytes can say.
const HEADER_LIMIT_BYTES: usize = 0x00ff_ffff;

/// Why a peer's bytes are not a command. The connection that sent them is closed, as Java does.
#[derive(Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// More bytes than allowed, the length prefix counted in.
    FrameTooLong {
        /// What the prefix claims.
        bytes: u64,
        /// What is allowed.
        limit_bytes: u64,
    },
    /// Shorter than the word that holds the header's length, or than the header.
    FrameTooShort {
        /// The frame without its prefix.
        bytes: usize,
        /// What the frame says of its header.
        header_bytes: usize,
    },
    /// Header form other than 0 (JSON) or 1 (binary).
    HeaderForm(u8),
    /// The JSON header makes no sense from this byte on.
    JsonHeader {
        /// Counted from the header's first byte.
        at_byte: usize,
    },
    /// A length inside the binary header points past its end.
    BinaryHeader {
        /// The whole header.
        header_bytes: usize,
    },
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DecodeError::FrameTooLong { bytes, limit_bytes } => {
                write!(f, "a frame of {bytes} bytes, the limit is {limit_bytes}")
            }
            DecodeError::FrameTooShort {
                bytes,
                header_bytes,
            } => {
                write!(
                    f,
                    "a frame of {bytes} bytes that claims a header of {header_bytes}"
                )
            }
            DecodeError::HeaderForm(form) => {
                write!(f, "header form {form}, known are 0 (JSON) and 1 (binary)")
            }
            DecodeError::JsonHeader { at_byte } => {
                write!(f, "a JSON header that makes no sense at byte {at_byte}")
            }
            DecodeError::BinaryHeader { header_bytes } => {
                write!(
                    f,
                    "a binary header of {header_bytes} bytes with a length that points past its end"
                )
            }
        }
    }
}

impl std::error::Error for DecodeError {}

/// Cuts one frame off the front of `input`, without its prefix; `None` until all of it has arrived.
///
/// # Errors
/// `FrameTooLong` as soon as the prefix is there, so that nothing is kept for a frame that will be refused.
pub fn take_frame(input: &mut BytesMut, limit_bytes: u64) -> Result<Option<Bytes>, DecodeError> {
    let Some(prefix) = input.first_chunk::<4>() else {
        return Ok(None);
    };
    let bytes = PREFIX_BYTES + u64::from(u32::from_be_bytes(*prefix));
    if bytes > limit_bytes {
        return Err(DecodeError::FrameTooLong { bytes, limit_bytes });
    }
    if (input.len() as u64) < bytes {
        return Ok(None);
    }
    input.advance(PREFIX_BYTES as usize);
    let frame = input.split_to((bytes - PREFIX_BYTES) as usize);
    Ok(Some(frame.freeze()))
}

/// How many whole frames `input` begins with.
pub(crate) fn count(mut input: &[u8]) -> usize {
    let mut frames = 0;
    while let Some((prefix, rest)) = input.split_first_chunk::<4>()
        && let Some(behind) = rest.get(u32::from_be_bytes(*prefix) as usize..)
    {
        input = behind;
        frames += 1;
    }
    frames
}

/// Reads a frame that `take_frame` has cut.
///
/// # Errors
/// See `DecodeError`; the bytes are never trusted beyond the frame's end.
pub fn decode(mut frame: Bytes) -> Result<Command, DecodeError> {
    let Some((word, rest)) = frame.split_first_chunk::<4>() else {
        return Err(DecodeError::FrameTooShort {
            bytes: frame.len(),
            header_bytes: 0,
        });
    };
    let word = *word;
    let [form, ..] = word;
    let header_bytes = (u32::from_be_bytes(word) & 0x00ff_ffff) as usize;
    if rest.len() < header_bytes {
        return Err(DecodeError::FrameTooShort {
            bytes: frame.len(),
            header_bytes,
        });
    }
    let body = frame.split_off(word.len() + header_bytes);
    frame.advance(word.len());
    let header = frame;
    let mut command = Command {
        body: body.into(),
        ..Command::default()
    };
    match form {
        0 => header_json::decode(header, &mut command)?,
        1 => {
            command.form = HeaderForm::Binary;
            header_binary::decode(&header, &mut command)?;
        }
        other => return Err(DecodeError::HeaderForm(other)),
    }
    Ok(command)
}

/// Appends `command` as a frame to `out`. A header that no frame can hold goes out as an error in its place.
pub fn encode(command: Command, out: &mut Outbound) {
    let body_bytes = command.body.len();
    let frame = out.tail();
    let start = frame.len();
    frame.put_u64(0); // length, form and header length: known when the header is written
    match command.form {
        HeaderForm::Json => header_json::encode(&command, frame),
        HeaderForm::Binary => header_binary::encode(&command, frame),
    }
    let header_bytes = frame.len() - start - 8;
    if header_bytes > HEADER_LIMIT_BYTES {
        frame.truncate(start);
        return encode(too_long(&command, header_bytes), out);
    }
    let form = u32::from(command.form == HeaderForm::Binary) << 24;
    if let Some((length, word)) = frame
        .get_mut(start..start + 8)
        .and_then(|prefix| prefix.split_first_chunk_mut::<4>())
    {
        *length = ((4 + header_bytes + body_bytes) as u32).to_be_bytes();
        word.copy_from_slice(&(form | header_bytes as u32).to_be_bytes());
    }
    match command.body {
        Body::Bytes(bytes) => out.push(bytes),
        Body::Slices(slices) => slices.into_iter().for_each(|slice| out.push(slice)),
    }
}

fn too_long(command: &Command, header_bytes: usize) -> Command {
    Command {
        code: response::SYSTEM_ERROR,
        remark: Some(format!(
            "a header of {header_bytes} bytes fits into no frame"
        )),
        fields: ExtFields::default(),
        body: Body::default(),
        ..command.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(form: HeaderForm) -> BytesMut {
        let mut command = Command::request(310).with_body(vec![7; 5]);
        command.form = form;
        command.fields.push("a", "group");
        let mut out = Outbound::default();
        encode(command, &mut out);
        BytesMut::from(&*out.copy_to_bytes(out.remaining()))
    }

    #[test]
    fn both_forms_survive_a_round_trip() {
        for form in [HeaderForm::Json, HeaderForm::Binary] {
            let mut bytes = framed(form);
            let frame = take_frame(&mut bytes, FRAME_LIMIT_BYTES)
                .expect("short")
                .expect("whole");
            let command = decode(frame).expect("valid");
            assert_eq!(
                (command.code, command.form, command.body.len()),
                (310, form, 5)
            );
            assert_eq!(command.fields.get("a").as_deref(), Some("group"));
            assert!(bytes.is_empty());
        }
    }

    #[test]
    fn a_frame_is_taken_when_its_last_byte_is_there() {
        let whole = framed(HeaderForm::Binary);
        for end in 0..whole.len() {
            assert_eq!(
                take_frame(&mut BytesMut::from(&whole[..end]), FRAME_LIMIT_BYTES),
                Ok(None)
            );
        }
    }

    #[test]
    fn the_limit_counts_the_prefix() {
        let whole = framed(HeaderForm::Json);
        let bytes = whole.len() as u64;
        assert!(take_frame(&mut whole.clone(), bytes).is_ok_and(|frame| frame.is_some()));
        let refused = take_frame(&mut whole.clone(), bytes - 1);
        assert_eq!(
            refused,
            Err(DecodeError::FrameTooLong {
                bytes,
                limit_bytes: bytes - 1
            })
        );
    }

    #[test]
    fn wrong_forms_and_lengths_are_refused() {
        assert_eq!(
            decode(Bytes::from_static(&[0, 0])).err(),
            Some(DecodeError::FrameTooShort {
                bytes: 2,
                header_bytes: 0
            })
        );
        let short = decode(Bytes::from_static(&[0, 0, 0, 9, 1]));
        assert_eq!(
            short.err(),
            Some(DecodeError::FrameTooShort {
                bytes: 5,
                header_bytes: 9
            })
        );
        assert_eq!(
            decode(Bytes::from_static(&[2, 0, 0, 0])).err(),
            Some(DecodeError::HeaderForm(2))
        );
    }

    #[test]
    fn a_header_that_no_frame_can_hold_goes_out_as_an_error() {
        let mut out = Outbound::default();
        let mut reply = Command::success().with_remark("\u{1}".repeat(3 << 20)); // six characters each in JSON
        reply.opaque = 7;
        encode(reply, &mut out);
        let mut bytes = BytesMut::from(&*out.copy_to_bytes(out.remaining()));
        let frame = take_frame(&mut bytes, FRAME_LIMIT_BYTES)
            .expect("short")
            .expect("whole");
        let read = decode(frame).expect("valid");
        assert_eq!((read.code, read.opaque), (1, 7));
    }
}
