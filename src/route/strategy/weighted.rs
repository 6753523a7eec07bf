//! `{weighted: {a: 80, b: 20}}`: a draw by weights, the same for all requests of a conversation.
//!
//! A conversation is told by its beginning: the tenant, the route and the messages up to the first
//! of the user's, which every later request of it repeats. It so stays with one model and with that
//! provider's prompt cache. The price: the same opening words go to the same model every time, so
//! that the shares hold over conversations, not over repetitions of one.
//!
//! The draw is a race (rendezvous hashing): each model runs a time that the seed and its name
//! decide, exponential with its weight as rate, and the first to arrive is drawn. That gives each the
//! share of its weight, and a model that fails, comes or changes its weight moves only the
//! conversations that it must.

use std::sync::Arc;

use serde_json::Value;

use super::{Seen, Why};
use crate::config::settings::Model;
use crate::dialect::openai::ChatRequest;

/// The drawn model, then the others in falling weight; equals in the order of the file. Only models
/// that are ready take part in the draw, unless none is. `models` each have a weight.
pub(super) fn order(
    models: &[&Model],
    weights: &[(Arc<Model>, f64)],
    seen: &[Seen],
    seed: u64,
) -> Vec<(usize, Why)> {
    let weight = |place: usize| {
        let found = weights.iter().find(|(model, _)| model.name == models[place].name);
        found.map_or(0.0, |(_, weight)| *weight)
    };
    let largest = (0..models.len()).map(weight).fold(0.0, f64::max);
    // Divided first: weights may be so large that their sum is not finite.
    let sum: f64 = (0..models.len()).map(|place| weight(place) / largest).sum();
    let share = |place: usize| weight(place) / largest / sum;
    let all: Vec<usize> = (0..models.len()).collect();
    let ready: Vec<usize> = all.iter().copied().filter(|place| seen[*place].ready).collect();
    let runners = if ready.is_empty() { &all } else { &ready };
    let time = |place: usize| -uniform(seed, &models[place].name).ln() / share(place);
    let drawn = runners.iter().copied().min_by(|a, b| time(*a).total_cmp(&time(*b)));
    let mut order: Vec<usize> = all.into_iter().filter(|place| Some(*place) != drawn).collect();
    order.sort_by(|a, b| share(*b).total_cmp(&share(*a)));
    let behind = order.into_iter().map(|place| {
        let why = Why::NotDrawn { share: share(place) };
        (place, if seen[place].ready { why } else { Why::NotReady })
    });
    let first = drawn.map(|place| (place, Why::Drawn { share: share(place) }));
    first.into_iter().chain(behind).collect()
}

/// Uniform in (0, 1), from the seed and a name.
fn uniform(seed: u64, name: &str) -> f64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes());
    hasher.update(name.as_bytes());
    ((first_word(&hasher) >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
}

/// The seed of a request: that of its conversation where one can be told, else of this request alone,
/// by its body and `draw`.
pub fn seed(tenant: &str, route: &str, request: &ChatRequest, draw: Option<f32>) -> u64 {
    let mut hasher = blake3::Hasher::new();
    for name in [tenant, route] {
        hasher.update(&(name.len() as u64).to_le_bytes());
        hasher.update(name.as_bytes());
    }
    let messages = request.body.get("messages").and_then(Value::as_array);
    let messages = messages.map_or(&[][..], Vec::as_slice);
    let is_user = |message: &Value| message.get("role").is_some_and(|role| role == "user");
    match messages.iter().position(is_user) {
        Some(first) => {
            for message in &messages[..=first] {
                serde_json::to_writer(&mut hasher, message)
                    .expect("invariant: a JSON value serialises, and hashing cannot fail");
            }
        }
        None => {
            hasher.update(&request.raw);
            hasher.update(&draw.unwrap_or_default().to_le_bytes());
        }
    }
    first_word(&hasher)
}

fn first_word(hasher: &blake3::Hasher) -> u64 {
    let hash = hasher.finalize();
    let bytes = hash.as_bytes().first_chunk().expect("invariant: a hash has 32 bytes");
    u64::from_le_bytes(*bytes)
}
