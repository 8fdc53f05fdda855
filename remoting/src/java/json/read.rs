//! From text to a type, in one pass over the text.

use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::reference::{resolve, take_reference};
use super::text::Text;
use super::{JsonError, MAX_DEPTH};

/// Bytes of text that references may lead over, beyond a multiple of the text itself.
const REFERENCE_BUDGET_BYTES: usize = 1 << 20;

/// How often references may lead over the whole text.
const REFERENCE_PASSES: usize = 64;

/// Reads a body or a file. Fields the type does not know are passed over, `null` counts as missing, and
/// bytes that are not UTF-8 become U+FFFD, as in Java.
///
/// # Errors
/// [`JsonError`] if the text is not JSON, even by fastjson's rules, or has another shape than `T`.
pub fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, JsonError> {
    let text = String::from_utf8_lossy(bytes);
    let text = Text::new(&text);
    let budget = REFERENCE_BUDGET_BYTES.saturating_add(text.len().saturating_mul(REFERENCE_PASSES));
    let mut reader = Reader {
        text,
        depth: 0,
        budget,
    };
    let value = T::deserialize(&mut reader)?;
    match reader.text.peek() {
        None => Ok(value),
        Some(_) => Err(reader.text.wrong("the end of the text")),
    }
}

struct Reader<'de> {
    text: Text<'de>,
    /// Objects and lists that are open, references followed included.
    depth: usize,
    /// Bytes of text that references may still lead over.
    budget: usize,
}

impl<'de> Reader<'de> {
    fn opens(&mut self) -> bool {
        matches!(self.text.peek(), Some(b'{' | b'['))
    }

    /// Reads the object or list that begins here, or the one that a reference stands for.
    fn container<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, JsonError> {
        if self.depth >= MAX_DEPTH {
            return Err(JsonError::TooDeep { at: self.text.at() });
        }
        self.depth += 1;
        let at = self.text.at();
        let value = match self.text.peek() {
            Some(b'{') => match take_reference(&mut self.text)? {
                Some(path) => self.follow(&path, at, visitor)?,
                None => self.items(b'}', |items| visitor.visit_map(items))?,
            },
            _ => self.items(b']', |items| visitor.visit_seq(items))?,
        };
        self.depth -= 1;
        Ok(value)
    }

    fn items<T>(
        &mut self,
        close: u8,
        visit: impl FnOnce(&mut Items<'_, 'de>) -> Result<T, JsonError>,
    ) -> Result<T, JsonError> {
        self.text.pass();
        let mut items = Items {
            reader: self,
            close,
            first: true,
            done: false,
        };
        let value = visit(&mut items)?;
        if items.done {
            Ok(value)
        } else {
            Err(self.text.wrong("the end of a list"))
        }
    }

    fn follow<V: Visitor<'de>>(
        &mut self,
        path: &str,
        at: usize,
        visitor: V,
    ) -> Result<V::Value, JsonError> {
        let behind = self.text;
        let Some(target) = resolve(path, self.text)? else {
            return Err(JsonError::Reference { at });
        };
        self.pay(target.at(), at)?;
        self.text = target;
        let value = self.deserialize_any(visitor)?;
        self.pay(self.text.at() - target.at(), at)?;
        self.text = behind;
        Ok(value)
    }

    fn pay(&mut self, bytes: usize, at: usize) -> Result<(), JsonError> {
        self.budget = self
            .budget
            .checked_sub(bytes + 1)
            .ok_or(JsonError::Reference { at })?;
        Ok(())
    }
}

/// The rest of an open object or list.
struct Items<'r, 'de> {
    reader: &'r mut Reader<'de>,
    close: u8,
    first: bool,
    done: bool,
}

impl Items<'_, '_> {
    fn next(&mut self) -> Result<bool, JsonError> {
        let more = self.reader.text.next_item(self.close, &mut self.first)?;
        self.done = !more;
        Ok(more)
    }
}

impl<'de> SeqAccess<'de> for &mut Items<'_, 'de> {
    type Error = JsonError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, JsonError> {
        if !self.next()? {
            return Ok(None);
        }
        seed.deserialize(&mut *self.reader).map(Some)
    }
}

impl<'de> MapAccess<'de> for &mut Items<'_, 'de> {
    type Error = JsonError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, JsonError> {
        while self.next()? {
            if self.reader.opens() {
                let key = seed.deserialize(&mut *self.reader)?;
                self.reader.text.expect(b':', "a colon")?;
                return Ok(Some(key));
            }
            let key = self.reader.text.key()?;
            self.reader.text.expect(b':', "a colon")?;
            if self.reader.text.peek() == Some(b'n') {
                // Only `null` begins so: the field counts as missing.
                self.reader.text.scalar()?;
                continue;
            }
            return seed.deserialize(key).map(Some);
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, JsonError> {
        seed.deserialize(&mut *self.reader)
    }
}

/// A list or object goes to the visitor as what it is, whatever the type hoped for; a scalar is converted.
macro_rules! by_first_byte {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsonError> {
            if self.opens() { self.container(visitor) } else { self.text.scalar()?.$method(visitor) }
        }
    )*};
}

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = JsonError;

    by_first_byte! {
        deserialize_any deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_f32 deserialize_f64
        deserialize_char deserialize_str deserialize_string deserialize_identifier deserialize_bytes
        deserialize_byte_buf deserialize_unit deserialize_seq deserialize_map
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsonError> {
        if self.opens() {
            visitor.visit_some(self)
        } else {
            self.text.scalar()?.deserialize_option(visitor)
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, JsonError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsonError> {
        self.text.skip(self.depth)?;
        visitor.visit_unit()
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, JsonError> {
        // Serde would take a list for an object without names.
        match self.text.peek() {
            Some(b'[') => Err(self.text.wrong("an object")),
            _ => self.deserialize_map(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, JsonError> {
        if self.opens() {
            return self.container(visitor);
        }
        self.text
            .scalar()?
            .deserialize_enum(name, variants, visitor)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, JsonError> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, JsonError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, JsonError> {
        self.deserialize_seq(visitor)
    }
}
