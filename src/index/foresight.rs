//! What is near what, among vectors that are all known before the first search, as in a replay:
//! their cosines are computed in large blocks, many times faster than one search after the other.
//!
//! It answers no search by itself. It says which of the known vectors are nearest, and the index of
//! a scope picks those that it holds, computes their cosines itself, and scans what the list leaves
//! open; the outcome is that of an exact scan.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};

use candle_core::{Device, Result, Tensor};

use super::{Neighbour, best, flat};
use crate::embed::Vector;

/// Vectors whose cosines are computed at once, and with how many others.
const BLOCK: usize = 256;
const COLUMNS: usize = 4096;

/// Neighbours looked at beyond those asked for: a cosine of the list and one of a search may differ
/// in the last bit, and with it the order of near equals.
const SLACK: usize = 8;

/// Place of a vector among the known ones, in the order of their first use.
type Place = u32;

/// The nearest earlier vectors of every known vector.
#[derive(Debug)]
pub struct Foresight {
    vectors: Vec<Vector>,
    places: HashMap<[u8; 16], Place>,
    /// For each vector, places before its own, nearest first; all of them, or the first `keep`.
    near: Vec<Vec<Place>>,
    keep: usize,
}

impl Foresight {
    /// Compares every vector with those before it, and keeps the `keep` nearest. `step` hears how
    /// many vectors are done. Quadratic in the number of distinct vectors, 400 GFLOP for 32,000.
    ///
    /// # Errors
    /// Vectors of different lengths, or no memory for a block.
    pub fn of<'a>(
        all: impl Iterator<Item = &'a Vector>,
        keep: usize,
        mut step: impl FnMut(usize),
    ) -> Result<Self> {
        let mut vectors: Vec<Vector> = Vec::new();
        let mut places = HashMap::new();
        for vector in all {
            places.entry(key(vector)).or_insert_with(|| {
                vectors.push(Vector::clone(vector));
                (vectors.len() - 1) as Place
            });
        }
        let mut near = Vec::with_capacity(vectors.len());
        let matrix = tensor(&vectors)?;
        for start in (0..vectors.len()).step_by(BLOCK) {
            near.extend(block(&matrix, start, keep)?);
            step(near.len());
        }
        Ok(Self { vectors, places, near, keep })
    }

    fn place(&self, vector: &[f32]) -> Option<Place> {
        self.places.get(&key(vector)).copied()
    }
}

/// The nearest earlier places of the vectors from `start` on.
fn block(matrix: &Tensor, start: usize, keep: usize) -> Result<Vec<Vec<Place>>> {
    let end = matrix.dim(0)?.min(start + BLOCK);
    let rows = matrix.narrow(0, start, end - start)?;
    // The worst of the best stands on top.
    let mut kept = vec![BinaryHeap::<(Reverse<Ordered>, Place)>::new(); end - start];
    for left in (0..end).step_by(COLUMNS) {
        let right = end.min(left + COLUMNS);
        let cosines = rows.matmul(&matrix.narrow(0, left, right - left)?.t()?)?.flatten_all()?;
        let cosines = cosines.to_vec1::<f32>()?;
        for (row, cosines) in cosines.chunks(right - left).enumerate() {
            let earlier = cosines.iter().enumerate().take((start + row).saturating_sub(left));
            let kept = &mut kept[row];
            for (column, cosine) in earlier {
                if kept.len() < keep {
                    kept.push((Reverse(Ordered(*cosine)), (left + column) as Place));
                } else if kept.peek().is_some_and(|(Reverse(worst), _)| *cosine > worst.0) {
                    kept.pop();
                    kept.push((Reverse(Ordered(*cosine)), (left + column) as Place));
                }
            }
        }
    }
    let sorted = |heap: BinaryHeap<(Reverse<Ordered>, Place)>| {
        heap.into_sorted_vec().into_iter().map(|(_, place)| place).collect()
    };
    Ok(kept.into_iter().map(sorted).collect())
}

fn tensor(vectors: &[Vector]) -> Result<Tensor> {
    let width = vectors.first().map_or(0, |vector| vector.len());
    let flat: Vec<f32> = vectors.iter().flat_map(|vector| vector.iter().copied()).collect();
    Tensor::from_vec(flat, (vectors.len(), width), &Device::Cpu)
}

/// Equal vectors are one: 128 bits of a hash of their components.
fn key(vector: &[f32]) -> [u8; 16] {
    let bytes: Vec<u8> = vector.iter().flat_map(|component| component.to_le_bytes()).collect();
    let mut key = [0; 16];
    key.copy_from_slice(&blake3::hash(&bytes).as_bytes()[..16]);
    key
}

/// Cosines in their total order.
#[derive(Debug, Clone, Copy)]
struct Ordered(f32);

impl Ord for Ordered {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl PartialOrd for Ordered {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ordered {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Ordered {}

/// The known vectors that a scope holds.
#[derive(Debug, Default)]
pub(super) struct Held {
    ids: BTreeMap<Place, Vec<u64>>,
    /// Vectors that nobody foresaw: scanned.
    others: Vec<(u64, Vector)>,
}

impl Held {
    pub fn insert(&mut self, foresight: &Foresight, id: u64, vector: &Vector) {
        match foresight.place(vector) {
            Some(place) => self.ids.entry(place).or_default().push(id),
            None => self.others.push((id, Vector::clone(vector))),
        }
    }

    pub fn remove(&mut self, foresight: &Foresight, id: u64, vector: &Vector) {
        self.others.retain(|(other, _)| *other != id);
        if let Some(place) = foresight.place(vector)
            && let Some(ids) = self.ids.get_mut(&place)
        {
            ids.retain(|held| *held != id);
            if ids.is_empty() {
                self.ids.remove(&place);
            }
        }
    }

    /// The `k` nearest of what is held: as [`flat::search`] over all of it.
    pub fn search(&self, foresight: &Foresight, query: &Vector, k: usize) -> Vec<Neighbour> {
        let mut found = Vec::with_capacity(2 * k);
        let mut add = |vector: &[f32], ids: &[u64]| {
            let similarity = flat::cosine(query, vector);
            found.extend(ids.iter().map(|id| Neighbour { id: *id, similarity }));
        };
        let vector = |place: Place| &*foresight.vectors[place as usize];
        for (id, vector) in &self.others {
            add(vector, &[*id]);
        }
        let k_and_more = k + SLACK;
        let unread = match foresight.place(query) {
            Some(own) => {
                let near = &foresight.near[own as usize];
                let mut listed = 0;
                for place in near {
                    let Some(ids) = self.ids.get(place) else { continue };
                    add(vector(*place), ids);
                    listed += ids.len();
                    if listed >= k_and_more {
                        break;
                    }
                }
                // The list knows all that came before its own vector, if it was long enough.
                let is_enough = listed >= k_and_more || near.len() < foresight.keep;
                if is_enough { own } else { 0 }
            }
            None => 0,
        };
        for (place, ids) in self.ids.range(unread..) {
            add(vector(*place), ids);
        }
        best(found, k)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn unit(seed: u64) -> Vector {
        // A few directions only, so that ties and repeats are common.
        let angle = (seed % 97) as f32 / 15.0;
        [angle.cos(), angle.sin() * 0.6, angle.sin() * 0.8].as_slice().into()
    }

    proptest! {
        #[test]
        fn a_search_finds_what_a_scan_finds(
            seeds in prop::collection::vec(0_u64..500, 1..400),
            removed in prop::collection::vec(any::<bool>(), 400),
            keep in 1_usize..40,
            k in 1_usize..12,
        ) {
            let vectors: Vec<Vector> = seeds.iter().map(|seed| unit(*seed)).collect();
            // Every fifth is a stranger.
            let known = vectors.iter().enumerate().filter(|(i, _)| i % 5 > 0).map(|(_, v)| v);
            let foresight = Foresight::of(known, keep, |_| {}).expect("computed");
            let (mut held, mut rows) = (Held::default(), Vec::new());
            for (id, vector) in vectors.iter().enumerate() {
                let found = held.search(&foresight, vector, k);
                let scan = flat::search(&rows, vector, k);
                prop_assert_eq!(found, scan);
                held.insert(&foresight, id as u64, vector);
                rows.push((id as u64, vector.clone()));
                if removed[id] {
                    let (gone, vector) = rows.remove(rows.len() / 2);
                    held.remove(&foresight, gone, &vector);
                }
            }
        }
    }
}
