//! What tools change and ask on a name server: write permission of a broker (205, 327), topics of a cluster
//! (224), forgetting a topic (216).
//!
//! 106, 206, 304, 311–313, 318 and 319 have no header.
//!
//! Java 4.7.0 `common/protocol/header/namesrv/{WipeWritePermOfBroker,DeleteTopicInNamesrv}*.java`,
//! `common/protocol/header/GetTopicsByClusterRequestHeader.java`; 4.9.8 `AddWritePermOfBroker*.java`,
//! `DeleteTopicFromNamesrvRequestHeader.java`.

header! {
    /// 205: take the write permission from all topics of a broker set.
    pub struct WipeWritePermOfBrokerRequest {
        /// Name of the broker set.
        pub broker_name: String = "brokerName",
    }
}

header! {
    /// The answer to 205.
    pub struct WipeWritePermOfBrokerReply {
        /// Topics changed.
        pub wipe_topic_count: i32 = "wipeTopicCount",
    }
}

header! {
    /// 327: give the write permission back.
    pub struct AddWritePermOfBrokerRequest {
        /// Name of the broker set.
        pub broker_name: String = "brokerName",
    }
}

header! {
    /// The answer to 327.
    pub struct AddWritePermOfBrokerReply {
        /// Topics changed.
        pub add_topic_count: i32 = "addTopicCount",
    }
}

header! {
    /// 224: names of the topics of a cluster, answered in the body.
    pub struct GetTopicsByClusterRequest {
        /// Name of the cluster.
        pub cluster: String = "cluster",
    }
}

header! {
    /// 216: forget a topic.
    pub struct DeleteTopicInNamesrvRequest {
        /// Topic.
        pub topic: String = "topic",
        /// From 4.9.8: only on the brokers of this cluster.
        pub cluster_name: Option<String> = "clusterName",
    }
}

#[cfg(test)]
mod tests {
    use super::super::assert_header;
    use super::*;

    #[test]
    fn write_permission_is_taken_and_given_back() {
        let (wipe, add) = ("b".to_owned(), "b".to_owned());
        assert_header(
            &WipeWritePermOfBrokerRequest { broker_name: wipe },
            &[("brokerName", "b")],
            &[],
        );
        assert_header(
            &WipeWritePermOfBrokerReply {
                wipe_topic_count: 3,
            },
            &[("wipeTopicCount", "3")],
            &[],
        );
        assert_header(
            &AddWritePermOfBrokerRequest { broker_name: add },
            &[("brokerName", "b")],
            &[],
        );
        assert_header(
            &AddWritePermOfBrokerReply { add_topic_count: 3 },
            &[("addTopicCount", "3")],
            &[],
        );
    }

    #[test]
    fn topics_are_listed_by_cluster_and_forgotten_in_one_or_all() {
        assert_header(
            &GetTopicsByClusterRequest {
                cluster: "c".into(),
            },
            &[("cluster", "c")],
            &[],
        );
        let delete = DeleteTopicInNamesrvRequest {
            topic: "T".into(),
            cluster_name: Some("c".into()),
        };
        assert_header(
            &delete,
            &[("topic", "T"), ("clusterName", "c")],
            &["clusterName"],
        );
    }
}
