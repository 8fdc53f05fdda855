//! One request that both kinds of servers get, and the many that are made of a sound one.

use remoting::{Command, ExtFields};

/// What is done to a field of a sound request, with the words for it.
const MUTATIONS: &[(&str, Option<&str>)] = &[
    ("missing", None),
    ("empty", Some("")),
    ("a blank", Some(" ")),
    ("no number", Some("x")),
    ("below 0", Some("-1")),
    ("the most an int holds", Some("2147483647")),
    ("more than an int holds", Some("2147483648")),
    ("more than a long holds", Some("9223372036854775808")),
    ("a path", Some("../../etc")),
    ("other letters", Some("名字")),
    ("300 letters", Some("{long}")),
];

/// One request. In its fields `{place}`, `{id}`, `{long}` … stand for what the server itself gave ([`crate::server::Facts`]).
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// As in `differences.txt`.
    pub(crate) name: String,
    /// Request code.
    pub(crate) code: i32,
    /// Fields of the header.
    pub(crate) fields: Vec<(String, String)>,
    /// What follows the header.
    pub(crate) body: Vec<u8>,
}

impl Case {
    /// A request with these fields and no body.
    pub(crate) fn new(name: &str, code: i32, fields: &[(&str, &str)]) -> Case {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Case {
            name: name.to_owned(),
            code,
            fields: fields.iter().map(owned).collect(),
            body: Vec::new(),
        }
    }

    /// The same with a body.
    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Case {
        self.body = body.into();
        self
    }

    /// The same with a field set, and `what` behind its name if there is any.
    pub(crate) fn with(&self, what: &str, field: &str, value: &str) -> Case {
        let mut case = self.without(what, field);
        case.fields.push((field.to_owned(), value.to_owned()));
        case
    }

    /// The same without a field, likewise.
    pub(crate) fn without(&self, what: &str, field: &str) -> Case {
        let mut case = self.clone();
        if !what.is_empty() {
            case.name = format!("{}: {what}", self.name);
        }
        case.fields.retain(|(name, _)| name != field);
        case
    }

    /// This request, and every field of it damaged in every way.
    pub(crate) fn damaged(self) -> Vec<Case> {
        let mut cases = Vec::new();
        for (field, _) in &self.fields {
            for (what, value) in MUTATIONS {
                let what = format!("{field} {what}");
                cases.push(match value {
                    None => self.without(&what, field),
                    Some(value) => self.with(&what, field, value),
                });
            }
        }
        cases.insert(0, self);
        cases
    }

    /// This request, and the body damaged in every way: for JSON.
    pub(crate) fn with_damaged_bodies(self) -> Vec<Case> {
        let damaged: [(&str, &[u8]); 8] = [
            ("no body", b""),
            ("no JSON", b"what is this"),
            (
                "half a JSON",
                self.body.get(..self.body.len() / 2).unwrap_or_default(),
            ),
            ("an empty object", b"{}"),
            ("a list", b"[1,2]"),
            ("null", b"null"),
            ("a number", b"7"),
            ("bytes", &[0xFF, 0xFE, 0x00, 0x80]),
        ];
        let mut cases = Vec::new();
        for (what, body) in damaged {
            let mut case = self.clone();
            case.name = format!("{}: {what}", self.name);
            case.body = body.to_vec();
            cases.push(case);
        }
        cases.insert(0, self);
        cases
    }

    /// As it goes to one server; `fill` puts in what that server gave.
    pub(crate) fn command(&self, fill: impl Fn(&str) -> String) -> Command {
        let fields: ExtFields = self
            .fields
            .iter()
            .map(|(name, value)| (name.clone(), fill(value)))
            .collect();
        Command {
            fields,
            ..Command::request(self.code).with_body(self.body.clone())
        }
    }
}
