//! What a broker is made of, and the order in which it starts and stops.
//!
//! ```text
//! start   ports reserved ▶ tables ▶ store (recovers) ▶ listens ▶ its tasks ▶ registered
//! stop    unregistered ▶ waiting pulls let go ▶ last answers, connections closed ▶ tasks ▶ tables saved ▶ store closed
//! ```
//!
//! Clients find nobody listening before the store can serve them, and name servers send nobody here before that. The
//! rule that is easy to break: whoever takes part in serving a request is stopped after the servers, and the store last.
//!
//! Java 4.7.0 `broker/BrokerController.java` (`initialize`, `start`, `shutdown`), which unregisters after it has closed.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use remoting::{Bounds, Reserved, Server, ServerConfig};
use store::{BrokerRole, Store, Unavailable};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::{error, info, warn};

use crate::address;
use crate::arrivals::Listeners;
use crate::busy::{Busy, PAUSE};
use crate::client::consumers::Consumers;
use crate::client::locks::Locks;
use crate::client::producers::Producers;
use crate::client::{self, notify};
use crate::config::BrokerConfig;
use crate::delay::timer::{Bells, Delay};
use crate::filter::data::Filters;
use crate::filter::stored;
use crate::group::GroupTable;
use crate::handler::SendQueue;
use crate::made;
use crate::message_id::MessageIds;
use crate::offset::OffsetTable;
use crate::pull::cold::ColdReads;
use crate::pull::hold::{self, Holds};
use crate::registration::Registration;
use crate::start_error::StartError;
use crate::tasks::every;
use crate::topic::TopicTable;
use crate::transaction::{self, Transactions};

/// The first saving of offsets comes so long after the start. Java 4.7.0 `BrokerController.initialize`.
const FIRST_SAVE: Duration = Duration::from_secs(10);

/// How often it is asked whether the log is still written to.
const LOOK_FOR_FAILURE: Duration = Duration::from_secs(1);

/// A running broker: everything its handlers use.
pub struct Broker {
    /// As it was started.
    pub config: BrokerConfig,
    /// `brokerIP1:listenPort`, under which name servers know it.
    pub address: String,
    /// `brokerIP2:haListenPort`, where slaves will find it.
    pub ha_address: String,
    /// The same as `address`, as every message stored here carries it.
    pub store_host: SocketAddr,
    pub(crate) message_ids: MessageIds,
    pub(crate) store: Arc<Store>,
    pub(crate) topics: TopicTable,
    pub(crate) groups: GroupTable,
    pub(crate) offsets: OffsetTable,
    pub(crate) filters: Arc<Filters>,
    pub(crate) consumers: Consumers,
    pub(crate) producers: Producers,
    pub(crate) locks: Locks,
    pub(crate) holds: Arc<Holds>,
    pub(crate) delay: Arc<Delay>,
    pub(crate) registration: Registration,
    pub(crate) transactions: Transactions,
    pub(crate) busy: Busy,
    pub(crate) send_queue: SendQueue,
    pub(crate) cold_reads: ColdReads,
    /// Of both ports.
    pub(crate) bounds: Arc<Bounds>,
    /// Held while topics and groups are written to disk (`made`).
    pub(crate) saving: tokio::sync::Mutex<()>,
    turn: AtomicU32,
}

impl Broker {
    /// `brokerIP1`, as refusals name this broker.
    pub(crate) fn ip(&self) -> &str {
        self.address
            .rsplit_once(':')
            .map_or(&self.address, |(ip, _)| ip)
    }

    /// How many pulls wait for a message.
    #[must_use]
    pub fn waiting_pulls(&self) -> u64 {
        self.holds.len()
    }

    /// How many consumer and producer groups have a member.
    #[must_use]
    pub fn connected_groups(&self) -> (usize, usize) {
        (self.consumers.len(), self.producers.len())
    }

    /// Calls `meanwhile` while nothing is appended to the log: sends wait, or are refused.
    pub fn hold_log(&self, meanwhile: impl FnOnce()) {
        self.store.standing_still(meanwhile);
    }

    /// Where a queue ends: the place of its next message.
    #[must_use]
    pub fn queue_end(&self, topic: &str, queue_id: u32) -> i64 {
        self.store.max_offset(topic, queue_id).0
    }

    /// Some queue of `queues`; another one every time.
    pub(crate) fn any_queue(&self, queues: u32) -> u32 {
        self.turn
            .fetch_add(1, Ordering::Relaxed)
            .checked_rem(queues)
            .unwrap_or(0)
    }
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, address) = (&self.config.broker_name, &self.address);
        f.debug_struct("Broker")
            .field("name", name)
            .field("address", address)
            .finish_non_exhaustive()
    }
}

/// A broker that runs until it is told to stop.
#[derive(Debug)]
#[must_use = "dropping it leaves the broker running without an owner"]
pub struct Running {
    broker: Arc<Broker>,
    servers: Vec<Server>,
    tasks: Vec<JoinHandle<()>>,
    listening: SocketAddr,
}

/// Starts a broker. It is registered, or its name servers cannot be reached, when this returns.
///
/// # Errors
/// See `StartError`. Nothing runs then.
pub async fn run(config: BrokerConfig) -> Result<Running, StartError> {
    let began = Instant::now();
    let sockets = sockets(&config);
    let main = reserve(config.server.listen_port, &config, &sockets)?;
    let vip = config
        .server
        .vip_port()
        .map(|port| reserve(port, &config, &sockets))
        .transpose()?;
    let listening = main.local_addr();
    let broker = open(config, listening.port(), sockets.bounds).await?;
    let mut running = Running {
        broker: Arc::clone(&broker),
        servers: Vec::new(),
        tasks: Vec::new(),
        listening,
    };
    for reserved in std::iter::once(main).chain(vip) {
        let addr = reserved.local_addr();
        match reserved.serve(Arc::clone(&broker)).await {
            Ok(server) => running.servers.push(server),
            Err(source) => {
                running.stop().await;
                return Err(StartError::Listen { addr, source });
            }
        }
    }
    running.spawn_tasks();
    broker.delay.start();
    broker.registration.start(&broker).await;
    info!(
        broker = broker.config.broker_name,
        address = broker.address,
        took_ms = began.elapsed().as_millis() as u64,
        "broker is up"
    );
    Ok(running)
}

/// Opens the store and loads the tables, on a thread that may block. The store comes first: until its lock is held, a
/// broker that is just stopping may still write the tables.
async fn open(
    config: BrokerConfig,
    port: u16,
    bounds: Arc<Bounds>,
) -> Result<Arc<Broker>, StartError> {
    let opening = tokio::task::spawn_blocking(move || {
        let addresses = address::choose(&config)?;
        info!(
            ip = addresses.broker.ip,
            why = addresses.broker.reason,
            "the address that is registered"
        );
        let address = format!("{}:{port}", addresses.broker.ip);
        let store_host = resolve(&addresses.broker.ip, port)?;
        let ha_port = port.saturating_add(1);
        let holds = Arc::new(Holds::default());
        let bells = Arc::new(Bells::default());
        let loaded = Arc::new(OnceLock::new());
        let listeners = Listeners {
            holds: Arc::clone(&holds),
            bells: Arc::clone(&bells),
            filters: Arc::clone(&loaded),
        };
        let store = Store::open(config.store.clone(), Arc::new(listeners))?;
        let tables = Tables::load(&config, &store, &bells);
        let Tables {
            topics,
            groups,
            offsets,
            filters,
            delay,
        } = tables.inspect_err(|_| {
            store.close();
        })?;
        let _ = loaded.set(Arc::clone(&filters)); // it was empty
        Ok(Arc::new(Broker {
            ha_address: format!("{}:{ha_port}", addresses.ha.ip),
            message_ids: MessageIds::of(store_host),
            registration: Registration::new(&config),
            consumers: Consumers::with_filters(Arc::clone(&filters)),
            filters,
            producers: Producers::default(),
            locks: Locks::default(),
            transactions: Transactions::default(),
            busy: Busy::default(),
            send_queue: SendQueue::default(),
            cold_reads: ColdReads::default(),
            bounds,
            saving: tokio::sync::Mutex::default(),
            turn: AtomicU32::default(),
            config,
            address,
            store_host,
            store,
            topics,
            groups,
            offsets,
            holds,
            delay,
        }))
    });
    opening
        .await
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}

/// What lies beside the store in `config/`.
struct Tables {
    topics: TopicTable,
    groups: GroupTable,
    offsets: OffsetTable,
    filters: Arc<Filters>,
    delay: Arc<Delay>,
}

impl Tables {
    fn load(
        config: &BrokerConfig,
        store: &Arc<Store>,
        bells: &Arc<Bells>,
    ) -> Result<Tables, StartError> {
        Ok(Tables {
            topics: TopicTable::load(config)?,
            groups: GroupTable::load(config)?,
            offsets: OffsetTable::load(config.table_file("consumerOffset.json"))?,
            filters: Arc::new(Filters::load(config)?),
            delay: Delay::open(config, store, bells)?,
        })
    }
}

/// How both ports serve their connections, within the same bounds.
fn sockets(config: &BrokerConfig) -> ServerConfig {
    ServerConfig {
        idle: config.server.idle,
        send_buffer_bytes: config.server.send_buffer_bytes as usize,
        receive_buffer_bytes: config.server.receive_buffer_bytes as usize,
        ..ServerConfig::default()
    }
}

/// Takes a port, unless told otherwise on all addresses, of both families where the machine has both.
fn reserve(
    port: u16,
    config: &BrokerConfig,
    server: &ServerConfig,
) -> Result<Reserved, StartError> {
    let server = server.clone();
    if let Some(ip) = config.server.bind_address {
        let addr = SocketAddr::new(ip, port);
        return Server::reserve(addr, server).map_err(|source| StartError::Listen { addr, source });
    }
    let everywhere = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port);
    let addr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port);
    match Server::reserve(everywhere, server.clone()) {
        Err(source) if source.kind() == io::ErrorKind::AddrInUse => {
            Err(StartError::Listen { addr, source })
        }
        Err(_) => {
            Server::reserve(addr, server).map_err(|source| StartError::Listen { addr, source })
        }
        Ok(reserved) => Ok(reserved),
    }
}

/// The socket address of `brokerIP1`, which may be a name.
fn resolve(ip: &str, port: u16) -> Result<SocketAddr, StartError> {
    let host = ip.trim_start_matches('[').trim_end_matches(']');
    let resolved = (host, port).to_socket_addrs().map(|mut found| found.next());
    let reason = match resolved {
        Ok(Some(addr)) => return Ok(addr),
        Ok(None) => "it has no address".to_owned(),
        Err(error) => error.to_string(),
    };
    Err(StartError::BrokerIp {
        ip: ip.to_owned(),
        reason,
    })
}

impl Running {
    /// The name it registers under.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.broker.config.broker_name
    }

    /// The address it registers under.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.broker.address
    }

    /// The port it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.listening.port()
    }

    /// Its parts, for tests and whoever shows its state.
    #[must_use]
    pub fn broker(&self) -> &Arc<Broker> {
        &self.broker
    }

    /// Returns when the log takes no more messages because it could not be synced. A broker that goes on would be half
    /// alive: registered, asked by everyone, and refusing every send; the process ends and is started anew, which
    /// recovers what is on disk. Java 4.7.0 logs the failed sync and counts its bytes as flushed.
    pub async fn broken(&self) {
        let mut look = tokio::time::interval(LOOK_FOR_FAILURE);
        while self.broker.store.unavailable() != Some(Unavailable::FlushFailed) {
            look.tick().await;
        }
    }

    /// Stops it in order. Whether everything that was acknowledged is on disk afterwards.
    pub async fn stop(self) -> bool {
        let began = Instant::now();
        let Running {
            broker,
            servers,
            tasks,
            ..
        } = self;
        broker.registration.stop(&broker).await;
        broker.holds.stop();
        for server in servers {
            server.stop().await;
        }
        broker.delay.stop().await;
        tasks.into_iter().for_each(|task| task.abort());
        broker.busy.say();
        let closing = tokio::task::spawn_blocking(move || {
            broker.transactions.stop(&broker);
            save_offsets(&broker);
            made::save_now(&broker);
            stored::save(&broker.filters);
            let closed = broker.store.close();
            let took_ms = began.elapsed().as_millis() as u64;
            info!(
                broker = broker.config.broker_name,
                took_ms, "broker is down"
            );
            closed
        });
        let closed = closing.await.unwrap_or_else(|panic| {
            error!(%panic, "close the store");
            false
        });
        if !closed {
            error!(
                "not everything could be written to disk; the next start recovers what is there"
            );
        }
        closed
    }

    fn spawn_tasks(&mut self) {
        let broker = &self.broker;
        let save_period = broker.config.flush_consumer_offset_interval;
        let save = every(
            "save offsets",
            FIRST_SAVE,
            save_period,
            broker,
            async |broker| {
                let saving = tokio::task::spawn_blocking(move || {
                    save_offsets(&broker);
                    made::save_now(&broker); // where the disk has refused, and nothing otherwise
                });
                if let Err(panic) = saving.await {
                    std::panic::resume_unwind(panic.into_panic());
                }
            },
        );
        let period = client::EXPIRY_PERIOD;
        let expire = every("expire clients", period, period, broker, async |broker| {
            broker.producers.expire();
            for change in broker.consumers.expire() {
                notify::consumers_changed(&broker, change);
            }
        });
        let period = hold::CHECK_PERIOD;
        let check = every(
            "check waiting pulls",
            period,
            period,
            broker,
            async |broker| {
                let end = |topic: &str, queue_id| broker.store.max_offset(topic, queue_id);
                broker.holds.check(end);
            },
        );
        let say = every("say who waited", PAUSE, PAUSE, broker, async |broker| {
            broker.busy.say();
        });
        self.tasks = vec![save, expire, check, say, stored::start(broker)];
        if broker.config.store.broker_role != BrokerRole::Slave {
            self.tasks.push(transaction::check::start(broker));
        }
    }
}

fn save_offsets(broker: &Broker) {
    if let Err(error) = broker.offsets.save() {
        warn!(%error, "save consumer offsets; try again next time");
    }
}
