//! What is wrong with a configuration, where it stands, and what to write instead.

use std::fmt;
use std::sync::Arc;

/// Where a key or value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Line and column count from 1, columns in characters.
    File { name: Arc<str>, line: usize, column: usize },
    /// A file as a whole: it cannot be read.
    Whole(Arc<str>),
    /// Given on the command line as `--set KEY=VALUE`.
    Set(Arc<str>),
    /// Environment mode: no file was found.
    Environment,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { name, line, column } => write!(f, "{name}:{line}:{column}"),
            Self::Whole(name) => f.write_str(name),
            Self::Set(key) => write!(f, "--set {key}"),
            Self::Environment => f.write_str("environment"),
        }
    }
}

/// One fault, or one warning. Prints as `place: what is wrong; what to write instead`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub place: Place,
    pub problem: String,
    pub advice: String,
}

impl Fault {
    pub fn new(place: Place, problem: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { place, problem: problem.into(), advice: advice.into() }
    }
}

/// One line, whatever the texts hold: a control character from the file is shown escaped.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = format!("{}: {}; {}", self.place, self.problem, self.advice);
        line.chars().try_for_each(|c| {
            if c.is_control() { write!(f, "{}", c.escape_default()) } else { write!(f, "{c}") }
        })
    }
}

/// Every fault of a configuration, in the order of the text. Never empty when returned as an error.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults(pub Vec<Fault>);

impl Faults {
    /// Orders faults by line and column; those without a line stay in front.
    pub(super) fn sorted(mut self) -> Self {
        self.0.sort_by_key(|fault| match fault.place {
            Place::File { line, column, .. } => (line, column),
            _ => (0, 0),
        });
        self
    }
}

impl From<Fault> for Faults {
    fn from(fault: Fault) -> Self {
        Self(vec![fault])
    }
}

/// One fault a line.
impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}
