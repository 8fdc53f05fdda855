//! The SQL92 filters of consumer groups.
//!
//! ```text
//! heartbeat ▶ register ─┬─ newer version, other expression ▶ compiled, born now
//!                       ├─ newer version, same expression  ▶ version taken over, alive again
//!                       └─ its expression is none          ▶ the old one goes: pulls get code 27
//! topic no longer in the heartbeat, group without members  ▶ dead; removed filterDataCleanTimeSpan later
//! ```
//!
//! The filter of a dead group serves all the same. The rule that is easy to break: an older or the same version changes
//! nothing, whatever it says, but for waking the dead.
//!
//! Java 4.7.0 `broker/filter/ConsumerFilterManager.java`, `ConsumerFilterData.java`.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use remoting::body::heartbeat::SubscriptionData;
use tracing::{info, warn};

use super::bloom::{BloomBits, BloomFilter};
use super::sql_eval::Expression;
use super::sql_parser::SqlError;
use super::tag::is_tag_type;
use crate::config::BrokerConfig;
use crate::json_file::JsonFile;
use crate::now_ms;

/// The expression type of SQL92.
pub const SQL92: &str = "SQL92";

/// Expressions that came with pulls and heartbeats and are kept ready, those of usual length; Java keeps 100 of any.
const KEPT: usize = 100;
const LONGEST_KEPT_BYTES: usize = 4 * 1024;

/// A group's filter for a topic.
#[derive(Clone, Debug)]
pub struct GroupFilter {
    /// Ready to be asked.
    pub expression: Arc<Expression>,
    /// The client's version of the subscription, ms since 1970.
    pub version: i64,
    pub(super) text: String,
    pub(super) bits: BloomBits,
    pub(super) born_ms: i64,
    pub(super) dead_ms: i64,
}

impl GroupFilter {
    pub(super) fn is_dead(&self) -> bool {
        self.dead_ms >= self.born_ms
    }
}

/// The filters of all groups.
#[derive(Debug)]
pub struct Filters {
    /// By group, then by topic.
    pub(super) groups: RwLock<BTreeMap<String, BTreeMap<String, Arc<GroupFilter>>>>,
    kept: Mutex<HashMap<Box<str>, Compiled>>,
    pub(super) bloom: BloomFilter,
    /// `enableCalcFilterBitMap`
    pub(super) works_out_bits: bool,
    /// The last store time of a message whose bits may be worked out. Milliseconds since 1970.
    dispatched_ms: AtomicI64,
    clean_after: Duration,
    pub(super) file: JsonFile,
}

type Compiled = Result<Arc<Expression>, SqlError>;

impl Filters {
    pub(super) fn new(config: &BrokerConfig) -> Filters {
        let (groups, percent) = (
            config.expect_consumers_with_filter,
            config.max_error_rate_of_bloom_filter,
        );
        let bloom = BloomFilter::new(groups, percent).or_else(|| {
            warn!(
                expectConsumerNumUseFilter = groups,
                maxErrorRateOfBloomFilter = percent,
                "no bloom filter can be made of these (Java does not start): using 32 and 20"
            );
            BloomFilter::new(32, 20)
        });
        Filters {
            groups: RwLock::default(),
            kept: Mutex::default(),
            bloom: bloom.unwrap_or(BloomFilter::NONE),
            works_out_bits: config.calc_filter_bit_map,
            dispatched_ms: AtomicI64::new(0),
            clean_after: config.filter_data_clean_time_span,
            file: JsonFile::new(config.table_file("consumerFilter.json")),
        }
    }

    /// Makes an expression of a type ready, or finds it ready.
    ///
    /// # Errors
    /// With Java's text.
    pub fn compile(&self, expression_type: &str, text: &str) -> Compiled {
        if expression_type != SQL92 {
            return Err(SqlError(format!(
                "there is no filter of the type {expression_type}"
            )));
        }
        if text.len() > LONGEST_KEPT_BYTES {
            return Expression::compile(text).map(Arc::new);
        }
        if let Some(compiled) = self.kept.lock().get(text) {
            return compiled.clone();
        }
        let compiled = Expression::compile(text).map(Arc::new);
        let mut kept = self.kept.lock();
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(text.into(), compiled.clone());
        compiled
    }

    /// A group's filter for a topic.
    #[must_use]
    pub fn get(&self, group: &str, topic: &str) -> Option<Arc<GroupFilter>> {
        self.groups.read().get(group)?.get(topic).cloned()
    }

    /// Takes in what a heartbeat says a group subscribes to.
    pub fn register(&self, group: &str, subscriptions: &[SubscriptionData]) {
        for subscription in subscriptions {
            if !is_tag_type(&subscription.expression_type) && !subscription.sub_string.is_empty() {
                self.register_one(group, subscription);
            }
        }
        let kept = |topic: &str| subscriptions.iter().any(|wanted| wanted.topic == topic);
        self.bury(group, |topic| !kept(topic));
    }

    /// A group has no members any more.
    pub fn unregister(&self, group: &str) {
        self.bury(group, |_| true);
    }

    fn bury(&self, group: &str, gone: impl Fn(&str) -> bool) {
        if !self.groups.read().contains_key(group) {
            return;
        }
        let mut groups = self.groups.write();
        for (topic, filter) in groups.get_mut(group).into_iter().flatten() {
            if gone(topic) && !filter.is_dead() {
                info!(group, topic, "filter is no longer used");
                Arc::make_mut(filter).dead_ms = now_ms();
            }
        }
    }

    fn register_one(&self, group: &str, wanted: &SubscriptionData) {
        let topic = &wanted.topic;
        let old = self.get(group, topic);
        let (is_older, is_same) = old.as_ref().map_or((false, false), |old| {
            (
                wanted.sub_version < old.version,
                wanted.sub_version == old.version,
            )
        });
        if is_older || (is_same && old.as_ref().is_some_and(|old| !old.is_dead())) {
            return;
        }
        let unchanged = old.filter(|old| is_same || old.text == wanted.sub_string);
        if let Some(old) = unchanged {
            let alive = GroupFilter {
                version: wanted.sub_version,
                dead_ms: 0,
                ..GroupFilter::clone(&old)
            };
            self.put(group, topic, alive);
            return;
        }
        match self.compile(&wanted.expression_type, &wanted.sub_string) {
            Ok(expression) => {
                info!(group, topic, expression = wanted.sub_string, "filter");
                let filter = GroupFilter {
                    expression,
                    version: wanted.sub_version,
                    text: wanted.sub_string.clone(),
                    bits: self.bloom.bits_of(group, topic),
                    born_ms: 0, // it is born when it is put
                    dead_ms: 0,
                };
                self.put(group, topic, filter);
            }
            Err(error) => {
                warn!(group, topic, %error, "a subscription is no filter: pulls are refused with code 27");
                let mut groups = self.groups.write();
                if let Some(topics) = groups.get_mut(group) {
                    topics.remove(topic);
                }
            }
        }
    }

    /// Puts a filter in its place, unless a newer one has taken it meanwhile.
    fn put(&self, group: &str, topic: &str, mut filter: GroupFilter) {
        let mut groups = self.groups.write();
        if filter.born_ms == 0 {
            // With `groups` held: no message stored later is dispatched without it.
            filter.born_ms = now_ms().max(self.dispatched_ms.load(Ordering::Acquire));
        }
        let topics = groups.entry(group.to_owned()).or_default();
        if topics
            .get(topic)
            .is_none_or(|old| old.version <= filter.version)
        {
            topics.insert(topic.to_owned(), Arc::new(filter));
        }
    }

    /// Forgets the filters of a deleted group that nobody uses any more.
    pub fn forget_group(&self, group: &str) {
        self.forget_dead(|named, _| named == group);
    }

    /// Forgets the filters for a deleted topic that nobody uses any more.
    pub fn forget_topic(&self, topic: &str) {
        self.forget_dead(|_, named| named == topic);
    }

    fn forget_dead(&self, deleted: impl Fn(&str, &str) -> bool) {
        self.retain(|group, topic, filter| !(filter.is_dead() && deleted(group, topic)));
    }

    /// How many filters there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.groups.read().values().map(BTreeMap::len).sum()
    }

    /// Whether nobody has a filter.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A message stored at this time is about to be dispatched: filters that are not there yet are younger.
    pub(crate) fn dispatched(&self, store_timestamp_ms: i64) {
        self.dispatched_ms
            .fetch_max(store_timestamp_ms, Ordering::AcqRel);
    }

    pub(super) fn clean(&self, now_ms: i64) {
        let limit_ms = i64::try_from(self.clean_after.as_millis()).unwrap_or(i64::MAX);
        self.retain(|_, _, filter| {
            !filter.is_dead() || now_ms.saturating_sub(filter.dead_ms) < limit_ms
        });
    }

    fn retain(&self, keeps: impl Fn(&str, &str, &GroupFilter) -> bool) {
        let mut groups = self.groups.write();
        groups.retain(|group, topics| {
            topics.retain(|topic, filter| {
                let keep = keeps(group, topic, filter);
                if !keep {
                    info!(group, topic, "filter that nobody uses any more is removed");
                }
                keep
            });
            !topics.is_empty()
        });
    }
}

impl Default for Filters {
    /// No filters yet, Java's defaults, and a file that is not written before somebody saves.
    fn default() -> Self {
        Filters::new(&BrokerConfig::default())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::filter) fn subscription(
        topic: &str,
        expression: &str,
        version: i64,
    ) -> SubscriptionData {
        SubscriptionData {
            topic: topic.to_owned(),
            sub_string: expression.to_owned(),
            expression_type: SQL92.to_owned(),
            sub_version: version,
            ..SubscriptionData::default()
        }
    }

    #[test]
    fn an_expression_that_is_none_takes_the_old_one_away() {
        let filters = Filters::default();
        filters.register("G", &[subscription("T", "a > 1", 1)]);
        assert!(filters.get("G", "T").is_some());
        filters.register("G", &[subscription("T", "a >", 2)]);
        assert!(filters.get("G", "T").is_none());
        let unknown = SubscriptionData {
            expression_type: "SQL99".to_owned(),
            ..subscription("T", "a > 1", 3)
        };
        filters.register("G", &[unknown]);
        assert!(filters.get("G", "T").is_none());
    }
}
