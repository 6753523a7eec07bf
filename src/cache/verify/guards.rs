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
    } else if have_other_names(query, candidate) {
        Some(Guard::Entity)
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

/// Each has a name that is no word of the other. Names go by their capital, so a text without
/// capitals passes; its words are left to the score.
fn have_other_names(query: &Profile, candidate: &Profile) -> bool {
    let lacks_a_name_of =
        |a: &Profile, b: &Profile| b.names().iter().any(|n| !a.words().contains(n));
    lacks_a_name_of(query, candidate) && lacks_a_name_of(candidate, query)
}
