//! From the raw configuration to [`Settings`]: missing keys become their defaults, names resolve,
//! limits are checked. Every fault is collected, none stops the others from being found.

mod access;
mod cache;
mod routing;
mod server;
mod strategy;
mod upstream;

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::at::At;
use super::fault::Fault;
use super::raw::RawConfig;
use super::scalar::Span;
use super::settings::{Origin, Resilience, Settings};
use super::tree::{Id, Node, Tree, Value};

/// The settings, or `None` if there was a fault; the faults and warnings are in the `Check`.
pub(super) fn validate(raw: &RawConfig, origin: Origin, check: &mut Check<'_>) -> Option<Settings> {
    // Keys that could not be read were told already, and are no open door.
    let unread = raw.keys.is_none() && check.has(check.tree.root.id, "keys");
    let has_keys = unread || raw.keys.as_ref().is_some_and(|keys| !keys.is_empty());
    let server = server::server(&raw.server, has_keys, check);
    let embedder = server::embedder(raw.embedder.as_ref(), check);
    let telemetry = server::telemetry(&raw.telemetry, check);
    let upstreams = upstream::upstreams(raw, check);
    let cache = cache::cache(&raw.cache, &upstreams, check);
    let routing = routing::routing(&raw.routing, &upstreams, check);
    let keys = access::keys(raw, &upstreams, check);
    let resilience = Resilience {
        attempts: check.within(&raw.resilience.attempts, 3, 1..=10) as usize,
        retry_budget: raw.resilience.retry_budget.as_ref().map_or(0.2, |share| share.value.0),
    };
    if !check.faults.is_empty() {
        return None;
    }
    Some(Settings {
        origin,
        server: server?,
        embedder,
        cache,
        routing,
        providers: upstreams.providers,
        models: upstreams.models,
        resilience,
        keys,
        telemetry,
    })
}

/// Collects what is found, and finds places.
pub(super) struct Check<'t> {
    tree: &'t Tree,
    pub faults: Vec<Fault>,
    pub warnings: Vec<Fault>,
}

impl<'t> Check<'t> {
    /// `faults` are those that reading has found already.
    pub(super) fn new(tree: &'t Tree, faults: Vec<Fault>) -> Self {
        Self { tree, faults, warnings: Vec::new() }
    }

    fn fault(&mut self, id: Id, problem: impl Into<String>, advice: impl Into<String>) {
        let mut problem = problem.into();
        if let Some(Node { value: Value::Scalar(scalar), .. }) = self.tree.root.find(id) {
            problem = scalar.as_written(&problem);
        }
        self.faults.push(Fault::new(self.tree.place(id), problem, advice));
    }

    fn warn(&mut self, id: Id, problem: impl Into<String>, advice: impl Into<String>) {
        self.warnings.push(Fault::new(self.tree.place(id), problem, advice));
    }

    /// The value of a key that must be there. Silent where the file has the key but reading left it
    /// out: its fault is told already.
    fn required<'r, T>(
        &mut self,
        item: Id,
        key: &str,
        value: &'r Option<At<T>>,
    ) -> Option<&'r At<T>> {
        if value.is_none() && !self.has(item, key) {
            self.fault(item, format!("`{key}` is missing"), format!("write `{key}: …` here"));
        }
        value.as_ref()
    }

    /// Whether the text has this key below that item, readable or not.
    fn has(&self, item: Id, key: &str) -> bool {
        let node = self.tree.root.find(item);
        node.and_then(|node| node.get(key)).is_some_and(|value| !value.is_null())
    }

    /// Whether nothing is written in the block. Where something is, and it could not be read, its
    /// fault is told already.
    fn is_bare(&self, block: Id) -> bool {
        match self.tree.root.find(block).map(|node| &node.value) {
            Some(Value::Map(entries)) => entries.iter().all(|entry| entry.value.is_null()),
            _ => true,
        }
    }

    /// Whether the list of this item is written and empty, or not written at all.
    fn lacks<T>(&self, item: Id, key: &str, list: &Option<Vec<T>>) -> bool {
        match list {
            Some(list) => list.is_empty(),
            None => !self.has(item, key),
        }
    }

    /// A number within limits, or its default.
    fn within<T>(&mut self, value: &Option<At<T>>, default: T, limits: RangeInclusive<T>) -> T
    where
        T: PartialOrd + Copy + Display,
    {
        let Some(At { id, value }) = value else { return default };
        if !limits.contains(value) {
            let problem = format!("{value} is out of range");
            let advice = format!("write {} to {}", limits.start(), limits.end());
            self.fault(*id, problem, advice);
        }
        *value
    }

    /// A duration above zero, or its default.
    fn above_zero(&mut self, value: &Option<At<Span>>, default: Duration) -> Duration {
        let Some(At { id, value }) = value else { return default };
        if value.0.is_zero() {
            self.fault(*id, "a time limit of zero lets nothing through", "write at least `1ms`");
        }
        value.0
    }

    /// Whether a name can stand in headers, metrics and records: visible ASCII without `,` and `"`.
    fn name(&mut self, name: &At<String>, kind: &str, slash: bool) -> bool {
        let fits =
            |c: char| c.is_ascii_graphic() && !matches!(c, ',' | '"' | '\\') && (slash || c != '/');
        let good =
            !name.value.is_empty() && name.value.len() <= 128 && name.value.chars().all(fits);
        if !good {
            let advice = "write 1 to 128 of a-z, 0-9, `-`, `_`, `.`";
            self.fault(
                name.id,
                format!("`{}` is no name for a {kind}", short(&name.value)),
                advice,
            );
        }
        good
    }

    /// Texts of a list, none empty, none twice.
    fn texts(&mut self, items: Option<&[At<String>]>, kind: &str) -> Vec<String> {
        let mut seen: Vec<String> = Vec::new();
        for item in items.unwrap_or_default() {
            if item.value.trim().is_empty() {
                self.fault(item.id, format!("an empty {kind}"), "leave it out");
            } else if seen.contains(&item.value) {
                let problem = format!("{kind} `{}` stands twice", short(&item.value));
                self.fault(item.id, problem, "keep one");
            } else {
                seen.push(item.value.clone());
            }
        }
        seen
    }

    /// Tells a name that stands for nothing, with the nearest that does.
    fn unknown(&mut self, name: &At<String>, kind: &str, known: &[&str]) {
        let advice = match known {
            [] => format!("define the {kind} first"),
            known => super::read::nearest(&name.value, known),
        };
        self.fault(name.id, format!("there is no {kind} `{}`", short(&name.value)), advice);
    }

    /// The second and later of equal names are faults. True for the first.
    fn first(&mut self, name: &At<String>, kind: &str, before: &[&str]) -> bool {
        let first = !before.contains(&name.value.as_str());
        if !first {
            let problem = format!("two {kind}s are named `{}`", short(&name.value));
            self.fault(name.id, problem, "give each a name of its own");
        }
        first
    }

    /// A compiled `when:`.
    fn when(
        &mut self,
        item: Id,
        when: &Option<At<String>>,
    ) -> Option<std::sync::Arc<crate::policy::Expression>> {
        let when = self.required(item, "when", when)?;
        match crate::policy::Expression::compile(&when.value) {
            Ok(expression) => Some(std::sync::Arc::new(expression)),
            Err(fault) => {
                let column = fault.column.map(|c| format!(" (at its column {c})"));
                let problem =
                    format!("the expression is refused: {fault}{}", column.unwrap_or_default());
                let advice = "write CEL over prompt, prompt_tokens, turns, has_tools, tags, …";
                self.fault(when.id, problem, advice);
                None
            }
        }
    }
}

/// What a fault shows of a text.
fn short(text: &str) -> String {
    text.chars().take(60).collect()
}
