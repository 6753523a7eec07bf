use std::hint::black_box;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::*;
use crate::route::evidence::ridge::PENALTIES;

const DIMENSIONS: usize = 384;
const COMPONENTS: usize = 160;

pub(in crate::route::evidence) fn basis(seed: u64) -> Basis {
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut many = |count: usize| (0..count).map(|_| rng.random_range(-0.1..0.1)).collect();
    Basis {
        dimensions: DIMENSIONS,
        factors: many(FACTORS * DIMENSIONS),
        factor_mean: many(FACTORS),
        factor_scale: vec![3.0; FACTORS],
        components: many(COMPONENTS * DIMENSIONS),
    }
}

/// Vectors and surface features without meaning; the last nine features never vary.
pub(in crate::route::evidence) fn prompts(
    seed: u64,
    count: usize,
) -> Vec<(Vec<f32>, Vec<f32>, usize)> {
    let mut rng = SmallRng::seed_from_u64(seed);
    (0..count)
        .map(|_| {
            let mut vector: Vec<f32> =
                (0..DIMENSIONS).map(|_| rng.random_range(-1.0..1.0)).collect();
            let norm = dot(&vector, &vector).sqrt();
            vector.iter_mut().for_each(|value| *value /= norm);
            let feature = |place: usize, draw: f32| if place < SURFACE - 9 { draw } else { 1.0 };
            let surface = (0..SURFACE).map(|place| feature(place, rng.random())).collect();
            (vector, surface, rng.random_range(1..5000))
        })
        .collect()
}

pub(in crate::route::evidence) fn views(
    prompts: &[(Vec<f32>, Vec<f32>, usize)],
) -> Vec<Prompt<'_>> {
    prompts
        .iter()
        .map(|(vector, surface, chars)| Prompt { vector, surface, chars: *chars })
        .collect()
}

fn line(seed: u64, width: usize) -> Line {
    let mut rng = SmallRng::seed_from_u64(seed);
    Line {
        weights: (0..width).map(|_| rng.random_range(-2.0..2.0)).collect(),
        bias: 0.3,
        evidence: [0.0; PENALTIES.len()],
    }
}

#[test]
fn what_is_written_stands_on_its_scale() {
    let (basis, prompts) = (basis(1), prompts(2, 200));
    let standard = Standard::of(&basis, &views(&prompts));
    let inputs = Inputs { basis: &basis, standard: &standard };
    let live = SURFACE - 9;
    assert_eq!(inputs.width(), FACTORS + COMPONENTS + 6 * live + 1);
    let mut rows = Vec::new();
    let mut x = Vec::new();
    for prompt in views(&prompts) {
        inputs.write(&prompt, &mut x);
        assert_eq!(x.len(), inputs.width());
        rows.push(x.clone());
    }
    let moments = |column: usize| {
        let mut spread = Spread::default();
        rows.iter().for_each(|row| spread.take(f64::from(row[column])));
        (spread.mean(), spread.deviation())
    };
    let (mean, _) = moments(FACTORS);
    assert!(mean.abs() < 1e-6, "components are centred: {mean}");
    let (mean, deviation) = moments(FACTORS + COMPONENTS + 3);
    assert!(mean.abs() < 1e-6 && (deviation - 0.01).abs() < 1e-6, "{mean} {deviation}");
    let (mean, deviation) = moments(inputs.width() - 1);
    assert!(
        mean.abs() < 1e-3 && (deviation / 0.031_622_777 - 1.0).abs() < 0.1,
        "{mean} {deviation}"
    );
    // A product is the product of its two inputs, all in standard deviations.
    let row = &rows[7];
    let component = row[FACTORS + 2] / COMPONENT_SCALE * standard.crossed_scale[2];
    let surface = row[FACTORS + COMPONENTS + 4] / SURFACE_SCALE;
    let product = row[FACTORS + COMPONENTS + live + 2 * live + 4] / PRODUCT_SCALE;
    assert!((product - clip(component * surface)).abs() < 1e-3, "{product}");
}

#[test]
fn an_odd_prompt_is_clipped() {
    let (basis, prompts) = (basis(1), prompts(2, 50));
    let standard = Standard::of(&basis, &views(&prompts));
    let inputs = Inputs { basis: &basis, standard: &standard };
    let mut x = Vec::new();
    let odd = vec![1e6; SURFACE];
    inputs.write(&Prompt { surface: &odd, chars: usize::MAX, ..views(&prompts)[0] }, &mut x);
    assert!(x[FACTORS + COMPONENTS..].iter().all(|value| value.abs() <= 0.2));
    assert!((x[x.len() - 1] - CLIP * LENGTH_SCALE).abs() < 1e-6);
}

#[test]
fn folded_and_unfolded_agree() {
    let (basis, known) = (basis(3), prompts(4, 200));
    let standard = Standard::of(&basis, &views(&known));
    let inputs = Inputs { basis: &basis, standard: &standard };
    let lines = [line(5, inputs.width()), line(6, inputs.width())];
    let folded = inputs.fold([&lines[0], &lines[1]]);
    let mut x = Vec::new();
    for prompt in views(&prompts(7, 100)) {
        inputs.write(&prompt, &mut x);
        let values = folded.at(&prompt);
        for (value, line) in values.iter().zip(&lines) {
            assert!((f64::from(*value) - line.at(&x)).abs() < 1e-4, "{value} {}", line.at(&x));
        }
    }
}

#[test]
fn one_prompt_alone_gives_a_standard() {
    let (basis, prompts) = (basis(1), prompts(2, 1));
    let standard = Standard::of(&basis, &views(&prompts));
    let inputs = Inputs { basis: &basis, standard: &standard };
    let mut x = Vec::new();
    inputs.write(&views(&prompts)[0], &mut x);
    assert_eq!(x.len(), FACTORS + COMPONENTS + 1, "no feature varies");
    assert!(x.iter().all(|value| value.is_finite()));
    assert_eq!(Standard::of(&basis, &[]).check(&basis), Ok(()));
}

#[test]
fn what_does_not_fit_is_refused() {
    let good = basis(1);
    assert_eq!(good.check(), Ok(()));
    let mut short = good.clone();
    short.components.pop();
    assert!(short.check().unwrap_err().starts_with("components has 61439 numbers instead of"));
    short.components.truncate(4 * DIMENSIONS);
    assert_eq!(short.check().unwrap_err(), "4 components, at least 5 are read");
    let mut wrong = good.clone();
    wrong.factor_mean[2] = f32::NAN;
    assert!(wrong.check().unwrap_err().contains("factor_mean"));
    let mut standard = Standard::of(&good, &views(&prompts(2, 20)));
    assert_eq!(standard.check(&good), Ok(()));
    standard.surface[0].0 = 4000;
    assert!(standard.check(&good).is_err());
}

#[test]
#[ignore = "a measurement; run it with --nocapture"]
#[expect(clippy::disallowed_methods, reason = "a measurement needs the clock")]
#[expect(clippy::print_stderr, reason = "a measurement says what it measured")]
fn time_of_a_folded_decision() {
    let (basis, known) = (basis(3), prompts(4, 200));
    let standard = Standard::of(&basis, &views(&known));
    let inputs = Inputs { basis: &basis, standard: &standard };
    let line = line(5, inputs.width());
    let folded = inputs.fold([&line, &line, &line]);
    let views = views(&known);
    let since = std::time::Instant::now();
    const TURNS: usize = 50;
    for _ in 0..TURNS {
        for prompt in &views {
            black_box(folded.at(black_box(prompt)));
        }
    }
    let each = since.elapsed() / (TURNS * views.len()) as u32;
    eprintln!("{each:?} a decision");
    assert!(each.as_micros() < 50);
}
