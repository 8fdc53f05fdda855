//! A string, number, boolean or null, and what it becomes when a type asks for another kind.
//!
//! Fastjson reads a number from quotes, a string from a number, and a boolean from either; so do we.

use std::borrow::Cow;

use serde::de::{Deserializer, IntoDeserializer, Unexpected, Visitor};
use serde::forward_to_deserialize_any;

use super::JsonError;

/// A value without parts.
#[derive(Clone, Debug)]
pub(super) enum Scalar<'a> {
    Null,
    True,
    False,
    /// Its digits as they stand; not checked before it is asked for.
    Number(&'a str),
    Text(Cow<'a, str>),
}

impl<'a> Scalar<'a> {
    pub(super) fn is_null(&self) -> bool {
        matches!(self, Scalar::Null)
    }

    /// The text a `String` field gets.
    pub(super) fn into_text(self) -> Result<Cow<'a, str>, JsonError> {
        match self {
            Scalar::Text(text) => Ok(text),
            Scalar::Number(digits) => Ok(Cow::Borrowed(digits)),
            Scalar::True => Ok(Cow::Borrowed("true")),
            Scalar::False => Ok(Cow::Borrowed("false")),
            Scalar::Null => Err(mismatch(Unexpected::Unit, &"a string")),
        }
    }

    fn digits(&self) -> &str {
        match self {
            Scalar::Null => "null",
            Scalar::True => "1",
            Scalar::False => "0",
            Scalar::Number(digits) => digits,
            Scalar::Text(text) => text,
        }
    }

    fn boolean(&self) -> Result<bool, JsonError> {
        match self {
            Scalar::True => Ok(true),
            Scalar::False => Ok(false),
            Scalar::Number(digits) => Ok(*digits == "1"),
            Scalar::Text(text) if text.eq_ignore_ascii_case("true") || *text == "1" => Ok(true),
            Scalar::Text(text) if text.eq_ignore_ascii_case("false") || *text == "0" => Ok(false),
            Scalar::Text(text) => Err(mismatch(Unexpected::Str(text), &"a boolean")),
            Scalar::Null => Err(mismatch(Unexpected::Unit, &"a boolean")),
        }
    }
}

fn mismatch(found: Unexpected<'_>, expected: &dyn serde::de::Expected) -> JsonError {
    serde::de::Error::invalid_type(found, expected)
}

/// Whole numbers of every width; the visitor checks the range. A fraction is cut off, as fastjson does.
macro_rules! integers {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsonError> {
            let digits = self.digits();
            if let Ok(number) = digits.parse::<i64>() {
                visitor.visit_i64(number)
            } else if let Ok(number) = digits.parse::<u64>() {
                visitor.visit_u64(number)
            } else {
                match digits.parse::<f64>() {
                    // Float casts saturate, and what the saturated value is too large for is refused below.
                    Ok(number) if number.abs() < i64::MAX as f64 => visitor.visit_i64(number as i64),
                    _ => Err(mismatch(Unexpected::Str(digits), &"a whole number")),
                }
            }
        }
    )*};
}

macro_rules! texts {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsonError> {
            match self.into_text()? {
                Cow::Borrowed(text) => visitor.visit_str(text),
                Cow::Owned(text) => visitor.visit_string(text),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Scalar<'de> {
    type Error = JsonError;

    integers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
    }

    texts! { deserialize_str deserialize_string deserialize_identifier deserialize_char }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsonError> {
        match self {
            Scalar::Null => visitor.visit_unit(),
            Scalar::True => visitor.visit_bool(true),
            Scalar::False => visitor.visit_bool(false),
            Scalar::Text(_) => self.deserialize_str(visitor),
            Scalar::Number(digits) if digits.contains(['.', 'e', 'E']) => {
                self.deserialize_f64(visitor)
            }
            Scalar::Number(_) => self.deserialize_i64(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsonError> {
        visitor.visit_bool(self.boolean()?)
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsonError> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsonError> {
        match self.digits().parse::<f64>() {
            Ok(number) => visitor.visit_f64(number),
            Err(_) => Err(mismatch(Unexpected::Str(self.digits()), &"a number")),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsonError> {
        if self.is_null() {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, JsonError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, JsonError> {
        visitor.visit_enum(self.into_text()?.into_deserializer())
    }

    forward_to_deserialize_any! {
        i128 u128 bytes byte_buf unit unit_struct seq tuple tuple_struct map struct ignored_any
    }
}
