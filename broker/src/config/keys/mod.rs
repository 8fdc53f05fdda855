//! Every key of Java 4.7.0's broker configuration, one row each, in the order Java prints them.
//!
//! From a row come reading a file, `-n`, `-p` and `-m`, and what consoles ask for with GET_BROKER_CONFIG. The rows of
//! one Java object lie in one file: [`broker`], [`server`], [`client`], [`store`]; [`elsewhere`] has the names that are
//! in people's files and that 4.7.0 has no setter for.
//!
//! The rule that is easy to break: a name is looked for in all four objects, and sets every one that has it.
//! Java 4.7.0 `common/MixAll.java` (`properties2Object`, `printObjectProperties`), `broker/BrokerStartup.java`.

mod broker;
mod client;
pub(crate) mod elsewhere;
mod server;
mod store;

use super::accepted::AcceptedKey;
use super::broker::BrokerConfig;
use super::value::{JavaType, Problem, Slot, Taken, Width};

/// One key.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    /// Printed by `-m` too: Java's `@ImportantField`.
    pub(crate) important: bool,
    pub(crate) kind: Kind,
}

/// What a key is for.
#[derive(Debug)]
pub(crate) enum Kind {
    /// Sets a field.
    Field(fn(&mut BrokerConfig) -> Slot<'_>),
    /// Is kept and shown.
    Accepted(AcceptedKey),
}

const fn field(name: &'static str, slot: fn(&mut BrokerConfig) -> Slot<'_>) -> Key {
    Key {
        name,
        important: false,
        kind: Kind::Field(slot),
    }
}

const fn accepted(
    name: &'static str,
    java: JavaType,
    default: fn(i64) -> String,
    why: &'static str,
) -> Key {
    Key {
        name,
        important: false,
        kind: Kind::Accepted(AcceptedKey { java, default, why }),
    }
}

impl Key {
    const fn important(self) -> Key {
        Key {
            important: true,
            ..self
        }
    }

    fn slot<'a>(&'static self, config: &'a mut BrokerConfig) -> Slot<'a> {
        match &self.kind {
            Kind::Field(slot) => slot(config),
            Kind::Accepted(key) => config.accepted.slot(self.name, key.java),
        }
    }

    /// Sets the value from a file's text. On an error the value stays as it was.
    pub(crate) fn set(
        &'static self,
        config: &mut BrokerConfig,
        text: &str,
    ) -> Result<Taken, Problem> {
        self.slot(config).set(text)
    }

    /// The value as Java prints it; `None` for null. The configuration is not changed by it.
    pub(crate) fn show(&'static self, config: &mut BrokerConfig) -> Option<String> {
        self.slot(config).show()
    }
}

/// Milliseconds in a Java int.
fn millis(value: &mut std::time::Duration) -> Slot<'_> {
    Slot::Time {
        value,
        unit_ms: 1,
        width: Width::Int,
    }
}

/// Milliseconds in a Java long.
fn long_millis(value: &mut std::time::Duration) -> Slot<'_> {
    Slot::Time {
        value,
        unit_ms: 1,
        width: Width::Long,
    }
}

/// Seconds in a Java int.
fn seconds(value: &mut std::time::Duration) -> Slot<'_> {
    Slot::Time {
        value,
        unit_ms: 1_000,
        width: Width::Int,
    }
}

/// Hours in a Java int.
fn hours(value: &mut std::time::Duration) -> Slot<'_> {
    Slot::Time {
        value,
        unit_ms: 3_600_000,
        width: Width::Int,
    }
}

/// The rows in the order Java prints them: broker, server, client, store.
pub(crate) fn all() -> impl Iterator<Item = &'static Key> {
    [broker::KEYS, server::KEYS, client::KEYS, store::KEYS]
        .into_iter()
        .flatten()
}

/// The rows a name sets; more than one where Java objects share the name.
pub(crate) fn named(name: &str) -> impl Iterator<Item = &'static Key> + '_ {
    all()
        .chain(elsewhere::ADDRESS_SERVER)
        .chain(elsewhere::SYSTEM_PROPERTIES)
        .filter(move |key| key.name == name)
}

/// What `-p` prints, `-m` with `important_only`: names and values in Java's order, null as nothing.
#[must_use]
pub fn print(config: &BrokerConfig, important_only: bool) -> Vec<(&'static str, String)> {
    let mut config = config.clone();
    let wanted = all().filter(|key| key.important || !important_only);
    wanted
        .map(|key| (key.name, key.show(&mut config).unwrap_or_default()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::environment::Environment;

    const JAVA: &str = include_str!("../java_4.7.0_defaults.tsv");

    fn environment() -> Environment {
        Environment {
            rocketmq_home: None,
            namesrv_addr: None,
            user_home: "${home}".into(),
            host_name: "${host}".to_owned(),
            cpus: 6,
        }
    }

    /// Java's lines as (name, important, value on a machine with 6 processors).
    fn java_lines() -> Vec<(&'static str, bool, String)> {
        let lines = JAVA.lines().filter(|line| !line.starts_with('#'));
        lines
            .map(|line| {
                let parts: Vec<&str> = line.split('\t').collect();
                let value = match parts[4] {
                    "${ip}" => "",
                    "${cpu}" | "${min(32,cpu)}" => "6",
                    "${8+cpu}" => "14",
                    "${8+2*cpu}" => "20",
                    "${16+2*cpu}" => "28",
                    plain => plain,
                };
                (parts[1], parts[3] == "important", value.to_owned())
            })
            .collect()
    }

    #[test]
    fn printed_as_java_prints_names_order_and_defaults() {
        let java: Vec<_> = java_lines()
            .into_iter()
            .map(|(name, _, value)| (name, value))
            .collect();
        assert_eq!(java.len(), 164);
        assert_eq!(print(&BrokerConfig::new(&environment()), false), java);
    }

    #[test]
    fn important_keys_are_javas() {
        let java: Vec<_> = java_lines()
            .into_iter()
            .filter(|line| line.1)
            .map(|line| line.0)
            .collect();
        let ours: Vec<_> = print(&BrokerConfig::new(&environment()), true)
            .into_iter()
            .map(|line| line.0)
            .collect();
        assert_eq!(ours, java);
    }

    #[test]
    fn every_key_takes_its_own_default_and_another_value() {
        for (name, _, default) in java_lines() {
            let mut config = BrokerConfig::new(&environment());
            let key = named(name).next().expect("a row for it");
            key.set(&mut config, &default)
                .unwrap_or_else(|problem| panic!("{name}={default}: {problem:?}"));
            let other = match default.as_str() {
                "true" => "false",
                "false" => "true",
                "ASYNC_MASTER" => "SLAVE",
                "ASYNC_FLUSH" => "SYNC_FLUSH",
                number if number.parse::<i64>().is_ok() => "17",
                _ => "text",
            };
            key.set(&mut config, other)
                .unwrap_or_else(|problem| panic!("{name}={other}: {problem:?}"));
            assert_eq!(key.show(&mut config).as_deref(), Some(other), "{name}");
        }
    }
}
