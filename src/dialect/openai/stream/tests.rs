use proptest::prelude::*;

use super::*;

fn read_all(input: &[u8]) -> Vec<StreamEvent> {
    let mut reader = StreamReader::default();
    let mut events = reader.push(input).expect("within the limit");
    events.extend(reader.finish().expect("within the limit"));
    events
}

fn kinds(input: &str) -> Vec<EventKind> {
    read_all(input.as_bytes()).into_iter().map(|event| event.kind).collect()
}

fn facts(data: &str) -> ChunkFacts {
    match classify(data.as_bytes(), false) {
        EventKind::Chunk(facts) => facts,
        other => panic!("{data} is no chunk but {other:?}"),
    }
}

#[test]
fn every_line_end_reads_alike() {
    let lf = ": hi\n\nevent: x\nid: 1\ndata: {\"choices\":\ndata:[]}\n\ndata: [DONE]\n\n";
    let expected = [
        EventKind::Comment,
        EventKind::Chunk(ChunkFacts { no_choices: true, ..ChunkFacts::default() }),
        EventKind::Done,
    ];
    for input in
        [lf.to_owned(), lf.replace('\n', "\r\n"), lf.replace('\n', "\r"), format!("\u{feff}{lf}")]
    {
        assert_eq!(kinds(&input), expected, "{input:?}");
    }
    let events = read_all(lf.as_bytes());
    assert_eq!(&events[1].data[..], b"{\"choices\":\n[]}");
}

#[test]
fn other_separators_do_not_end_a_line() {
    let input =
        "data: {\"choices\":[{\"delta\":{\"content\":\"a\u{2028}b\u{2029}c\u{85}d\"}}]}\n\n";
    let events = read_all(input.as_bytes());
    assert_eq!(events.len(), 1);
    assert!(matches!(&events[0].kind, EventKind::Chunk(facts) if facts.output_chars == 7));
}

#[test]
fn content_is_told_from_its_announcement() {
    let delta =
        |delta: &str| facts(&format!("{{\"choices\":[{{\"index\":0,\"delta\":{delta}}}]}}"));
    for silent in [
        "{}",
        "null",
        r#"{"role":"assistant"}"#,
        r#"{"role":"assistant","content":"","refusal":null}"#,
        r#"{"content":null,"tool_calls":[]}"#,
        r#"{"content":[{"type":"text","text":""}]}"#,
        r#"{"reasoning":""}"#,
    ] {
        assert!(!delta(silent).content, "{silent}");
    }
    for loud in [
        r#"{"content":" "}"#,
        r#"{"content":[{"type":"text","text":"x"}]}"#,
        r#"{"reasoning_content":"x"}"#,
        r#"{"reasoning":"x"}"#,
        r#"{"reasoning_details":[{"type":"reasoning.encrypted","data":"x"}]}"#,
        r#"{"refusal":"x"}"#,
        r#"{"tool_calls":[{"index":0,"function":{"arguments":""}}]}"#,
        r#"{"function_call":{"name":"f"}}"#,
        r#"{"audio":{"id":"a","data":"x"}}"#,
    ] {
        assert!(delta(loud).content, "{loud}");
    }
    let both = delta(
        r#"{"reasoning":"abc","reasoning_details":[{"type":"reasoning.text","text":"abc"}]}"#,
    );
    assert_eq!(both.output_chars, 3);
    let call = delta(
        r#"{"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"ab","arguments":"{}"}}]}"#,
    );
    assert!(call.tool_call && call.output_chars == 4);
}

#[test]
fn usage_and_finish_are_read_wherever_they_stand() {
    let last = facts(r#"{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#);
    assert!(last.no_choices && last.names_usage && last.usage.is_some());
    let null = facts(r#"{"choices":[{"delta":{},"finish_reason":"stop"}],"usage":null}"#);
    assert!(null.names_usage && null.usage.is_none() && !null.no_choices);
    assert_eq!(null.finish_reason.as_deref(), Some("stop"));
    let groq =
        facts(r#"{"choices":[],"x_groq":{"usage":{"prompt_tokens":1,"completion_tokens":2}}}"#);
    assert!(groq.usage.is_some() && !groq.names_usage);
    let odd =
        facts(r#"{"choices":[null,7,{"delta":[],"finish_reason":2}],"usage":"?","error":null}"#);
    assert_eq!(odd, ChunkFacts { names_usage: true, ..ChunkFacts::default() });
}

#[test]
fn errors_are_found_in_every_dress() {
    for input in [
        "data: {\"error\":{\"message\":\"x\"}}\n\n",
        "event: error\ndata: overloaded\n\n",
        "data: {\"choices\":[],\"error\":{\"message\":\"x\"}}\n\n",
        "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"error\"}],\"error\":{\"code\":502}}\n\n",
        "data: [{\"error\":{\"code\":502}}]\n\n",
        "{\"error\":{\"message\":\"x\"}}",
        "[{\n  \"error\": {\n    \"code\": 503\n  }\n}]\n",
        "{\"error\":{\"message\":\"x\"}}\n\n",
    ] {
        assert_eq!(kinds(input), [EventKind::Error], "{input}");
    }
    let event = &read_all(b"{\n\"error\": \"x\"}\n")[0];
    assert_eq!(&event.data[..], b"{\n\"error\": \"x\"}");
    for input in [
        "data: {\"error\":null}\n\n",
        "data: <html>\n\n",
        "data: {\"a\":\n\n",
        "data: 7\n\n",
        "{\"a\":1}",
    ] {
        assert_eq!(kinds(input), [EventKind::Unknown], "{input}");
    }
    for input in [": x\n\n", "data\n\n", "data:\n\n", "event: error\n\n", "\n", "{\"a\":"] {
        assert_eq!(kinds(input), [EventKind::Comment], "{input}");
    }
}

#[test]
fn the_last_event_needs_no_blank_line() {
    for input in [
        "data: [DONE]",
        "data: [DONE]\n",
        "data: [DONE]\r",
        "data: [DONE]\r\r",
        "data: [DONE]\r\n\r",
    ] {
        assert_eq!(kinds(input), [EventKind::Done], "{input:?}");
    }
}

#[test]
fn an_event_beyond_the_limit_is_a_fault_after_the_events_before_it() {
    let mut reader = StreamReader::new(20);
    let events = reader.push(b"data: [DONE]\n\ndata: 123456789012345").expect("the first event");
    assert_eq!(events.len(), 1);
    let fault = StreamFault::EventTooLarge { limit: 20 };
    assert_eq!(reader.push(b""), Err(fault));
    assert_eq!(reader.finish(), Err(fault));
    let mut reader = StreamReader::new(20);
    assert_eq!(reader.push(b"data: 123456789012345\n\n"), Err(fault));
    let mut reader = StreamReader::new(20);
    assert_eq!(reader.push(b"data: 123456789012\n\n").map(|events| events.len()), Ok(1));
}

#[test]
fn the_caller_gets_no_usage_that_was_not_asked_for() {
    let out = |input: &str, asked: bool| {
        let events = read_all(input.as_bytes());
        let kept: Vec<u8> =
            events.iter().filter_map(|event| forward(event, asked)).flatten().collect();
        String::from_utf8(kept).expect("UTF-8")
    };
    let usage_chunk =
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}\n\n";
    assert_eq!(out(usage_chunk, false), "");
    assert_eq!(out(usage_chunk, true), usage_chunk);
    let azure = "data: {\"choices\":[],\"prompt_filter_results\":[],\"usage\":null}\n\n";
    assert_eq!(out(azure, false), "data: {\"choices\":[],\"prompt_filter_results\":[]}\n\n");
    let finish = "event: m\r\ndata:{\"usage\": {\"prompt_tokens\":1} , \"choices\":[{\"delta\":{\"content\":\"\\\"usage\\\":null\"}}]}\r\n\r\n";
    assert_eq!(
        out(finish, false),
        "event: m\r\ndata:{\"choices\":[{\"delta\":{\"content\":\"\\\"usage\\\":null\"}}]}\r\n\r\n"
    );
    let split = "data: {\"choices\":[{}],\nid: 4\ndata: \"usage\":null,\ndata: \"a\":1}\n\n";
    assert_eq!(out(split, false), "data: {\"choices\":[{}], \"a\":1}\nid: 4\n\n");
    for same in [
        ": c\n\n",
        "data: [DONE]\n\n",
        "data: ?\n\n",
        "data: {\"choices\":[{\"delta\":{\"usage\":null}}]}\n\n",
    ] {
        assert_eq!(out(same, false), same);
    }
}

/// Pieces that streams are made of, whole and broken.
fn piece() -> impl Strategy<Value = String> {
    let line_end = prop_oneof![Just("\n"), Just("\r\n"), Just("\r")];
    let line = prop_oneof![
        Just(": keep-alive".to_owned()),
        Just("data: [DONE]".to_owned()),
        Just(
            "data: {\"choices\":[{\"delta\":{\"content\":\"né日🙂\"}}],\"usage\":null}".to_owned()
        ),
        Just("data:{\"choices\":[],\"usage\":{\"prompt_tokens\":1}}".to_owned()),
        Just("data: {\"error\":{}}".to_owned()),
        Just("event: error".to_owned()),
        Just("\u{feff}".to_owned()),
        Just(String::new()),
        Just(String::new()),
        "[ -~\u{80}-\u{ff}]{0,12}",
    ];
    (line, line_end).prop_map(|(line, end)| line + end)
}

proptest! {
    #[test]
    fn any_split_reads_alike_and_loses_nothing(
        pieces in prop::collection::vec(piece(), 0..24),
        cuts in prop::collection::vec(0usize..4096, 0..12),
    ) {
        let input = pieces.concat().into_bytes();
        let whole = read_all(&input);
        let raw: Vec<u8> = whole.iter().flat_map(|event| event.raw.to_vec()).collect();
        prop_assert_eq!(&raw, &input);

        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut % (input.len() + 1)).collect();
        cuts.sort_unstable();
        cuts.push(input.len());
        let (mut reader, mut events, mut from) = (StreamReader::default(), Vec::new(), 0);
        for cut in cuts {
            events.extend(reader.push(&input[from..cut]).expect("within the limit"));
            from = cut;
        }
        events.extend(reader.finish().expect("within the limit"));
        prop_assert_eq!(&events, &whole);

        let mut bytewise = StreamReader::default();
        let mut events = Vec::new();
        for byte in &input {
            events.extend(bytewise.push(std::slice::from_ref(byte)).expect("within the limit"));
        }
        events.extend(bytewise.finish().expect("within the limit"));
        prop_assert_eq!(&events, &whole);
    }
}
