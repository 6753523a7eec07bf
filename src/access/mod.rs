//! Who is calling: keys from the configuration, looked up by hash, and what each may do.
//!
//! Authentication decides the tenant, and the tenant decides the cache scope; nothing in a request
//! body or in a header other than the credential can change either.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use sha2::{Digest, Sha256};

use crate::config::settings::Key;
use crate::error::GatewayError;

/// Tenant of callers on an open listener.
pub const ANONYMOUS: &str = "anonymous";

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

impl Caller {
    /// The one tenant of an open listener.
    pub fn anonymous() -> Self {
        Self { tenant: ANONYMOUS.into(), key: None, rights: Rights::all() }
    }
}

/// The keys in force. Lookup is by the SHA-256 of whatever was presented, so that its time says
/// nothing about a stored key.
#[derive(Debug)]
pub enum Access {
    /// No `keys:`: a loopback listener with one anonymous tenant.
    Open(Arc<Caller>),
    Keys(HashMap<[u8; 32], Arc<Caller>>),
}

impl Access {
    pub fn new(keys: &[Key]) -> Self {
        if keys.is_empty() {
            return Self::Open(Arc::new(Caller::anonymous()));
        }
        let callers = keys.iter().map(|key| {
            let caller = Caller {
                tenant: key.tenant.clone(),
                key: Some(key.name.clone()),
                rights: key.rights.clone(),
            };
            (key.hash, Arc::new(caller))
        });
        Self::Keys(callers.collect())
    }

    /// The caller behind the credential. Every refusal is the same error, whatever was wrong.
    pub fn authenticate(&self, headers: &HeaderMap) -> Result<Arc<Caller>, GatewayError> {
        match self {
            Self::Open(caller) => Ok(caller.clone()),
            Self::Keys(callers) => credential(headers)
                .and_then(|key| callers.get(&hash(key)))
                .cloned()
                .ok_or(GatewayError::InvalidApiKey),
        }
    }

    pub fn is_open(&self) -> bool {
        matches!(self, Self::Open(_))
    }
}

/// SHA-256 of a key, as `keys[].hash` holds it.
pub fn hash(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

/// `Authorization: Bearer …`, else `x-api-key`.
pub fn credential(headers: &HeaderMap) -> Option<&str> {
    match headers.get(AUTHORIZATION) {
        Some(value) => {
            let (scheme, key) = value.to_str().ok()?.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
        }
        None => headers.get("x-api-key")?.to_str().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> Access {
        Access::new(&[Key {
            name: "web".into(),
            tenant: "acme".into(),
            hash: hash("sg-right"),
            rights: Rights::all(),
        }])
    }

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().expect("a header value"));
        headers
    }

    #[test]
    fn either_header_authenticates() {
        for (name, value) in [
            ("authorization", "Bearer sg-right"),
            ("authorization", "bearer sg-right"),
            ("x-api-key", "sg-right"),
        ] {
            let caller = keys().authenticate(&headers(name, value)).expect("the key is right");
            assert_eq!((&*caller.tenant, caller.key.as_deref()), ("acme", Some("web")));
        }
    }

    #[test]
    fn every_refusal_is_the_same() {
        let mut refusals = vec![keys().authenticate(&HeaderMap::new())];
        for value in ["Bearer sg-wrong", "Bearer", "Basic sg-right", "sg-right", "Bearer \u{7f}"] {
            if let Ok(value) = value.parse() {
                let mut headers = HeaderMap::new();
                headers.insert("authorization", value);
                refusals.push(keys().authenticate(&headers));
            }
        }
        let said: Vec<String> =
            refusals.into_iter().map(|r| format!("{:?}", r.expect_err("refused"))).collect();
        assert!(said.len() >= 4 && said.windows(2).all(|pair| pair[0] == pair[1]), "{said:?}");
    }

    #[test]
    fn an_open_listener_ignores_credentials() {
        let open = Access::new(&[]);
        let caller = open.authenticate(&headers("authorization", "Bearer any")).expect("open");
        assert_eq!(&*caller.tenant, ANONYMOUS);
    }
}
