//! Groups by hand on a few entries, and their books after any sequence of operations.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use Verdict::{CannotTell, Different, Same};

const KNOWS: Errors = Errors::NONE;
const ERRS: Errors = Errors { false_same: 0.05, false_different: 0.05 };

/// Whether the verdict on the best candidate retires its group.
fn tried(groups: &mut Groups, entry: u64, verdict: Verdict, above: bool, judge: &Errors) -> bool {
    groups.trial(&on(entry, 0.0, verdict), above, judge).is_some()
}

fn on(entry: u64, z: f32, verdict: Verdict) -> Compared {
    Compared { entry, group: None, z, similarity: 0.9, verdict, panel: 1 }
}

fn group(groups: &Groups, entry: u64) -> Group {
    groups.member(entry).expect("a known entry").group
}

/// Entry 1 in a group of its own, 2 and 3 in another.
fn one_and_two() -> (Groups, Group, Group) {
    let mut groups = Groups::default();
    let alone = groups.place(1, &[], &KNOWS);
    let pair = groups.place(2, &[on(1, 0.0, Different)], &KNOWS);
    assert_eq!(groups.place(3, &[on(2, 0.0, Same)], &KNOWS), pair);
    assert_ne!(alone, pair);
    (groups, alone, pair)
}

#[test]
fn an_answer_goes_where_the_odds_are_better_than_even() {
    for (z, verdict, judge, joins) in [
        (0.0, Same, KNOWS, true),
        (-7.0, Same, KNOWS, false),
        (6.0, Different, KNOWS, false),
        (7.0, Different, KNOWS, true),
        (2.9, CannotTell, KNOWS, false),
        (3.1, CannotTell, KNOWS, true),
        // ln(0.95 / 0.05) = 2.94 either way.
        (-2.8, Same, ERRS, true),
        (-3.0, Same, ERRS, false),
        (2.8, Different, ERRS, false),
        (3.0, Different, ERRS, true),
    ] {
        let mut groups = Groups::default();
        let first = groups.place(1, &[], &judge);
        let second = groups.place(2, &[on(1, z, verdict)], &judge);
        assert_eq!(second == first, joins, "{z} {verdict:?}");
    }
}

#[test]
fn of_two_that_fit_the_larger_is_chosen_and_the_likelier_if_the_judge_errs() {
    let both = [on(1, 5.0, Same), on(2, 1.0, Same)];
    let (mut groups, _, pair) = one_and_two();
    assert_eq!(groups.place(4, &both, &KNOWS), pair);
    let (mut groups, alone, _) = one_and_two();
    assert_eq!(groups.place(4, &both, &ERRS), alone);
    assert_eq!(groups.standing(alone).entries, 2);
}

#[test]
fn what_a_judge_that_knows_finds_alike_moves_at_once() {
    let (mut groups, alone, pair) = one_and_two();
    groups.place(4, &[on(1, 1.0, Same), on(2, 1.0, Same)], &KNOWS);
    assert_eq!(groups.members(pair), [1, 2, 3, 4]);
    assert_eq!(groups.standing(alone), Standing::default());
    assert_eq!(groups.standing(pair).entries, 4);
}

#[test]
fn with_a_judge_that_errs_a_move_takes_two_votes_more_for_than_against() {
    let (mut groups, alone, pair) = one_and_two();
    let for_the_pair = [on(1, 1.0, Same), on(2, 2.0, Same)];
    let for_its_own = [on(1, 2.0, Same), on(2, 2.0, Different)];
    assert_eq!(groups.place(4, &for_the_pair, &ERRS), pair);
    assert_eq!(group(&groups, 1), alone, "one vote");
    assert_eq!(groups.place(5, &for_its_own, &ERRS), alone);
    assert_eq!(groups.place(6, &for_the_pair, &ERRS), pair);
    assert_eq!(group(&groups, 1), alone, "one was taken back");
    // Different says nothing for the pair: only what fits has a vote.
    groups.place(7, &[on(1, -1.0, Different), on(2, 2.0, Same)], &ERRS);
    assert_eq!(group(&groups, 1), alone);
    groups.place(8, &for_the_pair, &ERRS);
    assert_eq!(group(&groups, 1), pair);
    assert_eq!((groups.members(alone), groups.standing(alone).entries), (vec![5], 1));
}

#[test]
fn a_vote_for_another_rival_takes_one_from_the_first() {
    let (mut groups, alone, pair) = one_and_two();
    let third = groups.place(9, &[], &ERRS);
    let towards = |entry: u64| [on(1, 1.0, Same), on(entry, 2.0, Same)];
    groups.place(10, &towards(2), &ERRS);
    groups.place(11, &towards(9), &ERRS);
    groups.place(12, &towards(2), &ERRS);
    assert_eq!(group(&groups, 1), alone);
    groups.place(13, &towards(2), &ERRS);
    assert_eq!(group(&groups, 1), pair);
    assert_eq!(groups.members(third), [9, 11]);
}

#[test]
fn a_verdict_counts_for_its_entry_and_its_group() {
    let (mut groups, _, pair) = one_and_two();
    groups.record(&on(2, 0.0, Same));
    groups.record(&on(3, 0.0, Same));
    for similarity in [0.7, 0.8, 0.6] {
        groups.record(&Compared { similarity, ..on(2, 0.0, Different) });
    }
    let two = groups.member(2).unwrap();
    assert_eq!((two.right, two.wrong, two.wrong_at), (1, 3, 0.8));
    let three = groups.member(3).unwrap();
    assert_eq!((three.right, three.wrong, three.wrong_at), (1, 0, -1.0));
    assert_eq!((groups.standing(pair).right, groups.standing(pair).wrong), (2, 3));
    let before = groups.clone();
    groups.record(&on(2, 0.0, CannotTell));
    groups.record(&on(77, 0.0, Different));
    assert_eq!(groups, before);
}

#[test]
fn different_above_the_line_makes_a_suspect_and_thrice_retires() {
    let (mut groups, _, pair) = one_and_two();
    assert!(!tried(&mut groups, 2, Different, false, &KNOWS));
    assert_eq!(groups.trust(pair, &KNOWS), Trust::Trusted, "below the line");
    assert!(!tried(&mut groups, 2, Different, true, &KNOWS));
    assert!(!tried(&mut groups, 3, Different, true, &KNOWS));
    assert_eq!(groups.trust(pair, &KNOWS), Trust::Suspect);
    assert!(!tried(&mut groups, 2, CannotTell, true, &KNOWS));
    assert_eq!(groups.trust(pair, &KNOWS), Trust::Suspect);
    assert!(!tried(&mut groups, 2, Same, true, &KNOWS));
    assert_eq!(groups.trust(pair, &KNOWS), Trust::Trusted, "cleared");
    let strikes: Vec<bool> =
        (0..3).map(|_| tried(&mut groups, 3, Different, true, &KNOWS)).collect();
    assert_eq!(strikes, [false, false, true]);
    assert!(!tried(&mut groups, 77, Different, true, &KNOWS));
}

#[test]
fn a_new_answer_joins_those_of_the_one_that_it_replaced() {
    let (mut groups, alone, pair) = one_and_two();
    let replaced = Compared { group: Some(pair), ..on(2, 0.0, Same) };
    groups.forget(2);
    assert_eq!(groups.place(4, &[replaced], &KNOWS), pair);
    groups.record(&replaced);
    assert_eq!(groups.standing(pair).right, 1);
    // Of a group that is gone with it nothing is left to join.
    groups.forget(1);
    let last = Compared { group: Some(alone), ..on(1, 0.0, Same) };
    let placed = groups.place(5, &[last], &KNOWS);
    assert!(placed != alone && placed != pair);
}

#[test]
fn what_takes_an_entrys_place_is_in_its_group_until_it_is_placed() {
    let (mut groups, alone, pair) = one_and_two();
    groups.record(&on(2, 0.0, Different));
    groups.succeed(2, 4);
    assert_eq!((group(&groups, 4), groups.member(2)), (pair, None));
    assert_eq!(groups.member(4).unwrap().wrong, 0, "a record is the answer's own");
    assert_eq!(groups.place(4, &[on(1, 0.0, Same)], &KNOWS), alone);
    assert_eq!(groups.members(pair), [3]);
    // A lesson may come first.
    groups.succeed(3, 4);
    assert_eq!((group(&groups, 4), groups.standing(pair).entries), (alone, 0));
}

#[test]
fn after_an_alarm_what_was_seen_right_must_be_again() {
    for (judge, needed) in [(KNOWS, 1), (ERRS, 2)] {
        let (mut groups, alone, pair) = one_and_two();
        tried(&mut groups, 2, Same, true, &judge);
        for alarm in 1..=2 {
            groups.alarm();
            assert_eq!(groups.alarms(), alarm);
            for _ in 0..needed {
                assert_eq!(groups.trust(pair, &judge), Trust::Unverified);
                tried(&mut groups, 3, Same, false, &judge);
            }
            assert_eq!(groups.trust(pair, &judge), Trust::Trusted);
            assert_eq!(groups.trust(alone, &judge), Trust::Unverified);
        }
        // What has not been seen right is retired after two, what has been after three.
        assert!(!tried(&mut groups, 1, Different, true, &judge));
        assert!(tried(&mut groups, 1, Different, true, &judge));
        assert!(!tried(&mut groups, 2, Different, true, &judge));
        assert!(!tried(&mut groups, 2, Different, true, &judge));
        assert!(tried(&mut groups, 2, Different, true, &judge));
        let founded = groups.place(9, &[], &judge);
        assert_eq!(groups.trust(founded, &judge), Trust::Trusted, "an answer from after it");
    }
}

#[test]
fn who_is_forgotten_or_split_leaves_the_group_to_the_others() {
    let (mut groups, alone, pair) = one_and_two();
    groups.forget(2);
    groups.forget(2);
    assert_eq!((groups.members(pair), groups.member(2)), (vec![3], None));
    groups.split(1);
    assert_ne!(group(&groups, 1), alone);
    assert_eq!(groups.standing(alone), Standing::default());
    groups.split(77);
    groups.forget(1);
    groups.forget(3);
    assert!(groups.is_empty() && groups.groups.is_empty());
}

#[test]
fn an_entry_placed_again_begins_a_new_record() {
    let (mut groups, _, pair) = one_and_two();
    groups.record(&on(2, 0.0, Different));
    let other = groups.place(2, &[on(3, 0.0, Different)], &KNOWS);
    assert_eq!(groups.members(pair), [3]);
    let again = groups.member(2).unwrap();
    assert_eq!((again.group, again.wrong, again.wrong_at), (other, 0, -1.0));
}

#[derive(Debug, Clone)]
enum Step {
    Place(u64, Vec<(u64, f32, Verdict)>),
    Record(u64, Verdict),
    Trial(u64, Verdict, bool),
    Forget(u64),
    Succeed(u64, u64),
    Split(u64),
    Alarm,
}

fn step() -> impl Strategy<Value = Step> {
    let entry = || 0_u64..12;
    let verdict = || prop::sample::select(vec![Same, Different, CannotTell]);
    let compared = prop::collection::vec((entry(), -5.0_f32..5.0, verdict()), 0..4);
    prop_oneof![
        6 => (entry(), compared).prop_map(|(entry, compared)| Step::Place(entry, compared)),
        3 => (entry(), verdict()).prop_map(|(entry, verdict)| Step::Record(entry, verdict)),
        3 => (entry(), verdict(), any::<bool>()).prop_map(|(e, v, above)| Step::Trial(e, v, above)),
        1 => entry().prop_map(Step::Forget),
        1 => (entry(), entry()).prop_map(|(old, new)| Step::Succeed(old, new)),
        1 => entry().prop_map(Step::Split),
        1 => Just(Step::Alarm),
    ]
}

proptest! {
    #[test]
    fn the_books_are_right_after_anything(steps in prop::collection::vec(step(), 0..60), errs in any::<bool>()) {
        let judge = if errs { ERRS } else { KNOWS };
        let mut groups = Groups::default();
        // Verdicts same and different on each entry that is stored.
        let mut records: BTreeMap<u64, (u16, u16)> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Place(entry, compared) => {
                    let compared: Vec<_> = compared.iter().map(|(e, z, v)| on(*e, *z, *v)).collect();
                    let placed = groups.place(entry, &compared, &judge);
                    prop_assert!(groups.members(placed).contains(&entry));
                    records.insert(entry, (0, 0));
                }
                Step::Record(entry, verdict) => {
                    groups.record(&on(entry, 0.0, verdict));
                    if let Some((right, wrong)) = records.get_mut(&entry) {
                        *right += u16::from(verdict == Same);
                        *wrong += u16::from(verdict == Different);
                    }
                }
                Step::Trial(entry, verdict, above) => {
                    if tried(&mut groups, entry, verdict, above, &judge) {
                        for member in groups.members(group(&groups, entry)) {
                            groups.forget(member);
                            records.remove(&member);
                        }
                    }
                }
                Step::Forget(entry) => {
                    groups.forget(entry);
                    records.remove(&entry);
                }
                Step::Succeed(old, new) => {
                    groups.succeed(old, new);
                    if old != new && records.remove(&old).is_some() {
                        records.entry(new).or_insert((0, 0));
                    }
                }
                Step::Split(entry) => groups.split(entry),
                Step::Alarm => groups.alarm(),
            }
            let mut counted: BTreeMap<Group, u32> = BTreeMap::new();
            for entry in groups.entries() {
                *counted.entry(group(&groups, entry)).or_default() += 1;
            }
            let booked = groups.groups.iter().map(|(group, standing)| (*group, standing.entries));
            prop_assert_eq!(booked.collect::<BTreeMap<_, _>>(), counted);
            let kept = groups.entries.iter().map(|(entry, m)| (*entry, (m.right, m.wrong)));
            prop_assert_eq!(kept.collect::<BTreeMap<_, _>>(), records.clone());
        }
    }
}
