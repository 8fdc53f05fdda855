//! One server over real sockets: what a connection promises to both of its ends.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use parking_lot::Mutex;
use remoting::frame::{FRAME_LIMIT_BYTES, decode, encode, take_frame};
use remoting::outbound::Outbound;
use remoting::{
    Answer, Bounds, CallError, Client, ClientConfig, Command, HeaderForm, Peer, Refusal, Server,
    ServerConfig, Service,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, Semaphore};

const ECHO: i32 = 900;
const WAIT: i32 = 901;
const PANIC: i32 = 902;
const PANIC_LATER: i32 = 903;
const CALL_BACK: i32 = 904;
const LARGE: i32 = 905;

const LIMIT: Duration = Duration::from_secs(30);

struct Probe {
    release: Notify,
    peers: Mutex<Vec<Arc<Peer>>>,
    served: AtomicUsize,
    /// One permit for each connection that ended.
    closed: Semaphore,
}

impl Default for Probe {
    fn default() -> Self {
        Probe {
            release: Notify::new(),
            peers: Mutex::default(),
            served: AtomicUsize::new(0),
            closed: Semaphore::new(0),
        }
    }
}

impl Service for Probe {
    fn call(self: &Arc<Self>, peer: &Arc<Peer>, request: Command) -> Answer {
        self.served.fetch_add(1, Ordering::SeqCst);
        match request.code {
            ECHO => Command::success().with_body(request.body).into(),
            LARGE => Command::success().with_body(vec![7; 1 << 20]).into(),
            WAIT => {
                let probe = Arc::clone(self);
                Answer::later(async move {
                    probe.release.notified().await;
                    Ok(Command::success())
                })
            }
            PANIC => panic!("a handler that fails"),
            PANIC_LATER => Answer::later(async { panic!("an answer that fails") }),
            CALL_BACK => {
                self.peers.lock().push(Arc::clone(peer));
                Command::success().into()
            }
            other => Answer::Now(Err(Refusal::not_supported(other))),
        }
    }

    fn closed(&self, _: &Arc<Peer>) {
        self.closed.add_permits(1);
    }
}

async fn serve(config: ServerConfig) -> (Arc<Probe>, Server, String) {
    let probe = Arc::new(Probe::default());
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let server = Server::bind(any, Arc::clone(&probe), config)
        .await
        .expect("bind");
    let addr = server.local_addr().to_string();
    (probe, server, addr)
}

fn frame_of(command: Command) -> Bytes {
    let mut out = Outbound::default();
    encode(command, &mut out);
    out.copy_to_bytes(out.remaining())
}

/// `None` when the connection has ended.
async fn read_command(stream: &mut TcpStream, input: &mut BytesMut) -> Option<Command> {
    loop {
        if let Some(frame) = take_frame(input, FRAME_LIMIT_BYTES).expect("a frame") {
            return Some(decode(frame).expect("a command"));
        }
        if stream.read_buf(input).await.unwrap_or(0) == 0 {
            return None;
        }
    }
}

#[tokio::test]
async fn requests_in_one_write_are_answered_in_their_form_and_a_waiting_one_holds_up_none() {
    let (probe, _server, addr) = serve(ServerConfig::default()).await;
    let mut stream = TcpStream::connect(&addr).await.expect("connect");
    let mut all = BytesMut::new();
    for (code, form) in [
        (WAIT, HeaderForm::Json),
        (ECHO, HeaderForm::Binary),
        (ECHO, HeaderForm::Json),
    ] {
        let mut request = Command::request(code).with_body(vec![code as u8; 3]);
        request.form = form;
        request.opaque = all.len() as i32;
        all.extend_from_slice(&frame_of(request));
    }
    stream.write_all(&all).await.expect("write");
    let mut input = BytesMut::new();
    let first = read_command(&mut stream, &mut input).await.expect("open");
    let second = read_command(&mut stream, &mut input).await.expect("open");
    assert_eq!(
        (first.form, second.form),
        (HeaderForm::Binary, HeaderForm::Json)
    );
    assert!(first.is_response() && 0 < first.opaque && first.opaque < second.opaque);
    probe.release.notify_one();
    let waited = read_command(&mut stream, &mut input).await.expect("open");
    assert_eq!((waited.opaque, waited.code), (0, 0));
}

#[tokio::test]
async fn a_panic_costs_its_request_and_an_unknown_code_is_refused() {
    let (_probe, _server, addr) = serve(ServerConfig::default()).await;
    let client = Client::new(ClientConfig::default());
    for code in [PANIC, PANIC_LATER] {
        let reply = client
            .call(&addr, Command::request(code), LIMIT)
            .await
            .expect("answered");
        assert_eq!(reply.code, 1);
    }
    let reply = client
        .call(&addr, Command::request(-1), LIMIT)
        .await
        .expect("answered");
    assert_eq!(
        (reply.code, reply.remark.as_deref()),
        (3, Some(" request type -1 not supported"))
    );
    let reply = client
        .call(&addr, Command::request(ECHO).with_body(vec![1, 2]), LIMIT)
        .await;
    assert_eq!(&reply.expect("answered").body.into_bytes()[..], [1, 2]);
}

#[tokio::test]
async fn oneway_requests_get_no_answer() {
    let (_probe, _server, addr) = serve(ServerConfig::default()).await;
    let mut stream = TcpStream::connect(&addr).await.expect("connect");
    for code in [ECHO, PANIC, -1] {
        stream
            .write_all(&frame_of(Command::request(code).oneway()))
            .await
            .expect("write");
    }
    let last = Command::request(ECHO);
    let opaque = last.opaque;
    stream.write_all(&frame_of(last)).await.expect("write");
    let reply = read_command(&mut stream, &mut BytesMut::new())
        .await
        .expect("open");
    assert_eq!(reply.opaque, opaque);
}

#[tokio::test]
async fn malformed_bytes_close_their_connection_and_no_other() {
    let (probe, _server, addr) = serve(ServerConfig::default()).await;
    let client = Client::new(ClientConfig::default());
    client
        .call(&addr, Command::request(ECHO), LIMIT)
        .await
        .expect("answered");
    let too_long = (FRAME_LIMIT_BYTES as u32).to_be_bytes().to_vec();
    for wrong in [
        too_long,
        vec![0, 0, 0, 5, 9, 0, 0, 1, b'{'],
        vec![0; 4],
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
    ] {
        let mut stream = TcpStream::connect(&addr).await.expect("connect");
        stream.write_all(&wrong).await.expect("write");
        let end = stream.read_buf(&mut BytesMut::new()).await;
        assert!(
            matches!(end, Ok(0) | Err(_)),
            "the connection stayed open after {wrong:?}"
        );
        probe.closed.acquire().await.expect("told").forget();
    }
    client
        .call(&addr, Command::request(ECHO), LIMIT)
        .await
        .expect("still answered");
}

#[tokio::test]
async fn a_server_calls_back_through_the_clients_connection() {
    let (probe, _server, addr) = serve(ServerConfig::default()).await;
    let mut stream = TcpStream::connect(&addr).await.expect("connect");
    let mut input = BytesMut::new();
    stream
        .write_all(&frame_of(Command::request(CALL_BACK)))
        .await
        .expect("write");
    read_command(&mut stream, &mut input).await.expect("open");
    let peer = probe.peers.lock().pop().expect("known");
    peer.push(Command::request(40)).expect("open");
    let pushed = read_command(&mut stream, &mut input).await.expect("open");
    assert_eq!((pushed.code, pushed.is_oneway()), (40, true));

    let called = tokio::spawn({
        let peer = Arc::clone(&peer);
        async move { peer.call(Command::request(307), LIMIT).await }
    });
    let request = read_command(&mut stream, &mut input).await.expect("open");
    let mut reply = Command::success().with_body(vec![9]);
    reply.opaque = request.opaque;
    stream.write_all(&frame_of(reply)).await.expect("write");
    assert_eq!(called.await.expect("ran").expect("answered").body.len(), 1);

    let unanswered = peer
        .call(Command::request(307), Duration::from_millis(20))
        .await;
    assert_eq!(
        unanswered.err(),
        Some(CallError::TimedOut(Duration::from_millis(20)))
    );
    drop(stream);
    probe.closed.acquire().await.expect("told").forget();
    assert_eq!(peer.push(Command::request(40)), Err(CallError::Closed));
    assert_eq!(
        peer.call(Command::request(307), LIMIT).await.err(),
        Some(CallError::Closed)
    );
}

#[tokio::test]
async fn a_client_that_stops_reading_is_not_read_from_until_it_reads() {
    let config = ServerConfig {
        outbound_limit_bytes: 1 << 20,
        send_buffer_bytes: 64 << 10,
        ..ServerConfig::default()
    };
    let (probe, _server, addr) = serve(config).await;
    let mut stream = TcpStream::connect(&addr).await.expect("connect");
    const REQUESTS: usize = 64;
    let mut all = BytesMut::new();
    for _ in 0..REQUESTS {
        all.extend_from_slice(&frame_of(Command::request(LARGE)));
    }
    stream.write_all(&all).await.expect("write"); // in one read of the server, too
    // Another connection is served meanwhile, and the 64 MiB of replies have not been made ahead of their reader.
    let client = Client::new(ClientConfig::default());
    client
        .call(&addr, Command::request(ECHO), LIMIT)
        .await
        .expect("answered");
    assert!(probe.served.load(Ordering::SeqCst) < REQUESTS / 2);
    let mut input = BytesMut::new();
    for _ in 0..REQUESTS {
        let reply = read_command(&mut stream, &mut input).await.expect("open");
        assert_eq!(reply.body.len(), 1 << 20);
    }
    assert_eq!(probe.served.load(Ordering::SeqCst), REQUESTS + 1);
}

#[tokio::test]
async fn what_is_pushed_to_a_client_that_does_not_read_is_bounded() {
    let config = ServerConfig {
        outbound_limit_bytes: 1 << 20,
        send_buffer_bytes: 64 << 10,
        ..ServerConfig::default()
    };
    let (probe, _server, addr) = serve(config).await;
    let mut stream = TcpStream::connect(&addr).await.expect("connect");
    let mut input = BytesMut::new();
    stream
        .write_all(&frame_of(Command::request(CALL_BACK)))
        .await
        .expect("write");
    read_command(&mut stream, &mut input).await.expect("open");
    let peer = probe.peers.lock().pop().expect("known");
    let push = || peer.push(Command::request(40).with_body(vec![0; 512 << 10]));
    let mut accepted = 0;
    let overflow = loop {
        match push() {
            Ok(()) => accepted += 1,
            Err(error) => break error,
        }
        assert!(
            accepted < 100,
            "50 MiB wait for a client that does not read"
        );
        tokio::task::yield_now().await; // the connection takes what it will
    };
    assert!(
        matches!(overflow, CallError::Overflow { .. }),
        "{overflow:?}"
    );
    for _ in 0..accepted {
        assert_eq!(
            read_command(&mut stream, &mut input)
                .await
                .expect("open")
                .code,
            40
        );
    }
    push().expect("there is room again");
    assert_eq!(
        read_command(&mut stream, &mut input)
            .await
            .expect("open")
            .code,
        40
    );
}

#[tokio::test]
async fn one_connection_too_many_is_closed() {
    let config = ServerConfig {
        bounds: Arc::new(Bounds::new(1, 1 << 20, 1 << 20)),
        ..ServerConfig::default()
    };
    let (_probe, _server, addr) = serve(config).await;
    let client = Client::new(ClientConfig::default());
    client
        .call(&addr, Command::request(ECHO), LIMIT)
        .await
        .expect("answered");
    let mut second = TcpStream::connect(&addr).await.expect("connect");
    assert!(matches!(
        second.read_buf(&mut BytesMut::new()).await,
        Ok(0) | Err(_)
    ));
}

#[tokio::test]
async fn a_stop_answers_what_is_being_served_and_a_client_reconnects_to_the_next_server() {
    let (probe, server, addr) = serve(ServerConfig::default()).await;
    let client = Arc::new(Client::new(ClientConfig::default()));
    let waiting = tokio::spawn({
        let (client, addr) = (Arc::clone(&client), addr.clone());
        async move { client.call(&addr, Command::request(WAIT), LIMIT).await }
    });
    while probe.served.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    let stopping = tokio::spawn(server.stop());
    probe.release.notify_one();
    assert_eq!(waiting.await.expect("ran").expect("answered").code, 0);
    stopping.await.expect("stopped");

    let refused = client.call(&addr, Command::request(ECHO), LIMIT).await;
    assert!(
        matches!(refused, Err(CallError::Connect { .. } | CallError::Closed)),
        "{refused:?}"
    );
    let next = Arc::new(Probe::default());
    let same = addr.parse().expect("an address");
    let _server = Server::bind(same, next, ServerConfig::default())
        .await
        .expect("bind again");
    client
        .call(&addr, Command::request(ECHO), LIMIT)
        .await
        .expect("answered by the next server");
}

#[tokio::test]
async fn frames_that_never_end_cannot_take_all_memory_and_give_it_back() {
    let config = ServerConfig {
        bounds: Arc::new(Bounds::new(9, 3 << 20, 1 << 20)),
        ..ServerConfig::default()
    };
    let (probe, _server, addr) = serve(config).await;
    let begun = |_| async {
        let mut stream = TcpStream::connect(&addr).await.expect("connect");
        let mut frame = frame_of(Command::request(ECHO).with_body(vec![0; 2 << 20])).to_vec();
        let last = frame.pop().expect("a byte");
        let _ = stream.write_all(&frame).await; // an error: it was closed meanwhile
        (stream, last)
    };
    let (mut first, last) = begun(1).await;
    let (second, _) = begun(2).await;
    probe.closed.acquire().await.expect("told").forget();
    // One of the two was closed, and the other is served once its frame is whole.
    let mut rest = second;
    let survivor = match first.write_all(&[last]).await {
        Ok(()) => read_command(&mut first, &mut BytesMut::new())
            .await
            .is_some(),
        Err(_) => false,
    };
    if !survivor {
        rest.write_all(&[last])
            .await
            .expect("the other one is open");
        assert!(
            read_command(&mut rest, &mut BytesMut::new())
                .await
                .is_some()
        );
    }
    let (mut third, last) = begun(3).await;
    third.write_all(&[last]).await.expect("write");
    assert!(
        read_command(&mut third, &mut BytesMut::new())
            .await
            .is_some(),
        "the room was not given back"
    );
}

#[tokio::test]
async fn an_idle_limit_of_zero_closes_nothing() {
    let config = ServerConfig {
        idle: Duration::ZERO,
        ..ServerConfig::default()
    };
    let (_probe, _server, addr) = serve(config).await;
    let client = Client::new(ClientConfig::default());
    client
        .call(&addr, Command::request(ECHO), LIMIT)
        .await
        .expect("answered");
}
