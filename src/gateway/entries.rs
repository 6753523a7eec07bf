//! A stored answer as operators see it: what it is, whose group it shares, and for whom it was
//! served why; and the cache as a whole in figures.

use serde::Serialize;
use serde_json::{Value, json};

use crate::cache::feedback::Label;
use crate::cache::learn::Standing;
use crate::cache::{Entry, Kept, Level, Purge};
use crate::error::GatewayError;
use crate::now::Now;
use crate::price::Money;
use crate::record::answers::Serving;

use super::Gateway;

/// Servings shown at most.
const MAX_SERVINGS: usize = 10;

/// A text, or what may be told of it without `telemetry.content`.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Text<'a> {
    Whole(&'a str),
    Digest { hash: String, bytes: usize },
}

impl<'a> Text<'a> {
    fn of(text: &'a [u8], keep: bool) -> Self {
        match std::str::from_utf8(text) {
            Ok(whole) if keep => Self::Whole(whole),
            _ => Self::Digest { hash: blake3::hash(text).to_hex().to_string(), bytes: text.len() },
        }
    }
}

impl Gateway {
    /// The entry of that id as JSON, while it is stored.
    pub fn entry(&self, id: &str) -> Option<Value> {
        let kept = self.cache.kept(id)?;
        let group: Vec<String> =
            self.cache.group_of(&kept.entry).iter().map(|entry| entry.id.clone()).collect();
        let servings = self.recorder.answers.servings(id, MAX_SERVINGS);
        let mut shown = entry_json(&kept, self.settings().telemetry.content, Now::read());
        let record = self.cache.minds().record_of(&kept.entry);
        shown["group"] = json!({"entries": group, "verdicts": record});
        shown["served"] = servings.iter().map(serving_json).collect();
        Some(shown)
    }

    /// What the cache holds and has done, with what came of it.
    pub fn cache_stats(&self) -> Value {
        let mut stats = json!(self.cache.stats());
        let counted = &self.recorder.metrics.cache;
        for level in [Level::Exact, Level::Semantic] {
            let (usd, seconds) = counted.saved(level);
            stats[level.name()]["hits"] = counted.hits(level).into();
            stats[level.name()]["saved_usd"] = usd.into();
            stats[level.name()]["saved_s"] = seconds.into();
        }
        let labels = |label: Label| counted.labels("feedback", label.name());
        stats["feedback"] = json!({
            "good": labels(Label::Good),
            "bad": labels(Label::Bad),
            "answers": self.recorder.answers.len(),
            "pairs_apart": self.cache.pairs_apart(),
        });
        stats["lanes"] = self.cache.minds().standings().iter().map(lane_json).collect();
        stats["judges"] = json!(self.cache.minds().trust());
        stats
    }

    /// Removes the entry of that id. Whether it was there.
    ///
    /// # Errors
    /// It is gone from memory, but the file may still hold it.
    pub async fn remove_entry(&self, id: &str) -> Result<bool, GatewayError> {
        Ok(self.purge(Purge::Entry(id.to_owned())).await? > 0)
    }
}

/// How a tenant's route keeps its budget: `wrong_hit_rate` is null where nothing was measured.
fn lane_json(standing: &Standing) -> Value {
    let rate =
        standing.wrong_hits.map(|(estimate, upper)| json!({"estimate": estimate, "upper": upper}));
    json!({
        "tenant": standing.lane.tenant,
        "route": standing.lane.route,
        "wrong_hit_rate": rate,
        "labels": standing.labels,
        "line": standing.line,
        "entries": standing.entries,
        "alarms": standing.alarms,
    })
}

fn entry_json(kept: &Kept, keep_content: bool, now: Now) -> Value {
    let entry: &Entry = &kept.entry;
    let seconds = |time: std::time::Duration| time.as_secs_f64();
    let answer = if keep_content { serde_json::from_slice(&entry.answer).ok() } else { None };
    let answer: Option<Value> = answer.or_else(|| Some(json!(Text::of(&entry.answer, false))));
    json!({
        "id": entry.id,
        "tenant": entry.tenant,
        "key": entry.key_name,
        "model": entry.model,
        "target": entry.target,
        "tier": entry.tier,
        "levels": kept.levels.iter().map(|level| level.name()).collect::<Vec<_>>(),
        "stored": entry.stored.wall,
        "age_s": entry.age_seconds(now),
        "ttl_class": entry.ttl_class.name(),
        "ttl_s": seconds(entry.ttl),
        "remaining_s": seconds(entry.remaining(now)),
        "cost_usd": entry.cost.map(Money::usd),
        "took_s": seconds(entry.took),
        "usage": entry.usage,
        "tags": entry.tags,
        "hits": entry.hits.load(std::sync::atomic::Ordering::Relaxed),
        "bytes": entry.bytes(),
        "prompt": Text::of(entry.prompt.as_bytes(), keep_content),
        "answer": answer,
    })
}

/// Why it was served: at the exact level because the request was equal, at the semantic level for
/// these figures.
fn serving_json(serving: &Serving) -> Value {
    let served = &serving.served;
    let weighed = served.evidence.filter(|_| served.level == Level::Semantic);
    json!({
        "id": serving.request,
        "time": serving.time,
        "level": served.level.name(),
        "similarity": weighed.map(|found| found.similarity),
        "score": weighed.map(|found| found.score),
        "line": weighed.map(|found| found.line),
    })
}
