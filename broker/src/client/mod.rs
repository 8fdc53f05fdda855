//! Who is connected, and telling them what they must know.
//!
//! Java 4.7.0 `broker/client`: `ConsumerManager`, `ConsumerGroupInfo`, `ProducerManager`, `ClientHousekeepingService`.

pub mod consumers;
pub mod locks;
pub(crate) mod notify;
pub mod producers;
mod roster;

use std::sync::Arc;
use std::time::Duration;

use remoting::Peer;
use remoting::body::connections::Connection;
use remoting::code::Language;

/// A client without a heartbeat for longer than this is taken for dead and its connection closed.
/// Java 4.7.0 `ConsumerManager.CHANNEL_EXPIRED_TIMEOUT`.
pub const EXPIRY: Duration = Duration::from_secs(120);

/// How often that is looked at.
pub const EXPIRY_PERIOD: Duration = Duration::from_secs(10);

/// A client as it said in its heartbeat, and the connection it said it on.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its connection.
    pub peer: Arc<Peer>,
    /// `ip@instance`, with `@unit` behind it for unit clients. One for all groups of a heartbeat.
    pub id: Arc<str>,
    /// Its language: what it can read.
    pub language: Language,
    /// Java's `MQVersion` ordinal: what it understands.
    pub version: i32,
}

impl Client {
    /// As consoles see it.
    #[must_use]
    pub fn connection(&self) -> Connection {
        Connection {
            client_addr: self.peer.remote().to_string(),
            client_id: (*self.id).to_owned(),
            language: self.language.name().to_owned(),
            version: self.version,
        }
    }
}

/// Connections for the tests of the tables here.
#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;

    use remoting::code::{Language, version};
    use remoting::{Answer, Command, Peer, Server, ServerConfig, Service};
    use tokio::net::TcpStream;
    use tokio::sync::mpsc;

    use super::Client;

    /// Hands out the far ends of the connections it gets.
    struct Reception(mpsc::UnboundedSender<Arc<Peer>>);

    impl Service for Reception {
        fn call(self: &Arc<Self>, peer: &Arc<Peer>, _: Command) -> Answer {
            let _ = self.0.send(Arc::clone(peer));
            Answer::Nothing
        }

        fn closed(&self, _: &Arc<Peer>) {}
    }

    /// A server and its connections. They end when it is dropped.
    pub(crate) struct Connected {
        pub(crate) peers: Vec<Arc<Peer>>,
        _server: Server,
        _streams: Vec<TcpStream>,
    }

    impl Connected {
        /// A client on one of them.
        pub(crate) fn client(&self, at: usize, id: &str) -> Client {
            Client {
                peer: Arc::clone(&self.peers[at]),
                id: id.into(),
                language: Language::JAVA,
                version: version::V4_7_0,
            }
        }
    }

    /// So many open connections.
    pub(crate) async fn connected(count: usize) -> Connected {
        let (sender, mut peers) = mpsc::unbounded_channel();
        let addr = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
        let server = Server::bind(addr, Arc::new(Reception(sender)), ServerConfig::default());
        let server = server.await.expect("listens");
        let mut connected = Connected {
            peers: Vec::new(),
            _streams: Vec::new(),
            _server: server,
        };
        for _ in 0..count {
            let stream = TcpStream::connect(connected._server.local_addr())
                .await
                .expect("connects");
            stream.writable().await.expect("open");
            let hello = [&[0, 0, 0, 14, 0, 0, 0, 10][..], b"{\"code\":1}"].concat();
            assert_eq!(stream.try_write(&hello).expect("written"), hello.len());
            connected
                .peers
                .push(peers.recv().await.expect("a connection"));
            connected._streams.push(stream);
        }
        connected
    }
}
