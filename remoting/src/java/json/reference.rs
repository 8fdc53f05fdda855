//! `{"$ref":"$.path"}`: fastjson's stand-in for an object that it has written before.
//!
//! | path          | step                                                            |
//! |---------------|-----------------------------------------------------------------|
//! | `$`           | the outermost value                                             |
//! | `.name`       | the field; signs in a name are written behind a backslash       |
//! | `[7]`         | the item of a list, or the field with the bare integer key      |
//! | `@` `..` `$`  | the object it stands in, and those around it: a cycle, refused  |
//!
//! A reference is followed by walking the text from its start again, so following is paid for out of a
//! budget that grows with the text: many references into a long text are refused, not worked off.
//!
//! Fastjson 1.2.62 `SerialContext.toString`, `JSONSerializer.writeReference`, seen by running it.

use std::borrow::Cow;

use super::JsonError;
use super::text::Text;

/// A step of a path.
enum Step {
    Name(String),
    Index(usize),
}

/// The path in `text`, if the object that begins here is a reference and nothing more; `text` then
/// stands behind it.
pub(super) fn take_reference<'a>(text: &mut Text<'a>) -> Result<Option<Cow<'a, str>>, JsonError> {
    let mut ahead = *text;
    ahead.expect(b'{', "an object")?;
    if ahead.peek() != Some(b'"') || ahead.string()? != "$ref" {
        return Ok(None);
    }
    ahead.expect(b':', "a colon")?;
    if ahead.peek() != Some(b'"') {
        return Ok(None);
    }
    let path = ahead.string()?;
    if ahead.peek() != Some(b'}') {
        return Ok(None);
    }
    ahead.pass();
    *text = ahead;
    Ok(Some(path))
}

/// The place a path leads to; `None` if it leads nowhere.
pub(super) fn resolve<'a>(path: &str, from: Text<'a>) -> Result<Option<Text<'a>>, JsonError> {
    let Some(mut path) = path.strip_prefix('$').filter(|path| !path.is_empty()) else {
        return Ok(None);
    };
    let mut text = from.start();
    while !path.is_empty() {
        let Some((step, behind)) = take_step(path) else {
            return Ok(None);
        };
        if !walk(&mut text, &step)? {
            return Ok(None);
        }
        path = behind;
    }
    Ok(Some(text))
}

/// The first step of a path and what follows it.
fn take_step(path: &str) -> Option<(Step, &str)> {
    if let Some(index) = path.strip_prefix('[') {
        let (digits, behind) = index.split_once(']')?;
        return Some((Step::Index(digits.parse().ok()?), behind));
    }
    let name = path.strip_prefix('.')?;
    let mut whole = String::new();
    let mut chars = name.char_indices();
    let end = loop {
        match chars.next() {
            None => break name.len(),
            Some((at, '.' | '[')) => break at,
            Some((_, '\\')) => whole.push(chars.next()?.1),
            Some((_, char)) => whole.push(char),
        }
    };
    Some((Step::Name(whole), name.get(end..)?))
}

/// From the start of a value to the start of its part.
fn walk(text: &mut Text<'_>, step: &Step) -> Result<bool, JsonError> {
    let mut first = true;
    let open = text.peek();
    match (open, step) {
        (Some(b'['), Step::Index(index)) => {
            text.pass();
            let mut at = 0;
            while text.next_item(b']', &mut first)? {
                if at == *index {
                    return Ok(true);
                }
                text.skip(0)?;
                at += 1;
            }
        }
        (Some(b'{'), step) => {
            text.pass();
            while text.next_item(b'}', &mut first)? {
                let found = match text.peek() {
                    Some(b'{') => {
                        text.skip(0)?;
                        false
                    }
                    _ => names(&text.key()?.into_text()?, step),
                };
                text.expect(b':', "a colon")?;
                if found {
                    text.peek();
                    return Ok(true);
                }
                text.skip(0)?;
            }
        }
        _ => {}
    }
    Ok(false)
}

fn names(key: &str, step: &Step) -> bool {
    match step {
        Step::Name(name) => name == key,
        Step::Index(index) => key.parse() == Ok(*index),
    }
}
