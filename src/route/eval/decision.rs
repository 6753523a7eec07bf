//! What a decision costs once the embedding is there: surface features, shipped heads, learnt
//! heads, watchers and plan, timed one request at a time.

use std::time::Instant;

use bytes::Bytes;
use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use serde::Serialize;
use serde_json::json;

use crate::access::Caller;
use crate::dialect::openai::ChatRequest;
use crate::policy::{RequestHeaders, resolve};
use crate::route::evidence::gain::Heads as Learnt;
use crate::route::evidence::measure::percentile;
use crate::route::evidence::shift::{Surface, Topics};
use crate::route::recorded::Corpus;
use crate::route::{Features, Heads, decide};

use super::traffic::Traffic;
use super::{SEED, demo};

/// Requests timed.
const REQUESTS: usize = 5000;
/// Rows that the learnt heads and the watchers know.
const KNOWN: usize = 2000;

/// Time of one decision, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Times {
    pub p50_us: f64,
    pub p99_us: f64,
}

/// Times decisions on prompts of every set; `traffic` is what was learnt from.
///
/// # Errors
/// Why no decision can be made, in words.
#[expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]
pub fn measure(corpus: &Corpus, traffic: &Traffic<'_>, heads: &Heads) -> Result<Times, String> {
    let settings = demo().map_err(|faults| faults.to_string())?;
    let mut rng = SmallRng::seed_from_u64(SEED);
    let known: Vec<usize> = (0..traffic.rows().min(KNOWN)).collect();
    let standard = traffic.standard(&known);
    let inputs = traffic.inputs(&standard);
    let read = traffic.read(&standard, &known);
    let learnt = Learnt::learn(&traffic.labelled(&known, &read), inputs.width()).fold(&inputs);
    let prompts = || known.iter().map(|row| traffic.prompt(*row));
    let mut surface = Surface::of(&prompts().map(|prompt| prompt.surface).collect::<Vec<_>>());
    let mut topics = Topics::of(&prompts().map(|prompt| prompt.vector).collect::<Vec<_>>(), SEED);
    let mut places: Vec<usize> = (0..corpus.rows.len()).collect();
    places.shuffle(&mut rng);
    places.truncate(REQUESTS);
    let mut times = Vec::with_capacity(places.len());
    for place in places {
        let (row, vector) = (&corpus.rows[place], &corpus.vectors[place]);
        let body = json!({"model": "auto", "messages": [{"role": "user", "content": row.prompt}]});
        let request =
            ChatRequest::decode(Bytes::from(body.to_string())).map_err(|error| error.log())?;
        let headers = RequestHeaders::default();
        let policy = resolve(&settings, &Caller::anonymous(), &request, &headers, 12)
            .map_err(|error| error.log())?;
        let chance = rng.random();
        let since = Instant::now();
        let features = Features::of(&request);
        let prompt = crate::route::evidence::inputs::Prompt {
            vector,
            surface: features.values(),
            chars: request.facts.prompt_chars,
        };
        let gain = learnt.gain(&prompt);
        let cold = heads.cold(vector, prompt.chars);
        let strange = surface.as_mut().and_then(|watch| watch.take(prompt.surface, chance));
        let moved = topics.as_mut().and_then(|watch| watch.take(vector));
        let signals = heads.signals(vector, features);
        let decision = decide(&policy, &request, &settings, Some(&signals));
        times.push(since.elapsed().as_secs_f64() * 1e6);
        std::hint::black_box((gain, cold, strange, moved));
        decision.map_err(|error| error.log())?;
    }
    times.sort_by(f64::total_cmp);
    let at = |share: f64| percentile(&times, share).unwrap_or(0.0);
    Ok(Times { p50_us: at(0.5), p99_us: at(0.99) })
}
