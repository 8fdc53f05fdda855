//! Telling the members of a group that it has changed (code 40), so that they share out its queues anew.
//!
//! It goes out on the connections the clients have opened, wants no answer, and is not tried again: a member that does
//! not get it looks at the group by itself within 20 s.
//!
//! Java 4.7.0 `broker/client/DefaultConsumerIdsChangeListener.java`, `net/Broker2Client.java`.

use remoting::Command;
use remoting::code::request;
use remoting::header::client::NotifyConsumerIdsChangedRequest;
use tracing::debug;

use super::consumers::Change;
use crate::broker::Broker;

/// Tells every member, unless `notifyConsumerIdsChangedEnable` forbids it.
pub(crate) fn consumers_changed(broker: &Broker, change: Change) {
    if !broker.config.notify_consumer_ids_changed {
        return;
    }
    let header = NotifyConsumerIdsChangedRequest {
        consumer_group: change.group,
    };
    for member in change.members {
        let notice = Command::request_with(request::NOTIFY_CONSUMER_IDS_CHANGED, &header);
        if let Err(error) = member.push(notice) {
            debug!(group = header.consumer_group, remote = %member.remote(), %error, "tell of the group's change");
        }
    }
}
