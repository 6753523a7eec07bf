//! `Cache-Status` (RFC 9211), and the names by which headers, records and metrics call what the
//! cache decided.

use super::{BypassReason, CacheVerdict, Guard, Level, MissDetail, RequestDetail, TtlClass};
use crate::now::Now;

/// The header of a request that said `only-if-cached` and found nothing.
pub const ONLY_IF_CACHED: &str = "semgate; detail=only-if-cached";

/// What became of a forwarded request's answer, as far as it is known when the head is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fate {
    /// The answer is stored.
    pub stored: bool,
    /// The request waited for an equal one that was already on its way.
    pub collapsed: bool,
}

/// The header's value.
pub fn render(verdict: &CacheVerdict, fate: Fate, now: Now) -> String {
    let stored = if fate.stored { "; stored" } else { "" };
    let collapsed = if fate.collapsed { "; collapsed" } else { "" };
    match verdict {
        CacheVerdict::Hit { level, entry, .. } => {
            let ttl = entry.ttl_seconds(now);
            format!("semgate; hit; ttl={ttl}; detail={}", level.name())
        }
        CacheVerdict::Miss { detail: Some(detail), .. } => {
            format!("semgate; fwd=miss{stored}{collapsed}; detail={}", detail.name())
        }
        CacheVerdict::Miss { detail: None, .. } => {
            format!("semgate; fwd=miss{stored}{collapsed}")
        }
        CacheVerdict::Request(detail) => {
            format!("semgate; fwd=request{stored}; detail={}", detail.name())
        }
        CacheVerdict::Stale => format!("semgate; fwd=stale{stored}"),
        CacheVerdict::Bypass(reason) => {
            format!("semgate; fwd=bypass; detail={}", reason.name())
        }
    }
}

impl CacheVerdict {
    /// `hit`, `miss`, `request`, `stale` or `bypass`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Hit { .. } => "hit",
            Self::Miss { .. } => "miss",
            Self::Request(_) => "request",
            Self::Stale => "stale",
            Self::Bypass(_) => "bypass",
        }
    }

    /// The `detail` of `Cache-Status`, where there is one.
    pub fn detail(&self) -> Option<&'static str> {
        match self {
            Self::Hit { level, .. } => Some(level.name()),
            Self::Miss { detail, .. } => detail.map(MissDetail::name),
            Self::Request(detail) => Some(detail.name()),
            Self::Stale => None,
            Self::Bypass(reason) => Some(reason.name()),
        }
    }
}

impl Level {
    pub fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Semantic => "semantic",
        }
    }
}

impl MissDetail {
    pub fn name(self) -> &'static str {
        match self {
            Self::NoCandidate => "no-candidate",
            Self::BelowLine => "below-line",
            Self::Explored => "explored",
            Self::Guard(Guard::Number) => "guard-number",
            Self::Guard(Guard::Unit) => "guard-unit",
            Self::Guard(Guard::Date) => "guard-date",
            Self::Guard(Guard::Negation) => "guard-negation",
            Self::Guard(Guard::Antonym) => "guard-antonym",
            Self::Guard(Guard::Entity) => "guard-entity",
            Self::Length => "length",
            Self::Window => "window",
            Self::Image => "image",
            Self::File => "file",
            Self::ToolResult => "tool-result",
            Self::Prefill => "prefill",
            Self::Seed => "seed",
            Self::Embedder => "embedder",
        }
    }
}

impl Guard {
    pub fn name(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::Unit => "unit",
            Self::Date => "date",
            Self::Negation => "negation",
            Self::Antonym => "antonym",
            Self::Entity => "entity",
        }
    }
}

impl RequestDetail {
    pub fn name(self) -> &'static str {
        match self {
            Self::NoCache => "no-cache",
            Self::MaxAge => "max-age",
        }
    }
}

impl BypassReason {
    pub fn name(self) -> &'static str {
        match self {
            Self::Temperature => "temperature",
            Self::N => "n",
            Self::Logprobs => "logprobs",
            Self::Modality => "modality",
            Self::WebSearch => "web-search",
            Self::Store => "store",
            Self::Volatile => "volatile",
            Self::Rule => "rule",
            Self::Observe => "observe",
            Self::Disabled => "disabled",
        }
    }
}

impl TtlClass {
    pub fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Volatile => "volatile",
            Self::Timeless => "timeless",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use std::sync::atomic::AtomicU64;
    use std::time::Duration;

    use bytes::Bytes;

    use super::*;
    use crate::cache::{CacheKey, Entry, Scope};
    use crate::dialect::Usage;

    fn hit(level: Level, ttl: Duration, stored: Now) -> CacheVerdict {
        let entry = Arc::new(Entry {
            id: "id".into(),
            key: CacheKey([0; 32]),
            scope: Scope([0; 32]),
            tenant: "acme".into(),
            key_name: None,
            prompt: String::new(),
            vector: None,
            answer: Bytes::new(),
            usage: Usage::default(),
            model: "mini".into(),
            target: "openai/gpt".into(),
            tier: None,
            stored,
            ttl_class: TtlClass::Default,
            ttl,
            cost: None,
            took: Duration::ZERO,
            tags: BTreeMap::new(),
            lane: crate::cache::learn::Lane { tenant: "a".into(), route: "auto".into() },
            hits: AtomicU64::new(0),
        });
        CacheVerdict::Hit { level, entry, evidence: None }
    }

    fn miss(detail: Option<MissDetail>) -> CacheVerdict {
        CacheVerdict::Miss { detail, evidence: None }
    }

    #[test]
    fn hits_show_what_is_left_in_whole_seconds() {
        let stored = Now::read();
        let day = Duration::from_secs(86_400);
        let shown =
            |level, age| render(&hit(level, day, stored), Fate::default(), stored.after(age));
        assert_eq!(shown(Level::Exact, Duration::ZERO), "semgate; hit; ttl=86400; detail=exact");
        assert_eq!(
            shown(Level::Semantic, Duration::from_millis(1)),
            "semgate; hit; ttl=86399; detail=semantic"
        );
        assert_eq!(shown(Level::Exact, day), "semgate; hit; ttl=0; detail=exact");
        let late = |millis| shown(Level::Semantic, day + Duration::from_millis(millis));
        assert_eq!(late(1), "semgate; hit; ttl=-1; detail=semantic", "stale is below zero");
        assert_eq!(late(90_000), "semgate; hit; ttl=-90; detail=semantic");
    }

    #[test]
    fn forwarded_requests_have_the_documented_forms() {
        let none = Fate::default();
        let stored = Fate { stored: true, collapsed: false };
        let both = Fate { stored: true, collapsed: true };
        for (verdict, fate, expected) in [
            (miss(None), none, "semgate; fwd=miss"),
            (miss(None), stored, "semgate; fwd=miss; stored"),
            (miss(None), both, "semgate; fwd=miss; stored; collapsed"),
            (
                miss(Some(MissDetail::BelowLine)),
                both,
                "semgate; fwd=miss; stored; collapsed; detail=below-line",
            ),
            (
                miss(Some(MissDetail::Guard(Guard::Number))),
                none,
                "semgate; fwd=miss; detail=guard-number",
            ),
            (
                CacheVerdict::Request(RequestDetail::NoCache),
                stored,
                "semgate; fwd=request; stored; detail=no-cache",
            ),
            (
                CacheVerdict::Request(RequestDetail::MaxAge),
                none,
                "semgate; fwd=request; detail=max-age",
            ),
            (CacheVerdict::Stale, none, "semgate; fwd=stale"),
            (CacheVerdict::Stale, stored, "semgate; fwd=stale; stored"),
            (
                CacheVerdict::Bypass(BypassReason::Temperature),
                none,
                "semgate; fwd=bypass; detail=temperature",
            ),
        ] {
            assert_eq!(render(&verdict, fate, Now::read()), expected);
        }
    }

    #[test]
    fn details_are_those_of_the_contract() {
        use Guard::{Antonym, Date, Entity, Negation, Number, Unit};
        use MissDetail as M;
        let misses = [
            M::NoCandidate,
            M::BelowLine,
            M::Guard(Number),
            M::Guard(Unit),
            M::Guard(Date),
            M::Guard(Negation),
            M::Guard(Antonym),
            M::Guard(Entity),
            M::Length,
            M::Window,
            M::Image,
            M::File,
            M::ToolResult,
            M::Prefill,
            M::Seed,
            M::Embedder,
        ];
        let names: Vec<&str> = misses.into_iter().map(MissDetail::name).collect();
        assert_eq!(
            names.join("|"),
            "no-candidate|below-line|guard-number|guard-unit|guard-date|guard-negation|\
             guard-antonym|guard-entity|length|window|image|file|tool-result|prefill|seed|embedder"
        );
        for guard in [Number, Unit, Date, Negation, Antonym, Entity] {
            assert_eq!(M::Guard(guard).name(), format!("guard-{}", guard.name()));
        }
        use BypassReason as B;
        let bypasses = [
            B::Temperature,
            B::N,
            B::Logprobs,
            B::Modality,
            B::WebSearch,
            B::Store,
            B::Volatile,
            B::Rule,
            B::Observe,
            B::Disabled,
        ];
        let names: Vec<&str> = bypasses.into_iter().map(BypassReason::name).collect();
        assert_eq!(
            names.join("|"),
            "temperature|n|logprobs|modality|web-search|store|volatile|rule|observe|disabled"
        );
    }

    #[test]
    fn verdicts_have_names_for_the_record() {
        for (verdict, name, detail) in [
            (hit(Level::Exact, Duration::ZERO, Now::read()), "hit", Some("exact")),
            (miss(Some(MissDetail::Seed)), "miss", Some("seed")),
            (miss(None), "miss", None),
            (CacheVerdict::Request(RequestDetail::MaxAge), "request", Some("max-age")),
            (CacheVerdict::Stale, "stale", None),
            (CacheVerdict::Bypass(BypassReason::N), "bypass", Some("n")),
        ] {
            assert_eq!((verdict.name(), verdict.detail()), (name, detail));
        }
    }
}
