//! The command line of `mqbroker`: `-c FILE -n ADDR -p -m -h`, as Java's.
//!
//! Commons-cli's habits are kept, since scripts rely on them: `-configFile x` with one dash is `--configFile x`, of an
//! option given twice the first counts, and a word that is no option is skipped. A wrong option prints the usage and
//! ends with code 1.
//! Java 4.7.0 `broker/BrokerStartup.java`, `srvutil/ServerUtil.java`.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use clap::{ArgAction, Parser};

use crate::address;
use crate::config::{self, BrokerConfig, Environment, LoadError, Notice, Refused};

const USAGE: &str = "\
usage: mqbroker [-c <arg>] [-h] [-m] [-n <arg>] [-p]
 -c,--configFile <arg>       Broker config properties file
 -h,--help                   Print help
 -m,--printImportantConfig   Print important config item
 -n,--namesrvAddr <arg>      Name server address list, eg: 192.168.0.1:9876;192.168.0.2:9876
 -p,--printConfigItem        Print all config item
";

/// Of an option given twice the first counts; words that are no option are passed over.
#[derive(Debug, Parser)]
#[command(name = "mqbroker", disable_help_flag = true)]
struct Options {
    #[arg(short = 'c', long = "configFile",  action = ArgAction::Append)]
    config_file: Vec<PathBuf>,
    #[arg(short = 'n', long = "namesrvAddr",  action = ArgAction::Append)]
    namesrv_addr: Vec<String>,
    #[arg(short = 'p', long = "printConfigItem", action = ArgAction::Count)]
    print_config_item: u8,
    #[arg(short = 'm', long = "printImportantConfig", action = ArgAction::Count)]
    print_important_config: u8,
    #[arg(short = 'h', long = "help", action = ArgAction::Count)]
    help: u8,
    words: Vec<String>,
}

/// Long names that Java also takes behind a single dash.
const LONG_NAMES: [&str; 5] = [
    "configFile",
    "namesrvAddr",
    "printConfigItem",
    "printImportantConfig",
    "help",
];

/// What the command line asks for.
#[derive(Debug)]
pub enum Command {
    /// Start a broker with this configuration; the notices are to be logged.
    Start(Box<BrokerConfig>, Vec<Notice>),
    /// Print this and end with code 0.
    Print(String),
}

/// Why nothing is started. [`exit_code`](Self::exit_code) is Java's.
#[derive(Debug)]
pub enum CliError {
    /// A wrong option.
    Usage {
        /// What is wrong.
        sentence: String,
        /// All options, as Java prints them.
        usage: &'static str,
    },
    /// The file given with `-c` cannot be read.
    Load(LoadError),
    /// Values that Java refuses.
    Refused(Refused),
}

impl CliError {
    /// Code the process ends with, as Java's: 1 wrong option, 255 (−1) any exception, 253 (−3) refused values.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            CliError::Usage { .. } => 1,
            CliError::Load(_) => 255,
            CliError::Refused(_) => 253,
        }
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CliError::Usage { sentence, usage } => write!(f, "{sentence}\n{usage}"),
            CliError::Load(error) => error.fmt(f),
            CliError::Refused(refused) => refused.fmt(f),
        }
    }
}

impl std::error::Error for CliError {}

/// Reads the command line, the first argument being the program's name, and the file it names.
///
/// # Errors
/// [`CliError`]: print it and end with its code.
pub fn read(
    args: impl IntoIterator<Item = OsString>,
    environment: &Environment,
) -> Result<Command, CliError> {
    let words = args.into_iter().map(two_dashes);
    let options = Options::try_parse_from(words).map_err(|error| usage(&error))?;
    if options.help > 0 {
        return Ok(Command::Print(USAGE.to_owned()));
    }
    let file = options.config_file.first().map(PathBuf::as_path);
    let addr = options.namesrv_addr.first().map(String::as_str);
    let loaded = config::load(environment, file, addr).map_err(CliError::Load)?;
    let (mut config, mut notices) = (loaded.config, loaded.notices);
    notices.extend(options.words.into_iter().map(Notice::StrayArgument));
    notices.extend(config::settle(&mut config).map_err(CliError::Refused)?);
    if options.print_config_item + options.print_important_config > 0 {
        return Ok(Command::Print(printed(
            config,
            options.print_config_item == 0,
        )));
    }
    Ok(Command::Start(Box::new(config), notices))
}

/// What is wrong is clap's first sentence.
fn usage(error: &clap::Error) -> CliError {
    let text = error.render().to_string();
    let sentence = text
        .split("\n\n")
        .next()
        .unwrap_or_default()
        .trim_start_matches("error: ")
        .trim_end();
    CliError::Usage {
        sentence: sentence.to_owned(),
        usage: USAGE,
    }
}

/// `-configFile` as `--configFile`.
fn two_dashes(word: OsString) -> OsString {
    let single = word.to_str().and_then(|word| word.strip_prefix('-'));
    match single {
        Some(name) if LONG_NAMES.contains(&name.split('=').next().unwrap_or_default()) => {
            format!("--{name}").into()
        }
        _ => word,
    }
}

/// One `name=value` a line. The addresses are the ones a start would choose; none where it would refuse.
fn printed(mut config: BrokerConfig, important_only: bool) -> String {
    if let Ok(chosen) = address::choose(&config) {
        config.broker_ip1.get_or_insert(chosen.broker.ip);
        config.broker_ip2.get_or_insert(chosen.ha.ip);
    }
    let items = config::print(&config, important_only);
    items
        .into_iter()
        .map(|(name, value)| format!("{name}={value}\n"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(args: &[&str]) -> Result<Command, CliError> {
        let args = std::iter::once("mqbroker")
            .chain(args.iter().copied())
            .map(OsString::from);
        read(args, &Environment::of_this_host())
    }

    fn started(args: &[&str]) -> (BrokerConfig, Vec<Notice>) {
        match run(args) {
            Ok(Command::Start(config, notices)) => (*config, notices),
            other => panic!("{args:?} gave {other:?}"),
        }
    }

    #[test]
    fn one_dash_or_two_and_the_first_of_two() {
        for args in [
            ["-n", "a:1"],
            ["--namesrvAddr", "a:1"],
            ["-namesrvAddr", "a:1"],
        ] {
            assert_eq!(started(&args).0.namesrv_addr.as_deref(), Some("a:1"));
        }
        assert_eq!(
            started(&["-n", "a:1", "-n", "b:1"])
                .0
                .namesrv_addr
                .as_deref(),
            Some("a:1")
        );
    }

    #[test]
    fn a_wrong_option_ends_with_1_and_shows_the_usage() {
        for args in [&["-x"][..], &["-c"], &["--what"]] {
            let error = run(args).expect_err("refused");
            assert_eq!(error.exit_code(), 1);
            assert!(error.to_string().contains(args[0]), "{error}");
            assert!(error.to_string().contains("usage: mqbroker"), "{error}");
        }
    }

    #[test]
    fn an_illegal_name_server_ends_with_minus_3_and_javas_text() {
        let error = run(&["-n", "a,b"]).expect_err("refused");
        assert_eq!(error.exit_code(), 253);
        assert_eq!(
            error.to_string(),
            "The Name Server Address[a,b] illegal, please set it as follows, \"127.0.0.1:9876;192.168.0.1:9876\""
        );
    }

    #[test]
    fn a_missing_file_ends_with_minus_1_and_its_name() {
        let error = run(&["-c", "/nowhere/broker.conf"]).expect_err("refused");
        assert_eq!(error.exit_code(), 255);
        assert!(error.to_string().contains("/nowhere/broker.conf"));
    }

    #[test]
    fn a_word_that_is_no_option_is_skipped_and_told() {
        assert_eq!(
            started(&["conf/broker.conf"]).1,
            [Notice::StrayArgument("conf/broker.conf".to_owned())]
        );
    }

    #[test]
    fn printing_lists_all_or_the_important_ones() {
        let lines = |args: &[&str]| match run(args) {
            Ok(Command::Print(text)) => text.lines().map(str::to_owned).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        };
        assert_eq!(lines(&["-p"]).len(), 164);
        assert_eq!(
            lines(&["-m", "-n", "a:1"]).first().map(String::as_str),
            Some("namesrvAddr=a:1")
        );
        assert_eq!(lines(&["-pm"]).len(), 164);
        assert!(
            lines(&["-h"])
                .iter()
                .any(|line| line.contains("--configFile"))
        );
    }
}
