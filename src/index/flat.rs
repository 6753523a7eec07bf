//! Exact search: one dot product per stored vector. No state of its own.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use super::{Neighbour, Row};

/// Independent partial sums: enough for two 256-bit accumulators, and what lets the compiler
/// vectorise a sum of floats, whose order it must not change by itself.
const LANES: usize = 16;

/// Dot product; of unit vectors, the cosine up to rounding. Components beyond the shorter vector
/// are ignored: the index checks dimensions when a vector comes in.
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a_chunks, a_rest) = a.as_chunks::<LANES>();
    let (b_chunks, b_rest) = b.as_chunks::<LANES>();
    let mut sums = [0.0_f32; LANES];
    for (x, y) in a_chunks.iter().zip(b_chunks) {
        for lane in 0..LANES {
            sums[lane] += x[lane] * y[lane];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(x, y)| x * y).sum();
    sums.iter().sum::<f32>() + rest
}

/// Cosine of unit vectors, without the rounding that would carry it past ±1.
pub fn cosine(a: &[f32], b: &[f32]) -> f32 {
    dot(a, b).clamp(-1.0, 1.0)
}

/// The `k` rows nearest to `query`, in falling similarity, the older id first among equals.
pub(super) fn search(rows: &[Row], query: &[f32], k: usize) -> Vec<Neighbour> {
    if k == 0 {
        return Vec::new();
    }
    // The worst of the best k stands on top, so that most rows cost one comparison.
    let mut kept: BinaryHeap<Reverse<Ranked>> = BinaryHeap::with_capacity(k + 1);
    for (id, vector) in rows {
        let ranked = Ranked { similarity: cosine(query, vector), id: *id };
        if kept.len() < k {
            kept.push(Reverse(ranked));
        } else if kept.peek().is_some_and(|Reverse(worst)| ranked > *worst) {
            kept.pop();
            kept.push(Reverse(ranked));
        }
    }
    let mut found: Vec<Ranked> = kept.into_iter().map(|Reverse(ranked)| ranked).collect();
    found.sort_unstable_by(|a, b| b.cmp(a));
    found.into_iter().map(|r| Neighbour { id: r.id, similarity: r.similarity }).collect()
}

/// A neighbour in the order of preference: more similar is greater, then older.
#[derive(Debug, Clone, Copy)]
struct Ranked {
    similarity: f32,
    id: u64,
}

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> Ordering {
        self.similarity.total_cmp(&other.similarity).then_with(|| other.id.cmp(&self.id))
    }
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ranked {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Ranked {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::best;
    use super::*;

    proptest! {
        #[test]
        fn dot_equals_the_plain_sum(pairs in prop::collection::vec((-1.0_f32..1.0, -1.0_f32..1.0), 0..400)) {
            let (a, b): (Vec<f32>, Vec<f32>) = pairs.into_iter().unzip();
            let plain: f64 = a.iter().zip(&b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum();
            prop_assert!((f64::from(dot(&a, &b)) - plain).abs() < 1e-3);
        }

        #[test]
        fn the_heap_gives_what_sorting_everything_gives(
            angles in prop::collection::vec(0_u16..50, 0..60),
            k in 0_usize..30,
        ) {
            // Few distinct angles, so that ties are common.
            let rows: Vec<Row> = angles
                .iter()
                .enumerate()
                .map(|(id, angle)| {
                    let (sin, cos) = (f32::from(*angle) / 50.0).sin_cos();
                    (id as u64, [cos, sin].as_slice().into())
                })
                .collect();
            let query = [1.0, 0.0];
            let all = rows
                .iter()
                .map(|(id, v)| Neighbour { id: *id, similarity: cosine(&query, v) })
                .collect();
            prop_assert_eq!(search(&rows, &query, k), best(all, k));
        }
    }
}
