//! The same requests to Java 4.7.0's servers and to ours: the same answers.
//!
//! ```text
//! cases ─┬─▶ Java's servers ─▶ answers ─┐
//!        └─▶ ours           ─▶ answers ─┴─ equal, or in differences.txt with the reason
//! ```
//!
//! Most are requests that something is wrong with: a sound one of each code, with every field missing, empty, no number,
//! too big …, and by hand what the codes have corners for. All go over one connection, which must outlive each of them; after
//! each a look into the log's files tells what it has stored; and at the end no queue has a message more than sends were
//! answered with success.
//!
//! Of an answer count code, remark, fields, body and the topics in which something was stored. Two kinds of answers are let pass: where Java answers with an exception's
//! text its words do not count, and a header that lacks a required field is refused by us and not by Java.

mod case;
mod cases;
mod log;
mod seek;
mod server;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::thread;

use case::Case;
use compat_tests::servers::{CONTROL, Servers};
use remoting::code::{request, response};
use server::{Answer, Server, is_exception, is_header_refused};

/// So many differences are shown.
const SHOWN: usize = 400;
/// Before a line about answers that are equal by chance sometimes.
const MAY_DIFFER: char = '~';
/// One round after the other: each starts a JVM or two.
static ROUND: Mutex<()> = Mutex::new(());

/// Broker keys of the second round: nothing is made by itself.
const STRICT_KEYS: &[(&str, &str)] = &[
    ("autoCreateTopicEnable", "false"),
    ("autoCreateSubscriptionGroup", "false"),
];

/// And of the third: a log of small files.
const SMALL_FILE_KEYS: &[(&str, &str)] = &[
    ("mappedFileSizeCommitLog", "1048576"),
    ("maxMessageSize", "262144"),
];

#[test]
fn the_same_requests_have_the_same_answers() {
    round("default", &[], cases::prepare, cases::all());
}

#[test]
fn so_they_have_where_nothing_is_made_by_itself() {
    round("strict", STRICT_KEYS, cases::prepare, cases::strict());
}

#[test]
fn so_they_have_where_the_begin_of_the_log_is_gone() {
    round(
        "cut",
        SMALL_FILE_KEYS,
        cases::cut::prepare,
        cases::cut::cases(),
    );
}

#[test]
fn so_they_have_from_the_name_server() {
    round(
        "namesrv",
        &[],
        cases::namesrv::prepare,
        cases::namesrv::cases(),
    );
}

fn round(
    name: &str,
    keys: &'static [(&'static str, &'static str)],
    prepare: fn(&mut Server),
    cases: Vec<Case>,
) {
    let _one_by_one = ROUND.lock().unwrap_or_else(PoisonError::into_inner);
    let cases = &cases;
    let answers = |servers: Servers| {
        let mut server = Server::start(servers, name, keys);
        prepare(&mut server);
        let mut log = server.log();
        let mut stored = 0;
        let mut texts = Vec::new();
        for case in cases {
            let answer = server.ask(case);
            let topics = log.topics();
            if servers == Servers::Ours {
                does_no_harm(case, &answer, &topics);
            }
            if cases::stores(case) && answer.code() == Some(0) {
                stored += 1;
            }
            let text = answer.text();
            texts.push(match topics.is_empty() {
                true => text,
                false => format!("{text} stored in {}", topics.join(", ")),
            });
        }
        if !cases.iter().any(cases::stores) {
            return (texts, 0);
        }
        let there = cases::await_messages(&mut server, cases::SENT, stored);
        eprintln!(
            "{servers}: {there} messages, {} answered with success",
            stored
        );
        (texts, there - stored)
    };
    let (java, ours) = thread::scope(|scope| {
        let java = scope.spawn(|| answers(CONTROL));
        let ours = scope.spawn(|| answers(Servers::Ours));
        (java.join(), ours.join())
    });
    let (java, ours) = (java.expect("Java's answers"), ours.expect("our answers"));
    compare(name, cases, &java.0, &ours.0);
    assert_eq!(ours.1, 0, "messages more than were answered with success");
}

/// The connection lives, and what is refused is not stored: but for the replies to clients that are not there, which are kept
/// for them, and the news of a moved offset.
fn does_no_harm(case: &Case, answer: &Answer, stored: &[String]) {
    let name = &case.name;
    let code = answer
        .code()
        .unwrap_or_else(|| panic!("{name}: {answer:?}"));
    let is_kept = code == response::PULL_OFFSET_MOVED
        || [request::SEND_REPLY_MESSAGE, request::SEND_REPLY_MESSAGE_V2].contains(&case.code);
    assert!(
        code == response::SUCCESS || stored.is_empty() || is_kept,
        "{name} was answered with {code} and is stored in {stored:?}"
    );
}

fn compare(round: &str, cases: &[Case], java: &[String], ours: &[String]) {
    let known = Differences::read(round);
    let (mut wrong, mut used) = (Vec::new(), BTreeSet::new());
    for ((case, java), ours) in cases.iter().zip(java).zip(ours) {
        let code = |text: &str| text.split(' ').next().unwrap_or_default().to_owned();
        let alike = is_exception(java) && code(java) == code(ours);
        if java == ours || alike || is_header_refused(ours) {
            continue;
        }
        match known.of(&case.name) {
            Some(line) => drop(used.insert(line)),
            None => wrong.push(format!("{}\n    java {java}\n    ours {ours}", case.name)),
        }
    }
    eprintln!("{} requests, {} differ", cases.len(), wrong.len());
    assert!(
        wrong.is_empty(),
        "{} of {} answers differ\n{}",
        wrong.len(),
        cases.len(),
        wrong
            .get(..wrong.len().min(SHOWN))
            .unwrap_or(&wrong)
            .join("\n")
    );
    let idle = |line: &&String| !line.starts_with(MAY_DIFFER) && !used.contains(*line);
    let idle: Vec<_> = known.lines().filter(idle).collect();
    assert!(idle.is_empty(), "no answer differs as these say: {idle:#?}");
}

/// What differs on purpose.
struct Differences(Vec<String>);

impl Differences {
    fn read(round: &str) -> Differences {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/same_answers")
            .join(format!("differences_{round}.txt"));
        let text = fs::read_to_string(path).expect("the list of differences");
        let lines = text
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        Differences(lines.map(str::to_owned).collect())
    }

    /// The line about a case: its name, or the beginning of its name and `*`, before ` | `.
    fn of(&self, case: &str) -> Option<String> {
        let about = |line: &&String| {
            let (pattern, _reason) = line.split_once(" | ").expect("a name and a reason");
            let pattern = pattern.trim_start_matches(MAY_DIFFER);
            match pattern.strip_suffix('*') {
                Some(begin) => case.starts_with(begin),
                None => case == pattern,
            }
        };
        self.0.iter().find(about).cloned()
    }

    fn lines(&self) -> impl Iterator<Item = &String> {
        self.0.iter()
    }
}
