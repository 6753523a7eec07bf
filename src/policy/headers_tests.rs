use super::*;

fn headers(lines: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    headers
}

fn parse(lines: &[(&str, &str)]) -> RequestHeaders {
    RequestHeaders::parse(&headers(lines)).unwrap_or_else(|error| panic!("{lines:?}: {error:?}"))
}

/// The `param` of the refusal.
fn refused(lines: &[(&str, &str)]) -> String {
    match RequestHeaders::parse(&headers(lines)) {
        Err(GatewayError::BadRequest { param: Some(param), .. }) => param,
        other => panic!("{lines:?}: {other:?}"),
    }
}

#[test]
fn no_headers_ask_for_nothing() {
    assert_eq!(parse(&[]), RequestHeaders::default());
}

#[test]
fn our_headers_are_read() {
    let read = parse(&[
        ("x-semgate-tier", " small "),
        ("x-semgate-max-cost-usd", "0.002"),
        ("x-semgate-max-quality-loss", "5%"),
        ("x-semgate-timeout-ms", "1500"),
        ("X-Semgate-Tags", "feature=search, team=web"),
        ("x-semgate-tags", "a.b-c_9=x=y z"),
        ("cache-control", "no-store"),
        ("x-request-id", "req-1"),
    ]);
    assert_eq!(read.tier.as_deref(), Some("small"));
    assert_eq!(read.max_cost, Some(Money::from_pico(2_000_000_000)));
    assert_eq!(read.max_quality_loss, Some(0.05));
    assert_eq!(read.timeout, Some(Duration::from_millis(1500)));
    let tags: Vec<_> = read.tags.iter().map(|(name, value)| format!("{name}:{value}")).collect();
    assert_eq!(tags, ["a.b-c_9:x=y z", "feature:search", "team:web"]);
    assert!(read.cache.no_store);
    assert_eq!(read.client_request_id.as_deref(), Some("req-1"));
}

#[test]
fn a_quality_loss_is_a_share() {
    let header = "x-semgate-max-quality-loss";
    for (text, share) in [("0.05", 0.05), ("0", 0.0), ("100%", 1.0), (" 2.5 % ", 0.025)] {
        assert_eq!(parse(&[(header, text)]).max_quality_loss, Some(share), "{text}");
    }
    for text in ["", "5", "-1%", "101%", "a little", "NaN", "1e-2"] {
        assert_eq!(refused(&[(header, text)]), header, "{text}");
    }
    assert_eq!(refused(&[(header, "1%"), (header, "2%")]), header);
}

#[test]
fn money_is_exact() {
    for (text, pico) in [
        ("1", 1_000_000_000_000),
        ("0.000000000001", 1),
        ("0.1", 100_000_000_000),
        ("12.50", 12_500_000_000_000),
        ("0.0020000000000000000", 2_000_000_000),
        ("999999999999.999999999999", 999_999_999_999_999_999_999_999),
    ] {
        let read = parse(&[("x-semgate-max-cost-usd", text)]);
        assert_eq!(read.max_cost, Some(Money::from_pico(pico)), "{text}");
    }
    for text in [
        "",
        "0",
        "0.0",
        "-1",
        "+1",
        "1e-3",
        ".5",
        "1.",
        "1,5",
        "$1",
        "0x1",
        "nan",
        "1 2",
        "0.0000000000001",
        "1000000000000",
        "１",
    ] {
        assert_eq!(refused(&[("x-semgate-max-cost-usd", text)]), "x-semgate-max-cost-usd");
    }
}

#[test]
fn timeouts_are_whole_milliseconds_within_an_hour() {
    for (text, ms) in [("1", 1), ("3600000", 3_600_000), ("007", 7)] {
        let read = parse(&[("x-semgate-timeout-ms", text)]);
        assert_eq!(read.timeout, Some(Duration::from_millis(ms)));
    }
    for text in ["", "0", "3600001", "-5", "+5", "1.5", "5s", "99999999999999999999999"] {
        assert_eq!(refused(&[("x-semgate-timeout-ms", text)]), "x-semgate-timeout-ms");
    }
}

#[test]
fn tags_are_bounded_and_named_plainly() {
    let sixteen: Vec<String> = (0..16).map(|n| format!("t{n}=v")).collect();
    assert_eq!(parse(&[("x-semgate-tags", &sixteen.join(","))]).tags.len(), 16);
    assert!(parse(&[("x-semgate-tags", "")]).tags.is_empty());
    assert_eq!(parse(&[("x-semgate-tags", "team=")]).tags["team"], "");
    assert_eq!(parse(&[("x-semgate-tags", "team=Übung")]).tags["team"], "Übung");
    let long = format!("a={}", "ü".repeat(256));
    assert_eq!(parse(&[("x-semgate-tags", &long)]).tags["a"].chars().count(), 256);

    let seventeen = format!("{},t16=v", sixteen.join(","));
    let too_long = format!("a={}", "x".repeat(257));
    for text in [
        "team",
        "=web",
        "Team=web",
        "te am=web",
        "team=web,",
        "team=web,,a=b",
        "a=1,a=2",
        "tëam=x",
        "a=x\ty",
        &seventeen,
        &too_long,
    ] {
        assert_eq!(refused(&[("x-semgate-tags", text)]), "x-semgate-tags", "{text}");
    }
}

#[test]
fn a_header_of_ours_given_twice_or_empty_is_refused() {
    assert_eq!(refused(&[("x-semgate-tier", "")]), "x-semgate-tier");
    assert_eq!(
        refused(&[("x-semgate-tier", "small"), ("x-semgate-tier", "small")]),
        "x-semgate-tier"
    );
    let mut broken = HeaderMap::new();
    broken.insert("x-semgate-tier", HeaderValue::from_bytes(b"\xff").unwrap());
    assert!(RequestHeaders::parse(&broken).is_err());
}

#[test]
fn headers_that_do_not_exist_yet_are_ignored() {
    assert_eq!(parse(&[("x-semgate-later", "nonsense")]).tier, None);
}

#[test]
fn a_strange_request_id_is_dropped() {
    let long = "x".repeat(257);
    for id in ["", "two words", "ümlaut", &long] {
        assert_eq!(parse(&[("x-request-id", id)]).client_request_id, None, "{id}");
    }
}

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

#[test]
fn a_valid_trace_context_and_beta_switches_are_forwarded() {
    let read = parse(&[
        ("traceparent", TRACE),
        ("tracestate", "a=1"),
        ("tracestate", "b=2"),
        ("OpenAI-Beta", "assistants=v2"),
        ("anthropic-beta", "x"),
        ("openai-organization", "org"),
        ("authorization", "Bearer sg-secret"),
    ]);
    let sent: Vec<_> = read
        .forward
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    assert_eq!(
        sent,
        [
            &format!("traceparent: {TRACE}"),
            "tracestate: a=1",
            "tracestate: b=2",
            "openai-beta: assistants=v2",
            "anthropic-beta: x",
        ]
    );
}

#[test]
fn an_invalid_trace_context_is_ignored() {
    assert!(is_traceparent(TRACE.as_bytes()));
    assert!(is_traceparent(TRACE.replacen("00", "cc", 1).as_bytes()));
    assert!(is_traceparent(format!("{}-more", TRACE.replacen("00", "cc", 1)).as_bytes()));
    for wrong in [
        String::new(),
        TRACE[..54].to_owned(),
        TRACE.to_uppercase(),
        TRACE.replacen("00", "ff", 1),
        TRACE.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32)),
        TRACE.replace("b7ad6b7169203331", &"0".repeat(16)),
        TRACE.replace('-', "_"),
        format!("{TRACE}-more"),
        format!("{}more", TRACE.replacen("00", "cc", 1)),
        TRACE.replacen('a', "g", 1),
    ] {
        let read = parse(&[("traceparent", &wrong), ("tracestate", "a=1")]);
        assert!(read.forward.is_empty(), "{wrong}");
    }
    assert!(parse(&[("traceparent", TRACE), ("traceparent", TRACE)]).forward.is_empty());
}

#[test]
fn rules_see_every_header_but_credentials_and_broken_text() {
    let mut lines = headers(&[
        ("User-Agent", "curl/8"),
        ("X-Foo", "a"),
        ("x-foo", "b"),
        ("Authorization", "Bearer sg-secret"),
        ("Proxy-Authorization", "secret"),
        ("X-Api-Key", "sg-secret"),
        ("Cookie", "secret"),
    ]);
    lines.insert("x-broken", HeaderValue::from_bytes(b"\xff").unwrap());
    let read = RequestHeaders::parse(&lines).unwrap();
    let shown: Vec<_> =
        read.headers.iter().map(|(name, value)| format!("{name}:{value}")).collect();
    assert_eq!(shown, ["user-agent:curl/8", "x-foo:a, b"]);
}
