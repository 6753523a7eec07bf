//! Fits the three logistic heads at once by L-BFGS, on soft labels with a ridge. Pure,
//! deterministic.

use crate::route::HEADS;
use crate::route::evidence::cholesky::dot;

/// Standardised inputs of one row and its labels.
#[derive(Debug, Clone, Copy)]
pub struct Example<'a> {
    pub inputs: &'a [f32],
    /// In [0, 1]; a head learns from the rows that have its label.
    pub quality: [Option<f64>; HEADS],
    pub weight: f64,
}

/// Weights of one head; the bias stands last.
pub type Weights = Vec<f64>;

/// The heads that minimise the log loss plus `ridge` / 2 × the squared weights, per unit of total
/// weight.
pub fn fit(examples: &[Example<'_>], width: usize, ridge: f64) -> [Weights; HEADS] {
    let stride = width + 1;
    let labels = |example: &Example<'_>| example.quality.iter().flatten().count() as f64;
    let total = examples.iter().map(|example| example.weight * labels(example)).sum::<f64>();
    let problem = Problem { examples, stride, ridge, total: total.max(f64::MIN_POSITIVE) };
    let flat = minimise(vec![0.0; stride * HEADS], |at| problem.evaluate(at));
    std::array::from_fn(|head| flat[head * stride..(head + 1) * stride].to_vec())
}

/// The head's logit for inputs.
pub fn logit(weights: &[f64], inputs: &[f32]) -> f64 {
    const LANES: usize = 4;
    let (weights, bias) = (&weights[..inputs.len()], weights[inputs.len()]);
    let mut sums = [0.0; LANES];
    let (left, right) = (inputs.chunks_exact(LANES), weights.chunks_exact(LANES));
    let rest = left.remainder().iter().zip(right.remainder());
    let rest: f64 = rest.map(|(x, w)| f64::from(*x) * w).sum();
    for (x, w) in left.zip(right) {
        for lane in 0..LANES {
            sums[lane] += f64::from(x[lane]) * w[lane];
        }
    }
    bias + sums.iter().sum::<f64>() + rest
}

struct Problem<'a> {
    examples: &'a [Example<'a>],
    stride: usize,
    ridge: f64,
    total: f64,
}

impl Problem<'_> {
    /// Loss and gradient.
    fn evaluate(&self, at: &[f64]) -> (f64, Vec<f64>) {
        let mut gradient = vec![0.0; at.len()];
        let mut loss = 0.0;
        for example in self.examples {
            for (head, quality) in example.quality.iter().enumerate() {
                let Some(quality) = quality else { continue };
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

fn add(to: &mut [f64], other: &[f64], times: f64) {
    to.iter_mut().zip(other).for_each(|(to, other)| *to += times * other);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_optimum_of_one_input() {
        // At x = 1 the label is 0.8, at x = −1 it is 0.3; without a ridge both are met exactly.
        let rows = [([1.0], 0.8), ([-1.0], 0.3)];
        let examples: Vec<Example<'_>> = rows
            .iter()
            .map(|(inputs, label)| Example {
                inputs,
                quality: [Some(*label), None, Some(1.0 - label)],
                weight: 2.0,
            })
            .collect();
        let heads = fit(&examples, 1, 0.0);
        let given = |head: usize, x: f32| 1.0 / (1.0 + (-logit(&heads[head], &[x])).exp());
        for (head, x, wanted) in [(0, 1.0, 0.8), (0, -1.0, 0.3), (2, 1.0, 0.2), (2, -1.0, 0.7)] {
            assert!((given(head, x) - wanted).abs() < 1e-3, "{head} {x}: {}", given(head, x));
        }
        assert_eq!(heads[1], [0.0, 0.0], "no labels, no opinion");
        let shrunk = fit(&examples, 1, 100.0);
        assert!(shrunk[0][0].abs() < 0.01 && shrunk[0][1] != 0.0, "the bias is free");
    }

    #[test]
    fn the_gradient_is_that_of_the_loss() {
        let inputs = [[0.3, -1.2, 0.7], [1.1, 0.4, -0.6]];
        let examples: Vec<Example<'_>> = inputs
            .iter()
            .zip([0.2, 0.9])
            .map(|(inputs, q)| Example { inputs, quality: [Some(q); HEADS], weight: q })
            .collect();
        let problem = Problem { examples: &examples, stride: 4, ridge: 0.3, total: 1.7 };
        let at: Vec<f64> = (0..12).map(|n| f64::from(n) * 0.1 - 0.5).collect();
        let (_, gradient) = problem.evaluate(&at);
        for place in 0..at.len() {
            let moved = |by: f64| {
                let mut at = at.clone();
                at[place] += by;
                problem.evaluate(&at).0
            };
            let slope = (moved(1e-6) - moved(-1e-6)) / 2e-6;
            assert!((slope - gradient[place]).abs() < 1e-7, "{place}");
        }
    }
}
