//! Metrics of what the router learns, as `metrics` has those of everything else.

use prometheus::{CounterVec, IntCounterVec, IntGaugeVec};

use super::decision::DecisionRecord;
use super::metrics::Maker;
use crate::route::learn::Standing;

/// Handles.
#[derive(Debug)]
pub struct RouteMetrics {
    /// By how they came to be, or `dropped`.
    pub labels: IntCounterVec,
    /// By how they were heard.
    pub opinions: IntCounterVec,
    /// By what has changed.
    pub drift: IntCounterVec,
    drifted: IntGaugeVec,
    known: IntGaugeVec,
    loss: CounterVec,
}

impl RouteMetrics {
    pub(super) fn new(make: &Maker) -> Self {
        let metrics = Self {
            labels: make.counters(
                "route_labels_total",
                "Requests of which two tiers' answers were compared, by what came of it.",
                &["by"],
            ),
            opinions: make.counters(
                "route_opinions_total",
                "What callers said, or showed, of an answer's tier.",
                &["by"],
            ),
            drift: make.counters(
                "route_drift_alarms_total",
                "Times that the traffic was found to be another than that of the labels.",
                &["watched"],
            ),
            drifted: make.gauges(
                "route_drifted",
                "Tenants for which the strongest tier answers because the traffic is another.",
                &["route"],
            ),
            known: make.gauges(
                "route_labels",
                "Labels that count, of all pairs and tenants.",
                &["route"],
            ),
            loss: make.sums(
                "route_expected_loss_total",
                "Quality expected to be lost against the strongest tier, in whole answers: divided \
                 by the decisions, the mean loss.",
                &["route", "evidence"],
            ),
        };
        for watched in ["surface", "topics", "gains"] {
            metrics.drift.with_label_values(&[watched]);
        }
        metrics
    }

    pub(super) fn count(&self, record: &DecisionRecord) {
        if let Some(loss) = &record.route.loss {
            let labels = [record.route.label.as_str(), loss.evidence];
            self.loss.with_label_values(&labels).inc_by(loss.expected.max(0.0));
        }
    }

    /// Live state, by route: the tenants are as many as there are keys.
    pub fn standings(&self, standings: &[Standing]) {
        self.drifted.reset();
        self.known.reset();
        for standing in standings {
            let route = [&*standing.lane.route];
            self.drifted.with_label_values(&route).add(i64::from(standing.drift.is_some()));
            let labels: usize = standing.pairs.iter().map(|pair| pair.labels).sum();
            self.known.with_label_values(&route).add(i64::try_from(labels).unwrap_or(i64::MAX));
        }
    }
}
