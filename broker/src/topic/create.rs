//! Topics that make themselves: on a send after a template, and the retry and dead-letter topics of groups.
//!
//! | asked by          | made when                                            | queues                            |
//! |-------------------|------------------------------------------------------|-----------------------------------|
//! | a send            | its template is here and may be inherited            | what the client wants, at most the template's |
//! | a send to a retry topic | always                                         | 1                                 |
//! | the broker itself | always: `%RETRY%` and `%DLQ%` of a group             | as told                           |
//!
//! The rule that is easy to break: the template only counts while `autoCreateTopicEnable` is on. A store that was used
//! with it on still has `TBW102` in its table.
//! Java 4.7.0 `broker/topic/TopicConfigManager.java` (`createTopicInSendMessageMethod`,
//! `createTopicInSendMessageBackMethod`), `broker/processor/AbstractSendMessageProcessor.java` (`msgCheck`).

use std::fmt;
use std::sync::Arc;

use remoting::Refusal;
use remoting::body::topic_config::TopicConfig;
use remoting::code::response::TOPIC_NOT_EXIST;
use tracing::{info, warn};

use super::name::{self, AUTO_CREATE_TOPIC, NameError, RETRY_PREFIX};
use super::perm::{INHERIT, READ, WRITE, has};
use super::table::TopicTable;

/// What a send says about its topic.
#[derive(Debug, Clone, Copy)]
pub struct TopicWish<'a> {
    /// Its topic.
    pub topic: &'a str,
    /// `defaultTopic`: the template, `TBW102` in a plain client.
    pub template: &'a str,
    /// `defaultTopicQueueNums`: how many queues the client would like.
    pub queues: i32,
    /// `unitMode` of the send.
    pub unit_mode: bool,
}

/// A topic, and whether it was made just now: name servers are told at once then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The topic.
    pub topic: Arc<TopicConfig>,
    /// Whether it is new.
    pub created: bool,
}

impl TopicTable {
    /// The topic of a send, made if that is allowed. `producer` is for the log. A new one is in memory only: the caller
    /// sees to it that the table is saved before it answers (`made`).
    ///
    /// # Errors
    /// Code 1 for what is no topic name, 17 where there is no such topic and none may be made; Java's remarks, which
    /// clients show.
    pub fn for_send(
        &self,
        wish: TopicWish<'_>,
        auto_create: bool,
        producer: impl fmt::Display,
    ) -> Result<Found, Refusal> {
        name::check_topic(wish.topic).map_err(|error| Refusal::system_error(error.to_string()))?;
        if let Some(topic) = self.get(wish.topic) {
            return Ok(Found {
                topic,
                created: false,
            });
        }
        let retry = wish.topic.starts_with(RETRY_PREFIX);
        let sys_flag = match (wish.unit_mode, retry) {
            (false, _) => 0,
            (true, false) => 1,
            (true, true) => 2,
        };
        if let Some(found) = self.after_template(wish, auto_create, sys_flag, &producer) {
            return Ok(found);
        }
        if retry {
            let topic = TopicConfig::new(wish.topic, 1, 1, READ | WRITE);
            return Ok(self.find_or_put(TopicConfig {
                topic_sys_flag: sys_flag,
                ..topic
            }));
        }
        Err(not_exist(wish.topic))
    }

    /// The new topic, or `None` where the template does not allow one.
    fn after_template(
        &self,
        wish: TopicWish<'_>,
        auto_create: bool,
        sys_flag: i32,
        producer: &impl fmt::Display,
    ) -> Option<Found> {
        let TopicWish {
            topic,
            template,
            queues,
            ..
        } = wish;
        let Some(model) = self.get(template) else {
            warn!(topic, template, %producer, "no topic made: its template does not exist here");
            return None;
        };
        if template == AUTO_CREATE_TOPIC && !auto_create {
            warn!(topic, %producer, "no topic made: autoCreateTopicEnable is false");
            return None;
        }
        if !has(model.perm, INHERIT) {
            warn!(topic, template, %producer, "no topic made: its template may not be inherited");
            return None;
        }
        let queues = queues.min(model.write_queue_nums).max(0);
        let found = self.find_or_put(TopicConfig {
            topic_sys_flag: sys_flag,
            topic_filter_type: model.topic_filter_type,
            ..TopicConfig::new(topic, queues, queues, model.perm & !INHERIT)
        });
        if found.created {
            info!(topic, template, %producer, "topic made for a send");
        }
        Some(found)
    }

    /// A topic of the broker's own making, `%RETRY%group` or `%DLQ%group`, made if there is none, in memory only
    /// as in [`for_send`](Self::for_send).
    ///
    /// # Errors
    /// [`NameError`] for characters that no group may have; Java makes any, see CVE-2019-17572.
    pub fn for_group(&self, topic: TopicConfig) -> Result<Found, NameError> {
        if let Some(topic) = self.get(&topic.topic_name) {
            return Ok(Found {
                topic,
                created: false,
            });
        }
        // A group's rule and not a topic's: prefix and group together may be longer than a topic that is sent to.
        name::check_group(&topic.topic_name)?;
        Ok(self.find_or_put(topic))
    }

    /// Puts a topic in place unless another request was faster.
    fn find_or_put(&self, topic: TopicConfig) -> Found {
        let mut topics = self.topics.write();
        if let Some(topic) = topics.by_name.get(topic.topic_name.as_str()) {
            return Found {
                topic: Arc::clone(topic),
                created: false,
            };
        }
        let name = Arc::<str>::from(topic.topic_name.as_str());
        let topic = Arc::new(topic);
        topics.by_name.insert(name, Arc::clone(&topic));
        topics.version.next_version();
        drop(topics);
        self.file.changed();
        Found {
            topic,
            created: true,
        }
    }
}

/// Java's refusal, with the address of its FAQ, which clients print.
fn not_exist(topic: &str) -> Refusal {
    let faq = "http://rocketmq.apache.org/docs/faq/";
    Refusal::new(
        TOPIC_NOT_EXIST,
        format!("topic[{topic}] not exist, apply first please!\nSee {faq} for further details."),
    )
}

#[cfg(test)]
mod tests {
    use super::super::table::tests::{config, load_again, table};
    use super::*;
    use crate::config::BrokerConfig;

    fn wish(topic: &str) -> TopicWish<'_> {
        TopicWish {
            topic,
            template: AUTO_CREATE_TOPIC,
            queues: 4,
            unit_mode: false,
        }
    }

    #[test]
    fn a_send_makes_its_topic_once_after_the_template() {
        let (_folder, table) = table(&config());
        let found = table.for_send(wish("T"), true, "p").expect("made");
        assert!(found.created);
        assert_eq!(
            (
                found.topic.read_queue_nums,
                found.topic.write_queue_nums,
                found.topic.perm
            ),
            (4, 4, 6)
        );
        assert!(!table.for_send(wish("T"), true, "p").expect("there").created);
    }

    #[test]
    fn queues_are_what_the_client_wants_and_the_template_has() {
        let (_folder, table) = table(&config());
        let queues = |topic, queues| {
            table
                .for_send(
                    TopicWish {
                        queues,
                        ..wish(topic)
                    },
                    true,
                    "p",
                )
                .expect("made")
                .topic
                .write_queue_nums
        };
        assert_eq!(queues("many", 100), 8);
        assert_eq!(queues("few", 3), 3);
        assert_eq!(queues("none", -2), 0);
    }

    #[test]
    fn without_auto_creation_there_is_no_topic_even_if_the_template_is_on_disk() {
        let (folder, first) = table(&config());
        first
            .for_send(wish("T"), true, "p")
            .expect("made, and the template saved with it");
        let off = BrokerConfig {
            auto_create_topic: false,
            ..config()
        };
        first.save();
        let table = load_again(&folder, &off);
        assert!(table.get(AUTO_CREATE_TOPIC).is_some());
        let refusal = table.for_send(wish("U"), false, "p").expect_err("refused");
        assert_eq!(refusal.code, 17);
        assert_eq!(
            refusal.remark,
            "topic[U] not exist, apply first please!\nSee http://rocketmq.apache.org/docs/faq/ for further details."
        );
        assert!(table.for_send(wish("T"), false, "p").is_ok());
    }

    #[test]
    fn a_template_must_be_here_and_may_be_inherited() {
        let (_folder, table) = table(&config());
        for template in ["nowhere", "BenchmarkTest"] {
            assert!(
                table
                    .for_send(
                        TopicWish {
                            template,
                            ..wish("T")
                        },
                        true,
                        "p"
                    )
                    .is_err()
            );
        }
        let after_cluster = TopicWish {
            template: "DefaultCluster",
            ..wish("T")
        };
        assert!(
            table
                .for_send(after_cluster, false, "p")
                .expect("made")
                .created
        );
    }

    #[test]
    fn a_send_to_a_retry_topic_makes_it_with_one_queue() {
        let (_folder, table) = table(&config());
        let wish = TopicWish {
            template: "nowhere",
            unit_mode: true,
            ..wish("%RETRY%g")
        };
        let topic = table.for_send(wish, false, "p").expect("made").topic;
        assert_eq!(
            (topic.write_queue_nums, topic.perm, topic.topic_sys_flag),
            (1, 6, 2)
        );
    }

    #[test]
    fn no_path_makes_a_topic_that_walks_directories() {
        let (_folder, table) = table(&config());
        let refusal = table
            .for_send(wish("../../x"), true, "p")
            .expect_err("refused");
        assert_eq!(refusal.code, 1);
        assert!(
            table
                .for_group(TopicConfig::new("%RETRY%../../x", 1, 1, 6))
                .is_err()
        );
        assert!(
            table
                .for_group(TopicConfig::new(
                    format!("%RETRY%{}", "g".repeat(200)),
                    1,
                    1,
                    6
                ))
                .is_ok()
        );
    }

    #[test]
    fn of_many_at_once_one_makes_the_topic() {
        let (_folder, table) = table(&config());
        let made = std::thread::scope(|scope| {
            let tries: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| table.for_send(wish("T"), true, "p").expect("there").created)
                })
                .collect();
            tries
                .into_iter()
                .map(|one| one.join().expect("ends"))
                .filter(|created| *created)
                .count()
        });
        assert_eq!(made, 1);
        assert_eq!(table.version().counter, 1);
    }
}
