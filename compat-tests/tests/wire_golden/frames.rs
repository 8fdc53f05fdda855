//! The frames of `golden/wire`, and both ways through our codec.

use std::collections::BTreeMap;

use bytes::{Buf, Bytes, BytesMut};
use remoting::frame::{self, DecodeError, FRAME_LIMIT_BYTES};
use remoting::outbound::Outbound;
use remoting::{Command, HeaderForm};
use serde_json::Value;

use crate::golden::{hex, hex_file, json_file, text};

/// One line of `manifest.json` in one of its two forms.
pub(crate) struct Golden {
    pub(crate) facts: Value,
    pub(crate) form: HeaderForm,
    pub(crate) bytes: Vec<u8>,
}

impl Golden {
    /// Its name in the manifest.
    pub(crate) fn name(&self) -> &str {
        text(&self.facts, "name")
    }

    /// Its name and form, for messages.
    pub(crate) fn place(&self) -> String {
        format!("{} ({:?})", self.name(), self.form)
    }

    /// A fact of the header, which an empty map or remark does not survive in the binary form.
    pub(crate) fn fact(&self, name: &str) -> &Value {
        let differs = self
            .facts
            .get("binaryDiffers")
            .and_then(|facts| facts.get(name));
        match (self.form, differs) {
            (HeaderForm::Binary, Some(other)) => other,
            _ => self.facts.get(name).expect("every frame has it"),
        }
    }

    /// The ext fields; none and an empty map are one.
    pub(crate) fn fields(&self) -> BTreeMap<String, String> {
        let fields = self.fact("extFields").as_object();
        let fields = fields.into_iter().flatten();
        fields
            .map(|(name, value)| (name.clone(), value.as_str().expect("a text").to_owned()))
            .collect()
    }

    /// What follows the header.
    pub(crate) fn body(&self) -> Vec<u8> {
        match self.facts.get("bodyText") {
            Some(text) => text.as_str().expect("a text").into(),
            None => hex(text(&self.facts, "bodyHex")),
        }
    }
}

/// All frames in both forms.
pub(crate) fn all() -> Vec<Golden> {
    let manifest = json_file("wire/manifest.json");
    let mut all = Vec::new();
    for facts in manifest.as_array().expect("a list") {
        for (form, folder) in [(HeaderForm::Json, "json"), (HeaderForm::Binary, "binary")] {
            let bytes = hex_file(&format!("wire/{folder}/{}.hex", text(facts, "name")));
            let facts = facts.clone();
            all.push(Golden { facts, form, bytes });
        }
    }
    assert!(all.len() > 200, "the manifest has {} frames", all.len());
    all
}

/// Reads the frame that `bytes` begin with; `None` when it is not whole.
pub(crate) fn decode(bytes: &[u8]) -> Result<Option<Command>, DecodeError> {
    let mut input = BytesMut::from(bytes);
    let Some(frame) = frame::take_frame(&mut input, FRAME_LIMIT_BYTES)? else {
        return Ok(None);
    };
    frame::decode(frame).map(Some)
}

/// The frame as a command.
pub(crate) fn whole(golden: &Golden) -> Command {
    decode(&golden.bytes)
        .unwrap_or_else(|error| panic!("{}: {error}", golden.place()))
        .unwrap_or_else(|| panic!("{}: not whole", golden.place()))
}

/// `command` as a frame.
pub(crate) fn encode(command: Command) -> Bytes {
    let mut out = Outbound::default();
    frame::encode(command, &mut out);
    out.copy_to_bytes(out.remaining())
}

/// All ext fields of `command`.
pub(crate) fn fields_of(command: &Command) -> BTreeMap<String, String> {
    let fields = command.fields.iter();
    fields
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect()
}
