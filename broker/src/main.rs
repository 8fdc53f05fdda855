//! `mqbroker`: the broker as a program.
//!
//! | ends with | why                                                                                 |
//! |-----------|-------------------------------------------------------------------------------------|
//! | 0         | SIGTERM, SIGINT, SIGHUP, `-h`, `-p`, `-m`                                           |
//! | 1         | a wrong option                                                                      |
//! | 253       | Java's −3: `namesrvAddr` or a slave's id is refused, a table or the store is broken |
//! | 255       | Java's −1: the file given with `-c`, a port, an address; a stop that lost something |
//!
//! Java's options, success line and exit codes. `ROCKETMQ_HOME` need not be set, where Java ends with −2. The log goes
//! to stderr; `RUST_LOG` filters it. What Java prints on stdout is printed there, and nothing else.
//!
//! Java 4.7.0 `broker/BrokerStartup.java`, `srvutil/ServerUtil.java`.

use std::process::ExitCode;

use broker::cli::{self, CliError, Command};
use broker::config::{BrokerConfig, Environment, Notice};
use broker::{Running, StartError};
use remoting::process::{self, FAILED, NotStarted, StopSignals, complain, say};
use tracing::{Level, error, info, warn};

/// As it calls itself on stderr.
const PROGRAM: &str = "mqbroker";
/// Java's −3.
const REFUSED: u8 = 253;

fn main() -> ExitCode {
    match cli::read(std::env::args_os(), &Environment::of_this_process()) {
        Ok(Command::Start(config, notices)) => {
            let log = logging::to_stderr("info");
            tell(&notices);
            info!(limit = process::raise_descriptors(), "descriptors");
            let served = serve(*config);
            drop(log); // or its lines would come behind why there was no start
            process::exit_code(PROGRAM, served)
        }
        Ok(Command::Print(text)) => {
            say(&text);
            ExitCode::SUCCESS
        }
        Err(error) => {
            match &error {
                CliError::Usage { sentence, usage } => {
                    complain(PROGRAM, sentence);
                    say(usage);
                }
                CliError::Load(error) => complain(PROGRAM, &error),
                CliError::Refused(refused) => say(&format!("{refused}\n")),
            }
            ExitCode::from(error.exit_code())
        }
    }
}

fn tell(notices: &[Notice]) {
    for notice in notices {
        match notice.level() {
            Level::ERROR => error!("{notice}"),
            Level::WARN => warn!("{notice}"),
            _ => info!("{notice}"),
        }
    }
}

fn serve(config: BrokerConfig) -> Result<ExitCode, NotStarted> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .thread_name("broker")
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => runtime.block_on(serve_until_told(config)),
        Err(error) => Err((FAILED, format!("cannot start threads: {error}"))),
    }
}

async fn serve_until_told(config: BrokerConfig) -> Result<ExitCode, NotStarted> {
    // Before the start, so that a signal during it is not lost: it stops the broker once it is up.
    let Ok(mut signals) = StopSignals::listen() else {
        return Err((FAILED, "cannot wait for signals".to_owned()));
    };
    let name_servers = config.namesrv_addr.clone();
    let running = match broker::run(config).await {
        Ok(running) => running,
        Err(error) => return Err((code_of(&error), error.to_string())),
    };
    say(&success_line(&running, name_servers.as_deref()));
    let whole = tokio::select! {
        () = signals.told() => true,
        () = running.broken() => {
            error!("the log could not be synced and takes no more messages: the process ends");
            false
        }
    };
    info!("stop");
    let clean = running.stop().await && whole;
    Ok(if clean {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(FAILED)
    })
}

/// Java's `initialize` fails for what is on disk; anything else there is an exception.
fn code_of(error: &StartError) -> u8 {
    match error {
        StartError::Table(_) | StartError::Store(_) => REFUSED,
        _ => FAILED,
    }
}

fn success_line(running: &Running, name_servers: Option<&str>) -> String {
    let (name, address) = (running.name(), running.address());
    let mut line = format!("The broker[{name}, {address}] boot success. serializeType=JSON");
    if let Some(name_servers) = name_servers {
        line.push_str(" and name server is ");
        line.push_str(name_servers);
    }
    line.push('\n');
    line
}
