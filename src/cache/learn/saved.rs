//! Minds as bytes, so that a restart need not learn again: weights and line, groups and records, the
//! window and what the judge's word is worth. Where they are kept is the store's business.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde::{Deserialize, Serialize};

use super::super::verify::features::TABLE;
use super::super::verify::mind::Mind;
use super::judges::{Heard, ModelJudge};
use super::pupils::{MAX_MINDS, Pupil};
use super::{Lane, Minds};
use crate::judge::rates::{Prior, Rates};

/// Names under which the rates of comparing, and of the model, are kept.
const JUDGE: &str = "judge";
const MODEL: &str = "judge model";

#[derive(Serialize)]
struct Writing<'a> {
    features: String,
    lane: &'a Lane,
    mind: &'a Mind,
    heard: Heard,
}

#[derive(Deserialize)]
struct Reading {
    features: String,
    lane: Lane,
    mind: Mind,
    #[serde(default)]
    heard: Heard,
}

impl Minds {
    /// What has changed since this was last asked, each under a name of its own.
    pub fn changed(&self) -> Vec<(String, Vec<u8>)> {
        let pupils = self.all();
        let changed = pupils.iter().filter(|pupil| pupil.changed.swap(false, Ordering::Relaxed));
        let mut states: Vec<(String, Vec<u8>)> = changed
            .filter_map(|pupil| {
                // Copied first: writing a mind out takes longer than a request should wait.
                let mind = pupil.mind().clone();
                let heard = *pupil.heard();
                let lane = &pupil.lane;
                let state = Writing { features: features(), lane, mind: &mind, heard };
                Some((name(&pupil.lane), serde_json::to_vec(&state).ok()?))
            })
            .collect();
        if !states.is_empty() {
            // Two statements: no guard lives while another one is waited for.
            let rates = *self.judges.comparison();
            let model = self.judges.model().clone();
            states.extend(serde_json::to_vec(&rates).map(|bytes| (JUDGE.to_owned(), bytes)));
            if model != ModelJudge::default() {
                states.extend(serde_json::to_vec(&model).map(|bytes| (MODEL.to_owned(), bytes)));
            }
        }
        states
    }

    /// As if everything had changed: for a file that has nothing of it.
    pub fn all_changed(&self) {
        let pupils = self.lock();
        pupils.values().for_each(|pupil| pupil.changed.store(true, Ordering::Relaxed));
        self.shrunk.store(true, Ordering::Relaxed);
    }

    /// The names of all that is to be kept, if there is less than was written down since this was
    /// last asked.
    pub fn census(&self) -> Option<Vec<String>> {
        self.shrunk.swap(false, Ordering::Relaxed).then(|| {
            let minds = self.all();
            let minds = minds.iter().map(|pupil| name(&pupil.lane));
            minds.chain([JUDGE.to_owned(), MODEL.to_owned()]).collect()
        })
    }

    /// Takes back what [`Self::changed`] gave, where it knows more than what is here: of a mind, by
    /// the lookups that it has seen; of the judge, by the pairs. Returns how many states could not
    /// be used: they are another version's, or no states.
    pub fn restore(&self, states: impl IntoIterator<Item = (String, Vec<u8>)>) -> usize {
        let mut unusable = 0;
        for (name, bytes) in states {
            let used = match name.as_str() {
                JUDGE => self.restore_rates(&bytes),
                MODEL => self.restore_model(&bytes),
                _ => self.restore_mind(&name, &bytes),
            };
            unusable += usize::from(!used);
        }
        if unusable > 0 {
            self.shrunk.store(true, Ordering::Relaxed);
        }
        unusable
    }

    fn restore_rates(&self, bytes: &[u8]) -> bool {
        let Ok(rates) = serde_json::from_slice::<Rates>(bytes) else { return false };
        let (rates, mut known) = (rates.sound(Prior::COMPARISON), self.judges.comparison());
        if rates.pairs() > known.pairs() {
            *known = rates;
        }
        true
    }

    fn restore_model(&self, bytes: &[u8]) -> bool {
        let Ok(model) = serde_json::from_slice::<ModelJudge>(bytes) else { return false };
        let (model, mut known) = (model.sound(), self.judges.model());
        if model.pairs() > known.pairs() {
            *known = model;
        }
        true
    }

    fn restore_mind(&self, known_as: &str, bytes: &[u8]) -> bool {
        let Ok(reading) = serde_json::from_slice::<Reading>(bytes) else { return false };
        let Reading { features, lane, mind, heard } = reading;
        if known_as != name(&lane) || features != self::features() || !mind.is_sound() {
            return false;
        }
        let mut pupils = self.lock();
        match pupils.get(&lane) {
            Some(known) if known.mind().lookups >= mind.lookups => return true,
            None if pupils.len() >= MAX_MINDS => return false,
            _ => {}
        }
        // In place of the mind, not into it: a lookup that is under way counts in the old one.
        pupils.insert(lane.clone(), Arc::new(Pupil::new(lane, mind, heard, 0)));
        true
    }
}

/// A fingerprint of the table of features: weights of another table mean nothing to this one.
fn features() -> String {
    let names: Vec<&str> = TABLE.iter().map(|feature| feature.name).collect();
    blake3::hash(names.join(" ").as_bytes()).to_hex()[..16].to_owned()
}

/// Different for different lanes, whatever signs the names of tenant and route have.
fn name(lane: &Lane) -> String {
    format!("mind {}:{}/{}", lane.tenant.len(), lane.tenant, lane.route)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{answered, entry, lane, question};
    use super::*;

    #[test]
    fn what_was_learnt_survives() {
        let minds = Minds::new();
        let first = Arc::new(entry("a", "capital of france", "Paris"));
        answered(&minds, &first.prompt, &[], "a", "Paris");
        let states = minds.changed();
        assert_eq!(states.len(), 2, "a mind, and the judge");
        assert!(minds.changed().is_empty(), "nothing has happened since");
        let later = Minds::new();
        assert_eq!(later.restore(states), 0);
        assert_eq!(later.standings(), minds.standings());
        assert_eq!(later.group_of(&first), minds.group_of(&first));
    }

    #[test]
    fn each_lane_has_a_name_of_its_own() {
        assert_ne!(name(&lane("a/tier", "x")), name(&lane("a", "tier/x")));
    }

    #[test]
    fn a_state_under_another_name_is_not_used() {
        let minds = Minds::new();
        answered(&minds, "capital of france", &[], "a", "Paris");
        let (_, bytes) = minds.changed().remove(0);
        let later = Minds::new();
        assert_eq!(later.restore([("mind t/auto".to_owned(), bytes)]), 1);
        let names = later.census().expect("it is to leave the file");
        assert_eq!(names, [JUDGE, MODEL]);
    }

    #[test]
    fn whoever_knows_more_stays() {
        let learnt = |answers: usize| {
            let minds = Minds::new();
            for place in 0..answers {
                answered(&minds, "capital of france", &[], &format!("{place}"), "Paris");
            }
            minds
        };
        let here = learnt(2);
        assert_eq!(here.restore(learnt(1).changed()), 0);
        assert_eq!(here.standings()[0].entries, 2, "the file knew less");
        assert_eq!(here.restore(learnt(3).changed()), 0);
        assert_eq!(here.standings()[0].entries, 3, "the file knew more");
        here.changed();
        assert!(here.changed().is_empty());
        here.all_changed();
        assert_eq!(here.changed().len(), 2);
    }

    #[test]
    fn an_infinite_line_survives_too() {
        let minds = Minds::new();
        let asked = question(lane("t", "auto"), "hi there", Some(0.5));
        for _ in 0..3 {
            minds.ask(&asked, &[], |_| None);
        }
        let states = minds.changed();
        assert_eq!(Minds::new().restore(states), 0);
    }

    #[test]
    fn what_is_no_state_is_left_out() {
        let minds = Minds::new();
        answered(&minds, "capital of france", &[], "a", "Paris");
        let (name, bytes) = minds.changed().remove(0);
        let text = String::from_utf8(bytes).expect("JSON");
        let foreign = text.replace(&features(), "0123456789abcdef");
        let broken = [
            (name.clone(), b"{".to_vec()),
            (name.clone(), foreign.into_bytes()),
            (name, text.replace("\"bias\":", "\"bias\":1e39,\"was\":").into_bytes()),
            (JUDGE.to_owned(), b"[]".to_vec()),
        ];
        let later = Minds::new();
        assert!(later.restore(broken) >= 3);
        assert!(later.standings().is_empty());
    }
}
