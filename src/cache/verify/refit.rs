//! A refit, on a copy of the window: it takes some tens of milliseconds, and requests meanwhile are
//! decided by what was known before. Pure.
//!
//! A label that took part in the fit agrees with the score more than one that did not, so that a
//! line drawn on such scores is too bold: on short streams above all. The window is therefore
//! scored by folds: each lookup by weights that have not seen its label (cross-fitting, as in
//! Chernozhukov et al. 2018).

use super::judged::Errors;
use super::weights::{Prior, Weights};
use super::window::Window;

/// Parts into which the window is cut.
const FOLDS: u64 = 4;

/// What a refit needs.
#[derive(Debug, Clone)]
pub struct Material {
    pub weights: Weights,
    pub window: Window,
}

/// What it gives.
#[derive(Debug, Clone)]
pub struct Refit {
    /// Fitted to every label.
    pub weights: Weights,
    /// Fitted without the labels of one part each.
    folds: Vec<Weights>,
}

impl Material {
    /// Fits weights to the window, from those in force.
    pub fn refit(&self, prior: &Prior, judge: &Errors) -> Refit {
        let mut weights = self.weights.clone();
        weights.refit(prior, self.window.rows(), judge);
        let without = |fold: u64| {
            let seen = self.window.numbered().filter(move |(number, _)| number % FOLDS != fold);
            let mut weights = self.weights.clone();
            weights.refit(prior, seen.map(|(_, row)| row), judge);
            weights
        };
        Refit { weights, folds: (0..FOLDS).map(without).collect() }
    }
}

impl Refit {
    /// The weights that have not seen the label of a lookup.
    pub fn without(&self, number: u64) -> &Weights {
        &self.folds[(number % FOLDS) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::super::features::COUNT;
    use super::super::window::Row;
    use super::*;

    #[test]
    fn a_lookup_is_scored_by_weights_that_have_not_seen_its_label() {
        let prior = Prior::blank();
        let material = |turned: bool| {
            let mut window = Window::default();
            for n in 0..200_u64 {
                let mut values = [0.0; COUNT];
                values[0] = if n % 8 < 4 { 1.0 } else { -1.0 };
                // The first fold's labels are the only difference between the two.
                let label = (values[0] > 0.0) != (turned && n % FOLDS == 0);
                window.push(Some(Row {
                    values,
                    z: 0.0,
                    label: Some(label),
                    panel: 1,
                    propensity: 1.0,
                    servable: true,
                    served: false,
                }));
            }
            Material { weights: prior.start(), window }
        };
        let (a, b) = (material(false), material(true));
        let (a, b) = (a.refit(&prior, &Errors::NONE), b.refit(&prior, &Errors::NONE));
        assert_eq!(a.without(0), b.without(0));
        assert_ne!(a.without(1), b.without(1));
        assert_ne!(a.weights, b.weights);
        assert!(a.weights.weights[0] > 0.5, "{}", a.weights.weights[0]);
    }
}
