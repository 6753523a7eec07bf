//! Fits three logistic heads at once by L-BFGS, on soft labels with a ridge.

/// Standardised inputs of one row and its labels.
pub struct Example<'a> {
    pub inputs: &'a [f32],
    pub quality: [Option<f32>; HEADS],
    pub weight: f64,
}

pub const HEADS: usize = 3;

/// Weights of one head; the bias stands last.
pub type Weights = Vec<f64>;

/// The heads that minimise the log loss plus `ridge` / 2 × the squared weights, per unit of total
/// weight. Deterministic.
pub fn fit(examples: &[Example<'_>], width: usize, ridge: f64) -> [Weights; HEADS] {
    let stride = width + 1;
    let problem = Problem { examples, stride, ridge, total: total_weight(examples) };
    let flat = minimise(vec![0.0; stride * HEADS], |at| problem.evaluate(at));
    let head = |index: usize| flat[index * stride..(index + 1) * stride].to_vec();
    [head(0), head(1), head(2)]
}

/// The head's logit for inputs.
pub fn logit(weights: &[f64], inputs: &[f32]) -> f64 {
    let bias = weights[inputs.len()];
    bias + inputs.iter().zip(weights).map(|(x, w)| f64::from(*x) * w).sum::<f64>()
}

struct Problem<'a> {
    examples: &'a [Example<'a>],
    stride: usize,
    ridge: f64,
    total: f64,
}

fn total_weight(examples: &[Example<'_>]) -> f64 {
    let labels = |example: &Example<'_>| example.quality.iter().flatten().count() as f64;
    examples.iter().map(|example| example.weight * labels(example)).sum()
}

impl Problem<'_> {
    /// Loss and gradient.
    fn evaluate(&self, at: &[f64]) -> (f64, Vec<f64>) {
        let mut gradient = vec![0.0; at.len()];
        let mut loss = 0.0;
        for example in self.examples {
            for (head, quality) in example.quality.iter().enumerate() {
                let Some(quality) = quality.map(f64::from) else { continue };
                let place = head * self.stride..(head + 1) * self.stride;
                let value = logit(&at[place.clone()], example.inputs);
                let share = example.weight / self.total;
                // log(1 + e^v) − y·v, written so that it cannot overflow.
                loss += share * (value.max(0.0) + (-value.abs()).exp().ln_1p() - quality * value);
                let residual = share * (1.0 / (1.0 + (-value).exp()) - quality);
                let slope = &mut gradient[place];
                for (slope, input) in slope.iter_mut().zip(example.inputs) {
                    *slope += residual * f64::from(*input);
                }
                slope[self.stride - 1] += residual;
            }
        }
        loss += self.penalise(at, &mut gradient);
        (loss, gradient)
    }

    /// The biases are free.
    fn penalise(&self, at: &[f64], gradient: &mut [f64]) -> f64 {
        let mut loss = 0.0;
        for (place, weight) in at.iter().enumerate() {
            if place % self.stride != self.stride - 1 {
                loss += 0.5 * self.ridge * weight * weight;
                gradient[place] += self.ridge * weight;
            }
        }
        loss
    }
}

const MEMORY: usize = 10;
const MAX_STEPS: usize = 300;
const SMALL_GRADIENT: f64 = 1e-5;

/// L-BFGS with backtracking. The function is convex and smooth, so that a step that decreases it
/// enough (Armijo) is all the line search needs.
fn minimise(mut at: Vec<f64>, evaluate: impl Fn(&[f64]) -> (f64, Vec<f64>)) -> Vec<f64> {
    let (mut loss, mut gradient) = evaluate(&at);
    let mut history: Vec<(Vec<f64>, Vec<f64>)> = Vec::new();
    for _ in 0..MAX_STEPS {
        if dot(&gradient, &gradient).sqrt() < SMALL_GRADIENT {
            break;
        }
        let direction = direction(&gradient, &history);
        let slope = dot(&gradient, &direction);
        let mut step =
            if history.is_empty() { 1.0 / dot(&gradient, &gradient).sqrt() } else { 1.0 };
        let (next, next_loss, next_gradient) = loop {
            let next: Vec<f64> = at.iter().zip(&direction).map(|(a, d)| a + step * d).collect();
            let (next_loss, next_gradient) = evaluate(&next);
            if next_loss <= loss + 1e-4 * step * slope || step < 1e-10 {
                break (next, next_loss, next_gradient);
            }
            step /= 2.0;
        };
        let moved: Vec<f64> = next.iter().zip(&at).map(|(a, b)| a - b).collect();
        let turned: Vec<f64> = next_gradient.iter().zip(&gradient).map(|(a, b)| a - b).collect();
        if dot(&moved, &turned) > 1e-16 {
            history.push((moved, turned));
            if history.len() > MEMORY {
                history.remove(0);
            }
        }
        (at, loss, gradient) = (next, next_loss, next_gradient);
    }
    at
}

/// The two-loop recursion: −H·gradient with H from the last steps.
fn direction(gradient: &[f64], history: &[(Vec<f64>, Vec<f64>)]) -> Vec<f64> {
    let mut direction: Vec<f64> = gradient.iter().map(|g| -g).collect();
    let mut shares = Vec::with_capacity(history.len());
    for (moved, turned) in history.iter().rev() {
        let share = dot(moved, &direction) / dot(moved, turned);
        add(&mut direction, turned, -share);
        shares.push(share);
    }
    if let Some((moved, turned)) = history.last() {
        let scale = dot(moved, turned) / dot(turned, turned);
        direction.iter_mut().for_each(|d| *d *= scale);
    }
    for ((moved, turned), share) in history.iter().zip(shares.into_iter().rev()) {
        let correction = dot(turned, &direction) / dot(moved, turned);
        add(&mut direction, moved, share - correction);
    }
    direction
}

fn dot(left: &[f64], right: &[f64]) -> f64 {
    left.iter().zip(right).map(|(a, b)| a * b).sum()
}

fn add(to: &mut [f64], other: &[f64], times: f64) {
    to.iter_mut().zip(other).for_each(|(a, b)| *a += times * b);
}
