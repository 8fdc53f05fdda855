//! The broker: topics, groups, offsets, delivery.

pub mod address;
pub mod cli;
pub mod config;
pub mod group;
pub mod json_file;
pub mod offset;
pub mod topic;
