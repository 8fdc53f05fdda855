//! `mqnamesrv` as a program: options, prints, exit codes, signals.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Output, Stdio};

fn mqnamesrv(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mqnamesrv"));
    command
        .args(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.env_remove("RUST_LOG").env_remove("ROCKETMQ_HOME");
    command
}

fn output(args: &[&str]) -> (Option<i32>, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = mqnamesrv(args).output().expect("it runs");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (status.code(), text(stdout), text(stderr))
}

/// A configuration file with these lines, and a folder for the rest.
fn config(lines: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("namesrv.properties");
    let kv = folder.path().join("kvConfig.json");
    let text = format!(
        "kvConfigPath={}\nbindAddress=127.0.0.1\n{lines}",
        kv.display()
    );
    std::fs::write(&file, text).expect("written");
    let file = file.display().to_string();
    (folder, file)
}

/// Stops it if the test does not.
struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(file: &str) -> (Started, Vec<String>) {
    let mut child = mqnamesrv(&["-c", file, "-n", "ignored:9876"])
        .spawn()
        .expect("it runs");
    let stdout = BufReader::new(child.stdout.take().expect("piped"));
    let child = Started(child);
    let mut printed = Vec::new();
    for line in stdout.lines() {
        printed.push(line.expect("text"));
        if printed.iter().any(|line| line.contains("boot success")) {
            break;
        }
    }
    (child, printed)
}

#[test]
fn a_wrong_option_prints_the_usage_and_ends_with_1_and_help_with_0() {
    let (code, usage, _) = output(&["-h"]);
    assert_eq!(code, Some(0));
    assert!(usage.starts_with("usage: mqnamesrv [-c <arg>] [-h] [-n <arg>] [-p]\n"));
    assert_eq!(output(&["-help"]), output(&["--help"]));
    let why = "mqnamesrv: unexpected argument '-x' found\n".to_owned();
    assert_eq!(output(&["-x"]), (Some(1), usage, why));
}

#[test]
fn every_item_is_printed_as_name_and_value() {
    let (_folder, file) = config("listenPort=1234\nnobodyKnows=1\n");
    let (code, printed, _) = output(&["-configFile", &file, "-p"]);
    assert_eq!(code, Some(0));
    assert!(printed.starts_with(&format!(
        "load config properties file OK, {file}\nrocketmqHome=\nkvConfigPath="
    )));
    assert!(printed.contains("\nlistenPort=1234\nserverWorkerThreads=8\n"));
    assert!(!printed.contains("nobodyKnows"));
}

#[test]
fn a_config_file_that_is_not_there_is_named_and_ends_with_255() {
    let (code, printed, error) = output(&["-c", "no/such/file"]);
    assert_eq!((code, printed.as_str()), (Some(255), ""));
    assert!(error.contains("no/such/file"), "{error}");
    assert_eq!(error.lines().count(), 1);
}

#[test]
fn it_starts_whatever_the_keys_and_stops_in_order_when_told() {
    for signal in ["-TERM", "-INT"] {
        let (_folder, file) = config("listenPort=0\nnobodyKnows=1\nserverWorkerThreads=many\n");
        let (mut child, printed) = start(&file);
        let success = "The Name Server boot success. serializeType=JSON";
        assert_eq!(
            printed,
            [
                format!("load config properties file OK, {file}"),
                success.to_owned()
            ]
        );
        let pid = child.0.id().to_string();
        Command::new("kill")
            .args([signal, &pid])
            .status()
            .expect("kill runs");
        assert_eq!(child.0.wait().expect("it ends").code(), Some(0));
        let mut log = String::new();
        child
            .0
            .stderr
            .take()
            .expect("piped")
            .read_to_string(&mut log)
            .expect("text");
        assert!(
            log.contains("nobodyKnows") && log.contains("serverWorkerThreads"),
            "{log}"
        );
        assert!(
            !log.contains('\u{1b}'),
            "colours in a log that is no terminal"
        );
    }
}

#[test]
fn a_port_in_use_is_one_clear_sentence() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("bound").port();
    let (_folder, file) = config(&format!("listenPort={port}\n"));
    let (code, printed, error) = output(&["-c", &file]);
    assert_eq!(code, Some(255));
    assert!(!printed.contains("success"));
    let sentence = error.lines().last().unwrap_or_default();
    assert!(
        sentence.contains(&format!("cannot listen on 127.0.0.1:{port}")),
        "{error}"
    );
}

#[test]
fn stored_keys_that_cannot_be_read_stop_the_start() {
    let (folder, file) = config("listenPort=0\n");
    std::fs::write(folder.path().join("kvConfig.json"), "{\"config").expect("written");
    let (code, _, error) = output(&["-c", &file]);
    assert_eq!(code, Some(255));
    assert!(error.contains("kvConfig.json"), "{error}");
}
