//! The command line of `mqbroker`: `-c FILE -n ADDR -p -m -h`, as Java's.
//!
//! Commons-cli's habits are kept, since scripts rely on them: `-configFile x` with one dash is `--configFile x`, of an
//! option given twice the first counts, and a word that is no option is skipped. A wrong option prints the usage and
//! ends with code 1.
//! Java 4.7.0 `broker/BrokerStartup.java`, `srvutil/ServerUtil.java`.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use clap::{ArgAction, CommandFactory, Parser};

use crate::address;
use crate::config::{self, BrokerConfig, Environment, LoadError, Notice, Refused};

/// Takes the place of Java's RocketMQ 4.7 broker.
#[derive(Debug, Parser)]
#[command(name = "mqbroker", version)]
struct Options {
    /// Broker config properties file.
    #[arg(short = 'c', long = "configFile", value_name = "FILE", action = ArgAction::Append)]
    config_file: Vec<PathBuf>,
    /// Name server address list, e.g. 192.168.0.1:9876;192.168.0.2:9876
    #[arg(short = 'n', long = "namesrvAddr", value_name = "ADDR", action = ArgAction::Append)]
    namesrv_addr: Vec<String>,
    /// Print every config item and end.
    #[arg(short = 'p', long = "printConfigItem", action = ArgAction::Count)]
    print_config_item: u8,
    /// Print the important config items and end.
    #[arg(short = 'm', long = "printImportantConfig", action = ArgAction::Count)]
    print_important_config: u8,
    #[arg(hide = true)]
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

/// Why nothing is started. `Display` is the sentence for the operator, [`exit_code`](Self::exit_code) is Java's.
#[derive(Debug)]
pub enum CliError {
    /// A wrong option; the text is clap's, with the usage.
    Usage(String),
    /// The file given with `-c` cannot be read.
    Load(LoadError),
    /// Values that Java refuses.
    Refused(Refused),
}

impl CliError {
    /// Code the process ends with, as Java's: 1 wrong option, −1 any exception, −3 refused values.
    #[must_use]
    pub fn exit_code(&self) -> i32 {
        match self {
            CliError::Usage(_) => 1,
            CliError::Load(_) => -1,
            CliError::Refused(_) => -3,
        }
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CliError::Usage(text) => f.write_str(text),
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
    let options = match Options::try_parse_from(args.into_iter().map(two_dashes)) {
        Ok(options) => options,
        Err(error) if error.use_stderr() => return Err(CliError::Usage(usage(&error))),
        Err(help) => return Ok(Command::Print(help.render().to_string())),
    };
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

/// What is wrong, in clap's first sentence, and all options, as Java prints them.
fn usage(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let sentence = text.split("\n\n").next().unwrap_or_default();
    format!("{sentence}\n\n{}", Options::command().render_help())
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
            assert!(error.to_string().contains("Usage: mqbroker"), "{error}");
        }
    }

    #[test]
    fn an_illegal_name_server_ends_with_minus_3_and_javas_text() {
        let error = run(&["-n", "a,b"]).expect_err("refused");
        assert_eq!(error.exit_code(), -3);
        assert_eq!(
            error.to_string(),
            "The Name Server Address[a,b] illegal, please set it as follows, \"127.0.0.1:9876;192.168.0.1:9876\""
        );
    }

    #[test]
    fn a_missing_file_ends_with_minus_1_and_its_name() {
        let error = run(&["-c", "/nowhere/broker.conf"]).expect_err("refused");
        assert_eq!(error.exit_code(), -1);
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
