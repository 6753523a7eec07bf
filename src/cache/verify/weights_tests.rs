//! Refits on labelled rows whose weights are known.

use proptest::prelude::*;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::super::features::COUNT;
use super::*;

const ERRS: Errors = Errors { false_same: 0.1, false_different: 0.1 };

fn row(values: Values, label: Option<bool>) -> Row {
    Row { values, z: 0.0, label, panel: 1, propensity: 1.0, servable: true, served: false }
}

/// A row with one feature.
fn with(value: f32, label: bool) -> Row {
    let mut values = [0.0; COUNT];
    values[0] = value;
    row(values, Some(label))
}

/// Rows with one feature of which a share has the label that its sign foretells.
fn foretold(count: usize, share: f32) -> Vec<Row> {
    let flipped = ((1.0 - share) * count as f32).round() as usize;
    let sides = [1.0, -1.0].into_iter();
    sides
        .flat_map(|side| (0..count).map(move |n| with(side, (side > 0.0) != (n < flipped))))
        .collect()
}

fn refit(rows: &[Row], errors: &Errors) -> Weights {
    let prior = Prior::blank();
    let mut weights = prior.start();
    weights.refit(&prior, rows.iter(), errors);
    weights
}

#[test]
fn weights_that_made_the_labels_are_found() {
    let truth = [1.5, -1.0, 0.5, 0.0];
    let bias = -0.5;
    let mut rng = SmallRng::seed_from_u64(7);
    let rows: Vec<Row> = (0..3000)
        .map(|_| {
            let mut values = [0.0; COUNT];
            for value in &mut values[..truth.len()] {
                *value = rng.random_range(-1.7..1.7);
            }
            let z = bias + values.iter().zip(truth).map(|(v, w)| v * w).sum::<f32>();
            let label = rng.random::<f32>() < sigmoid(z);
            row(values, Some(label))
        })
        .collect();
    let prior = Prior::blank();
    let mut weights = prior.start();
    for _ in 0..3 {
        weights.refit(&prior, rows.iter(), &Errors::NONE);
    }
    for (found, true_weight) in weights.weights.iter().zip(truth) {
        assert!((found - true_weight).abs() < 0.2, "{found} {true_weight}");
    }
    assert!((weights.bias - bias).abs() < 0.2, "{}", weights.bias);
    assert!(weights.weights[truth.len()..].iter().all(|weight| *weight == 0.0));
}

#[test]
fn without_ten_labels_the_prior_stands() {
    let mut rows = foretold(LEAST_LABELS / 2, 1.0);
    rows.extend((0..100).map(|_| row([1.0; COUNT], None)));
    rows[0].label = None;
    let mut weights = SHIPPED.start();
    weights.refit(&SHIPPED, rows.iter(), &Errors::NONE);
    assert_eq!(weights, SHIPPED.start(), "nine");
    rows[0].label = Some(true);
    weights.refit(&SHIPPED, rows.iter(), &Errors::NONE);
    assert_ne!(weights, SHIPPED.start(), "ten");
}

#[test]
fn labels_move_the_weights_the_further_the_more_they_are() {
    let moved = |count: usize| refit(&foretold(count, 0.9), &Errors::NONE).weights[0];
    assert!(moved(5) < 0.2 && moved(5) > 0.0, "{}", moved(5));
    assert!(moved(1000) > 1.5 && moved(50) < moved(1000), "{} {}", moved(50), moved(1000));
    // And back to the prior when they are gone, as far as a prior is drawn to.
    let mut weights = refit(&foretold(1000, 0.9), &Errors::NONE);
    let neutral: Vec<Row> = (0..20).map(|n| with(0.0, n % 2 == 0)).collect();
    for _ in 0..3 {
        weights.refit(&Prior::blank(), neutral.iter(), &Errors::NONE);
    }
    assert!(weights.weights[0].abs() < 0.01, "{}", weights.weights[0]);
}

#[test]
fn no_weight_goes_further_than_the_stride_at_a_step() {
    let prior = Prior::blank();
    let mut weights = prior.start();
    weights.weights[0] = -10.0;
    // Every label contradicts a score that is sure of itself: plain Newton would jump by some 50.
    weights.refit(&prior, foretold(500, 1.0).iter(), &Errors::NONE);
    let moved = weights.weights[0] + 10.0;
    assert!((moved - (STRIDE * STEPS as f64) as f32).abs() < 1e-3, "{moved}");
}

#[test]
fn a_judge_that_errs_is_believed_less() {
    let rows = foretold(100, 1.0);
    let (sure, unsure) = (refit(&rows, &Errors::NONE), refit(&rows, &ERRS));
    assert!(unsure.weights[0] > 0.3 && unsure.weights[0] < sure.weights[0] - 0.1);
    // A panel errs less often than one.
    let panel: Vec<Row> = rows.iter().map(|row| Row { panel: 3, ..row.clone() }).collect();
    let panel = refit(&panel, &ERRS).weights[0];
    assert!(unsure.weights[0] < panel && panel < sure.weights[0], "{panel}");
    // One that guesses says nothing.
    let guesses = Errors { false_same: 0.5, false_different: 0.5 };
    assert_eq!(refit(&rows, &guesses), Prior::blank().start());
}

#[test]
fn what_was_drawn_stands_for_what_was_served_up_to_a_limit() {
    let mut once = foretold(30, 0.8);
    let mut twice = once.clone();
    let drawn = with(1.0, false);
    let explored = |propensity: f32| Row { propensity, ..drawn.clone() };
    once.push(explored(0.5));
    twice.extend([drawn.clone(), drawn.clone()]);
    let (once, twice) = (refit(&once, &Errors::NONE), refit(&twice, &Errors::NONE));
    assert!((once.weights[0] - twice.weights[0]).abs() < 1e-5);
    let with_one = |propensity| {
        let mut rows = foretold(30, 0.8);
        rows.push(explored(propensity));
        refit(&rows, &Errors::NONE)
    };
    assert_eq!(with_one(0.02), with_one(1.0 / MOST_WEIGHT));
    assert_ne!(with_one(0.5), with_one(1.0 / MOST_WEIGHT));
}

#[test]
fn a_prior_for_another_table_is_refused() {
    let json = include_str!("../../../models/verifier-prior.json");
    let edited = |edit: &dyn Fn(&mut PriorFile)| {
        let mut file: PriorFile = serde_json::from_str(json).unwrap();
        edit(&mut file);
        Prior::parse(&serde_json::to_string(&file).unwrap())
    };
    assert_eq!(edited(&|_| {}).unwrap(), *SHIPPED);
    for (edit, said) in [
        (
            &(|file: &mut PriorFile| drop(file.features.pop())) as &dyn Fn(&mut PriorFile),
            "instead of",
        ),
        (&|file| file.features.swap(0, 1), "belongs"),
        (&|file| file.features[3].deviation = 0.0, "does not vary"),
    ] {
        let fault = edited(edit).unwrap_err();
        assert!(fault.contains(said), "{fault}");
    }
}

fn extreme() -> impl Strategy<Value = f32> {
    prop_oneof![
        -3.0_f32..3.0,
        prop::sample::select(vec![0.0, 1e-30, 1e6, -1e6, 1e20, -1e20, f32::MAX, f32::MIN]),
    ]
}

proptest! {
    #[test]
    fn weights_stay_finite_whatever_the_rows(
        rows in prop::collection::vec((extreme(), extreme(), any::<bool>(), 0.005_f32..1.0, 0_u8..4), 10..40),
        a in 0.0_f32..1.0,
        d in 0.0_f32..1.0,
    ) {
        let rows: Vec<Row> = rows
            .iter()
            .map(|(x, y, label, propensity, panel)| {
                let mut row = with(*x, *label);
                row.values[COUNT - 1] = *y;
                Row { propensity: *propensity, panel: *panel, ..row }
            })
            .collect();
        let errors = Errors { false_same: a, false_different: d };
        let mut weights = SHIPPED.start();
        for _ in 0..2 {
            let before = weights.clone();
            weights.refit(&SHIPPED, rows.iter(), &errors);
            prop_assert!(weights.bias.is_finite());
            let most = (STRIDE * STEPS as f64) as f32 + 1e-3;
            for (after, before) in weights.weights.iter().zip(&before.weights) {
                prop_assert!((after - before).abs() <= most, "{} {}", before, after);
            }
        }
    }
}
