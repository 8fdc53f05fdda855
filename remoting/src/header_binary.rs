//! The binary form of a header (`ROCKETMQ`).
//!
//! | bytes | name         | meaning                                        |
//! |-------|--------------|------------------------------------------------|
//! | 2     | `code`       | signed: codes above 32,767 exist in JSON only  |
//! | 1     | `language`   |                                                |
//! | 2     | `version`    |                                                |
//! | 4     | `opaque`     |                                                |
//! | 4     | `flag`       |                                                |
//! | 4 + n | `remark`     | length 0: none                                 |
//! | 4 + n | fields       | total length, then the entries of `ExtFields`  |
//!
//! Big-endian. Every length is bounded by the bytes that are left in the header (Java trusted them, #3474).
//!
//! Java 4.7.0 `RocketMQSerializable`.

use bytes::{BufMut, Bytes, BytesMut};

use crate::code::language::Language;
use crate::command::Command;
use crate::ext_fields::{ExtFields, take_entry};
use crate::frame::DecodeError;

/// Fills `command` with what the bytes of `header` say.
pub(crate) fn decode(header: &Bytes, command: &mut Command) -> Result<(), DecodeError> {
    read_header(header, command).ok_or(DecodeError::BinaryHeader {
        header_bytes: header.len(),
    })
}

fn read_header(header: &Bytes, command: &mut Command) -> Option<()> {
    let (code, rest) = header.split_first_chunk::<2>()?;
    let (language, rest) = rest.split_first()?;
    let (version, rest) = rest.split_first_chunk::<2>()?;
    let (opaque, rest) = rest.split_first_chunk::<4>()?;
    let (flag, rest) = rest.split_first_chunk::<4>()?;
    command.code = i32::from(i16::from_be_bytes(*code));
    command.language = Language::from_byte(*language);
    command.version = i32::from(i16::from_be_bytes(*version));
    command.opaque = i32::from_be_bytes(*opaque);
    command.flag = i32::from_be_bytes(*flag);
    let (remark, rest) = take_run(rest)?;
    command.remark = (!remark.is_empty()).then(|| String::from_utf8_lossy(remark).into_owned());
    let (entries, _) = take_run(rest)?;
    let mut unread = entries;
    while !unread.is_empty() {
        (_, _, unread) = take_entry(unread)?;
    }
    command.fields = ExtFields::from_checked_binary(header.slice_ref(entries));
    Some(())
}

/// A run of bytes behind its i32 length. A negative length reads as 0, as in Java.
fn take_run(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(i32::from_be_bytes(*length)).unwrap_or(0))
}

/// Appends the binary form of `command`'s header to `out`. A code that has no place in two bytes is cut, as in Java.
pub(crate) fn encode(command: &Command, out: &mut BytesMut) {
    out.extend_from_slice(&(command.code as i16).to_be_bytes());
    out.put_u8(command.language.byte());
    out.extend_from_slice(&(command.version as i16).to_be_bytes());
    out.extend_from_slice(&command.opaque.to_be_bytes());
    out.extend_from_slice(&command.flag.to_be_bytes());
    let remark = command.remark.as_deref().unwrap_or("");
    out.extend_from_slice(&(remark.len() as u32).to_be_bytes());
    out.extend_from_slice(remark.as_bytes());
    let length_at = out.len();
    out.put_u32(0); // the entries' length: known when they are written
    match command.fields.as_binary() {
        Some(entries) => out.extend_from_slice(entries),
        None => (command.fields.iter()).for_each(|(name, value)| push_entry(out, &name, &value)),
    }
    let length = (out.len() - length_at - 4) as u32;
    if let Some(place) = out.get_mut(length_at..).and_then(<[u8]>::first_chunk_mut) {
        *place = length.to_be_bytes();
    }
}

/// A name or value longer than its length field can say is cut there.
fn push_entry(out: &mut BytesMut, name: &str, value: &str) {
    let name = cut(name, i16::MAX as usize);
    let value = cut(value, i32::MAX as usize);
    out.put_u16(name.len() as u16);
    out.extend_from_slice(name.as_bytes());
    out.put_u32(value.len() as u32);
    out.extend_from_slice(value.as_bytes());
}

fn cut(text: &str, limit_bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(limit_bytes))
        .unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> BytesMut {
        let mut command = Command::request(-2);
        command.remark = Some("é".into());
        command.fields.push("topic", "T");
        command.fields.push("empty", "");
        let mut bytes = BytesMut::new();
        encode(&command, &mut bytes);
        bytes
    }

    fn read(bytes: &[u8]) -> Result<Command, DecodeError> {
        let mut command = Command::request(0);
        decode(&Bytes::copy_from_slice(bytes), &mut command).map(|()| command)
    }

    #[test]
    fn what_is_written_reads_back() {
        let command = read(&sample()).expect("valid");
        assert_eq!((command.code, command.remark.as_deref()), (-2, Some("é")));
        assert_eq!(
            command.fields,
            [("topic", "T"), ("empty", "")].into_iter().collect()
        );
    }

    #[test]
    fn a_header_cut_anywhere_is_refused() {
        let bytes = sample();
        for end in 0..bytes.len() {
            assert!(
                read(&bytes[..end]).is_err(),
                "read a header cut at byte {end}"
            );
        }
    }

    #[test]
    fn an_entry_cut_anywhere_is_none() {
        let mut entry = BytesMut::new();
        push_entry(&mut entry, "topic", "T");
        assert!(take_entry(&entry).is_some());
        for end in 0..entry.len() {
            assert!(
                take_entry(&entry[..end]).is_none(),
                "read an entry cut at byte {end}"
            );
        }
    }

    #[test]
    fn lengths_beyond_the_header_are_refused() {
        let bytes = sample();
        for at in 13..bytes.len() {
            let mut wrong = bytes.clone();
            wrong[at] = 0x7f;
            let _ = read(&wrong); // must not panic; a changed letter is still a header
        }
        let mut wrong = bytes;
        wrong[13] = 0x7f; // the remark's length
        assert!(read(&wrong).is_err());
    }
}
