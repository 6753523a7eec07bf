//! A small world: eight numbers a prompt, of which the first says what the stronger tier gains.

use proptest::prelude::*;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::knowledge::{Knowledge, LEAST};
use super::*;
use crate::config::settings::Route;
use crate::route::evidence::inputs::{Basis, CROSSED, FACTORS};
use crate::route::evidence::promise::Verdict;
use crate::route::features::FEATURES;
use crate::route::plan::fixture::{settings, tiers};

const DIMENSIONS: usize = 8;

fn basis() -> Basis {
    let unit = |n: usize| (0..DIMENSIONS).map(move |i| f32::from(u8::from(i == n)));
    Basis {
        dimensions: DIMENSIONS,
        factors: (0..FACTORS).flat_map(unit).collect(),
        factor_mean: vec![0.0; FACTORS],
        factor_scale: vec![3.0; FACTORS],
        components: (0..CROSSED).flat_map(unit).collect(),
    }
}

/// A prompt, and how hard it is.
fn prompt(rng: &mut SmallRng) -> (Sample, f32) {
    let mut vector: Vec<f32> = (0..DIMENSIONS).map(|_| rng.random_range(-1.0..1.0)).collect();
    let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    vector.iter_mut().for_each(|value| *value /= length);
    let hard = (vector[0] + 1.0) / 2.0;
    // Features that never vary are no inputs, and make a fit quick.
    let feature = |place| if place < 4 { rng.random_range(0.0..1.0) } else { 0.5 };
    let surface: Vec<f32> = (0..FEATURES.len()).map(feature).collect();
    (Sample { vector: vector.into(), surface: surface.into(), chars: 100 }, hard)
}

/// The stronger tier wins on hard prompts, and on some others.
fn label(rng: &mut SmallRng) -> Label {
    let (sample, hard) = prompt(rng);
    let wins = if hard > 0.6 { 0.7 } else { 0.005 };
    let gain = f32::from(u8::from(rng.random::<f32>() < wins));
    Label { sample, gain, weight: 1.0, by: By::Shadow, at: jiff::Timestamp::UNIX_EPOCH }
}

fn school() -> School {
    let mut settings = settings(tiers([None, None]));
    // Two tiers: one pair.
    settings.routing.tiers.remove(1);
    let tiers = settings.routing.tiers.clone();
    let auto = Route { tiers, ..Route::clone(&settings.routing.routes[0]) };
    settings.routing.routes = vec![Arc::new(auto)];
    settings.routing.max_quality_loss = 0.05;
    School::new(Arc::new(basis()), "test", &settings)
}

fn lane() -> Lane {
    Lane { tenant: "acme".into(), route: "auto".into() }
}

fn taught(learner: &Learner, rng: &mut SmallRng, labels: usize) {
    let pair = learner.pairs("auto")[0].clone();
    for _ in 0..labels {
        assert!(learner.label(&lane(), &pair, label(rng)).0);
    }
    learner.settle();
}

/// Share of prompts that the weaker tier may answer, and what it loses by them.
fn mix(learner: &Learner, rng: &mut SmallRng) -> (f64, f64) {
    let (mut weak, mut lost) = (0.0, 0.0);
    for _ in 0..2000 {
        let (sample, hard) = prompt(rng);
        let learnt = learner.advise(&lane(), 0.05, &sample);
        if matches!(learnt.words[0].1, Word::Kept { gain, kept, .. } if gain < kept.threshold) {
            weak += 1.0 / 2000.0;
            lost += f64::from(if hard > 0.6 { 0.7f32 } else { 0.005 }) / 2000.0;
        }
    }
    (weak, lost)
}

#[test]
fn labels_turn_an_abstention_into_a_promise_that_is_kept() {
    let learner = Learner::start(school(), None, Now::read());
    let mut rng = SmallRng::seed_from_u64(1);
    let (sample, _) = prompt(&mut rng);
    let word = learner.advise(&lane(), 0.05, &sample).words[0].1;
    assert!(matches!(word, Word::Lacks(Lack::Labels { have: 0, need }) if need >= LEAST));
    taught(&learner, &mut rng, 30);
    let word = learner.advise(&lane(), 0.05, &sample).words[0].1;
    assert!(matches!(word, Word::Lacks(Lack::Labels { have: 30, .. })), "{word:?}");
    taught(&learner, &mut rng, 570);
    let (weak, lost) = mix(&learner, &mut rng);
    assert!(weak > 0.4 && lost <= 0.05, "{weak} {lost}");
    let standing = &learner.standings()[0];
    assert_eq!((standing.pairs[0].labels, standing.drift), (600, None));
    assert!(standing.pairs[0].weak_share > 0.4 && standing.pairs[0].abstains.is_none());
}

/// As it is told: numbers come back from a file to within a rounding.
fn said(learner: &Learner, sample: &Sample) -> String {
    learner.advise(&lane(), 0.05, sample).words[0].1.to_string()
}

#[test]
fn what_was_learnt_outlives_a_restart_and_can_be_gone_back_to() {
    let folder = tempfile::tempdir().unwrap();
    let start = || {
        let archive = Archive::open(folder.path(), "inputs").unwrap();
        Learner::start(school(), Some(archive), Now::read())
    };
    let mut rng = SmallRng::seed_from_u64(2);
    let learner = start();
    taught(&learner, &mut rng, 400);
    assert!(matches!(Archive::open(folder.path(), "inputs"), Err(Fault::Held)));
    let version = learner.standings()[0].version;
    let (sample, _) = prompt(&mut rng);
    let before = said(&learner, &sample);
    drop(learner);

    let learner = start();
    assert_eq!(said(&learner, &sample), before);
    // Labels that turn everything round.
    let pair = learner.pairs("auto")[0].clone();
    for _ in 0..200 {
        let label = Label { gain: 1.0, ..label(&mut rng) };
        learner.label(&lane(), &pair, label);
    }
    learner.settle();
    assert_ne!(said(&learner, &sample), before);
    assert_eq!(learner.roll_back(&lane(), 999), Err(Unknown(999)));
    let after = learner.roll_back(&lane(), version).unwrap();
    assert!(after > version);
    assert_eq!(said(&learner, &sample), before);
    drop(learner);
    let learner = start();
    assert_eq!(said(&learner, &sample), before, "and it stays so");
    let (_, versions) = &learner.history()[0];
    let rested = |version: &Version| version.pairs.values().next().map(|saved| saved.labels);
    let old = versions.iter().find(|known| known.number == version).and_then(rested);
    let newest = versions.last().unwrap();
    assert_eq!((newest.cause, rested(newest)), (Cause::Rollback(version), old));
    assert_eq!(learner.standings()[0].pairs[0].labels, old.unwrap(), "what came later is out");
}

#[test]
fn rows_of_other_inputs_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let start = |inputs: &str| {
        let archive = Archive::open(folder.path(), inputs).unwrap();
        Learner::start(school(), Some(archive), Now::read())
    };
    taught(&start("one"), &mut SmallRng::seed_from_u64(3), 60);
    assert!(start("another").standings().is_empty());
    assert_eq!(start("one").standings()[0].pairs[0].labels, 60);
}

#[test]
fn other_traffic_puts_what_was_learnt_aside_until_it_has_labels() {
    let learner = Learner::start(school(), None, Now::read());
    let mut rng = SmallRng::seed_from_u64(4);
    taught(&learner, &mut rng, 600);
    for _ in 0..2000 {
        assert_eq!(learner.watch(&lane(), &prompt(&mut rng).0, rng.random()), None);
    }
    let other = |rng: &mut SmallRng| {
        let (sample, _) = prompt(rng);
        let surface = sample.surface.iter().map(|value| value + 2.0).collect();
        Sample { surface, ..sample }
    };
    let alarm = (0..100).find_map(|_| learner.watch(&lane(), &other(&mut rng), rng.random()));
    assert_eq!(alarm.map(|alarm| alarm.watched), Some(Watched::Surface));
    let word = |learner: &Learner, sample| learner.advise(&lane(), 0.05, &sample).words[0].1;
    assert_eq!(word(&learner, other(&mut rng)), Word::Drift(Watched::Surface));
    learner.settle();
    assert_eq!(learner.standings()[0].drift, Some("surface"));
    let pair = learner.pairs("auto")[0].clone();
    for _ in 0..400 {
        let label = label(&mut rng);
        let surface = label.sample.surface.iter().map(|value| value + 2.0).collect();
        let sample = Sample { surface, ..label.sample.clone() };
        learner.label(&lane(), &pair, Label { sample, ..label });
    }
    learner.settle();
    assert!(matches!(word(&learner, other(&mut rng)), Word::Kept { .. }));
    assert_eq!(learner.standings()[0].pairs[0].labels, 400, "those of before count no more");
}

#[test]
fn another_configuration_is_learnt_for_anew() {
    let learner = Learner::start(school(), None, Now::read());
    taught(&learner, &mut SmallRng::seed_from_u64(5), 300);
    let version = learner.standings()[0].version;
    let mut settings = settings(tiers([None, None]));
    settings.routing.confidence = 0.99;
    learner.reload(&settings);
    learner.settle();
    let standing = &learner.standings()[0];
    assert!(standing.version > version);
    // Small and mid against the frontier, each as it was, of which mid has no labels.
    assert_eq!(standing.pairs.len(), 2);
    assert_eq!((standing.pairs[0].labels, standing.pairs[1].labels), (300, 0));
}

fn knowledge() -> &'static Knowledge {
    static KNOWN: std::sync::OnceLock<Knowledge> = std::sync::OnceLock::new();
    KNOWN.get_or_init(|| {
        let mut rng = SmallRng::seed_from_u64(6);
        let labels: Vec<Label> = (0..500).map(|_| label(&mut rng)).collect();
        let labels: Vec<&Label> = labels.iter().collect();
        let terms = Terms { loss: 0.05, confidence: 0.9 };
        Knowledge::learn(&basis(), &labels, terms).expect("enough labels")
    })
}

proptest! {
    /// A larger stated loss never sends less to the weaker tier.
    #[test]
    fn a_larger_loss_never_lowers_the_threshold(loss in 0.0..0.6f64, more in 0.0..0.4f64) {
        let threshold = |loss| match knowledge().verdict(loss) {
            Verdict::Kept(kept) => kept.threshold,
            Verdict::Abstain(_) => f64::NEG_INFINITY,
        };
        prop_assert!(threshold(loss) <= threshold(loss + more));
    }

    /// What is written down is what was known.
    #[test]
    fn written_and_read_it_says_the_same(seed: u64) {
        let text = serde_json::to_string(knowledge().saved()).unwrap();
        let read = Knowledge::restore(serde_json::from_str(&text).unwrap(), &basis()).unwrap();
        let (sample, _) = prompt(&mut SmallRng::seed_from_u64(seed));
        let (read_gain, gain) = (read.gain(&sample.prompt()), knowledge().gain(&sample.prompt()));
        prop_assert!((read_gain - gain).abs() < 1e-6);
        let share = |known: &Knowledge| match known.verdict(0.05) {
            Verdict::Kept(kept) => kept.weak_share,
            Verdict::Abstain(_) => 0.0,
        };
        prop_assert_eq!(share(&read), share(knowledge()));
    }
}
