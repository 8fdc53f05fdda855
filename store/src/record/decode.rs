//! The bytes of a record into its fields, borrowed, nothing trusted.
//!
//! Every length is checked against the bytes that are there and against the length of the record:
//! a record is whole and consistent, or it is an error. The body's CRC is checked on request only.
//! Java 4.7.0 `store/CommitLog.java`: `checkMessageAndReturnSize`.

use std::fmt;

use super::layout::{
    BLANK_BYTES, BLANK_MAGIC, MAX_PROPERTIES_BYTES, MAX_TOPIC_BYTES, MESSAGE_MAGIC, body_crc,
    born_host_bytes, store_host_bytes,
};

/// Why bytes are not a record. In recovery the log ends here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// Fewer bytes than the record says, or than any record has.
    Cut {
        /// How many there are.
        bytes: usize,
    },
    /// Neither the magic of a message nor that of a filler; 0 where nothing was ever written.
    Magic(u32),
    /// The lengths inside do not add up to the length of the record.
    Length {
        /// What the record says.
        record_bytes: u32,
    },
    /// The body is not what was stored.
    Crc {
        /// As stored.
        stored: u32,
        /// As computed.
        computed: u32,
    },
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DecodeError::Cut { bytes } => write!(f, "record is cut after {bytes} bytes"),
            DecodeError::Magic(magic) => write!(f, "magic {magic:#010x} is not a record's"),
            DecodeError::Length { record_bytes } => {
                write!(f, "lengths do not add up to the record's {record_bytes}")
            }
            DecodeError::Crc { stored, computed } => {
                write!(f, "body CRC is {computed:#x}, stored was {stored:#x}")
            }
        }
    }
}

impl std::error::Error for DecodeError {}

/// What lies at some place of the log.
pub enum Frame<'a> {
    /// A whole record.
    Message(Record<'a>),
    /// The rest of the file is unused.
    Blank,
}

/// A record's fields, borrowed from its bytes. See `layout` for what they mean.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Bytes of the whole record.
    pub record_bytes: u32,
    /// Stored CRC of the body.
    pub body_crc: u32,
    /// Queue of the topic.
    pub queue_id: u32,
    /// The sender's own.
    pub flag: i32,
    /// Entry in the queue.
    pub queue_offset: i64,
    /// Its own place in the log.
    pub log_offset: i64,
    /// Java's `MessageSysFlag` bits.
    pub sys_flag: i32,
    /// Milliseconds since 1970.
    pub born_timestamp_ms: i64,
    /// Address and port, 8 or 20 bytes.
    pub born_host: &'a [u8],
    /// Milliseconds since 1970.
    pub store_timestamp_ms: i64,
    /// Address and port, 8 or 20 bytes.
    pub store_host: &'a [u8],
    /// How often it was sent back.
    pub reconsume_times: i32,
    /// For a commit: where its half message lies.
    pub prepared_transaction_offset: i64,
    /// As stored, compressed or not.
    pub body: &'a [u8],
    /// Not yet known to be UTF-8.
    pub topic: &'a [u8],
    /// `name \x01 value \x02 …`, not yet known to be UTF-8.
    pub properties: &'a [u8],
}

impl<'a> Record<'a> {
    /// Reads the record that `bytes` begin with; more may follow it.
    ///
    /// # Errors
    /// When they are not a whole message record. The CRC is left to [`Record::check_body`].
    pub fn decode(bytes: &'a [u8]) -> Result<Record<'a>, DecodeError> {
        match frame(bytes)? {
            Frame::Message(record) => Ok(record),
            Frame::Blank => Err(DecodeError::Magic(BLANK_MAGIC)),
        }
    }

    /// Whether the body is the one that was stored.
    ///
    /// # Errors
    /// When it is not. An empty body has no CRC to be wrong, as in Java.
    pub fn check_body(&self) -> Result<(), DecodeError> {
        let computed = body_crc(self.body);
        if self.body.is_empty() || computed == self.body_crc {
            return Ok(());
        }
        Err(DecodeError::Crc {
            stored: self.body_crc,
            computed,
        })
    }

    /// The value of a property; of several with one name the last, as in Java's map.
    #[must_use]
    pub fn property(&self, name: &[u8]) -> Option<&'a [u8]> {
        properties(self.properties)
            .filter(|(key, _)| *key == name)
            .last()
            .map(|(_, value)| value)
    }
}

/// The properties that the dispatcher needs, found in one pass. Of several with one name the last
/// counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Handles<'a> {
    /// `TAGS`.
    pub tags: Option<&'a [u8]>,
    /// `KEYS`, separated by blanks.
    pub keys: Option<&'a [u8]>,
    /// `UNIQ_KEY`.
    pub unique_key: Option<&'a [u8]>,
    /// `DELAY`: a level, as text.
    pub delay: Option<&'a [u8]>,
}

impl<'a> Record<'a> {
    /// The properties that queue and index entries are made of.
    #[must_use]
    pub fn handles(&self) -> Handles<'a> {
        let mut handles = Handles::default();
        for (name, value) in properties(self.properties) {
            match name {
                b"TAGS" => handles.tags = Some(value),
                b"KEYS" => handles.keys = Some(value),
                b"UNIQ_KEY" => handles.unique_key = Some(value),
                b"DELAY" => handles.delay = Some(value),
                _ => {}
            }
        }
        handles
    }
}

/// Splits `name \x01 value \x02 …`. Items that are not exactly a name and a value are left out, and
/// the last `\x02` may be missing. Java 4.7.0 `MessageDecoder.string2messageProperties`.
pub fn properties(text: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    text.split(|byte| *byte == 2).filter_map(|item| {
        let at = item.iter().position(|byte| *byte == 1)?;
        let (name, rest) = item.split_at(at);
        let value = rest.get(1..)?;
        // Java's split drops empty parts at the end: `a\x01b\x01` still is a pair, `a\x01` is none.
        let end = value.iter().rposition(|byte| *byte != 1)? + 1;
        let value = value.get(..end)?;
        (!value.contains(&1)).then_some((name, value))
    })
}

/// Reads what `bytes` begin with; more may follow it.
///
/// # Errors
/// When that is neither a whole record nor the head of a filler.
pub fn frame(bytes: &[u8]) -> Result<Frame<'_>, DecodeError> {
    let mut fields = Fields { bytes };
    let cut = DecodeError::Cut { bytes: bytes.len() };
    let record_bytes = fields.u32().ok_or(cut)?;
    match fields.u32().ok_or(cut)? {
        MESSAGE_MAGIC => {}
        BLANK_MAGIC if bytes.len() as u64 >= BLANK_BYTES => return Ok(Frame::Blank),
        other => return Err(DecodeError::Magic(other)),
    }
    let whole = bytes.get(..record_bytes as usize).ok_or(cut)?;
    let mut fields = Fields {
        bytes: whole.get(8..).ok_or(DecodeError::Length { record_bytes })?,
    };
    let record = fields
        .record(record_bytes)
        .ok_or(DecodeError::Length { record_bytes })?;
    if fields.bytes.is_empty() {
        Ok(Frame::Message(record))
    } else {
        Err(DecodeError::Length { record_bytes })
    }
}

/// What is left of a record; each call takes a field off its front.
struct Fields<'a> {
    bytes: &'a [u8],
}

impl<'a> Fields<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.bytes.split_at_checked(count)?;
        self.bytes = rest;
        Some(head)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.bytes.split_first_chunk()?;
        self.bytes = rest;
        Some(*head)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    fn i32(&mut self) -> Option<i32> {
        self.array().map(i32::from_be_bytes)
    }

    fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_be_bytes)
    }

    /// Everything behind the magic; `None` when the record is too short for its own lengths.
    fn record(&mut self, record_bytes: u32) -> Option<Record<'a>> {
        let body_crc = self.u32()?;
        let queue_id = self.u32()?;
        let flag = self.i32()?;
        let queue_offset = self.i64()?;
        let log_offset = self.i64()?;
        let sys_flag = self.i32()?;
        let born_timestamp_ms = self.i64()?;
        let born_host = self.take(born_host_bytes(sys_flag))?;
        let store_timestamp_ms = self.i64()?;
        let store_host = self.take(store_host_bytes(sys_flag))?;
        let reconsume_times = self.i32()?;
        let prepared_transaction_offset = self.i64()?;
        let body_bytes = self.u32()?;
        let body = self.take(body_bytes as usize)?;
        let [topic_bytes] = self.array()?;
        let topic = self
            .take(usize::from(topic_bytes))
            .filter(|topic| topic.len() <= MAX_TOPIC_BYTES)?;
        let properties_bytes = u16::from_be_bytes(self.array()?);
        let properties = self
            .take(usize::from(properties_bytes))
            .filter(|text| text.len() <= MAX_PROPERTIES_BYTES)?;
        Some(Record {
            record_bytes,
            body_crc,
            queue_id,
            flag,
            queue_offset,
            log_offset,
            sys_flag,
            born_timestamp_ms,
            born_host,
            store_timestamp_ms,
            store_host,
            reconsume_times,
            prepared_transaction_offset,
            body,
            topic,
            properties,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::encode::{NewMessage, Stamp, encode, stamp};
    use super::*;

    fn message<'a>() -> NewMessage<'a> {
        NewMessage {
            topic: "TopicTest",
            queue_id: 3,
            flag: 7,
            sys_flag: 0x21,
            born_timestamp_ms: 1_600_000_000_123,
            born_host: "10.1.2.3:4567".parse().expect("address"),
            store_host: "[2001:db8::1]:10911".parse().expect("address"),
            reconsume_times: 2,
            prepared_transaction_offset: 99,
            body: b"hello",
            properties: "KEYS\u{1}k1 k2\u{2}TAGS\u{1}TagA\u{2}",
        }
    }

    fn encoded(message: &NewMessage<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        encode(
            message,
            message.record_bytes(1 << 20).expect("legal"),
            &mut out,
        );
        let place = Stamp {
            queue_offset: 5,
            log_offset: 1234,
            store_timestamp_ms: 1_600_000_000_456,
        };
        stamp(&mut out, message.stored_sys_flag(), place);
        out
    }

    #[test]
    fn what_is_encoded_decodes_to_itself() {
        let message = message();
        let bytes = encoded(&message);
        let record = Record::decode(&bytes).expect("whole");
        assert_eq!(record.record_bytes as usize, bytes.len());
        assert_eq!(
            (record.queue_id, record.flag, record.sys_flag),
            (3, 7, 0x21)
        );
        assert_eq!((record.queue_offset, record.log_offset), (5, 1234));
        assert_eq!(
            (record.born_timestamp_ms, record.store_timestamp_ms),
            (1_600_000_000_123, 1_600_000_000_456)
        );
        assert_eq!(record.born_host, [10, 1, 2, 3, 0, 0, 0x11, 0xd7]);
        assert_eq!(record.store_host.len(), 20);
        assert_eq!(
            (record.reconsume_times, record.prepared_transaction_offset),
            (2, 99)
        );
        assert_eq!(
            (record.body, record.topic),
            (&b"hello"[..], &b"TopicTest"[..])
        );
        assert_eq!(record.properties, message.properties.as_bytes());
        record.check_body().expect("intact");
    }

    #[test]
    fn a_plain_record_has_91_fixed_bytes() {
        let bare = NewMessage {
            store_host: message().born_host,
            body: b"",
            properties: "",
            topic: "T",
            ..message()
        };
        assert_eq!(encoded(&bare).len(), 92);
    }

    #[test]
    fn a_record_cut_anywhere_is_refused() {
        let bytes = encoded(&message());
        for cut in 0..bytes.len() {
            assert!(
                Record::decode(&bytes[..cut]).is_err(),
                "accepted a record cut at byte {cut}"
            );
        }
    }

    #[test]
    fn no_byte_can_be_changed_into_a_panic() {
        let bytes = encoded(&message());
        for at in 0..bytes.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut bad = bytes.clone();
                bad[at] = value;
                if let Ok(record) = Record::decode(&bad) {
                    let _ = (record.check_body(), record.property(b"KEYS"));
                }
            }
        }
    }

    #[test]
    fn a_changed_body_is_noticed() {
        let mut bytes = encoded(&message());
        let at = bytes
            .windows(5)
            .position(|five| five == b"hello")
            .expect("the body");
        bytes[at] ^= 1;
        let record = Record::decode(&bytes).expect("lengths are intact");
        assert!(matches!(record.check_body(), Err(DecodeError::Crc { .. })));
    }

    #[test]
    fn address_families_come_from_the_addresses_not_from_the_sender() {
        let mapped = NewMessage {
            sys_flag: 0x30,
            born_host: "[::ffff:10.1.2.3]:1".parse().expect("address"),
            ..message()
        };
        let bytes = encoded(&mapped);
        let record = Record::decode(&bytes).expect("whole");
        assert_eq!(record.sys_flag, 0x20);
        assert_eq!(record.born_host.len(), 8);
    }

    #[test]
    fn too_long_parts_are_refused() {
        let (topic, properties) = ("t".repeat(128), "p".repeat(32_768));
        let long = NewMessage {
            topic: &topic,
            ..message()
        };
        assert!(long.record_bytes(1 << 20).is_err());
        let long = NewMessage {
            properties: &properties,
            ..message()
        };
        assert!(long.record_bytes(1 << 20).is_err());
        assert!(message().record_bytes(100).is_err());
    }

    #[test]
    fn properties_split_as_in_java() {
        let split = |text: &'static [u8]| properties(text).collect::<Vec<_>>();
        assert_eq!(
            split(b"a\x01b\x02c\x01d\x02"),
            [(&b"a"[..], &b"b"[..]), (b"c", b"d")]
        );
        assert_eq!(
            split(b"a\x01b\x02c\x01d"),
            [(&b"a"[..], &b"b"[..]), (b"c", b"d")]
        );
        assert_eq!(
            split(b"a\x01\x02b\x02\x02c\x01d\x01e\x02f\x01g\x01\x02"),
            [(&b"f"[..], &b"g"[..])]
        );
        assert_eq!(split(b""), []);
    }

    #[test]
    fn of_two_properties_with_one_name_the_last_counts() {
        let twice = NewMessage {
            properties: "TAGS\u{1}A\u{2}TAGS\u{1}B\u{2}",
            ..message()
        };
        let bytes = encoded(&twice);
        assert_eq!(
            Record::decode(&bytes).expect("whole").property(b"TAGS"),
            Some(&b"B"[..])
        );
    }
}
