//! Features worked out by hand on a small neighbourhood, and their ranges on any.

use proptest::prelude::*;

use super::super::groups::Compared;
use super::super::judged::{Errors, Verdict};
use super::super::sense::pairs;
use super::*;

fn place_of(name: &str) -> usize {
    TABLE.iter().position(|feature| feature.name == name).expect("a feature")
}

fn verdict(entry: u64, similarity: f32, verdict: Verdict) -> Compared {
    Compared { entry, group: None, z: 0.0, similarity, verdict, panel: 1 }
}

/// Values of the candidate at `place`, each stored text with its entry's number and cosine.
fn values(
    query: &str,
    stored: &[(u64, &str, f32)],
    place: usize,
    groups: &Groups,
    rarity: &Rarity,
) -> Values {
    let query = Profile::of(query);
    let profiles: Vec<Profile> = stored.iter().map(|(_, text, _)| Profile::of(text)).collect();
    let candidates: Vec<Candidate<'_>> = stored
        .iter()
        .zip(&profiles)
        .map(|((entry, _, similarity), profile)| Candidate {
            entry: *entry,
            profile,
            similarity: *similarity,
        })
        .collect();
    Neighbourhood::new(&query, &candidates, groups, rarity, &Sense::default()).values(place)
}

fn assert_values(values: &Values, expected: &[(&str, f32)]) {
    for (name, value) in expected {
        let found = values[place_of(name)];
        assert!((found - value).abs() < 1e-4, "{name}: {found} instead of {value}");
    }
}

const QUERY: &str = "where is my new card";
const STORED: [(u64, &str, f32); 3] = [
    (1, "where is my card", 0.9),
    (2, "when does my new card arrive", 0.8),
    (3, "where can my card be", 0.7),
];

/// Entries 1 and 3 have one answer, 2 another. In four lookups *card* was asked twice, *new* once.
fn known() -> (Groups, Rarity) {
    let mut groups = Groups::default();
    groups.place(1, &[], &Errors::NONE);
    groups.place(2, &[], &Errors::NONE);
    groups.place(3, &[verdict(1, 0.9, Verdict::Same)], &Errors::NONE);
    groups.record(&verdict(1, 0.85, Verdict::Same));
    groups.record(&verdict(1, 0.84, Verdict::Same));
    groups.record(&verdict(1, 0.83, Verdict::Different));
    groups.record(&verdict(3, 0.99, Verdict::Different));
    let mut rarity = Rarity::default();
    for text in ["a card", "my card", "new", "some gold"] {
        rarity.count(Profile::of(text).wording());
    }
    (groups, rarity)
}

/// ln((N + 1) / (df + 0.5)) after four lookups.
fn idf(df: f32) -> f32 {
    (5.0 / (df + 0.5)).ln()
}

#[test]
fn the_nearest_by_hand() {
    let (groups, rarity) = known();
    let values = values(QUERY, &STORED, 0, &groups, &rarity);
    let (card, new) = (idf(2.0), idf(1.0));
    assert_values(
        &values,
        &[
            ("cos", 0.9),
            ("other", 0.8),
            ("margin", 0.1),
            ("mcap", 0.1),
            ("coshi", 0.0),
            ("dens", 0.8),
            ("agree", 2.0 / 8.0),
            // Votes fade by e^(20 (cos − 0.9)).
            ("vote", (1.0 + (-4.0_f32).exp()) / (1.0 + (-2.0_f32).exp() + (-4.0_f32).exp())),
            ("lsize", 3.0_f32.ln()),
            ("grec", (3.0_f32 / 3.0).ln()),
            ("erec", (3.0_f32 / 2.0).ln()),
            ("wgap", 0.9 - 0.83),
            ("jac", 4.0 / 5.0),
            ("cjac", 1.0 / 2.0),
            // 15 of 20 and 16.
            ("tri", 15.0 / 21.0),
            ("big", 2.0 / 5.0),
            ("lcs", 4.0 / 5.0),
            ("uq", new / 10.0),
            ("uc", 0.0),
            ("umin", 0.0),
            ("udr", new / (new + card)),
            ("mq", new / 10.0),
            ("gqs", new / 10.0),
            ("gq", new / 10.0),
            // Entry 2 has the word.
            ("oq", new / 10.0),
            ("len", 5.0_f32.ln()),
            ("lr", 4.0 / 5.0),
            ("wh", 0.0),
            ("same", 0.0),
            ("sense", 0.0),
            ("sgroup", 0.0),
            ("sahead", 0.0),
            ("cos*agree", (0.9 - 0.8) * (0.25 - 0.4)),
            ("grec*cos", 0.0),
            ("margin*udr", (0.1 - 0.13) * (new / (new + card) - 0.58)),
        ],
    );
}

#[test]
fn its_rival_by_hand() {
    let (groups, rarity) = known();
    let values = values(QUERY, &STORED, 1, &groups, &rarity);
    let (card, new, arrive) = (idf(2.0), idf(1.0), idf(0.0));
    assert_values(
        &values,
        &[
            ("cos", 0.8),
            ("other", 0.9),
            ("margin", -0.1),
            ("mcap", 0.0),
            ("agree", 1.0 / 8.0),
            ("lsize", 2.0_f32.ln()),
            ("grec", 0.0),
            ("erec", 0.0),
            ("wgap", 0.3),
            ("cjac", 2.0 / 3.0),
            ("lcs", 3.0 / 6.0),
            ("uq", 0.0),
            ("uc", arrive / 10.0),
            ("udr", arrive / (arrive + card + new)),
            ("mq", 0.0),
            ("gqs", 0.0),
            ("gq", 0.0),
            ("oq", 0.0),
            ("len", 6.0_f32.ln()),
            ("lr", 5.0 / 6.0),
            ("wh", 1.0),
        ],
    );
}

#[test]
fn a_word_that_another_with_this_answer_has_is_not_lacking_in_the_group() {
    let (groups, rarity) = known();
    let mut stored = STORED;
    stored[2].1 = "where can my new card be";
    let at = values(QUERY, &stored, 0, &groups, &rarity);
    let new = idf(1.0) / 10.0;
    assert_values(&at, &[("uq", new), ("mq", new), ("gqs", 0.0), ("gq", 0.0), ("oq", 0.0)]);
    // And where nobody has it, none elsewhere does.
    let mut stored = STORED;
    stored[1].1 = "when does my card arrive";
    let at = values(QUERY, &stored, 0, &groups, &rarity);
    assert_values(&at, &[("uq", new), ("gqs", new), ("gq", new), ("oq", 0.0)]);
}

#[test]
fn one_alone_that_nothing_is_known_of_has_no_rival_and_no_record() {
    let stored = [(9, "where is my new card", 0.97)];
    let values = values(QUERY, &stored, 0, &Groups::default(), &Rarity::default());
    assert_values(
        &values,
        &[
            ("other", 0.3),
            ("margin", 0.5),
            ("mcap", 0.15),
            ("coshi", 0.07),
            ("dens", 0.97),
            ("agree", 1.0 / 8.0),
            ("vote", 1.0),
            ("lsize", 2.0_f32.ln()),
            ("grec", 0.0),
            ("erec", 0.0),
            ("wgap", 0.3),
            ("jac", 1.0),
            ("tri", 1.0),
            ("lcs", 1.0),
            ("udr", 0.0),
            ("same", 1.0),
            ("bag", 0.0),
            // Nothing speaks for another answer, which is the most that can be said.
            ("sahead", sense::MOST),
        ],
    );
}

#[test]
fn each_flag_is_up_for_its_difference_only() {
    const FLAGS: [&str; 9] =
        ["num_conf", "num_ne", "ant", "neg", "day", "capconf", "capone", "bag", "wh"];
    let cases: [(&str, &str, &[&str]); 9] = [
        ("price of 5 apples", "price of 6 apples", &["num_conf", "num_ne"]),
        ("price of 5 apples", "price of apples", &["num_ne"]),
        ("how to enable it", "how to disable it", &["ant"]),
        ("how it works", "how it does not work", &["neg"]),
        ("open on monday", "open on tuesday", &["day"]),
        ("is Ann a judge", "is Eve a judge", &["capconf"]),
        ("is Ann a judge", "is there a judge", &["capone"]),
        ("dogs eat cats", "cats eat dogs", &["bag"]),
        ("where is it", "when is it", &["wh"]),
    ];
    for (query, stored, up) in cases {
        let values = values(query, &[(1, stored, 0.9)], 0, &Groups::default(), &Rarity::default());
        let raised: Vec<&str> =
            FLAGS.into_iter().filter(|name| values[place_of(name)] == 1.0).collect();
        assert_eq!(raised, up, "{query} / {stored}");
    }
}

#[test]
fn records_and_gaps_are_clipped() {
    let mut groups = Groups::default();
    groups.place(1, &[], &Errors::NONE);
    for _ in 0..100 {
        groups.record(&verdict(1, 0.99, Verdict::Different));
    }
    let stored = [(1, "where is my card", 0.6)];
    let at = values(QUERY, &stored, 0, &groups, &Rarity::default());
    assert_values(&at, &[("grec", -3.0), ("erec", -3.0), ("wgap", -0.3)]);
    let stored = [(1, "where is my card", 1.0)];
    let at = values(QUERY, &stored, 0, &groups, &Rarity::default());
    assert_values(&at, &[("wgap", 0.01)]);
}

/// Stated ranges, of cosines from 0.5 to 1.
const RANGES: [(&str, f32, f32); 36] = [
    ("cos", 0.5, 1.0),
    ("margin", -0.3, 0.5),
    ("mcap", 0.0, 0.15),
    ("other", 0.3, 1.0),
    ("coshi", 0.0, 0.1),
    ("dens", 0.5, 1.0),
    ("agree", 0.0, 1.0),
    ("vote", 0.0, 1.0),
    ("lsize", 0.69, 3.5),
    ("grec", -3.0, 3.0),
    ("erec", -3.0, 3.0),
    ("wgap", -0.3, 0.3),
    ("num_conf", 0.0, 1.0),
    ("num_ne", 0.0, 1.0),
    ("neg", 0.0, 1.0),
    ("jac", 0.0, 1.0),
    ("cjac", 0.0, 1.0),
    ("tri", 0.0, 1.0),
    ("big", 0.0, 1.0),
    ("lcs", 0.0, 1.0),
    ("uq", 0.0, 3.0),
    ("uc", 0.0, 3.0),
    ("umin", 0.0, 3.0),
    ("udr", 0.0, 1.0),
    ("mq", 0.0, 1.0),
    ("gqs", 0.0, 3.0),
    ("gq", 0.0, 1.0),
    ("oq", 0.0, 3.0),
    ("len", 0.0, 4.6),
    ("lr", 0.0, 1.0),
    ("same", 0.0, 1.0),
    ("bag", 0.0, 1.0),
    ("wh", 0.0, 1.0),
    ("sense", -5.0, 5.0),
    ("sgroup", -5.0, 5.0),
    ("sahead", -10.0, 10.0),
];

fn text() -> impl Strategy<Value = String> {
    prop_oneof![3 => "[a-d]{1,2}( [a-d0-9]{1,3}){0,12}", 1 => any::<String>()]
}

fn stored() -> impl Strategy<Value = (String, f32, u8, bool)> {
    (text(), 0.5_f32..=1.0, 0_u8..3, any::<bool>())
}

proptest! {
    #[test]
    fn every_value_is_in_its_range(
        query in text(),
        mut stored in prop::collection::vec(stored(), 1..24),
        counted in prop::collection::vec(text(), 0..10),
        taught in prop::collection::vec((text(), any::<bool>()), 0..10),
    ) {
        stored.sort_by(|a, b| b.1.total_cmp(&a.1));
        let query = Profile::of(&query);
        let profiles: Vec<Profile> = stored.iter().map(|(text, ..)| Profile::of(text)).collect();
        let (mut groups, mut rarity, mut sense) = (Groups::default(), Rarity::default(), Sense::default());
        for text in &counted {
            rarity.count(Profile::of(text).wording());
        }
        for (text, same) in &taught {
            let taught = Profile::of(text);
            let candidate = Candidate { entry: 0, profile: &taught, similarity: 0.8 };
            sense.learn(&pairs(&query, &[candidate])[0], *same);
        }
        let mut candidates = Vec::new();
        for (entry, ((_, similarity, kind, right), profile)) in (0..).zip(stored.iter().zip(&profiles)) {
            let said = if *right { Verdict::Same } else { Verdict::Different };
            // One in three is unknown, one alone, one with the entry before it.
            match kind {
                0 => {}
                1 => drop(groups.place(entry, &[], &Errors::NONE)),
                _ => drop(groups.place(entry, &[verdict(entry.saturating_sub(1), 0.9, said)], &Errors::NONE)),
            }
            groups.record(&verdict(entry, *similarity, said));
            candidates.push(Candidate { entry, profile, similarity: *similarity });
        }
        let near = Neighbourhood::new(&query, &candidates, &groups, &rarity, &sense);
        for place in 0..candidates.len() {
            let values = near.values(place);
            for (feature, value) in TABLE.iter().zip(values) {
                prop_assert!(value.is_finite() && value.abs() <= 30.0, "{} {value}", feature.name);
            }
            for (name, low, high) in RANGES {
                let value = values[place_of(name)];
                prop_assert!(low - 1e-4 <= value && value <= high + 1e-4, "{name} {value}");
            }
            let lacks = near.lacks(place);
            prop_assert!(lacks.elsewhere <= lacks.in_group && lacks.in_group <= lacks.of_query + 1e-4);
            prop_assert!(lacks.rarest_in_group <= lacks.rarest && lacks.rarest <= lacks.of_query + 1e-4);
        }
    }
}
