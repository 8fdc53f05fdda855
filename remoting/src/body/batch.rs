//! Several messages in one send (320).
//!
//! | bytes | name             | meaning                                       |
//! |-------|------------------|-----------------------------------------------|
//! | 4     | total size       | of this message, these four bytes counted in  |
//! | 4     | magic            | 0, not looked at                              |
//! | 4     | body CRC         | 0, not looked at                              |
//! | 4     | flag             |                                               |
//! | 4 + n | body             | behind its length                             |
//! | 2 + n | properties       | behind their length                           |
//!
//! one message behind the other, big-endian. The rule that is easy to break: nothing is stored of a batch that cannot
//! be read to its end, and a length is never trusted beyond the bytes that are there.
//!
//! Java 4.7.0 `common/message/MessageDecoder.java` (`encodeMessage`), `store/CommitLog.java`
//! (`MessageExtBatchEncoder`), which takes a negative length of properties for a place to go back to.

use std::fmt;

/// One message of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchMessage<'a> {
    /// The sender's own.
    pub flag: i32,
    /// Its bytes.
    pub body: &'a [u8],
    /// `name \x01 value \x02 …`
    pub properties: &'a str,
}

/// The bytes are not a batch. Nothing of it is stored, the sender gets code 13.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchError {
    /// The message, counted from 0, that cannot be read.
    pub message: usize,
}

impl fmt::Display for BatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "message {} of the batch cannot be read", self.message)
    }
}

impl std::error::Error for BatchError {}

/// The messages of a batch.
///
/// # Errors
/// `BatchError` when one of them is cut, or its properties are longer than 32,767 bytes or no text.
pub fn decode(mut bytes: &[u8]) -> Result<Vec<BatchMessage<'_>>, BatchError> {
    let mut messages = Vec::new();
    while !bytes.is_empty() {
        let message = take(&mut bytes);
        messages.push(message.ok_or(BatchError {
            message: messages.len(),
        })?);
    }
    Ok(messages)
}

fn take<'a>(bytes: &mut &'a [u8]) -> Option<BatchMessage<'a>> {
    take_bytes(bytes, 12)?; // total size, magic, CRC
    let flag = i32::from_be_bytes(take_array(bytes)?);
    let body_bytes = i32::from_be_bytes(take_array(bytes)?);
    let body = take_bytes(bytes, usize::try_from(body_bytes).ok()?)?;
    let properties_bytes = i16::from_be_bytes(take_array(bytes)?);
    let properties = take_bytes(bytes, usize::try_from(properties_bytes).ok()?)?;
    Some(BatchMessage {
        flag,
        body,
        properties: std::str::from_utf8(properties).ok()?,
    })
}

fn take_bytes<'a>(bytes: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    bytes.split_off(..count)
}

fn take_array<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*head)
}

/// The bytes of a batch, as a client writes them.
#[must_use]
pub fn encode(messages: &[BatchMessage<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    for message in messages {
        let total = 4 + 4 + 4 + 4 + 4 + message.body.len() + 2 + message.properties.len();
        out.extend_from_slice(&(total as u32).to_be_bytes());
        out.extend_from_slice(&[0; 8]);
        out.extend_from_slice(&message.flag.to_be_bytes());
        out.extend_from_slice(&(message.body.len() as u32).to_be_bytes());
        out.extend_from_slice(message.body);
        out.extend_from_slice(&(message.properties.len() as u16).to_be_bytes());
        out.extend_from_slice(message.properties.as_bytes());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: [BatchMessage<'static>; 2] = [
        BatchMessage {
            flag: 7,
            body: b"first",
            properties: "KEYS\u{1}k\u{2}",
        },
        BatchMessage {
            flag: -1,
            body: b"",
            properties: "",
        },
    ];

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(decode(&encode(&TWO)), Ok(TWO.to_vec()));
        assert_eq!(decode(b""), Ok(vec![]));
    }

    #[test]
    fn a_batch_cut_anywhere_inside_a_message_is_refused() {
        let bytes = encode(&TWO);
        let first = encode(&TWO[..1]).len();
        for cut in (1..bytes.len()).filter(|cut| *cut != first) {
            let message = usize::from(cut > first);
            assert_eq!(decode(&bytes[..cut]), Err(BatchError { message }), "{cut}");
        }
    }

    #[test]
    fn lengths_below_zero_are_refused() {
        let bytes = encode(&TWO[1..]);
        for at in [16, 20] {
            let mut bytes = bytes.clone();
            bytes[at] = 0xff;
            assert_eq!(decode(&bytes), Err(BatchError { message: 0 }), "{at}");
        }
    }
}
