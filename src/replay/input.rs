//! The replay format: JSON lines, plain or gzip, one request each.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::dialect::openai::ChatRequest;

/// A line longer than this is a fault of the file, not a request.
const MAX_LINE: u64 = 64 << 20;

/// One recorded request.
#[derive(Debug, Clone, Deserialize)]
pub struct Row {
    #[serde(default)]
    pub id: Option<Id>,
    #[serde(default)]
    time: Option<Time>,
    #[serde(default)]
    pub tenant: Option<String>,
    /// Name of the key that sent it.
    #[serde(default)]
    pub key: Option<String>,
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    #[serde(default)]
    prompt: Option<String>,
    #[serde(default)]
    request: Option<Box<RawValue>>,
    /// Rows with the same label may be answered by one answer.
    #[serde(default)]
    answer_id: Option<Id>,
    /// The recorded chat completion.
    #[serde(default)]
    response: Option<Value>,
    #[serde(default)]
    answer: Option<String>,
    /// What each model would have given.
    #[serde(default)]
    pub outcomes: BTreeMap<String, Outcome>,
}

/// A label or id: files have both texts and numbers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Id {
    Text(String),
    Number(i64),
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => write!(f, "{number}"),
        }
    }
}

/// The members that a record's digest has and a chat request lacks.
#[derive(Debug, Deserialize)]
struct Digest {
    #[serde(rename = "hash")]
    _hash: String,
    bytes: u64,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Time {
    Text(Timestamp),
    Seconds(f64),
}

/// What a model would have given to a request.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub struct Outcome {
    #[serde(default)]
    pub quality: Option<f64>,
    #[serde(default)]
    pub input_tokens: Option<u64>,
    #[serde(default)]
    pub output_tokens: Option<u64>,
}

impl Row {
    /// The chat request: as recorded, or the short form wrapped into one user message.
    pub fn body(&self) -> Vec<u8> {
        match (&self.request, &self.prompt) {
            (Some(request), _) => request.get().as_bytes().to_vec(),
            (None, prompt) => {
                let prompt = prompt.as_deref().unwrap_or_default();
                json!({"model": "auto", "messages": [{"role": "user", "content": prompt}]})
                    .to_string()
                    .into_bytes()
            }
        }
    }

    /// Text of the last user message: what is embedded. Empty where there is none.
    pub fn prompt(&self) -> Cow<'_, str> {
        match (&self.request, &self.prompt) {
            (None, Some(prompt)) => Cow::Borrowed(prompt),
            _ => {
                let request = ChatRequest::decode(self.body().into());
                Cow::Owned(request.map(|request| request.prompt).unwrap_or_default())
            }
        }
    }

    /// Whether the row says when it was sent.
    pub fn has_time(&self) -> bool {
        self.time.is_some()
    }

    /// When it was sent; without a time, one request a second from the epoch on.
    pub fn time(&self, number: usize) -> Timestamp {
        match &self.time {
            Some(Time::Text(time)) => *time,
            Some(Time::Seconds(seconds)) => {
                Timestamp::from_millisecond((seconds * 1e3) as i64).unwrap_or(Timestamp::UNIX_EPOCH)
            }
            None => Timestamp::from_second(number as i64).unwrap_or(Timestamp::UNIX_EPOCH),
        }
    }

    /// The label, if there is one.
    pub fn label(&self) -> Option<String> {
        self.answer_id.as_ref().map(ToString::to_string)
    }

    /// The recorded answer's text: what a judge compares where there is no label.
    pub fn answer_text(&self) -> Option<&str> {
        self.answer
            .as_deref()
            .or_else(|| self.response.as_ref()?["choices"][0]["message"]["content"].as_str())
    }

    /// The recorded completion, whole.
    pub fn response(&self) -> Option<&Value> {
        self.response.as_ref().filter(|response| response["choices"].is_array())
    }

    /// What a record has in place of a request that it may not show.
    fn digest(&self) -> Option<Digest> {
        self.request.as_ref().and_then(|request| serde_json::from_str(request.get()).ok())
    }

    /// A record of a request that was refused before its body was understood: nothing to replay.
    fn is_unread(&self) -> bool {
        self.digest().is_some_and(|digest| digest.bytes == 0)
    }

    fn check(self) -> Result<Self, String> {
        if self.digest().is_some_and(|digest| digest.bytes > 0) {
            return Err("the record holds no content; record with `telemetry.content: true`".into());
        }
        if self.prompt.is_none() && self.request.is_none() {
            return Err("neither `prompt` nor `request`".into());
        }
        for (model, outcome) in &self.outcomes {
            if outcome.quality.is_some_and(|quality| !(0.0..=1.0).contains(&quality)) {
                return Err(format!("`outcomes.{model}.quality` is not within 0 and 1"));
            }
        }
        Ok(self)
    }
}

/// Recorded traffic, in the order of the file.
#[derive(Debug, Default)]
pub struct Input {
    pub rows: Vec<Row>,
    /// Lines left out: by `--skip-invalid`, and records of requests refused unread.
    pub skipped: usize,
}

/// Reads a file (`-` is standard input; gzip is recognised by its first bytes).
///
/// # Errors
/// The first line that is no request, as `file:line: why`; with `skip_invalid` it is counted
/// instead.
pub fn read(path: &Path, skip_invalid: bool) -> Result<Input, String> {
    let name = path.display();
    let raw: Box<dyn Read> = if path.as_os_str() == "-" {
        Box::new(io::stdin())
    } else {
        Box::new(File::open(path).map_err(|error| format!("{name}: {error}"))?)
    };
    let mut raw = BufReader::new(raw);
    let head = raw.fill_buf().map_err(|error| format!("{name}: {error}"))?;
    let lines: Box<dyn BufRead> = if head.starts_with(&[0x1f, 0x8b]) {
        Box::new(BufReader::new(MultiGzDecoder::new(raw)))
    } else {
        Box::new(raw)
    };
    read_lines(lines, &name.to_string(), skip_invalid)
}

fn read_lines(mut lines: impl BufRead, name: &str, skip_invalid: bool) -> Result<Input, String> {
    let mut input = Input::default();
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let read = lines.by_ref().take(MAX_LINE).read_until(b'\n', &mut line);
        match read.map_err(|error| format!("{name}:{number}: {error}"))? {
            0 => break,
            _ if line.trim_ascii().is_empty() => continue,
            _ => {}
        }
        let row = serde_json::from_slice::<Row>(line.trim_ascii())
            .map_err(|error| error.to_string())
            .and_then(Row::check);
        match row {
            Ok(row) if row.is_unread() => input.skipped += 1,
            Ok(row) => input.rows.push(row),
            Err(_) if skip_invalid => input.skipped += 1,
            Err(why) => return Err(format!("{name}:{number}: {why}")),
        }
    }
    Ok(input)
}

#[cfg(test)]
impl Row {
    /// A row of the short form.
    pub fn of_prompt(prompt: &str) -> Self {
        serde_json::from_value(json!({"prompt": prompt})).expect("a row")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str, skip: bool) -> Result<Input, String> {
        read_lines(text.as_bytes(), "traffic.jsonl", skip)
    }

    #[test]
    fn both_forms_times_and_labels_are_read() {
        let text = r#"{"prompt": "hi", "answer_id": 7, "time": "2026-01-02T03:04:05Z", "later": 1}

{"request": {"model": "m", "messages": []}, "time": 1767323046.5, "answer": "yes"}
"#;
        let rows = read_text(text, false).expect("valid").rows;
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0].label().as_deref(), Some("7"));
        assert_eq!(rows[0].time(0).to_string(), "2026-01-02T03:04:05Z");
        assert_eq!(rows[1].time(1).to_string(), "2026-01-02T03:04:06.5Z");
        assert_eq!(rows[1].body(), br#"{"model": "m", "messages": []}"#);
        assert_eq!(rows[1].answer_text(), Some("yes"));
        assert_eq!(rows[0].prompt(), "hi");
        let asked = r#"{"key": "web", "request": {"model": "m", "messages": [
            {"role": "user", "content": "first"}, {"role": "user", "content": "last"}]}}"#;
        let asked = read_text(&asked.replace('\n', ""), false).expect("valid").rows;
        assert_eq!((&*asked[0].prompt(), asked[0].key.as_deref()), ("last", Some("web")));
    }

    #[test]
    fn a_record_of_a_request_refused_unread_is_no_fault() {
        let text = "{\"request\": {\"hash\": \"\", \"bytes\": 0}, \"outcome\": \"invalid_api_key\"}\n\
                    {\"prompt\": \"hi\"}\n";
        let input = read_text(text, false).expect("valid");
        assert_eq!((input.rows.len(), input.skipped), (1, 1));
    }

    #[test]
    fn faults_name_the_line_or_are_counted() {
        for (line, why) in [
            ("{", "EOF"),
            ("{\"id\": 1}", "neither"),
            (r#"{"request": {"hash": "ab", "bytes": 3}}"#, "telemetry.content"),
            (r#"{"prompt": "x", "outcomes": {"m": {"quality": 2}}}"#, "quality"),
        ] {
            let text = format!("{{\"prompt\": \"fine\"}}\n{line}\n");
            let fault = read_text(&text, false).expect_err("a fault");
            assert!(fault.starts_with("traffic.jsonl:2: ") && fault.contains(why), "{fault}");
            let input = read_text(&text, true).expect("skipped");
            assert_eq!((input.rows.len(), input.skipped), (1, 1));
        }
    }
}
