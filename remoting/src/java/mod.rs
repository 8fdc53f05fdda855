//! Java's habits in text: fastjson's JSON and `.properties` files.

pub mod config_file;
#[cfg(test)]
pub(crate) mod dice;
pub mod json;
