//! `.properties` text: the files given with `-c`, and the bodies of 25, 26, 318 and 319.
//!
//! ```text
//! # comment, also with !            blank lines and blanks before a key mean nothing
//! namesrvAddr=a:9876;b:9876         the key ends at the first = : or blank that has no backslash
//! key \
//!     = value \u4e2d \t \:          a backslash at the end of a line joins it to the next, less its blanks
//! ```
//!
//! The order of the file is kept, and so is a key that comes twice: in Java the last one counts.
//!
//! Two departures that hurt nobody: bytes that are sound UTF-8 are read as such (Java takes every byte for
//! a Latin-1 character), and what we write is escaped where Java's `properties2String` forgets to, so that
//! what is read back is what was written. Without backslashes, line ends or non-ASCII letters in a value
//! both write the same bytes.
//!
//! Java 4.7.0 `common/MixAll.java` (`string2Properties`, `properties2String`); JDK 8 `java.util.Properties.load`.

use std::fmt;
use std::iter::Peekable;
use std::str::Chars;

/// Why a text is not a `.properties` text. The start, or the request, fails with it, as in Java.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigFileError {
    /// A `\u` without four hex digits behind it, as in `C:\users`.
    UnicodeEscape {
        /// The key in whose line it stands, as far as it is known.
        key: String,
    },
}

impl fmt::Display for ConfigFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigFileError::UnicodeEscape { key } => {
                write!(
                    f,
                    "\\u without four hex digits in the line of key {key:?}; a backslash is written \\\\"
                )
            }
        }
    }
}

impl std::error::Error for ConfigFileError {}

/// Reads all keys and values in the order of the file.
///
/// # Errors
/// [`ConfigFileError::UnicodeEscape`]; nothing else is wrong in a `.properties` file.
pub fn read(bytes: &[u8]) -> Result<Vec<(String, String)>, ConfigFileError> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.trim_start_matches('\u{feff}').to_owned(),
        Err(_) => bytes.iter().copied().map(char::from).collect(),
    };
    let mut lines = text.chars().peekable();
    let mut pairs = Vec::new();
    while lines.peek().is_some() {
        let line = take_logical_line(&mut lines);
        if !line.is_empty() {
            pairs.push(split_pair(&line)?);
        }
    }
    Ok(pairs)
}

/// Writes a line for each pair, in their order.
pub fn write<K: AsRef<str>, V: AsRef<str>>(pairs: impl IntoIterator<Item = (K, V)>) -> String {
    let mut text = String::new();
    for (key, value) in pairs {
        for (at, char) in key.as_ref().char_indices() {
            if matches!(char, '=' | ':' | ' ') || (at == 0 && matches!(char, '#' | '!')) {
                text.push('\\');
            }
            push_escaped(&mut text, char);
        }
        text.push('=');
        for (at, char) in value.as_ref().char_indices() {
            if at == 0 && char == ' ' {
                text.push('\\');
            }
            push_escaped(&mut text, char);
        }
        text.push('\n');
    }
    text
}

fn push_escaped(text: &mut String, char: char) {
    match char {
        '\\' => text.push_str("\\\\"),
        '\t' => text.push_str("\\t"),
        '\n' => text.push_str("\\n"),
        '\r' => text.push_str("\\r"),
        '\u{c}' => text.push_str("\\f"),
        ' '..='~' => text.push(char),
        _ => {
            for unit in char.encode_utf16(&mut [0; 2]) {
                text.push_str(&format!("\\u{unit:04X}"));
            }
        }
    }
}

fn is_blank(char: char) -> bool {
    matches!(char, ' ' | '\t' | '\u{c}')
}

/// The next line with its continuations joined, escapes untouched; empty for a blank line or a comment.
fn take_logical_line(text: &mut Peekable<Chars<'_>>) -> String {
    skip_blanks(text);
    let comment = matches!(text.peek(), Some('#' | '!'));
    let mut line = String::new();
    while let Some(char) = text.next() {
        match char {
            '\n' | '\r' => break,
            '\\' if !comment => match text.next() {
                Some(end @ ('\n' | '\r')) => {
                    if end == '\r' {
                        text.next_if_eq(&'\n');
                    }
                    skip_blanks(text);
                }
                Some(escaped) => line.extend(['\\', escaped]),
                None => {}
            },
            _ if comment => {}
            _ => line.push(char),
        }
    }
    line
}

fn skip_blanks(text: &mut Peekable<Chars<'_>>) {
    while text.next_if(|char| is_blank(*char)).is_some() {}
}

/// Cuts a logical line into key and value.
fn split_pair(line: &str) -> Result<(String, String), ConfigFileError> {
    let mut chars = line.chars().peekable();
    let mut key = String::new();
    while let Some(char) = chars.next_if(|char| !matches!(char, '=' | ':') && !is_blank(*char)) {
        push_unescaped(&mut key, char, &mut chars)?;
    }
    skip_blanks(&mut chars);
    if chars.next_if(|char| matches!(char, '=' | ':')).is_some() {
        skip_blanks(&mut chars);
    }
    let mut value = String::new();
    while let Some(char) = chars.next() {
        push_unescaped(&mut value, char, &mut chars)
            .map_err(|_| ConfigFileError::UnicodeEscape { key: key.clone() })?;
    }
    Ok((key, value))
}

fn push_unescaped(
    text: &mut String,
    char: char,
    rest: &mut Peekable<Chars<'_>>,
) -> Result<(), ConfigFileError> {
    if char != '\\' {
        text.push(char);
        return Ok(());
    }
    match rest.next() {
        None => {}
        Some('t') => text.push('\t'),
        Some('n') => text.push('\n'),
        Some('r') => text.push('\r'),
        Some('f') => text.push('\u{c}'),
        Some('u') => {
            let refused = || ConfigFileError::UnicodeEscape { key: text.clone() };
            let high = take_unit(rest).ok_or_else(refused)?;
            let mut units = vec![high];
            if (0xd800..0xdc00).contains(&high) {
                let mut ahead = rest.clone();
                if (ahead.next(), ahead.next()) == (Some('\\'), Some('u')) {
                    units.push(take_unit(&mut ahead).ok_or_else(refused)?);
                    *rest = ahead;
                }
            }
            text.push_str(&String::from_utf16_lossy(&units));
        }
        Some(other) => text.push(other),
    }
    Ok(())
}

/// Four hex digits: one UTF-16 unit.
fn take_unit(text: &mut Peekable<Chars<'_>>) -> Option<u16> {
    let mut unit = 0;
    for _ in 0..4 {
        unit = unit * 16 + text.next()?.to_digit(16)?;
    }
    u16::try_from(unit).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        read(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_broker_file_from_a_tutorial_is_read() {
        let text = "# broker\r\nbrokerClusterName = DefaultCluster\r\nnamesrvAddr=a:9876;b:9876\n\n\
                    deleteWhen=04\n! old\nstorePathRootDir : /data/store \nautoCreateTopicEnable true\nbrokerIP1=\n";
        let read: Vec<_> = pairs(text);
        let expected = [
            ("brokerClusterName", "DefaultCluster"),
            ("namesrvAddr", "a:9876;b:9876"),
            ("deleteWhen", "04"),
            ("storePathRootDir", "/data/store "),
            ("autoCreateTopicEnable", "true"),
            ("brokerIP1", ""),
        ];
        assert_eq!(
            read,
            expected.map(|(key, value)| (key.to_owned(), value.to_owned()))
        );
    }

    #[test]
    fn each_line_means_what_java_makes_of_it() {
        // Key and value as JDK 17's `Properties.load` gave them for the line.
        for (line, key, value) in JAVA {
            assert_eq!(
                pairs(line),
                [(key.to_string(), value.to_string())],
                "{line:?}"
            );
        }
    }

    const JAVA: [(&str, &str, &str); 20] = [
        ("a=b", "a", "b"),
        ("a = b c ", "a", "b c "),
        ("a:b=c", "a", "b=c"),
        ("a b", "a", "b"),
        ("a\t \u{c}= b", "a", "b"),
        ("a==b", "a", "=b"),
        ("a", "a", ""),
        ("=b", "", "b"),
        ("a\\=b\\:c\\ d=e", "a=b:c d", "e"),
        ("a=\\ b", "a", " b"),
        ("a=b\\\n   c", "a", "bc"),
        ("a=b\\\r\n\tc", "a", "bc"),
        ("a=b\\\\\n", "a", "b\\"),
        ("a=b\\\n#c", "a", "b#c"),
        ("a=\\u4e2d\\u0041\\uD83D\\ude00", "a", "中A😀"),
        ("a=\\q\\t\\n\\r\\f\\\\", "a", "q\t\n\r\u{c}\\"),
        ("a=b\\", "a", "b"),
        ("  \\#a=b", "#a", "b"),
        ("a\\\n  =b", "a", "b"),
        ("#x\\\na=b", "a", "b"),
    ];

    #[test]
    fn latin_1_bytes_and_utf_8_text_are_both_read() {
        assert_eq!(read(b"a=\xe9").unwrap(), [("a".into(), "\u{e9}".into())]);
        assert_eq!(pairs("\u{feff}a=é中"), [("a".into(), "é中".into())]);
    }

    #[test]
    fn a_broken_unicode_escape_is_named() {
        let refused = Err(ConfigFileError::UnicodeEscape { key: "path".into() });
        assert_eq!(read(b"path=C:\\users"), refused);
        assert_eq!(read(b"path=\\u12"), refused);
    }

    #[test]
    fn usual_values_are_written_as_java_writes_them() {
        let written = write([
            ("namesrvAddr", "a:9876;b:9876"),
            ("x", "Total : 1, Free = 2"),
            ("empty", ""),
        ]);
        assert_eq!(
            written,
            "namesrvAddr=a:9876;b:9876\nx=Total : 1, Free = 2\nempty=\n"
        );
    }

    #[test]
    fn what_is_written_is_read_back() {
        let odd = [
            ("a b=c:d", " x y "),
            ("#k", "C:\\users\\t"),
            ("k!", "line\nnext\r\t\u{c}"),
            ("中😀", "é\u{1}😀"),
            ("", "!"),
        ];
        assert_eq!(
            pairs(&write(odd)),
            odd.map(|(key, value)| (key.to_owned(), value.to_owned()))
        );
        assert!(write(odd).is_ascii());
    }
}
