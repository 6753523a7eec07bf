//! What the heads of a pair read of a prompt: some 560 numbers, each block on a scale of its own.
//! Also the way back: weights over these numbers folded into weights over the vector and the
//! surface features, so that a decision needs no projection. Fitting is `ridge`'s.
//!
//! A ridge shrinks every input alike, so that the scale of a block says how much is expected of it
//! beforehand. The scales were chosen once for all data sets, by out-of-fold APGR on recorded
//! traffic at 200 to 5,000 labels; halving or doubling one of them changes little.

use serde::{Deserialize, Serialize};

use super::fold::Folded;
use super::ridge::Line;
use crate::route::features::FEATURES;

/// Shipped directions of the vector that tell models apart.
pub const FACTORS: usize = 8;
/// Leading components that are multiplied with every surface feature: whether a long text is hard
/// depends on what it is about.
pub const CROSSED: usize = 5;

/// 1/√3000. Directions that split other models are a good guess for a new pair, no more.
const FACTOR_SCALE: f32 = 0.018_257_419;
/// 1/√100. Components keep their own spread: the later ones matter less by themselves.
const COMPONENT_SCALE: f32 = 0.1;
/// 1/√10⁴. Surface features are many and overlap.
const SURFACE_SCALE: f32 = 0.01;
/// 1/√10⁵. Products are the most and the weakest: they speak when there are thousands of labels.
const PRODUCT_SCALE: f32 = 0.003_162_277_6;
/// 1/√1000. Length is the best single guess, and the one input with a prior slope.
pub const LENGTH_SCALE: f32 = 0.031_622_775;

/// Standard deviations beyond which an input counts no further: one odd prompt must not move a fit.
const CLIP: f32 = 5.0;
/// A surface feature that varies less than this among the first prompts is left out.
const LEAST_DEVIATION: f64 = 1e-3;

/// Surface features that a request has.
pub(super) const SURFACE: usize = FEATURES.len();

/// A prompt, as far as the heads look.
#[derive(Debug, Clone, Copy)]
pub struct Prompt<'a> {
    /// Unit vector by the embedder that the basis belongs to.
    pub vector: &'a [f32],
    /// In the order of [`FEATURES`].
    pub surface: &'a [f32],
    /// Characters of the last user text.
    pub chars: usize,
}

impl Prompt<'_> {
    pub(super) fn log_chars(&self) -> f32 {
        (self.chars.max(1) as f32).ln()
    }
}

/// The shipped part: linear maps of the vector, learnt on public prompts and other models.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Basis {
    /// Length of the vectors.
    pub dimensions: usize,
    /// [`FACTORS`] rows.
    pub factors: Vec<f32>,
    /// A factor enters as (value − mean) × scale.
    pub factor_mean: Vec<f32>,
    pub factor_scale: Vec<f32>,
    /// Principal components of the shipped prompts, at least [`CROSSED`], the strongest first. 160
    /// do best; fewer make a fit cheaper.
    pub components: Vec<f32>,
}

impl Basis {
    /// Whether it can be used.
    ///
    /// # Errors
    /// What does not fit, in words.
    pub fn check(&self) -> Result<(), String> {
        if self.width() < CROSSED {
            return Err(format!("{} components, at least {CROSSED} are read", self.width()));
        }
        let parts = [
            ("factors", &self.factors, FACTORS * self.dimensions),
            ("factor_mean", &self.factor_mean, FACTORS),
            ("factor_scale", &self.factor_scale, FACTORS),
            ("components", &self.components, self.width() * self.dimensions),
        ];
        for (name, values, length) in parts {
            if values.len() != length {
                return Err(format!("{name} has {} numbers instead of {length}", values.len()));
            }
            if values.iter().any(|value| !value.is_finite()) {
                return Err(format!("{name} holds what is not a number"));
            }
        }
        Ok(())
    }

    /// Components of the vector.
    pub fn width(&self) -> usize {
        self.components.len().checked_div(self.dimensions).unwrap_or(0)
    }

    pub(super) fn factor(&self, n: usize) -> &[f32] {
        &self.factors[n * self.dimensions..(n + 1) * self.dimensions]
    }

    pub(super) fn component(&self, n: usize) -> &[f32] {
        &self.components[n * self.dimensions..(n + 1) * self.dimensions]
    }
}

/// A value enters as (value − mean) × scale, clipped.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Scaled {
    mean: f32,
    scale: f32,
}

impl Scaled {
    fn of(moments: &Spread, least: f64) -> Self {
        let deviation = moments.deviation();
        let scale = if deviation > least { (1.0 / deviation) as f32 } else { 0.0 };
        Self { mean: moments.mean() as f32, scale }
    }

    pub(super) fn at(self, value: f32) -> f32 {
        clip((value - self.mean) * self.scale)
    }
}

pub(super) fn clip(value: f32) -> f32 {
    value.clamp(-CLIP, CLIP)
}

/// Where the traffic stands: moments of its first prompts. Frozen, since weights and sums learnt on
/// one scale mean nothing on another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standard {
    pub(super) component_mean: Vec<f32>,
    /// 1 / deviation of the crossed components.
    pub(super) crossed_scale: Vec<f32>,
    /// The surface features that vary, with their places in [`FEATURES`].
    pub(super) surface: Vec<(u16, Scaled)>,
    pub(super) length: Scaled,
}

impl Standard {
    /// From the first prompts of the traffic; two hundred do as well as all.
    pub fn of(basis: &Basis, prompts: &[Prompt<'_>]) -> Self {
        let mut components = vec![Spread::default(); basis.width()];
        let mut surface = vec![Spread::default(); SURFACE];
        let mut length = Spread::default();
        for prompt in prompts {
            for (n, spread) in components.iter_mut().enumerate() {
                spread.take(f64::from(dot(basis.component(n), prompt.vector)));
            }
            for (spread, value) in surface.iter_mut().zip(prompt.surface) {
                spread.take(f64::from(*value));
            }
            length.take(f64::from(prompt.log_chars()));
        }
        let scaled =
            |(place, spread): (usize, &Spread)| (place as u16, Scaled::of(spread, LEAST_DEVIATION));
        let varies = |(_, scaled): &(u16, Scaled)| scaled.scale > 0.0;
        Self {
            component_mean: components.iter().map(|spread| spread.mean() as f32).collect(),
            crossed_scale: components[..CROSSED]
                .iter()
                .map(|spread| (1.0 / (spread.deviation() + 1e-6)) as f32)
                .collect(),
            surface: surface.iter().enumerate().map(scaled).filter(varies).collect(),
            length: Scaled::of(&length, 1e-6),
        }
    }

    /// Whether it can be used; what was read from a file may not fit the basis or this build.
    ///
    /// # Errors
    /// What does not fit, in words.
    pub fn check(&self, basis: &Basis) -> Result<(), String> {
        if self.component_mean.len() != basis.width() || self.crossed_scale.len() != CROSSED {
            return Err("other components than the basis has".to_owned());
        }
        if self.surface.iter().any(|(place, _)| usize::from(*place) >= SURFACE) {
            return Err("other surface features than this build's".to_owned());
        }
        Ok(())
    }
}

/// Running mean and spread (Welford's sums).
#[derive(Debug, Clone, Copy, Default)]
struct Spread {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Spread {
    fn take(&mut self, value: f64) {
        self.count += 1.0;
        let from = value - self.mean;
        self.mean += from / self.count;
        self.squares += from * (value - self.mean);
    }

    fn mean(&self) -> f64 {
        self.mean
    }

    fn deviation(&self) -> f64 {
        (self.squares / self.count.max(1.0)).sqrt()
    }
}

/// The map from a prompt to the inputs of the heads.
#[derive(Debug, Clone)]
pub struct Inputs<'a> {
    pub basis: &'a Basis,
    pub standard: &'a Standard,
}

impl Inputs<'_> {
    /// How many numbers a prompt becomes.
    pub fn width(&self) -> usize {
        let surface = self.standard.surface.len();
        FACTORS + self.basis.width() + surface + CROSSED * surface + 1
    }

    /// The inputs of a prompt; what `x` held is dropped. In order: factors, components, surface
    /// features, products, and the logarithm of the length as the last.
    pub fn write(&self, prompt: &Prompt<'_>, x: &mut Vec<f32>) {
        debug_assert_eq!(prompt.vector.len(), self.basis.dimensions);
        debug_assert_eq!(prompt.surface.len(), SURFACE);
        x.clear();
        x.reserve(self.width());
        let (basis, standard) = (self.basis, self.standard);
        x.extend((0..FACTORS).map(|n| {
            let value = dot(basis.factor(n), prompt.vector);
            (value - basis.factor_mean[n]) * basis.factor_scale[n] * FACTOR_SCALE
        }));
        x.extend((0..basis.width()).map(|n| {
            let value = dot(basis.component(n), prompt.vector) - standard.component_mean[n];
            value * COMPONENT_SCALE
        }));
        let scaled =
            |(place, scaled): &(u16, Scaled)| scaled.at(prompt.surface[usize::from(*place)]);
        x.extend(standard.surface.iter().map(|entry| scaled(entry) * SURFACE_SCALE));
        for (n, scale) in standard.crossed_scale.iter().enumerate() {
            let component = x[FACTORS + n] / COMPONENT_SCALE * scale;
            let product = |entry: &(u16, Scaled)| clip(component * scaled(entry)) * PRODUCT_SCALE;
            x.extend(standard.surface.iter().map(product));
        }
        x.push(standard.length.at(prompt.log_chars()) * LENGTH_SCALE);
    }

    /// Lines over the inputs, as lines over the prompt itself.
    pub fn fold<const N: usize>(&self, lines: [&Line; N]) -> Folded<N> {
        Folded::of(self, lines)
    }
}

/// The scales of the blocks, in order.
pub(super) const SCALES: [f32; 5] =
    [FACTOR_SCALE, COMPONENT_SCALE, SURFACE_SCALE, PRODUCT_SCALE, LENGTH_SCALE];

/// Σ a·b, in eight sums side by side: one sum waits for itself at every step.
pub(in crate::route) fn dot(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 8;
    let mut sums = [0.0_f32; LANES];
    let (left, right) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f32 = left.remainder().iter().zip(right.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in left.zip(right) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
#[path = "inputs_tests.rs"]
pub(super) mod tests;
