//! What keeping an entry is worth: the order in which entries leave a full semantic level. Pure.
//!
//! The exact level is not asked: moka evicts what was used least recently, by bytes, and knows no
//! other order that takes every new entry in. What it gives up too early is found by the semantic
//! level, for which the same words are a near-literal repeat.

use std::sync::atomic::Ordering;

use super::Entry;
use crate::now::Now;

/// Seconds after which an entry that was never asked for again is worth half of a new one. A new
/// entry has not had its chance yet; this is how long a chance lasts.
const CHANCE: f64 = 600.0;
/// Dollars that a second of waiting counts for: what orders answers that cost nothing else, and
/// little beside any model's price.
const SECOND: f64 = 1e-5;

/// Dollars that a byte of the entry is expected to save in a second: what a hit saves, times how
/// often it was asked for in its life so far, over its bytes. Zero when it has expired.
pub fn value(entry: &Entry, bytes: u64, now: Now) -> f64 {
    if !entry.is_fresh(now) {
        return 0.0;
    }
    let cost = entry.cost.map_or(0.0, |cost| cost.usd().max(0.0));
    let saved = cost + SECOND * entry.took.as_secs_f64().max(0.001);
    let asked = entry.hits.load(Ordering::Relaxed) as f64 + 1.0;
    let rate = asked / (entry.age(now).as_secs_f64() + CHANCE);
    saved * rate / bytes.max(1) as f64
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::time::Duration;

    use super::*;
    use crate::cache::memory::tests::entry;
    use crate::price::Money;

    fn of(cost_usd: f64, hits: u64, stored: Now) -> Entry {
        let cost = Some(Money::from_pico((cost_usd * 1e12) as i128));
        Entry { cost, hits: hits.into(), ..entry("e", "a", "q", 0.0, stored) }
    }

    #[test]
    fn cost_hits_youth_and_smallness_count() {
        let start = Now::read();
        let now = start.after(Duration::from_secs(1200));
        let plain = value(&of(0.01, 0, start), 1000, now);
        assert!(value(&of(0.02, 0, start), 1000, now) > plain * 1.9);
        assert!(value(&of(0.01, 1, start), 1000, now) > plain * 1.9);
        assert!(value(&of(0.01, 0, start), 500, now) > plain * 1.9);
        assert!((value(&of(0.01, 0, now), 1000, now) / plain - 3.0).abs() < 1e-6);
        assert_eq!(value(&of(0.01, 9, start), 1000, start.after(Duration::from_hours(1))), 0.0);
        let free = Entry { cost: None, ..of(0.0, 0, start) };
        let slow = Entry { took: Duration::from_secs(60), ..of(0.0, 0, start) };
        assert!(value(&free, 1000, now) > 0.0, "time is saved too");
        assert!(value(&slow, 1000, now) > value(&free, 1000, now));
    }

    /// A day of questions: a few asked often, most once; a tenth of them dear, a tenth long. What
    /// the order by value saves beside the second chance that an entry gets for any hit.
    #[test]
    fn it_saves_more_than_a_second_chance_for_whatever_was_hit() {
        let random = |place: u64| {
            let hash = blake3::hash(&place.to_le_bytes());
            u64::from_le_bytes(*hash.as_bytes().first_chunk().expect("32 bytes"))
        };
        let question = |place: u64| {
            let uniform = (random(place) >> 11) as f64 / (1_u64 << 53) as f64;
            // Zipf-like: the n-th of 20,000 questions is asked about 1/n as often as the first.
            (20_000_f64.powf(uniform)) as u64
        };
        let cost = |question: u64| if random(question + 7) % 10 == 0 { 0.05 } else { 0.001 };
        let bytes = |question: u64| if random(question + 9) % 10 == 0 { 20_000 } else { 2_000 };
        let start = Now::read();
        let saved = |by_value: bool| {
            let mut held: HashMap<u64, Entry> = HashMap::new();
            let mut seen: HashMap<u64, u64> = HashMap::new();
            let mut order = std::collections::VecDeque::new();
            let (mut used, mut saved) = (0, 0.0);
            for place in 0..20_000_u64 {
                let asked = question(place);
                let now = start.after(Duration::from_millis(150 * place));
                if let Some(entry) = held.get(&asked) {
                    entry.hits.fetch_add(1, Ordering::Relaxed);
                    saved += cost(asked);
                    continue;
                }
                while used + bytes(asked) > 1_000_000 {
                    let victim = if by_value {
                        let value = |key: &u64| value(&held[key], bytes(*key), now);
                        let least = held
                            .keys()
                            .min_by(|a, b| value(a).total_cmp(&value(b)).then_with(|| a.cmp(b)));
                        *least.expect("something is held")
                    } else {
                        let first: u64 = order.pop_front().expect("something is held");
                        let hits = held[&first].hits.load(Ordering::Relaxed);
                        if seen.insert(first, hits) != Some(hits) && hits > 0 {
                            order.push_back(first);
                            continue;
                        }
                        first
                    };
                    held.remove(&victim);
                    seen.remove(&victim);
                    used -= bytes(victim);
                }
                used += bytes(asked);
                order.push_back(asked);
                held.insert(
                    asked,
                    Entry { ttl: Duration::from_hours(24), ..of(cost(asked), 0, now) },
                );
            }
            saved
        };
        let (by_value, by_chance) = (saved(true), saved(false));
        assert!(by_value > 1.1 * by_chance, "{by_value} and {by_chance} dollars");
    }
}
