//! The name server: brokers tell it who they are and what they serve, clients ask it where a topic is.
//!
//! ```text
//! connection ─▶ handler (code → function) ─▶ table   who serves what, in memory only
//!                                         ─▶ kv      keys and values, in kvConfig.json
//!      closed ─▶ register                 ─▶ config  what 318 and 319 change and list
//!      silence ─▶ expiry
//! ```
//!
//! Nothing of the table is stored: brokers register every 30 s, so a name server knows everything half a minute after
//! its start. Name servers don't know each other.
//!
//! Java 4.7.0 `namesrv/NamesrvController.java`.

mod config;
mod expiry;
mod handler;
mod kv;
mod register;
mod table;

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Mutex, RwLock};
use remoting::{Peer, Server};
use tokio::task::JoinHandle;
use tracing::info;

pub use config::{ConfigError, NamesrvConfig, Notice};
pub use durable::LoadError;

use durable::WholeFile;
use kv::KvStore;
use table::Table;

/// What all connections share.
#[derive(Debug)]
pub struct NameServer {
    table: RwLock<Table>,
    kv: KvStore,
    config: RwLock<NamesrvConfig>,
    /// What `config` says about it, for the way of 105.
    tells_order: AtomicBool,
    /// Written by 318; fixed at the start.
    config_file: Mutex<WholeFile>,
    /// Connections on which a broker was heard of, by id.
    broker_peers: Mutex<HashMap<u64, Arc<Peer>>>,
}

impl NameServer {
    fn new(config: NamesrvConfig, kv: KvStore) -> Arc<NameServer> {
        let config_file = WholeFile::sound(config.config_store_path.clone());
        let server = NameServer {
            table: RwLock::default(),
            kv,
            config: RwLock::new(config),
            tells_order: AtomicBool::new(false),
            config_file: Mutex::new(config_file),
            broker_peers: Mutex::default(),
        };
        server.config_changed();
        Arc::new(server)
    }

    /// Puts into force what `config` says now.
    fn config_changed(&self) {
        let config = self.config.read();
        let tells = config.order_message_enable || config.cluster_test;
        self.tells_order.store(tells, Ordering::Relaxed);
    }

    /// A broker was heard of on this connection: when it closes, the broker goes.
    fn is_broker(&self, peer: &Arc<Peer>) {
        let mut peers = self.broker_peers.lock();
        peers.entry(peer.id()).or_insert_with(|| Arc::clone(peer));
    }

    /// Ends a connection, if it is still there.
    fn close(&self, connection: u64) {
        if let Some(peer) = self.broker_peers.lock().get(&connection) {
            peer.close();
        }
    }

    fn connection_closed(&self, peer: &Peer) {
        if self.broker_peers.lock().remove(&peer.id()).is_none() {
            return;
        }
        let gone = self.table.write().connection_closed(peer.id());
        for addr in gone {
            info!(addr, remote = %peer.remote(), "remove broker: its connection closed");
        }
    }

    /// A server with an empty table, and files that nobody writes.
    #[cfg(test)]
    fn for_tests(config: NamesrvConfig) -> Arc<NameServer> {
        let kv = KvStore::open(std::path::Path::new("")).expect("a file that is not there is fine");
        NameServer::new(config, kv)
    }
}

/// Why there is no name server.
#[derive(Debug)]
pub enum StartError {
    /// The stored keys cannot be read.
    Kv(LoadError),
    /// The address cannot be listened on.
    Listen {
        /// Which.
        addr: SocketAddr,
        /// The system's words.
        error: io::Error,
    },
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Kv(error) => write!(f, "stored keys: {error}"),
            StartError::Listen { addr, error } => write!(f, "cannot listen on {addr}: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

/// A name server that serves.
#[derive(Debug)]
pub struct Running {
    server: Server,
    expiry: JoinHandle<()>,
}

impl Running {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.server.local_addr()
    }

    /// Returns when the server is broken: the task that looks for silent brokers has ended, which it never should.
    pub async fn broken(&mut self) {
        let _ = (&mut self.expiry).await; // how it ended was logged by its panic
    }

    /// Takes no more requests, answers those it has, closes every connection.
    pub async fn stop(self) {
        self.expiry.abort();
        self.server.stop().await;
    }
}

/// Starts a name server inside the current tokio runtime.
///
/// # Errors
/// The stored keys cannot be read, or the address cannot be listened on.
pub async fn run(config: NamesrvConfig) -> Result<Running, StartError> {
    let kv = KvStore::open(&config.kv_config_path).map_err(StartError::Kv)?;
    let name_server = NameServer::new(config.clone(), kv);
    let server = listen(&config, &name_server).await?;
    let expiry = tokio::spawn(expiry::run(name_server));
    info!(addr = %server.local_addr(), "name server listens");
    Ok(Running { server, expiry })
}

/// On the address given, else on all of IPv6 and IPv4 as Java does, else (no IPv6 here) on all of IPv4.
async fn listen(config: &NamesrvConfig, service: &Arc<NameServer>) -> Result<Server, StartError> {
    let bind = async |ip: IpAddr| {
        let addr = SocketAddr::new(ip, config.listen_port);
        let bound = Server::bind(addr, Arc::clone(service), config.server()).await;
        bound.map_err(|error| StartError::Listen { addr, error })
    };
    if let Some(ip) = config.bind_address {
        return bind(ip).await;
    }
    match bind(Ipv6Addr::UNSPECIFIED.into()).await {
        Err(StartError::Listen { error, .. }) if error.kind() != io::ErrorKind::AddrInUse => {
            bind(Ipv4Addr::UNSPECIFIED.into()).await
        }
        bound => bound,
    }
}
