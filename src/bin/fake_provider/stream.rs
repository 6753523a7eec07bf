//! The events of a streamed answer, each with its time. Framing and connection faults are left to
//! `script`.

use std::time::Duration;

use serde_json::{Value, json};

use super::answer::{Content, Reply};
use super::behaviour::{Behaviour, Fault};
use super::contract::{ApiError, ChatRequest};
use super::script::Identity;

/// How the body of a stream ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// By the last chunk of the transfer coding.
    Clean,
    /// The connection breaks.
    Cut,
    /// It does not.
    Stall,
}

/// Events in order, and the ending. A fault strikes after its number of content chunks.
pub fn events(
    request: &ChatRequest,
    behaviour: &Behaviour,
    reply: &Reply,
    identity: &Identity,
    fault: Option<&Fault>,
) -> (Vec<(Duration, String)>, Ending) {
    let include_usage = request.include_usage && behaviour.usage;
    let chunk = |index: usize, delta: Value, finish: Option<&str>| {
        let mut chunk = envelope(identity, include_usage);
        chunk["choices"] =
            json!([{"index": index, "delta": delta, "logprobs": null, "finish_reason": finish}]);
        event(&chunk)
    };
    let struck = fault.and_then(strike);
    let mut events = Vec::new();
    let mut sent = 0;
    for index in 0..request.choices {
        let at = behaviour.due(sent);
        if struck.is_some_and(|(after, strike)| after == 0 && strike == Strike::Error) {
            events.push((at, error_event()));
            return (events, Ending::Clean);
        }
        events.push((
            at,
            chunk(index, json!({"role": "assistant", "content": "", "refusal": null}), None),
        ));
        for (piece, delta) in deltas(reply).into_iter().enumerate() {
            let content = piece.saturating_sub(reply.reasoning.len());
            let past_reasoning = piece >= reply.reasoning.len();
            if let Some((after, strike)) = struck
                && past_reasoning
                && after == content
            {
                return strike.end(events, behaviour.due(sent));
            }
            events.push((behaviour.due(sent), chunk(index, delta, None)));
            sent += 1;
        }
        events.push((behaviour.due(sent), chunk(index, json!({}), Some(reply.finish))));
    }
    let at = behaviour.due(sent);
    // The answer was shorter than the fault's count: it strikes instead of the finish.
    if let Some((_, strike)) = struck {
        events.pop();
        return strike.end(events, at);
    }
    if include_usage {
        let mut usage = envelope(identity, true);
        usage["choices"] = json!([]);
        usage["usage"] = reply.usage.json();
        events.push((at, event(&usage)));
    }
    if fault != Some(&Fault::NoDone) {
        events.push((at, "data: [DONE]\n\n".to_owned()));
    }
    (events, Ending::Clean)
}

/// When a waiting stream sends a comment: at each interval before the first token.
pub fn comment_times(every: Option<Duration>, ttft: Duration) -> Vec<Duration> {
    let Some(every) = every else { return Vec::new() };
    (1..).map(|nth| every * nth).take_while(|at| *at < ttft).collect()
}

/// Bytes of an event with the line ends asked for.
pub fn line_ends(event: &str, crlf: bool) -> Vec<u8> {
    if crlf { event.replace('\n', "\r\n").into_bytes() } else { event.as_bytes().to_vec() }
}

/// What a mid-stream fault does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Strike {
    Cut,
    Eof,
    Error,
    Stall,
}

impl Strike {
    fn end(
        self,
        mut events: Vec<(Duration, String)>,
        at: Duration,
    ) -> (Vec<(Duration, String)>, Ending) {
        let ending = match self {
            Self::Cut => Ending::Cut,
            Self::Stall => Ending::Stall,
            Self::Eof => Ending::Clean,
            Self::Error => {
                events.push((at, error_event()));
                Ending::Clean
            }
        };
        (events, ending)
    }
}

fn strike(fault: &Fault) -> Option<(usize, Strike)> {
    match fault {
        Fault::Cut(after) => Some((*after, Strike::Cut)),
        Fault::Eof(after) => Some((*after, Strike::Eof)),
        Fault::ErrorAfter(after) => Some((*after, Strike::Error)),
        Fault::Stall(after) => Some((*after, Strike::Stall)),
        _ => None,
    }
}

/// The deltas of one choice after the opening one.
fn deltas(reply: &Reply) -> Vec<Value> {
    let reasoning = reply.reasoning.iter().map(|token| json!({"reasoning_content": token}));
    let mut deltas: Vec<Value> = reasoning.collect();
    match &reply.content {
        Content::Text(tokens) => {
            deltas.extend(tokens.iter().map(|token| json!({"content": token})))
        }
        Content::Refusal(tokens) => {
            deltas.extend(tokens.iter().map(|token| json!({"refusal": token})));
        }
        Content::ToolCall { id, name, arguments } => {
            let function = json!({"name": name, "arguments": ""});
            deltas.push(json!({"tool_calls":
                [{"index": 0, "id": id, "type": "function", "function": function}]}));
            deltas.extend(arguments.iter().map(
                |token| json!({"tool_calls": [{"index": 0, "function": {"arguments": token}}]}),
            ));
        }
    }
    deltas
}

fn envelope(identity: &Identity, names_usage: bool) -> Value {
    let mut chunk = json!({
        "id": identity.id, "object": "chat.completion.chunk", "created": identity.created,
        "model": identity.model, "service_tier": "default", "system_fingerprint": "fp_fake",
    });
    if names_usage {
        chunk["usage"] = Value::Null;
    }
    chunk
}

fn error_event() -> String {
    event(&ApiError::of_status(500).body())
}

fn event(data: &Value) -> String {
    format!("data: {data}\n\n")
}

#[cfg(test)]
mod tests {
    use super::super::answer::reply;
    use super::super::knowledge::Knowledge;
    use super::*;

    fn stream(model: &str, extra: Value) -> (Vec<Value>, Ending) {
        let messages = json!([{"role": "user", "content": "What is the weather in Oslo?"}]);
        let mut body = json!({"model": model, "messages": messages, "stream": true});
        for (key, value) in extra.as_object().unwrap() {
            body[key] = value.clone();
        }
        let request = ChatRequest::parse(&serde_json::to_vec(&body).unwrap()).unwrap();
        let behaviour = Behaviour::parse(model, true).unwrap();
        let reply = reply(&request, &behaviour, &Knowledge::shipped());
        let identity = Identity { id: "chatcmpl-1".into(), created: 1, model: model.into() };
        let (events, ending) =
            events(&request, &behaviour, &reply, &identity, behaviour.fault_at(1));
        let data = events.into_iter().map(|(_, event)| {
            let data = event.strip_prefix("data: ").unwrap().strip_suffix("\n\n").unwrap();
            if data == "[DONE]" { json!("done") } else { serde_json::from_str(data).unwrap() }
        });
        (data.collect(), ending)
    }

    fn content(events: &[Value]) -> String {
        let parts =
            events.iter().filter_map(|event| event["choices"][0]["delta"]["content"].as_str());
        parts.collect()
    }

    #[test]
    fn a_stream_opens_finishes_and_is_done() {
        let (events, ending) = stream("fake-mid", json!({}));
        assert_eq!(ending, Ending::Clean);
        assert_eq!(events[0]["choices"][0]["delta"]["role"], "assistant");
        assert!(content(&events).starts_with("About \"What is the weather in Oslo?\""));
        assert_eq!(events[events.len() - 2]["choices"][0]["finish_reason"], "stop");
        assert_eq!(events.last().unwrap(), "done");
        assert!(events.iter().all(|event| event.get("usage").is_none()));
    }

    #[test]
    fn usage_comes_only_when_asked_for() {
        let asked = json!({"stream_options": {"include_usage": true}});
        let (events, _) = stream("fake-mid", asked.clone());
        let (usage, others) = events[..events.len() - 1].split_last().unwrap();
        assert_eq!(usage["choices"], json!([]));
        assert!(usage["usage"]["completion_tokens"].as_u64().unwrap() > 10);
        assert!(others.iter().all(|event| event.get("usage") == Some(&Value::Null)));
        let (silent, _) = stream("fake-mid~no-usage", asked);
        assert!(silent.iter().all(|event| event.get("usage").is_none()));
    }

    #[test]
    fn faults_strike_after_their_count() {
        let chunks = |events: &[Value]| {
            let texts = events.iter().filter_map(|e| e["choices"][0]["delta"]["content"].as_str());
            texts.filter(|text| !text.is_empty()).count()
        };
        for (knob, ending, count) in [
            ("cut=3", Ending::Cut, 3),
            ("eof=2", Ending::Clean, 2),
            ("stall", Ending::Stall, 0),
            ("error-after=4", Ending::Clean, 4),
            ("error-first", Ending::Clean, 0),
            ("reasoning=5~cut=1", Ending::Cut, 1),
            ("tokens=2~cut=9", Ending::Cut, 2),
        ] {
            let (events, ended) = stream(&format!("fake-mid~{knob}"), json!({}));
            assert_eq!((ended, chunks(&events)), (ending, count), "{knob}");
            assert!(!events.contains(&json!("done")), "{knob}");
            let finished = events.iter().any(|e| e["choices"][0]["finish_reason"].is_string());
            assert!(!finished, "{knob}");
            let errors = events.iter().filter(|event| event["error"].is_object()).count();
            assert_eq!(errors, usize::from(knob.starts_with("error")), "{knob}");
        }
        let (first, _) = stream("fake-mid~error-first", json!({}));
        assert_eq!(first.len(), 1);
        let (undone, _) = stream("fake-mid~no-done", json!({}));
        assert_eq!(undone.last().unwrap()["choices"][0]["finish_reason"], "stop");
    }

    #[test]
    fn tool_arguments_arrive_in_pieces() {
        let tools = json!([{"type": "function", "function": {"name": "get_weather", "parameters":
            {"type": "object", "properties": {"city": {"type": "string"}}}}}]);
        let (events, _) = stream("fake-mid", json!({"tools": tools}));
        let calls = events.iter().filter_map(|event| {
            event["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"].as_str()
        });
        let arguments: Vec<&str> = calls.collect();
        assert!(arguments.len() > 3);
        assert_eq!(arguments.concat(), "{\"city\":\"Oslo\"}");
    }

    #[test]
    fn several_choices_keep_their_index() {
        let (events, _) = stream("fake-small~tokens=2", json!({"n": 2}));
        let indices: Vec<u64> =
            events.iter().filter_map(|event| event["choices"][0]["index"].as_u64()).collect();
        assert_eq!(indices, [0, 0, 0, 0, 1, 1, 1, 1]);
    }

    #[test]
    fn lines_may_end_in_crlf() {
        assert_eq!(line_ends("data: 1\n\n", true), b"data: 1\r\n\r\n");
        assert_eq!(line_ends("data: 1\n\n", false), b"data: 1\n\n");
        let ms = Duration::from_millis;
        assert_eq!(comment_times(Some(ms(10)), ms(30)), [ms(10), ms(20)]);
        assert!(comment_times(None, ms(30)).is_empty());
    }
}
