//! Topics and groups that requests make on the way, and the disk.
//!
//! ```text
//! request ─ makes them in memory ─▶ one saving at a time, off the runtime, for all that wait ─▶ its answer
//! ```
//!
//! A request that makes nothing, which is nearly every one, costs four loads here. The rule that is easy to break: the
//! answer waits for the disk and the topic does not; others send to it meanwhile, and find it in the table. They wait for
//! the disk too, or a crash would leave what they were told is stored under a topic that is not there.
//!
//! Java 4.7.0 `broker/topic/TopicConfigManager.java`, `broker/subscription/SubscriptionGroupManager.java`, which write
//! the whole table for each, in the request's thread.

use std::sync::Arc;

use remoting::{Answer, Refusal, Service};

use crate::broker::Broker;

/// Whether topics or groups have changed that are not on disk yet.
pub(crate) fn is_unsaved(broker: &Broker) -> bool {
    broker.topics.is_unsaved() || broker.groups.is_unsaved()
}

/// The answer of a request, held back until what has been made is on disk, by others too: the request may have
/// stored a message under a topic that another one has just made.
pub(crate) fn saved_first(broker: &Arc<Broker>, answer: Answer) -> Answer {
    if !is_unsaved(broker) {
        return answer;
    }
    // A task, and not only a part of the answer: the connection may be gone before it is polled.
    let saving = tokio::spawn(save(Arc::clone(broker)));
    let saved = async {
        if saving.await.is_err() {
            return Err(Refusal::system_error("internal error")); // told where it happened
        }
        Ok(())
    };
    match answer {
        Answer::Nothing | Answer::EvenOneway(_) => answer,
        Answer::Now(result) => Answer::later(async { saved.await.and(result) }),
        Answer::Later(answer) => Answer::later(async {
            saved.await?;
            answer.await
        }),
        Answer::Held(held) => {
            let answer = broker.wait_for(held);
            Answer::later(async {
                saved.await?;
                answer.await
            })
        }
    }
}

/// Writes topics and groups if they have changed, and returns when they are on disk. Whoever comes while others write
/// waits in a queue, and no thread with it; the first of the queue writes for all.
pub(crate) async fn save(broker: Arc<Broker>) {
    let worker = Arc::clone(&broker);
    let _turn = broker.saving.lock().await;
    if !is_unsaved(&broker) {
        return; // written by one before it in the queue; or refused by the disk, which is not asked again by each
    }
    let saving = tokio::task::spawn_blocking(move || save_now(&worker));
    if let Err(panic) = saving.await {
        std::panic::resume_unwind(panic.into_panic());
    }
}

/// The same on a thread that may block.
pub(crate) fn save_now(broker: &Broker) {
    broker.topics.save();
    broker.groups.save();
}
