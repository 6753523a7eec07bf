//! `keys`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::upstream::Upstreams;
use super::{Check, short};
use crate::access::Rights;
use crate::config::at::At;
use crate::config::raw::{RawConfig, RawKey};
use crate::config::settings::Key;
use crate::price::catalog;

pub(super) fn keys(raw: &RawConfig, upstreams: &Upstreams, check: &mut Check<'_>) -> Vec<Key> {
    let mut keys: Vec<Key> = Vec::new();
    for item in raw.keys.as_deref().unwrap_or_default() {
        for model in item.value.models.iter().flatten() {
            name_exists(model, raw, upstreams, check);
        }
        if let Some(key) = key(item, &keys, check) {
            keys.push(key);
        }
    }
    keys
}

fn key(item: &At<RawKey>, before: &[Key], check: &mut Check<'_>) -> Option<Key> {
    let raw = &item.value;
    let name = check.required(item.id, "name", &raw.name);
    let tenant = check.required(item.id, "tenant", &raw.tenant);
    let tenant = tenant.filter(|tenant| check.name(tenant, "tenant", true));
    let hash = check.required(item.id, "hash", &raw.hash).and_then(|text| {
        let hash = sha256(&text.value);
        match hash {
            None => {
                // The text is not shown: it may be the key itself, written by mistake.
                let advice = "write `sha256:` and 64 hex digits, as `semgate keys create` prints";
                check.fault(text.id, "`hash` is no SHA-256", advice);
            }
            Some(hash) if before.iter().any(|key| key.hash == hash) => {
                check.fault(text.id, "two keys have this hash", "create a key for each");
            }
            Some(_) => {}
        }
        hash
    });
    let regions = raw.regions.as_deref();
    let rights = Rights {
        models: raw.models.as_deref().map(|models| check.texts(Some(models), "name")),
        regions: regions.map(|regions| check.texts(Some(regions), "region")),
        tags: tags(raw, check),
        overrides: raw.overrides.as_ref().is_none_or(|overrides| overrides.value),
    };
    let name = name.filter(|name| check.name(name, "key", true))?;
    let names: Vec<&str> = before.iter().map(|key| &*key.name).collect();
    check.first(name, "key", &names);
    Some(Key {
        name: Arc::from(name.value.as_str()),
        tenant: Arc::from(tenant?.value.as_str()),
        hash: hash?,
        rights,
    })
}

fn tags(raw: &RawKey, check: &mut Check<'_>) -> BTreeMap<String, String> {
    let mut tags = BTreeMap::new();
    for (name, value) in raw.tags.iter().flatten() {
        let fits = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '_' | '.' | '-');
        if name.value.is_empty() || !name.value.chars().all(fits) {
            let problem = format!("`{}` is no name of a tag", short(&name.value));
            check.fault(name.id, problem, "write a-z, 0-9, `_`, `.`, `-`");
        }
        tags.insert(name.value.clone(), value.value.clone());
    }
    if tags.len() > 16 {
        let first = raw.tags.iter().flatten().next().map_or(0, |(name, _)| name.id);
        check.fault(first, format!("{} tags", tags.len()), "write at most 16");
    }
    tags
}

/// `sha256:` and 64 hex digits.
fn sha256(text: &str) -> Option<[u8; 32]> {
    let hex = text.strip_prefix("sha256:")?;
    if hex.len() != 64 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut hash = [0; 32];
    for (byte, digits) in hash.iter_mut().zip(hex.as_bytes().chunks(2)) {
        let digits = std::str::from_utf8(digits).ok()?;
        *byte = u8::from_str_radix(digits, 16).ok()?;
    }
    Some(hash)
}

/// Whether a caller may ask for something by that name.
fn name_exists(name: &At<String>, raw: &RawConfig, upstreams: &Upstreams, check: &mut Check<'_>) {
    let text = name.value.as_str();
    if text.trim().is_empty() {
        return;
    }
    let tiers = raw.routing.tiers.as_deref().unwrap_or_default();
    let routes = raw.routing.routes.as_deref().unwrap_or_default();
    let routes = routes.iter().filter_map(|route| route.value.name.as_ref());
    let ids = raw.models.iter().flatten().filter_map(|model| model.value.id.as_ref());
    let has_tiers = !tiers.is_empty();
    let tiers = tiers.iter().filter_map(|tier| tier.value.name.as_ref());
    let mut known: Vec<String> = has_tiers.then(|| "auto".to_owned()).into_iter().collect();
    known.extend(routes.map(|route| route.value.clone()));
    known.extend(tiers.map(|tier| format!("tier/{}", tier.value)));
    known.extend(upstreams.model_names.iter().cloned());
    known.extend(ids.map(|id| id.value.clone()).filter(|id| !upstreams.model_names.contains(id)));
    let by_provider = text.split_once('/').is_some_and(|(provider, id)| {
        !id.is_empty() && upstreams.provider_names.iter().any(|name| name == provider)
    });
    let known_id = catalog::provider_of(&upstreams.providers, text).is_some();
    if !by_provider && !known_id && !known.iter().any(|known| known == text) {
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        check.unknown(name, "route, tier or model", &known);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_64_hex_digits_after_their_prefix() {
        let digits = "00ff".repeat(16);
        let hash = sha256(&format!("sha256:{digits}")).unwrap();
        assert_eq!(&hash[..4], &[0, 255, 0, 255]);
        assert_eq!(sha256(&digits), None);
        assert_eq!(sha256(&format!("sha256:{}é", "0".repeat(62))), None);
        assert_eq!(sha256(&format!("sha256:+{}", "0".repeat(63))), None);
    }
}
