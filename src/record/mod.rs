//! One record per request, whatever happens: opened first, closed last. From it come the ring, the
//! JSONL file, the metrics, the spend tables and the response headers.

pub mod answers;
pub mod cache_metrics;
pub mod decision;
mod file;
pub mod metrics;
pub mod open;
mod ring;
mod route_metrics;
pub mod spend;

use std::collections::HashSet;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

pub use answers::Answers;
use answers::{Judged, MAX_ANSWERS, Word};
pub use decision::DecisionRecord;
pub use metrics::Metrics;
pub use open::{Bill, OpenRecord};
pub use ring::Ring;
pub use spend::Spend;

use uuid::Uuid;

use crate::config::Settings;
use crate::dialect::Usage;
use crate::now::Now;
use decision::Attempt;
use file::RecordWriter;

/// Where closed records go.
#[derive(Debug)]
pub struct Recorder {
    pub metrics: Metrics,
    pub ring: Ring,
    pub spend: Spend,
    /// Answers that callers may still judge.
    pub answers: Answers,
    file: Option<RecordWriter>,
    /// Labels of configured targets, for bounded metric labels.
    known: Mutex<HashSet<String>>,
}

/// What the gateway did for itself, beside the line.
#[derive(Debug)]
pub struct OwnWork<'a> {
    /// What for: the label of `semgate_own_spend_usd_total`.
    pub by: &'static str,
    pub outcome: &'static str,
    /// On whose account.
    pub tenant: &'a str,
    pub attempts: &'a [Attempt],
    /// Of the answering attempt, the last one.
    pub usage: Option<Usage>,
}

impl Recorder {
    /// Opens the record file, if one is configured.
    pub fn new(settings: &Settings) -> io::Result<Self> {
        let telemetry = &settings.telemetry;
        let recorder = Self {
            metrics: Metrics::new(),
            ring: Ring::new(telemetry.ring),
            spend: Spend::default(),
            answers: Answers::new(MAX_ANSWERS, settings.cache.feedback_window),
            file: telemetry.record.as_ref().map(RecordWriter::start).transpose()?,
            known: Mutex::default(),
        };
        recorder.learn_targets(settings);
        Ok(recorder)
    }

    /// Takes over the targets and the feedback window of a new configuration.
    pub fn learn_targets(&self, settings: &Settings) {
        let labels = settings.models.iter().map(|model| model.label());
        self.known.lock().unwrap_or_else(PoisonError::into_inner).extend(labels);
        self.answers.keep_for(settings.cache.feedback_window);
    }

    /// Takes a closed record: exactly once per request.
    pub fn close(&self, record: DecisionRecord) {
        self.metrics.count(&record, &self.known.lock().unwrap_or_else(PoisonError::into_inner));
        self.spend.count(&record);
        let record = Arc::new(record);
        if let Some(file) = &self.file
            && !file.write(record.clone())
        {
            self.metrics.records_dropped.inc();
        }
        let id = Uuid::parse_str(&record.id).ok();
        self.ring.push(record);
        // Of a stream something may have been said before its end.
        if let Some(id) = id
            && let Some(note) = self.answers.said(id)
        {
            self.ring.amend(&id.to_string(), note);
        }
    }

    /// Takes a caller's verdict on an answer; the first is counted and noted in the record. The
    /// record's line in the file has been written by then and stays as it is.
    pub fn judge(&self, word: Word<'_>, now: Now) -> Judged {
        let (id, label) = (word.id, word.label);
        let judged = self.answers.judge(word, now);
        if let Judged::First(feedback) = &judged {
            self.metrics.cache.label("feedback", label.name());
            if let Some(note) = self.answers.said(id) {
                self.ring.amend(&feedback.request, note);
            }
        }
        judged
    }

    /// Books work that belongs to no request: attempts and cost like any other, the cost as our own
    /// spend and off the savings.
    pub fn own_work(&self, work: &OwnWork<'_>) {
        self.metrics.count_own(work, &self.known.lock().unwrap_or_else(PoisonError::into_inner));
        self.spend.count_own(work);
    }
}
