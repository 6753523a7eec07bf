//! The environment variables, read in one place and passed on as an argument.
//!
//! Everything that depends on a variable takes an [`Env`]; tests hand in a map.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// A lookup of environment variables: the real ones, or a map of a test.
#[derive(Clone)]
pub struct Env(Variables);

#[derive(Clone)]
enum Variables {
    Process,
    Given(Arc<BTreeMap<String, String>>),
}

impl Env {
    /// The variables of this process.
    pub fn real() -> Self {
        Self(Variables::Process)
    }

    /// These variables and no others.
    pub fn of<K: Into<String>, V: Into<String>>(
        variables: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let map = variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self(Variables::Given(Arc::new(map)))
    }

    /// No variable at all.
    pub fn empty() -> Self {
        Self(Variables::Given(Arc::default()))
    }

    /// The value of a variable; `None` when it is unset or not UTF-8.
    #[expect(clippy::disallowed_methods, reason = "this is the edge where variables are read")]
    pub fn get(&self, name: &str) -> Option<String> {
        match &self.0 {
            Variables::Process => std::env::var(name).ok(),
            Variables::Given(map) => map.get(name).cloned(),
        }
    }

    /// As [`Env::get`], with an empty value read as unset.
    pub fn non_empty(&self, name: &str) -> Option<String> {
        self.get(name).filter(|value| !value.is_empty())
    }
}

/// Names the kind only: values may be secrets.
impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Variables::Process => f.write_str("Env(process)"),
            Variables::Given(map) => write!(f, "Env({} given)", map.len()),
        }
    }
}
