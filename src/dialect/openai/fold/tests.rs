use serde_json::json;

use super::super::StreamReader;
use super::*;

/// Folds a stream of these chunks.
fn fold(chunks: &[Value]) -> Option<Value> {
    let mut accumulator = Accumulator::new(1 << 20);
    let mut reader = StreamReader::default();
    for chunk in chunks {
        let bytes = format!("data: {chunk}\n\n");
        for event in reader.push(bytes.as_bytes()).expect("within the limit") {
            accumulator.push(&event);
        }
    }
    accumulator.finish().map(|bytes| serde_json::from_slice(&bytes).expect("JSON"))
}

fn delta(delta: Value) -> Value {
    json!({"id": "c", "object": "chat.completion.chunk", "created": 5, "model": "m",
        "choices": [{"index": 0, "delta": delta, "finish_reason": null}]})
}

/// The folded message of a stream of these deltas.
fn message(deltas: &[Value]) -> Value {
    let chunks: Vec<Value> = deltas.iter().cloned().map(delta).collect();
    fold(&chunks).expect("an answer")["choices"][0]["message"].clone()
}

#[test]
fn a_stream_folds_into_its_whole_answer() {
    let azure = json!({"id": "", "object": "", "created": 0, "model": "", "choices": [],
        "prompt_filter_results": [{"prompt_index": 0}], "usage": null});
    let mut first = delta(json!({"role": "assistant", "content": "", "refusal": null}));
    first["obfuscation"] = json!("xyz");
    first["system_fingerprint"] = json!("fp");
    first["choices"][0]["logprobs"] = json!({"content": [{"token": "a"}], "refusal": null});
    let mut second = delta(json!({"content": "né"}));
    second["choices"][0]["logprobs"] = json!({"content": [{"token": "b"}], "refusal": null});
    let end = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop", "logprobs": null, "native_finish_reason": "end"}],
        "system_fingerprint": null});
    let usage = json!({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}});
    let answer = fold(&[azure, first, second, delta(json!({"content": "日"})), end, usage]);
    assert_eq!(
        answer,
        Some(
            json!({"id": "c", "object": "chat.completion", "created": 5, "model": "m", "system_fingerprint": "fp",
            "prompt_filter_results": [{"prompt_index": 0}],
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "né日", "refusal": null},
                "logprobs": {"content": [{"token": "a"}, {"token": "b"}], "refusal": null},
                "finish_reason": "stop", "native_finish_reason": "end"}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 2}})
        )
    );
}

#[test]
fn members_of_vendors_are_kept() {
    let folded = message(&[
        json!({"role": "assistant", "content": null, "reasoning_content": "a", "channel": "analysis", "padding": "xx"}),
        json!({"role": "assistant", "reasoning_content": "b", "channel": "analysis", "annotations": [1]}),
        json!({"reasoning_content": null, "annotations": [2], "signature": "s", "provider_metadata": {"x": 1}}),
        json!({"signature": "t", "provider_metadata": {"x": 2}, "content": ""}),
    ]);
    assert_eq!(
        folded,
        json!({"role": "assistant", "content": "", "reasoning_content": "ab", "channel": "analysis", "annotations": [1, 2],
            "signature": "st", "provider_metadata": {"x": 2}})
    );
    let parts = message(&[
        json!({"content": "a"}),
        json!({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "t"}]}]}),
        json!({"content": "b"}),
        json!({"content": "c"}),
    ]);
    assert_eq!(
        parts["content"],
        json!([{"type": "text", "text": "a"}, {"type": "thinking", "thinking": [{"type": "text", "text": "t"}]}, {"type": "text", "text": "bc"}])
    );
}

#[test]
fn tool_calls_are_joined_by_what_the_vendor_gives() {
    let call = |id: &str, name: &str, arguments: &str| json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}});
    let both = json!([call("c1", "f", "{\"a\":1}"), call("c2", "g", "{}")]);
    let calls = |deltas: &[Value]| {
        let deltas: Vec<Value> = deltas.iter().map(|calls| json!({"tool_calls": calls})).collect();
        message(&deltas)["tool_calls"].clone()
    };
    let openai = calls(&[
        json!([{"index": 0, "id": "c1", "type": "function", "function": {"name": "f", "arguments": ""}}]),
        json!([{"index": 0, "function": {"arguments": "{\"a\""}}]),
        json!([{"index": 1, "id": "c2", "type": "function", "function": {"name": "g", "arguments": ""}}]),
        json!([{"index": 0, "id": "", "function": {"name": null, "arguments": ":1}"}}, {"index": 1, "function": {"arguments": "{}"}}]),
    ]);
    assert_eq!(openai, both);
    let no_index = calls(&[json!([call("c1", "f", "{\"a\":1}")]), json!([call("c2", "g", "{}")])]);
    assert_eq!(no_index, both);
    let one_index = |mut call: Value| {
        call["index"] = json!(0);
        json!([call])
    };
    assert_eq!(
        calls(&[one_index(call("c1", "f", "{\"a\":1}")), one_index(call("c2", "g", "{}"))]),
        both
    );
    let repeated = calls(&[
        one_index(call("c1", "f", "{\"a\"")),
        one_index(call("c1", "f", ":1}")),
        json!([{"index": 1, "id": "c2", "type": "function", "function": {"name": "g", "arguments": {}}}]),
    ]);
    assert_eq!(repeated, both);
    assert_eq!(
        message(&[json!({"content": "x", "tool_calls": []})]),
        json!({"role": "assistant", "content": "x"})
    );
    let legacy = message(&[
        json!({"function_call": {"name": "f", "arguments": ""}}),
        json!({"function_call": {"arguments": "{}"}}),
    ]);
    assert_eq!(legacy["function_call"], json!({"name": "f", "arguments": "{}"}));
}

#[test]
fn choices_are_kept_apart() {
    let piece =
        |index: u64, text: &str| json!({"choices": [{"index": index, "delta": {"content": text}}]});
    let answer = fold(&[piece(1, "b"), piece(0, "a"), piece(1, "B")]).expect("an answer");
    assert_eq!(answer["choices"][0]["message"]["content"], "a");
    assert_eq!(answer["choices"][1]["message"]["content"], "bB");
}

#[test]
fn an_answer_beyond_the_limit_is_given_up_but_counted() {
    let mut accumulator = Accumulator::new(200);
    let mut reader = StreamReader::default();
    let bytes = format!("data: {}\n\n", delta(json!({"content": "0123456789"})));
    for _ in 0..40 {
        for event in reader.push(bytes.as_bytes()).expect("within the limit") {
            accumulator.push(&event);
        }
    }
    assert_eq!(accumulator.output_chars(), 400);
    assert_eq!(accumulator.finish(), None);
    assert_eq!(Accumulator::new(200).finish(), None);
}

#[test]
fn framing_does_not_count_towards_the_limit() {
    let mut accumulator = Accumulator::new(1_200);
    let mut reader = StreamReader::default();
    let bytes = format!("data: {}\n\n", delta(json!({"content": "x"})));
    for _ in 0..1_000 {
        for event in reader.push(bytes.as_bytes()).expect("within the limit") {
            accumulator.push(&event);
        }
    }
    assert!(accumulator.finish().is_some_and(|answer| answer.len() < 1_200));
}
