//! Keys and values: 100 put, 101 get, 102 delete, 219 all of a namespace.
//!
//! A change is answered when it is on disk. Java answers at once, and success even when the file could not be written.
//!
//! Java 4.7.0 `DefaultRequestProcessor`, `KVConfigManager`.

use std::sync::Arc;

use remoting::body::topics::KVTable;
use remoting::code::response;
use remoting::header::kv::{
    DeleteKVConfigRequest, GetKVConfigReply, GetKVConfigRequest, GetKVListByNamespaceRequest,
    PutKVConfigRequest,
};
use remoting::java::json;
use remoting::{Answer, Command, Peer, Refusal};
use tracing::info;

use super::{Reply, saved};
use crate::NameServer;

pub(super) fn put(server: &Arc<NameServer>, peer: &Peer, request: &Command) -> Answer {
    let header: PutKVConfigRequest = match request.header() {
        Ok(header) => header,
        Err(error) => return Answer::Now(Err(error.into())),
    };
    info!(namespace = header.namespace, key = header.key, remote = %peer.remote(), "put key");
    match server.kv.put(header.namespace, header.key, header.value) {
        Ok(()) => save(server),
        Err(full) => Answer::Now(Err(Refusal::system_error(full.to_string()))),
    }
}

pub(super) fn delete(server: &Arc<NameServer>, peer: &Peer, request: &Command) -> Answer {
    let header: DeleteKVConfigRequest = match request.header() {
        Ok(header) => header,
        Err(error) => return Answer::Now(Err(error.into())),
    };
    info!(namespace = header.namespace, key = header.key, remote = %peer.remote(), "delete key");
    server.kv.delete(&header.namespace, &header.key);
    save(server)
}

fn save(server: &Arc<NameServer>) -> Answer {
    let server = Arc::clone(server);
    saved(move || server.kv.save())
}

pub(super) fn get(server: &Arc<NameServer>, request: &Command) -> Reply {
    let header: GetKVConfigRequest = request.header()?;
    let value = server.kv.get(&header.namespace, &header.key);
    let value = value.ok_or_else(|| {
        let (namespace, key) = (&header.namespace, &header.key);
        let text = format!("No config item, Namespace: {namespace} Key: {key}");
        Refusal::new(response::QUERY_NOT_FOUND, text)
    })?;
    Ok(Command::success_with(&GetKVConfigReply {
        value: Some(value),
    }))
}

pub(super) fn list(server: &Arc<NameServer>, request: &Command) -> Reply {
    let header: GetKVListByNamespaceRequest = request.header()?;
    let table = server.kv.namespace(&header.namespace).ok_or_else(|| {
        let text = format!("No config item, Namespace: {}", header.namespace);
        Refusal::new(response::QUERY_NOT_FOUND, text)
    })?;
    Ok(Command::success().with_body(json::write(&KVTable { table })))
}
