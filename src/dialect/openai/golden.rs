//! The golden corpus in `tests/fixtures/openai`: every folder there is a test.
//!
//! - `request.json` with `outgoing.json`: the body for model `upstream-model`, usage asked for.
//! - `stream.sse` with `folded.json`, and `forwarded.sse` for a caller who did not ask for usage.
//! - `answer.json` with `hit.json` and `hit.sse`: the stored answer as a hit, usage asked for.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde_json::Value;

use super::*;

fn cases() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/openai");
    let mut cases: Vec<PathBuf> =
        std::fs::read_dir(root).expect("the corpus").flatten().map(|entry| entry.path()).collect();
    cases.sort();
    cases
}

/// Holds `found` against a file of the case.
fn hold(case: &Path, name: &str, found: &[u8]) {
    let expected = std::fs::read(case.join(name)).unwrap_or_default();
    assert_eq!(
        String::from_utf8_lossy(found),
        String::from_utf8_lossy(&expected),
        "{}",
        case.join(name).display()
    );
}

fn check_request(case: &Path, body: Vec<u8>) {
    let request = ChatRequest::decode(Bytes::from(body)).expect("a valid request");
    let edits = Edits { model: "upstream-model", include_usage: true, max_completion_tokens: None };
    hold(case, "outgoing.json", &request.outgoing(&edits));
}

fn check_stream(case: &Path, sse: &[u8]) {
    let mut reader = StreamReader::default();
    let mut events = reader.push(sse).expect("within the limit");
    events.extend(reader.finish().expect("within the limit"));
    let mut accumulator = Accumulator::new(1 << 20);
    events.iter().for_each(|event| accumulator.push(event));
    let folded: Value =
        serde_json::from_slice(&accumulator.finish().expect("an answer")).expect("JSON");
    let pretty = serde_json::to_string_pretty(&folded).expect("JSON") + "\n";
    hold(case, "folded.json", pretty.as_bytes());
    let forwarded: Vec<u8> =
        events.iter().filter_map(|event| forward(event, false)).flatten().collect();
    hold(case, "forwarded.sse", &forwarded);
}

#[test]
fn every_case_gives_its_golden_files() {
    let mut checked = 0;
    for case in cases() {
        if let Ok(body) = std::fs::read(case.join("request.json")) {
            check_request(&case, body);
            checked += 1;
        }
        if let Ok(sse) = std::fs::read(case.join("stream.sse")) {
            check_stream(&case, &sse);
            checked += 1;
        }
        if let Ok(answer) = std::fs::read(case.join("answer.json")) {
            let hit = render::stream(&answer, "chatcmpl-new", 1_800_000_000, true);
            hold(&case, "hit.sse", &[&hit[..], render::DONE].concat());
            let hit = render::whole(&answer, "chatcmpl-new", 1_800_000_000);
            hold(&case, "hit.json", &hit);
            checked += 1;
        }
    }
    assert!(checked >= 6, "only {checked} checks");
}
