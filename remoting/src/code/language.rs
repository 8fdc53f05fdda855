//! The language a peer says it is written in: one byte in the binary header, a name in the JSON one.
//!
//! Any byte is kept as it came, so that a header survives decode and encode; a name that is not known
//! becomes [`Language::OTHER`]. Nothing is decided by it but the form of one callback body (220 to C++).
//!
//! What we send must be known to a 4.7.0 peer, which has names up to OMS: replies say `JAVA`.
//!
//! Java 4.7.0 `remoting/protocol/LanguageCode.java`; `RUST` from 4.9.4, `NODE_JS` from 5.3.3.

use std::fmt;

/// A language by its byte on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Language(u8);

/// Names in the order of their bytes.
const NAMES: [&str; 14] = [
    "JAVA", "CPP", "DOTNET", "PYTHON", "DELPHI", "ERLANG", "RUBY", "OTHER", "HTTP", "GO", "PHP",
    "OMS", "RUST", "NODE_JS",
];

impl Language {
    /// Java; also what every reply of ours says.
    pub const JAVA: Self = Self(0);
    /// C++: such a consumer gets offset resets as a list.
    pub const CPP: Self = Self(1);
    /// A name that is not in the table.
    pub const OTHER: Self = Self(7);

    /// The language of a byte; unknown bytes are kept.
    #[must_use]
    pub const fn from_byte(byte: u8) -> Self {
        Self(byte)
    }

    /// The byte on the wire.
    #[must_use]
    pub const fn byte(self) -> u8 {
        self.0
    }

    /// The language of a name as the JSON header and bodies carry it; unknown names are `OTHER`.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        NAMES
            .iter()
            .position(|known| *known == name)
            .and_then(|at| u8::try_from(at).ok())
            .map_or(Self::OTHER, Self)
    }

    /// The name in JSON; `OTHER` for a byte that has none.
    #[must_use]
    pub fn name(self) -> &'static str {
        NAMES.get(usize::from(self.0)).copied().unwrap_or("OTHER")
    }
}

impl Default for Language {
    fn default() -> Self {
        Self::JAVA
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.name(), self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_bytes_go_both_ways() {
        for (name, byte) in [
            ("JAVA", 0),
            ("CPP", 1),
            ("HTTP", 8),
            ("GO", 9),
            ("OMS", 11),
            ("RUST", 12),
        ] {
            assert_eq!(Language::from_name(name).byte(), byte);
            assert_eq!(Language::from_byte(byte).name(), name);
        }
    }

    #[test]
    fn an_unknown_byte_is_kept_and_an_unknown_name_is_other() {
        assert_eq!(Language::from_byte(0xff).byte(), 0xff);
        assert_eq!(Language::from_byte(0xff).name(), "OTHER");
        assert_eq!(Language::from_name("COBOL"), Language::OTHER);
        assert_eq!(Language::from_name("java"), Language::OTHER);
    }
}
