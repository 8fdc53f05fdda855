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
use crate::text::Text;

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

impl<'a> Header<'a> for SendRequest<'a> {
    /// Numbers are read as they are met: to keep thirteen texts until all are there would cost more than reading them.
    fn read(fields: &'a ExtFields) -> Result<Self, HeaderError> {
        let (mut group, mut topic, mut default_topic, mut properties) = (None, None, None, None);
        let (mut queues, mut queue_id, mut sys_flag, mut flag) = (None, None, None, None);
        let (mut born_timestamp, mut times, mut max_times) = (None, None, None);
        let (mut unit_mode, mut batch) = (false, false);
        for (name, value) in fields.texts() {
            // Byte strings, so that the compiler branches on length and bytes instead of comparing one by one.
            match &*name.bytes() {
                b"a" | b"producerGroup" => group = Some(value),
                b"b" | b"topic" => topic = Some(value),
                b"c" | b"defaultTopic" => default_topic = Some(value),
                b"d" | b"defaultTopicQueueNums" => queues = value.number(),
                b"e" | b"queueId" => queue_id = value.number(),
                b"f" | b"sysFlag" => sys_flag = value.number(),
                b"g" | b"bornTimestamp" => born_timestamp = value.number(),
                b"h" | b"flag" => flag = value.number(),
                b"i" | b"properties" => properties = Some(value),
                b"j" | b"reconsumeTimes" => times = value.number(),
                b"k" | b"unitMode" => unit_mode = value.is_true(),
                b"l" | b"maxReconsumeTimes" => max_times = value.number(),
                b"m" | b"batch" => batch = value.is_true(),
                _ => {}
            }
        }
        let all = fields;
        Ok(SendRequest {
            producer_group: required(group, all, ["producerGroup", "a"])?.get(),
            topic: required(topic, all, ["topic", "b"])?.get(),
            default_topic: required(default_topic, all, ["defaultTopic", "c"])?.get(),
            default_topic_queue_nums: required(queues, all, ["defaultTopicQueueNums", "d"])?,
            queue_id: required(queue_id, all, ["queueId", "e"])?,
            sys_flag: required(sys_flag, all, ["sysFlag", "f"])?,
            born_timestamp: required(born_timestamp, all, ["bornTimestamp", "g"])?,
            flag: required(flag, all, ["flag", "h"])?,
            properties: properties.map(Text::get).unwrap_or_default(),
            reconsume_times: times.unwrap_or(0),
            unit_mode,
            batch,
            max_reconsume_times: max_times,
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

/// What was found; if nothing was, the error that says why.
#[inline(always)]
fn required<T>(
    found: Option<T>,
    fields: &ExtFields,
    names: [&'static str; 2],
) -> Result<T, HeaderError> {
    found.ok_or_else(|| not_found(fields, names))
}

/// Why the field of one of these `names` is not read: the last of them counts.
#[cold]
fn not_found(fields: &ExtFields, names: [&'static str; 2]) -> HeaderError {
    let [field, _] = names;
    let last = (fields.iter())
        .filter(|(name, _)| names.contains(&&**name))
        .last();
    match last {
        None => HeaderError::Missing(field),
        Some((_, value)) => HeaderError::NotANumber {
            field,
            value: value.into_owned(),
        },
    }
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
