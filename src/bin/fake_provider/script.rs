//! Which bytes go out and when: an answer, or the fault that a model name asks for, as a list of
//! timed steps. Pure; `serve` performs it. Streams are spelt out in `stream`.

use std::time::Duration;

use serde_json::{Value, json};

use super::answer::{Content, Reply, digest};
use super::behaviour::{Behaviour, Fault};
use super::contract::{ApiError, ChatRequest};
use super::http::{LAST_CHUNK, chunk, response_head};
use super::stream;

/// Everything that happens after a request was received.
#[derive(Debug, Clone, PartialEq)]
pub struct Script {
    /// The status that the first write carries; 0 when none does.
    pub status: u16,
    pub steps: Vec<Step>,
}

/// Something to do, `at` a time since the receipt of the request. Times never decrease.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    pub at: Duration,
    pub act: Act,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    Write(Vec<u8>),
    /// Until the client leaves: nothing, or these bytes at that interval.
    Silence(Option<(Duration, Vec<u8>)>),
    /// Closes the connection, in the middle of whatever was announced.
    Close,
    /// The same by a TCP reset.
    Reset,
}

/// Identity of one answer: the same in all its chunks.
#[derive(Debug, Clone)]
pub struct Identity {
    pub id: String,
    /// Fixed, so that answers are reproducible and a gateway that copies it is found out.
    pub created: u64,
    pub model: String,
}

impl Script {
    /// A body in one piece.
    pub fn whole(status: u16, content_type: &str, body: Vec<u8>) -> Self {
        Self::answer(Duration::ZERO, status, &[("content-type", content_type)], body)
    }

    /// A JSON document.
    pub fn json(status: u16, body: &Value) -> Self {
        Self::whole(status, "application/json", body.to_string().into_bytes())
    }

    /// An error in OpenAI's envelope.
    pub fn error(error: &ApiError) -> Self {
        Self::json(error.status, &error.body())
    }

    fn answer(at: Duration, status: u16, headers: &[(&str, &str)], body: Vec<u8>) -> Self {
        let mut bytes = response_head(status, headers, Some(body.len()));
        bytes.extend(body);
        Self { status, steps: vec![Step { at, act: Act::Write(bytes) }] }
    }

    fn only(at: Duration, act: Act) -> Self {
        Self { status: 0, steps: vec![Step { at, act }] }
    }
}

/// The script of a chat completion. `call` counts the calls of this model name from 1.
pub fn chat(request: &ChatRequest, behaviour: &Behaviour, reply: &Reply, call: u64) -> Script {
    let seed = format!("{}{}", behaviour.model, request.body["messages"]);
    let identity = Identity {
        id: format!("chatcmpl-fake{:016x}{call}", digest(&seed)),
        created: 1_700_000_000 + call,
        model: behaviour.model.clone(),
    };
    let fault = behaviour.fault_at(call);
    if let Some(script) = fault.and_then(|fault| instead(fault, behaviour.ttft)) {
        return script;
    }
    if request.stream {
        return streamed(request, behaviour, reply, &identity, fault);
    }
    let at = behaviour.due(reply.reasoning.len() + reply.content.tokens().len());
    if let Some(Fault::ErrorAfter(_)) = fault {
        return Script {
            steps: delayed(Script::error(&ApiError::of_status(500)).steps, at),
            status: 500,
        };
    }
    let body = completion(request, behaviour, reply, &identity).to_string().into_bytes();
    let headers = headers("application/json", &identity.id);
    let whole = Script::answer(at, 200, &as_refs(&headers), body.clone());
    match fault {
        Some(Fault::Cut(_) | Fault::Eof(_)) => broken(whole, body.len(), Act::Close),
        Some(Fault::Stall(_)) => broken(whole, body.len(), Act::Silence(None)),
        _ => match behaviour.bytes {
            Some(piece) => in_pieces(whole, piece),
            None => whole,
        },
    }
}

/// Faults that leave nothing of the answer.
fn instead(fault: &Fault, at: Duration) -> Option<Script> {
    let error = |error: &ApiError, retry_after: Option<&str>| {
        let mut headers = vec![("content-type", "application/json")];
        headers.extend(retry_after.map(|seconds| ("retry-after", seconds)));
        Script::answer(at, error.status, &headers, error.body().to_string().into_bytes())
    };
    Some(match fault {
        Fault::Status { status, retry_after } => {
            error(&ApiError::of_status(*status), retry_after.as_deref())
        }
        Fault::Auth => error(&ApiError::bad_key(), None),
        Fault::Quota => error(&ApiError::quota(), None),
        Fault::Context => error(&ApiError::context(), None),
        Fault::Html { status } => {
            let page = b"<html><head><title>Bad gateway</title></head><body>nginx</body></html>";
            Script::answer(at, *status, &[("content-type", "text/html")], page.to_vec())
        }
        Fault::Empty => {
            Script::answer(at, 200, &[("content-type", "application/json")], Vec::new())
        }
        Fault::Garbage => {
            let body = b"{\"id\": \"chatcmpl-fake\", \"choices\": [{".to_vec();
            Script::answer(at, 200, &[("content-type", "application/json")], body)
        }
        Fault::Drop => Script::only(at, Act::Close),
        Fault::Reset => Script::only(at, Act::Reset),
        Fault::Hang => Script::only(at, Act::Silence(None)),
        _ => return None,
    })
}

/// Half of the body, then something else.
fn broken(whole: Script, body: usize, then: Act) -> Script {
    let mut steps = whole.steps;
    let at = steps[0].at;
    if let Act::Write(bytes) = &mut steps[0].act {
        bytes.truncate(bytes.len() - body / 2);
    }
    steps.push(Step { at, act: then });
    Script { status: whole.status, steps }
}

/// The same bytes, `piece` at a time.
fn in_pieces(whole: Script, piece: usize) -> Script {
    let mut steps = Vec::new();
    for step in whole.steps {
        match step.act {
            Act::Write(bytes) => steps.extend(
                bytes
                    .chunks(piece)
                    .map(|part| Step { at: step.at, act: Act::Write(part.to_vec()) }),
            ),
            act => steps.push(Step { at: step.at, act }),
        }
    }
    Script { status: whole.status, steps }
}

fn delayed(steps: Vec<Step>, at: Duration) -> Vec<Step> {
    steps.into_iter().map(|step| Step { at, act: step.act }).collect()
}

/// A stream: its events, framed as chunks, and the way it ends.
fn streamed(
    request: &ChatRequest,
    behaviour: &Behaviour,
    reply: &Reply,
    identity: &Identity,
    fault: Option<&Fault>,
) -> Script {
    let headers = headers("text/event-stream; charset=utf-8", &identity.id);
    let mut steps = Vec::new();
    let opening = if behaviour.comments.is_some() { Duration::ZERO } else { behaviour.ttft };
    steps.push(Step { at: opening, act: Act::Write(response_head(200, &as_refs(&headers), None)) });
    let comment = |text: &str| chunk(&stream::line_ends(&format!(": {text}\n\n"), behaviour.crlf));
    for at in stream::comment_times(behaviour.comments, behaviour.ttft) {
        steps.push(Step { at, act: Act::Write(comment("waiting")) });
    }
    let (events, last) = stream::events(request, behaviour, reply, identity, fault);
    for (at, event) in events {
        let payload = stream::line_ends(&event, behaviour.crlf);
        for part in payload.chunks(behaviour.bytes.unwrap_or(usize::MAX)) {
            steps.push(Step { at, act: Act::Write(chunk(part)) });
        }
    }
    let at = steps.last().map_or(behaviour.ttft, |step| step.at);
    let act = match last {
        stream::Ending::Clean => Act::Write(LAST_CHUNK.to_vec()),
        stream::Ending::Cut => Act::Close,
        stream::Ending::Stall => {
            Act::Silence(behaviour.comments.map(|every| (every, comment("stalled"))))
        }
    };
    steps.push(Step { at, act });
    Script { status: 200, steps }
}

/// A whole `chat.completion`.
fn completion(
    request: &ChatRequest,
    behaviour: &Behaviour,
    reply: &Reply,
    identity: &Identity,
) -> Value {
    let mut message =
        json!({"role": "assistant", "content": null, "refusal": null, "annotations": []});
    match &reply.content {
        Content::Text(tokens) => message["content"] = tokens.concat().into(),
        Content::Refusal(tokens) => message["refusal"] = tokens.concat().into(),
        Content::ToolCall { id, name, arguments } => {
            let function = json!({"name": name, "arguments": arguments.concat()});
            message["tool_calls"] = json!([{"id": id, "type": "function", "function": function}]);
        }
    }
    if !reply.reasoning.is_empty() {
        message["reasoning_content"] = reply.reasoning.concat().into();
    }
    let choices: Vec<Value> = (0..request.choices)
        .map(|index| {
            json!({"index": index, "message": message, "logprobs": null,
                "finish_reason": reply.finish})
        })
        .collect();
    let mut completion = json!({
        "id": identity.id, "object": "chat.completion", "created": identity.created,
        "model": identity.model, "choices": choices,
        "service_tier": "default", "system_fingerprint": "fp_fake",
    });
    if behaviour.usage {
        completion["usage"] = reply.usage.json();
    }
    completion
}

/// What real endpoints send along. The organization and the cookie are the provider's own affair:
/// a gateway must not pass them on.
fn headers(content_type: &str, id: &str) -> Vec<(&'static str, String)> {
    vec![
        ("content-type", content_type.to_owned()),
        ("openai-processing-ms", "12".to_owned()),
        ("openai-version", "2020-10-01".to_owned()),
        ("openai-organization", "fake-organization".to_owned()),
        ("x-request-id", format!("req_{:016x}", digest(id))),
        ("set-cookie", "fake_session=1; HttpOnly".to_owned()),
    ]
}

fn as_refs<'a>(headers: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    headers.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

#[cfg(test)]
mod tests {
    use super::super::answer::reply;
    use super::super::knowledge::Knowledge;
    use super::*;

    fn script(model: &str, stream: bool, call: u64) -> Script {
        let messages = json!([{"role": "user", "content": "How do I reset my password?"}]);
        let mut body = json!({"model": model, "messages": messages, "stream": stream});
        if stream {
            body["stream_options"] = json!({"include_usage": true});
        }
        let request = ChatRequest::parse(&serde_json::to_vec(&body).unwrap()).unwrap();
        let behaviour = Behaviour::parse(model, true).unwrap();
        let reply = reply(&request, &behaviour, &Knowledge::shipped());
        chat(&request, &behaviour, &reply, call)
    }

    fn written(script: &Script) -> String {
        let bytes = script.steps.iter().filter_map(|step| match &step.act {
            Act::Write(bytes) => Some(bytes.clone()),
            _ => None,
        });
        String::from_utf8(bytes.flatten().collect()).unwrap()
    }

    #[test]
    fn a_whole_answer_announces_its_length() {
        let text = written(&script("fake-mid", false, 1));
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(
            head.starts_with("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"),
            "{head}"
        );
        assert!(head.contains(&format!("content-length: {}", body.len())));
        let body: Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["choices"][0]["finish_reason"], "stop");
        let usage = &body["usage"];
        let total =
            usage["prompt_tokens"].as_u64().unwrap() + usage["completion_tokens"].as_u64().unwrap();
        assert_eq!(usage["total_tokens"], total);
    }

    #[test]
    fn scripts_are_reproducible() {
        for model in
            ["fake-mid", "fake-frontier~bytes=3~crlf~comments=5~ttft=20", "fake-small~cut=2"]
        {
            for stream in [false, true] {
                assert_eq!(script(model, stream, 1), script(model, stream, 1));
            }
        }
    }

    #[test]
    fn only_the_scripted_calls_fail() {
        let status = |call| script("fake-mid~status=503~from=2~fail=2", true, call).status;
        assert_eq!([1, 2, 3, 4].map(status), [200, 503, 503, 200]);
        let refused = written(&script("fake-mid~status=429~retry-after=7", false, 1));
        assert!(refused.contains("\r\nretry-after: 7\r\n"), "{refused}");
        assert!(refused.contains("rate_limit_exceeded"), "{refused}");
    }

    #[test]
    fn broken_bodies_promise_more_than_they_send() {
        let script = script("fake-mid~cut=1", false, 1);
        assert_eq!(script.steps.last().unwrap().act, Act::Close);
        let text = written(&script);
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let length = head.rsplit_once("content-length: ").unwrap().1;
        let length: usize = length.lines().next().unwrap().parse().unwrap();
        assert!(!body.is_empty() && body.len() < length, "{} of {length}", body.len());
    }

    #[test]
    fn pieces_are_the_same_bytes() {
        let whole = script("fake-mid", false, 1);
        let pieces = script("fake-mid~bytes=7", false, 1);
        assert!(pieces.steps.len() > 20);
        let length = |script| written(script).len();
        // The longer name stands in the body once and changes the id, not its length.
        assert_eq!(length(&pieces), length(&whole) + "~bytes=7".len());
    }

    #[test]
    fn every_fault_has_a_script() {
        for (knob, act) in [
            ("drop", Act::Close),
            ("rst", Act::Reset),
            ("hang", Act::Silence(None)),
            ("cut=3", Act::Close),
            ("stall=3", Act::Silence(None)),
        ] {
            let last = script(&format!("fake-mid~{knob}"), true, 1).steps.pop().unwrap();
            assert_eq!(last.act, act, "{knob}");
        }
        for (knob, status) in
            [("auth", 401), ("quota", 429), ("context", 400), ("html", 502), ("empty", 200)]
        {
            assert_eq!(script(&format!("fake-mid~{knob}"), true, 1).status, status, "{knob}");
        }
    }

    #[test]
    fn times_never_decrease() {
        let steps = script("fake-mid~ttft=35~rate=100~comments=10~reasoning=3", true, 1).steps;
        assert!(steps.windows(2).all(|pair| pair[0].at <= pair[1].at));
        assert_eq!(steps[0].at, Duration::ZERO);
        let waiting = steps.iter().filter(|step| step.at > Duration::ZERO);
        assert!(waiting.take(3).all(|step| step.at.as_millis() % 10 == 0));
    }
}
