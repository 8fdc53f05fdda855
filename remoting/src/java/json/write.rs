//! From a type to text, as fastjson prints it.
//!
//! | form     | map keys                       | escaped                        | for                      |
//! |----------|--------------------------------|--------------------------------|--------------------------|
//! | compact  | integers and objects bare      | `"` `\` controls U+2028 U+2029 | bodies                   |
//! | pretty   | the same, on lines with tabs   | the same                       | `config/*.json`          |
//! | standard | all in quotes                  | also `/` and all but ASCII     | 105 to clients of 4.9.4+ |
//!
//! Fields and entries that are `null` are left out; in a list `null` stays. Fastjson sorts fields by name,
//! so the structs in `body/` declare theirs in that order.
//!
//! The odd shape of the pretty form (no new line before a bare key) is fastjson's: Java reads any, but
//! whoever compares our files with Java's sees no difference.
//!
//! Fastjson 1.2.62 `SerializeWriter`, `MapSerializer`, `ListSerializer`, and for 105 the features
//! `BrowserCompatible`, `QuoteFieldNames` of 4.9.4's name server, seen by running them.

use serde::ser::{self, Impossible, Serialize, Serializer};

use super::JsonError;

/// A body in fastjson's form.
pub fn write<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    write_as(value, Form::Compact)
}

/// A file under `config/`, as fastjson's `PrettyFormat` lays it out.
pub fn write_pretty<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    write_as(value, Form::Pretty)
}

/// Standard JSON: every key in quotes, ASCII only.
pub fn write_standard<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    write_as(value, Form::Standard)
}

fn write_as<T: Serialize + ?Sized>(value: &T, form: Form) -> Vec<u8> {
    let mut writer = Writer {
        out: Vec::with_capacity(256),
        form,
        depth: 0,
        null: false,
    };
    value
        .serialize(&mut writer)
        .expect("bodies are plain data without data in enums or bytes: none refuses");
    writer.out
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Compact,
    Pretty,
    Standard,
}

struct Writer {
    out: Vec<u8>,
    form: Form,
    depth: usize,
    /// Whether the value written last was `null`.
    null: bool,
}

impl Writer {
    fn open(&mut self, bracket: u8) -> Items<'_> {
        self.out.push(bracket);
        self.depth += 1;
        let start = self.out.len();
        Items {
            close: bracket + 2,
            empty: true,
            start,
            writer: self,
        }
    }

    fn number(&mut self, number: impl itoa::Integer) {
        self.out
            .extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    }

    fn string(&mut self, text: &str) {
        let standard = self.form == Form::Standard;
        self.out.push(b'"');
        if text
            .bytes()
            .all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\' | b'/'))
        {
            // Nearly every string: names, addresses, numbers.
            self.out.extend_from_slice(text.as_bytes());
            self.out.push(b'"');
            return;
        }
        let mut copied = 0;
        for (at, char) in text.char_indices() {
            if is_plain(char, standard) {
                continue;
            }
            self.out
                .extend_from_slice(text.get(copied..at).unwrap_or("").as_bytes());
            copied = at + char.len_utf8();
            self.escape(char);
        }
        self.out
            .extend_from_slice(text.get(copied..).unwrap_or("").as_bytes());
        self.out.push(b'"');
    }

    fn escape(&mut self, char: char) {
        let short = match char {
            '"' | '\\' | '/' => char as u8,
            '\u{8}' => b'b',
            '\t' => b't',
            '\n' => b'n',
            '\u{c}' => b'f',
            '\r' => b'r',
            _ => {
                for unit in char.encode_utf16(&mut [0; 2]) {
                    self.out
                        .extend_from_slice(format!("\\u{unit:04X}").as_bytes());
                }
                return;
            }
        };
        self.out.extend_from_slice(&[b'\\', short]);
    }

    fn line(&mut self) {
        if self.form == Form::Pretty {
            self.out.push(b'\n');
            self.out.resize(self.out.len() + self.depth, b'\t');
        }
    }
}

fn is_plain(char: char, standard: bool) -> bool {
    match char {
        '"' | '\\' | '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' => false,
        '/' => !standard,
        _ => !standard || char.is_ascii(),
    }
}

/// An object or list that is open.
struct Items<'w> {
    writer: &'w mut Writer,
    close: u8,
    empty: bool,
    /// Where the entry begins that is being written, its comma included.
    start: usize,
}

impl Items<'_> {
    fn begin(&mut self) {
        self.start = self.writer.out.len();
        if !self.empty {
            self.writer.out.push(b',');
        }
    }

    /// Writes a key. A string begins a new line, a bare key does not; the standard form has strings only.
    fn key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), JsonError> {
        self.begin();
        let from = self.writer.out.len();
        key.serialize(&mut *self.writer)?;
        let quoted = self.writer.out.get(from) == Some(&b'"');
        let form = self.writer.form;
        if (form == Form::Pretty && quoted) || (form == Form::Standard && !quoted) {
            let key = self.writer.out.split_off(from);
            if quoted {
                self.writer.line();
                self.writer.out.extend_from_slice(&key);
            } else {
                self.writer.string(&String::from_utf8_lossy(&key));
            }
        }
        self.writer.out.push(b':');
        Ok(())
    }

    /// Writes the value of an entry, or takes the key back if it is `null`.
    fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), JsonError> {
        self.writer.null = false;
        value.serialize(&mut *self.writer)?;
        if std::mem::take(&mut self.writer.null) {
            self.writer.out.truncate(self.start);
        } else {
            self.empty = false;
        }
        Ok(())
    }

    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), JsonError> {
        self.begin();
        self.writer.line();
        self.empty = false;
        value.serialize(&mut *self.writer)?;
        self.writer.null = false;
        Ok(())
    }

    fn finish(self) {
        self.writer.depth -= 1;
        if !self.empty {
            self.writer.line();
        }
        self.writer.out.push(self.close);
    }
}

macro_rules! lists {
    ($($of:ident $method:ident)*) => {$(
        impl ser::$of for Items<'_> {
            type Ok = ();
            type Error = JsonError;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), JsonError> {
                self.item(value)
            }

            fn end(self) -> Result<(), JsonError> {
                self.finish();
                Ok(())
            }
        }
    )*};
}

lists! { SerializeSeq serialize_element SerializeTuple serialize_element }

/// Java's arrays of numbers, which fastjson keeps on one line in every form. They come as tuple structs, see [`number_array`].
struct Row<'w>(Items<'w>);

impl ser::SerializeTupleStruct for Row<'_> {
    type Ok = ();
    type Error = JsonError;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), JsonError> {
        self.0.begin();
        self.0.empty = false;
        value.serialize(&mut *self.0.writer)?;
        self.0.writer.null = false;
        Ok(())
    }

    fn end(self) -> Result<(), JsonError> {
        self.0.writer.depth -= 1;
        self.0.writer.out.push(self.0.close);
        Ok(())
    }
}

/// Writes a list as Java's array of numbers, for `#[serde(serialize_with)]`.
///
/// # Errors
/// The serializer's.
pub fn number_array<T: Serialize, S: Serializer>(numbers: &[T], to: S) -> Result<S::Ok, S::Error> {
    let mut row = to.serialize_tuple_struct("", numbers.len())?;
    for number in numbers {
        ser::SerializeTupleStruct::serialize_field(&mut row, number)?;
    }
    ser::SerializeTupleStruct::end(row)
}

impl ser::SerializeMap for Items<'_> {
    type Ok = ();
    type Error = JsonError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), JsonError> {
        self.key(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), JsonError> {
        self.value(value)
    }

    fn end(self) -> Result<(), JsonError> {
        self.finish();
        Ok(())
    }
}

impl ser::SerializeStruct for Items<'_> {
    type Ok = ();
    type Error = JsonError;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), JsonError> {
        self.key(name)?;
        self.value(value)
    }

    fn end(self) -> Result<(), JsonError> {
        self.finish();
        Ok(())
    }
}

impl ser::Error for JsonError {
    fn custom<T: std::fmt::Display>(what: T) -> Self {
        JsonError::Shape(what.to_string())
    }
}

macro_rules! numbers {
    ($($method:ident $number:ty)*) => {$(
        fn $method(self, number: $number) -> Result<(), JsonError> {
            self.number(number);
            Ok(())
        }
    )*};
}

impl<'w> Serializer for &'w mut Writer {
    type Ok = ();
    type Error = JsonError;
    type SerializeSeq = Items<'w>;
    type SerializeTuple = Items<'w>;
    type SerializeTupleStruct = Row<'w>;
    type SerializeTupleVariant = Impossible<(), JsonError>;
    type SerializeMap = Items<'w>;
    type SerializeStruct = Items<'w>;
    type SerializeStructVariant = Impossible<(), JsonError>;

    numbers! {
        serialize_i8 i8 serialize_i16 i16 serialize_i32 i32 serialize_i64 i64
        serialize_u8 u8 serialize_u16 u16 serialize_u32 u32 serialize_u64 u64
    }

    fn serialize_bool(self, yes: bool) -> Result<(), JsonError> {
        self.out
            .extend_from_slice(if yes { b"true" } else { b"false" });
        Ok(())
    }

    fn serialize_f32(self, number: f32) -> Result<(), JsonError> {
        self.serialize_f64(number.into())
    }

    fn serialize_f64(self, number: f64) -> Result<(), JsonError> {
        if !number.is_finite() {
            return self.serialize_unit();
        }
        self.out.extend_from_slice(format!("{number:?}").as_bytes());
        Ok(())
    }

    fn serialize_char(self, char: char) -> Result<(), JsonError> {
        self.serialize_str(char.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, text: &str) -> Result<(), JsonError> {
        self.string(text);
        Ok(())
    }

    fn serialize_bytes(self, _: &[u8]) -> Result<(), JsonError> {
        Err(JsonError::Shape("bytes have no form in JSON".into()))
    }

    fn serialize_none(self) -> Result<(), JsonError> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), JsonError> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), JsonError> {
        self.out.extend_from_slice(b"null");
        self.null = true;
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), JsonError> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), JsonError> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), JsonError> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), JsonError> {
        Err(with_data(name))
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Items<'w>, JsonError> {
        Ok(self.open(b'['))
    }

    fn serialize_tuple(self, _: usize) -> Result<Items<'w>, JsonError> {
        Ok(self.open(b'['))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Row<'w>, JsonError> {
        Ok(Row(self.open(b'[')))
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, JsonError> {
        Err(with_data(name))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Items<'w>, JsonError> {
        Ok(self.open(b'{'))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Items<'w>, JsonError> {
        Ok(self.open(b'{'))
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, JsonError> {
        Err(with_data(name))
    }
}

fn with_data(name: &str) -> JsonError {
    JsonError::Shape(format!("enum {name} with data has no form in Java"))
}
