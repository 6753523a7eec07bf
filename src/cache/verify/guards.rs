//! Hard vetoes: differences between two questions that change the answer however close their
//! vectors are. An embedding hardly tells `5 mg` from `50 mg` or `can` from `cannot`. Pure.

use super::profile::Profile;
use super::words;
use crate::cache::Guard;

/// The first guard that forbids one answer for both, if any. Symmetric in its arguments.
pub fn guard(query: &Profile, candidate: &Profile) -> Option<Guard> {
    if query.numbers() != candidate.numbers() {
        Some(Guard::Number)
    } else if query.units() != candidate.units() {
        Some(Guard::Unit)
    } else if query.days() != candidate.days() {
        Some(Guard::Date)
    } else if query.is_negated() != candidate.is_negated() {
        Some(Guard::Negation)
    } else if have_antonyms(query, candidate) {
        Some(Guard::Antonym)
    } else {
        None
    }
}

/// A word only in one and a word only in the other are opposites.
fn have_antonyms(query: &Profile, candidate: &Profile) -> bool {
    let only = |a: &Profile, b: &Profile| -> Vec<String> {
        a.words().iter().filter(|word| !b.words().contains(word)).cloned().collect()
    };
    let in_candidate = only(candidate, query);
    only(query, candidate)
        .iter()
        .any(|word| in_candidate.iter().any(|other| words::are_antonyms(word, other)))
}
