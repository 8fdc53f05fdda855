//! The broker: topics, groups, offsets, delivery.

pub mod address;
pub mod cli;
pub mod config;
