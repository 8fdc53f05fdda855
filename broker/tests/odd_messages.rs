//! Sound messages that Java's brokers have stumbled over (KNOWN-BUGS: R20).

mod support;

use remoting::body::batch::{self, BatchMessage};
use remoting::code::request;
use remoting::header::send::SendRequest;
use support::{Fixture, at_once, message, pull, pulling, records, send};

/// Its CRC32 is 0: Java brokers took that for "no CRC", or for a damaged record (their issue 9121).
const BODY_OF_CRC_0: [u8; 4] = [0x9D, 0x0A, 0xD9, 0x6D];

#[tokio::test]
async fn a_body_whose_crc_is_0_is_a_body() {
    let fixture = Fixture::new().await;
    let mut client = fixture.client().await;
    client.send(send(&message("T", ""), &BODY_OF_CRC_0)).await;
    let part = BatchMessage {
        flag: 0,
        body: &BODY_OF_CRC_0[..],
        properties: "",
    };
    let header = SendRequest {
        batch: true,
        ..message("T", "")
    };
    let mut batch = send(&header, &batch::encode(&[part]));
    batch.code = request::SEND_BATCH_MESSAGE;
    client.send(batch).await;
    fixture.readable("T", 2).await;
    let reply = client.call(pulling(&at_once(pull("T", "G", 0)))).await;
    let seen = records(&reply, |record| {
        assert_eq!(record.check_body(), Ok(()));
        (record.body_crc, record.body.to_vec())
    });
    let stored = (0, BODY_OF_CRC_0.to_vec());
    assert_eq!(seen, [stored.clone(), stored]);
    // A crash's recovery reads every record anew, and gives up the log at one that it holds for damaged.
    drop(client);
    let Fixture { running, folder } = fixture;
    running.stop().await;
    std::fs::write(folder.path().join("abort"), []).expect("as after a crash");
    let again = broker::run(support::config(&folder)).await.expect("starts");
    assert_eq!(again.broker().queue_end("T", 0), 2);
}

#[tokio::test]
async fn a_property_without_its_last_separator_takes_no_harm_from_those_that_follow() {
    let fixture = Fixture::new().await;
    let mut client = fixture.client().await;
    let unseparated = "KEYS\u{1}k\u{2}own\u{1}value";
    client.send(send(&message("T", unseparated), b"m")).await;
    let separated = format!("{unseparated}\u{2}");
    client.send(send(&message("T", &separated), b"m")).await;
    fixture.readable("T", 2).await;
    let reply = client.call(pulling(&at_once(pull("T", "G", 0)))).await;
    let seen = records(&reply, |record| {
        ["KEYS", "own", "CLUSTER"].map(|name| record.property(name.as_bytes()).map(<[u8]>::to_vec))
    });
    let value = |text: &str| Some(text.as_bytes().to_vec());
    let whole = [value("k"), value("value"), value("DefaultCluster")];
    assert_eq!(seen, [whole.clone(), whole]);
}
