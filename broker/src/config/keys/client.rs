//! The rows of Java 4.7.0's `NettyClientConfig`, in its order.

use super::super::accepted::{EXECUTOR, NETTY, SEMAPHORE, UNREAD, no, number};
use super::super::value::{JavaType, Slot};
use super::{Key, accepted, field, millis, seconds};

pub(super) static KEYS: &[Key] = &[
    accepted("clientWorkerThreads", JavaType::Int, number::<4>, NETTY),
    accepted(
        "clientCallbackExecutorThreads",
        JavaType::Int,
        |cpus| cpus.to_string(),
        EXECUTOR,
    ),
    accepted(
        "clientOnewaySemaphoreValue",
        JavaType::Int,
        number::<65_535>,
        SEMAPHORE,
    ),
    accepted(
        "clientAsyncSemaphoreValue",
        JavaType::Int,
        number::<65_535>,
        SEMAPHORE,
    ),
    field("connectTimeoutMillis", |c| {
        millis(&mut c.client.connect_timeout)
    }),
    accepted(
        "channelNotActiveInterval",
        JavaType::Long,
        number::<60_000>,
        UNREAD,
    ),
    field("clientChannelMaxIdleTimeSeconds", |c| {
        seconds(&mut c.client.idle)
    }),
    field("clientSocketSndBufSize", |c| {
        Slot::Count32(&mut c.client.send_buffer_bytes)
    }),
    field("clientSocketRcvBufSize", |c| {
        Slot::Count32(&mut c.client.receive_buffer_bytes)
    }),
    accepted(
        "clientPooledByteBufAllocatorEnable",
        JavaType::Bool,
        no,
        UNREAD,
    ),
    field("clientCloseSocketIfTimeout", |c| {
        Slot::Bool(&mut c.client.close_on_timeout)
    }),
    field("useTLS", |c| Slot::Bool(&mut c.client.use_tls)),
];
