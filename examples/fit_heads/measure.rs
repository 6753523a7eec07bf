//! Figures: APGR as RouteLLM defines it, calibration error, log loss, and bootstrap intervals.

/// One row as a router sees it afterwards: the score (higher goes to the strong model) and what
/// either model would have given.
#[derive(Clone, Copy)]
pub struct Outcome {
    pub score: f64,
    pub weak: f64,
    pub strong: f64,
}

/// A figure with its 95 % bootstrap interval.
#[derive(Clone, Copy)]
pub struct Figure {
    pub value: f64,
    pub low: f64,
    pub high: f64,
}

const BINS: usize = 10;
const RESAMPLES: usize = 300;

/// Average performance gap recovered: the area under the share of the quality gap that is closed,
/// over the share of calls to the strong model, at the score's ten quantiles. 0.5 is chance.
pub fn apgr(outcomes: &[Outcome]) -> f64 {
    let mut sorted = outcomes.to_vec();
    sorted.sort_by(|a, b| b.score.total_cmp(&a.score));
    let count = sorted.len() as f64;
    let weak = sorted.iter().map(|row| row.weak).sum::<f64>() / count;
    let strong = sorted.iter().map(|row| row.strong).sum::<f64>() / count;
    let mut gained = vec![0.0];
    for row in &sorted {
        gained.push(gained[gained.len() - 1] + row.strong - row.weak);
    }
    let mut points: Vec<(f64, f64)> = (0..=BINS)
        .map(|bin| {
            let edge = quantile(&sorted, bin as f64 / BINS as f64);
            let taken = sorted.partition_point(|row| {
                if bin == BINS { row.score > edge } else { row.score >= edge }
            });
            (taken as f64 / count, weak + gained[taken] / count)
        })
        .collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    let area: f64 = points.windows(2).map(|p| (p[1].0 - p[0].0) * (p[1].1 + p[0].1) / 2.0).sum();
    let width = points[BINS].0 - points[0].0;
    (area - weak * width) / ((strong - weak) * width)
}

/// Linear interpolation between order statistics; `sorted` falls.
fn quantile(sorted: &[Outcome], share: f64) -> f64 {
    let place = (sorted.len() - 1) as f64 * (1.0 - share);
    let (below, above) = (place.floor() as usize, place.ceil() as usize);
    let part = place - below as f64;
    sorted[below].score * (1.0 - part) + sorted[above].score * part
}

/// The statistic on all rows, with an interval from resampled rows.
pub fn with_interval(outcomes: &[Outcome], statistic: impl Fn(&[Outcome]) -> f64) -> Figure {
    let mut chance = Chance(7);
    let mut values: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            let pick = |_| outcomes[chance.below(outcomes.len())];
            statistic(&(0..outcomes.len()).map(pick).collect::<Vec<_>>())
        })
        .collect();
    values.sort_by(f64::total_cmp);
    let at = |share: f64| values[((RESAMPLES - 1) as f64 * share).round() as usize];
    Figure { value: statistic(outcomes), low: at(0.025), high: at(0.975) }
}

/// Expected calibration error in ten equal bins: mean distance of prediction and quality.
pub fn calibration_error(pairs: &[(f64, f64)]) -> f64 {
    let mut bins = [(0.0, 0.0); BINS];
    for (predicted, quality) in pairs {
        let bin = &mut bins[((predicted * BINS as f64) as usize).min(BINS - 1)];
        bin.0 += predicted;
        bin.1 += quality;
    }
    bins.iter().map(|(predicted, quality)| (predicted - quality).abs()).sum::<f64>()
        / pairs.len() as f64
}

/// Mean log loss against soft labels.
pub fn log_loss(pairs: &[(f64, f64)]) -> f64 {
    let loss = |(predicted, quality): &(f64, f64)| {
        let inside = predicted.clamp(1e-6, 1.0 - 1e-6);
        -(quality * inside.ln() + (1.0 - quality) * (1.0 - inside).ln())
    };
    pairs.iter().map(loss).sum::<f64>() / pairs.len() as f64
}

/// SplitMix64: enough randomness for resampling, the same on every machine.
pub struct Chance(pub u64);

impl Chance {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}
