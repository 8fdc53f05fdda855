//! Listens, accepts, and stops in order.
//!
//! Java 4.7.0 `NettyRemotingServer`, `NettyServerConfig`.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use crate::bounds::Bounds;
use crate::connection::{self, Limits, Peer};
use crate::frame::FRAME_LIMIT_BYTES;
use crate::process;
use crate::router::Service;

/// How long a stop waits for requests that are being served.
const STOP_LIMIT: Duration = Duration::from_secs(3);

/// How long accepting rests when the system has no descriptor left.
const ACCEPT_REST: Duration = Duration::from_millis(100);

/// What frames that have not arrived whole may take, over all connections.
const UNFINISHED_LIMIT_BYTES: usize = 256 << 20;

/// What replies that are not written and requests that wait should take, over all connections.
const HELD_LIMIT_BYTES: usize = 64 << 20;

/// Bounds of a server and of each of its connections.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Over all connections; servers that are given the same have them in common. A connection too many is closed at
    /// once; by default as many as the system's limit of descriptors allows beside the store's files. Java has no limit.
    pub bounds: Arc<Bounds>,
    /// `serverChannelMaxIdleTimeSeconds`: without a byte in either direction for so long a connection is closed;
    /// 0 for never.
    pub idle: Duration,
    /// A peer for which so many bytes wait is not read from until it reads. Java has no limit.
    pub outbound_limit_bytes: usize,
    /// A peer with so many requests unanswered is not read from until some are.
    pub waiting_limit: usize,
    /// A peer whose unanswered requests take so many bytes likewise.
    pub waiting_limit_bytes: usize,
    /// The longest frame, its prefix counted.
    pub frame_limit_bytes: u64,
    /// `serverSocketSndBufSize`; 0 leaves it to the system.
    pub send_buffer_bytes: usize,
    /// `serverSocketRcvBufSize`; 0 leaves it to the system.
    pub receive_buffer_bytes: usize,
    /// Connections that may wait to be accepted. Java 1024.
    pub backlog: u32,
}

impl Default for ServerConfig {
    fn default() -> Self {
        ServerConfig {
            bounds: Arc::new(Bounds::new(
                process::connections_allowed().min(65_536),
                UNFINISHED_LIMIT_BYTES,
                HELD_LIMIT_BYTES,
            )),
            idle: Duration::from_secs(120),
            outbound_limit_bytes: 4 << 20,
            waiting_limit: 16_384,
            waiting_limit_bytes: 16 << 20,
            frame_limit_bytes: FRAME_LIMIT_BYTES,
            send_buffer_bytes: 0,
            receive_buffer_bytes: 0,
            backlog: 1024,
        }
    }
}

/// A listening socket and the connections that came in through it.
#[derive(Debug)]
pub struct Server {
    local: SocketAddr,
    accepting: CancellationToken,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// A port that is ours and that nobody can connect to yet.
#[derive(Debug)]
pub struct Reserved {
    socket: Socket,
    local: SocketAddr,
    config: ServerConfig,
}

impl Reserved {
    /// Where it will listen.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Listens, and serves every connection that comes.
    ///
    /// # Errors
    /// What the system says: another process may have begun to listen there first.
    pub async fn serve<S: Service>(self, service: Arc<S>) -> io::Result<Server> {
        self.socket
            .listen(i32::try_from(self.config.backlog).unwrap_or(i32::MAX))?;
        let listener = TcpListener::from_std(self.socket.into())?;
        let server = Server {
            local: self.local,
            accepting: CancellationToken::new(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        let (accepting, stop) = (server.accepting.clone(), server.stop.clone());
        let tasks = server.tasks.clone();
        server.tasks.spawn(async move {
            let accept = accept_all(listener, service, self.config, stop, tasks);
            accepting.run_until_cancelled(accept).await;
        });
        Ok(server)
    }
}

impl Server {
    /// Takes `addr` (port 0: any free one) without listening yet, for a service that must first know its port or that
    /// has long to prepare: until it listens, clients are refused at once and go elsewhere.
    ///
    /// # Errors
    /// What the system says of the socket or the address.
    pub fn reserve(addr: SocketAddr, config: ServerConfig) -> io::Result<Reserved> {
        let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
        if addr.is_ipv6() {
            socket.set_only_v6(false)?; // whatever the machine's default: `[::]` means IPv4 too, as in Java
        }
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        if config.send_buffer_bytes > 0 {
            socket.set_send_buffer_size(config.send_buffer_bytes)?;
        }
        if config.receive_buffer_bytes > 0 {
            socket.set_recv_buffer_size(config.receive_buffer_bytes)?;
        }
        socket.bind(&addr.into())?;
        let local = socket.local_addr()?.as_socket();
        let local = local.ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok(Reserved {
            socket,
            local,
            config,
        })
    }

    /// Listens on `addr` (port 0: any free one) and serves every connection that comes.
    ///
    /// # Errors
    /// What the system says of the socket or the address.
    pub async fn bind<S: Service>(
        addr: SocketAddr,
        service: Arc<S>,
        config: ServerConfig,
    ) -> io::Result<Server> {
        Server::reserve(addr, config)?.serve(service).await
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Takes no more connections and no more requests, answers those that are being served (3 s at most), closes.
    pub async fn stop(self) {
        self.accepting.cancel();
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(STOP_LIMIT, self.tasks.wait())
            .await
            .is_err()
        {
            warn!(connections = self.tasks.len(), local = %self.local, "stop with requests unanswered");
        }
    }
}

async fn accept_all<S: Service>(
    listener: TcpListener,
    service: Arc<S>,
    config: ServerConfig,
    stop: CancellationToken,
    tasks: TaskTracker,
) {
    let limits = Limits {
        frame_bytes: config.frame_limit_bytes,
        outbound_bytes: config.outbound_limit_bytes,
        waiting_requests: config.waiting_limit,
        waiting_bytes: config.waiting_limit_bytes,
        idle: config.idle,
        bounds: config.bounds,
    };
    loop {
        let (stream, remote) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                warn!(%error, "accept a connection; try again");
                tokio::time::sleep(ACCEPT_REST).await;
                continue;
            }
        };
        let Some(place) = Place::of(&limits.bounds) else {
            warn!(%remote, limit = limits.bounds.max_connections(), "close new connection: there are too many");
            continue;
        };
        let (service, limits, stop) = (Arc::clone(&service), limits.clone(), stop.clone());
        tasks.spawn(async move {
            match open(&stream, remote, &limits) {
                Ok(peer) => connection::serve(stream, peer, service, limits, stop).await,
                Err(error) => debug!(%remote, %error, "connection ended before it began"),
            }
            drop(place);
        });
    }
}

/// That of one connection among all.
struct Place(Arc<Bounds>);

impl Place {
    fn of(bounds: &Arc<Bounds>) -> Option<Place> {
        bounds.enter().then(|| Place(Arc::clone(bounds)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.leave();
    }
}

fn open(stream: &TcpStream, remote: SocketAddr, limits: &Limits) -> io::Result<Arc<Peer>> {
    stream.set_nodelay(true)?;
    // What came in through a socket for both families shows its IPv4 address as Java shows it.
    let remote = SocketAddr::new(remote.ip().to_canonical(), remote.port());
    Ok(Arc::new(Peer::new(remote, stream.local_addr()?, limits)))
}
