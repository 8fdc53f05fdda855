package compat;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/** Every scenario by its name. compat-tests/src/scenarios.rs lists the same names, with the cluster each needs. */
final class Catalogue {
    private static final Map<String, Scenario> ALL = new LinkedHashMap<>();

    static {
        ALL.put("sync_send", Sending::sync);
        ALL.put("async_send", Sending::async);
        ALL.put("oneway_send", Sending::oneway);
        ALL.put("body_sizes", Sending::bodies);
        ALL.put("properties_round_trip", Sending::properties);
        ALL.put("batch_send", Sending::batch);
        ALL.put("order_in_queue", Sending::order);
        ALL.put("many_connections", Sending::manyConnections);
        ALL.put("vip_channel_on", Sending::vipChannel);
        ALL.put("vip_channel_off", Sending::plainChannel);

        ALL.put("push_group_of_one", Consuming::groupOfOne);
        ALL.put("push_group_of_three", Consuming::groupOfThree);
        ALL.put("consumer_joins_and_leaves", Consuming::joinAndLeave);
        ALL.put("unregister_at_shutdown", Consuming::unregisterAtShutdown);
        ALL.put("broadcasting", Consuming::broadcasting);
        ALL.put("tag_filter", Consuming::tagFilter);
        ALL.put("long_polling_latency", Consuming::longPolling);
        ALL.put("offsets_committed", Consuming::offsetsCommitted);
        ALL.put("offsets_set_by_hand", Consuming::offsetsSet);

        ALL.put("pull_results", Pulling::results);
        ALL.put("pull_offsets", Pulling::offsets);
        ALL.put("pull_blocks_until_message", Pulling::block);
        ALL.put("pull_blocks_until_timeout", Pulling::blockTimeout);

        ALL.put("pull_portions", Pulling::portions);
        ALL.put("pull_portions_on_disk", Pulling::portions);

        ALL.put("pull_refused", Corners::refused);
        ALL.put("pull_may_not_broadcast", Corners::mayNotBroadcast);
        ALL.put("pull_offset_moved", Corners::offsetMoved);

        ALL.put("seek_live", Seeking::live);
        ALL.put("seek_offline", Seeking::offline);
        ALL.put("seek_clients_asked", Seeking::clientsAsked);
        ALL.put("seek_refused", Seeking::refused);

        ALL.put("expired_offset_moves", Expiring::behind);
        ALL.put("expired_while_read", Expiring::read);

        ALL.put("overload_async", Overload::async);
        ALL.put("overload_oneway", Overload::oneway);
        ALL.put("overload_log_held", Overload::logHeld);
        ALL.put("overload_flood", Overload::flood);

        ALL.put("topic_created_by_client", Topics::create);
        ALL.put("topic_auto_created", Topics::autoCreated);
        ALL.put("view_message_by_id", Topics::viewMessage);
        ALL.put("query_message_by_key", Topics::queryByKey);

        ALL.put("refuse_too_big", Refusals::tooBig);
        ALL.put("refuse_illegal_topic", Refusals::illegalTopic);
        ALL.put("refuse_no_such_queue", Refusals::noSuchQueue);
        ALL.put("refuse_no_such_message", Refusals::noSuchMessage);
        ALL.put("refuse_sql_filter_off", Refusals::sqlFilterOff);
        ALL.put("refuse_no_such_topic", Refusals::noSuchTopic);
        ALL.put("refuse_auto_creation_off", Refusals::autoCreationOff);

        ALL.put("late_consumer_from_last_young_queue", Late::lastOnYoungQueue);
        ALL.put("late_consumer_from_first", Late::first);
        ALL.put("late_consumer_from_last", Late::last);
        ALL.put("late_consumer_from_timestamp", Late::timestamp);

        ALL.put("orderly_one_consumer", Ordered::oneConsumer);
        ALL.put("orderly_three_come_and_go", Ordered::threeComeAndGo);
        ALL.put("orderly_suspends", Ordered::suspends);
        ALL.put("orderly_dead_letter", Ordered::deadLetter);
        ALL.put("orderly_lives_through_restart", Ordered::livesThroughRestart);
        ALL.put("locks_by_hand", Ordered::locksByHand);
        ALL.put("lock_expires", Ordered::lockExpires);

        ALL.put("sql_pushed", Filters::pushed);
        ALL.put("sql_pulled", Filters::pulled);
        ALL.put("sql_refused", Filters::refused);
        ALL.put("sql_changed", Filters::changed);
        ALL.put("sql_retried", Filters::retried);
        ALL.put("sql_unknown", Filters::unknown);

        ALL.put("request_reply", RequestReply.between(RequestReply::answered));
        ALL.put("request_unaided", RequestReply.between(RequestReply::unaided));
        ALL.put("request_timeout", RequestReply.between(RequestReply::timeout));
        ALL.put("request_reconnects", RequestReply.between(RequestReply::reconnects));
        ALL.put("request_refused", RequestReply::refused);
        ALL.put("request_not_stored", RequestReply.between(RequestReply::notStored));

        ALL.put("lite_pull_subscribe", LitePull::subscribe);
        ALL.put("lite_pull_assign", LitePull::assign);

        ALL.put("trace_system_topic", Traces::systemTopic);
        ALL.put("trace_named_topic", Traces::namedTopic);
        ALL.put("trace_off", Traces::off);

        ALL.put("kind_compressed", Kinds::compressed);
        ALL.put("kind_units", Kinds::units);
        ALL.put("kind_batches", Kinds::batches);
        ALL.put("kind_unique_keys", Kinds::uniqueKeys);

        ALL.put("class_filter", ClassFilter::refused);

        ALL.put("wait_or_not", Waiting::orNot);

        ALL.put("flow_own_limits", Flow::ownLimits);
        ALL.put("flow_suspended", Flow::suspended);
        ALL.put("flow_rebalancing", Flow::rebalancing);

        ALL.put("retry_until_it_works", Retry::untilItWorks);
        ALL.put("retry_level_of_the_consumer", Retry::levelOfTheConsumer);
        ALL.put("retry_dead_letter", Retry::deadLetterAfterMax);
        ALL.put("retry_given_back_by_hand", Retry::givenBackByHand);
        ALL.put("retry_sent_by_the_client", Retry::sentByTheClient);
        ALL.put("retry_group_settings", Retry::groupSettings);
        ALL.put("refuse_give_back", Retry::badRequests);

        ALL.put("transaction_committed", Transactions::commitAndRollback);
        ALL.put("transaction_asked_commits", Transactions::askedCommits);
        ALL.put("transaction_asked_rolls_back", Transactions::askedRollsBack);
        ALL.put("transaction_another_member", Transactions::anotherMemberAnswers);
        ALL.put("transaction_immunity", Transactions::immunity);
        ALL.put("transaction_given_up", Transactions::givenUp);
        ALL.put("transaction_bad_ends", Transactions::badEnds);
        ALL.put("transaction_through_restart", Transactions::restart);
        ALL.put("transaction_through_kill", Transactions::kill);

        ALL.put("broker_restarted", Restarts::brokerClean);
        ALL.put("consumer_lives_through_restart", Restarts::consumerLivesOn);
        ALL.put("broker_killed", Restarts::brokerKilled);
        ALL.put("one_of_two_namesrvs_down", Restarts::oneNamesrvDown);
        ALL.put("namesrv_restarted", Restarts::namesrv);
        ALL.put("slave_reads", Slaves::reads);
        ALL.put("slave_reads_master_killed", Slaves::masterKilled);

        ALL.put("delayed_default_levels", Delayed::defaultLevels);
        ALL.put("delayed_configured_levels", Delayed::configuredLevels);
        ALL.put("delayed_above_the_last_level", Delayed::aboveTheLast);
        ALL.put("delayed_properties", Delayed::properties);
        ALL.put("delayed_tag_filter", Delayed::tagFilter);
        ALL.put("delayed_refusals", Delayed::refusals);
        ALL.put("delayed_broker_restarted", Delayed::restart);
        ALL.put("delayed_broker_killed", Delayed::kill);
    }

    private Catalogue() {
    }

    static Set<String> names() {
        return ALL.keySet();
    }

    static Scenario get(String name) {
        Scenario scenario = ALL.get(name);
        if (scenario == null) {
            throw new IllegalArgumentException("no scenario is called " + name);
        }
        return scenario;
    }
}
