//! Why a broker does not start.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use store::StoreError;

use crate::address::AddressError;
use crate::json_file::LoadError;

/// Why a broker does not start.
#[derive(Debug)]
pub enum StartError {
    /// No address to be found under.
    Address(AddressError),
    /// `brokerIP1` is no address and no name of one.
    BrokerIp {
        /// What is configured.
        ip: String,
        /// What the resolver says.
        reason: String,
    },
    /// A port cannot be listened on.
    Listen {
        /// Which.
        addr: SocketAddr,
        /// The system's words.
        source: io::Error,
    },
    /// A table of `config/` cannot be read.
    Table(LoadError),
    /// The store does not open.
    Store(StoreError),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Address(error) => error.fmt(f),
            StartError::BrokerIp { ip, reason } => {
                write!(f, "brokerIP1={ip} cannot be resolved: {reason}")
            }
            StartError::Listen { addr, source } => write!(f, "listen on {addr}: {source}"),
            StartError::Table(error) => error.fmt(f),
            StartError::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for StartError {}

impl From<AddressError> for StartError {
    fn from(error: AddressError) -> StartError {
        StartError::Address(error)
    }
}

impl From<LoadError> for StartError {
    fn from(error: LoadError) -> StartError {
        StartError::Table(error)
    }
}

impl From<StoreError> for StartError {
    fn from(error: StoreError) -> StartError {
        StartError::Store(error)
    }
}
