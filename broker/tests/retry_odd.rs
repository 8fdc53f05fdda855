//! KNOWN-BUGS R17: whatever is asked of retry topics is answered, and the broker and the connection live on.

mod support;

use remoting::code::request;
use remoting::header::send::SendRequest;
use remoting::header::send_back::SendBackRequest;
use remoting::{Command, properties};
use support::{Fixture, message, send};

const GROUPS: [&str; 6] = ["G", "", " ", "%RETRY%G", "../x", "组"];
const NUMBERS: [i32; 5] = [i32::MIN, -1, 0, 1, i32::MAX];

#[tokio::test]
async fn whatever_is_given_back_is_answered() {
    let fixture = Fixture::new().await;
    let mut client = fixture.client().await;
    let stored = client.send(send(&message("T", ""), b"body")).await;
    let offset = i64::from_str_radix(&stored.msg_id[16..], 16).expect("hex");
    for group in GROUPS {
        for offset in [offset, offset + 1, -1, i64::MIN, i64::MAX] {
            for (delay_level, most) in NUMBERS.into_iter().zip(NUMBERS.into_iter().rev()) {
                let header = SendBackRequest {
                    offset,
                    group: group.to_owned(),
                    delay_level,
                    max_reconsume_times: Some(most),
                    ..SendBackRequest::default()
                };
                let asked = Command::request_with(request::CONSUMER_SEND_MSG_BACK, &header);
                let reply = client.call(asked).await;
                assert!([0, 1, 26].contains(&reply.code), "{header:?}: {reply:?}");
            }
        }
    }
    assert_eq!(client.send(send(&message("T", ""), b"x")).await.queue_id, 0);
}

#[tokio::test]
async fn whatever_is_sent_to_a_retry_topic_is_answered() {
    let fixture = Fixture::new().await;
    let mut client = fixture.client().await;
    for group in GROUPS {
        let topic = format!("%RETRY%{group}");
        for times in NUMBERS {
            for most in NUMBERS.into_iter().map(Some).chain([None]) {
                for level in ["", "0", "-1", "18", "2147483647", "99999999999", "x"] {
                    let mut text = String::new();
                    properties::push(&mut text, properties::DELAY, level);
                    let header = SendRequest {
                        reconsume_times: times,
                        max_reconsume_times: most,
                        ..message(&topic, &text)
                    };
                    let reply = client.call(send(&header, b"again")).await;
                    assert!([0, 1, 26].contains(&reply.code), "{header:?}: {reply:?}");
                }
            }
        }
    }
    assert_eq!(client.send(send(&message("T", ""), b"x")).await.queue_id, 0);
}
