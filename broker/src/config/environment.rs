//! What the machine contributes to the defaults: home directory, host name, processors, two environment variables.
//!
//! The rule that is easy to break: these answers decide where an existing store is looked for and under which name a
//! broker registers, so they must be the ones Java gives on the same machine. The home directory is the one in the
//! password file, whatever `HOME` says, as the JDK's `user.home`; a host whose own name does not resolve is called
//! `DEFAULT_BROKER`.
//! Java 4.7.0 `common/BrokerConfig.java` (`localHostName`), `common/MixAll.java` (environment names).

use std::net::ToSocketAddrs;
use std::path::PathBuf;

/// What is asked of the machine once, at the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// `ROCKETMQ_HOME`, if set.
    pub rocketmq_home: Option<String>,
    /// `NAMESRV_ADDR`, if set.
    pub namesrv_addr: Option<String>,
    /// Java's `user.home`: the parent of the default store directory.
    pub user_home: PathBuf,
    /// The host's own name, or `DEFAULT_BROKER` where it does not resolve.
    pub host_name: String,
    /// Processors this process may use; Java's defaults for thread counts are made of it.
    pub cpus: i64,
}

impl Environment {
    /// Asks the machine. May block for as long as the resolver takes to answer for the host's own name.
    #[must_use]
    pub fn of_this_process() -> Self {
        Environment {
            rocketmq_home: std::env::var("ROCKETMQ_HOME").ok(),
            namesrv_addr: std::env::var("NAMESRV_ADDR").ok(),
            ..Environment::of_this_host()
        }
    }

    /// As [`of_this_process`](Self::of_this_process), with neither environment variable looked at: the same for every
    /// process of this user on this machine.
    #[must_use]
    pub fn of_this_host() -> Self {
        Environment {
            rocketmq_home: None,
            namesrv_addr: None,
            user_home: user_home(),
            host_name: host_name(),
            cpus: std::thread::available_parallelism().map_or(1, |cpus| cpus.get() as i64),
        }
    }
}

/// The password file's home of the user this process runs as; `HOME` for a user that is not in it.
fn user_home() -> PathBuf {
    let uid = rustix::process::getuid().as_raw();
    std::fs::read_to_string("/etc/passwd")
        .ok()
        .and_then(|passwd| home_of(&passwd, uid))
        .or_else(|| std::env::var_os("HOME").map(PathBuf::from))
        .unwrap_or_else(|| PathBuf::from("/"))
}

fn home_of(passwd: &str, uid: u32) -> Option<PathBuf> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':').skip(2);
        let line_uid: u32 = fields.next()?.parse().ok()?;
        let home = fields.nth(2)?;
        (line_uid == uid && !home.is_empty()).then(|| PathBuf::from(home))
    })
}

fn host_name() -> String {
    let name = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    let resolves = (name.as_str(), 0).to_socket_addrs().is_ok();
    if resolves && !name.is_empty() {
        name
    } else {
        "DEFAULT_BROKER".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn home_is_the_password_files() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\nmq:x:1001:1001::/srv/mq:/bin/sh\nbroken\n";
        assert_eq!(home_of(passwd, 1001), Some(PathBuf::from("/srv/mq")));
        assert_eq!(home_of(passwd, 7), None);
    }
}
