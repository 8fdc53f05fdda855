//! Servers that run, loads that mqload puts on them, and its figures taken down.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use compat_tests::servers;
use compat_tests::trouble::{Doing, Trouble};
use serde_json::Value;

use crate::Options;
use crate::cases::{Case, SEND_4X64, Setting};
use crate::samples::Samples;
use crate::sides::{Running, Side, anonymous_mib};

/// Servers that run, and what earlier cases found of them.
pub(crate) struct Scene {
    pub(crate) side: Side,
    pub(crate) running: Running,
    pub(crate) folder: PathBuf,
    pub(crate) round: u32,
}

impl Scene {
    pub(crate) fn start(
        folder: &Path,
        side: Side,
        setting: &Setting,
        round: u32,
    ) -> Result<Scene, Trouble> {
        let folder = folder.join(format!("{side}-{}-{round}", setting.name));
        fs::create_dir_all(&folder).doing(|| format!("make {}", folder.display()))?;
        Ok(Scene {
            side,
            running: Running::start(side, setting.keys, &folder)?,
            folder,
            round,
        })
    }

    /// Runs mqload and takes its figures down.
    pub(crate) fn load(
        &self,
        case: &Case,
        options: &Options,
        samples: &mut Samples,
        verb: &str,
        arguments: &[&str],
    ) -> Result<(), Trouble> {
        let seconds = options.seconds.to_string();
        let timed = [arguments, &["--seconds", &seconds]].concat();
        let (addr, pid) = (self.running.broker_addr(), self.running.broker()?.id());
        let runs = self.mqload(case.name, verb, &addr, pid, &timed)?;
        for (run, prefix) in runs.iter().rev().zip(["", "send_"]) {
            self.take_down(case, samples, prefix, run)?;
        }
        Ok(())
    }

    pub(crate) fn route(
        &self,
        case: &Case,
        options: &Options,
        samples: &mut Samples,
    ) -> Result<(), Trouble> {
        let seconds = options.seconds.to_string();
        let arguments = [&SEND_4X64[..], &["--seconds", &seconds]].concat();
        let (addr, namesrv) = (self.running.namesrv_addr(), self.running.namesrv()?);
        for run in self.mqload(case.name, "route", &addr, namesrv.id(), &arguments)? {
            self.take_down(case, samples, "", &run)?;
        }
        samples.add(self.side, case.name, "memory_mib", anonymous_mib(namesrv)?);
        Ok(())
    }

    pub(crate) fn take_down(
        &self,
        case: &Case,
        samples: &mut Samples,
        prefix: &str,
        run: &Value,
    ) -> Result<(), Trouble> {
        let figures = [
            ("rate", "/messages_per_second"),
            ("p50_us", "/latency_us/p50"),
            ("p99_us", "/latency_us/p99"),
            ("p99_9_us", "/latency_us/p99_9"),
            ("max_us", "/latency_us/max"),
            ("cpu_us", "/server_cpu_us_per_message"),
        ];
        for (what, pointer) in figures {
            if let Some(value) = run.pointer(pointer).and_then(Value::as_f64) {
                samples.add(self.side, case.name, &format!("{prefix}{what}"), value);
            }
        }
        let refused = run.pointer("/refused").and_then(Value::as_array);
        let refused: u64 = refused
            .into_iter()
            .flatten()
            .filter_map(|pair| pair.get(1)?.as_u64())
            .sum();
        samples.add(
            self.side,
            case.name,
            &format!("{prefix}refused"),
            refused as f64,
        );
        if run.pointer("/messages").and_then(Value::as_u64) == Some(0) {
            return Err(Trouble(format!(
                "no message got through, {refused} refused"
            )));
        }
        Ok(())
    }

    pub(crate) fn memory_after(&self, case: &Case, samples: &mut Samples) -> Result<(), Trouble> {
        if self.side != Side::Limit {
            let mib = anonymous_mib(self.running.broker()?)?;
            samples.add(self.side, case.name, "memory_mib", mib);
        }
        Ok(())
    }

    /// Runs one load to its end. What it wrote stays beside the logs, for the pictures.
    pub(crate) fn mqload(
        &self,
        name: &str,
        verb: &str,
        addr: &str,
        pid: u32,
        arguments: &[&str],
    ) -> Result<Vec<Value>, Trouble> {
        let file = self.json_of(name);
        let mut command = self.mqload_command(verb, addr, arguments)?;
        command
            .args(["--pid", &pid.to_string(), "--json"])
            .arg(&file);
        let output = command.output().doing(|| "start mqload".to_owned())?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(Trouble(format!("mqload {verb}: {}", said.trim())));
        }
        let text = fs::read(&file).doing(|| format!("read {}", file.display()))?;
        serde_json::from_slice(&text)
            .map_err(|error| Trouble(format!("{}: {error}", file.display())))
    }

    pub(crate) fn mqload_command(
        &self,
        verb: &str,
        addr: &str,
        arguments: &[&str],
    ) -> Result<Command, Trouble> {
        let mut command = Command::new(servers::binary("mqload")?);
        command.args([verb, addr]).args(arguments);
        command.stdin(Stdio::null());
        Ok(command)
    }

    pub(crate) fn json_of(&self, name: &str) -> PathBuf {
        let name = name.replace([' ', ',', '/'], "_");
        self.folder.join(format!("{name}.json"))
    }
}
