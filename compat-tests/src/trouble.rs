//! What the harness itself could not do, as a sentence for whoever reads the test's output.

use std::fmt;

/// Why a server, a client or a tool could not be used. Every one ends as the text of failed trials, so it says what was
/// tried and which file to read; nothing matches on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble(pub String);

impl Trouble {
    /// `what`, and the system's reason.
    pub fn from_io(what: impl fmt::Display, error: &std::io::Error) -> Trouble {
        Trouble(format!("{what}: {error}"))
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Trouble {}

/// For calls that say what they were about.
pub trait Doing<T> {
    /// Turns the error into [`Trouble`] that begins with `what`.
    ///
    /// # Errors
    /// The one that came in, as text.
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, Trouble>;
}

impl<T> Doing<T> for std::io::Result<T> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, Trouble> {
        self.map_err(|error| Trouble::from_io(what(), &error))
    }
}
