//! Fits the cold score: which of two prompts is longer and harder, for traffic of which no label is
//! known. It ranks; it says nothing about levels.
//!
//! The target is *difficulty*, how badly all recorded models did, and not the gain of one model over
//! another: gain learnt on some traffic ranks other traffic worse than length does. Everything is
//! compared within a set only, since between sets the graders differ more than the prompts.

use super::normal::Normal;
use super::{Row, by_set, centre, moments, rounded};
use crate::route::evidence::cholesky::dot;
use crate::route::heads::Cold;

/// Ridge penalty on unit vectors; 30 and 300 do less well on sources left out.
const PENALTY: f64 = 100.0;
/// Standard deviations of difficulty that weigh as much as one of ln(characters). The figures on
/// sources left out are flat between 0.3 and 0.6.
const SHARE: f64 = 0.5;
/// A set smaller than this says nothing about spreads.
const LEAST_ROWS: usize = 100;

/// The cold score of the rows. A set weighs with the root of its size.
pub fn fit(rows: &[Row<'_>]) -> Cold {
    let dimensions = rows.first().map_or(0, |row| row.vector.len());
    let sets = by_set(rows);
    let mut sums = Normal::new(dimensions, 1);
    // Weights of mean 1, as the penalty supposes.
    let unit =
        rows.len() as f64 / sets.iter().map(|(_, set)| (set.len() as f64).sqrt()).sum::<f64>();
    for (_, set) in &sets {
        let mean = centre(set.iter().map(|row| row.vector));
        let weight = unit / (set.len() as f64).sqrt();
        for (row, target) in set.iter().zip(difficulties(set)) {
            let x: Vec<f64> =
                row.vector.iter().zip(&mean).map(|(x, m)| f64::from(*x) - m).collect();
            sums.add(&x, &[target], weight);
        }
    }
    let direction = sums.solve(PENALTY).swap_remove(0);
    scaled(&direction, &sets)
}

/// 1 − mean recorded quality, standardised; rows without any quality are average.
fn difficulties(set: &[&Row<'_>]) -> Vec<f64> {
    let raw = |row: &&Row<'_>| {
        let known: Vec<f64> = row.quality.iter().copied().flatten().collect();
        (!known.is_empty()).then(|| 1.0 - known.iter().sum::<f64>() / known.len() as f64)
    };
    let values: Vec<Option<f64>> = set.iter().map(raw).collect();
    let known: Vec<f64> = values.iter().copied().flatten().collect();
    let (mean, deviation) = moments(&known);
    let standard = |value: Option<f64>| {
        value.filter(|_| deviation > 0.0).map_or(0.0, |value| (value - mean) / deviation)
    };
    values.into_iter().map(standard).collect()
}

/// Length and difficulty, each per its usual deviation within a set.
fn scaled(direction: &[f64], sets: &[(&str, Vec<&Row<'_>>)]) -> Cold {
    let (mut lengths, mut difficulties) = (Vec::new(), Vec::new());
    for (_, set) in sets.iter().filter(|(_, set)| set.len() >= LEAST_ROWS) {
        let logs: Vec<f64> = set.iter().map(|row| (row.chars.max(1) as f64).ln()).collect();
        let projected: Vec<f64> = set
            .iter()
            .map(|row| {
                let vector: Vec<f64> = row.vector.iter().copied().map(f64::from).collect();
                dot(direction, &vector)
            })
            .collect();
        lengths.push(moments(&logs).1);
        difficulties.push(moments(&projected).1);
    }
    // No set of size, or nothing that varies: what cannot be scaled is left out.
    let per = |deviations: &[f64]| {
        let (mean, _) = moments(deviations);
        if mean > 1e-9 { 1.0 / mean } else { 0.0 }
    };
    let difficulty = SHARE * per(&difficulties);
    Cold {
        length: rounded(per(&lengths), 4),
        direction: direction.iter().map(|weight| rounded(weight * difficulty, 4)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::fit::tests::{Prompt, rows};

    #[test]
    fn learns_what_is_hard_within_each_set() {
        // The first component is what is hard; the set's level and its second component are not.
        let prompts: Vec<Prompt> = (0..600)
            .map(|n| {
                let (set, level) = if n % 3 == 0 { ("a", 0.5) } else { ("b", 0.2) };
                let mut prompt = Prompt::new(n, set);
                prompt.quality = [None, Some(level - 0.3 * f64::from(prompt.vector[0])), None];
                prompt.vector[1] += if set == "a" { 0.5 } else { -0.5 };
                prompt
            })
            .collect();
        let cold = fit(&rows(&prompts));
        assert!(cold.direction[0] > 0.1);
        assert!(cold.direction[1..].iter().all(|w| w.abs() < 0.2 * cold.direction[0]));
        assert!(cold.length > 0.0);
        assert_eq!(cold, fit(&rows(&prompts)));
    }

    #[test]
    fn without_rows_or_labels_nothing_is_claimed() {
        let mut prompts: Vec<Prompt> = (0..150).map(|n| Prompt::new(n, "a")).collect();
        prompts.iter_mut().for_each(|prompt| prompt.quality = [None; 3]);
        let cold = fit(&rows(&prompts));
        assert!(cold.direction.iter().all(|weight| *weight == 0.0));
        assert!(cold.length > 0.0);
        assert_eq!(fit(&[]), Cold { length: 0.0, direction: Vec::new() });
    }
}
