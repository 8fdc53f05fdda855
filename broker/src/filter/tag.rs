//! Filters by tag: a list of tag hashes, compared with the hash in the queue entry.
//!
//! ```text
//! "*"  null  ""      every message
//! "TagA || TagB"     messages whose entry has the hash of TagA or TagB
//! ```
//!
//! The record is never touched for it; a message whose tag merely has the same hash is sorted out by the client, which
//! compares the words. The rule that is easy to break: a registered subscription brings its hashes along (`codeSet`)
//! and they are what counts, also when its words say something else.
//! Java 4.7.0 `common/filter/FilterAPI.java`, `broker/filter/ExpressionMessageFilter.java`.

use std::fmt;

use remoting::body::heartbeat::SubscriptionData;
use store::{Select, java_hash};

/// The expression that wants everything.
const ALL: &str = SubscriptionData::ALL;

/// Whether subscriptions of this type are filtered by tag; one that says none is.
#[must_use]
pub fn is_tag_type(expression_type: &str) -> bool {
    matches!(expression_type, "" | SubscriptionData::TAG)
}

/// The tags a subscription wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TagFilter {
    /// Every message.
    All,
    /// Messages whose tag has one of these Java hashes, sorted.
    OneOf(Box<[i32]>),
}

/// An expression of nothing but separators. The pull that brought it is answered with code 23.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoTags;

impl fmt::Display for NoTags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "subString split error")
    }
}

impl TagFilter {
    /// The filter of a subscription that a client has registered.
    #[must_use]
    pub fn of(subscription: &SubscriptionData) -> TagFilter {
        if subscription.class_filter_mode || subscription.sub_string == ALL {
            return TagFilter::All;
        }
        TagFilter::one_of(subscription.code_set.iter().copied())
    }

    /// The filter of an expression that comes with a pull.
    ///
    /// # Errors
    /// `NoTags` when nothing stands between its separators, as Java's `split` sees it: `"||"`, but not `"|| "`,
    /// which wants no message at all.
    pub fn parse(expression: Option<&str>) -> Result<TagFilter, NoTags> {
        let expression = match expression {
            None | Some("" | ALL) => return Ok(TagFilter::All),
            Some(expression) => expression,
        };
        if expression.split("||").all(str::is_empty) {
            return Err(NoTags);
        }
        let tags = expression
            .split("||")
            .map(|tag| tag.trim_matches(|c| c <= ' '));
        Ok(TagFilter::one_of(
            tags.filter(|tag| !tag.is_empty())
                .map(|tag| java_hash(tag.as_bytes())),
        ))
    }

    fn one_of(hashes: impl Iterator<Item = i32>) -> TagFilter {
        let mut hashes: Vec<i32> = hashes.collect();
        hashes.sort_unstable();
        hashes.dedup();
        TagFilter::OneOf(hashes.into())
    }

    /// Whether a message with this code in its queue entry is wanted.
    #[must_use]
    pub fn matches(&self, tags_code: i64) -> bool {
        match self {
            TagFilter::All => true,
            TagFilter::OneOf(hashes) => hashes.binary_search(&(tags_code as i32)).is_ok(),
        }
    }
}

impl Select for &TagFilter {
    fn entry(&mut self, tags_code: i64) -> bool {
        self.matches(tags_code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::tags_code;

    #[test]
    fn an_expression_wants_the_tags_between_its_bars() {
        let filter = TagFilter::parse(Some("TagA || TagB||\tTagC ")).expect("tags");
        for wanted in ["TagA", "TagB", "TagC"] {
            assert!(filter.matches(tags_code(wanted.as_bytes())), "{wanted}");
        }
        assert!(!filter.matches(tags_code(b"TagD")));
        assert!(!filter.matches(0), "a message without a tag");
    }

    #[test]
    fn no_expression_wants_everything() {
        for expression in [None, Some(""), Some("*")] {
            assert_eq!(TagFilter::parse(expression), Ok(TagFilter::All));
        }
    }

    #[test]
    fn bars_alone_are_refused_and_blanks_between_them_want_nothing() {
        assert_eq!(TagFilter::parse(Some("||||")), Err(NoTags));
        assert_eq!(
            TagFilter::parse(Some("|| ")),
            Ok(TagFilter::OneOf([].into()))
        );
    }

    #[test]
    fn the_registered_hashes_count_not_the_words() {
        let mut subscription = SubscriptionData {
            sub_string: "TagA".to_owned(),
            ..SubscriptionData::default()
        };
        subscription.code_set = [java_hash(b"TagB")].into_iter().collect();
        let filter = TagFilter::of(&subscription);
        assert!(filter.matches(tags_code(b"TagB")));
        assert!(!filter.matches(tags_code(b"TagA")));
    }

    #[test]
    fn a_class_filter_and_a_star_want_everything() {
        let star = SubscriptionData {
            sub_string: ALL.to_owned(),
            ..SubscriptionData::default()
        };
        let class = SubscriptionData {
            class_filter_mode: true,
            ..SubscriptionData::default()
        };
        assert_eq!(TagFilter::of(&star), TagFilter::All);
        assert_eq!(TagFilter::of(&class), TagFilter::All);
    }

    #[test]
    fn only_tag_and_nothing_are_the_tag_type() {
        assert!(is_tag_type("") && is_tag_type("TAG"));
        assert!(!is_tag_type("SQL92"));
    }
}
