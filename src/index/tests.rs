//! The index against a brute-force oracle, on seeded vectors of the unit sphere: clusters, because a
//! cache holds many wordings of few questions, and noise between them.

use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;

const DIMENSIONS: usize = 48;
const K: usize = 24;

fn unit(values: Vec<f32>) -> Vector {
    let length = values.iter().map(|x| x * x).sum::<f32>().sqrt();
    values.into_iter().map(|x| x / length).collect()
}

fn noise(rng: &mut StdRng, size: f32) -> Vec<f32> {
    // The sum of three uniform numbers is near enough to normal for directions without corners.
    (0..DIMENSIONS)
        .map(|_| size * (0..3).map(|_| rng.random_range(-1.0_f32..1.0)).sum::<f32>())
        .collect()
}

/// `count` vectors, two thirds of them in clusters of about forty.
fn vectors(rng: &mut StdRng, count: usize) -> Vec<Vector> {
    let centres: Vec<Vec<f32>> = (0..count.div_ceil(60)).map(|_| noise(rng, 1.0)).collect();
    (0..count)
        .map(|_| {
            if rng.random_range(0..3) == 0 {
                return unit(noise(rng, 1.0));
            }
            let centre = &centres[rng.random_range(0..centres.len())];
            unit(centre.iter().zip(noise(rng, 0.4)).map(|(c, n)| c + n).collect())
        })
        .collect()
}

fn limits() -> Limits {
    Limits { flat: 400, tail: 64, tombstones: 0.25 }
}

fn tidy(index: &ScopeIndex) {
    while index.tidy(50) {}
}

/// Share of the true neighbours that the index finds, over `queries`.
fn recall(index: &ScopeIndex, rows: &[(u64, Vector)], queries: &[Vector]) -> f64 {
    let mut found = 0;
    let mut wanted = 0;
    for query in queries {
        let truth = flat::search(rows, query, K);
        let got = index.search(query, K).expect("a unit vector");
        assert!(got.len() == truth.len(), "{} of {}", got.len(), truth.len());
        assert!(got.is_sorted_by(|a, b| a.similarity >= b.similarity));
        let ids: Vec<u64> = got.iter().map(|near| near.id).collect();
        found += truth.iter().filter(|near| ids.contains(&near.id)).count();
        wanted += truth.len();
    }
    found as f64 / wanted as f64
}

#[test]
fn a_large_scope_finds_what_brute_force_finds() {
    let mut rng = StdRng::seed_from_u64(7);
    let all = vectors(&mut rng, 3000);
    let queries = vectors(&mut rng, 60);
    let index = ScopeIndex::new(limits());
    let mut rows: Vec<(u64, Vector)> = Vec::new();
    for (id, vector) in all.into_iter().enumerate() {
        index.insert(id as u64, vector.clone()).expect("a unit vector");
        rows.push((id as u64, vector));
        if id % 200 == 0 {
            tidy(&index);
        }
    }
    tidy(&index);
    let sizes = index.sizes();
    assert!(sizes.points > 2800 && sizes.vectors == 3000, "{sizes:?}");
    assert!(recall(&index, &rows, &queries) >= 0.95);

    // Tombstones, too few for a rebuild.
    rows.retain(|(id, _)| id % 6 != 0 || !index.remove(*id));
    assert!(!index.is_due() && index.sizes().tombstones > 400, "{:?}", index.sizes());
    assert!(recall(&index, &rows, &queries) >= 0.95);

    // More of them, and a rebuild, with searches in the middle of it.
    rows.retain(|(id, _)| id % 5 != 0 || !index.remove(*id));
    assert!(index.is_due());
    assert!(index.tidy(100));
    assert!(recall(&index, &rows, &queries) >= 0.95);
    tidy(&index);
    assert_eq!(index.sizes().tombstones, 0);
    assert!(recall(&index, &rows, &queries) >= 0.95);
}

#[test]
fn a_neighbourhood_of_tombstones_does_not_hide_what_is_behind_it() {
    let mut rng = StdRng::seed_from_u64(11);
    let index = ScopeIndex::new(limits());
    let centre = unit(noise(&mut rng, 1.0));
    let near: Vec<Vector> = (0..300)
        .map(|_| unit(centre.iter().zip(noise(&mut rng, 0.02)).map(|(c, n)| c + n).collect()))
        .collect();
    let far = vectors(&mut rng, 1700);
    let rows: Vec<(u64, Vector)> =
        near.into_iter().chain(far).enumerate().map(|(id, v)| (id as u64, v)).collect();
    for (id, vector) in &rows {
        index.insert(*id, vector.clone()).expect("a unit vector");
    }
    tidy(&index);
    for id in 0..300 {
        assert!(index.remove(id));
    }
    assert!(index.sizes().tombstones >= 300, "the test needs them: {:?}", index.sizes());
    assert!(recall(&index, &rows[300..], &[centre]) >= 0.95);
}

#[test]
fn rows_removed_while_a_graph_is_built_stay_removed() {
    let mut rng = StdRng::seed_from_u64(13);
    let index = ScopeIndex::new(limits());
    let mut rows: Vec<(u64, Vector)> = Vec::new();
    for (id, vector) in vectors(&mut rng, 900).into_iter().enumerate() {
        index.insert(id as u64, vector.clone()).expect("a unit vector");
        rows.push((id as u64, vector));
    }
    assert!(index.tidy(300), "half built");
    rows.retain(|(id, _)| id % 10 != 0 || !index.remove(*id));
    tidy(&index);
    assert_eq!(index.sizes().vectors, rows.len());
    for query in vectors(&mut rng, 20) {
        assert!(index.search(&query, K).expect("unit").iter().all(|near| near.id % 10 != 0));
    }
    assert!(recall(&index, &rows, &vectors(&mut rng, 30)) >= 0.95);
}

#[test]
fn a_scope_that_shrinks_is_scanned_again() {
    let mut rng = StdRng::seed_from_u64(17);
    let index = ScopeIndex::new(limits());
    let mut rows: Vec<(u64, Vector)> = Vec::new();
    for (id, vector) in vectors(&mut rng, 600).into_iter().enumerate() {
        index.insert(id as u64, vector.clone()).expect("a unit vector");
        rows.push((id as u64, vector));
    }
    tidy(&index);
    assert!(index.sizes().points > 0);
    rows.retain(|(id, _)| id % 4 == 0 || !index.remove(*id));
    tidy(&index);
    assert_eq!(index.sizes(), Sizes { vectors: 150, points: 0, tombstones: 0 });
    assert!((recall(&index, &rows, &vectors(&mut rng, 20)) - 1.0).abs() < 1e-9, "scans are exact");
}

#[test]
fn two_runs_give_the_same_graph() {
    let run = || {
        let mut rng = StdRng::seed_from_u64(19);
        let index = ScopeIndex::new(limits());
        for (id, vector) in vectors(&mut rng, 1200).into_iter().enumerate() {
            index.insert(id as u64, vector).expect("a unit vector");
            index.tidy(4);
        }
        let queries = vectors(&mut rng, 20);
        queries.iter().map(|q| index.search(q, K).expect("unit")).collect::<Vec<_>>()
    };
    assert_eq!(run(), run());
}

#[test]
fn what_is_no_unit_vector_stays_out() {
    let index = ScopeIndex::new(limits());
    for bad in [vec![0.0, 0.0], vec![f32::NAN, 1.0], vec![f32::INFINITY, 0.0], vec![1.0, 1.0]] {
        assert_eq!(index.insert(1, bad.into()), Err(BadVector::NotUnit));
    }
    assert_eq!(index.insert(1, vec![1.0, 0.0].into()), Ok(()));
    assert_eq!(index.insert(2, vec![1.0, 0.0, 0.0].into()), Err(BadVector::Dimensions));
    assert_eq!(index.search(&vec![f32::NAN, 1.0].into(), 3), Err(BadVector::NotUnit));
    assert_eq!(index.search(&vec![1.0].into(), 3), Err(BadVector::Dimensions));
    assert_eq!(index.sizes().vectors, 1);
}

#[test]
fn searches_go_on_while_vectors_come_and_go() {
    let mut rng = StdRng::seed_from_u64(23);
    let index = ScopeIndex::new(limits());
    let fixed = vectors(&mut rng, 500);
    for (id, vector) in fixed.iter().enumerate() {
        index.insert(id as u64, vector.clone()).expect("a unit vector");
    }
    let coming = vectors(&mut rng, 700);
    std::thread::scope(|threads| {
        let searcher = threads.spawn(|| {
            // What was there before and stays is its own nearest neighbour throughout.
            for (id, vector) in fixed.iter().enumerate().cycle().take(1500) {
                let best = index.search(vector, 1).expect("a unit vector");
                assert_eq!(best.first().map(|near| near.id), Some(id as u64));
            }
        });
        for (place, vector) in coming.iter().enumerate() {
            let id = 500 + place as u64;
            index.insert(id, vector.clone()).expect("a unit vector");
            index.tidy(8);
            if place % 2 == 0 {
                index.remove(id);
            }
        }
        searcher.join().expect("no search failed");
    });
    tidy(&index);
    assert_eq!(index.sizes().vectors, 500 + 350);
}

#[derive(Debug, Clone)]
enum Step {
    Insert(u16),
    Remove(u16),
    Tidy,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever order things happen in, an index holds what a plain list holds, and where the list
    /// is no longer than `k` it finds all of it.
    #[test]
    fn an_index_holds_what_a_list_holds(
        steps in prop::collection::vec(
            prop_oneof![
                5 => any::<u16>().prop_map(Step::Insert),
                3 => any::<u16>().prop_map(Step::Remove),
                1 => Just(Step::Tidy),
            ],
            0..120,
        ),
    ) {
        // Limits so small that every change of shape happens.
        let index = ScopeIndex::new(Limits { flat: 8, tail: 2, tombstones: 0.25 });
        let mut rows: Vec<(u64, Vector)> = Vec::new();
        for (id, step) in steps.into_iter().enumerate() {
            match step {
                Step::Insert(seed) => {
                    let vector = unit(noise(&mut StdRng::seed_from_u64(u64::from(seed)), 1.0));
                    index.insert(id as u64, vector.clone()).expect("a unit vector");
                    rows.push((id as u64, vector));
                }
                Step::Remove(at) if !rows.is_empty() => {
                    let (gone, _) = rows.remove(usize::from(at) % rows.len());
                    prop_assert!(index.remove(gone));
                    prop_assert!(!index.remove(gone));
                }
                Step::Remove(_) => prop_assert!(!index.remove(9999)),
                Step::Tidy => _ = index.tidy(3),
            }
            let query = unit(noise(&mut StdRng::seed_from_u64(1), 1.0));
            let mut found = index.search(&query, 200).expect("a unit vector");
            found.sort_unstable_by_key(|near| near.id);
            let ids: Vec<u64> = found.iter().map(|near| near.id).collect();
            prop_assert_eq!(ids, rows.iter().map(|(id, _)| *id).collect::<Vec<_>>());
            prop_assert_eq!(index.sizes().vectors, rows.len());
        }
    }
}
