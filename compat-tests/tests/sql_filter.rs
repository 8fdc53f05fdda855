//! Our SQL92 filter against Java's own, on generated filters and properties.
//!
//! ```text
//! generate (seed) ─┬─ one JVM: rocketmq-filter 4.7.0, line by line ─┐
//!                  └─ broker::filter::sql_eval ─────────────────────┴─ the same verdicts, the same messages
//! ```
//!
//! Half of the filters follow the grammar, with types mixed at will; the others are such filters damaged: words dropped,
//! doubled, swapped, noise between them. A difference is shown with the seed; `SQL_FILTER_SEED` runs that seed again.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use broker::filter::sql_eval::{Expression, Verdict};
use compat_tests::java::{self, FILTER};
use compat_tests::logs;

const FILTERS: usize = 100_000;
/// Sets of properties that each filter is asked about.
const MESSAGES: usize = 3;
/// So many differences are shown.
const SHOWN: usize = 20;

#[test]
fn filters_mean_what_they_mean_to_java() {
    let now = || {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map(|time| time.as_nanos() as u64)
    };
    let seed = match std::env::var("SQL_FILTER_SEED") {
        Ok(seed) => seed.parse().expect("SQL_FILTER_SEED is a number"),
        Err(_) => now().expect("after 1970"),
    };
    eprintln!("SQL_FILTER_SEED={seed}");
    let mut random = Random(seed | 1);
    let cases: Vec<Case> = (0..FILTERS).map(|_| Case::random(&mut random)).collect();
    let answers = ask_java(&cases);
    assert_eq!(answers.len(), cases.len(), "the JVM ended early");
    let mut differences = Vec::new();
    let (mut refused, mut wanted, mut failed) = (0, 0, 0);
    for (case, java) in cases.iter().zip(&answers) {
        let ours = case.answer();
        refused += usize::from(java.starts_with('!'));
        wanted += usize::from(java.contains('T') && !java.starts_with('!'));
        failed += usize::from(java.contains('X') && !java.starts_with('!'));
        if comparable(&ours) != comparable(java) {
            differences.push(format!("{case:?}\n  ours {ours}\n  Java {java}"));
        }
    }
    eprintln!(
        "{FILTERS} filters: {refused} refused, {wanted} want a message, {failed} fail on one"
    );
    assert!(
        refused > FILTERS / 10 && wanted > FILTERS / 20 && failed > FILTERS / 50,
        "the generator makes filters of one sort only"
    );
    assert!(
        differences.is_empty(),
        "SQL_FILTER_SEED={seed}: {} of {FILTERS} differ\n{}",
        differences.len(),
        differences[..differences.len().min(SHOWN)].join("\n")
    );
}

/// A failed cast is worded by each JDK in its own way.
fn comparable(answer: &str) -> &str {
    let cast = "!java.lang.ClassCastException";
    if answer.starts_with(cast) {
        cast
    } else {
        answer
    }
}

fn ask_java(cases: &[Case]) -> Vec<String> {
    let classpath = FILTER.classpath("4.7.0").expect("Maven");
    let home = logs::fresh_folder("sql_filter").expect("a folder");
    let mut jvm = java::short_lived_jvm(&classpath, 256, &home);
    jvm.arg("filter.Answers")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut process = jvm.spawn().expect("java");
    let mut input = process.stdin.take().expect("piped");
    let lines: String = cases.iter().map(Case::line).collect();
    let writer = thread::spawn(move || input.write_all(lines.as_bytes()));
    let output = BufReader::new(process.stdout.take().expect("piped"));
    let answers = output.lines().map(|line| line.expect("UTF-8")).collect();
    writer
        .join()
        .expect("no panic")
        .expect("the JVM reads everything");
    assert!(process.wait().expect("it ends").success());
    answers
}

#[derive(Debug)]
struct Case {
    filter: String,
    messages: Vec<String>,
}

impl Case {
    fn random(random: &mut Random) -> Case {
        let mut words = Vec::new();
        filter(random, 0, &mut words);
        if random.below(2) == 0 {
            damage(random, &mut words);
        }
        let mut filter = String::new();
        for word in words {
            filter.push_str(&word);
            filter.push_str(random.of(&[
                " ", " ", " ", " ", " ", " ", "", "\t", "\n", "\r\n", "--c\n", "/* c */",
            ]));
        }
        let messages = (0..MESSAGES).map(|_| properties(random)).collect();
        Case { filter, messages }
    }

    fn line(&self) -> String {
        let mut line = escaped(&self.filter);
        for message in &self.messages {
            line.push('\t');
            line.push_str(&escaped(message));
        }
        line.push('\n');
        line
    }

    /// Ours, written as the JVM writes Java's.
    fn answer(&self) -> String {
        let expression = match Expression::compile(&self.filter) {
            Err(error) => return format!("!{}", escaped(&error.to_string())),
            Ok(expression) => expression,
        };
        let verdict = |message: &String| match expression.verdict(message) {
            Verdict::True => 'T',
            Verdict::False => 'F',
            Verdict::Null => 'N',
            Verdict::Error => 'X',
        };
        self.messages.iter().map(verdict).collect()
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('\t', "\\t")
        .replace('\n', "\\n")
        .replace('\r', "\\r")
}

const NAMES: [&str; 6] = ["a", "b", "c", "_d$1", "TAGS", "nulls"];
const VALUES: &[&str] = &[
    "0",
    "1",
    "2",
    "3",
    "3",
    "5",
    "-1",
    "+7",
    "3.0",
    "3.5",
    "1e1",
    "x",
    "y",
    "it's",
    "TRUE",
    "true",
    "False",
    " 3",
    "2147483647",
    "2147483648",
    "-9223372036854775808",
    "9223372036854775808",
    "NaN",
    "Infinity",
    "-0.0",
    "0x1p1",
    "0x1.8p0f",
    "5d",
    "5f",
    "5.",
    ".5",
    "1e400",
    "1e-400",
    "٣",
    "名字",
    "😀",
    "0x",
    "1e",
    "+",
    "-",
    "_",
    "1_0",
];
const NUMBERS: &[&str] = &[
    "0",
    "1",
    "2",
    "3",
    "3",
    "5",
    "10",
    "3.0",
    "3.5",
    "1e1",
    "5.",
    ".5",
    "1.5E-4",
    "2147483647",
    "2147483648",
    "3L",
    "7l",
    "9223372036854775807",
    "1E9",
];
const ODD_NUMBERS: &[&str] = &[
    "9223372036854775808",
    "99999999999999999999L",
    "0.0",
    "1e400",
    "1e-400",
    "007",
    "0L",
    "1.e",
    "0x1F",
    "12345678.9",
];
const TEXTS: &[&str] = &[
    "'x'", "'y'", "'3'", "'3.5'", "'it''s'", "''", "'TRUE'", "'名字'", "'1e1'", "' 3 '", "'Z'",
];
const NOISE: &[&str] = &[
    "#", "!", "\"", "'", ".", "/", "/*", "--", "*", "%", "\u{0}", "é", "😀", "'open", "\\", "<>",
    "(", ")", ",", "=", "IS", "NOT", "IN", "NULL", "AND", "OR", "BETWEEN", "+", "-", "LIKE", "a",
    "3", "'x'", "TRUE", "<", ">=", "\u{7f}",
];

/// A filter that follows the grammar; what is refused in it is refused for its types.
fn filter(random: &mut Random, depth: u32, words: &mut Vec<String>) {
    comparison(random, depth, words);
    while random.below(5) < 2 {
        words.push(random.of(&["AND", "OR", "and", "Or", "=", "<>"]).to_owned());
        comparison(random, depth, words);
    }
    if random.below(40) == 0 {
        words.push("IS".to_owned());
        words.push(random.of(&["NULL", "NOT", "NOT NULL"]).to_owned());
    }
}

fn comparison(random: &mut Random, depth: u32, words: &mut Vec<String>) {
    let name = random.of(&NAMES).to_owned();
    match random.below(14) {
        0..=5 => {
            operand(random, depth, words);
            words.push(random.of(&["=", "<>", ">", ">=", "<", "<="]).to_owned());
            operand(random, depth, words);
        }
        6 | 7 => {
            operand(random, depth, words);
            words.push(random.of(&["BETWEEN", "NOT BETWEEN", "between"]).to_owned());
            operand(random, depth + 1, words);
            words.push("AND".to_owned());
            operand(random, depth + 1, words);
        }
        8 | 9 => {
            let name = if random.below(12) == 0 {
                "(a = 1)".to_owned()
            } else {
                name
            };
            words.extend([
                name,
                random.of(&["IN", "NOT IN", "in"]).to_owned(),
                "(".to_owned(),
            ]);
            for i in 0..=random.below(8) {
                words.extend((i > 0).then(|| ",".to_owned()));
                words.push(random.of(TEXTS).to_owned());
            }
            words.push(")".to_owned());
        }
        10 | 11 => words.extend([
            name,
            random.of(&["IS NULL", "IS NOT NULL", "is null"]).to_owned(),
        ]),
        12 => {
            let open = if random.below(300) == 0 { 60 } else { 1 };
            words.extend((0..open).map(|_| "(".to_owned()));
            if depth < 5 {
                filter(random, depth + 1, words);
            } else {
                words.push(name);
            }
            words.extend((0..open).map(|_| ")".to_owned()));
        }
        _ => {
            words.push(
                random
                    .of(&["NOT", "NOT", "NOT NOT", "+", "+ +", "NOT +"])
                    .to_owned(),
            );
            operand(random, depth + 1, words);
        }
    }
}

fn operand(random: &mut Random, depth: u32, words: &mut Vec<String>) {
    match random.below(32) {
        0..=12 => words.push(random.of(&NAMES).to_owned()),
        13..=20 => words.push(random.of(NUMBERS).to_owned()),
        21..=23 => words.push(random.of(TEXTS).to_owned()),
        24..=26 => {
            words.push(random.of(&["-", "-", "- -", "+", "+ -", "NOT"]).to_owned());
            operand(random, depth + 1, words);
        }
        27 => words.push(random.of(&["TRUE", "FALSE", "true", "NULL"]).to_owned()),
        28 => words.push(random.of(ODD_NUMBERS).to_owned()),
        29 | 30 if depth < 5 => {
            words.push("(".to_owned());
            match random.below(2) {
                0 => filter(random, depth + 1, words),
                _ => operand(random, depth + 1, words),
            }
            words.push(")".to_owned());
        }
        _ => words.push(random.of(&NAMES).to_owned()),
    }
}

fn damage(random: &mut Random, words: &mut Vec<String>) {
    for _ in 0..=random.below(2) {
        let at = random.below(words.len() + 1);
        match random.below(5) {
            0 if at < words.len() => drop(words.remove(at)),
            1 if at < words.len() => words.insert(at, words.get(at).cloned().unwrap_or_default()),
            2 if at + 1 < words.len() => words.swap(at, at + 1),
            3 => words.truncate(at),
            _ => words.insert(at, random.of(NOISE).to_owned()),
        }
    }
}

/// The properties of a message, perhaps one name twice, perhaps with the last separator missing.
fn properties(random: &mut Random) -> String {
    let mut text = String::new();
    for _ in 0..random.below(6) {
        let (name, value) = (random.of(&NAMES), random.of(VALUES));
        let _ = write!(text, "{name}\u{1}{value}\u{2}");
    }
    if random.below(10) == 0 {
        text.pop();
    }
    text
}

/// Xorshift: the same numbers from the same seed, on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit
    }

    fn of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        let choice = self.below(choices.len());
        choices.get(choice).copied().unwrap_or_default()
    }
}
