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
pub(super) fn have_antonyms(query: &Profile, candidate: &Profile) -> bool {
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
    lacks_a_name_of(query, candidate) && lacks_a_name_of(candidate, query)
}

/// Whether `b` has a name that is no word of `a`.
pub(super) fn lacks_a_name_of(a: &Profile, b: &Profile) -> bool {
    b.names().iter().any(|name| !a.words().contains(name))
}

/// The guard that forbids serving, if one does. Antonyms and other names do not: they cost right
/// hits, and are features of the score.
pub fn veto(query: &Profile, candidate: &Profile) -> Option<Guard> {
    guard(query, candidate).filter(|guard| !matches!(guard, Guard::Antonym | Guard::Entity))
}

/// The same words turned around, or asked about something else: `from A to B` and `from B to A`,
/// `Did A call B?` and `Was A called by B?`, `Where was A born?` and `When was A born?`.
pub fn is_turned(query: &Profile, candidate: &Profile) -> bool {
    let common = |one: &Profile, other: &Profile| -> Vec<String> {
        one.content().iter().filter(|stem| other.content().contains(stem)).cloned().collect()
    };
    let in_both = common(query, candidate);
    let is_reordered = in_both != common(candidate, query);
    let is_passive = |profile: &Profile| profile.words().iter().any(|word| word == "by");
    let is_passive_once = in_both.len() > 1 && is_passive(query) != is_passive(candidate);
    let asks_other =
        matches!((query.asks_for(), candidate.asks_for()), (Some(a), Some(b)) if a != b);
    is_reordered || is_passive_once || asks_other
}

/// In code and arithmetic the signs are the question.
pub fn has_other_signs(query: &Profile, candidate: &Profile) -> bool {
    query.symbols() != candidate.symbols()
}
