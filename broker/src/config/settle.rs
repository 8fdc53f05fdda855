//! What follows from several values together: roles and ids, and the two cases in which Java refuses to start.
//!
//! Java 4.7.0 `broker/BrokerStartup.java`, `createBrokerController`; both refusals end with exit code −3.

use std::fmt;

use store::BrokerRole;

use super::broker::BrokerConfig;
use super::environment::Environment;
use super::notice::Notice;

/// Why a broker with these values cannot start. The text is what Java prints, since people look for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// `namesrvAddr` is not a list of `host:port`.
    NamesrvAddr(String),
    /// A slave needs an id above 0.
    SlaveId(i64),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::NamesrvAddr(addr) => write!(
                f,
                "The Name Server Address[{addr}] illegal, please set it as follows, \
                 \"127.0.0.1:9876;192.168.0.1:9876\""
            ),
            Refused::SlaveId(_) => f.write_str("Slave's brokerId must be > 0"),
        }
    }
}

impl std::error::Error for Refused {}

/// Checks the name servers, makes a master's id 0 and `haListenPort` `listenPort` + 1, and tells what this broker will not do.
///
/// # Errors
/// [`Refused`]; the start ends with exit code −3.
pub fn settle(config: &mut BrokerConfig) -> Result<Vec<Notice>, Refused> {
    let mut notices = Vec::new();
    if let Some(addr) = &config.namesrv_addr
        && !names_servers(addr)
    {
        return Err(Refused::NamesrvAddr(addr.clone()));
    }
    match config.store.broker_role {
        BrokerRole::AsyncMaster | BrokerRole::SyncMaster => {
            if config.broker_id != 0 {
                notices.push(Notice::BrokerIdForced {
                    written: config.broker_id,
                });
            }
            config.broker_id = 0;
        }
        BrokerRole::Slave if config.broker_id <= 0 => {
            return Err(Refused::SlaveId(config.broker_id));
        }
        BrokerRole::Slave => {}
    }
    if let Some(port) = config.server.ha_port() {
        config.accepted.set("haListenPort", port.to_string());
    }
    notices.extend(commit_log_elsewhere(config));
    notices.extend(not_done(config));
    Ok(notices)
}

/// Java's `string2SocketAddress` over `split(";")`: whatever stands before the last colon, and a port after it.
fn names_servers(list: &str) -> bool {
    let servers = list.trim_end_matches(';');
    if servers.is_empty() {
        return !list.is_empty();
    }
    servers.split(';').all(|server| {
        let port = server.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
        matches!(port, Some(Ok(_)))
    })
}

/// Two brokers on one host with a root of their own each share a commit log, if nobody tells them not to.
fn commit_log_elsewhere(config: &BrokerConfig) -> Option<Notice> {
    let defaults = super::broker::store_defaults(&Environment::of_this_host());
    let (store, root) = (&config.store, &config.store.root_dir);
    let apart = *root != defaults.root_dir && store.commit_log_dir == defaults.commit_log_dir;
    apart.then(|| Notice::CommitLogElsewhere {
        root: root.display().to_string(),
        commit_log: store.commit_log_dir.display().to_string(),
    })
}

fn not_done(config: &BrokerConfig) -> Vec<Notice> {
    let asked = [
        (
            config.acl_enable,
            "aclEnable",
            "access control is not built yet, so every client that reaches this broker may do everything",
        ),
        (
            config.client.use_tls,
            "useTLS",
            "TLS is not built yet, so this broker calls out in plain text",
        ),
        (
            config.dledger_enable,
            "enableDLegerCommitLog",
            "there is no DLedger here: this broker keeps a plain commit log and elects no leader",
        ),
        (
            config.fetch_namesrv_addr && config.namesrv_addr.is_none(),
            "fetchNamesrvAddrByAddressServer",
            "the address server is not asked, so this broker registers nowhere; set namesrvAddr",
        ),
    ];
    let asked = asked.into_iter().filter(|(asked, ..)| *asked);
    asked
        .map(|(_, key, consequence)| Notice::NotDone {
            key,
            value: "true".to_owned(),
            consequence,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_servers_are_checked_as_java_checks_them() {
        for good in [
            "a:9876",
            "a:9876;b:9876",
            "a:9876;",
            "[::1]:9876",
            ":9876",
            ";",
        ] {
            assert!(names_servers(good), "{good}");
        }
        for bad in [
            "",
            "a",
            "a:",
            "a:9876,b",
            "a:9876;;b:9876",
            "a:9876 ",
            "a:70000",
        ] {
            assert!(!names_servers(bad), "{bad}");
        }
    }

    #[test]
    fn a_master_is_always_zero() {
        for role in [BrokerRole::AsyncMaster, BrokerRole::SyncMaster] {
            let mut config = BrokerConfig {
                broker_id: 3,
                ..BrokerConfig::default()
            };
            config.store.broker_role = role;
            assert_eq!(
                settle(&mut config),
                Ok(vec![Notice::BrokerIdForced { written: 3 }])
            );
            assert_eq!(config.broker_id, 0);
        }
    }

    #[test]
    fn the_port_of_replication_follows_the_listening_port() {
        let mut config = BrokerConfig::default();
        config.server.listen_port = 20_911;
        settle(&mut config).expect("starts");
        let shown = crate::config::print(&config, false);
        assert!(shown.contains(&("haListenPort", "20912".to_owned())));
    }

    #[test]
    fn a_slave_needs_an_id_above_zero() {
        let mut config = BrokerConfig::default();
        config.store.broker_role = BrokerRole::Slave;
        assert_eq!(settle(&mut config), Err(Refused::SlaveId(0)));
        config.broker_id = 1;
        assert_eq!(settle(&mut config), Ok(vec![]));
        assert_eq!(config.broker_id, 1);
    }

    #[test]
    fn a_root_without_a_commit_log_below_it_is_told() {
        let mut config = BrokerConfig::default();
        config.store.root_dir = "/data/a".into();
        let notices = settle(&mut config).expect("starts");
        assert!(
            matches!(&notices[..], [Notice::CommitLogElsewhere { .. }]),
            "{notices:?}"
        );
        config.store.commit_log_dir = "/data/a/commitlog".into();
        assert_eq!(settle(&mut config), Ok(vec![]));
    }

    #[test]
    fn what_is_asked_for_and_not_done_is_an_error_in_the_log() {
        let mut config = BrokerConfig {
            acl_enable: true,
            ..BrokerConfig::default()
        };
        let notices = settle(&mut config).expect("starts");
        assert_eq!(
            notices.iter().map(Notice::level).collect::<Vec<_>>(),
            [tracing::Level::ERROR]
        );
    }
}
