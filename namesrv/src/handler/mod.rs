//! The table code → function, and the families behind it.
//!
//! Every code that Java 4.7.0 serves, and 327 of 4.9. A code that is not here gets `REQUEST_CODE_NOT_SUPPORTED` (3);
//! Java's name server leaves the caller to its timeout.
//!
//! Java 4.7.0 `namesrv/processor/DefaultRequestProcessor.java`.

mod broker;
mod cluster;
mod config;
mod kv;
mod route;
mod topic;

use std::sync::Arc;

use remoting::code::request as code;
use remoting::{Answer, Command, Peer, Refusal, Service};

use crate::NameServer;

/// An answer that is there at once.
type Reply = Result<Command, Refusal>;

impl Service for NameServer {
    fn call(self: &Arc<Self>, peer: &Arc<Peer>, request: Command) -> Answer {
        match request.code {
            code::GET_ROUTEINFO_BY_TOPIC => route::route(self, &request).into(),
            code::REGISTER_BROKER => broker::register(self, peer, request).into(),
            code::UNREGISTER_BROKER => broker::unregister(self, peer, &request).into(),
            code::QUERY_DATA_VERSION => broker::query_data_version(self, peer, request).into(),
            code::WIPE_WRITE_PERM_OF_BROKER => broker::wipe_write_perm(self, peer, &request).into(),
            code::ADD_WRITE_PERM_OF_BROKER => broker::add_write_perm(self, peer, &request).into(),
            code::GET_BROKER_CLUSTER_INFO => cluster::info(self).into(),
            code::GET_ALL_TOPIC_LIST_FROM_NAMESERVER => topic::all(self).into(),
            code::DELETE_TOPIC_IN_NAMESRV => topic::delete(self, peer, &request).into(),
            code::GET_TOPICS_BY_CLUSTER => topic::of_cluster(self, &request).into(),
            code::GET_SYSTEM_TOPIC_LIST_FROM_NS => topic::system(self).into(),
            code::GET_UNIT_TOPIC_LIST => topic::unit(self).into(),
            code::GET_HAS_UNIT_SUB_TOPIC_LIST => topic::unit_sub(self).into(),
            code::GET_HAS_UNIT_SUB_UNUNIT_TOPIC_LIST => topic::unit_sub_only(self).into(),
            code::PUT_KV_CONFIG => kv::put(self, peer, &request),
            code::GET_KV_CONFIG => kv::get(self, &request).into(),
            code::DELETE_KV_CONFIG => kv::delete(self, peer, &request),
            code::GET_KVLIST_BY_NAMESPACE => kv::list(self, &request).into(),
            code::UPDATE_NAMESRV_CONFIG => config::update(self, peer, request),
            code::GET_NAMESRV_CONFIG => config::get(self).into(),
            unknown => Answer::Now(Err(Refusal::not_supported(unknown))),
        }
    }

    fn closed(&self, peer: &Arc<Peer>) {
        self.connection_closed(peer);
    }
}

/// Runs `save`, which writes a file, beside the connections' tasks, and answers success or what the system says.
///
/// It is under way when this returns, so that it happens even if the caller goes away.
fn saved(save: impl FnOnce() -> std::io::Result<()> + Send + 'static) -> Answer {
    let saving = tokio::task::spawn_blocking(save);
    Answer::later(async move {
        match saving.await {
            Ok(Ok(())) => Ok(Command::success()),
            Ok(Err(error)) => {
                tracing::error!(%error, "save file; the change holds until the next start");
                let text = format!("changed, but not saved and gone after a restart: {error}");
                Err(Refusal::system_error(text))
            }
            Err(error) => Err(Refusal::system_error(format!("save file: {error}"))),
        }
    })
}
