//! A record that is used once more: its message stored again, or its bytes written with other fields.
//!
//! ```text
//! Record ─ to_message ─▶ NewMessage ─ append ─▶ another record     half message ▶ final one, delayed ▶ delivered
//! Record { topic: …, ..record } ─ encode ─▶ bytes                  what a client is shown instead of what is stored
//! ```
//!
//! Java 4.7.0 `common/message/MessageDecoder.java`: `decode`, `encode`, `byte2HostAddress`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::decode::Record;
use super::encode::NewMessage;
use super::layout::{
    BORN_HOST_V6, FIXED_BYTES, MESSAGE_MAGIC, STORE_HOST_V6, V6_HOST_BYTES, body_crc,
};

impl<'a> Record<'a> {
    /// The sender's address; `None` when the record holds no possible port.
    #[must_use]
    pub fn born_addr(&self) -> Option<SocketAddr> {
        socket_addr(self.born_host)
    }

    /// The address of the broker that stored it; `None` when the record holds no possible port.
    #[must_use]
    pub fn store_addr(&self) -> Option<SocketAddr> {
        socket_addr(self.store_host)
    }

    /// The message as it would be stored again, with all that a sender or broker can set. `None` for a
    /// record that no broker writes: text that is not UTF-8, or a port above 65,535.
    #[must_use]
    pub fn to_message(&self) -> Option<NewMessage<'a>> {
        Some(NewMessage {
            topic: std::str::from_utf8(self.topic).ok()?,
            queue_id: self.queue_id,
            flag: self.flag,
            sys_flag: self.sys_flag,
            born_timestamp_ms: self.born_timestamp_ms,
            born_host: self.born_addr()?,
            store_host: self.store_addr()?,
            reconsume_times: self.reconsume_times,
            prepared_transaction_offset: self.prepared_transaction_offset,
            body: self.body,
            properties: std::str::from_utf8(self.properties).ok()?,
        })
    }

    /// The record's bytes, its fields as they are here. Length, CRC and the bits of the address families
    /// follow from them. A topic above 255 bytes and properties above 65,535 are cut: no record holds more.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let topic = self.topic.get(..255).unwrap_or(self.topic);
        let properties = self.properties.get(..65_535).unwrap_or(self.properties);
        let hosts = self.born_host.len() + self.store_host.len();
        let bytes = FIXED_BYTES + hosts + self.body.len() + topic.len() + properties.len();
        let family = |host: &[u8], bit| if host.len() == V6_HOST_BYTES { bit } else { 0 };
        let sys_flag = self.sys_flag & !(BORN_HOST_V6 | STORE_HOST_V6)
            | family(self.born_host, BORN_HOST_V6)
            | family(self.store_host, STORE_HOST_V6);
        let mut out = Vec::with_capacity(bytes);
        out.extend_from_slice(&(bytes as u32).to_be_bytes());
        out.extend_from_slice(&MESSAGE_MAGIC.to_be_bytes());
        out.extend_from_slice(&body_crc(self.body).to_be_bytes());
        out.extend_from_slice(&self.queue_id.to_be_bytes());
        out.extend_from_slice(&self.flag.to_be_bytes());
        out.extend_from_slice(&self.queue_offset.to_be_bytes());
        out.extend_from_slice(&self.log_offset.to_be_bytes());
        out.extend_from_slice(&sys_flag.to_be_bytes());
        out.extend_from_slice(&self.born_timestamp_ms.to_be_bytes());
        out.extend_from_slice(self.born_host);
        out.extend_from_slice(&self.store_timestamp_ms.to_be_bytes());
        out.extend_from_slice(self.store_host);
        out.extend_from_slice(&self.reconsume_times.to_be_bytes());
        out.extend_from_slice(&self.prepared_transaction_offset.to_be_bytes());
        out.extend_from_slice(&(self.body.len() as u32).to_be_bytes());
        out.extend_from_slice(self.body);
        out.push(topic.len() as u8);
        out.extend_from_slice(topic);
        out.extend_from_slice(&(properties.len() as u16).to_be_bytes());
        out.extend_from_slice(properties);
        out
    }
}

/// 4 or 16 bytes of address, 4 of port.
fn socket_addr(host: &[u8]) -> Option<SocketAddr> {
    let (ip, port) = host.split_last_chunk::<4>()?;
    let port = u16::try_from(u32::from_be_bytes(*port)).ok()?;
    let ip = match ip.len() {
        4 => IpAddr::V4(Ipv4Addr::from(*ip.first_chunk::<4>()?)),
        16 => IpAddr::V6(Ipv6Addr::from(*ip.first_chunk::<16>()?)),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::super::encode::{Stamp, encode, stamp};
    use super::*;

    fn stored(message: &NewMessage<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        let bytes = message.record_bytes(1 << 20).expect("legal");
        encode(message, bytes, &mut out);
        let place = Stamp {
            queue_offset: 5,
            log_offset: 1234,
            store_timestamp_ms: 1_600_000_000_456,
        };
        stamp(&mut out, message.stored_sys_flag(), place);
        out
    }

    fn message<'a>(born_host: &str) -> NewMessage<'a> {
        NewMessage {
            topic: "T",
            queue_id: 3,
            flag: 7,
            sys_flag: 1,
            born_timestamp_ms: 1_600_000_000_123,
            born_host: born_host.parse().expect("address"),
            store_host: "[2001:db8::1]:10911".parse().expect("address"),
            reconsume_times: 2,
            prepared_transaction_offset: 99,
            body: b"hello",
            properties: "KEYS\u{1}k\u{2}",
        }
    }

    #[test]
    fn a_record_encodes_to_the_bytes_it_came_from_and_its_message_to_the_same_record() {
        for born_host in ["10.1.2.3:4567", "[::2]:4567"] {
            let bytes = stored(&message(born_host));
            let record = Record::decode(&bytes).expect("whole");
            assert_eq!(record.encode(), bytes);
            assert_eq!(stored(&record.to_message().expect("a message")), bytes);
        }
    }

    #[test]
    fn changed_fields_are_in_the_bytes_and_the_lengths_follow() {
        let bytes = stored(&message("10.1.2.3:4567"));
        let record = Record::decode(&bytes).expect("whole");
        let changed = Record {
            topic: b"Another",
            queue_id: 9,
            body: b"",
            ..record
        };
        let written = changed.encode();
        let read = Record::decode(&written).expect("whole");
        assert_eq!(
            (read.topic, read.queue_id, read.body),
            (&b"Another"[..], 9, &b""[..])
        );
        assert_eq!((read.queue_offset, read.properties), (5, record.properties));
    }

    #[test]
    fn what_no_broker_writes_is_no_message() {
        let bytes = stored(&message("10.1.2.3:4567"));
        let record = Record::decode(&bytes).expect("whole");
        let no_text = Record {
            properties: &[0xff],
            ..record
        };
        let no_port = Record {
            born_host: &[10, 0, 0, 1, 0, 1, 0, 0],
            ..record
        };
        assert!(no_text.to_message().is_none() && no_port.to_message().is_none());
    }
}
