//! Random lookups over two tenants and all kinds of routes: an answer never crosses a scope, at
//! either level. What a request is made of is kept beside each entry and compared; the keys are not
//! asked what they think is the same.

use std::sync::atomic::AtomicU64;

use rand::{RngExt, SeedableRng};
use serde_json::json;

use super::*;
use crate::cache::learn::Lane;
use crate::cache::{Cache as Levels, CacheVerdict, Directives, Entry, Makers, Terms, TtlClass};
use crate::config::settings::CacheScope;
use crate::dialect::Usage;
use crate::now::Now;

/// Lookups of the suite; `scripts/isolation.sh` makes it a million.
const LOOKUPS: usize = 100_000;

/// Everything of a request that must be equal before it may share an answer, as choices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Made {
    tenant: usize,
    /// Only where `cache.scope` is `key`.
    key: usize,
    policy: usize,
    system: usize,
    history: usize,
    extra: usize,
    prompt: usize,
}

const TENANTS: [&str; 2] = ["acme", "acm"];
const KEYS: [Option<&str>; 3] = [None, Some("web"), Some("app")];
const SYSTEMS: [&str; 5] = ["", "Be brief.", "Be brief. ", "be brief.", "You are a lawyer."];
const HISTORIES: [&str; 3] = ["", "Hello", "How do magnets work? 1"];
const EXTRAS: [&str; 10] = [
    "",
    r#","temperature":0"#,
    r#","temperature":0.5"#,
    r#","top_p":0.5"#,
    r#","response_format":{"type":"json_object"}"#,
    r#","tools":[{"type":"function","function":{"name":"f"}}]"#,
    r#","tools":[{"type":"function","function":{"name":"g"}}]"#,
    r#","stop":"END""#,
    r#","reasoning_effort":"low""#,
    r#","vendor":{"mode":1}"#,
];
/// Few enough that most lookups find something.
const PROMPTS: usize = 4;

/// Every kind of route: tiers, a forced tier, named models, with other names and limits.
fn policies() -> Vec<Policy> {
    let changed = |change: fn(&mut Policy)| {
        let mut policy = policy(auto());
        change(&mut policy);
        policy
    };
    let mut policies = vec![
        policy(auto()),
        changed(|policy| policy.requested = "support".into()),
        changed(|policy| policy.max_quality_loss = 0.05),
        changed(|policy| policy.regions = Some(vec!["eu".into()].into_iter().collect())),
        policy(Choice::Forced { tier: tier("small", None), by: ForcedBy::Header }),
        policy(Choice::Forced { tier: tier("frontier", None), by: ForcedBy::Rule }),
    ];
    for (id, fallbacks) in [("a", vec![]), ("b", vec![]), ("a", vec![model("b")])] {
        policies.push(policy(Choice::Named { model: model(id), fallbacks, by: ForcedBy::Name }));
    }
    policies
}

fn body(made: &Made, stream: bool) -> String {
    let mut messages = Vec::new();
    if made.system > 0 {
        messages.push(json!({"role": "system", "content": SYSTEMS[made.system]}));
    }
    if made.history > 0 {
        messages.push(json!({"role": "user", "content": HISTORIES[made.history]}));
        messages.push(json!({"role": "assistant", "content": "ok"}));
    }
    messages.push(json!({"role": "user", "content": prompt(made)}));
    let messages = Value::from(messages);
    format!(r#"{{"model":"auto","messages":{messages},"stream":{stream}{}}}"#, EXTRAS[made.extra])
}

fn prompt(made: &Made) -> String {
    format!("How do magnets work? {}", made.prompt)
}

/// All prompts are neighbours of each other: only the scope keeps them apart.
fn vector(made: &Made) -> Arc<[f32]> {
    let (sin, cos) = (made.prompt as f32 * 0.05).sin_cos();
    Arc::from([cos, sin])
}

fn entry(id: usize, keyed: &Keyed, made: &Made, now: Now) -> Entry {
    Entry {
        id: id.to_string(),
        key: keyed.exact,
        scope: keyed.scope,
        lane: Lane { tenant: TENANTS[made.tenant].into(), route: "auto".into() },
        tenant: TENANTS[made.tenant].into(),
        key_name: None,
        prompt: prompt(made),
        vector: Some(vector(made)),
        answer: bytes::Bytes::from_static(b"{}"),
        usage: Usage::default(),
        model: "m".into(),
        target: "p/m".into(),
        tier: None,
        stored: now,
        ttl_class: TtlClass::Default,
        ttl: Duration::from_secs(3600),
        cost: None,
        tags: BTreeMap::new(),
        took: Duration::ZERO,
        hits: AtomicU64::new(0),
    }
}

#[test]
fn no_lookup_finds_an_entry_of_another_scope() {
    #[expect(clippy::disallowed_methods, reason = "a test is an edge")]
    let lookups = std::env::var("SEMGATE_LOOKUPS");
    let lookups = lookups.ok().and_then(|text| text.parse().ok()).unwrap_or(LOOKUPS);
    // Keys of one tenant share in the one half, and not in the other.
    let by_key = Cache { scope: CacheScope::Key, ..cache_settings() };
    for (settings, seed) in [(cache_settings(), 9), (by_key, 10)] {
        look(lookups / 2, &settings, seed);
    }
}

#[expect(clippy::print_stdout, reason = "a measurement says what it measured")]
fn look(lookups: usize, settings: &Cache, seed: u64) {
    let mut random = rand::rngs::SmallRng::seed_from_u64(seed);
    let (policies, now) = (policies(), Now::read());
    let cache = Levels::synchronous(settings);
    let terms = Terms::new(Directives::default(), Duration::ZERO, Makers::default(), now);
    let mut stored: Vec<Made> = Vec::new();
    let (mut exact, mut neighbours) = (0_usize, 0_usize);
    for _ in 0..lookups {
        let mut pick = |count: usize| random.random_range(0..count);
        let key = pick(KEYS.len());
        let made = Made {
            tenant: pick(TENANTS.len()),
            key: if settings.scope == CacheScope::Key { key } else { 0 },
            policy: pick(policies.len()),
            system: pick(SYSTEMS.len()),
            history: pick(HISTORIES.len()),
            extra: pick(EXTRAS.len()),
            prompt: pick(PROMPTS),
        };
        let request = decode(&body(&made, pick(2) == 0));
        let caller = caller(TENANTS[made.tenant], KEYS[key]);
        let keyed = keyed(identify(&request, &caller, &policies[made.policy], settings));
        let of = |entry: &Entry| stored[entry.id.parse::<usize>().expect("a number")];
        let mut is_known = false;
        if let CacheVerdict::Hit { entry, .. } = cache.look_exact(&keyed, &terms) {
            assert_eq!(of(&entry), made, "a foreign answer from the exact level");
            exact += 1;
            is_known = true;
        }
        for found in cache.neighbours(&keyed, &vector(&made), &terms) {
            let scope = Made { prompt: made.prompt, ..of(&found.entry) };
            assert_eq!(scope, made, "a foreign neighbour");
            neighbours += 1;
        }
        if !is_known {
            cache.admit(entry(stored.len(), &keyed, &made, now));
            stored.push(made);
        }
    }
    println!("{lookups} lookups: {exact} exact hits, {neighbours} neighbours, none foreign");
    // The test says something only if lookups mostly find.
    assert!(exact > lookups / 10 && neighbours > lookups / 2);
}
