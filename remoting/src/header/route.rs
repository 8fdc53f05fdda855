//! Brokers and their topics on a name server: 103, 104, 322, and the question for a route, 105.
//!
//! Java 4.7.0 `common/protocol/header/namesrv/{RegisterBroker,UnRegisterBroker,QueryDataVersion,GetRouteInfo}*.java`;
//! `acceptStandardJsonOnly` from 4.9.4.

header! {
    /// 103: a broker and, in the body, its topics.
    pub struct RegisterBrokerRequest {
        /// Name of the broker set.
        pub broker_name: String = "brokerName",
        /// Address that clients use, `ip:port`.
        pub broker_addr: String = "brokerAddr",
        /// Name of the cluster.
        pub cluster_name: String = "clusterName",
        /// Address that slaves copy the log from, `ip:port`.
        pub ha_server_addr: String = "haServerAddr" or String::new(),
        /// Id in the set; 0 is the master.
        pub broker_id: i64 = "brokerId",
        /// The body is zlib.
        pub compressed: bool = "compressed" or false,
        /// `crc32 & 0x7fffffff` of the body as sent; 0 means not to check.
        pub body_crc32: i32 = "bodyCrc32" or 0,
    }
}

header! {
    /// The answer to 103; to a slave it names its master.
    pub struct RegisterBrokerReply {
        /// Where the master's log is copied from.
        pub ha_server_addr: Option<String> = "haServerAddr",
        /// The master's address.
        pub master_addr: Option<String> = "masterAddr",
    }
}

header! {
    /// 104: a broker goes.
    pub struct UnregisterBrokerRequest {
        /// Name of the broker set.
        pub broker_name: String = "brokerName",
        /// Its address.
        pub broker_addr: String = "brokerAddr",
        /// Name of the cluster.
        pub cluster_name: String = "clusterName",
        /// Id in the set.
        pub broker_id: i64 = "brokerId",
    }
}

header! {
    /// 322: is the DataVersion in the body still the one that is known?
    pub struct QueryDataVersionRequest {
        /// Name of the broker set.
        pub broker_name: String = "brokerName",
        /// Its address.
        pub broker_addr: String = "brokerAddr",
        /// Name of the cluster.
        pub cluster_name: String = "clusterName",
        /// Id in the set.
        pub broker_id: i64 = "brokerId",
    }
}

header! {
    /// The answer to 322.
    pub struct QueryDataVersionReply {
        /// It is not, or the broker is unknown.
        pub changed: bool = "changed",
    }
}

header! {
    /// 105: queues and brokers of a topic.
    pub struct GetRouteInfoRequest {
        /// Topic.
        pub topic: String = "topic",
        /// The client cannot read bare integer keys.
        pub accept_standard_json_only: bool = "acceptStandardJsonOnly" or false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::assert_header;
    use super::*;

    const BROKER: [(&str, &str); 4] = [
        ("brokerName", "b"),
        ("brokerAddr", "10.0.0.1:10911"),
        ("clusterName", "c"),
        ("brokerId", "0"),
    ];

    #[test]
    fn a_broker_registers_and_is_told_its_master() {
        let register = RegisterBrokerRequest {
            broker_name: "b".into(),
            broker_addr: "10.0.0.1:10911".into(),
            cluster_name: "c".into(),
            ha_server_addr: "10.0.0.1:10912".into(),
            broker_id: 0,
            compressed: true,
            body_crc32: 77,
        };
        let mut fields = BROKER.to_vec();
        fields.extend([
            ("haServerAddr", "10.0.0.1:10912"),
            ("compressed", "true"),
            ("bodyCrc32", "77"),
        ]);
        assert_header(
            &register,
            &fields,
            &["haServerAddr", "compressed", "bodyCrc32"],
        );
        let reply = RegisterBrokerReply {
            ha_server_addr: Some("a:2".into()),
            master_addr: Some("a:1".into()),
        };
        let fields = [("haServerAddr", "a:2"), ("masterAddr", "a:1")];
        assert_header(&reply, &fields, &["haServerAddr", "masterAddr"]);
    }

    #[test]
    fn a_broker_asks_for_its_version_and_goes() {
        let (broker_name, broker_addr) = (String::from("b"), String::from("10.0.0.1:10911"));
        let (cluster_name, broker_id) = (String::from("c"), 0);
        let query = QueryDataVersionRequest {
            broker_name: broker_name.clone(),
            broker_addr: broker_addr.clone(),
            cluster_name: cluster_name.clone(),
            broker_id,
        };
        assert_header(&query, &BROKER, &[]);
        assert_header(
            &UnregisterBrokerRequest {
                broker_name,
                broker_addr,
                cluster_name,
                broker_id,
            },
            &BROKER,
            &[],
        );
        assert_header(
            &QueryDataVersionReply { changed: true },
            &[("changed", "true")],
            &[],
        );
    }

    #[test]
    fn a_route_is_asked_for_by_topic() {
        let route = GetRouteInfoRequest {
            topic: "T".into(),
            accept_standard_json_only: true,
        };
        assert_header(
            &route,
            &[("topic", "T"), ("acceptStandardJsonOnly", "true")],
            &["acceptStandardJsonOnly"],
        );
    }
}
