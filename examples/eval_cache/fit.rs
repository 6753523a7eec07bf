//! Fits the prior: the features of the best candidate at every lookup and the truth, from one run
//! that serves nothing and some of the policy itself, each stream weighing the same.

use semgate::cache::verify::features::{COUNT, TABLE};
use semgate::cache::verify::mind::Goals;
use semgate::cache::verify::weights::{Prior, PriorFeature, PriorFile, sigmoid};
use semgate::cache::verify::{Budget, Errors};

use super::run::{Run, Sample, Setup, run};
use super::stream::Stream;

/// Lookups of the run that serves nothing.
const MUTE: usize = 4000;
/// Runs of the policy: each takes a course of its own, and one alone would leave its mark.
const RUNS: u64 = 3;
/// Samples that a stream weighs as.
const WEIGHT: f64 = 4000.0;
const RIDGE: f64 = 20.0;

/// A feature that hardly varies in the training streams may vary elsewhere: a deviation below this
/// would make a rare flag count for dozens.
const LEAST_DEVIATION: f64 = 0.15;

/// Of the draws of exploration.
pub const SEED: u64 = 7;

/// Samples on the original scale, with the weight of each.
type Samples = Vec<(Sample, f64)>;

const GOALS: Goals = Goals { budget: Budget { lookups: 0.01, hits: None }, exploration: 0.02 };

fn setup(seed: u64, mute: bool) -> Setup {
    Setup { goals: GOALS, judge: Errors::NONE, seed, replaced: 0.0, mute }
}

/// A prior that knows the cosine only, to begin with.
fn naive() -> Prior {
    let mut prior = Prior::blank();
    (prior.means[0], prior.deviations[0], prior.weights[0], prior.bias) = (0.8, 0.14, 2.0, 0.0);
    prior
}

/// A prior fitted on streams.
pub fn fit(streams: &[&Stream], seed: u64) -> Prior {
    let first: Vec<Vec<Sample>> = streams
        .iter()
        .map(|stream| {
            let mut samples = raw(&naive(), run(stream, &naive(), &setup(seed, true)));
            samples.truncate(MUTE);
            samples
        })
        .collect();
    let sketch = solve(&weigh(&first));
    let both = streams.iter().zip(first).map(|(stream, mut samples)| {
        for run_seed in seed + 1..=seed + RUNS {
            samples.extend(raw(&sketch, run(stream, &sketch, &setup(run_seed, false))));
        }
        samples
    });
    solve(&weigh(&both.collect::<Vec<_>>()))
}

/// The samples of a run, off the prior's scale.
fn raw(prior: &Prior, run: Run) -> Vec<Sample> {
    let mut samples = run.samples;
    for sample in &mut samples {
        for f in 0..COUNT {
            sample.values[f] = sample.values[f] * prior.deviations[f] + prior.means[f];
        }
    }
    samples
}

fn weigh(streams: &[Vec<Sample>]) -> Samples {
    let weighed = streams.iter().flat_map(|samples| {
        let weight = WEIGHT / samples.len().max(1) as f64;
        samples.iter().map(move |sample| (sample.clone(), weight))
    });
    weighed.collect()
}

/// Logistic regression with a ridge towards zero, the bias free.
fn solve(samples: &Samples) -> Prior {
    let mut prior = scale(samples);
    let mut weights = [0.0_f64; COUNT + 1];
    for _ in 0..25 {
        let mut gradient = [0.0_f64; COUNT + 1];
        let mut hessian = vec![[0.0_f64; COUNT + 1]; COUNT + 1];
        for f in 0..COUNT {
            gradient[f] = RIDGE * weights[f];
            hessian[f][f] = RIDGE;
        }
        for (sample, weight) in samples {
            let mut values = [1.0_f64; COUNT + 1];
            for (to, from) in values.iter_mut().zip(prior.standardise(&sample.values)) {
                *to = f64::from(from);
            }
            let z: f64 = values.iter().zip(&weights).map(|(value, weight)| value * weight).sum();
            let p = f64::from(sigmoid(z as f32));
            let truth = f64::from(u8::from(sample.right));
            for a in 0..=COUNT {
                gradient[a] += weight * (p - truth) * values[a];
                let curve = weight * p * (1.0 - p) * values[a];
                for b in 0..=a {
                    hessian[a][b] += curve * values[b];
                }
            }
        }
        let step = cholesky(hessian, gradient);
        let mut moved = 0.0_f64;
        for (weight, part) in weights.iter_mut().zip(step) {
            let part = part.clamp(-2.0, 2.0);
            *weight -= part;
            moved = moved.max(part.abs());
        }
        if moved < 1e-5 {
            break;
        }
    }
    prior.bias = weights[COUNT] as f32;
    for (to, from) in prior.weights.iter_mut().zip(weights) {
        *to = from as f32;
    }
    prior
}

fn scale(samples: &Samples) -> Prior {
    let mut prior = Prior::blank();
    let all: f64 = samples.iter().map(|(_, weight)| weight).sum();
    for f in 0..TABLE.len() {
        let mean = samples.iter().map(|(s, w)| w * f64::from(s.values[f])).sum::<f64>() / all;
        let variance = samples.iter().map(|(s, w)| w * (f64::from(s.values[f]) - mean).powi(2));
        let deviation = (variance.sum::<f64>() / all).sqrt();
        prior.means[f] = mean as f32;
        prior.deviations[f] = deviation.max(LEAST_DEVIATION) as f32;
    }
    prior
}

fn cholesky(mut a: Vec<[f64; COUNT + 1]>, mut right: [f64; COUNT + 1]) -> [f64; COUNT + 1] {
    let side = COUNT + 1;
    for j in 0..side {
        for i in j..side {
            let sum: f64 = (0..j).map(|k| a[i][k] * a[j][k]).sum();
            a[i][j] =
                if i == j { (a[i][j] - sum).max(1e-9).sqrt() } else { (a[i][j] - sum) / a[j][j] };
        }
    }
    for i in 0..side {
        let sum: f64 = (0..i).map(|k| a[i][k] * right[k]).sum();
        right[i] = (right[i] - sum) / a[i][i];
    }
    for i in (0..side).rev() {
        let sum: f64 = (i + 1..side).map(|k| a[k][i] * right[k]).sum();
        right[i] = (right[i] - sum) / a[i][i];
    }
    right
}

/// The prior as the files that ship: weights, and the card beside them.
pub fn files(prior: &Prior, trained_on: Vec<String>) -> (String, String) {
    let features = TABLE.iter().enumerate().map(|(place, feature)| PriorFeature {
        name: feature.name.to_owned(),
        mean: prior.means[place],
        deviation: prior.deviations[place],
        weight: prior.weights[place],
    });
    let rows: String = TABLE
        .iter()
        .zip(&prior.weights)
        .map(|(feature, weight)| {
            format!("| {} | {} | {weight:.3} |\n", feature.name, feature.meaning)
        })
        .collect();
    let file = PriorFile {
        embedder: "all-MiniLM-L6-v2@53aa51172d14".to_owned(),
        features: features.collect(),
        bias: prior.bias,
        trained_on,
    };
    let json = serde_json::to_string_pretty(&file).expect("invariant: numbers and names serialise");
    (json + "\n", CARD.replace("{rows}", &rows))
}

const CARD: &str = "\
# The verifier's prior

`verifier-prior.json` holds the weights with which the semantic cache scores a stored question
before it has seen any traffic: the log-odds that its answer answers the question asked. From the
first hundred lookups on they follow the traffic of each tenant and route.

- **Fitted by** `cargo run --release --example eval_cache -- --fit`, deterministically: the best
  candidate of every lookup in one run that serves nothing and three of the cache itself, with
  the labels as truth; logistic regression with a ridge of 20 towards zero; each stream weighs the
  same.
- **Fitted on** banking77 (PolyAI, CC BY 4.0, github.com/PolyAI-LDN/task-specific-datasets),
  clinc150 (Clinc, CC BY 3.0, github.com/clinc/oos-eval) and the Bitext customer support set
  (CDLA-Sharing-1.0, github.com/bitext/customer-support-intent-detection-training-dataset), all in
  English. The weights hold no text of theirs.
- **Embedder**: all-MiniLM-L6-v2. Other vectors have other cosines; the prior does not fit them.
- **Limits**: intents are more generous labels than free-form answers. The error budget does not
  rest on the prior but on what is learnt online; `docs/cache.md` has the figures.

| feature | meaning | weight |
| --- | --- | --- |
{rows}";
