//! `mqstore`: checks and shows a store that no broker has open, Java's or ours.
//!
//! ```text
//! mqstore check ~/store                         log, queues, index, checkpoint, tables: 0 sound, 1 damaged, 2 not checked
//! mqstore dump records ~/store --topic T        records, a line each
//! mqstore dump queue ~/store T 0                queue entries
//! mqstore dump index ~/store                    index entries
//! ```

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use store_tool::{Form, Options, Records};

/// Exit code of a store that is damaged.
const DAMAGED: u8 = 1;
/// Exit code when nothing can be said: wrong usage, no store, a broker has it open.
const NOT_CHECKED: u8 = 2;

/// Checks and shows a RocketMQ store that no broker has open. Changes nothing in it.
#[derive(Debug, Parser)]
#[command(name = "mqstore", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Verify log, queues, index, checkpoint and tables. Exit code 0: sound, 1: damaged, 2: not checked.
    Check {
        #[command(flatten)]
        place: Place,
        /// Print everything as one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Print what is in it, a line each.
    Dump {
        #[command(subcommand)]
        what: Dump,
    },
}

#[derive(Debug, Subcommand)]
enum Dump {
    /// Messages, in the order of the log.
    Records {
        #[command(flatten)]
        place: Place,
        /// From this log offset on.
        #[arg(long, default_value_t = 0)]
        from: u64,
        /// Of this topic only.
        #[arg(long)]
        topic: Option<String>,
        /// With their bodies.
        #[arg(long)]
        body: bool,
        #[command(flatten)]
        lines: Lines,
    },
    /// Entries of one queue.
    Queue {
        #[command(flatten)]
        place: Place,
        topic: String,
        queue: u32,
        /// From this queue offset on.
        #[arg(long, default_value_t = 0)]
        from: i64,
        #[command(flatten)]
        lines: Lines,
    },
    /// Headers and entries of the index files.
    Index {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        lines: Lines,
    },
}

/// Where the store is, and what is known about it.
#[derive(Debug, Args)]
struct Place {
    /// The store: `storePathRootDir`.
    dir: PathBuf,
    /// The log, where it does not lie in DIR/commitlog: `storePathCommitLog`.
    #[arg(long, value_name = "DIR")]
    commit_log: Option<PathBuf>,
    /// `mappedFileSizeCommitLog`; otherwise what most log files have.
    #[arg(long, value_name = "BYTES")]
    log_file_bytes: Option<u64>,
    /// `mappedFileSizeConsumeQueue`; otherwise what most queue files have.
    #[arg(long, value_name = "BYTES")]
    queue_file_bytes: Option<u64>,
    /// `maxHashSlotNum`; otherwise Java's default, or what fits the first entries.
    #[arg(long, value_name = "SLOTS")]
    index_slots: Option<u32>,
}

#[derive(Debug, Args)]
struct Lines {
    /// At most so many.
    #[arg(long, default_value_t = u64::MAX, hide_default_value = true)]
    count: u64,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

impl Place {
    fn options(&self) -> Options {
        Options {
            commit_log: self
                .commit_log
                .clone()
                .unwrap_or_else(|| self.dir.join("commitlog")),
            root: self.dir.clone(),
            log_file_bytes: self.log_file_bytes,
            queue_file_bytes: self.queue_file_bytes,
            index_slots: self.index_slots,
        }
    }
}

impl Lines {
    fn form(&self) -> Form {
        if self.json { Form::Json } else { Form::Line }
    }
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Check { place, json } => check(&place.options(), json),
        Command::Dump { what } => dump(&what),
    };
    done.unwrap_or_else(|error| {
        eprintln!("mqstore: {error}");
        ExitCode::from(NOT_CHECKED)
    })
}

fn check(options: &Options, json: bool) -> Result<ExitCode, Box<dyn std::error::Error>> {
    // Drawn on a terminal only.
    let bar = ProgressBar::new(0);
    let style = ProgressStyle::with_template(
        "{bar:40} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left",
    );
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let report = store_tool::check(options, &mut |passed, total| {
        bar.set_length(total);
        bar.set_position(passed);
    });
    bar.finish_and_clear();
    let (report, mut out) = (report?, io::stdout().lock());
    seen_enough(if json {
        writeln!(out, "{}", serde_json::to_string_pretty(&report)?)
    } else {
        write!(out, "{report}")
    })?;
    Ok(if report.is_damaged() {
        ExitCode::from(DAMAGED)
    } else {
        ExitCode::SUCCESS
    })
}

fn dump(what: &Dump) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let mut out = BufWriter::new(io::stdout().lock());
    let (Dump::Records { place, .. } | Dump::Queue { place, .. } | Dump::Index { place, .. }) =
        what;
    let options = place.options();
    let _lock = store_tool::hold(&options)?;
    let done = match what {
        Dump::Records {
            from,
            topic,
            body,
            lines,
            ..
        } => {
            let which = Records {
                from: *from,
                count: lines.count,
                topic: topic.clone(),
                body: *body,
            };
            store_tool::records(&options, &which, lines.form(), &mut out)
        }
        Dump::Queue {
            topic,
            queue,
            from,
            lines,
            ..
        } => store_tool::queue_entries(
            &options.root,
            topic,
            *queue,
            *from,
            lines.count,
            lines.form(),
            &mut out,
        ),
        Dump::Index { lines, .. } => {
            store_tool::index_entries(&options, lines.count, lines.form(), &mut out)
        }
    };
    seen_enough(done.and_then(|()| out.flush()))?;
    Ok(ExitCode::SUCCESS)
}

/// `| head` that has closed the pipe has seen enough: no error.
fn seen_enough(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}
