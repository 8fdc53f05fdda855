//! One server and clients that ask for too much: the others are served, and memory has an end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};
use remoting::frame::{FRAME_LIMIT_BYTES, decode, encode, take_frame};
use remoting::outbound::Outbound;
use remoting::{
    Answer, Bounds, Client, ClientConfig, Command, Peer, Refusal, Server, ServerConfig, Service,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// Answered at once.
const QUICK: i32 = 900;
/// Takes the connection's task for as long as `WORK`.
const WORKS: i32 = 901;
/// Answered with `LARGE_BYTES`.
const LARGE: i32 = 902;
/// Never answered.
const WAITS: i32 = 903;
/// Refused, also where no answer is wanted.
const REFUSED: i32 = 904;

const WORK: Duration = Duration::from_micros(100);
const LARGE_BYTES: usize = 64 << 10;
const LIMIT: Duration = Duration::from_secs(60);

/// How many requests of each kind were served.
#[derive(Default)]
struct Counts {
    worked: AtomicUsize,
    large: AtomicUsize,
    waiting: AtomicUsize,
}

impl Service for Counts {
    fn call(self: &Arc<Self>, _: &Arc<Peer>, request: Command) -> Answer {
        match request.code {
            WORKS => {
                self.worked.fetch_add(1, Ordering::SeqCst);
                let began = Instant::now();
                while began.elapsed() < WORK {
                    std::hint::spin_loop();
                }
                Command::success().into()
            }
            LARGE => {
                self.large.fetch_add(1, Ordering::SeqCst);
                Command::success().with_body(vec![7; LARGE_BYTES]).into()
            }
            WAITS => {
                self.waiting.fetch_add(1, Ordering::SeqCst);
                Answer::later(async move {
                    let _kept = request;
                    std::future::pending().await
                })
            }
            REFUSED => Answer::EvenOneway(Refusal::new(2, "busy")),
            _ => Command::success().into(),
        }
    }

    fn overdue(
        &self,
        code: i32,
        waited: Duration,
        behind: impl FnOnce() -> usize,
    ) -> Option<Refusal> {
        let late = code == WORKS && waited >= WORK * 20;
        late.then(|| Refusal::new(2, behind().to_string()))
    }

    fn closed(&self, _: &Arc<Peer>) {}
}

async fn serve(config: ServerConfig) -> (Arc<Counts>, Server, SocketAddr) {
    let counts = Arc::new(Counts::default());
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let server = Server::bind(any, Arc::clone(&counts), config)
        .await
        .expect("bind");
    let addr = server.local_addr();
    (counts, server, addr)
}

fn frames(code: i32, body_bytes: usize, count: usize) -> Bytes {
    let mut out = Outbound::default();
    for _ in 0..count {
        let request = Command::request(code).with_body(vec![0; body_bytes]);
        encode(request, &mut out);
    }
    out.copy_to_bytes(out.remaining())
}

async fn read_command(stream: &mut TcpStream, input: &mut BytesMut) -> Command {
    loop {
        if let Some(frame) = take_frame(input, FRAME_LIMIT_BYTES).expect("a frame") {
            return decode(frame).expect("a command");
        }
        assert!(stream.read_buf(input).await.expect("open") > 0, "closed");
    }
}

async fn ask(client: &Client, addr: SocketAddr, code: i32) -> Command {
    let addr = addr.to_string();
    let reply = client.call(&addr, Command::request(code), LIMIT).await;
    reply.expect("answered")
}

/// A connection whose ends buffer little.
async fn small_connection(addr: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(16 << 10).expect("set");
    socket.connect(addr).await.expect("connect")
}

#[tokio::test]
async fn a_connection_that_floods_has_short_turns() {
    let (counts, _server, addr) = serve(ServerConfig::default()).await;
    let flooding = tokio::spawn(async move {
        let stream = TcpStream::connect(addr).await.expect("connect");
        let (mut from, mut to) = stream.into_split();
        tokio::spawn(async move { tokio::io::copy(&mut from, &mut tokio::io::sink()).await });
        let flood = frames(WORKS, 0, 1000);
        while to.write_all(&flood).await.is_ok() {}
    });
    while counts.worked.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    let client = Client::new(ClientConfig::default());
    const CALLS: usize = 50;
    let before = counts.worked.load(Ordering::SeqCst);
    for _ in 0..CALLS {
        ask(&client, addr, QUICK).await;
    }
    let between = counts.worked.load(Ordering::SeqCst) - before;
    // A turn of the flood is 32 of its requests, which are longer than a millisecond; a call takes two or three turns.
    assert!(
        between / CALLS < 320,
        "{between} requests of the flood were served meanwhile"
    );
    flooding.abort();
}

#[tokio::test]
async fn a_request_that_waits_for_its_turn_too_long_is_refused_with_the_number_behind_it() {
    let (counts, _server, addr) = serve(ServerConfig::default()).await;
    let mut stream = TcpStream::connect(addr).await.expect("connect");
    const REQUESTS: usize = 100;
    stream
        .write_all(&frames(WORKS, 0, REQUESTS))
        .await
        .expect("written");
    let mut input = BytesMut::new();
    let mut refusals = Vec::new();
    for _ in 0..REQUESTS {
        let reply = read_command(&mut stream, &mut input).await;
        refusals.extend(reply.remark.filter(|_| reply.code == 2));
    }
    let served = counts.worked.load(Ordering::SeqCst);
    assert_eq!(served + refusals.len(), REQUESTS);
    assert!(
        (32..REQUESTS).contains(&served),
        "{served} were served, {refusals:?}"
    );
    let behind: Vec<usize> = refusals
        .iter()
        .map(|text| text.parse().expect("a number"))
        .collect();
    assert_eq!(behind.last(), Some(&0));
    assert!(behind.is_sorted_by(|one, next| one > next), "{behind:?}");
}

#[tokio::test]
async fn a_refusal_can_reach_who_wants_no_answer() {
    let (_counts, _server, addr) = serve(ServerConfig::default()).await;
    let mut stream = TcpStream::connect(addr).await.expect("connect");
    let request = Command::request(REFUSED).oneway();
    let opaque = request.opaque;
    let mut out = Outbound::default();
    encode(request, &mut out);
    stream.write_all_buf(&mut out).await.expect("written");
    let reply = read_command(&mut stream, &mut BytesMut::new()).await;
    assert_eq!((reply.opaque, reply.code), (opaque, 2));
}

#[tokio::test]
async fn what_many_clients_that_do_not_read_make_wait_has_an_end_for_all_together() {
    const HELD_BYTES: usize = 8 << 20;
    const CLIENTS: usize = 200;
    let config = ServerConfig {
        bounds: Arc::new(Bounds::new(CLIENTS + 1, 1 << 20, HELD_BYTES)),
        send_buffer_bytes: 16 << 10,
        ..ServerConfig::default()
    };
    let (counts, _server, addr) = serve(config).await;
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let mut stream = small_connection(addr).await;
        let requests = frames(LARGE, 0, 100); // 1.2 GiB of replies for all
        stream.write_all(&requests).await.expect("written");
        clients.push(stream);
    }
    // Whoever reads is served, and afterwards the others have been, as far as they will be.
    let client = Client::new(ClientConfig::default());
    const CALLS: usize = 20;
    for _ in 0..CALLS {
        let reply = ask(&client, addr, LARGE).await;
        assert_eq!(reply.body.len(), LARGE_BYTES);
    }
    let made_bytes = (counts.large.load(Ordering::SeqCst) - CALLS) * LARGE_BYTES;
    let in_sockets = CLIENTS * (192 << 10);
    let one_each = CLIENTS * LARGE_BYTES;
    assert!(
        made_bytes < 2 * HELD_BYTES + one_each + in_sockets,
        "{made_bytes} bytes of replies wait"
    );
    // They get on once they read, unless they were closed.
    let mut reader = clients.pop().expect("the last one");
    let mut input = BytesMut::new();
    for _ in 0..10 {
        let reply = read_command(&mut reader, &mut input).await;
        assert_eq!(reply.body.len(), LARGE_BYTES);
    }
}

#[tokio::test]
async fn requests_that_wait_are_counted_in_bytes() {
    let config = ServerConfig {
        waiting_limit_bytes: 1 << 20,
        ..ServerConfig::default()
    };
    let (counts, _server, addr) = serve(config).await;
    let mut stream = TcpStream::connect(addr).await.expect("connect");
    let writing = tokio::spawn(async move {
        let written = stream.write_all(&frames(WAITS, 256 << 10, 100)).await;
        panic!("everything was read: {written:?}, {stream:?}");
    });
    while counts.waiting.load(Ordering::SeqCst) < 4 {
        tokio::task::yield_now().await;
    }
    let client = Client::new(ClientConfig::default());
    for _ in 0..20 {
        ask(&client, addr, QUICK).await;
    }
    assert_eq!(counts.waiting.load(Ordering::SeqCst), 4);
    assert!(!writing.is_finished());
}

#[tokio::test]
async fn ports_that_share_their_bounds_share_their_places() {
    let config = ServerConfig {
        bounds: Arc::new(Bounds::new(1, 1 << 20, 1 << 20)),
        ..ServerConfig::default()
    };
    let (_counts, _server, addr) = serve(config.clone()).await;
    let (_counts, _second, second) = serve(config).await;
    let client = Client::new(ClientConfig::default());
    ask(&client, addr, QUICK).await;
    let mut stream = TcpStream::connect(second).await.expect("connect");
    let end = stream.read_buf(&mut BytesMut::new()).await;
    assert!(matches!(end, Ok(0) | Err(_)), "there was a second place");
}
