//! Calls to other servers: one connection an address, opened when it is needed and again when it broke.
//!
//! Java 4.7.0 `NettyRemotingClient`, `NettyClientConfig`.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::bounds::Bounds;
use crate::command::Command;
use crate::connection::{self, CallError, Limits, Peer};
use crate::frame::FRAME_LIMIT_BYTES;
use crate::router::{Answer, Refusal, Service};

/// Bounds of a client's connections.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// `connectTimeoutMillis`.
    pub connect_limit: Duration,
    /// `clientChannelMaxIdleTimeSeconds`.
    pub idle: Duration,
    /// A server for which so many bytes wait gets no more until it reads.
    pub outbound_limit_bytes: usize,
}

impl Default for ClientConfig {
    fn default() -> Self {
        ClientConfig {
            connect_limit: Duration::from_secs(3),
            idle: Duration::from_secs(120),
            outbound_limit_bytes: 32 << 20,
        }
    }
}

/// The connection to one address, once it was opened. Locked while it is being opened, so that it is opened once.
type Link = Arc<tokio::sync::Mutex<Option<Arc<Peer>>>>;

/// Connections to servers, by address. Dropping it closes them.
#[derive(Debug)]
pub struct Client {
    config: ClientConfig,
    links: Mutex<HashMap<String, Link>>,
    stop: CancellationToken,
}

impl Client {
    /// A client without connections.
    pub fn new(config: ClientConfig) -> Client {
        Client {
            config,
            links: Mutex::default(),
            stop: CancellationToken::new(),
        }
    }

    /// Sends `request` to the server at `addr` (`host:port`) and waits for its answer. `limit` counts for the answer;
    /// opening a connection has its own.
    ///
    /// # Errors
    /// See `CallError`. The next call opens a new connection when this one broke.
    pub async fn call(
        &self,
        addr: &str,
        request: Command,
        limit: Duration,
    ) -> Result<Command, CallError> {
        self.peer(addr).await?.call(request, limit).await
    }

    /// Sends `command` to the server at `addr`, wanting no answer.
    ///
    /// # Errors
    /// See `CallError`.
    pub async fn push(&self, addr: &str, command: Command) -> Result<(), CallError> {
        self.peer(addr).await?.push(command)
    }

    /// Whether there is a connection to `addr`. One that is being opened does not count.
    pub fn is_open(&self, addr: &str) -> bool {
        let link = self.links.lock().get(addr).cloned();
        let Some(link) = link else { return false };
        link.try_lock()
            .is_ok_and(|link| link.as_ref().is_some_and(|peer| peer.is_open()))
    }

    /// Closes the connection to `addr`, if there is one.
    pub async fn close(&self, addr: &str) {
        let link = self.links.lock().remove(addr);
        if let Some(link) = link
            && let Some(peer) = link.lock().await.take()
        {
            peer.close();
        }
    }

    async fn peer(&self, addr: &str) -> Result<Arc<Peer>, CallError> {
        let link = Arc::clone(self.links.lock().entry(addr.to_owned()).or_default());
        let mut link = link.lock().await;
        if let Some(peer) = link.as_ref().filter(|peer| peer.is_open()) {
            return Ok(Arc::clone(peer));
        }
        let connecting = tokio::time::timeout(self.config.connect_limit, self.connect(addr));
        let peer = match connecting.await {
            Ok(Ok(peer)) => peer,
            Ok(Err(error)) => {
                return Err(CallError::Connect {
                    addr: addr.to_owned(),
                    reason: error.to_string(),
                });
            }
            Err(_) => {
                return Err(CallError::Connect {
                    addr: addr.to_owned(),
                    reason: "no answer in time".to_owned(),
                });
            }
        };
        *link = Some(Arc::clone(&peer));
        Ok(peer)
    }

    async fn connect(&self, addr: &str) -> std::io::Result<Arc<Peer>> {
        let stream = TcpStream::connect(addr).await?;
        stream.set_nodelay(true)?;
        let limits = Limits {
            frame_bytes: FRAME_LIMIT_BYTES,
            outbound_bytes: self.config.outbound_limit_bytes,
            waiting_requests: 1,
            waiting_bytes: FRAME_LIMIT_BYTES as usize,
            idle: self.config.idle,
            bounds: Arc::new(Bounds::new(
                1,
                FRAME_LIMIT_BYTES as usize + 1,
                self.config.outbound_limit_bytes,
            )),
        };
        let peer = Arc::new(Peer::new(
            stream.peer_addr()?,
            stream.local_addr()?,
            &limits,
        ));
        tokio::spawn(connection::serve(
            stream,
            Arc::clone(&peer),
            Arc::new(Unserved),
            limits,
            self.stop.clone(),
        ));
        Ok(peer)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// A server that calls back is told that nothing is served here.
struct Unserved;

impl Service for Unserved {
    fn call(self: &Arc<Self>, _: &Arc<Peer>, request: Command) -> Answer {
        Answer::Now(Err(Refusal::not_supported(request.code)))
    }

    fn closed(&self, _: &Arc<Peer>) {}
}
