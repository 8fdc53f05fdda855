//! Reading messages for consumers, and letting consumers wait for them.

pub mod hold;
