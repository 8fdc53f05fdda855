//! `mqnamesrv`: the name server as a program.
//!
//! | ends with | why                                                            |
//! |-----------|----------------------------------------------------------------|
//! | 0         | SIGTERM, SIGINT, SIGHUP, `-h`, `-p`                            |
//! | 1         | a wrong option                                                 |
//! | 255       | the file given with `-c`, the stored keys, the port; broken    |
//!
//! Java's options, prints and exit codes. `ROCKETMQ_HOME` need not be set, and `-n` is taken and not used, as in Java.
//! The log goes to stderr; `RUST_LOG` filters it.
//!
//! Java 4.7.0 `namesrv/NamesrvStartup.java`, `srvutil/ServerUtil.java`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgAction, Parser};
use namesrv::NamesrvConfig;
use remoting::process::{self, FAILED, NotStarted, StopSignals, complain, say};
use tracing::{error, info, warn};

/// As it calls itself on stderr.
const PROGRAM: &str = "mqnamesrv";

/// More would only use memory: a request takes microseconds.
const MOST_WORKERS: usize = 4;

const USAGE: &str = "\
usage: mqnamesrv [-c <arg>] [-h] [-n <arg>] [-p]
 -c,--configFile <arg>    Name server config properties file
 -h,--help                Print help
 -n,--namesrvAddr <arg>   Name server address list, eg: 192.168.0.1:9876;192.168.0.2:9876
 -p,--printConfigItem     Print all config item
";

/// Of an option given twice the first counts; words that are no option are passed over.
#[derive(Debug, Parser)]
#[command(disable_help_flag = true)]
struct Options {
    #[arg(short = 'c', long = "configFile", action = ArgAction::Append)]
    config_file: Vec<PathBuf>,
    #[arg(short = 'n', long = "namesrvAddr", action = ArgAction::Append)]
    _namesrv_addr: Vec<String>,
    #[arg(short = 'p', long = "printConfigItem", action = ArgAction::Count)]
    print: u8,
    #[arg(short = 'h', long = "help", action = ArgAction::Count)]
    help: u8,
    _words: Vec<String>,
}

fn main() -> ExitCode {
    let options = match Options::try_parse_from(std::env::args_os().map(two_dashes)) {
        Ok(options) => options,
        Err(error) => {
            let text = error.render().to_string();
            let sentence = text.lines().next().unwrap_or_default();
            complain(PROGRAM, &sentence.trim_start_matches("error: "));
            say(USAGE);
            return ExitCode::from(1);
        }
    };
    if options.help > 0 {
        say(USAGE);
        return ExitCode::SUCCESS;
    }
    let (config, notices) = match options.config_file.first() {
        None => (NamesrvConfig::default(), Vec::new()),
        Some(file) => match NamesrvConfig::load(file) {
            Ok(loaded) => {
                say(&format!(
                    "load config properties file OK, {}\n",
                    file.display()
                ));
                loaded
            }
            Err(error) => {
                complain(PROGRAM, &error);
                return ExitCode::from(FAILED);
            }
        },
    };
    if options.print > 0 {
        say(&config.printed());
        return ExitCode::SUCCESS;
    }
    let log = logging::to_stderr("info");
    for notice in notices {
        warn!(%notice, "configuration");
    }
    info!(limit = process::raise_descriptors(), "descriptors");
    let served = serve(config);
    drop(log); // or its lines would come behind why there was no start
    process::exit_code(PROGRAM, served)
}

/// Commons-cli takes `-configFile x` for `--configFile x`.
fn two_dashes(word: OsString) -> OsString {
    const LONG: [&str; 4] = ["configFile", "namesrvAddr", "printConfigItem", "help"];
    let name = word.to_str().and_then(|word| word.strip_prefix('-'));
    match name {
        Some(name) if LONG.contains(&name.split('=').next().unwrap_or_default()) => {
            format!("--{name}").into()
        }
        _ => word,
    }
}

fn serve(config: NamesrvConfig) -> Result<ExitCode, NotStarted> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(processors.min(MOST_WORKERS))
        .max_blocking_threads(2)
        .thread_name("namesrv")
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => runtime.block_on(serve_until_told(config)),
        Err(error) => Err((FAILED, format!("cannot start threads: {error}"))),
    }
}

async fn serve_until_told(config: NamesrvConfig) -> Result<ExitCode, NotStarted> {
    let Ok(mut signals) = StopSignals::listen() else {
        return Err((FAILED, "cannot wait for signals".to_owned()));
    };
    let mut running = match namesrv::run(config).await {
        Ok(running) => running,
        Err(error) => return Err((FAILED, error.to_string())),
    };
    say("The Name Server boot success. serializeType=JSON\n");
    let exit = tokio::select! {
        () = signals.told() => ExitCode::SUCCESS,
        () = running.broken() => {
            error!("silent brokers are no longer looked for: stop");
            ExitCode::from(FAILED)
        }
    };
    info!("stop");
    running.stop().await;
    Ok(exit)
}
