//! A plain client that fills a broker fast: SEND_BATCH_MESSAGE over one connection, many requests at once.
//!
//! ```text
//!   batch body, a message:  size 4 │ magic 4 │ crc 4 │ flag 4 │ body length 4, body │ properties length 2, properties
//! ```
//!
//! Every message has a `UNIQ_KEY` of its own, as Java's producer gives it one. Java 4.7.0
//! `common/message/MessageDecoder.java`: `encodeMessage`.

use std::io::{BufReader, BufWriter, Read, Write};
use std::net::TcpStream;

use crate::trouble::{Doing, Trouble};

/// Requests sent before their replies are read.
const WINDOW: u64 = 16;
/// Bytes of a message in a batch besides body and properties.
const FIXED_BYTES: usize = 22;
/// A reply is read no further than this.
const REPLY_LIMIT_BYTES: u32 = 1 << 20;

/// What one batch is: so many messages of each body size, in this order.
pub type Bodies<'a> = &'a [(u32, usize)];

/// One connection to a broker.
pub struct BatchSender {
    out: BufWriter<TcpStream>,
    replies: BufReader<TcpStream>,
    waiting: u64,
    sent: u64,
    refused: u64,
}

impl BatchSender {
    /// Connects to `addr`, host:port.
    ///
    /// # Errors
    /// When nobody listens there.
    pub fn connect(addr: &str) -> Result<BatchSender, Trouble> {
        let connect = || {
            let stream = TcpStream::connect(addr)?;
            stream.set_nodelay(true)?;
            Ok((stream.try_clone()?, stream))
        };
        let (out, replies) = connect().doing(|| format!("connect to {addr}"))?;
        Ok(BatchSender {
            out: BufWriter::with_capacity(1 << 20, out),
            replies: BufReader::new(replies),
            waiting: 0,
            sent: 0,
            refused: 0,
        })
    }

    /// Sends one batch to a queue; its topic is made with 8 queues if there is none. Now and then waits for replies.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn send(&mut self, topic: &str, queue_id: u32, bodies: Bodies) -> Result<(), Trouble> {
        let body = self.batch(bodies);
        let header = format!(
            r#"{{"code":320,"language":"OTHER","version":293,"opaque":{},"flag":0,"extFields":{{"a":"fill","b":"{topic}","c":"TBW102","d":"8","e":"{queue_id}","f":"0","g":"1","h":"0","i":"","j":"0","k":"false","m":"true"}}}}"#,
            self.waiting
        );
        let lengths = [4 + header.len() + body.len(), header.len()];
        let mut write = || {
            for length in lengths {
                self.out.write_all(&(length as u32).to_be_bytes())?;
            }
            self.out.write_all(header.as_bytes())?;
            self.out.write_all(&body)
        };
        write().doing(|| "send a batch".to_owned())?;
        self.waiting += 1;
        if self.waiting == WINDOW {
            self.wait()?;
        }
        Ok(())
    }

    /// Waits for the replies that are due. Returns how many batches were refused so far.
    ///
    /// # Errors
    /// When the connection breaks, or sends what is no reply.
    pub fn wait(&mut self) -> Result<u64, Trouble> {
        self.out.flush().doing(|| "send batches".to_owned())?;
        while self.waiting > 0 {
            self.waiting -= 1;
            self.refused += u64::from(self.reply()? != 0);
        }
        Ok(self.refused)
    }

    /// The code of the next reply.
    fn reply(&mut self) -> Result<i64, Trouble> {
        let mut lengths = [0; 8];
        let read = self.replies.read_exact(&mut lengths);
        read.doing(|| "wait for the reply to a batch".to_owned())?;
        let [a, b, c, d, _, lengths @ ..] = lengths;
        let header_bytes = u32::from_be_bytes([0, lengths[0], lengths[1], lengths[2]]);
        let rest = u32::from_be_bytes([a, b, c, d]).checked_sub(4);
        let rest = rest.filter(|rest| (header_bytes..REPLY_LIMIT_BYTES).contains(rest));
        let no_reply = || Trouble("the broker sent what is no reply".to_owned());
        let mut frame = vec![0; rest.ok_or_else(no_reply)? as usize];
        let read = self.replies.read_exact(&mut frame);
        read.doing(|| "read the reply to a batch".to_owned())?;
        let header = frame.get(..header_bytes as usize).unwrap_or_default();
        let header: serde_json::Value = serde_json::from_slice(header).map_err(|_| no_reply())?;
        header
            .get("code")
            .and_then(serde_json::Value::as_i64)
            .ok_or_else(no_reply)
    }

    fn batch(&mut self, bodies: Bodies) -> Vec<u8> {
        let mut batch = Vec::new();
        for (count, body_bytes) in bodies {
            let body = vec![b'x'; *body_bytes];
            for _ in 0..*count {
                self.sent += 1;
                let key = format!(
                    "UNIQ_KEY\u{1}7F000001000018B4AAC20000{:08X}\u{2}WAIT\u{1}true",
                    self.sent
                );
                let size = (FIXED_BYTES + body.len() + key.len()) as u32;
                for number in [size, 0, 0, 0, body.len() as u32] {
                    batch.extend_from_slice(&number.to_be_bytes());
                }
                batch.extend_from_slice(&body);
                batch.extend_from_slice(&(key.len() as u16).to_be_bytes());
                batch.extend_from_slice(key.as_bytes());
            }
        }
        batch
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    #[test]
    fn every_reply_is_awaited_and_refusals_are_counted() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap().to_string();
        let server = thread::spawn(move || {
            let (mut peer, _) = listener.accept().unwrap();
            let mut requests = Vec::new();
            for code in [0, 1, 0] {
                let mut length = [0; 4];
                peer.read_exact(&mut length).unwrap();
                let mut request = vec![0; u32::from_be_bytes(length) as usize];
                peer.read_exact(&mut request).unwrap();
                requests.push(request.len());
                let header = format!(r#"{{"code":{code},"flag":1}}"#);
                let lengths = [4 + header.len() as u32, header.len() as u32];
                let lengths = lengths.map(u32::to_be_bytes).concat();
                peer.write_all(&[&lengths, header.as_bytes()].concat())
                    .unwrap();
            }
            requests
        });
        let mut sender = BatchSender::connect(&addr).unwrap();
        for queue in 0..3 {
            sender.send("T", queue, &[(2, 100), (1, 50)]).unwrap();
        }
        assert_eq!(sender.wait().unwrap(), 1);
        assert!(server.join().unwrap().iter().all(|bytes| *bytes > 250));
    }
}
