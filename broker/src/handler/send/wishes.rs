//! What the properties of a message ask of the broker.
//!
//! They are walked over once, whatever their number. `DELAY` and `TRAN_MSG` change where a message goes, `WAIT` when its
//! sender is answered.
//!
//! Java 4.7.0 `common/message/Message.java`, `broker/processor/SendMessageProcessor.java`; the batch path of the same
//! class for `CLUSTER`.

use std::borrow::Cow;

use remoting::{Refusal, properties};

use crate::delay::levels::{self, NotALevel};

/// The longest properties a record can hold. Java 4.7.0 `store/CommitLog.java`.
const MAX_BYTES: usize = i16::MAX as usize;

/// The properties that a broker looks at.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wishes<'a> {
    /// The id its sender gave it.
    pub(super) uniq_key: Option<&'a str>,
    /// Whether the sender waits until the message is safe. True unless it says otherwise.
    pub(super) wait: bool,
    /// Half of a transaction.
    pub(super) prepared: bool,
    /// The delay level it asks for, 0 for none; an error when that is no number.
    pub(super) delay: Result<i32, NotALevel>,
    /// The cluster that stored it before: it is sent on, or sent back.
    pub(super) cluster: Option<&'a str>,
}

impl<'a> Wishes<'a> {
    pub(super) fn of(properties: &'a str) -> Wishes<'a> {
        let mut wishes = Wishes {
            uniq_key: None,
            wait: true,
            prepared: false,
            delay: Ok(0),
            cluster: None,
        };
        for (name, value) in properties::iter(properties) {
            match name {
                properties::UNIQ_KEY => wishes.uniq_key = Some(value),
                properties::WAIT => wishes.wait = is_true(value),
                properties::TRANSACTION_PREPARED => wishes.prepared = is_true(value),
                properties::DELAY => wishes.delay = levels::level(value),
                properties::CLUSTER => wishes.cluster = Some(value),
                _ => {}
            }
        }
        wishes
    }

    /// The delay level asked for; 0 and less are none.
    pub(super) fn level(&self) -> Result<i32, Refusal> {
        let refuse = |error: &NotALevel| Refusal::system_error(&*error.0);
        self.delay.as_ref().copied().map_err(refuse)
    }
}

/// Java's `Boolean.parseBoolean`.
fn is_true(value: &str) -> bool {
    value.eq_ignore_ascii_case("true")
}

/// The properties with `CLUSTER` saying where the message is stored. What has no room for it stays as it is.
pub(super) fn with_cluster<'a>(text: &'a str, wishes: &Wishes<'_>, cluster: &str) -> Cow<'a, str> {
    let bytes = text.len() + properties::CLUSTER.len() + cluster.len() + 3;
    if wishes.cluster == Some(cluster) || bytes > MAX_BYTES {
        return Cow::Borrowed(text);
    }
    let mut with = String::with_capacity(bytes);
    if wishes.cluster.is_none() {
        with.push_str(text);
    } else {
        let others = properties::iter(text).filter(|(name, _)| *name != properties::CLUSTER);
        others.for_each(|(name, value)| properties::push(&mut with, name, value));
    }
    properties::push(&mut with, properties::CLUSTER, cluster);
    Cow::Owned(with)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_ask_for_what_they_say_and_nothing_means_waiting() {
        let asked =
            Wishes::of("UNIQ_KEY\u{1}id\u{2}WAIT\u{1}false\u{2}TRAN_MSG\u{1}TRUE\u{2}DELAY\u{1}3");
        assert_eq!(
            asked,
            Wishes {
                uniq_key: Some("id"),
                wait: false,
                prepared: true,
                delay: Ok(3),
                cluster: None
            }
        );
        let plain = Wishes::of("");
        assert!(plain.wait && !plain.prepared && plain.delay == Ok(0));
        assert!(Wishes::of("DELAY\u{1}x").delay.is_err());
    }

    #[test]
    fn the_cluster_is_added_once_and_replaced_when_it_is_another() {
        let with = |text: &'static str| with_cluster(text, &Wishes::of(text), "c").into_owned();
        assert_eq!(with(""), "CLUSTER\u{1}c\u{2}");
        assert_eq!(with("a\u{1}b"), "a\u{1}b\u{2}CLUSTER\u{1}c\u{2}");
        assert_eq!(
            with("CLUSTER\u{1}c\u{2}a\u{1}b"),
            "CLUSTER\u{1}c\u{2}a\u{1}b"
        );
        assert_eq!(
            with("CLUSTER\u{1}old\u{2}a\u{1}b"),
            "a\u{1}b\u{2}CLUSTER\u{1}c\u{2}"
        );
    }

    #[test]
    fn properties_that_just_fit_are_not_pushed_over_the_limit() {
        let text = format!("a\u{1}{}", "b".repeat(MAX_BYTES - 2));
        assert_eq!(with_cluster(&text, &Wishes::of(&text), "c"), text);
    }
}
