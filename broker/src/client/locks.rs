//! Queues that orderly consumers hold: of a group's clients at most one works on a queue.
//!
//! ```text
//! group → queue → who holds it, last renewed            free | held, renewed within 60 s | expired, which is free again
//! ```
//!
//! A client renews its locks every 20 s and takes one for lost when it could not for 30 s. The rule that is easy to
//! break: a lock does not end with its client's connection. A client that has lost its connection may still work on the
//! messages it has; handing its queue to another before the lock has expired would have two work on it at once.
//!
//! Locks are in memory only: after a restart the first to ask gets the queue. Java 4.7.0
//! `broker/client/rebalance/RebalanceLockManager.java`, which never forgets a queue or a group; here what has expired
//! goes.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use parking_lot::Mutex;
use remoting::body::MessageQueue;
use tokio::time::Instant;
use tracing::{debug, info, warn};

/// A lock that was not renewed for longer than this is free. Java 4.7.0 `REBALANCE_LOCK_MAX_LIVE_TIME`.
pub const EXPIRY: Duration = Duration::from_secs(60);

/// Locks kept at once; a queue beyond them is held by nobody until others have expired. Java has no bound.
const MOST_LOCKS: usize = 1_000_000;

/// The locks of all groups.
#[derive(Debug)]
pub struct Locks {
    table: Mutex<Table>,
}

#[derive(Debug)]
struct Table {
    groups: HashMap<String, HashMap<MessageQueue, Lock>>,
    /// When expired locks were last thrown away.
    swept: Instant,
}

#[derive(Debug)]
struct Lock {
    client: String,
    renewed: Instant,
}

impl Lock {
    fn has_expired(&self, now: Instant) -> bool {
        now - self.renewed > EXPIRY
    }
}

impl Default for Locks {
    fn default() -> Self {
        let table = Table {
            groups: HashMap::new(),
            swept: Instant::now(),
        };
        Locks {
            table: Mutex::new(table),
        }
    }
}

impl Locks {
    /// Locks what can be locked of `queues` for a client, and renews what it holds. The queues that it holds now. A queue
    /// is a name here: whether there is such a queue is not looked at.
    #[must_use = "the client takes for lost what it is not told"]
    pub fn lock(
        &self,
        group: &str,
        client: &str,
        mut queues: BTreeSet<MessageQueue>,
    ) -> BTreeSet<MessageQueue> {
        let now = Instant::now();
        let mut table = self.table.lock();
        table.sweep(now);
        let mut room = MOST_LOCKS.saturating_sub(table.len());
        if !queues.is_empty() {
            let locks = table.groups.entry(group.to_owned()).or_default();
            queues.retain(|queue| take(locks, group, client, queue, now, &mut room));
        }
        queues
    }

    /// Gives queues back. Those that the client does not hold stay with whoever does.
    pub fn unlock(&self, group: &str, client: &str, queues: &BTreeSet<MessageQueue>) {
        let mut table = self.table.lock();
        let Some(locks) = table.groups.get_mut(group) else {
            debug!(group, client, "unlock: the group holds no queue");
            return;
        };
        for queue in queues {
            match locks.get(queue) {
                Some(lock) if lock.client == client => {
                    locks.remove(queue);
                    info!(group, client, ?queue, "queue unlocked");
                }
                Some(lock) => {
                    warn!(
                        group,
                        client,
                        holder = lock.client,
                        ?queue,
                        "unlock: another holds it"
                    )
                }
                None => debug!(group, client, ?queue, "unlock: nobody holds it"),
            }
        }
        if locks.is_empty() {
            table.groups.remove(group);
        }
    }

    /// How many queues are locked, or were until they expired a short while ago.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.lock().len()
    }

    /// Whether nobody holds a queue.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Whether `client` holds the queue now. A new lock takes of the `room` that is left.
fn take(
    locks: &mut HashMap<MessageQueue, Lock>,
    group: &str,
    client: &str,
    queue: &MessageQueue,
    now: Instant,
    room: &mut usize,
) -> bool {
    let lock = match locks.entry(queue.clone()) {
        Entry::Vacant(_) if *room == 0 => {
            warn!(
                group,
                client,
                ?queue,
                limit = MOST_LOCKS,
                "lock: there are too many"
            );
            return false;
        }
        Entry::Vacant(free) => {
            *room -= 1;
            info!(group, client, ?queue, "queue locked");
            let client = client.to_owned();
            free.insert(Lock {
                client,
                renewed: now,
            });
            return true;
        }
        Entry::Occupied(lock) => lock.into_mut(),
    };
    if lock.client != client {
        let holder = &lock.client;
        if !lock.has_expired(now) {
            debug!(group, client, holder, ?queue, "lock: another holds it");
            return false;
        }
        warn!(
            group,
            client,
            holder,
            ?queue,
            "queue locked, its holder's lock has expired"
        );
        client.clone_into(&mut lock.client);
    }
    lock.renewed = now;
    true
}

impl Table {
    fn len(&self) -> usize {
        self.groups.values().map(HashMap::len).sum()
    }

    /// Throws away what has expired: it is as free as what was never locked.
    fn sweep(&mut self, now: Instant) {
        if now - self.swept <= EXPIRY {
            return;
        }
        self.swept = now;
        for locks in self.groups.values_mut() {
            locks.retain(|_, lock| !lock.has_expired(now));
        }
        self.groups.retain(|_, locks| !locks.is_empty());
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn queue(queue_id: i32) -> MessageQueue {
        MessageQueue {
            broker_name: "b".to_owned(),
            queue_id,
            topic: "T".to_owned(),
        }
    }

    fn queues(ids: &[i32]) -> BTreeSet<MessageQueue> {
        ids.iter().map(|id| queue(*id)).collect()
    }

    fn lock(locks: &Locks, group: &str, client: &str, ids: &[i32]) -> Vec<i32> {
        let held = locks.lock(group, client, queues(ids));
        held.into_iter().map(|queue| queue.queue_id).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_queue_is_held_by_one_client_of_a_group_and_the_answer_is_what_it_holds() {
        let locks = Locks::default();
        assert_eq!(lock(&locks, "G", "a", &[0, 1]), [0, 1]);
        assert_eq!(lock(&locks, "G", "b", &[1, 2, 0]), [2]);
        assert_eq!(lock(&locks, "G", "a", &[0, 1, 2, 3]), [0, 1, 3]);
        assert_eq!(lock(&locks, "H", "b", &[0, 1]), [0, 1], "another group");
        assert_eq!(lock(&locks, "G", "a", &[]), [0; 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_renewed_lock_lives_on_and_one_that_is_not_is_free_after_60_seconds() {
        let locks = Locks::default();
        assert_eq!(lock(&locks, "G", "a", &[0, 1]), [0, 1]);
        advance(60 * SECOND).await;
        assert_eq!(lock(&locks, "G", "b", &[0]), [0; 0], "to the last moment");
        assert_eq!(lock(&locks, "G", "a", &[0]), [0], "renewed");
        advance(Duration::from_millis(1)).await;
        assert_eq!(
            lock(&locks, "G", "b", &[0, 1]),
            [1],
            "only the renewed one lives"
        );
        assert_eq!(lock(&locks, "G", "a", &[0, 1]), [0], "lost to the other");
        advance(60 * SECOND + Duration::from_millis(1)).await;
        assert_eq!(lock(&locks, "G", "a", &[0]), [0], "its own, though expired");
    }

    #[tokio::test(start_paused = true)]
    async fn only_its_holder_unlocks_a_queue() {
        let locks = Locks::default();
        assert_eq!(lock(&locks, "G", "a", &[0, 1]), [0, 1]);
        locks.unlock("G", "b", &queues(&[0]));
        locks.unlock("H", "a", &queues(&[0]));
        assert_eq!(lock(&locks, "G", "b", &[0]), [0; 0]);
        locks.unlock("G", "a", &queues(&[0, 7]));
        assert_eq!(lock(&locks, "G", "b", &[0, 1]), [0]);
        locks.unlock("G", "a", &queues(&[1]));
        locks.unlock("G", "b", &queues(&[0]));
        assert!(locks.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn groups_that_are_gone_leave_nothing() {
        let locks = Locks::default();
        for group in 0..1_000 {
            let _ = locks.lock(&format!("G{group}"), "a", queues(&[0, 1]));
        }
        assert_eq!(locks.len(), 2_000);
        advance(61 * SECOND).await;
        let _ = locks.lock("G", "a", queues(&[0]));
        assert_eq!(locks.len(), 1);
    }
}
