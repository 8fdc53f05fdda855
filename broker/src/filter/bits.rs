//! A message's bit map: which groups' filters want it, worked out once when it is dispatched.
//!
//! ```text
//! dispatched ─ every filter of its topic ─ wanted ▶ the group's bits are set ─▶ a unit of the queue's extension
//! pulled     ─ the group's bits are not all set ▶ passed by, its record is not looked into
//! ```
//!
//! Set bits may be other groups': then the record decides. The rule that is easy to break: the map says nothing about a
//! filter that was not there yet when the message was dispatched, so that a filter is never older than it says.
//!
//! Java 4.7.0 `broker/filter/CommitLogDispatcherCalcBitMap.java`, `ExpressionMessageFilter.java`, `ConsumerFilterData.java`.

use store::ExtUnit;

use super::data::{Filters, GroupFilter};

impl GroupFilter {
    /// Whether this filter may want the message of a unit; the record tells if it does.
    #[must_use]
    pub fn may_want(&self, unit: &ExtUnit<'_>) -> bool {
        unit.filter_bits.is_empty()
            || unit.store_timestamp_ms <= self.born_ms
            || self.bits.are_set_in(unit.filter_bits)
    }
}

impl Filters {
    /// The bit map of a message with these properties, `name \x01 value \x02 …`; `None` when nobody filters its topic,
    /// and unless `enableCalcFilterBitMap` is set.
    #[must_use]
    pub fn bits_of_message(&self, topic: &str, properties: &[u8]) -> Option<Vec<u8>> {
        if !self.works_out_bits {
            return None;
        }
        let groups = self.groups.read();
        let filters = groups.values().filter_map(|topics| topics.get(topic));
        let mut map = None;
        for filter in filters {
            let map = map.get_or_insert_with(|| vec![0; self.bloom.bits().div_ceil(8) as usize]);
            if filter.expression.wants(properties) {
                filter.bits.set_in(map);
            }
        }
        map
    }
}

#[cfg(test)]
mod tests {
    use super::super::data::SQL92;
    use super::*;
    use crate::config::BrokerConfig;
    use crate::now_ms;
    use remoting::body::heartbeat::SubscriptionData;
    use std::sync::Arc;

    fn filters(works_out_bits: bool, groups: &[(&str, &str)]) -> Filters {
        let mut config = BrokerConfig {
            calc_filter_bit_map: works_out_bits,
            ..BrokerConfig::default()
        };
        config.store.root_dir = "nowhere".into();
        let filters = Filters::load(&config).expect("there is no file");
        for (group, expression) in groups {
            let subscription = SubscriptionData {
                topic: "T".to_owned(),
                sub_string: (*expression).to_owned(),
                expression_type: SQL92.to_owned(),
                ..SubscriptionData::default()
            };
            filters.register(group, &[subscription]);
        }
        filters
    }

    fn unit(filter_bits: &[u8], store_timestamp_ms: i64) -> ExtUnit<'_> {
        ExtUnit {
            tags_code: 0,
            store_timestamp_ms,
            filter_bits,
        }
    }

    fn of(filters: &Filters, group: &str) -> Arc<GroupFilter> {
        filters.get(group, "T").expect("registered")
    }

    #[test]
    fn a_message_has_the_bits_of_those_that_want_it() {
        let filters = filters(true, &[("over", "a > 1"), ("under", "a < 1")]);
        let bits = |a: &str| {
            let properties = format!("a\u{1}{a}\u{2}");
            filters
                .bits_of_message("T", properties.as_bytes())
                .expect("a map")
        };
        let later = now_ms() + 1;
        let wanted = |a: &str, group| of(&filters, group).may_want(&unit(&bits(a), later));
        assert_eq!((wanted("2", "over"), wanted("2", "under")), (true, false));
        assert_eq!((wanted("0", "over"), wanted("0", "under")), (false, true));
        assert_eq!((wanted("1", "over"), wanted("1", "under")), (false, false));
        assert_eq!(bits("x"), [0; 14], "an expression that fails wants nothing");
        assert_eq!(filters.bits_of_message("U", b""), None, "nobody filters it");
    }

    #[test]
    fn without_the_key_nothing_is_worked_out() {
        let filters = filters(false, &[("G", "a > 1")]);
        assert_eq!(filters.bits_of_message("T", b"a\x012\x02"), None);
    }

    #[test]
    fn what_a_map_cannot_tell_the_record_has_to() {
        let filters = filters(true, &[("G", "a > 1")]);
        let (filter, none) = (of(&filters, "G"), [0; 14]);
        let later = now_ms() + 1;
        assert!(!filter.may_want(&unit(&none, later)));
        assert!(
            filter.may_want(&unit(&none, filter.born_ms)),
            "it came before the filter"
        );
        assert!(filter.may_want(&unit(&[], later)), "nobody worked it out");
        assert!(
            filter.may_want(&unit(&none[..13], later)),
            "another bloom filter's"
        );
    }

    /// A clock that was put back: the filter is born after the message, whatever the clock says.
    #[test]
    fn a_filter_is_younger_than_every_message_that_was_dispatched_without_it() {
        let filters = filters(true, &[]);
        let ahead = now_ms() + 3_600_000;
        filters.dispatched(ahead);
        let subscription = SubscriptionData {
            topic: "T".to_owned(),
            sub_string: "a > 1".to_owned(),
            expression_type: SQL92.to_owned(),
            ..SubscriptionData::default()
        };
        filters.register("G", &[subscription]);
        assert!(of(&filters, "G").may_want(&unit(&[0; 14], ahead)));
    }
}
