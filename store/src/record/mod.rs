//! One message as it lies in the commit log, which is also how clients read it.

mod again;
pub(crate) mod decode;
pub(crate) mod encode;
pub(crate) mod layout;
pub(crate) mod torn;

pub use decode::{DecodeError, Record};
pub use encode::NewMessage;
