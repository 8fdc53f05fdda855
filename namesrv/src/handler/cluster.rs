//! 106: all clusters and their brokers. Consoles poll it.
//!
//! Java 4.7.0 `DefaultRequestProcessor.getBrokerClusterInfo`, which encodes tables that others may be changing.

use std::sync::Arc;

use remoting::Command;
use remoting::body::route::{BrokerData, ClusterInfo};
use remoting::java::json;

use super::Reply;
use crate::NameServer;
use crate::table::Table;

pub(super) fn info(server: &Arc<NameServer>) -> Reply {
    let info = cluster_info(&server.table.read());
    Ok(Command::success().with_body(json::write(&info)))
}

fn cluster_info(table: &Table) -> ClusterInfo {
    let brokers = table.brokers.iter().map(|(name, set)| {
        let data = BrokerData {
            broker_addrs: set.addrs.clone(),
            broker_name: name.to_string(),
            cluster: set.cluster.clone(),
        };
        (name.to_string(), data)
    });
    let clusters = table.clusters.iter().map(|(cluster, names)| {
        let names = names.iter().map(|name| name.to_string());
        (cluster.clone(), names.collect())
    });
    ClusterInfo {
        broker_addr_table: brokers.collect(),
        cluster_addr_table: clusters.collect(),
    }
}
