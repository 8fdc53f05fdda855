//! NameServer and Broker in one process, for a first try: `cargo run --release`.
//!
//! ```text
//! rocketmq [FOLDER]     keeps everything below FOLDER (first-try), listens on 127.0.0.1 alone, Java's ports
//! ```
//!
//! Nothing can be configured here: `mqnamesrv` and `mqbroker` are the servers, this shows that they work. Log files are
//! smaller than Java's, so that a look costs no gigabytes; a broker on the same folder would have to be told so.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use broker::BrokerConfig;
use broker::config::Environment;
use namesrv::NamesrvConfig;
use remoting::process::StopSignals;

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const LOG_FILE_BYTES: u32 = 64 << 20;

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    let folder = words
        .next()
        .map_or_else(|| PathBuf::from("first-try"), PathBuf::from);
    if folder.as_os_str().to_string_lossy().starts_with('-') || words.next().is_some() {
        let _ = writeln!(
            std::io::stderr(),
            "usage: rocketmq [FOLDER]\nName server and broker in one process, for a first try, stored below FOLDER."
        );
        return ExitCode::FAILURE;
    }
    let log = logging::to_stderr("warn");
    let served = tokio::runtime::Runtime::new().map_err(|error| error.to_string());
    let served = served.and_then(|runtime| runtime.block_on(serve(&folder)));
    drop(log); // what it still holds stands before the reason
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            let _ = writeln!(std::io::stderr(), "rocketmq: {reason}");
            ExitCode::FAILURE
        }
    }
}

/// Runs both until SIGINT, SIGTERM or SIGHUP. The error is a sentence for the person at the terminal.
async fn serve(folder: &Path) -> Result<(), String> {
    let folder =
        std::path::absolute(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut signals = StopSignals::listen().map_err(|error| error.to_string())?;
    let name_server = namesrv::run(name_server_config(&folder))
        .await
        .map_err(|error| error.to_string())?;
    let config = broker_config(&folder, name_server.addr().to_string());
    let broker = match broker::run(config).await {
        Ok(broker) => broker,
        Err(error) => {
            name_server.stop().await;
            return Err(error.to_string());
        }
    };
    let _ = writeln!(
        std::io::stdout(),
        "{}",
        greeting(&folder, &name_server.addr().to_string(), broker.address())
    );
    signals.told().await;
    broker.stop().await;
    name_server.stop().await;
    Ok(())
}

fn name_server_config(folder: &Path) -> NamesrvConfig {
    let mut config = NamesrvConfig::default();
    config.kv_config_path = folder.join("namesrv/kvConfig.json");
    config.config_store_path = folder.join("namesrv/namesrv.properties");
    config.bind_address = Some(LOCALHOST);
    config
}

fn broker_config(folder: &Path, name_server: String) -> BrokerConfig {
    let mut config = BrokerConfig::new(&Environment::of_this_host());
    config.namesrv_addr = Some(name_server);
    config.broker_ip1 = Some(LOCALHOST.to_string());
    config.broker_ip2 = Some(LOCALHOST.to_string());
    config.server.bind_address = Some(LOCALHOST);
    config.store.root_dir = folder.join("store");
    config.store.commit_log_dir = folder.join("store/commitlog");
    config.store.commit_log_file_bytes = LOG_FILE_BYTES;
    config
}

fn greeting(folder: &Path, name_server: &str, broker: &str) -> String {
    format!(
        "\
The Name Server boot success. It listens on {name_server}.
The broker boot success. It listens on {broker} and stores below {}.

Point any RocketMQ client at it: namesrvAddr={name_server}
Try next, in another terminal: cargo run --release -p load -- both {broker} --rate 1000
Ctrl-C stops both.",
        folder.display()
    )
}
