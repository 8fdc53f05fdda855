//! Clients and their groups: leaving (35), asking who is there (38), being told of a change (40).
//!
//! Heartbeat (34) and CHECK_CLIENT_CONFIG (46) have a body and no header.
//!
//! Java 4.7.0 `common/protocol/header/UnregisterClientRequestHeader.java`,
//! `GetConsumerListByGroupRequestHeader.java`, `NotifyConsumerIdsChangedRequestHeader.java`.

header! {
    /// 35: a client leaves one or two groups.
    pub struct UnregisterClientRequest {
        /// Client id.
        pub client_id: String = "clientID",
        /// The producer group that it leaves.
        pub producer_group: Option<String> = "producerGroup",
        /// The consumer group that it leaves.
        pub consumer_group: Option<String> = "consumerGroup",
    }
}

header! {
    /// 38: the ids of a group's clients, answered in the body.
    pub struct GetConsumerListByGroupRequest {
        /// Consumer group.
        pub consumer_group: String = "consumerGroup",
    }
}

header! {
    /// 40, to a client: its group has changed.
    pub struct NotifyConsumerIdsChangedRequest {
        /// Consumer group.
        pub consumer_group: String = "consumerGroup",
    }
}

#[cfg(test)]
mod tests {
    use super::super::assert_header;
    use super::*;

    #[test]
    fn a_client_leaves_the_groups_it_names() {
        let both = UnregisterClientRequest {
            client_id: "c".into(),
            producer_group: Some("P".into()),
            consumer_group: Some("G".into()),
        };
        let fields = [
            ("clientID", "c"),
            ("producerGroup", "P"),
            ("consumerGroup", "G"),
        ];
        assert_header(&both, &fields, &["producerGroup", "consumerGroup"]);
    }

    #[test]
    fn group_requests_name_their_group() {
        let consumer_group = String::from("G");
        let fields = [("consumerGroup", "G")];
        assert_header(
            &GetConsumerListByGroupRequest {
                consumer_group: consumer_group.clone(),
            },
            &fields,
            &[],
        );
        assert_header(
            &NotifyConsumerIdsChangedRequest { consumer_group },
            &fields,
            &[],
        );
    }
}
