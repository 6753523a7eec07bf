//! The last lookups of a tenant and route, from which weights and line are learnt.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::features::{COUNT, Values};

/// Lookups that are remembered.
pub const LENGTH: usize = 6000;

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

/// A ring of lookups; `None` is one without a candidate.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Window {
    rows: VecDeque<Option<Row>>,
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
        self.rows.pop_front()
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
