//! The id a broker gives a message: where it lies.
//!
//! | hex digits | meaning                                  |
//! |------------|------------------------------------------|
//! | 8 or 32    | address of the broker, IPv4 or IPv6      |
//! | 8          | its port                                 |
//! | 16         | place in its commit log                  |
//!
//! Upper case. Clients take it apart again, to ask that broker for the message (33) or to end a transaction (37).
//! Java 4.7.0 `common/message/MessageDecoder.java` (`createMessageId`).

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};

use store::{LogOffset, Record};

/// Makes the ids of one broker.
#[derive(Debug)]
pub(crate) struct MessageIds {
    /// Address and port, the same in every id.
    host: String,
}

impl MessageIds {
    pub(crate) fn of(store_host: SocketAddr) -> MessageIds {
        let mut host = String::new();
        match store_host.ip().to_canonical() {
            IpAddr::V4(ip) => hex(&mut host, &ip.octets()),
            IpAddr::V6(ip) => hex(&mut host, &ip.octets()),
        }
        hex(&mut host, &u32::from(store_host.port()).to_be_bytes());
        MessageIds { host }
    }

    /// The id of the message at `offset`, put behind what `out` holds.
    pub(crate) fn push(&self, out: &mut String, offset: LogOffset) {
        const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
        let digits: [u8; 16] = std::array::from_fn(|at| {
            let digit = (offset.0 >> (60 - 4 * at)) & 0xf;
            DIGITS.get(digit as usize).copied().unwrap_or(b'0')
        });
        out.reserve(self.host.len() + digits.len());
        out.push_str(&self.host);
        out.push_str(std::str::from_utf8(&digits).unwrap_or_default());
    }
}

/// The place in the log that such an id names; `None` for text that is none.
pub(crate) fn log_offset(id: &str) -> Option<LogOffset> {
    let whole = matches!(id.len(), 32 | 56) && id.bytes().all(|digit| digit.is_ascii_hexdigit());
    let digits = id.get(id.len().checked_sub(16)?..).filter(|_| whole)?;
    LogOffset::from_i64(i64::from_str_radix(digits, 16).ok()?)
}

/// The id that the broker which stored a message gave it.
pub(crate) fn of_record(record: &Record<'_>) -> String {
    let mut id = String::new();
    hex(&mut id, record.store_host);
    hex(&mut id, &record.log_offset.to_be_bytes());
    id
}

fn hex(out: &mut String, bytes: &[u8]) {
    for byte in bytes {
        let _ = write!(out, "{byte:02X}"); // a String takes everything
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(host: &str, offset: u64) -> String {
        let mut out = String::new();
        MessageIds::of(host.parse().expect("an address")).push(&mut out, LogOffset(offset));
        out
    }

    #[test]
    fn ids_are_javas() {
        assert_eq!(
            id("127.0.0.1:10911", 589_827),
            "7F00000100002A9F0000000000090003"
        );
        assert_eq!(
            id("[2001:db8::1]:10911", u64::MAX >> 1),
            "20010DB800000000000000000000000100002A9F7FFFFFFFFFFFFFFF"
        );
    }

    #[test]
    fn the_place_is_read_out_of_an_id_and_out_of_nothing_else() {
        for host in ["127.0.0.1:10911", "[2001:db8::1]:10911"] {
            assert_eq!(log_offset(&id(host, 589_827)), Some(LogOffset(589_827)));
        }
        let wrong = [
            "",
            "7F00",
            "7F00000100002A9F00000000000900030",
            "7F00000100002A9F000000000009000x",
        ];
        assert!(wrong.into_iter().all(|text| log_offset(text).is_none()));
        assert_eq!(log_offset("7F00000100002A9FFFFFFFFFFFFFFFFF"), None);
    }
}
