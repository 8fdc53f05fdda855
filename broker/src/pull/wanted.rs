//! The messages a pull wants, whatever kind of filter says so.
//!
//! ```text
//! queue entry ─ tag hash, bits of the queue's extension ─▶ its record, or its properties on arrival ─ SQL92 ─▶ wanted
//! ```
//!
//! With `filterSupportRetry` a message that comes back through a retry topic is held against its group's filter for the
//! topic it came from; without, everything that comes back is wanted.
//!
//! Java 4.7.0 `broker/filter/ExpressionMessageFilter.java`, `ExpressionForRetryMessageFilter.java`.

use std::sync::Arc;

use store::{ExtUnit, Record, Select};

use crate::client::consumers::Subscription;
use crate::filter::data::{Filters, GroupFilter};
use crate::filter::sql_eval::Expression;
use crate::filter::tag::TagFilter;

/// In front of a group's name in the name of its retry topic.
const RETRY_TOPIC: &str = "%RETRY%";
/// The property that holds the topic a message came from.
const CAME_FROM: &[u8] = b"RETRY_TOPIC";

/// What a pull wants.
#[derive(Debug)]
pub struct Wanted {
    filter: Filter,
    retried: Option<Retried>,
}

#[derive(Debug)]
enum Filter {
    /// The tags that the group has registered.
    Registered(Arc<Subscription>),
    /// The tags that the pull names.
    Tags(TagFilter),
    /// By properties.
    Sql(Arc<Expression>),
    /// By properties, as the group has registered it: its bits may be beside the queue entry.
    Group(Arc<GroupFilter>),
}

/// Whose filters a retry topic's messages are held against.
#[derive(Debug)]
struct Retried {
    filters: Arc<Filters>,
    group: Box<str>,
}

impl From<TagFilter> for Wanted {
    fn from(tags: TagFilter) -> Self {
        Wanted::of(Filter::Tags(tags))
    }
}

impl From<Arc<Subscription>> for Wanted {
    fn from(subscription: Arc<Subscription>) -> Self {
        Wanted::of(Filter::Registered(subscription))
    }
}

impl From<Arc<Expression>> for Wanted {
    fn from(expression: Arc<Expression>) -> Self {
        Wanted::of(Filter::Sql(expression))
    }
}

impl From<Arc<GroupFilter>> for Wanted {
    fn from(filter: Arc<GroupFilter>) -> Self {
        Wanted::of(Filter::Group(filter))
    }
}

impl Wanted {
    fn of(filter: Filter) -> Wanted {
        Wanted {
            filter,
            retried: None,
        }
    }

    /// The same, with messages of a retry topic held against the filter of the topic they came from.
    #[must_use]
    pub fn through_retry(mut self, topic: &str, filters: &Arc<Filters>) -> Wanted {
        self.retried = topic.strip_prefix(RETRY_TOPIC).map(|group| Retried {
            filters: Arc::clone(filters),
            group: group.into(),
        });
        self
    }

    /// By the code in the queue entry.
    #[must_use]
    pub fn wants_entry(&self, tags_code: i64) -> bool {
        match &self.filter {
            Filter::Registered(subscription) => subscription.tags.matches(tags_code),
            Filter::Tags(tags) => tags.matches(tags_code),
            Filter::Sql(_) | Filter::Group(_) => true,
        }
    }

    fn wants_unit(&self, unit: &ExtUnit<'_>) -> bool {
        match &self.filter {
            Filter::Group(filter) => filter.may_want(unit),
            _ => true,
        }
    }

    /// By the properties, `name \x01 value \x02 …`.
    #[must_use]
    pub fn wants_properties(&self, properties: &[u8]) -> bool {
        match (&self.retried, &self.filter) {
            (Some(retried), _) => retried.wants(properties),
            (None, Filter::Sql(expression)) => expression.wants(properties),
            (None, Filter::Group(filter)) => filter.expression.wants(properties),
            (None, _) => true,
        }
    }

    fn asks_for_properties(&self) -> bool {
        self.retried.is_some() || matches!(self.filter, Filter::Sql(_) | Filter::Group(_))
    }
}

impl Retried {
    fn wants(&self, properties: &[u8]) -> bool {
        let text = String::from_utf8_lossy(properties);
        let came_from = remoting::properties::iter(&text)
            .filter(|(name, _)| name.as_bytes() == CAME_FROM)
            .last();
        let filter = came_from.and_then(|(_, topic)| self.filters.get(&self.group, topic));
        filter.is_none_or(|filter| filter.expression.wants(properties))
    }
}

impl Select for &Wanted {
    fn entry(&mut self, tags_code: i64) -> bool {
        self.wants_entry(tags_code)
    }

    fn unit(&mut self, unit: &ExtUnit<'_>) -> bool {
        self.wants_unit(unit)
    }

    fn record(&mut self, record: &[u8]) -> bool {
        !self.asks_for_properties()
            || Record::decode(record).is_ok_and(|record| self.wants_properties(record.properties))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::data::SQL92;
    use remoting::body::heartbeat::SubscriptionData;

    fn filters() -> Arc<Filters> {
        let filters = Filters::default();
        let subscription = SubscriptionData {
            topic: "T".to_owned(),
            sub_string: "a > 1".to_owned(),
            expression_type: SQL92.to_owned(),
            ..SubscriptionData::default()
        };
        filters.register("G", &[subscription]);
        Arc::new(filters)
    }

    #[test]
    fn what_comes_back_is_held_against_the_filter_of_its_topic_only_when_asked_for() {
        let back = |topic: &str, a: &str| format!("RETRY_TOPIC\u{1}{topic}\u{2}a\u{1}{a}\u{2}");
        let plain = Wanted::from(TagFilter::All);
        assert!(plain.wants_properties(back("T", "1").as_bytes()));
        let held = plain.through_retry("%RETRY%G", &filters());
        assert!(held.wants_properties(back("T", "2").as_bytes()));
        assert!(!held.wants_properties(back("T", "1").as_bytes()));
        assert!(
            held.wants_properties(back("U", "1").as_bytes()),
            "no filter for U"
        );
        assert!(held.wants_properties(b"a\x011\x02"), "it came from nowhere");
        let other = Wanted::from(TagFilter::All).through_retry("T", &filters());
        assert!(!other.asks_for_properties(), "no retry topic");
    }

    #[test]
    fn an_expression_looks_at_properties_and_tags_at_the_entry() {
        let expression = Expression::compile("a > 1")
            .map(Arc::new)
            .expect("a filter");
        let sql = Wanted::from(expression);
        assert!(sql.wants_entry(7) && sql.wants_properties(b"a\x012\x02"));
        assert!(!sql.wants_properties(b"a\x011\x02") && !sql.wants_properties(b"a\x01x\x02"));
        let tags = Wanted::from(TagFilter::OneOf([7].into()));
        assert!(tags.wants_entry(7) && !tags.wants_entry(8) && tags.wants_properties(b""));
    }
}
