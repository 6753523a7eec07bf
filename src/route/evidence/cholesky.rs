//! Symmetric matrices, their lower triangle packed row by row, and Cholesky's factors of them: what
//! a ridge asks of linear algebra. Pure.

/// Entries of a packed lower triangle of so many rows.
pub fn packed(side: usize) -> usize {
    side * (side + 1) / 2
}

/// Rows or columns that are worked on together.
pub const BLOCK: usize = 8;

/// Adds eight rows times their factors. Spelt out, so that the loop is over the sums alone and the
/// compiler sees that they are independent.
pub fn add_eight(sums: &mut [f64], f: [f64; BLOCK], rows: [&[f64]; BLOCK]) {
    let length = sums.len();
    let [a, b, c, d, e, g, h, i] = rows.map(|row| &row[..length]);
    for (n, sum) in sums.iter_mut().enumerate() {
        let first = f[0] * a[n] + f[1] * b[n] + (f[2] * c[n] + f[3] * d[n]);
        let second = f[4] * e[n] + f[5] * g[n] + (f[6] * h[n] + f[7] * i[n]);
        *sum += first + second;
    }
}

/// L of A = L·Lᵀ, packed as A is.
#[derive(Debug, Clone, PartialEq)]
pub struct Cholesky {
    side: usize,
    rows: Vec<f64>,
}

impl Cholesky {
    /// Factors of a packed matrix plus `ridge` on its diagonal; `None` where that is not positive
    /// definite. O(side³ / 6) multiplications.
    ///
    /// Eight columns are finished at a time and then taken out of all that is right of them, so
    /// that each number there is read and written an eighth as often.
    pub fn of(matrix: &[f64], side: usize, ridge: f64) -> Option<Self> {
        debug_assert_eq!(matrix.len(), packed(side));
        let mut rows = matrix.to_vec();
        let mut columns = vec![0.0; BLOCK * side];
        for first in (0..side).step_by(BLOCK) {
            let end = side.min(first + BLOCK);
            for i in first..side {
                let (above, rest) = rows.split_at_mut(packed(i));
                let own = &mut rest[..=i];
                for j in first..end.min(i) {
                    let other = &above[packed(j)..=packed(j) + j];
                    let known: f64 = dot(&own[first..j], &other[first..j]);
                    own[j] = (own[j] - known) / other[j];
                }
                if i < end {
                    let square = own[i] + ridge - dot(&own[first..i], &own[first..i]);
                    if square <= 0.0 || !square.is_finite() {
                        return None;
                    }
                    own[i] = square.sqrt();
                } else {
                    for (column, value) in columns.chunks_exact_mut(side).zip(&own[first..end]) {
                        column[i] = *value;
                    }
                }
            }
            // Rows remain only below a whole block of columns.
            for i in end..side {
                let factors = std::array::from_fn(|k| -columns[k * side + i]);
                let parts = std::array::from_fn(|k| &columns[k * side..][end..=i]);
                add_eight(&mut rows[packed(i) + end..=packed(i) + i], factors, parts);
            }
        }
        Some(Self { side, rows })
    }

    fn row(&self, i: usize) -> &[f64] {
        &self.rows[packed(i)..=packed(i) + i]
    }

    /// ln det A.
    pub fn log_determinant(&self) -> f64 {
        2.0 * (0..self.side).map(|i| self.row(i)[i].ln()).sum::<f64>()
    }

    /// L⁻¹·right, in place.
    fn forward(&self, right: &mut [f64]) {
        for i in 0..self.side {
            let row = self.row(i);
            right[i] = (right[i] - dot(&row[..i], &right[..i])) / row[i];
        }
    }

    /// A⁻¹·right.
    pub fn solve(&self, right: &[f64]) -> Vec<f64> {
        let mut solution = right.to_vec();
        self.forward(&mut solution);
        for i in (0..self.side).rev() {
            let row = self.row(i);
            let value = solution[i] / row[i];
            solution[i] = value;
            for (below, factor) in solution[..i].iter_mut().zip(row) {
                *below -= factor * value;
            }
        }
        solution
    }

    /// xᵀ·A⁻¹·x.
    pub fn spread(&self, x: &[f64]) -> f64 {
        let mut half = x.to_vec();
        self.forward(&mut half);
        dot(&half, &half)
    }
}

/// Σ a·b, in eight sums side by side: one sum waits for itself at every step.
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    const LANES: usize = 8;
    let mut sums = [0.0_f64; LANES];
    let (left, right) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f64 = left.remainder().iter().zip(right.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in left.zip(right) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn solves_what_it_was_given() {
        // A = B·Bᵀ + 0.5·I of a small B without structure.
        let side = 11;
        let b = |i: usize, j: usize| ((i * 7 + j * 13) % 10) as f64 / 5.0 - 1.0;
        let plain = |i: usize, j: usize| (0..side).map(|k| b(i, k) * b(j, k)).sum::<f64>();
        let matrix: Vec<f64> = (0..side).flat_map(|i| (0..=i).map(move |j| plain(i, j))).collect();
        let factors = Cholesky::of(&matrix, side, 0.5).expect("positive definite");
        let right: Vec<f64> = (0..side).map(|i| i as f64 - 3.0).collect();
        let solution = factors.solve(&right);
        for (i, wanted) in right.iter().enumerate() {
            let back: f64 = (0..side).map(|j| plain(i, j) * solution[j]).sum::<f64>();
            let back = back + 0.5 * solution[i];
            assert!((back - wanted).abs() < 1e-9, "{i}: {back}");
        }
        assert!((factors.spread(&right) - dot(&right, &solution)).abs() < 1e-9);
    }

    #[test]
    fn the_factors_multiply_to_the_matrix() {
        // Every size about the block's, and one of many blocks.
        for side in (1..20).chain([61, 64]) {
            let b = |i: usize, j: usize| ((i * 31 + j * 17 + i * j) % 23) as f64 / 11.0 - 1.0;
            let cell = |i: usize, j: usize| (0..side).map(|k| b(i, k) * b(j, k)).sum::<f64>();
            let matrix: Vec<f64> =
                (0..side).flat_map(|i| (0..=i).map(move |j| cell(i, j))).collect();
            let factors = Cholesky::of(&matrix, side, 0.7).expect("positive definite");
            for i in 0..side {
                for j in 0..=i {
                    let product = dot(&factors.row(i)[..=j], factors.row(j));
                    let wanted = cell(i, j) + if i == j { 0.7 } else { 0.0 };
                    assert!((product - wanted).abs() < 1e-9, "{side}: {i} {j}");
                }
            }
        }
    }

    #[test]
    fn knows_the_determinant_and_what_is_not_definite() {
        // [[4, 2], [2, 3]]: determinant 8.
        let factors = Cholesky::of(&[4.0, 2.0, 3.0], 2, 0.0).expect("positive definite");
        assert!((factors.log_determinant() - 8.0_f64.ln()).abs() < 1e-12);
        assert_eq!(Cholesky::of(&[1.0, 2.0, 1.0], 2, 0.0), None);
        assert_eq!(Cholesky::of(&[f64::NAN], 1, 1.0), None);
    }
}
