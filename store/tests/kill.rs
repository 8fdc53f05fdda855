//! A process that is killed while it appends, and one that meets another's lock.
//!
//! The test program runs itself as the other process: `child` does nothing unless told where.

mod support;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use store::{FlushDiskType, Store, StoreConfig, StoreError};
use support::{append_some, assert_holds, block_on, config, open, settle};

const ROOT: &str = "STORE_TEST_ROOT";
const SYNC: &str = "STORE_TEST_SYNC";

fn child_config(root: &Path, sync: bool) -> StoreConfig {
    let flush_disk_type = if sync {
        FlushDiskType::Sync
    } else {
        FlushDiskType::Async
    };
    StoreConfig {
        flush_disk_type,
        ..config(root)
    }
}

/// Appends until it is killed, and says how many messages the store holds after each.
#[test]
fn child() {
    let Some(root) = std::env::var_os(ROOT) else {
        return;
    };
    let sync = std::env::var_os(SYNC).is_some();
    let (store, _) = open(child_config(root.as_ref(), sync));
    let mut count = (store.max_offset("T", 0).0 + store.max_offset("T", 1).0) as usize;
    let mut out = std::io::stdout();
    loop {
        writeln!(out, "count {count}").expect("a parent reads");
        let appended = append_some(&store, count, 1);
        if sync {
            block_on(store.durable(appended[0].end())).expect("flushed");
        }
        count += 1;
    }
}

fn start_child(root: &Path, sync: bool) -> Child {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command
        .args(["--exact", "child", "--nocapture"])
        .env(ROOT, root)
        .stdout(Stdio::piped());
    if sync {
        command.env(SYNC, "yes");
    }
    command.spawn().expect("started")
}

/// Reads until the child says it holds `upto` messages, and returns what it said.
fn wait_for(child: &mut Child, upto: usize) -> usize {
    let lines = BufReader::new(child.stdout.as_mut().expect("piped")).lines();
    let counts = lines.map_while(Result::ok).filter_map(|line| {
        let (_, count) = line.split_once("count ")?;
        count.parse::<usize>().ok()
    });
    counts
        .into_iter()
        .find(|count| *count >= upto)
        .expect("the child goes on until it is killed")
}

#[test]
fn what_a_killed_process_said_it_stored_is_there_once() {
    for sync in [false, true] {
        let dir = tempfile::tempdir().expect("folder");
        let mut held = 0;
        for _ in 0..4 {
            let mut child = start_child(dir.path(), sync);
            let said = wait_for(&mut child, held + 400);
            child.kill().expect("killed");
            child.wait().expect("ended");
            let (store, _) = open(child_config(dir.path(), sync));
            held = (store.max_offset("T", 0).0 + store.max_offset("T", 1).0) as usize;
            assert!(held >= said, "{said} were acknowledged, {held} are there");
            assert_holds(&store, held);
            // Every second time the next process finds a store that was closed in order.
            if held % 2 == 0 {
                settle(&store);
                assert!(store.close());
            }
        }
    }
}

#[test]
fn a_store_that_another_process_has_is_refused_until_that_ends() {
    let dir = tempfile::tempdir().expect("folder");
    let mut child = start_child(dir.path(), false);
    wait_for(&mut child, 10);
    let refused = Store::open(config(dir.path()), Arc::new(()))
        .err()
        .expect("refused");
    assert!(
        matches!(refused, StoreError::AlreadyStarted { .. }),
        "{refused}"
    );
    child.kill().expect("killed");
    child.wait().expect("ended");
    open(config(dir.path()));
}
