//! Who is connected (203, 204), and what clients say of themselves when they are asked (223, 307, 309).
//!
//! ```text
//! mqadmin ── 307, 309 ─▶ broker ── the same code and fields, on the client's own connection ─▶ client
//!         ◀── the client's answer, as it is ◀──────────────────────────────────────────────────┘
//! ```
//!
//! The rule that is easy to break: such a question waits for a client of somebody else's, so it is a future of the
//! connection it came on, has an end of its own, and holds up nothing.
//!
//! Java 4.7.0 `broker/processor/AdminBrokerProcessor.java` (`callConsumer`), `broker/client/net/Broker2Client.java`.

use std::sync::Arc;
use std::time::Duration;

use remoting::body::connections::ProducerConnection;
use remoting::body::seek::GetConsumerStatusBody;
use remoting::code::{request, response, version};
use remoting::header::seek::{
    ConsumeMessageDirectlyRequest, GetConsumerRunningInfoRequest, GetConsumerStatusRequest,
};
use remoting::header::stats::{GetConsumerConnectionListRequest, GetProducerConnectionListRequest};
use remoting::java::json;
use remoting::{Answer, CallError, Command, ExtFields, Refusal};
use tokio::task::JoinSet;
use tracing::debug;

use super::offset::understood;
use crate::broker::Broker;
use crate::client::Client;
use crate::handler::on_a_thread;
use crate::message_id;

/// How long a client has for 307 and 309: it may be consuming. Java 4.7.0 `Broker2Client.callClient`.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// And for 221.
const STATUS_LIMIT: Duration = Duration::from_secs(5);

/// 203
pub(in crate::handler) fn consumers(
    broker: &Broker,
    request: &Command,
) -> Result<Command, Refusal> {
    let GetConsumerConnectionListRequest { consumer_group } = request.header()?;
    let group = broker
        .consumers
        .connection(&consumer_group)
        .ok_or_else(|| {
            let remark = format!("the consumer group[{consumer_group}] not online");
            Refusal::new(response::CONSUMER_NOT_ONLINE, remark)
        })?;
    Ok(Command::success().with_body(json::write(&group)))
}

/// 204
pub(in crate::handler) fn producers(
    broker: &Broker,
    request: &Command,
) -> Result<Command, Refusal> {
    let GetProducerConnectionListRequest { producer_group } = request.header()?;
    let members = broker.producers.members(&producer_group);
    if members.is_empty() {
        return Err(Refusal::system_error(format!(
            "the producer group[{producer_group}] not exist"
        )));
    }
    let group = ProducerConnection {
        connection_set: members.iter().map(Client::connection).collect(),
    };
    Ok(Command::success().with_body(json::write(&group)))
}

/// 223. Clients that do not answer are left out.
pub(in crate::handler) fn status(broker: &Broker, request: &Command) -> Result<Answer, Refusal> {
    let asked: GetConsumerStatusRequest = request.header()?;
    let members = broker.consumers.members(&asked.group);
    if members.is_empty() {
        let group = asked.group;
        return Err(Refusal::system_error(format!(
            "No Any Consumer online in the consumer group: [{group}]"
        )));
    }
    understood(&members, version::RESET_OFFSET)?;
    let one = asked.client_addr.filter(|id| !id.trim().is_empty());
    let question = GetConsumerStatusRequest {
        topic: asked.topic,
        group: asked.group,
        client_addr: None,
    };
    let mut asking = JoinSet::new();
    for member in members {
        if one.as_ref().is_none_or(|one| *one == *member.id) {
            let code = request::GET_CONSUMER_STATUS_FROM_CLIENT;
            let question = Command::request_with(code, &question);
            asking.spawn(async move {
                let answer = member.peer.call(question, STATUS_LIMIT).await;
                (member, answer)
            });
        }
    }
    Ok(Answer::later(async move {
        let mut all = GetConsumerStatusBody::default();
        while let Some(asked) = asking.join_next().await {
            let Ok((member, answer)) = asked else {
                continue;
            };
            match read_status(answer) {
                Ok(Some(status)) => {
                    let table = status.message_queue_table;
                    all.consumer_table.insert((*member.id).to_owned(), table);
                }
                Ok(None) => {}
                Err(error) => debug!(client = &*member.id, error, "ask a client for its offsets"),
            }
        }
        Ok(Command::success().with_body(json::write(&all)))
    }))
}

fn read_status(
    answer: Result<Command, CallError>,
) -> Result<Option<GetConsumerStatusBody>, String> {
    let answer = answer.map_err(|error| error.to_string())?;
    if answer.code != response::SUCCESS || answer.body.is_empty() {
        return Ok(None);
    }
    let body = json::read(&answer.body.into_bytes()).map_err(|error| error.to_string())?;
    Ok(Some(body))
}

/// 307
pub(in crate::handler) fn running_info(
    broker: &Broker,
    request: Command,
) -> Result<Answer, Refusal> {
    let asked: GetConsumerRunningInfoRequest = request.header()?;
    let client = online(broker, &asked.consumer_group, Some(&asked.client_id))?;
    let question = Command {
        fields: request.fields,
        body: request.body,
        ..Command::request(request.code)
    };
    Ok(Answer::later(async move {
        passed_on(&client, &asked.consumer_group, question).await
    }))
}

/// 309. The message goes along as the log has it.
pub(in crate::handler) fn consume_directly(
    broker: &Arc<Broker>,
    request: Command,
) -> Result<Answer, Refusal> {
    const BROKER_NAME: &str = "brokerName";
    let asked: ConsumeMessageDirectlyRequest = request.header()?;
    let client = online(broker, &asked.consumer_group, asked.client_id.as_deref())?;
    let told = request
        .fields
        .iter()
        .filter(|(name, _)| name != BROKER_NAME);
    let mut fields: ExtFields = told.collect();
    fields.push(BROKER_NAME, &broker.config.broker_name);
    let broker = Arc::clone(broker);
    Ok(Answer::later(async move {
        let id = asked.msg_id.unwrap_or_default();
        let missing = || Refusal::system_error(format!("can not find message by the msgId, {id}"));
        let place = message_id::log_offset(&id).ok_or_else(missing)?;
        let record = on_a_thread(move || Ok(broker.store.record_at(place))).await?;
        let question = Command {
            fields,
            body: record.ok_or_else(missing)?.into(),
            ..Command::request(request.code)
        };
        passed_on(&client, &asked.consumer_group, question).await
    }))
}

fn online(broker: &Broker, group: &str, id: Option<&str>) -> Result<Client, Refusal> {
    let members = broker.consumers.members(group);
    let Some(client) = members.into_iter().find(|client| Some(&*client.id) == id) else {
        let id = id.unwrap_or("null");
        return Err(Refusal::system_error(format!(
            "The Consumer <{group}> <{id}> not online"
        )));
    };
    if client.version < version::RUNNING_INFO {
        let (id, version) = (&*client.id, client.version);
        return Err(Refusal::system_error(format!(
            "The Consumer <{id}> Version <{version}> too low to finish, please upgrade it to V3_1_8_SNAPSHOT"
        )));
    }
    Ok(client)
}

/// The client's own answer, whatever it is.
async fn passed_on(client: &Client, group: &str, question: Command) -> Result<Command, Refusal> {
    let id = &*client.id;
    match client.peer.call(question, ANSWER_LIMIT).await {
        Ok(answer) => Ok(Command {
            remark: answer.remark,
            fields: answer.fields,
            body: answer.body,
            ..Command::reply(answer.code)
        }),
        Err(error @ CallError::TimedOut(_)) => Err(Refusal::new(
            response::CONSUME_MSG_TIMEOUT,
            format!("consumer <{group}> <{id}> Timeout: {error}"),
        )),
        Err(error) => Err(Refusal::system_error(format!(
            "invoke consumer <{group}> <{id}> Exception: {error}"
        ))),
    }
}
