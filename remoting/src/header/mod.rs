//! Typed headers by request family: structs read straight from a command's string map, and written into it.
//!
//! ```text
//! header! {
//!     pub struct PullRequest<'a> {
//!         pub topic: Cow<'a, str> = "topic",             must be there
//!         pub subscription: Option<Cow<'a, str>> = "subscription",
//!         pub unit_mode: bool = "unitMode" or false,     Java's default if it is not
//! ```
//!
//! A header is read in one walk over the fields, without a map and without a copy but for `String`. Fields that
//! nobody asked for are passed over, so newer clients may send more. Whether a struct borrows is decided by its
//! place: `send` and `pull` do, the rest own their strings.
//!
//! The rule that is easy to break: as in Java an optional field with an unreadable number counts as missing, while
//! a required one that is missing or unreadable refuses the request. (4.7.0 leaves such a field `null` and fails
//! with a NullPointerException once it is used: code 1 all the same, but with a remark that names the field.)
//!
//! Java 4.7.0 `remoting/protocol/RemotingCommand.java` (`decodeCommandCustomHeader`, `makeCustomHeaderToNet`),
//! `common/protocol/header`.

use std::borrow::Cow;
use std::fmt;

use crate::ext_fields::ExtFields;
use crate::text::Text;

/// Declares a header: the struct, and both ways between it and the string map.
macro_rules! header {
    ($(#[$doc:meta])* pub struct $type:ident { $($fields:tt)* }) => {
        header! { @declare [$(#[$doc])*] [$type] ['f] $($fields)* }
    };
    ($(#[$doc:meta])* pub struct $type:ident<$life:lifetime> { $($fields:tt)* }) => {
        header! { @declare [$(#[$doc])*] [$type<$life>] [$life] $($fields)* }
    };
    (@declare [$($doc:tt)*] [$type:ident $(<$of:lifetime>)?] [$life:lifetime]
        $($(#[$field_doc:meta])* pub $field:ident: $kind:ty = $name:literal $(or $default:expr)?,)+) => {
        $($doc)*
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct $type $(<$of>)? {
            $($(#[$field_doc])* pub $field: $kind,)+
        }

        impl<$life> crate::header::Header<$life> for $type $(<$of>)? {
            fn read(fields: &$life crate::ext_fields::ExtFields) -> Result<Self, crate::header::HeaderError> {
                $(let mut $field = None;)+
                for (name, value) in fields.texts() {
                    match &*name.get() {
                        $($name => $field = Some(value),)+
                        _ => {}
                    }
                }
                Ok(Self { $($field: header!(@take $field, $name, $kind $(, $default)?),)+ })
            }

            fn write(&self, fields: &mut crate::ext_fields::ExtFields) {
                fields.reserve(0 $(+ $name.len() + crate::header::FIELD_BYTES)+);
                $(crate::header::Field::push(&self.$field, $name, fields);)+
            }
        }
    };
    (@take $field:ident, $name:literal, $kind:ty) => {
        <$kind as crate::header::Field>::take($field, $name)?
    };
    (@take $field:ident, $name:literal, $kind:ty, $default:expr) => {
        <Option<$kind> as crate::header::Field>::take($field, $name)?.unwrap_or($default)
    };
}

pub mod admin;
pub mod client;
pub mod kv;
pub mod offset;
pub mod pull;
pub mod query;
pub mod reply;
pub mod route;
pub mod seek;
pub mod send;
pub mod send_back;
pub mod stats;
pub mod topic;
pub mod transaction;

/// Room kept for a field's value and what JSON puts around it and its name: `,"":""`.
const FIELD_BYTES: usize = 6 + 20;

/// A typed header, which may borrow from the fields it is read from.
pub trait Header<'a>: Sized {
    /// Takes its fields out of the map.
    ///
    /// # Errors
    /// A field that must be there is not, or does not hold a number where one must stand.
    fn read(fields: &'a ExtFields) -> Result<Self, HeaderError>;

    /// Adds its fields to the map.
    fn write(&self, fields: &mut ExtFields);
}

/// Why a header cannot be read. The request is answered with code 1 and this as the remark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderError {
    /// A required field is not there.
    Missing(&'static str),
    /// A required field holds something else.
    NotANumber {
        /// The field.
        field: &'static str,
        /// What it holds.
        value: String,
    },
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HeaderError::Missing(field) => write!(f, "the custom field <{field}> is null"),
            HeaderError::NotANumber { field, value } => {
                write!(f, "the custom field <{field}> is not a number: {value:?}")
            }
        }
    }
}

impl std::error::Error for HeaderError {}

/// A type that a field of a header may have.
trait Field<'a>: Sized {
    /// Reads the field's text.
    fn parse(text: Text<'a>) -> Option<Self>;

    /// Adds the field to the map.
    fn push(&self, name: &'static str, fields: &mut ExtFields);

    /// The field as it was found in the map, or not.
    #[inline(always)]
    fn take(found: Option<Text<'a>>, field: &'static str) -> Result<Self, HeaderError> {
        let text = found.ok_or(HeaderError::Missing(field))?;
        Self::parse(text).ok_or_else(|| HeaderError::NotANumber {
            field,
            value: text.get().into_owned(),
        })
    }
}

impl<'a> Field<'a> for Cow<'a, str> {
    fn parse(text: Text<'a>) -> Option<Self> {
        Some(text.get())
    }

    fn push(&self, name: &'static str, fields: &mut ExtFields) {
        fields.push_named(name, self);
    }
}

impl<'a> Field<'a> for String {
    fn parse(text: Text<'a>) -> Option<Self> {
        Some(text.get().into_owned())
    }

    fn push(&self, name: &'static str, fields: &mut ExtFields) {
        fields.push_named(name, self);
    }
}

impl<'a> Field<'a> for bool {
    fn parse(text: Text<'a>) -> Option<Self> {
        Some(text.is_true())
    }

    fn push(&self, name: &'static str, fields: &mut ExtFields) {
        fields.push_plain(name, if *self { "true" } else { "false" });
    }
}

macro_rules! number_fields {
    ($($kind:ty)*) => {$(
        impl<'a> Field<'a> for $kind {
            fn parse(text: Text<'a>) -> Option<Self> {
                text.number()
            }

            fn push(&self, name: &'static str, fields: &mut ExtFields) {
                fields.push_number(name, *self);
            }
        }
    )*};
}

number_fields! { i32 i64 }

impl<'a, T: Field<'a>> Field<'a> for Option<T> {
    fn parse(text: Text<'a>) -> Option<Self> {
        Some(T::parse(text))
    }

    fn push(&self, name: &'static str, fields: &mut ExtFields) {
        if let Some(value) = self {
            value.push(name, fields);
        }
    }

    fn take(found: Option<Text<'a>>, _: &'static str) -> Result<Self, HeaderError> {
        Ok(found.and_then(T::parse))
    }
}

/// Reads `fields` as a `T`, holds it against `value` and writes it again; then leaves out one field after the
/// other, where all but those in `optional` must be missed.
#[cfg(test)]
fn assert_header<T>(value: &T, fields: &[(&str, &str)], optional: &[&str])
where
    T: for<'a> Header<'a> + PartialEq + fmt::Debug,
{
    let all: ExtFields = fields.iter().copied().collect();
    assert_eq!(T::read(&all).as_ref(), Ok(value));
    let mut written = ExtFields::default();
    value.write(&mut written);
    for (name, text) in fields {
        assert_eq!(written.get(name).as_deref(), Some(*text), "{name}");
        let less: ExtFields = fields
            .iter()
            .copied()
            .filter(|(other, _)| other != name)
            .collect();
        match T::read(&less) {
            Ok(_) => assert!(optional.contains(name), "read without {name}"),
            Err(error) => {
                assert!(!optional.contains(name), "refused without {name}");
                assert_eq!(
                    error.to_string(),
                    format!("the custom field <{name}> is null")
                );
            }
        }
    }
    assert_eq!(written.iter().count(), fields.len());
}

#[cfg(test)]
mod tests {
    use super::*;

    header! {
        /// Every kind of field.
        #[expect(unreachable_pub, reason = "the macro declares headers, which are public")]
        pub struct Sample<'a> {
            /// Borrowed.
            pub text: Cow<'a, str> = "text",
            /// Required number.
            pub number: i64 = "number",
            /// Optional number.
            pub maybe: Option<i32> = "maybe",
            /// With a default.
            pub flag: bool = "flag" or true,
        }
    }

    fn fields(number: &str, maybe: &str, flag: &str) -> ExtFields {
        [
            ("text", "t"),
            ("number", number),
            ("maybe", maybe),
            ("flag", flag),
            ("more", "x"),
        ]
        .into_iter()
        .collect()
    }

    #[test]
    fn fields_are_read_by_their_kind() {
        let read = |number, maybe, flag| {
            Sample::read(&fields(number, maybe, flag)).map(|s| (s.number, s.maybe, s.flag))
        };
        assert_eq!(
            read("9223372036854775807", "-1", "TRUE"),
            Ok((i64::MAX, Some(-1), true))
        );
        assert_eq!(read("0", "99999999999", "yes"), Ok((0, None, false)));
        let refused = HeaderError::NotANumber {
            field: "number",
            value: "1x".into(),
        };
        assert_eq!(
            refused.to_string(),
            "the custom field <number> is not a number: \"1x\""
        );
        assert_eq!(read("1x", "1", "true"), Err(refused));
        assert_eq!(
            Sample::read(&ExtFields::default()),
            Err(HeaderError::Missing("text"))
        );
    }

    #[test]
    fn the_last_of_two_fields_counts_and_text_is_borrowed() {
        let fields: ExtFields = [
            ("number", "1"),
            ("text", "a"),
            ("number", "2"),
            ("text", "b"),
        ]
        .into_iter()
        .collect();
        let sample = Sample::read(&fields).unwrap();
        assert_eq!((sample.number, &*sample.text, sample.flag), (2, "b", true));
        assert!(matches!(sample.text, Cow::Borrowed(_)));
    }

    #[test]
    fn what_is_none_is_not_written() {
        let mut written = ExtFields::default();
        Sample {
            text: "t".into(),
            number: 1,
            maybe: None,
            flag: false,
        }
        .write(&mut written);
        let expected: ExtFields = [("text", "t"), ("number", "1"), ("flag", "false")]
            .into_iter()
            .collect();
        assert_eq!(written, expected);
    }
}
