//! Sending: SEND_MESSAGE (10), SEND_MESSAGE_V2 (310), SEND_BATCH_MESSAGE (320).
//!
//! | V1                    | V2 | V1             | V2 | V1                | V2 |
//! |-----------------------|----|----------------|----|-------------------|----|
//! | producerGroup         | a  | sysFlag        | f  | unitMode          | k  |
//! | topic                 | b  | bornTimestamp  | g  | maxReconsumeTimes | l  |
//! | defaultTopic          | c  | flag           | h  | batch             | m  |
//! | defaultTopicQueueNums | d  | properties     | i  |                   |    |
//! | queueId               | e  | reconsumeTimes | j  |                   |    |
//!
//! One struct reads both spellings, whatever the code says: the hot path, so nothing is copied but text with
//! JSON escapes in it (the separators in `properties` are such, a binary header has none).
//!
//! Java 4.7.0 `common/protocol/header/SendMessageRequestHeader{,V2}.java`, `SendMessageResponseHeader.java`;
//! MSG_REGION and TRACE_ON from `broker/processor/SendMessageProcessor.java`.

use std::borrow::Cow;

use super::{Field, Header, HeaderError};
use crate::ext_fields::ExtFields;

/// A message to store, but for its body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SendRequest<'a> {
    /// Producer group.
    pub producer_group: Cow<'a, str>,
    /// Topic; `%RETRY%group` for a message that a consumer gives back by sending it anew.
    pub topic: Cow<'a, str>,
    /// The topic that an unknown `topic` is made after, normally TBW102.
    pub default_topic: Cow<'a, str>,
    /// Queues wanted for a topic that is made so.
    pub default_topic_queue_nums: i32,
    /// Queue; below 0 for any.
    pub queue_id: i32,
    /// Bits: 1 compressed, 4 prepared, 8 commit, 12 rollback.
    pub sys_flag: i32,
    /// Client's clock, ms since 1970.
    pub born_timestamp: i64,
    /// The user's own number.
    pub flag: i32,
    /// Properties as `name \x01 value \x02 …`; empty if there are none.
    pub properties: Cow<'a, str>,
    /// Times it was consumed in vain; 0 if not given.
    pub reconsume_times: i32,
    /// The topic is a unit topic.
    pub unit_mode: bool,
    /// The body is a batch.
    pub batch: bool,
    /// For `%RETRY%` topics: times after which it goes to the dead-letter topic; else the group's setting.
    pub max_reconsume_times: Option<i32>,
}

/// The fields as they are found.
#[derive(Default)]
struct Found<'a> {
    producer_group: Option<Cow<'a, str>>,
    topic: Option<Cow<'a, str>>,
    default_topic: Option<Cow<'a, str>>,
    default_topic_queue_nums: Option<Cow<'a, str>>,
    queue_id: Option<Cow<'a, str>>,
    sys_flag: Option<Cow<'a, str>>,
    born_timestamp: Option<Cow<'a, str>>,
    flag: Option<Cow<'a, str>>,
    properties: Option<Cow<'a, str>>,
    reconsume_times: Option<Cow<'a, str>>,
    unit_mode: Option<Cow<'a, str>>,
    batch: Option<Cow<'a, str>>,
    max_reconsume_times: Option<Cow<'a, str>>,
}

impl<'a> Found<'a> {
    fn in_fields(fields: &'a ExtFields) -> Self {
        let mut found = Found::default();
        for (name, value) in fields.iter() {
            // Byte strings, so that the compiler branches on length and bytes instead of comparing one by one.
            let field = match name.as_bytes() {
                b"a" | b"producerGroup" => &mut found.producer_group,
                b"b" | b"topic" => &mut found.topic,
                b"c" | b"defaultTopic" => &mut found.default_topic,
                b"d" | b"defaultTopicQueueNums" => &mut found.default_topic_queue_nums,
                b"e" | b"queueId" => &mut found.queue_id,
                b"f" | b"sysFlag" => &mut found.sys_flag,
                b"g" | b"bornTimestamp" => &mut found.born_timestamp,
                b"h" | b"flag" => &mut found.flag,
                b"i" | b"properties" => &mut found.properties,
                b"j" | b"reconsumeTimes" => &mut found.reconsume_times,
                b"k" | b"unitMode" => &mut found.unit_mode,
                b"l" | b"maxReconsumeTimes" => &mut found.max_reconsume_times,
                b"m" | b"batch" => &mut found.batch,
                _ => continue,
            };
            *field = Some(value);
        }
        found
    }
}

impl<'a> Header<'a> for SendRequest<'a> {
    fn read(fields: &'a ExtFields) -> Result<Self, HeaderError> {
        let found = Found::in_fields(fields);
        Ok(SendRequest {
            producer_group: Field::take(found.producer_group, "producerGroup")?,
            topic: Field::take(found.topic, "topic")?,
            default_topic: Field::take(found.default_topic, "defaultTopic")?,
            default_topic_queue_nums: Field::take(
                found.default_topic_queue_nums,
                "defaultTopicQueueNums",
            )?,
            queue_id: Field::take(found.queue_id, "queueId")?,
            sys_flag: Field::take(found.sys_flag, "sysFlag")?,
            born_timestamp: Field::take(found.born_timestamp, "bornTimestamp")?,
            flag: Field::take(found.flag, "flag")?,
            properties: found.properties.unwrap_or_default(),
            reconsume_times: optional(found.reconsume_times).unwrap_or(0),
            unit_mode: optional(found.unit_mode).unwrap_or(false),
            batch: optional(found.batch).unwrap_or(false),
            max_reconsume_times: optional(found.max_reconsume_times),
        })
    }

    /// In one-letter names, as Java clients send it under 310 and 320.
    fn write(&self, fields: &mut ExtFields) {
        const V2: [&str; 13] = [
            "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m",
        ];
        self.write_as(V2, fields);
    }
}

fn optional<'a, T: Field<'a>>(found: Option<Cow<'a, str>>) -> Option<T> {
    found.and_then(|text| T::parse(text).ok())
}

impl SendRequest<'_> {
    /// In full names, as code 10 has it.
    pub fn write_v1(&self, fields: &mut ExtFields) {
        const V1: [&str; 13] = [
            "producerGroup",
            "topic",
            "defaultTopic",
            "defaultTopicQueueNums",
            "queueId",
            "sysFlag",
            "bornTimestamp",
            "flag",
            "properties",
            "reconsumeTimes",
            "unitMode",
            "maxReconsumeTimes",
            "batch",
        ];
        self.write_as(V1, fields);
    }

    fn write_as(&self, names: [&'static str; 13], fields: &mut ExtFields) {
        let [
            group,
            topic,
            default_topic,
            queues,
            queue_id,
            sys_flag,
            born,
            flag,
            properties,
            times,
            unit,
            max,
            batch,
        ] = names;
        self.producer_group.push(group, fields);
        self.topic.push(topic, fields);
        self.default_topic.push(default_topic, fields);
        self.default_topic_queue_nums.push(queues, fields);
        self.queue_id.push(queue_id, fields);
        self.sys_flag.push(sys_flag, fields);
        self.born_timestamp.push(born, fields);
        self.flag.push(flag, fields);
        self.properties.push(properties, fields);
        self.reconsume_times.push(times, fields);
        self.unit_mode.push(unit, fields);
        self.max_reconsume_times.push(max, fields);
        self.batch.push(batch, fields);
    }
}

header! {
    /// Where a message was stored. Goes with codes 0, 10, 11 and 12, always whole: the client reads every field.
    pub struct SendReply<'a> {
        /// Message id: hex of store host and log offset; for a batch one for each message, joined by commas.
        pub msg_id: Cow<'a, str> = "msgId",
        /// Queue.
        pub queue_id: i32 = "queueId",
        /// Position in the queue; of the first message of a batch.
        pub queue_offset: i64 = "queueOffset",
        /// The client's own id of the message (UNIQ_KEY).
        pub transaction_id: Option<Cow<'a, str>> = "transactionId",
        /// The broker's `regionId`, for the client's trace.
        pub msg_region: Option<Cow<'a, str>> = "MSG_REGION",
        /// The broker's `traceOn`; `false` stops the client's trace.
        pub trace_on: Option<bool> = "TRACE_ON",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::request;
    use crate::command::Command;

    fn sample() -> SendRequest<'static> {
        SendRequest {
            producer_group: "G".into(),
            topic: "T".into(),
            default_topic: "TBW102".into(),
            default_topic_queue_nums: 4,
            queue_id: -1,
            sys_flag: 1,
            born_timestamp: 1_700_000_000_000,
            flag: 9,
            properties: "UNIQ_KEY\u{1}0A\u{2}WAIT\u{1}true\u{2}".into(),
            reconsume_times: 2,
            unit_mode: true,
            batch: true,
            max_reconsume_times: Some(16),
        }
    }

    #[test]
    fn both_spellings_are_read_into_the_same() {
        let mut v1 = ExtFields::default();
        sample().write_v1(&mut v1);
        let mut v2 = ExtFields::default();
        sample().write(&mut v2);
        assert_eq!(v1.get("bornTimestamp").as_deref(), Some("1700000000000"));
        assert_eq!(v2.get("g").as_deref(), Some("1700000000000"));
        assert_eq!(v2.get("l").as_deref(), Some("16"));
        for fields in [&v1, &v2] {
            let read = SendRequest::read(fields).unwrap();
            assert_eq!(read, sample());
            assert!(matches!(read.topic, Cow::Borrowed(_)), "copied");
        }
    }

    #[test]
    fn a_command_lends_its_fields() {
        let command = Command::request_with(request::SEND_MESSAGE_V2, &sample());
        assert_eq!(command.header::<SendRequest>(), Ok(sample()));
    }

    #[test]
    fn optional_fields_have_javas_defaults_and_required_ones_are_missed() {
        let mut all = ExtFields::default();
        sample().write(&mut all);
        let required: Vec<_> = all.iter().filter(|(name, _)| **name <= *"h").collect();
        let read = required
            .iter()
            .map(|(n, v)| (&**n, &**v))
            .collect::<ExtFields>();
        let bare = SendRequest {
            properties: "".into(),
            reconsume_times: 0,
            unit_mode: false,
            batch: false,
            max_reconsume_times: None,
            ..sample()
        };
        assert_eq!(SendRequest::read(&read), Ok(bare));
        for missing in &required {
            let less: ExtFields = required
                .iter()
                .filter(|field| *field != missing)
                .map(|(n, v)| (&**n, &**v))
                .collect();
            assert!(
                matches!(SendRequest::read(&less), Err(HeaderError::Missing(_))),
                "read without {}",
                missing.0
            );
        }
    }

    #[test]
    fn a_reply_has_javas_fields() {
        let reply = SendReply {
            msg_id: "0A000001".into(),
            queue_id: 3,
            queue_offset: 7,
            transaction_id: Some("0B".into()),
            msg_region: Some("DefaultRegion".into()),
            trace_on: Some(true),
        };
        let java: ExtFields = [
            ("msgId", "0A000001"),
            ("queueId", "3"),
            ("queueOffset", "7"),
            ("transactionId", "0B"),
            ("MSG_REGION", "DefaultRegion"),
            ("TRACE_ON", "true"),
        ]
        .into_iter()
        .collect();
        let mut written = ExtFields::default();
        reply.write(&mut written);
        assert_eq!(written, java);
        assert_eq!(SendReply::read(&java), Ok(reply));
    }
}
