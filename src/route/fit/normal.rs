//! Weighted least squares with a ridge and several targets at once, from sums. Pure.

use crate::route::evidence::cholesky::{Cholesky, packed};

/// Σ w·x·xᵀ, packed, and Σ w·x·t of each target.
#[derive(Debug)]
pub struct Normal {
    side: usize,
    matrix: Vec<f64>,
    right: Vec<Vec<f64>>,
}

impl Normal {
    pub fn new(side: usize, targets: usize) -> Self {
        Self { side, matrix: vec![0.0; packed(side)], right: vec![vec![0.0; side]; targets] }
    }

    /// Takes a row in. Inputs and targets are centred by the caller: there is no intercept.
    pub fn add(&mut self, x: &[f64], targets: &[f64], weight: f64) {
        for (i, value) in x.iter().enumerate() {
            let weighted = value * weight;
            let row = &mut self.matrix[packed(i)..=packed(i) + i];
            row.iter_mut().zip(x).for_each(|(sum, other)| *sum += weighted * other);
        }
        for (right, target) in self.right.iter_mut().zip(targets) {
            right.iter_mut().zip(x).for_each(|(sum, value)| *sum += weight * target * value);
        }
    }

    /// For each target the weights that minimise Σ w·(t − x·weights)² + penalty·|weights|².
    /// `penalty` is positive.
    pub fn solve(&self, penalty: f64) -> Vec<Vec<f64>> {
        let factors = Cholesky::of(&self.matrix, self.side, penalty)
            .expect("invariant: sums of squares with a penalty are positive definite");
        self.right.iter().map(|right| factors.solve(right)).collect()
    }

    /// The matrix of sums in full, row by row.
    pub fn square(&self) -> Vec<Vec<f64>> {
        let at = |i: usize, j: usize| self.matrix[packed(i.max(j)) + i.min(j)];
        (0..self.side).map(|i| (0..self.side).map(|j| at(i, j)).collect()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_weights_behind_the_targets() {
        let mut sums = Normal::new(3, 2);
        for n in 0..200_u32 {
            let x = [1, 7, 13].map(|k| f64::from((n * k) % 11) - 5.0);
            let targets = [2.0 * x[0] - x[2], 0.5 * x[1]];
            sums.add(&x, &targets, f64::from(n % 3) + 0.5);
        }
        let found = sums.solve(1e-6);
        for (found, wanted) in found.iter().zip([[2.0, 0.0, -1.0], [0.0, 0.5, 0.0]]) {
            assert!(found.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-6), "{found:?}");
        }
        let shrunk = sums.solve(1e9);
        assert!(shrunk[0].iter().all(|weight| weight.abs() < 1e-3));
    }

    #[test]
    fn the_full_matrix_is_symmetric() {
        let mut sums = Normal::new(2, 0);
        sums.add(&[1.0, 2.0], &[], 1.0);
        sums.add(&[3.0, -1.0], &[], 2.0);
        assert_eq!(sums.square(), [[19.0, -4.0], [-4.0, 6.0]]);
    }
}
