//! Reading messages for consumers, and letting consumers wait for them.

pub(crate) mod cold;
pub mod hold;
pub(crate) mod moved;
pub mod wanted;
