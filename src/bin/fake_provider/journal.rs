//! What the fake provider received and how each exchange ended: JSON lines, oldest first. It keeps
//! the newest [`ENTRIES`]; older ones are dropped.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use semgate::now::Now;
use serde::Serialize;
use serde_json::Value;

/// Entries kept.
const ENTRIES: usize = 10_000;
/// Bytes of bodies kept in all; beyond, the oldest entries go.
const BODIES: usize = 256 * 1024 * 1024;

/// One exchange.
#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    /// 1 is the first since the start or the last `DELETE`.
    pub n: u64,
    /// Wall clock at receipt, RFC 3339.
    pub time: String,
    pub method: String,
    pub path: String,
    pub headers: BTreeMap<String, String>,
    /// The parsed JSON body, or its text when it is none.
    pub body: Value,
    pub model: Option<String>,
    /// Calls of this very model name so far, this one included.
    pub call: Option<u64>,
    /// The fault that this call was scripted to suffer.
    pub fault: Option<String>,
    /// The status sent, or that would have been.
    pub status: Option<u16>,
    pub outcome: Outcome,
    /// Milliseconds from receipt to the last byte, the break, or the client's leaving.
    pub ended_ms: Option<f64>,
    /// Milliseconds from receipt until the client left before the answer was complete.
    pub client_left_ms: Option<f64>,
    #[serde(skip)]
    weight: usize,
}

/// How an exchange stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Pending,
    /// Everything scripted was sent.
    Complete,
    /// The script broke the connection.
    Broken,
    /// The client went away first.
    ClientLeft,
}

/// What is known of a request on receipt.
#[derive(Debug, Clone, Default)]
pub struct Received {
    pub method: String,
    pub path: String,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

/// The journal, shared by all connections.
#[derive(Debug, Default)]
pub struct Journal {
    pages: Mutex<Pages>,
}

#[derive(Debug, Default)]
struct Pages {
    entries: VecDeque<Entry>,
    written: u64,
    weight: usize,
    calls: BTreeMap<String, u64>,
}

impl Journal {
    /// Opens an entry and returns its number.
    pub fn open(&self, received: Received, now: Now) -> u64 {
        let mut pages = self.pages();
        pages.written += 1;
        let body = serde_json::from_slice(&received.body)
            .unwrap_or_else(|_| String::from_utf8_lossy(&received.body).into_owned().into());
        let entry = Entry {
            n: pages.written,
            time: now.wall.to_string(),
            method: received.method,
            path: received.path,
            headers: received.headers,
            body,
            model: None,
            call: None,
            fault: None,
            status: None,
            outcome: Outcome::Pending,
            ended_ms: None,
            client_left_ms: None,
            weight: received.body.len(),
        };
        pages.weight += entry.weight;
        pages.entries.push_back(entry);
        while pages.entries.len() > ENTRIES || pages.weight > BODIES {
            let Some(oldest) = pages.entries.pop_front() else { break };
            pages.weight -= oldest.weight;
        }
        pages.written
    }

    /// Counts a call of that model name: 1 is the first.
    pub fn count(&self, model: &str) -> u64 {
        let mut pages = self.pages();
        let calls = pages.calls.entry(model.to_owned()).or_default();
        *calls += 1;
        *calls
    }

    /// Changes the entry of that number, unless it has been dropped meanwhile.
    pub fn amend(&self, n: u64, change: impl FnOnce(&mut Entry)) {
        let mut pages = self.pages();
        if let Some(entry) = pages.entries.iter_mut().rev().find(|entry| entry.n == n) {
            change(entry);
        }
    }

    /// Closes the entry of that number.
    pub fn close(&self, n: u64, outcome: Outcome, after: Duration) {
        let ms = after.as_secs_f64() * 1e3;
        self.amend(n, |entry| {
            entry.outcome = outcome;
            entry.ended_ms = Some(ms);
            entry.client_left_ms = (outcome == Outcome::ClientLeft).then_some(ms);
        });
    }

    /// All entries as JSON lines.
    pub fn lines(&self) -> String {
        let pages = self.pages();
        let mut lines = String::new();
        for entry in &pages.entries {
            lines.push_str(&serde_json::to_string(entry).expect("an entry is plain JSON"));
            lines.push('\n');
        }
        lines
    }

    /// Forgets entries and counts. Returns how many requests had come since the last time, those
    /// included that were dropped already.
    pub fn clear(&self) -> u64 {
        std::mem::take(&mut *self.pages()).written
    }

    /// A panic elsewhere must not hide what was received.
    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_newest_and_counts_calls_by_name() {
        let journal = Journal::default();
        let now = Now::read();
        for index in 0..ENTRIES + 2 {
            let body = format!("{{\"index\": {index}}}").into_bytes();
            journal.open(Received { body, ..Received::default() }, now);
        }
        let lines = journal.lines();
        assert_eq!(lines.lines().count(), ENTRIES);
        let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
        assert_eq!((first["n"].as_u64(), first["body"]["index"].as_u64()), (Some(3), Some(2)));
        assert_eq!([journal.count("a"), journal.count("b"), journal.count("a")], [1, 1, 2]);
        journal.clear();
        assert_eq!((journal.lines(), journal.count("a")), (String::new(), 1));
    }

    #[test]
    fn a_leaving_client_is_told_apart() {
        let journal = Journal::default();
        let body = b"no json".to_vec();
        let n = journal.open(Received { body, ..Received::default() }, Now::read());
        journal.close(n, Outcome::ClientLeft, Duration::from_millis(7));
        let entry: Value = serde_json::from_str(&journal.lines()).unwrap();
        assert_eq!(entry["outcome"], "client_left");
        assert_eq!(entry["client_left_ms"], 7.0);
        assert_eq!(entry["body"], "no json");
    }
}
