//! Eigenvectors of a covariance matrix, by Jacobi's rotations from one side. Pure, deterministic;
//! some seconds at 384 × 384, for which there is time when something is trained.

use crate::route::evidence::cholesky::dot;

/// Rows whose cosine is below this count as orthogonal.
const ORTHOGONAL: f64 = 1e-12;
/// A value this small beside the largest is rounding.
const ROUNDING: f64 = 1e-10;
/// Ten sweeps have always been enough; this only makes the end certain.
const MAX_SWEEPS: usize = 40;

/// An eigenvector with its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Direction {
    pub value: f64,
    /// Of unit length; its largest entry is positive, so that the sign is settled.
    pub vector: Vec<f64>,
}

/// The eigenvectors of a symmetric matrix without negative eigenvalues, the largest value first.
///
/// A rotation of two rows leaves AᵀA as it is. Once all rows are orthogonal to each other they are
/// the eigenvectors, each as long as its eigenvalue: for A = Q·D·Qᵀ the rows of D·Qᵀ. A value of
/// zero gives no direction and is left out.
pub fn eigen(mut matrix: Vec<Vec<f64>>) -> Vec<Direction> {
    for _ in 0..MAX_SWEEPS {
        if !sweep(&mut matrix) {
            break;
        }
    }
    let mut found: Vec<Direction> = matrix.into_iter().filter_map(direction).collect();
    found.sort_by(|a, b| b.value.total_cmp(&a.value));
    let least = found.first().map_or(0.0, |first| first.value * ROUNDING);
    found.retain(|direction| direction.value > least);
    found
}

fn direction(mut row: Vec<f64>) -> Option<Direction> {
    let value = dot(&row, &row).sqrt();
    let largest = row.iter().copied().reduce(|a, b| if b.abs() > a.abs() { b } else { a })?;
    let length = value.copysign(largest);
    row.iter_mut().for_each(|entry| *entry /= length);
    (value > 0.0).then_some(Direction { value, vector: row })
}

/// Makes every pair of rows orthogonal once; whether any was not.
fn sweep(rows: &mut [Vec<f64>]) -> bool {
    let mut squares: Vec<f64> = rows.iter().map(|row| dot(row, row)).collect();
    // What is this small beside the largest row is rounding, not a direction.
    let least = squares.iter().copied().fold(0.0, f64::max) * 1e-28;
    let mut turned = false;
    for i in 1..rows.len() {
        let (above, rest) = rows.split_at_mut(i);
        let low = &mut rest[0];
        for (j, high) in above.iter_mut().enumerate() {
            if squares[i] <= least || squares[j] <= least {
                continue;
            }
            let product = dot(high, low);
            if product.abs() <= ORTHOGONAL * (squares[i] * squares[j]).sqrt() {
                continue;
            }
            rotate(high, low, squares[j], squares[i], product);
            (squares[j], squares[i]) = (dot(high, high), dot(low, low));
            turned = true;
        }
    }
    turned
}

/// Turns two rows into their plane's orthogonal pair, the longer one first: that order is what
/// makes the sweeps converge fast.
fn rotate(high: &mut [f64], low: &mut [f64], high_square: f64, low_square: f64, product: f64) {
    let slope = (high_square - low_square) / (2.0 * product);
    let mut tangent = slope.signum() / (slope.abs() + slope.hypot(1.0));
    if high_square < low_square {
        tangent = -1.0 / tangent;
    }
    let cosine = 1.0 / tangent.hypot(1.0);
    let sine = cosine * tangent;
    for (high, low) in high.iter_mut().zip(low) {
        (*high, *low) = (cosine * *high + sine * *low, cosine * *low - sine * *high);
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::SmallRng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    /// B·Bᵀ of a random B with fewer columns than rows: rank `rank`.
    fn covariance(side: usize, rank: usize) -> Vec<Vec<f64>> {
        let mut rng = SmallRng::seed_from_u64(5);
        let b: Vec<Vec<f64>> = (0..side)
            .map(|_| (0..rank).map(|k| rng.random_range(-1.0..1.0) / (k + 1) as f64).collect())
            .collect();
        b.iter().map(|left| b.iter().map(|right| dot(left, right)).collect()).collect()
    }

    #[test]
    fn directions_are_orthonormal_and_rebuild_the_matrix() {
        let matrix = covariance(40, 40);
        let found = eigen(matrix.clone());
        assert_eq!(found.len(), 40);
        assert!(found.windows(2).all(|pair| pair[0].value >= pair[1].value));
        for (i, left) in found.iter().enumerate() {
            for (j, right) in found.iter().enumerate() {
                let wanted = f64::from(u8::from(i == j));
                assert!((dot(&left.vector, &right.vector) - wanted).abs() < 1e-9, "{i} {j}");
            }
        }
        for (i, row) in matrix.iter().enumerate() {
            for (j, wanted) in row.iter().enumerate() {
                let entry = |d: &Direction| d.value * d.vector[i] * d.vector[j];
                let rebuilt: f64 = found.iter().map(entry).sum();
                assert!((rebuilt - wanted).abs() < 1e-9, "{i} {j}: {rebuilt} for {wanted}");
            }
        }
    }

    #[test]
    fn known_values_come_in_order_and_signs_are_settled() {
        let matrix = vec![vec![2.0, 1.0, 0.0], vec![1.0, 2.0, 0.0], vec![0.0, 0.0, 7.0]];
        let found = eigen(matrix);
        for (found, wanted) in found.iter().zip([7.0, 3.0, 1.0]) {
            assert!((found.value - wanted).abs() < 1e-12);
        }
        assert!((found[1].vector[0] - 0.5_f64.sqrt()).abs() < 1e-9);
        let largest = |d: &Direction| d.vector.iter().copied().fold(0.0, f64::max);
        assert!(found.iter().all(|d| largest(d) > 0.5));
    }

    #[test]
    fn a_singular_matrix_keeps_its_leading_directions() {
        let (matrix, rank) = (covariance(30, 6), 6);
        let found = eigen(matrix.clone());
        assert_eq!(found.len(), rank);
        for leading in &found {
            for (row, entry) in matrix.iter().zip(&leading.vector) {
                assert!((dot(row, &leading.vector) - leading.value * entry).abs() < 1e-9);
            }
        }
        assert!(eigen(vec![vec![0.0; 2]; 2]).is_empty());
    }
}
