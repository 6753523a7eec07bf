//! All that is learnt about one tenant and route, and what is decided with it: the score and its
//! line, answer groups, what was seen lately. Pure: the traffic, the judge's verdicts, the draw and
//! the operator's limits come as arguments.
//!
//! [`Mind::weigh`] and [`Mind::decide`] look; [`Mind::remember`] counts the lookup;
//! [`Mind::learn`] takes in what became of it; [`Mind::study`] refits, now and then.

use serde::{Deserialize, Serialize};

use super::drift::{Drift, MOST_EXPECTED};
use super::explore::{State, propensity};
use super::features::{Neighbourhood, Values};
use super::groups::{Compared, Group, Groups, Trust};
use super::judged::{Errors, Verdict};
use super::line::{Budget, Line};
use super::profile::Profile;
use super::rarity::Rarity;
use super::weights::{LEAST_LABELS, Prior, Weights};
use super::window::{Row, Window};
use super::{Candidate, guards};
use crate::cache::Guard;

/// Answer groups of a lookup that are weighed, and those whose answers are compared with a new one.
const GROUPS: usize = 4;
const COMPARED: usize = 3;

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
    groups: Groups,
    window: Window,
    drift: Drift,
    /// Lookups so far, and those above the line.
    lookups: u64,
    above: u32,
}

/// A candidate that was weighed: the most similar of its group that no guard vetoes, else the most
/// similar.
#[derive(Debug, Clone, PartialEq)]
pub struct Contender {
    pub entry: u64,
    /// Its place among the candidates.
    pub place: usize,
    pub similarity: f32,
    /// Cosine ahead of the best candidate with another answer.
    pub margin: f32,
    /// Log-odds that its answer is the query's.
    pub z: f32,
    pub values: Values,
    pub guard: Option<Guard>,
    /// Its signs differ, or its words are turned around: too little is known of how much that
    /// matters to serve it on the prior's word.
    pub other_signs: bool,
    pub turned: bool,
    pub group: Option<Group>,
}

/// The candidates' case, best first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Weighed {
    pub contenders: Vec<Contender>,
    /// The first is a near-literal repeat of the query.
    pub repeat: bool,
}

/// What to do about a lookup, and why.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Decision {
    /// The stored answer of the best contender.
    Serve {
        propensity: f32,
    },
    /// It would be served, but is asked upstream to learn from.
    Explore {
        propensity: f32,
        why: Exploring,
    },
    BelowLine,
    Guard(Guard),
    NoCandidate,
}

/// Why a would-be hit is asked upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exploring {
    Drawn,
    Suspect,
    Unverified,
}

/// A lookup on its way: what learning from its answer needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Lookup {
    number: u64,
    /// The contenders whose answers are worth comparing with the new one.
    pub compared: Vec<(u64, f32, f32)>,
    above: bool,
    forced: bool,
    /// The error that was expected at its score, where that was known.
    expected: Option<f32>,
}

impl Mind {
    pub fn new(prior: &Prior) -> Self {
        Self {
            weights: prior.start(),
            line: Line::default(),
            rarity: Rarity::default(),
            groups: Groups::default(),
            window: Window::default(),
            drift: Drift::default(),
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
        let near = Neighbourhood::new(query, candidates, &self.groups, &self.rarity);
        let mut contenders: Vec<Contender> = Vec::with_capacity(GROUPS);
        for place in 0..candidates.len() {
            let known = contenders.iter().position(|other| near.agree(other.place, place));
            match known {
                None if contenders.len() == GROUPS => {}
                None => contenders.push(self.contender(prior, &near, place)),
                Some(at) if contenders[at].guard.is_some() => {
                    if guards::veto(query, candidates[place].profile).is_none() {
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
        Weighed { contenders, repeat: repeat.is_some() }
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
        let unsure = best.other_signs || (best.turned && !self.line.is_learnt());
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
        let state = State { above: self.above, drift: self.drift.statistic };
        let propensity = propensity(best.z, goals.exploration, state);
        if draw < propensity {
            Decision::Explore { propensity, why: Exploring::Drawn }
        } else {
            Decision::Serve { propensity }
        }
    }

    /// Counts a lookup.
    pub fn remember(&mut self, query: &Profile, weighed: &Weighed, decision: &Decision) -> Lookup {
        self.lookups += 1;
        self.rarity.count(query.wording());
        let best = weighed.contenders.first();
        let above = matches!(decision, Decision::Serve { .. } | Decision::Explore { .. });
        let forced = matches!(
            decision,
            Decision::Explore { why: Exploring::Suspect | Exploring::Unverified, .. }
        );
        self.above = self.above.saturating_add(u32::from(above && !forced));
        let propensity = match decision {
            Decision::Serve { propensity } | Decision::Explore { propensity, .. } => *propensity,
            _ => 1.0,
        };
        let row = best.map(|best| Row {
            values: best.values,
            z: best.z,
            label: None,
            propensity: propensity.max(LEAST_PROPENSITY),
            servable: best.guard.is_none() && !forced,
        });
        let expected = best.and_then(|best| self.line.error_at(best.z));
        let compared = weighed.contenders.iter().take(COMPARED);
        Lookup {
            number: self.window.push(row),
            compared: compared.map(|c| (c.entry, c.z, c.similarity)).collect(),
            above,
            forced,
            expected,
        }
    }

    /// Takes in the verdicts on the compared candidates of a lookup that was asked upstream, best
    /// first, and places the entry that its answer became. Returns entries to retire: their stored
    /// answer is no longer the answer.
    pub fn learn(
        &mut self,
        lookup: &Lookup,
        verdicts: &[Verdict],
        entry: Option<u64>,
        judge: &Errors,
    ) -> Vec<u64> {
        let compared: Vec<Compared> = lookup
            .compared
            .iter()
            .zip(verdicts)
            .map(|((entry, z, similarity), verdict)| Compared {
                entry: *entry,
                z: *z,
                similarity: *similarity,
                verdict: *verdict,
            })
            .collect();
        let mut retired = Vec::new();
        if let Some(best) = compared.first() {
            self.label(lookup, best.verdict, judge);
            let group = self.groups.member(best.entry).map(|member| member.group);
            if self.groups.trial(best.entry, best.verdict, lookup.above, judge)
                && let Some(group) = group
            {
                retired = self.groups.members(group);
            }
        }
        for compared in &compared {
            self.groups.record(compared);
        }
        if let Some(entry) = entry {
            self.groups.place(entry, &compared, judge);
        }
        for entry in &retired {
            self.groups.forget(*entry);
        }
        retired
    }

    fn label(&mut self, lookup: &Lookup, verdict: Verdict, judge: &Errors) {
        let same = match verdict {
            Verdict::Same => true,
            Verdict::Different => false,
            Verdict::CannotTell => return,
        };
        self.window.label(lookup.number, same);
        let Some(expected) = lookup.expected.filter(|expected| *expected <= MOST_EXPECTED) else {
            return;
        };
        if lookup.forced {
            return;
        }
        if let Some(void) = self.drift.take(lookup.number, same, expected, judge) {
            self.groups.alarm();
            self.window.disown(void);
        }
    }

    /// A mind for traffic that nothing is known of yet but that it is the same tenant's.
    pub fn heir(&self) -> Self {
        Self {
            weights: self.weights.clone(),
            line: self.line.clone(),
            rarity: self.rarity.clone(),
            groups: Groups::default(),
            window: Window::default(),
            drift: Drift::default(),
            lookups: 0,
            above: 0,
        }
    }

    /// A caller's word on what was served. Callers complain more readily than they praise: a bad
    /// answer counts against the line, a good one trains the weights only.
    pub fn told(&mut self, lookup: &Lookup, entry: Option<u64>, good: bool) {
        self.window.label(lookup.number, good);
        if good {
            if let Some(row) = self.window.row_mut(lookup.number) {
                row.servable = false;
            }
            return;
        }
        let Some(entry) = entry else { return };
        self.groups.record(&Compared {
            entry,
            z: 0.0,
            similarity: lookup.compared.first().map_or(-1.0, |(_, _, similarity)| *similarity),
            verdict: Verdict::Different,
        });
        self.groups.split(entry);
    }

    /// An entry is gone.
    pub fn forget(&mut self, entry: u64) {
        self.groups.forget(entry);
    }

    /// Whether it is time to learn from the window.
    pub fn is_due(&self) -> bool {
        self.lookups.is_multiple_of(STUDY)
    }

    /// Refits the weights and draws the line anew.
    pub fn study(&mut self, prior: &Prior, goals: &Goals, judge: &Errors) {
        let mut weights = self.weights.clone();
        weights.refit(prior, self.window.rows(), judge);
        self.adopt(weights, goals, judge);
    }

    /// What a refit needs, to be done elsewhere: it takes some tens of milliseconds.
    pub fn material(&self) -> (Weights, Window) {
        (self.weights.clone(), self.window.clone())
    }

    /// Takes over refitted weights, and draws the line anew. Without labels it stays where the
    /// prior put it.
    pub fn adopt(&mut self, weights: Weights, goals: &Goals, judge: &Errors) {
        self.weights = weights;
        for row in self.window.rows_mut() {
            row.z = self.weights.score(&row.values);
        }
        if self.window.rows().filter(|row| row.label.is_some()).count() < LEAST_LABELS {
            return;
        }
        self.line = Line::draw(self.window.rows(), self.window.len(), &goals.budget, judge);
    }
}
