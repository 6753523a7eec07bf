//! All that is learnt about one tenant and route, and what is decided with it: the score and its
//! line, answer groups, what was seen lately. Pure: the traffic, the judge's verdicts, the draw and
//! the operator's limits come as arguments.
//!
//! [`Mind::weigh`] and [`Mind::decide`] look; [`Mind::remember`] counts the lookup;
//! [`Mind::learn`] takes in what became of it; [`Mind::study`] refits, now and then.

use serde::{Deserialize, Serialize};

use super::case::{COMPARED, company};
pub use super::case::{Companion, Contender, Decision, Exploring, Lookup, Opponent, Weighed};
use super::drift::{Drift, MOST_EXPECTED};
use super::explore::{State, need, propensity};
use super::features::{COUNT, Neighbourhood};
use super::groups::{Compared, Groups, Trust};
use super::judged::{Errors, Verdict};
use super::line::{Budget, Line};
use super::pace::Pace;
use super::profile::Profile;
use super::rarity::Rarity;
use super::refit::{Material, Refit};
use super::sense::{Pair, Sense, pairs};
use super::weights::{LEAST_LABELS, Prior, Weights};
use super::window::{Row, Window};
use super::{Candidate, guards};

/// Answer groups of a lookup that are weighed.
const GROUPS: usize = 4;

/// Lookups between two refits.
const STUDY: u64 = 100;

/// Least propensity that a label is weighed by.
const LEAST_PROPENSITY: f32 = 0.005;

/// What the operator asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Goals {
    pub budget: Budget,
    /// Share of would-be hits asked upstream all the same.
    pub exploration: f32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mind {
    weights: Weights,
    line: Line,
    rarity: Rarity,
    sense: Sense,
    groups: Groups,
    window: Window,
    drift: Drift,
    pace: Pace,
    /// How much there is to learn from what would be served, on average (`explore::need`).
    need: f32,
    /// Lookups so far, and those above the line.
    pub(in crate::cache) lookups: u64,
    above: u32,
}

impl Mind {
    pub fn new(prior: &Prior) -> Self {
        Self::begin(prior.start(), Line::default(), Rarity::default(), Sense::default())
    }

    /// A mind for traffic that nothing is known of yet but that it is the same tenant's.
    pub fn heir(&self) -> Self {
        let (rarity, sense) = (self.rarity.clone(), self.sense.clone());
        Self::begin(self.weights.clone(), self.line.clone(), rarity, sense)
    }

    fn begin(weights: Weights, line: Line, rarity: Rarity, sense: Sense) -> Self {
        Self {
            weights,
            line,
            rarity,
            sense,
            groups: Groups::default(),
            window: Window::default(),
            drift: Drift::default(),
            pace: Pace::default(),
            need: 0.0,
            lookups: 0,
            above: 0,
        }
    }

    pub fn line(&self) -> &Line {
        &self.line
    }

    pub fn groups(&self) -> &Groups {
        &self.groups
    }

    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    /// Scores the candidates (in falling similarity), one for each of the nearest groups.
    pub fn weigh(&self, prior: &Prior, query: &Profile, candidates: &[Candidate<'_>]) -> Weighed {
        let near = Neighbourhood::new(query, candidates, &self.groups, &self.rarity, &self.sense);
        let mut contenders: Vec<Contender> = Vec::with_capacity(GROUPS);
        for (place, candidate) in candidates.iter().enumerate() {
            let known = contenders.iter().position(|other| near.agree(other.place, place));
            match known {
                None if contenders.len() == GROUPS => {}
                None => contenders.push(self.contender(prior, &near, place)),
                Some(at) if contenders[at].guard.is_some() => {
                    if guards::veto(query, candidate.profile).is_none() {
                        contenders[at] = self.contender(prior, &near, place);
                    }
                }
                Some(_) => {}
            }
        }
        let rank = |contender: &Contender| (contender.guard.is_none(), contender.z);
        contenders.sort_by(|a, b| rank(b).0.cmp(&rank(a).0).then(rank(b).1.total_cmp(&rank(a).1)));
        let literal = |c: &Contender| {
            let stored = candidates[c.place].profile;
            c.guard.is_none() && (query.is_repeat_of(stored) || query.restates(stored))
        };
        let repeat = contenders.iter().position(literal);
        if let Some(place) = repeat {
            contenders[..=place].rotate_right(1);
        }
        let company = contenders.first().map_or_else(Vec::new, |best| company(&near, best));
        Weighed { contenders, repeat: repeat.is_some(), company }
    }

    fn contender(&self, prior: &Prior, near: &Neighbourhood<'_>, place: usize) -> Contender {
        let candidate = &near.candidates[place];
        let values = prior.standardise(&near.values(place));
        Contender {
            entry: candidate.entry,
            place,
            similarity: candidate.similarity,
            margin: candidate.similarity - near.rival(place),
            z: self.weights.score(&values),
            values,
            guard: guards::veto(near.query, candidate.profile),
            other_signs: guards::has_other_signs(near.query, candidate.profile),
            turned: guards::is_turned(near.query, candidate.profile),
            group: near.groups[place],
        }
    }

    /// Serve, explore or miss. `draw` is uniform in [0, 1).
    pub fn decide(&self, weighed: &Weighed, goals: &Goals, judge: &Errors, draw: f32) -> Decision {
        let Some(best) = weighed.contenders.first() else { return Decision::NoCandidate };
        if let Some(guard) = best.guard {
            return Decision::Guard(guard);
        }
        let unsure = best.is_unsure(self.line.is_learnt());
        if (best.z < self.line.at || unsure) && !weighed.repeat {
            return Decision::BelowLine;
        }
        let trust = best.group.map_or(Trust::Trusted, |group| self.groups.trust(group, judge));
        let forced = match trust {
            Trust::Trusted => None,
            Trust::Suspect => Some(Exploring::Suspect),
            Trust::Unverified => Some(Exploring::Unverified),
        };
        if let Some(why) = forced {
            let explores = goals.exploration > 0.0;
            return if explores {
                Decision::Explore { propensity: 1.0, why }
            } else {
                Decision::BelowLine
            };
        }
        if weighed.repeat {
            // As the exact level's hits: served from the first on.
            return Decision::Serve { propensity: 0.0 };
        }
        let state = State { above: self.above, drift: self.drift.statistic, need: self.need };
        let propensity = propensity(best.z, goals.exploration, state);
        if draw < propensity {
            Decision::Explore { propensity, why: Exploring::Drawn }
        } else {
            Decision::Serve { propensity }
        }
    }

    /// Counts a lookup. `candidates` are those that were weighed.
    pub fn remember(
        &mut self,
        query: &Profile,
        candidates: &[Candidate<'_>],
        weighed: &Weighed,
        decision: &Decision,
    ) -> Lookup {
        self.lookups += 1;
        self.rarity.count(query.wording());
        let best = weighed.contenders.first();
        let above = matches!(decision, Decision::Serve { .. } | Decision::Explore { .. });
        let forced = matches!(
            decision,
            Decision::Explore { why: Exploring::Suspect | Exploring::Unverified, .. }
        );
        self.above = self.above.saturating_add(u32::from(above && !forced));
        let served = matches!(decision, Decision::Serve { .. });
        let propensity = match decision {
            Decision::Serve { propensity } | Decision::Explore { propensity, .. } => *propensity,
            _ => 1.0,
        };
        let row = best.map(|best| Row {
            values: best.values,
            z: best.z,
            label: None,
            panel: 1,
            propensity: propensity.max(LEAST_PROPENSITY),
            // A repeat is served whatever its score, and says nothing of others with that score.
            servable: best.guard.is_none()
                && !forced
                && !weighed.repeat
                && !best.is_unsure(self.line.is_learnt()),
            served: served && !weighed.repeat,
        });
        if let Some(oldest) = self.window.make_room() {
            let served = oldest.filter(|row| row.served);
            self.pace.leave(1.0, served.map_or(0.0, |row| self.line.expected(row.z)));
        }
        let expected = best.and_then(|best| self.line.error_at(best.z));
        Lookup {
            number: self.window.push(row),
            contenders: weighed.contenders.len().min(COMPARED),
            pairs: if served { Vec::new() } else { pairs(query, candidates) },
            compared: weighed.opponents(),
            above,
            forced,
            expected,
        }
    }

    /// Takes in the verdicts on the compared candidates of a lookup that was asked upstream, in their
    /// order, and places the entry that its answer became. Returns entries to retire: their stored
    /// answer is no longer the answer.
    pub fn learn(
        &mut self,
        lookup: &Lookup,
        verdicts: &[Verdict],
        entry: Option<u64>,
        judge: &Errors,
    ) -> Vec<u64> {
        let compared = lookup.judged(verdicts, judge);
        let mut retired = Vec::new();
        if let Some(best) = compared.first() {
            self.label(lookup, best, judge);
            if let Some(group) = self.groups.trial(best, lookup.above, judge) {
                retired = self.groups.members(group);
            }
        }
        for compared in &compared {
            self.groups.record(compared);
        }
        if let Some(entry) = entry {
            self.place(entry, &lookup.pairs, &compared, judge);
        }
        for entry in &retired {
            self.groups.forget(*entry);
        }
        retired
    }

    /// Puts the entry of a new answer into a group, and learns from the neighbours of which it is now
    /// known whether their answer is the same.
    fn place(&mut self, entry: u64, pairs: &[Pair], compared: &[Compared], judge: &Errors) {
        let different = compared.iter().filter(|other| other.verdict == Verdict::Different);
        let group_of = |groups: &Groups, entry| groups.member(entry).map(|member| member.group);
        let others: Vec<_> = different.filter_map(|other| self.groups.home(other)).collect();
        let group = self.groups.place(entry, compared, judge);
        for pair in pairs {
            match group_of(&self.groups, pair.entry) {
                Some(of_pair) if of_pair == group => self.sense.learn(pair, true),
                Some(of_pair) if others.contains(&of_pair) => self.sense.learn(pair, false),
                _ => {}
            }
        }
    }

    fn label(&mut self, lookup: &Lookup, best: &Compared, judge: &Errors) {
        let same = match best.verdict {
            Verdict::Same => true,
            Verdict::Different => false,
            Verdict::CannotTell => return,
        };
        self.window.label(lookup.number, same, best.panel);
        let Some(expected) = lookup.expected.filter(|expected| *expected <= MOST_EXPECTED) else {
            return;
        };
        if lookup.forced {
            return;
        }
        if let Some(void) =
            self.drift.take(lookup.number, same, expected, &judge.of_panel(best.panel))
        {
            self.groups.alarm();
            self.window.disown(void);
        }
    }

    /// A caller's word on what was served. Callers complain more readily than they praise: a bad
    /// answer counts against the line, a good one trains the weights only. `lookup` is `None` where
    /// another mind counted it.
    pub fn told(&mut self, lookup: Option<u64>, entry: u64, similarity: f32, good: bool) {
        if let Some(lookup) = lookup {
            self.window.label(lookup, good, 1);
        }
        if good {
            if let Some(row) = lookup.and_then(|lookup| self.window.row_mut(lookup)) {
                row.servable = false;
            }
            return;
        }
        let verdict = Verdict::Different;
        let compared = Compared { entry, group: None, z: 0.0, similarity, verdict, panel: 1 };
        self.groups.record(&compared);
        self.groups.split(entry);
    }

    /// Its numbers are such as learning leads to: for one read from disk.
    pub fn is_sound(&self) -> bool {
        let Weights { bias, weights } = &self.weights;
        weights.len() == COUNT
            && bias.is_finite()
            && weights.iter().all(|weight| weight.is_finite())
            && self.line.is_sound()
            && self.sense.is_sound()
            && self.window.rows().all(|row| row.z.is_finite() && row.propensity > 0.0)
    }

    /// An entry is gone.
    pub fn forget(&mut self, entry: u64) {
        self.groups.forget(entry);
    }

    /// An entry has taken the place of another of the same request.
    pub fn succeed(&mut self, old: u64, new: u64) {
        self.groups.succeed(old, new);
    }

    /// The answer of an entry that took another's place is not the one that was there.
    pub fn split(&mut self, entry: u64) {
        self.groups.split(entry);
    }

    /// Whether it is time to learn from the window.
    pub fn is_due(&self) -> bool {
        self.lookups.is_multiple_of(STUDY)
    }

    /// Refits the weights and draws the line anew.
    pub fn study(&mut self, prior: &Prior, goals: &Goals, judge: &Errors) {
        let refit = self.material().refit(prior, judge);
        self.adopt(refit, goals, judge);
    }

    /// What a refit needs, to be done elsewhere.
    pub fn material(&self) -> Material {
        Material { weights: self.weights.clone(), window: self.window.clone() }
    }

    /// Takes over refitted weights, and draws the line anew. Without labels it stays where the
    /// prior put it.
    pub fn adopt(&mut self, refit: Refit, goals: &Goals, judge: &Errors) {
        for (number, row) in self.window.numbered_mut() {
            row.z = refit.without(number).score(&row.values);
        }
        for row in self.window.passed_mut() {
            row.z = refit.weights.score(&row.values);
        }
        self.weights = refit.weights;
        if self.window.rows().filter(|row| row.label.is_some()).count() < LEAST_LABELS {
            return;
        }
        let served = self.window.rows().filter(|row| row.served);
        let wrong: f32 = served.map(|row| self.line.expected(row.z)).sum();
        let lookups = self.window.len();
        let allowance = self.pace.allowance(goals.budget.lookups, lookups as f32, wrong);
        let budget = Budget { lookups: allowance, ..goals.budget };
        let (rows, passed) = (self.window.rows(), self.window.passed());
        self.line = Line::draw(rows, passed, lookups, &budget, judge);
        let above = self.window.rows().filter(|row| row.servable && row.z >= self.line.at);
        let (sum, count) = above.fold((0.0, 0), |(sum, count), row| (sum + need(row.z), count + 1));
        self.need = sum / f32::max(count as f32, 1.0);
    }
}
