//! placeholder until the helper's file is there
use crate::ext_fields::ExtFields;
/// x
pub trait Header: Sized {
    /// x
    fn read(fields: &ExtFields) -> Result<Self, HeaderError>;
    /// x
    fn write(&self, fields: &mut ExtFields);
}
/// x
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderError {
    /// x
    Missing(&'static str),
}
impl std::fmt::Display for HeaderError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            HeaderError::Missing(n) => write!(f, "the custom field <{n}> is null"),
        }
    }
}
