//! Spend since the start, by tenant, model and tag: what `GET /admin/v1/spend` shows.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use crate::price::Money;

use super::OwnWork;
use super::decision::DecisionRecord;

/// Names kept per table; further ones are summed under `other`, so that callers who invent tags
/// cannot grow the table without bound.
const MAX_NAMES: usize = 1000;

/// What the spend is grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    Tenant,
    Model,
    Tag,
}

/// One row of a spend table.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Row {
    pub name: String,
    pub requests: u64,
    pub hits: u64,
    pub cost_usd: f64,
    pub saved_usd: f64,
    pub own_spend_usd: f64,
    /// Mean quality that the router expected to lose by its choices, 0 to 1; absent where it made
    /// none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected_quality_loss: Option<f64>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Sums {
    requests: u64,
    hits: u64,
    cost: Money,
    saved: Money,
    own: Money,
    /// Choices of the router, and the quality that it expected to lose by all of them.
    choices: u64,
    loss: f64,
}

type Table = BTreeMap<String, Sums>;

/// The three tables.
#[derive(Debug, Default)]
pub struct Spend {
    tables: Mutex<[Table; 3]>,
}

impl Spend {
    /// Adds a closed record to each table.
    pub fn count(&self, record: &DecisionRecord) {
        let model = record.route.target.as_deref().unwrap_or("none");
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        add(&mut tables[By::Tenant as usize], &record.tenant, record);
        add(&mut tables[By::Model as usize], model, record);
        for (name, value) in &record.tags {
            add(&mut tables[By::Tag as usize], &format!("{name}={value}"), record);
        }
    }

    /// Adds work that belongs to no request: spent, and taken off the savings.
    pub fn count_own(&self, work: &OwnWork<'_>) {
        let spent: Money = work.attempts.iter().filter_map(|attempt| attempt.cost_usd).sum();
        let Some(last) = work.attempts.last().filter(|_| spent > Money::ZERO) else { return };
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let [tenants, models, _] = &mut *tables;
        for (table, name) in [(tenants, work.tenant), (models, last.target.as_str())] {
            let sums = row(table, name);
            sums.cost += spent;
            sums.own += spent;
            sums.saved = sums.saved - spent;
        }
    }

    /// The table, dearest first.
    pub fn table(&self, by: By) -> Vec<Row> {
        let tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sums: Vec<(&String, &Sums)> = tables[by as usize].iter().collect();
        sums.sort_by(|a, b| b.1.cost.cmp(&a.1.cost).then(a.0.cmp(b.0)));
        sums.into_iter()
            .map(|(name, sums)| Row {
                name: name.clone(),
                requests: sums.requests,
                hits: sums.hits,
                cost_usd: sums.cost.usd(),
                saved_usd: sums.saved.usd(),
                own_spend_usd: sums.own.usd(),
                expected_quality_loss: (sums.choices > 0).then(|| sums.loss / sums.choices as f64),
            })
            .collect()
    }
}

fn row<'t>(table: &'t mut Table, name: &str) -> &'t mut Sums {
    let name = if table.contains_key(name) || table.len() < MAX_NAMES { name } else { "other" };
    table.entry(name.to_owned()).or_default()
}

fn add(table: &mut Table, name: &str, record: &DecisionRecord) {
    let sums = row(table, name);
    sums.requests += 1;
    sums.hits += u64::from(record.is_hit());
    sums.cost += record.cost_usd.unwrap_or_default();
    sums.saved += record.saved_usd.unwrap_or_default();
    sums.own += record.own_spend_usd.unwrap_or_default();
    if let Some(loss) = &record.route.loss {
        sums.choices += 1;
        sums.loss += loss.expected;
    }
}
