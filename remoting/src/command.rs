//! One request or reply.
//!
//! The same shape travels both ways: `flag` bit 0 makes it a reply, bit 1 a request that wants none. A reply carries the
//! `opaque` of its request and leaves in the request's header form; the connection sees to both.
//!
//! Java 4.7.0 `RemotingCommand.java`.

use std::sync::atomic::{AtomicI32, Ordering};

use bytes::{Bytes, BytesMut};

use crate::code::language::Language;
use crate::code::version;
use crate::ext_fields::ExtFields;
use crate::header::{Header, HeaderError};

const REPLY_BIT: i32 = 1;
const ONEWAY_BIT: i32 = 2;

/// How the header of a frame is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HeaderForm {
    /// Serialize type 0, what Java sends unless told otherwise.
    #[default]
    Json,
    /// Serialize type 1, `ROCKETMQ`.
    Binary,
}

/// A request or a reply.
#[derive(Clone, Debug, Default)]
pub struct Command {
    /// Of a request: `code::request`. Of a reply: `code::response`.
    pub code: i32,
    /// Of the program that wrote it.
    pub language: Language,
    /// Java's `MQVersion` ordinal of the program that wrote it.
    pub version: i32,
    /// Pairs a reply with its request on one connection.
    pub opaque: i32,
    /// Bit 0: a reply. Bit 1: a request that wants no reply.
    pub flag: i32,
    /// A reply's words for people, and for clients that match texts.
    pub remark: Option<String>,
    /// The typed header's fields as strings.
    pub fields: ExtFields,
    /// What follows the header.
    pub body: Body,
    /// The form in which it came, or will go.
    pub form: HeaderForm,
}

impl Command {
    /// A request with a fresh `opaque`.
    pub fn request(code: i32) -> Command {
        static NEXT_OPAQUE: AtomicI32 = AtomicI32::new(0);
        let opaque = NEXT_OPAQUE.fetch_add(1, Ordering::Relaxed);
        Command {
            code,
            language: Language::JAVA,
            version: version::V4_7_0,
            opaque,
            ..Command::default()
        }
    }

    /// A request with a typed header.
    pub fn request_with<'h>(code: i32, header: &impl Header<'h>) -> Command {
        let mut command = Command::request(code);
        header.write(&mut command.fields);
        command
    }

    /// A reply; the connection gives it its request's `opaque` and form.
    pub fn reply(code: i32) -> Command {
        Command {
            code,
            language: Language::JAVA,
            version: version::V4_7_0,
            flag: REPLY_BIT,
            ..Command::default()
        }
    }

    /// A reply with code 0.
    pub fn success() -> Command {
        Command::reply(crate::code::response::SUCCESS)
    }

    /// A reply with code 0 and a typed header.
    pub fn success_with<'h>(header: &impl Header<'h>) -> Command {
        let mut command = Command::success();
        header.write(&mut command.fields);
        command
    }

    /// The same with `body`.
    pub fn with_body(mut self, body: impl Into<Body>) -> Command {
        self.body = body.into();
        self
    }

    /// The same with `remark`.
    pub fn with_remark(mut self, remark: impl Into<String>) -> Command {
        self.remark = Some(remark.into());
        self
    }

    /// The same as a request that wants no reply.
    pub fn oneway(mut self) -> Command {
        self.flag |= ONEWAY_BIT;
        self
    }

    /// About how many bytes it keeps while it waits to be written.
    pub(crate) fn weight(&self) -> usize {
        const FIXED: usize = 256;
        let remark = self.remark.as_ref().map_or(0, String::len);
        FIXED + remark + self.fields.bytes() + self.body.len()
    }

    /// Whether it answers a request.
    pub fn is_response(&self) -> bool {
        self.flag & REPLY_BIT != 0
    }

    /// Whether it is a request that wants no reply.
    pub fn is_oneway(&self) -> bool {
        self.flag & ONEWAY_BIT != 0
    }

    /// The typed header; it may borrow from the command.
    ///
    /// # Errors
    /// A field that must be there is not, or does not hold a number where one must stand.
    pub fn header<'a, H: Header<'a>>(&'a self) -> Result<H, HeaderError> {
        H::read(&self.fields)
    }
}

/// What follows a header: one run of bytes, or on the way out also slices of the mapped log, sent as they lie there.
#[derive(Clone, Debug)]
pub enum Body {
    /// One run.
    Bytes(Bytes),
    /// Runs to be sent one behind the other.
    Slices(Vec<Bytes>),
}

impl Body {
    /// All bytes, of all slices.
    pub fn len(&self) -> usize {
        self.slices().iter().map(Bytes::len).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.slices().iter().all(Bytes::is_empty)
    }

    /// The runs in their order.
    pub fn slices(&self) -> &[Bytes] {
        match self {
            Body::Bytes(bytes) => std::slice::from_ref(bytes),
            Body::Slices(slices) => slices,
        }
    }

    /// All bytes as one run. Copies when there are several slices.
    pub fn into_bytes(self) -> Bytes {
        match self {
            Body::Bytes(bytes) => bytes,
            Body::Slices(slices) => {
                let mut all = BytesMut::with_capacity(slices.iter().map(Bytes::len).sum());
                slices.iter().for_each(|slice| all.extend_from_slice(slice));
                all.freeze()
            }
        }
    }
}

impl Default for Body {
    fn default() -> Self {
        Body::Bytes(Bytes::new())
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Body {
        Body::Bytes(bytes)
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Body {
        // Without the room that a growing vector has left: a reply may wait long, and counts by its length.
        Body::Bytes(bytes.into_boxed_slice().into())
    }
}

impl From<Vec<Bytes>> for Body {
    fn from(slices: Vec<Bytes>) -> Body {
        Body::Slices(slices)
    }
}
