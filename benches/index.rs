//! Where a graph overtakes a scan: `cargo bench --bench index`.
//!
//! Clustered unit vectors of the embedder's size, one thread. For each size of a scope: the time of
//! a search by scan and by graph, recall of the graph at 24, and what an insertion costs.

#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a benchmark prints times")]

use std::time::Instant;

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use semgate::embed::{DIMENSIONS, Vector};
use semgate::index::{Limits, ScopeIndex};

const K: usize = 24;
const QUERIES: usize = 400;

fn main() {
    println!("| vectors | scan, µs | graph, µs | recall at {K} | graph insertion, µs |");
    println!("| --- | --- | --- | --- | --- |");
    for count in [500, 1000, 2000, 4000, 8000, 16_000] {
        let mut rng = StdRng::seed_from_u64(count as u64);
        let all = vectors(&mut rng, count + QUERIES);
        let (stored, queries) = all.split_at(count);
        let scan = filled(stored, usize::MAX);
        let graph = filled(stored, 0);
        let start = Instant::now();
        while graph.tidy(usize::MAX) {}
        let insertion = micros(start, count);
        let (by_scan, truth) = search(&scan, queries);
        let (by_graph, found) = search(&graph, queries);
        let hits: usize = truth
            .iter()
            .zip(&found)
            .map(|(truth, found)| truth.iter().filter(|id| found.contains(id)).count())
            .sum();
        let recall = hits as f64 / (QUERIES * K.min(count)) as f64;
        println!("| {count} | {by_scan:.0} | {by_graph:.0} | {recall:.3} | {insertion:.0} |");
    }
}

/// An index that turns to a graph beyond `flat` vectors.
fn filled(vectors: &[Vector], flat: usize) -> ScopeIndex {
    let index = ScopeIndex::new(Limits { flat, tail: 0, ..Limits::default() });
    for (id, vector) in vectors.iter().enumerate() {
        index.insert(id as u64, vector.clone()).expect("a unit vector");
    }
    index
}

/// Mean time of a search in microseconds (best of three rounds), and the ids found.
fn search(index: &ScopeIndex, queries: &[Vector]) -> (f64, Vec<Vec<u64>>) {
    let mut best = f64::INFINITY;
    let mut found = Vec::new();
    for _ in 0..3 {
        let start = Instant::now();
        found = queries
            .iter()
            .map(|query| {
                let near = index.search(query, K).expect("a unit vector");
                near.into_iter().map(|near| near.id).collect()
            })
            .collect();
        best = best.min(micros(start, queries.len()));
    }
    (best, found)
}

fn micros(start: Instant, count: usize) -> f64 {
    start.elapsed().as_secs_f64() * 1e6 / count as f64
}

/// Two thirds in clusters of about forty, the rest on their own; in an order that has nothing to do
/// with where they lie in memory, as in a cache whose entries come and go.
fn vectors(rng: &mut StdRng, count: usize) -> Vec<Vector> {
    let centres: Vec<Vec<f32>> = (0..count.div_ceil(60)).map(|_| noise(rng, 1.0)).collect();
    let mut vectors: Vec<Vector> = (0..count)
        .map(|_| {
            if rng.random_range(0..3) == 0 {
                return unit(noise(rng, 1.0));
            }
            let centre = &centres[rng.random_range(0..centres.len())];
            unit(centre.iter().zip(noise(rng, 0.6)).map(|(c, n)| c + n).collect())
        })
        .collect();
    vectors.shuffle(rng);
    vectors
}

fn noise(rng: &mut StdRng, size: f32) -> Vec<f32> {
    (0..DIMENSIONS)
        .map(|_| size * (0..3).map(|_| rng.random_range(-1.0_f32..1.0)).sum::<f32>())
        .collect()
}

fn unit(values: Vec<f32>) -> Vector {
    let length = values.iter().map(|x| x * x).sum::<f32>().sqrt();
    values.into_iter().map(|x| x / length).collect()
}
