//! Hard vetoes: differences between two questions that change the answer however close their
//! vectors are. An embedding hardly tells `5 mg` from `50 mg` or `can` from `cannot`. Pure.
//!
//! What each of them costs and gains on labelled pairs is measured in docs/cache.md.

use std::collections::BTreeSet;

use super::profile::Profile;
use super::tongue::{self, Tongue};
use super::words;
use crate::cache::Guard;

/// In the order in which they are told: what is surest comes first.
pub const GUARDS: [Guard; 6] =
    [Guard::Number, Guard::Unit, Guard::Date, Guard::Negation, Guard::Antonym, Guard::Entity];

/// The first guard that forbids one answer for both, if any. Symmetric in its arguments; a
/// near-literal repeat meets none.
pub fn guard(query: &Profile, candidate: &Profile) -> Option<Guard> {
    if query.has_the_words_of(candidate) {
        return None;
    }
    GUARDS.into_iter().find(|guard| differ(*guard, query, candidate))
}

/// Whether one guard forbids one answer for both. Symmetric in the texts.
pub fn differ(guard: Guard, a: &Profile, b: &Profile) -> bool {
    match guard {
        Guard::Number => a.numbers() != b.numbers() || each_has_more(a.ranks(), b.ranks()),
        Guard::Unit => have_other_units(a, b),
        Guard::Date => have_other_days(a, b),
        Guard::Negation => a.is_negated() != b.is_negated(),
        Guard::Antonym => have_antonyms(a, b),
        // In a language that is not read, any word may be a name.
        Guard::Entity => have_other_names(a, b) || !tongue::may_share(a, b),
    }
}

/// A measured unit that the other lacks (`5 km` and `5`), or units that exclude each other (`in miles`
/// and `in feet`). `How many days` and `how long` may ask the same.
fn have_other_units(a: &Profile, b: &Profile) -> bool {
    !a.measured().is_subset(b.units())
        || !b.measured().is_subset(a.units())
        || each_has_more(a.units(), b.units())
}

/// A day or month that the other lacks, or times that exclude each other (`in the morning` and `at
/// night`). A part of the day or `today` alone may go without saying.
fn have_other_days(a: &Profile, b: &Profile) -> bool {
    let is_said = |days: &BTreeSet<String>, day: &String| {
        words::goes_without_saying(day) || days.contains(day)
    };
    !a.days().iter().all(|day| is_said(b.days(), day))
        || !b.days().iter().all(|day| is_said(a.days(), day))
        || each_has_more(a.days(), b.days())
}

fn each_has_more<T: Ord>(a: &BTreeSet<T>, b: &BTreeSet<T>) -> bool {
    !a.is_subset(b) && !b.is_subset(a)
}

/// A word only in one and a word only in the other are opposites. Little words (`my` and `your`) count
/// only where no others differ: *less negative* is *more positive*.
pub(super) fn have_antonyms(query: &Profile, candidate: &Profile) -> bool {
    // In other languages `de` may face `para`: only texts that are not English ask those lists.
    let is_abroad = query.tongue() != Tongue::English && candidate.tongue() != Tongue::English;
    let are_antonyms = |a: &str, b: &str| {
        words::are_antonyms(a, b) || (is_abroad && words::abroad::are_antonyms(a, b))
    };
    let (in_query, in_candidate) =
        (opposable(query, candidate, is_abroad), opposable(candidate, query, is_abroad));
    let faces = |word: &&str| in_candidate.iter().any(|other| are_antonyms(word, other));
    if !is_abroad && !in_query.iter().any(faces) {
        return false;
    }
    let is_large = |word: &&str| !words::is_little(word);
    let others_differ =
        only(query, candidate).chain(only(candidate, query)).any(|word| is_large(&word));
    let compares = |a, b| only(a, b).any(|word| word == "more" || word == "less");
    if others_differ && compares(query, candidate) && compares(candidate, query) {
        // The other opposites may take back what these say; the score has to tell.
        return false;
    }
    let counts = |a: &str, b: &str| {
        let are_little = words::is_little(a) && words::is_little(b);
        are_antonyms(a, b) && !(are_little && others_differ)
    };
    let in_parts =
        || words::unspaced::have_antonyms(&query.core().concat(), &candidate.core().concat());
    in_query.iter().any(|word| in_candidate.iter().any(|other| counts(word, other)))
        || (is_abroad && in_parts())
}

/// Words of `a` that `b` lacks.
fn only<'a>(a: &'a Profile, b: &Profile) -> impl Iterator<Item = &'a str> {
    a.words().iter().filter(|word| !b.words().contains(word)).map(String::as_str)
}

/// Those of them that may have an opposite: most English texts have few such words.
fn opposable<'a>(a: &'a Profile, b: &Profile, is_abroad: bool) -> Vec<&'a str> {
    if is_abroad {
        return only(a, b).collect();
    }
    let place_of = |place: &u16| a.words().get(usize::from(*place));
    let opposed = a.wording().opposed().iter().filter_map(place_of);
    opposed.filter(|word| !b.words().contains(word)).map(String::as_str).collect()
}

/// Each has a name that is no word of the other. Names go by their capital, so a text without
/// capitals passes; its words are left to the score.
fn have_other_names(query: &Profile, candidate: &Profile) -> bool {
    lacks_a_name_of(query, candidate) && lacks_a_name_of(candidate, query)
}

/// Whether `b` has a name that is no word of `a`.
pub(super) fn lacks_a_name_of(a: &Profile, b: &Profile) -> bool {
    b.names().iter().any(|name| !a.words().iter().any(|word| words::bare(word) == name))
}

/// The guard that forbids serving, if one does. Antonyms and other names do not: they cost right
/// hits, and are features of the score. But no score can weigh what is in a language that is not read.
pub fn veto(query: &Profile, candidate: &Profile) -> Option<Guard> {
    guard(query, candidate).filter(|guard| {
        !matches!(guard, Guard::Antonym | Guard::Entity) || !tongue::may_share(query, candidate)
    })
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

#[cfg(test)]
#[path = "guards_tests.rs"]
mod tests;
