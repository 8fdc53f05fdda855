//! Java's `NettyServerConfig` and `NettyClientConfig`, as far as they mean something without Netty.
//!
//! Executor sizes, semaphores and allocators are in [`super::accepted`].
//! Java 4.7.0 `remoting/netty/NettyServerConfig.java`, `NettyClientConfig.java`, `NettySystemConfig.java`;
//! the socket buffers are what `broker/BrokerStartup.java` sets before it reads a file.

use std::net::IpAddr;
use std::time::Duration;

/// Bytes of the socket buffers a Java broker asks for, in either direction.
const SOCKET_BUFFER_BYTES: u32 = 131_072;

/// How this broker listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerSettings {
    /// `listenPort`. Java's class says 8888, a broker start sets 10911. The VIP port is two below, replication one above.
    pub listen_port: u16,
    /// Listen on this address alone instead of all. No key of 4.7.0 (Java 5.0: `bindAddress`): for who embeds a broker.
    pub bind_address: Option<IpAddr>,
    /// `serverChannelMaxIdleTimeSeconds`: a connection with no traffic for so long is closed. Seconds; default 120.
    pub idle: Duration,
    /// `serverSocketSndBufSize`: SO_SNDBUF. Bytes; default 131072, 0 leaves it to the kernel.
    pub send_buffer_bytes: u32,
    /// `serverSocketRcvBufSize`: SO_RCVBUF. Bytes; default 131072, 0 leaves it to the kernel.
    pub receive_buffer_bytes: u32,
}

impl Default for ServerSettings {
    fn default() -> Self {
        ServerSettings {
            listen_port: 10_911,
            bind_address: None,
            idle: Duration::from_secs(120),
            send_buffer_bytes: SOCKET_BUFFER_BYTES,
            receive_buffer_bytes: SOCKET_BUFFER_BYTES,
        }
    }
}

impl ServerSettings {
    /// The port consoles and clients with the VIP channel use, two below `listenPort`; `None` where there is no such port.
    #[must_use]
    pub fn vip_port(&self) -> Option<u16> {
        self.listen_port.checked_sub(2).filter(|port| *port > 0)
    }

    /// The port slaves connect to, one above `listenPort`, whatever `haListenPort` in the file says.
    #[must_use]
    pub fn ha_port(&self) -> Option<u16> {
        self.listen_port.checked_add(1)
    }
}

/// How this broker calls name servers and other brokers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientSettings {
    /// `connectTimeoutMillis`. Milliseconds; default 3000.
    pub connect_timeout: Duration,
    /// `clientChannelMaxIdleTimeSeconds`: an idle connection is closed after so long. Seconds; default 120.
    pub idle: Duration,
    /// `clientSocketSndBufSize`: SO_SNDBUF. Bytes; default 131072, 0 leaves it to the kernel.
    pub send_buffer_bytes: u32,
    /// `clientSocketRcvBufSize`: SO_RCVBUF. Bytes; default 131072, 0 leaves it to the kernel.
    pub receive_buffer_bytes: u32,
    /// `clientCloseSocketIfTimeout`: close a connection whose call timed out. Default false.
    pub close_on_timeout: bool,
    /// `useTLS`: call out over TLS. Default false.
    pub use_tls: bool,
}

impl Default for ClientSettings {
    fn default() -> Self {
        ClientSettings {
            connect_timeout: Duration::from_secs(3),
            idle: Duration::from_secs(120),
            send_buffer_bytes: SOCKET_BUFFER_BYTES,
            receive_buffer_bytes: SOCKET_BUFFER_BYTES,
            close_on_timeout: false,
            use_tls: false,
        }
    }
}
