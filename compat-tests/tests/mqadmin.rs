//! `mqadmin` of Java 4.7.0 against Java's servers and ours: what its commands print is the same.
//!
//! ```text
//! java/tools ─┬─▶ Java's servers ─▶ command, text, command, text … ─┐
//!             └─▶ ours           ─▶ command, text, command, text … ─┴─ equal, but for times, ids and ports
//! ```
//!
//! One JVM for each kind of servers makes a topic, sends, consumes, and runs the commands on them: who is connected, how
//! far the group is, its client's state; messages by id, key, unique key and offset, consumed by hand and sent again; the
//! group moved back live, and, when it is gone, queue by queue; the group's end and the topic's.

use std::process::Stdio;
use std::thread;

use compat_tests::cluster::{Cluster, Mode, Spec};
use compat_tests::java::{self, TOOLS};
use compat_tests::logs;
use compat_tests::servers::{CONTROL, Servers};

const VERSION: &str = "4.7.0";
const HEAP_MIB: u32 = 256;

/// What differs on purpose: the command's first words, and why. Nothing of what it prints is compared.
const DIFFERENT: &[(&str, &str)] = &[(
    "queryMsgById -i ID -s",
    "sends the message again, to any queue",
)];

/// A property that Java 4.7.0 forgets to store; see COMPATIBILITY.md, 10.
const OURS_ALONE: [&str; 2] = ["CLUSTER=DefaultCluster, ", ", CLUSTER=DefaultCluster"];

#[test]
fn mqadmin_prints_the_same() {
    let (java, ours) = thread::scope(|scope| {
        let java = scope.spawn(|| transcript(CONTROL));
        let ours = scope.spawn(|| transcript(Servers::Ours));
        (java.join(), ours.join())
    });
    let (java, ours) = (java.expect("Java's"), ours.expect("ours"));
    let commands = |all: &[Printed]| {
        all.iter()
            .map(|one| one.command.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(commands(&java), commands(&ours));
    let mut wrong = Vec::new();
    for (java, ours) in java.iter().zip(&ours) {
        let on_purpose = DIFFERENT
            .iter()
            .any(|(command, _)| java.command.starts_with(command));
        if java.lines != ours.lines && !on_purpose {
            let only = |of: &Printed, not: &Printed| {
                let lines = of.lines.iter().filter(|line| !not.lines.contains(line));
                lines
                    .map(|line| format!("\n        {line}"))
                    .collect::<String>()
            };
            wrong.push(format!(
                "mqadmin {}\n    java only:{}\n    ours only:{}",
                java.command,
                only(java, ours),
                only(ours, java)
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} commands differ\n{}",
        wrong.len(),
        java.len(),
        wrong.join("\n")
    );
}

/// A command and what it printed, comparable.
#[derive(Debug)]
struct Printed {
    command: String,
    lines: Vec<String>,
}

fn transcript(servers: Servers) -> Vec<Printed> {
    servers.prepare().expect("binaries");
    let classpath = TOOLS.classpath(VERSION).expect("Maven");
    let logs = logs::fresh_folder(&format!("mqadmin_{servers}")).expect("a folder");
    let spec = Spec {
        servers,
        namesrvs: 1,
        mode: Mode::Test(&[]),
    };
    let cluster = Cluster::start(spec, &logs).expect("starts");
    // Java's tools read their log's configuration below ROCKETMQ_HOME, and consumerStatus writes where it runs.
    let home = cluster.home();
    let output = java::short_lived_jvm(&classpath, HEAP_MIB, home)
        .arg(format!("-Drocketmq.home.dir={}", home.display()))
        .arg(format!("-Drocketmq.client.logRoot={}", logs.display()))
        .args(["compat.tools.Main", &cluster.namesrv_addr()])
        .env("ROCKETMQ_HOME", home)
        .env_remove("NAMESRV_ADDR")
        .current_dir(home)
        .stdin(Stdio::null())
        .output()
        .expect("java");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{servers}: {text}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let home = home.display().to_string();
    let commands = text.split("## ").skip(1);
    commands
        .map(|text| printed(&text.replace(&home, "HOME")))
        .collect()
}

fn printed(text: &str) -> Printed {
    let (command, text) = text.split_once('\n').unwrap_or((text, ""));
    // Tables of Java's maps have no order.
    let mut lines: Vec<String> = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("at "))
        .map(comparable)
        .filter(|line| !line.is_empty())
        .collect();
    lines.sort();
    Printed {
        command: comparable(command),
        lines,
    }
}

/// A line without what is the run's own: long hexadecimal words are ids, long numbers times and ports are addresses.
fn comparable(line: &str) -> String {
    let mut out = String::new();
    let line = OURS_ALONE
        .iter()
        .fold(line.to_owned(), |line, ours| line.replace(ours, ""));
    for word in line.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        let mut run = String::new();
        for c in word.chars().chain([' ']) {
            if c.is_ascii_alphanumeric() {
                run.push(c);
                continue;
            }
            let spent = out.ends_with("spentTimeMills=");
            let hash = out.ends_with('@') && run.bytes().all(|byte| byte.is_ascii_hexdigit());
            out.push_str(match (spent, hash) {
                (true, _) => "N",
                (_, true) if !run.is_empty() => "ID",
                _ => kept(&run),
            });
            run.clear();
            if c != ' ' {
                out.push(c);
            }
        }
    }
    out
}

/// A run of letters and digits, or what stands for it.
fn kept(run: &str) -> &str {
    let digits = run.bytes().filter(u8::is_ascii_digit).count();
    let hexadecimal = run.bytes().all(|byte| byte.is_ascii_hexdigit());
    if run.starts_with("0x") || (hexadecimal && run.len() >= 6 && digits > 0 && digits < run.len())
    {
        return "ID";
    }
    match run.len() - digits {
        0 if digits > 1 => "N",
        2 if digits > 0 && run.ends_with("ms") => "Nms",
        _ => run,
    }
}
