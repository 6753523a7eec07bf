//! Who is calling: keys from the configuration, looked up by hash, and what each may do.
//!
//! Authentication decides the tenant, and the tenant decides the cache scope; nothing in a request
//! body or in a header other than the credential can change either.

use std::collections::BTreeMap;
use std::sync::Arc;

/// An authenticated caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Tenant of the key; `anonymous` on an open loopback listener.
    pub tenant: Arc<str>,
    /// Name of the key in `keys:`; `None` on an open listener.
    pub key: Option<Arc<str>>,
    pub rights: Rights,
}

/// What a key may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rights {
    /// Names the key may ask for (routes, `tier/<name>`, models); `None` means all.
    pub models: Option<Vec<String>>,
    /// Regions its requests may be sent to; `None` means all.
    pub regions: Option<Vec<String>>,
    /// Tags added to each of its requests; they win over the caller's own.
    pub tags: BTreeMap<String, String>,
    /// Whether `x-semgate-tier` (and later the quality header) is heeded.
    pub overrides: bool,
}

impl Rights {
    /// Everything: the rights of the anonymous caller on an open listener.
    pub fn all() -> Self {
        Self { models: None, regions: None, tags: BTreeMap::new(), overrides: true }
    }
}
