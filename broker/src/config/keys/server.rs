//! The rows of Java 4.7.0's `NettyServerConfig`, in its order.

use super::super::accepted::{EXECUTOR, NETTY, SEMAPHORE, no, number, yes};
use super::super::value::{JavaType, Slot};
use super::{Key, accepted, field, seconds};

pub(super) static KEYS: &[Key] = &[
    field("listenPort", |c| Slot::Port(&mut c.server.listen_port)),
    accepted("serverWorkerThreads", JavaType::Int, number::<8>, NETTY),
    accepted(
        "serverCallbackExecutorThreads",
        JavaType::Int,
        number::<0>,
        EXECUTOR,
    ),
    accepted("serverSelectorThreads", JavaType::Int, number::<3>, NETTY),
    accepted(
        "serverOnewaySemaphoreValue",
        JavaType::Int,
        number::<256>,
        SEMAPHORE,
    ),
    accepted(
        "serverAsyncSemaphoreValue",
        JavaType::Int,
        number::<64>,
        SEMAPHORE,
    ),
    field("serverChannelMaxIdleTimeSeconds", |c| {
        seconds(&mut c.server.idle)
    }),
    field("serverSocketSndBufSize", |c| {
        Slot::Count32(&mut c.server.send_buffer_bytes)
    }),
    field("serverSocketRcvBufSize", |c| {
        Slot::Count32(&mut c.server.receive_buffer_bytes)
    }),
    accepted(
        "serverPooledByteBufAllocatorEnable",
        JavaType::Bool,
        yes,
        NETTY,
    ),
    accepted(
        "useEpollNativeSelector",
        JavaType::Bool,
        no,
        "epoll is used wherever the system has it",
    ),
];
