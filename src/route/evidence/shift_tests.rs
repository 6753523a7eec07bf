use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::super::inputs::dot;
use super::*;

const TOPICS: usize = 12;
const DIMENSIONS: usize = 24;
const FEATURES: usize = 20;
/// Requests without a shift in one run, runs, and rows of a calibration.
const QUIET: usize = 5000;
const RUNS: u64 = 20;
const CALIBRATION: usize = 3200;

struct Request {
    vector: Vec<f32>,
    surface: Vec<f32>,
}

/// Requests about several topics; each has a place among the vectors and a form of its own.
struct Traffic {
    rng: SmallRng,
    places: Vec<Vec<f32>>,
}

impl Traffic {
    fn new(seed: u64) -> Self {
        // The world is one; what is drawn from it differs.
        let mut world = SmallRng::seed_from_u64(77);
        let mut place =
            || -> Vec<f32> { (0..DIMENSIONS).map(|_| world.random_range(-1.0..1.0)).collect() };
        let places = (0..TOPICS).map(|_| place()).collect();
        Self { rng: SmallRng::seed_from_u64(seed), places }
    }

    fn request(&mut self, topic: usize, strange: f32) -> Request {
        let rng = &mut self.rng;
        let vector: Vec<f32> =
            self.places[topic].iter().map(|value| value + rng.random_range(-0.8..0.8)).collect();
        let length = dot(&vector, &vector).sqrt();
        let surface = (0..FEATURES)
            .map(|f| {
                let own = ((topic * 7 + f * 3) % 5) as f32 / 5.0;
                // Most features are zero most of the time, as marks are.
                let shown = rng.random::<f32>() < 0.3;
                if shown { own + rng.random_range(0.0..1.0) + strange } else { 0.0 }
            })
            .collect();
        Request { vector: vector.iter().map(|value| value / length).collect(), surface }
    }

    fn usual(&mut self) -> Request {
        let topic = self.rng.random_range(0..TOPICS);
        self.request(topic, 0.0)
    }

    fn chance(&mut self) -> f64 {
        self.rng.random()
    }
}

fn calibrate(traffic: &mut Traffic, rows: usize, seed: u64) -> (Surface, Topics) {
    let rows: Vec<Request> = (0..rows).map(|_| traffic.usual()).collect();
    let surface: Vec<&[f32]> = rows.iter().map(|row| &row.surface[..]).collect();
    let vectors: Vec<&[f32]> = rows.iter().map(|row| &row.vector[..]).collect();
    (Surface::of(&surface).expect("enough"), Topics::of(&vectors, seed).expect("enough"))
}

#[test]
fn a_bet_is_fair() {
    // ∫ bet over p, by the middle of many slices, and what the clipping of p takes off its ends.
    let slices = 1_000_000_u32;
    let mean = (0..slices).map(|n| bet((f64::from(n) + 0.5) / f64::from(slices))).sum::<f64>()
        / f64::from(slices);
    assert!(mean <= 1.0 && mean > 0.97, "{mean}");
}

#[test]
fn traffic_as_before_raises_no_alarm() {
    for seed in 0..RUNS {
        let mut traffic = Traffic::new(seed);
        let (mut surface, mut topics) = calibrate(&mut traffic, CALIBRATION, seed);
        for n in 0..QUIET {
            let request = traffic.usual();
            let chance = traffic.chance();
            assert_eq!(surface.take(&request.surface, chance), None, "run {seed}, request {n}");
            assert_eq!(topics.take(&request.vector), None, "run {seed}, request {n}");
        }
    }
}

#[test]
fn another_form_is_noticed_after_some_hundred_requests_at_most() {
    for seed in 0..RUNS {
        let mut traffic = Traffic::new(seed);
        let (mut surface, _) = calibrate(&mut traffic, CALIBRATION, seed);
        // A quiet time first: it must not delay the alarm.
        for _ in 0..500 {
            let (request, chance) = (traffic.usual(), traffic.chance());
            surface.take(&request.surface, chance);
        }
        let strange = traffic.request(3, 1.5);
        assert!(surface.strangeness(&strange.surface) > 0.9);
        let alarm = (0..500).find_map(|_| {
            let (request, chance) = (traffic.request(3, 1.5), traffic.chance());
            surface.take(&request.surface, chance)
        });
        let alarm = alarm.expect("an alarm");
        assert_eq!(alarm.watched, Watched::Surface);
        assert!(alarm.evidence >= ALARM && alarm.after > 500 && alarm.after < 800, "{alarm:?}");
    }
}

#[test]
fn fewer_topics_are_noticed_where_the_form_is_the_same() {
    for seed in 0..RUNS {
        let mut traffic = Traffic::new(seed);
        let (_, mut topics) = calibrate(&mut traffic, CALIBRATION, seed);
        let alarm = (0..300).find_map(|n| topics.take(&traffic.request(n % 2, 0.0).vector));
        assert_eq!(alarm.expect("an alarm").watched, Watched::Topics);
    }
}

#[test]
fn a_small_calibration_is_no_cause_for_alarm() {
    for seed in 0..RUNS {
        let mut traffic = Traffic::new(100 + seed);
        let rows: Vec<Request> = (0..400).map(|_| traffic.usual()).collect();
        let rows: Vec<&[f32]> = rows.iter().map(|row| &row.surface[..]).collect();
        let mut surface = Surface::of(&rows).expect("enough");
        for n in 0..2000 {
            let (request, chance) = (traffic.usual(), traffic.chance());
            assert_eq!(surface.take(&request.surface, chance), None, "run {seed}, request {n}");
        }
    }
    let few = vec![&[0.0_f32; 3][..]; LEAST_TOPIC_ROWS - 1];
    assert_eq!(Topics::of(&few, 1), None);
    assert_eq!(Surface::of(&few[..LEAST_ROWS - 1]), None);
}

/// A gain with the given chances of a win and a loss.
fn gain(rng: &mut SmallRng, wins: f64, loses: f64) -> f64 {
    let draw = rng.random::<f64>();
    if draw < wins {
        1.0
    } else if draw > 1.0 - loses {
        -1.0
    } else {
        0.0
    }
}

#[test]
fn gains_alarm_when_the_strong_model_gains_more() {
    for seed in 0..RUNS {
        let mut rng = SmallRng::seed_from_u64(seed);
        let mut gains = Gains::of(0.1);
        for _ in 0..500 {
            gains.take(gain(&mut rng, 0.2, 0.1));
        }
        let alarm = (0..500).find_map(|_| gains.take(gain(&mut rng, 0.5, 0.1)));
        let alarm = alarm.expect("an alarm");
        assert_eq!((alarm.watched, alarm.watched.name()), (Watched::Gains, "gains"));
        assert!(alarm.evidence >= ALARM_GAINS, "{alarm:?}");
    }
}

#[test]
fn gains_as_before_seldom_alarm() {
    // The stake of a thousand is low on purpose: at most one run of 5,000 judged requests in
    // twenty may see it by luck.
    let alarms = |seed: &u64| {
        let mut rng = SmallRng::seed_from_u64(1000 + seed);
        let mut gains = Gains::of(0.1);
        (0..QUIET).any(|_| gains.take(gain(&mut rng, 0.2, 0.1)).is_some())
    };
    assert!((0..RUNS).filter(alarms).count() <= 1);
    // Nothing can be gained beyond 1: no stake may go below 0.
    let mut sure = Gains::of(1.0);
    for _ in 0..100 {
        assert_eq!(sure.take(-1.0), None);
        assert!(sure.stakes.iter().all(|stake| *stake > 0.0));
    }
}

#[test]
fn a_lasting_shift_alarms_again_and_state_survives() {
    let mut traffic = Traffic::new(1);
    let (mut surface, topics) = calibrate(&mut traffic, LEAST_TOPIC_ROWS, 1);
    let mut alarms = 0;
    for _ in 0..1000 {
        let (request, chance) = (traffic.request(3, 1.5), traffic.chance());
        alarms += u32::from(surface.take(&request.surface, chance).is_some());
    }
    assert!(alarms >= 2, "{alarms}");
    let text = serde_json::to_string(&(&surface, &topics)).expect("writes");
    let (mut back, topics): (Surface, Topics) = serde_json::from_str(&text).expect("reads");
    assert!(back.is_sound(FEATURES) && !back.is_sound(FEATURES + 1));
    assert!(topics.is_sound(DIMENSIONS) && !topics.is_sound(DIMENSIONS - 1));
    let request = traffic.request(3, 1.5);
    let (a, b) = (surface.take(&request.surface, 0.5), back.take(&request.surface, 0.5));
    assert_eq!(a.is_some(), b.is_some());
    assert!((surface.stake.value / back.stake.value - 1.0).abs() < 1e-6);
}
