//! Lines over the inputs, turned into lines over the vector and the surface features. Factors and
//! components are linear in the vector, so their weights multiply out once, at the fit; what
//! remains for a decision is one dot product with the vector for each line, five for the crossed
//! components, and the products. No allocation. Pure.

use super::inputs::{CROSSED, FACTORS, Inputs, Prompt, SCALES, SURFACE, Scaled, clip, dot};
use super::ridge::Line;

/// So many lines over a prompt.
#[derive(Debug, Clone, PartialEq)]
pub struct Folded<const N: usize> {
    lines: [Part; N],
    /// The crossed components: rows over the vector, in standard deviations.
    crossed: Vec<Vec<f32>>,
    crossed_offset: [f32; CROSSED],
    surface: Vec<(u16, Scaled)>,
    length: Scaled,
}

/// One line.
#[derive(Debug, Clone, PartialEq)]
struct Part {
    bias: f32,
    vector: Vec<f32>,
    surface: Vec<f32>,
    products: Vec<f32>,
    length: f32,
}

impl<const N: usize> Folded<N> {
    pub(super) fn of(inputs: &Inputs<'_>, lines: [&Line; N]) -> Self {
        let (basis, standard) = (inputs.basis, inputs.standard);
        let row = |n: usize| {
            let scale = standard.crossed_scale[n];
            basis.component(n).iter().map(|value| value * scale).collect()
        };
        Self {
            lines: lines.map(|line| Part::of(inputs, line)),
            crossed: (0..CROSSED).map(row).collect(),
            crossed_offset: std::array::from_fn(|n| {
                standard.component_mean[n] * standard.crossed_scale[n]
            }),
            surface: standard.surface.clone(),
            length: standard.length,
        }
    }

    /// The target that each line expects of a prompt.
    pub fn at(&self, prompt: &Prompt<'_>) -> [f32; N] {
        let length = self.length.at(prompt.log_chars());
        let mut values = std::array::from_fn(|n| {
            let line = &self.lines[n];
            line.bias + dot(&line.vector, prompt.vector) + line.length * length
        });
        let live = self.surface.len();
        let mut surface = [0.0; SURFACE];
        for (value, (place, scaled)) in surface.iter_mut().zip(&self.surface) {
            *value = scaled.at(prompt.surface[usize::from(*place)]);
        }
        let surface = &surface[..live];
        for (value, line) in values.iter_mut().zip(&self.lines) {
            *value += dot(&line.surface, surface);
        }
        let mut products = [0.0; SURFACE];
        for (n, row) in self.crossed.iter().enumerate() {
            let component = dot(row, prompt.vector) - self.crossed_offset[n];
            for (product, value) in products.iter_mut().zip(surface) {
                *product = clip(component * value);
            }
            for (value, line) in values.iter_mut().zip(&self.lines) {
                *value += dot(&line.products[n * live..(n + 1) * live], &products[..live]);
            }
        }
        values
    }
}

impl Part {
    /// In 64 bits: what is multiplied out here was fitted to cancel.
    fn of(inputs: &Inputs<'_>, line: &Line) -> Self {
        let (basis, standard) = (inputs.basis, inputs.standard);
        debug_assert_eq!(line.weights.len(), inputs.width());
        let live = standard.surface.len();
        let [factor, component, surface, product, length] = SCALES.map(f64::from);
        let (factors, rest) = line.weights.split_at(FACTORS);
        let (components, rest) = rest.split_at(basis.width());
        let (plain, rest) = rest.split_at(live);
        let (products, last) = rest.split_at(CROSSED * live);
        let mut bias = line.bias;
        let mut vector = vec![0.0; basis.dimensions];
        let mut add = |weight: f64, row: &[f32]| {
            for (sum, value) in vector.iter_mut().zip(row) {
                *sum += weight * f64::from(*value);
            }
        };
        for (n, weight) in factors.iter().enumerate() {
            let weight = weight * factor * f64::from(basis.factor_scale[n]);
            add(weight, basis.factor(n));
            bias -= weight * f64::from(basis.factor_mean[n]);
        }
        for (n, weight) in components.iter().enumerate() {
            let weight = weight * component;
            add(weight, basis.component(n));
            bias -= weight * f64::from(standard.component_mean[n]);
        }
        let narrow = |weights: &[f64], scale: f64| -> Vec<f32> {
            weights.iter().map(|weight| (weight * scale) as f32).collect()
        };
        Self {
            bias: bias as f32,
            vector: narrow(&vector, 1.0),
            surface: narrow(plain, surface),
            products: narrow(products, product),
            length: (last[0] * length) as f32,
        }
    }
}
