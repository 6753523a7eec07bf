use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::super::inputs::Standard;
use super::super::inputs::tests::{basis, prompts, views};
use super::*;

const WIDTH: usize = 12;

/// Requests whose models differ where the first input is high, and of which the strong model wins
/// where the second is.
fn labels(seed: u64, count: usize) -> Vec<(Vec<f32>, f64)> {
    let mut rng = SmallRng::seed_from_u64(seed);
    (0..count)
        .map(|_| {
            let x: Vec<f32> = (0..WIDTH).map(|_| rng.random_range(-1.0..1.0)).collect();
            let differs = rng.random::<f32>() < 0.4 + 0.4 * x[0];
            let wins = rng.random::<f32>() < 0.5 + 0.5 * x[1];
            let gain = if !differs {
                0.0
            } else if wins {
                1.0
            } else {
                -1.0
            };
            (x, gain)
        })
        .collect()
}

fn truth(x: &[f32]) -> f64 {
    f64::from((0.4 + 0.4 * x[0]) * x[1])
}

fn rows(labels: &[(Vec<f32>, f64)]) -> Vec<Labelled<'_>> {
    labels.iter().map(|(x, gain)| Labelled { x, gain: *gain, weight: 1.0 }).collect()
}

/// Correlation of the expected gains with the true ones, on fresh rows.
fn skill(heads: &Heads) -> f64 {
    let fresh = labels(99, 1000);
    let pairs: Vec<(f64, f64)> = fresh.iter().map(|(x, _)| (heads.gain(x), truth(x))).collect();
    let mean = |of: fn(&(f64, f64)) -> f64| pairs.iter().map(of).sum::<f64>() / 1000.0;
    let (a, b) = (mean(|pair| pair.0), mean(|pair| pair.1));
    let sum =
        |of: &dyn Fn(f64, f64) -> f64| pairs.iter().map(|p| of(p.0 - a, p.1 - b)).sum::<f64>();
    sum(&|x, y| x * y) / (sum(&|x, _| x * x) * sum(&|_, y| y * y)).sqrt()
}

#[test]
fn learns_who_wins_and_whether_it_matters() {
    let data = labels(1, 2000);
    let heads = Heads::learn(&rows(&data), WIDTH);
    assert!(skill(&heads) > 0.9, "{}", skill(&heads));
    assert_eq!(heads.labels(), 2000.0);
    let mut x = [0.0; WIDTH];
    x[0] = 0.9;
    let often = heads.differ(&x);
    x[0] = -0.9;
    assert!(often > 0.6 && heads.differ(&x) < 0.2, "{often} {}", heads.differ(&x));
    assert!(heads.is_sound(WIDTH) && !heads.is_sound(WIDTH + 1));
}

#[test]
fn learning_as_labels_come_ends_near_learning_at_once() {
    let data = labels(2, 1500);
    let mut tally = Tally::new(WIDTH);
    let mut heads: Option<Heads> = None;
    for (n, row) in rows(&data).iter().enumerate() {
        tally.add(row, heads.as_ref());
        if n % 100 == 99 {
            heads = Some(tally.fit());
        }
    }
    let (online, at_once) = (heads.expect("fitted"), Heads::learn(&rows(&data), WIDTH));
    assert!(skill(&online) > skill(&at_once) - 0.02, "{} {}", skill(&online), skill(&at_once));
    assert_eq!(tally.labels(), 1500.0);
}

#[test]
fn two_gateways_learn_as_one() {
    let data = labels(3, 300);
    let known = Heads::learn(&rows(&data[..50]), WIDTH);
    let of = |part: &[(Vec<f32>, f64)]| {
        let mut tally = Tally::new(WIDTH);
        rows(part).iter().for_each(|row| tally.add(row, Some(&known)));
        tally
    };
    let mut both = of(&data[..120]);
    both.merge(&of(&data[120..]));
    let (merged, whole) = (both.fit(), of(&data).fit());
    for (x, _) in &data {
        assert!((merged.gain(x) - whole.gain(x)).abs() < 1e-9);
    }
}

#[test]
fn labels_that_were_drawn_rarely_count_for_those_that_were_not() {
    // Where the strong model wins, which no input shows, one request in ten is labelled.
    let mut rng = SmallRng::seed_from_u64(5);
    let (mut weighed, mut plain) = (Tally::new(WIDTH), Tally::new(WIDTH));
    let x = [0.0; WIDTH];
    for n in 0..6000 {
        let (gain, chance) = if n % 2 == 0 { (1.0, 0.1) } else { (-0.2, 1.0) };
        if rng.random::<f64>() < chance {
            weighed.add(&Labelled { x: &x, gain, weight: 1.0 / chance }, None);
            plain.add(&Labelled { x: &x, gain, weight: 1.0 }, None);
        }
    }
    let gain = weighed.fit().gain(&x);
    assert!((gain - 0.4).abs() < 0.05, "{gain}");
    assert!(plain.fit().gain(&x) < 0.0);
}

#[test]
fn one_label_none_and_no_win_are_no_trouble() {
    let empty = Tally::new(WIDTH).fit();
    assert!(empty.gain(&[0.1; WIDTH]).is_finite());
    let mut tally = Tally::new(WIDTH);
    tally.add(&Labelled { x: &[0.5; WIDTH], gain: 0.0, weight: 1.0 }, None);
    let heads = tally.fit();
    assert!(heads.gain(&[0.5; WIDTH]).abs() < 1e-9, "{}", heads.gain(&[0.5; WIDTH]));
    assert!(Heads::learn(&[], WIDTH).is_sound(WIDTH));
}

#[test]
fn the_doubt_shrinks_with_labels_and_covers_the_error() {
    let x = [0.3; WIDTH];
    let doubt = |count: usize| {
        let data = labels(6, count);
        let mut tally = Tally::new(WIDTH);
        rows(&data).iter().for_each(|row| tally.add(row, None));
        let (heads, doubt) = tally.fit_with_doubt();
        (doubt.at(&heads, &x), (heads.gain(&x) - truth(&x)).abs())
    };
    let ((few, _), (many, error)) = (doubt(100), doubt(4000));
    assert!(few > 3.0 * many, "{few} {many}");
    assert!(error < 4.0 * many, "{error} {many}");
}

#[test]
fn folded_heads_agree_and_survive_being_written_down() {
    let (basis, known) = (basis(1), prompts(2, 120));
    let standard = Standard::of(&basis, &views(&known));
    let inputs = Inputs { basis: &basis, standard: &standard };
    let mut rng = SmallRng::seed_from_u64(3);
    let mut xs = Vec::new();
    for prompt in views(&known) {
        let mut x = Vec::new();
        inputs.write(&prompt, &mut x);
        xs.push((x, f64::from(rng.random_range(-1..=1))));
    }
    let heads = Heads::learn(&rows(&xs), inputs.width());
    let text = serde_json::to_string(&(&heads, &standard)).expect("writes");
    let (heads, standard): (Heads, Standard) = serde_json::from_str(&text).expect("reads");
    let inputs = Inputs { basis: &basis, standard: &standard };
    assert!(heads.is_sound(inputs.width()) && standard.check(&basis).is_ok());
    let folded = heads.fold(&inputs);
    for (prompt, (x, _)) in views(&known).iter().zip(&xs) {
        assert!((folded.gain(prompt) - heads.gain(x)).abs() < 1e-4);
    }
}
