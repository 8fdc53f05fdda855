//! A disk that fills up.
//!
//! ```text
//! a tmpfs of 64 MiB:  store │ ballast, which the test makes larger and smaller
//! really full         the next log file cannot be made      1 "create mapped file failed…"     ours only
//! over 90 %           there is room, but not much           14 "service not available now…"    ours and Java's
//! ```
//!
//! Java 4.7.0 on a disk that is really full is no control: its log files are sparse, so the fault of a write into a mapping
//! is all it learns: 1 "java.lang.InternalError: a fault occurred in a recent unsafe memory access operation…".

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command as Program;
use std::time::Duration;

use compat_tests::cluster::{Cluster, Mode, Spec};
use compat_tests::logs;
use compat_tests::servers::Servers;
use compat_tests::trouble::{Doing, Trouble};
use remoting::code::response;

use crate::wire::{Client, LARGE_BODY_BYTES, SMALL_BODY_BYTES, Sent};

const DISK_BYTES: u64 = 64 << 20;
const KEYS: &[(&str, &str)] = &[
    ("mappedFileSizeCommitLog", "4194304"),
    ("mappedFileSizeConsumeQueue", "6000"),
    ("maxHashSlotNum", "100"),
    ("maxIndexNum", "1000"),
    ("cleanResourceInterval", "500"),
    // Or room would be made by deleting what the test is to find again.
    ("cleanFileForciblyEnable", "false"),
];
/// Java's first look at the disk comes a minute after the start.
const FIRST_LOOK_LIMIT: Duration = Duration::from_secs(120);
const RECOVERY_LIMIT: Duration = Duration::from_secs(30);

pub(crate) fn run(servers: Servers) -> Result<(), Trouble> {
    servers.prepare()?;
    Servers::Ours.prepare()?; // the name server
    let logs = logs::fresh_folder(&format!("disk_full/{servers}"))?;
    let spec = Spec {
        servers: Servers::Ours,
        namesrvs: 1,
        mode: Mode::Test(KEYS),
    };
    let mut cluster = Cluster::without_broker(spec, &logs)?;
    cluster.hand_broker_to(servers, KEYS)?;
    let disk = Disk::mount(cluster.store())?;
    cluster.start_broker()?;
    let mut client = Client::connect(&cluster.broker_addr())?;
    for _ in 0..4 {
        client.send_ok()?;
    }
    if servers == Servers::Ours {
        really_full(&disk, &mut client)?;
    }
    over_ninety_percent(&disk, &mut client)?;
    cluster.stop_broker()?;
    cluster.start_broker()?;
    let stored = client.stored;
    let mut client = Client::connect(&cluster.broker_addr())?;
    client.stored = stored;
    client.read_all()?;
    client.send_ok()?;
    cluster.stop_broker()?;
    drop(disk);
    Ok(())
}

/// Fills the disk to its last byte by sending.
fn really_full(disk: &Disk, client: &mut Client) -> Result<(), Trouble> {
    disk.ballast(DISK_BYTES / 2)?;
    let refused = loop {
        let answer = client.send(LARGE_BODY_BYTES)?;
        if answer.code != response::SUCCESS {
            break answer;
        }
        if client.stored as u64 * LARGE_BODY_BYTES as u64 > DISK_BYTES {
            return Err(Trouble(
                "the disk holds more than it has room for".to_owned(),
            ));
        }
    };
    let expected = "create mapped file failed, server is busy or broken.";
    refused.is(response::SYSTEM_ERROR, |remark| remark == expected)?;
    for _ in 0..20 {
        client
            .send(LARGE_BODY_BYTES)?
            .is(response::SYSTEM_ERROR, |remark| remark == expected)?;
    }
    client.read_all()?;
    disk.ballast(DISK_BYTES / 8)?;
    client.send_until(RECOVERY_LIMIT, |answer| answer.code == response::SUCCESS)?;
    client.read_all()
}

/// Leaves some room, but less than a tenth.
fn over_ninety_percent(disk: &Disk, client: &mut Client) -> Result<(), Trouble> {
    disk.ballast_up_to(93)?;
    let full = |answer: &Sent| answer.code == response::SERVICE_NOT_AVAILABLE;
    let refused = client.send_until(FIRST_LOOK_LIMIT, full)?;
    // CL, CQ and INDEX all lie on this disk.
    refused.is(response::SERVICE_NOT_AVAILABLE, |remark| {
        let ratios = remark
            .strip_prefix("service not available now, maybe disk full, CL:  0.9")
            .and_then(|rest| rest.strip_suffix(", maybe your broker machine memory too small."));
        ratios.is_some_and(|ratios| ratios.contains(" CQ:  0.9") && ratios.contains(" INDEX:  0.9"))
    })?;
    client.read_all()?;
    client
        .send(SMALL_BODY_BYTES)?
        .is(response::SERVICE_NOT_AVAILABLE, |_| true)?;
    disk.ballast(0)?;
    client.send_until(RECOVERY_LIMIT, |answer| answer.code == response::SUCCESS)?;
    client.read_all()
}

/// A tmpfs, unmounted when dropped.
struct Disk(PathBuf);

impl Disk {
    fn mount(at: PathBuf) -> Result<Disk, Trouble> {
        fs::create_dir_all(&at).doing(|| format!("make {}", at.display()))?;
        let size = format!("size={DISK_BYTES}");
        let mut mount = Program::new("mount");
        mount.args(["-t", "tmpfs", "-o", &size, "none"]).arg(&at);
        let status = mount.status().doing(|| "start mount".to_owned())?;
        if status.success() {
            Ok(Disk(at))
        } else {
            Err(Trouble(format!("mount a tmpfs: {status}")))
        }
    }

    /// Takes or gives back room: `bytes` are in use beside the store, or as many as there is room for.
    fn ballast(&self, bytes: u64) -> Result<(), Trouble> {
        let path = self.0.join("ballast");
        let mut file = fs::File::create(&path).doing(|| "make the ballast".to_owned())?;
        let mebibyte = vec![1; 1 << 20];
        for _ in 0..bytes >> 20 {
            file.write_all(&mebibyte)
                .doing(|| "write the ballast".to_owned())?;
        }
        Ok(())
    }

    /// Takes so much room that this part of the disk, in percent, is in use.
    fn ballast_up_to(&self, percent: u64) -> Result<(), Trouble> {
        self.ballast(0)?;
        let disk =
            rustix::fs::statvfs(&self.0).map_err(|error| Trouble(format!("statvfs: {error}")))?;
        let used = (disk.f_blocks - disk.f_bfree) * disk.f_frsize;
        self.ballast((DISK_BYTES * percent / 100).saturating_sub(used))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a broker of a failed trial still has it open. With the namespace it goes in any case.
        let _ = Program::new("umount").arg("-l").arg(&self.0).status();
    }
}
