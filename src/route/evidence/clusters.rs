//! k-means (Lloyd 1982) over unit vectors: topics of the traffic. Pure; the start is by a seed.

use rand::SeedableRng;
use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use super::inputs::dot;

/// Passes over the vectors. The shares need no more, and the borders settle soon.
const PASSES: usize = 8;

/// Centres, and which of them is nearest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clusters {
    centres: Vec<Vec<f32>>,
    /// Half the square of each centre's length: x is nearest to the c of highest x·c − |c|²/2.
    half_squares: Vec<f32>,
}

impl Clusters {
    /// So many clusters of the vectors, or as many as there are vectors.
    pub fn of(vectors: &[&[f32]], count: usize, seed: u64) -> Self {
        let mut order: Vec<usize> = (0..vectors.len()).collect();
        order.shuffle(&mut SmallRng::seed_from_u64(seed));
        let start = order.into_iter().take(count).map(|place| vectors[place].to_vec()).collect();
        let mut clusters = Self::with(start);
        for _ in 0..PASSES {
            clusters = Self::with(clusters.moved(vectors));
        }
        clusters
    }

    fn with(centres: Vec<Vec<f32>>) -> Self {
        let half_squares = centres.iter().map(|centre| dot(centre, centre) / 2.0).collect();
        Self { centres, half_squares }
    }

    /// The mean of each cluster's vectors; a cluster without any stays where it is.
    fn moved(&self, vectors: &[&[f32]]) -> Vec<Vec<f32>> {
        let mut sums: Vec<(f32, Vec<f32>)> =
            self.centres.iter().map(|centre| (0.0, vec![0.0; centre.len()])).collect();
        for vector in vectors {
            let (count, sum) = &mut sums[self.nearest(vector)];
            *count += 1.0;
            for (total, value) in sum.iter_mut().zip(*vector) {
                *total += value;
            }
        }
        let mean = |((count, mut sum), old): ((f32, Vec<f32>), &Vec<f32>)| {
            if count == 0.0 {
                return old.clone();
            }
            sum.iter_mut().for_each(|value| *value /= count);
            sum
        };
        sums.into_iter().zip(&self.centres).map(mean).collect()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.centres.len()
    }

    /// Whether the centres belong together and have such a length.
    pub fn is_sound(&self, dimensions: usize) -> bool {
        self.half_squares.len() == self.centres.len()
            && self.centres.iter().all(|centre| centre.len() == dimensions)
    }

    /// The cluster of a vector; 0 if there is none.
    pub fn nearest(&self, vector: &[f32]) -> usize {
        let mut best = (f32::NEG_INFINITY, 0);
        for (n, (centre, half)) in self.centres.iter().zip(&self.half_squares).enumerate() {
            let near = dot(centre, vector) - half;
            if near > best.0 {
                best = (near, n);
            }
        }
        best.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_heaps() {
        let heap = |n: usize| [(n % 3) as f32 * 5.0, (n / 3) as f32 * 0.01];
        let points: Vec<[f32; 2]> = (0..60).map(heap).collect();
        let vectors: Vec<&[f32]> = points.iter().map(|point| &point[..]).collect();
        // A start by chance may put two centres into one heap; some start must find all three.
        let finds = |seed: u64| {
            let clusters = Clusters::of(&vectors, 3, seed);
            let of: Vec<usize> = vectors.iter().map(|vector| clusters.nearest(vector)).collect();
            (3..60).all(|n| of[n] == of[n % 3])
                && of[0] != of[1]
                && of[1] != of[2]
                && of[0] != of[2]
        };
        assert!((0..10).any(finds));
        assert_eq!(Clusters::of(&vectors, 3, 1), Clusters::of(&vectors, 3, 1));
    }

    #[test]
    fn as_many_as_there_are() {
        let one: [&[f32]; 1] = [&[1.0, 0.0]];
        let clusters = Clusters::of(&one, 32, 1);
        assert_eq!((clusters.count(), clusters.nearest(&[0.0, 1.0])), (1, 0));
        assert_eq!(Clusters::of(&[], 4, 1).nearest(&[1.0]), 0);
    }
}
