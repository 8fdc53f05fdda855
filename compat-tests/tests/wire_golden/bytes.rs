//! Whole frames.

use ::bytes::BytesMut;
use remoting::HeaderForm;
use remoting::frame::{self, FRAME_LIMIT_BYTES};

use crate::frames::{all, decode, encode, fields_of, whole};
use crate::golden::{int, text};

#[test]
fn every_frame_is_read_as_java_reads_it() {
    for golden in all() {
        let command = whole(&golden);
        let name = golden.place();
        assert_eq!(
            i64::from(command.code),
            int(&golden.facts, "code"),
            "{name}"
        );
        assert_eq!(
            i64::from(command.flag),
            int(&golden.facts, "flag"),
            "{name}"
        );
        assert_eq!(
            i64::from(command.opaque),
            int(&golden.facts, "opaque"),
            "{name}"
        );
        assert_eq!(
            i64::from(command.version),
            int(&golden.facts, "version"),
            "{name}"
        );
        assert_eq!(
            command.language.name(),
            text(&golden.facts, "language"),
            "{name}"
        );
        assert_eq!(
            command.remark.as_deref(),
            golden.fact("remark").as_str(),
            "{name}"
        );
        assert_eq!(command.form, golden.form, "{name}");
        assert_eq!(fields_of(&command), golden.fields(), "{name}");
        for (field, value) in golden.fields() {
            assert_eq!(
                command.fields.get(&field).as_deref(),
                Some(&*value),
                "{name}: {field}"
            );
        }
        assert_eq!(command.body.into_bytes(), golden.body(), "{name}");
    }
}

#[test]
fn every_frame_is_written_to_the_bytes_java_wrote() {
    for golden in all() {
        let expected = if golden.form == HeaderForm::Json {
            without_empty_map(&golden.bytes)
        } else {
            golden.bytes.clone()
        };
        let written = encode(whole(&golden));
        if golden.form == HeaderForm::Json && has_wider_escapes(&expected) {
            let back = decode(&written).expect("sound").expect("whole");
            assert_eq!(back.remark, whole(&golden).remark, "{}", golden.place());
            continue;
        }
        assert!(
            written == expected,
            "{}\nJava: {}\nours: {}",
            golden.place(),
            String::from_utf8_lossy(&expected),
            String::from_utf8_lossy(&written),
        );
    }
}

/// fastjson escapes DEL, the C1 controls and two line separators too. We write them as they are, which JSON allows and
/// fastjson reads.
fn has_wider_escapes(frame: &[u8]) -> bool {
    [&b"\\u007F"[..], b"\\u0085", b"\\u2028"]
        .iter()
        .any(|escape| frame.windows(escape.len()).any(|part| part == *escape))
}

/// Java writes a map that was made but has no entry as `{}`; we leave it out, which its readers take for the same.
fn without_empty_map(frame: &[u8]) -> Vec<u8> {
    const EMPTY: &[u8] = b"\"extFields\":{},";
    let Some(at) = frame.windows(EMPTY.len()).position(|part| part == EMPTY) else {
        return frame.to_vec();
    };
    let (before, rest) = frame.split_at(at);
    let mut shorter = [before, rest.get(EMPTY.len()..).expect("found there")].concat();
    for (from, mask) in [(0, u32::MAX), (4, 0x00ff_ffff)] {
        let word = shorter
            .get_mut(from..)
            .and_then(<[u8]>::first_chunk_mut::<4>);
        let word = word.expect("a frame has two words");
        let length = u32::from_be_bytes(*word);
        assert!(length & mask >= EMPTY.len() as u32);
        *word = (length - EMPTY.len() as u32).to_be_bytes();
    }
    shorter
}

#[test]
fn a_frame_in_one_form_reads_back_from_the_other() {
    for golden in all() {
        let mut command = whole(&golden);
        let remark = command.remark.clone().filter(|remark| !remark.is_empty());
        command.form = match golden.form {
            HeaderForm::Json => HeaderForm::Binary,
            HeaderForm::Binary => HeaderForm::Json,
        };
        let back = decode(&encode(command)).expect("sound").expect("whole");
        let name = golden.place();
        assert_eq!(
            back.remark.filter(|remark| !remark.is_empty()),
            remark,
            "{name}"
        );
        assert_eq!(i64::from(back.code), int(&golden.facts, "code"), "{name}");
        assert_eq!(back.body.len(), golden.body().len(), "{name}");
        assert_eq!(fields_of(&whole(&golden)), golden.fields(), "{name}");
        assert_eq!(back.fields, whole(&golden).fields, "{name}");
    }
}

#[test]
fn a_frame_cut_anywhere_needs_more_bytes() {
    for golden in all() {
        let mut input = BytesMut::with_capacity(golden.bytes.len());
        for (cut, byte) in golden.bytes.iter().enumerate() {
            let taken = frame::take_frame(&mut input, FRAME_LIMIT_BYTES);
            assert_eq!(taken, Ok(None), "{} cut at byte {cut}", golden.place());
            input.extend_from_slice(&[*byte]);
        }
        let taken = frame::take_frame(&mut input, FRAME_LIMIT_BYTES);
        assert!(matches!(taken, Ok(Some(_))), "{} is whole", golden.place());
        assert!(input.is_empty());
    }
}

/// Every frame ends where its prefix says, whatever stands inside: what follows is the next frame's.
#[test]
fn frames_behind_each_other_are_taken_one_by_one() {
    let all = all();
    let mut input: BytesMut = all
        .iter()
        .flat_map(|golden| golden.bytes.iter().copied())
        .collect();
    for golden in &all {
        let taken = frame::take_frame(&mut input, FRAME_LIMIT_BYTES);
        let frame = taken.expect("not too long").expect("whole");
        assert_eq!(
            frame,
            golden.bytes.get(4..).expect("a prefix"),
            "{}",
            golden.place()
        );
    }
    assert!(input.is_empty());
}

/// A header that ends early, with the lengths around it set right: an error, never a command.
#[test]
fn a_header_cut_anywhere_is_refused() {
    for golden in all() {
        let word = golden.bytes.get(4..).and_then(<[u8]>::first_chunk::<4>);
        let word = u32::from_be_bytes(*word.expect("a frame has two words"));
        let header_bytes = (word & 0x00ff_ffff) as usize;
        for cut in 0..header_bytes {
            let header = golden.bytes.get(8..8 + cut).expect("within the header");
            let word = (word & 0xff00_0000) | cut as u32;
            let frame = [&(4 + cut as u32).to_be_bytes(), &word.to_be_bytes(), header].concat();
            assert!(
                decode(&frame).is_err(),
                "{}: header cut at byte {cut}",
                golden.place()
            );
        }
    }
}

#[test]
fn no_byte_of_a_header_can_be_changed_into_a_panic() {
    for golden in all() {
        let header_end = golden.bytes.len() - golden.body().len();
        for at in 0..header_end {
            for value in [0, 1, 0x7f, 0x80, 0xff, b'"', b'\\', b'}'] {
                let mut bytes = golden.bytes.clone();
                *bytes.get_mut(at).expect("within the frame") = value;
                if let Ok(Some(command)) = decode(&bytes) {
                    // The walk over the fields must end, and what was read must be writable.
                    let count = command.fields.iter().count();
                    assert!(count <= bytes.len());
                    encode(command);
                }
            }
        }
    }
}
