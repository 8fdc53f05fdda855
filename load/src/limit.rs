//! The limit: a server that reads a request and answers at once, storing nothing. What a broker could do at most.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use remoting::{Answer, Command, Peer, Server, ServerConfig, Service};

struct AnswerAtOnce;

impl Service for AnswerAtOnce {
    fn call(self: &Arc<Self>, _: &Arc<Peer>, request: Command) -> Answer {
        let mut reply = Command::success();
        reply.fields.reserve(160);
        reply
            .fields
            .push("msgId", "7F00000100002A9F0000000000000000");
        reply
            .fields
            .push("queueId", &request.fields.get("e").unwrap_or_default());
        reply.fields.push("queueOffset", "0");
        reply.fields.push("MSG_REGION", "DefaultRegion");
        reply.fields.push("TRACE_ON", "true");
        reply.into()
    }

    fn closed(&self, _: &Arc<Peer>) {}
}

/// Serves on `addr` until the process is told to end.
///
/// # Errors
/// The address cannot be listened on.
pub(crate) async fn serve(addr: SocketAddr) -> io::Result<()> {
    let server = Server::bind(addr, Arc::new(AnswerAtOnce), ServerConfig::default()).await?;
    println!("limit listens on {}", server.local_addr());
    tokio::signal::ctrl_c().await
}
