//! Typed headers.

use std::collections::BTreeMap;

use remoting::code::{request, response};
use remoting::header::admin::{
    DeleteTopicInNamesrvRequest, GetTopicsByClusterRequest, WipeWritePermOfBrokerReply,
    WipeWritePermOfBrokerRequest,
};
use remoting::header::client::{
    GetConsumerListByGroupRequest, NotifyConsumerIdsChangedRequest, UnregisterClientRequest,
};
use remoting::header::kv::{
    DeleteKVConfigRequest, GetKVConfigReply, GetKVConfigRequest, GetKVListByNamespaceRequest,
    PutKVConfigRequest,
};
use remoting::header::offset::{
    GetEarliestMsgStoretimeReply, GetEarliestMsgStoretimeRequest, GetMaxOffsetRequest,
    GetMinOffsetRequest, OffsetReply, QueryConsumerOffsetRequest, SearchOffsetRequest,
    UpdateConsumerOffsetRequest,
};
use remoting::header::pull::{PullReply, PullRequest};
use remoting::header::query::{QueryMessageReply, QueryMessageRequest, ViewMessageRequest};
use remoting::header::reply::PushReplyRequest;
use remoting::header::route::{
    GetRouteInfoRequest, QueryDataVersionReply, QueryDataVersionRequest, RegisterBrokerReply,
    RegisterBrokerRequest, UnregisterBrokerRequest,
};
use remoting::header::send::{SendReply, SendRequest};
use remoting::header::send_back::SendBackRequest;
use remoting::header::topic::CreateTopicRequest;
use remoting::header::{Header, HeaderError};
use remoting::{Command, ExtFields};

use crate::frames::{all, whole};

/// Reads `command`'s typed header and writes it again.
macro_rules! written_again {
    ($command:expr, $type:ty) => {{
        let header: Result<$type, HeaderError> = $command.header();
        header.map(|header| {
            let mut fields = ExtFields::default();
            header.write(&mut fields);
            fields
        })
    }};
}

/// The typed header of a request; `None` for codes that have none, or none yet.
fn request_again(command: &Command) -> Option<Result<ExtFields, HeaderError>> {
    Some(match command.code {
        request::SEND_MESSAGE => command.header().map(|header: SendRequest<'_>| {
            let mut fields = ExtFields::default();
            header.write_v1(&mut fields);
            fields
        }),
        request::SEND_MESSAGE_V2 | request::SEND_BATCH_MESSAGE => {
            written_again!(command, SendRequest<'_>)
        }
        request::CONSUMER_SEND_MSG_BACK => written_again!(command, SendBackRequest),
        request::PULL_MESSAGE => written_again!(command, PullRequest<'_>),
        request::QUERY_MESSAGE => written_again!(command, QueryMessageRequest),
        request::VIEW_MESSAGE_BY_ID => written_again!(command, ViewMessageRequest),
        request::QUERY_CONSUMER_OFFSET => written_again!(command, QueryConsumerOffsetRequest),
        request::UPDATE_CONSUMER_OFFSET => written_again!(command, UpdateConsumerOffsetRequest),
        request::SEARCH_OFFSET_BY_TIMESTAMP => written_again!(command, SearchOffsetRequest),
        request::GET_MAX_OFFSET => written_again!(command, GetMaxOffsetRequest),
        request::GET_MIN_OFFSET => written_again!(command, GetMinOffsetRequest),
        request::GET_EARLIEST_MSG_STORETIME => {
            written_again!(command, GetEarliestMsgStoretimeRequest)
        }
        request::UPDATE_AND_CREATE_TOPIC => written_again!(command, CreateTopicRequest),
        request::UNREGISTER_CLIENT => written_again!(command, UnregisterClientRequest),
        request::GET_CONSUMER_LIST_BY_GROUP => {
            written_again!(command, GetConsumerListByGroupRequest)
        }
        request::NOTIFY_CONSUMER_IDS_CHANGED => {
            written_again!(command, NotifyConsumerIdsChangedRequest)
        }
        request::PUSH_REPLY_MESSAGE_TO_CLIENT => {
            written_again!(command, PushReplyRequest<'_>)
        }
        request::PUT_KV_CONFIG => written_again!(command, PutKVConfigRequest),
        request::GET_KV_CONFIG => written_again!(command, GetKVConfigRequest),
        request::DELETE_KV_CONFIG => written_again!(command, DeleteKVConfigRequest),
        request::GET_KVLIST_BY_NAMESPACE => written_again!(command, GetKVListByNamespaceRequest),
        request::REGISTER_BROKER => written_again!(command, RegisterBrokerRequest),
        request::UNREGISTER_BROKER => written_again!(command, UnregisterBrokerRequest),
        request::QUERY_DATA_VERSION => written_again!(command, QueryDataVersionRequest),
        request::GET_ROUTEINFO_BY_TOPIC => written_again!(command, GetRouteInfoRequest),
        request::WIPE_WRITE_PERM_OF_BROKER => written_again!(command, WipeWritePermOfBrokerRequest),
        request::DELETE_TOPIC_IN_NAMESRV => written_again!(command, DeleteTopicInNamesrvRequest),
        request::GET_TOPICS_BY_CLUSTER => written_again!(command, GetTopicsByClusterRequest),
        _ => return None,
    })
}

/// The typed header of a reply to a request of this code; `None` where it has none, or none yet.
fn reply_again(request_code: i32, command: &Command) -> Option<Result<ExtFields, HeaderError>> {
    let pulled = [
        response::PULL_NOT_FOUND,
        response::PULL_RETRY_IMMEDIATELY,
        response::PULL_OFFSET_MOVED,
    ];
    let whole = command.code == response::SUCCESS
        || request_code == request::PULL_MESSAGE && pulled.contains(&command.code);
    if !whole {
        return None;
    }
    Some(match request_code {
        request::SEND_MESSAGE | request::SEND_MESSAGE_V2 | request::SEND_BATCH_MESSAGE => {
            written_again!(command, SendReply<'_>)
        }
        request::PULL_MESSAGE => written_again!(command, PullReply),
        request::QUERY_MESSAGE => written_again!(command, QueryMessageReply),
        request::QUERY_CONSUMER_OFFSET
        | request::SEARCH_OFFSET_BY_TIMESTAMP
        | request::GET_MAX_OFFSET
        | request::GET_MIN_OFFSET => written_again!(command, OffsetReply),
        request::GET_EARLIEST_MSG_STORETIME => {
            written_again!(command, GetEarliestMsgStoretimeReply)
        }
        request::GET_KV_CONFIG => written_again!(command, GetKVConfigReply),
        request::REGISTER_BROKER => written_again!(command, RegisterBrokerReply),
        request::QUERY_DATA_VERSION => written_again!(command, QueryDataVersionReply),
        request::WIPE_WRITE_PERM_OF_BROKER => written_again!(command, WipeWritePermOfBrokerReply),
        _ => return None,
    })
}

#[test]
fn typed_headers_keep_every_field_that_java_sent() {
    let all = all();
    let mut request_codes = BTreeMap::new();
    for golden in &all {
        if let Some(name) = golden.name().strip_suffix("_request") {
            request_codes.insert(name.to_owned(), whole(golden).code);
        }
    }
    let mut checked = 0;
    for golden in all.iter().filter(|golden| !golden.fields().is_empty()) {
        let command = whole(golden);
        let name = golden.name();
        let written = match name
            .strip_suffix("_reply")
            .and_then(|name| request_codes.get(name))
        {
            Some(request_code) => reply_again(*request_code, &command),
            None => request_again(&command),
        };
        let Some(written) = written else { continue };
        let written = written.unwrap_or_else(|error| panic!("{name}: {error}"));
        for (field, value) in golden.fields() {
            assert_eq!(
                written.get(&field).as_deref(),
                Some(&*value),
                "{name}: {field}"
            );
        }
        checked += 1;
    }
    assert!(checked > 100, "{checked} headers");
}

#[test]
fn a_request_without_its_fields_is_refused_by_name() {
    let all = all();
    let bare = all
        .iter()
        .find(|golden| golden.name() == "send_without_fields_request");
    let command = whole(bare.expect("recorded"));
    let refused = command.header::<SendRequest<'_>>();
    assert_eq!(refused, Err(HeaderError::Missing("producerGroup")));
}
