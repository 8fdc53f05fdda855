//! A group is sent back, and its client in C++ is told so: the same words from both kinds of servers.

use compat_tests::servers::{CONTROL, Servers};
use remoting::code::{Language, request};

use crate::case::Case;
use crate::cases::{self, LIVE, TOPIC};
use crate::server::Server;

#[test]
fn so_has_a_client_in_cpp_whose_group_is_sent_back() {
    let java = told(CONTROL);
    assert!(java.starts_with("code=220 "), "{java}");
    assert_eq!(java, told(Servers::Ours));
}

/// What the one member of a group is told, by an administrator in C++: else Java does not use the form of C++.
fn told(servers: Servers) -> String {
    let mut server = Server::start(servers, "cpp", &[]);
    cases::prepare(&mut server);
    for queue in ["0", "1", "2", "3"] {
        let fields = [
            ("consumerGroup", "G_cpp"),
            ("topic", TOPIC),
            ("queueId", queue),
            ("commitOffset", "7"),
        ];
        server.sure(&Case::new(
            "commit",
            request::UPDATE_CONSUMER_OFFSET,
            &fields,
        ));
    }
    let mut member = server.connect();
    let mut hello = cases::live_member();
    hello.body = String::from_utf8_lossy(&hello.body)
        .replace(LIVE, "G_cpp")
        .into_bytes();
    let mut hello = hello.command(str::to_owned);
    hello.language = Language::CPP;
    assert_eq!(member.call(hello).code(), Some(0));
    let fields = [
        ("topic", TOPIC),
        ("group", "G_cpp"),
        ("timestamp", "0"),
        ("isForce", "true"),
    ];
    let back = Case::new("back", request::INVOKE_BROKER_TO_RESET_OFFSET, &fields);
    let mut back = back.command(str::to_owned);
    back.language = Language::CPP;
    assert_eq!(server.connect().call(back).code(), Some(0));
    member.asked(request::RESET_CONSUMER_CLIENT_OFFSET).text()
}
