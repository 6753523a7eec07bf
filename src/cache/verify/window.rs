//! The last lookups of a tenant and route, from which weights and line are learnt.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::features::{COUNT, Values};

/// Lookups that are remembered.
pub const LENGTH: usize = 6000;

/// Explored lookups that are kept when the window has passed them: where one would-be hit of fifty is
/// explored, a window alone has too few of them to tell how often what is served is wrong.
pub const EXPLORED: usize = 512;

/// A lookup that had a candidate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Standardised features of the best candidate.
    #[serde(with = "values")]
    pub values: Values,
    /// Its score under the present weights.
    pub z: f32,
    /// Whether the judge called its answer the same (true) or different.
    pub label: Option<bool>,
    /// Verdicts that the label sums up.
    pub panel: u8,
    /// Probability with which the lookup was to be asked upstream.
    pub propensity: f32,
    /// It would have been served at a score above the line: it counts in the histogram.
    pub servable: bool,
    /// It was served for its score.
    pub served: bool,
}

impl Row {
    /// Chance chose to ask it upstream, and it is known what became of it. A label of what was served
    /// is a caller's, and callers speak up when an answer is bad.
    pub fn is_explored(&self) -> bool {
        self.servable && self.propensity < 1.0 && !self.served && self.label.is_some()
    }
}

/// A ring of lookups; `None` is one without a candidate.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Window {
    rows: VecDeque<Option<Row>>,
    /// Explored lookups from before them.
    explored: VecDeque<Row>,
    /// Number of the first row kept.
    first: u64,
}

impl Window {
    /// Remembers a lookup, and returns its number.
    pub fn push(&mut self, row: Option<Row>) -> u64 {
        self.make_room();
        self.rows.push_back(row);
        self.first + self.rows.len() as u64 - 1
    }

    /// Takes the oldest lookup out of a full window.
    pub fn make_room(&mut self) -> Option<Option<Row>> {
        if self.rows.len() < LENGTH {
            return None;
        }
        self.first += 1;
        let oldest = self.rows.pop_front()?;
        if let Some(row) = oldest.as_ref().filter(|row| row.is_explored()) {
            if self.explored.len() == EXPLORED {
                self.explored.pop_front();
            }
            self.explored.push_back(row.clone());
        }
        Some(oldest)
    }

    /// Labels a lookup, if it is still remembered.
    pub fn label(&mut self, number: u64, label: bool, panel: u8) {
        if let Some(row) = self.row_mut(number) {
            row.label = Some(label);
            row.panel = panel;
        }
    }

    /// Leaves what came from `number` on out of everything that is learnt.
    pub fn disown(&mut self, number: u64) {
        let skip = number.saturating_sub(self.first) as usize;
        for row in self.rows.iter_mut().skip(skip).flatten() {
            row.label = None;
            row.servable = false;
        }
    }

    /// Explored lookups that the window has passed.
    pub fn passed(&self) -> impl Iterator<Item = &Row> + Clone {
        self.explored.iter()
    }

    pub fn passed_mut(&mut self) -> impl Iterator<Item = &mut Row> {
        self.explored.iter_mut()
    }

    pub fn row_mut(&mut self, number: u64) -> Option<&mut Row> {
        let place = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.rows.get_mut(place)?.as_mut()
    }

    /// Lookups that had a candidate, with their numbers.
    pub fn numbered(&self) -> impl Iterator<Item = (u64, &Row)> + Clone {
        let numbers = self.first..;
        numbers.zip(&self.rows).filter_map(|(number, row)| Some((number, row.as_ref()?)))
    }

    pub fn numbered_mut(&mut self) -> impl Iterator<Item = (u64, &mut Row)> {
        let numbers = self.first..;
        numbers.zip(&mut self.rows).filter_map(|(number, row)| Some((number, row.as_mut()?)))
    }

    /// Lookups that had a candidate.
    pub fn rows(&self) -> impl Iterator<Item = &Row> + Clone {
        self.rows.iter().flatten()
    }

    /// Lookups, with or without a candidate.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

mod values {
    use super::{COUNT, Values};
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(values: &Values, to: S) -> Result<S::Ok, S::Error> {
        values.as_slice().serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Values, D::Error> {
        let values = Vec::<f32>::deserialize(from)?;
        let found = values.len();
        let fault = |_| D::Error::custom(format!("{found} features instead of {COUNT}"));
        values.try_into().map_err(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(z: f32) -> Row {
        Row {
            values: [0.0; COUNT],
            z,
            label: None,
            panel: 1,
            propensity: 1.0,
            servable: true,
            served: false,
        }
    }

    /// A window after so many lookups, each with its number for a score.
    fn after(lookups: u64) -> Window {
        let mut window = Window::default();
        for number in 0..lookups {
            assert_eq!(window.push(Some(row(number as f32))), number);
        }
        window
    }

    fn labels(window: &Window) -> Vec<u64> {
        window.numbered().filter(|(_, row)| row.label.is_some()).map(|(number, _)| number).collect()
    }

    #[test]
    fn explored_lookups_outlast_it() {
        let explored = |number: u64| {
            let label = Some(number.is_multiple_of(2));
            Row { label, propensity: 0.02, ..row(number as f32) }
        };
        let mut window = Window::default();
        let served = Row { served: true, ..explored(0) };
        let asked = Row { propensity: 1.0, ..explored(0) };
        let open = Row { label: None, ..explored(0) };
        for other in [served, asked, open] {
            window.push(Some(other));
        }
        let many = EXPLORED as u64 + 10;
        (0..many).for_each(|number| _ = window.push(Some(explored(number))));
        assert_eq!(window.passed().count(), 0);
        (0..LENGTH).for_each(|_| _ = window.push(None));
        let passed: Vec<f32> = window.passed().map(|row| row.z).collect();
        assert_eq!(passed, (10..many).map(|number| number as f32).collect::<Vec<_>>());
    }

    #[test]
    fn a_number_names_its_lookup_until_the_ring_has_gone_round() {
        let length = LENGTH as u64;
        let mut window = after(length + 5);
        assert_eq!(window.len(), LENGTH);
        assert!(window.numbered().all(|(number, row)| row.z == number as f32));
        assert_eq!(window.numbered().map(|(number, _)| number).next(), Some(5));
        for (number, kept) in [(4, false), (5, true), (length + 4, true), (length + 5, false)] {
            assert_eq!(window.row_mut(number).is_some_and(|row| row.z == number as f32), kept);
        }
    }

    #[test]
    fn the_oldest_leaves_a_full_ring_only() {
        let mut window = after(LENGTH as u64 - 1);
        assert_eq!(window.make_room(), None);
        window.push(None);
        assert_eq!(window.make_room().flatten().map(|row| row.z), Some(0.0));
        assert_eq!(window.make_room(), None);
        assert_eq!((window.len(), window.push(None)), (LENGTH - 1, LENGTH as u64));
    }

    #[test]
    fn a_lookup_without_a_candidate_has_a_number_and_no_row() {
        let mut window = after(2);
        assert_eq!((window.push(None), window.push(Some(row(3.0)))), (2, 3));
        window.label(2, true, 1);
        assert_eq!((window.len(), window.rows().count()), (4, 3));
        assert_eq!(window.numbered().last().map(|(number, row)| (number, row.z)), Some((3, 3.0)));
    }

    #[test]
    fn a_label_reaches_its_lookup_and_no_forgotten_one() {
        let mut window = after(LENGTH as u64 + 5);
        let before = window.clone();
        for gone in [0, 4, LENGTH as u64 + 5] {
            window.label(gone, true, 1);
            assert_eq!(window, before, "{gone}");
        }
        window.label(7, false, 3);
        let labelled = window.row_mut(7).map(|row| (row.label, row.panel));
        assert_eq!(labelled, Some((Some(false), 3)));
        assert_eq!(labels(&window), [7]);
    }

    #[test]
    fn what_is_disowned_teaches_nothing_and_the_rest_still_does() {
        let mut window = after(LENGTH as u64 + 5);
        for number in [6, 8, 9] {
            window.label(number, true, 1);
        }
        let mut whole = window.clone();
        window.disown(LENGTH as u64 + 5);
        assert_eq!(window, whole, "nothing is that young");
        window.disown(8);
        assert_eq!(labels(&window), [6]);
        assert!(window.numbered().all(|(number, row)| row.servable == (number < 8)));
        // From a lookup on that has been forgotten: everything that is left.
        whole.disown(2);
        assert!(whole.rows().all(|row| row.label.is_none() && !row.servable));
    }

    #[test]
    fn a_row_with_another_number_of_features_is_not_read() {
        let text = serde_json::to_string(&after(2)).unwrap();
        assert_eq!(serde_json::from_str::<Window>(&text).unwrap(), after(2));
        let shorter = text.replacen("[0.0,", "[", 1);
        let fault = serde_json::from_str::<Window>(&shorter).unwrap_err().to_string();
        assert!(fault.contains(&format!("{} features instead of {COUNT}", COUNT - 1)), "{fault}");
    }
}
