//! Faulty files, each with the places, the words and the advice that an operator reads.

use super::*;

fn faults(text: &str) -> Vec<String> {
    match load_text("f.yaml", text, &env(), &[]) {
        Ok(loaded) => panic!("no fault in\n{text}\n{:?}", loaded.warnings),
        Err(faults) => faults.0.iter().map(Fault::to_string).collect(),
    }
}

/// `text` has exactly these faults, each starting and containing as told.
fn assert_faults(text: &str, expected: &[(&str, &str)]) {
    let found = faults(text);
    assert_eq!(found.len(), expected.len(), "{found:#?}\n{text}");
    for (found, (start, part)) in found.iter().zip(expected) {
        assert!(found.starts_with(&format!("f.yaml:{start}: ")), "{found}\nnot at {start}");
        assert!(found.contains(part), "{found}\nwithout {part}");
    }
}

/// The fault of one line that follows a sound configuration; columns are of that line.
fn assert_fault(line: &str, column: usize, part: &str) {
    let text = format!("{SMALL}{line}\n");
    let place = format!("{}:{column}", SMALL.lines().count() + 1);
    assert_faults(&text, &[(&place, part)]);
}

#[test]
fn yaml_itself() {
    assert_faults("a: [1\n", &[("1:4", "not YAML")]);
    assert_faults(
        "cache: {}\ncache: {}\n",
        &[("2:1", "`cache` stands twice, first at f.yaml:1:1")],
    );
    assert_faults("cache:\n  ttl: {default: 1h, default: 2h}\n", &[("2:22", "keep one")]);
    assert_faults("- a\n", &[("1:1", "expected a mapping, found a list")]);
    assert_faults("text\n", &[("1:1", "expected a mapping, found a single value")]);
    assert_faults("{}\n---\n{}\n", &[("2:1", "a second document")]);
    assert_faults("cache: !env X\n", &[("1:13", "tag `!env` has no meaning")]);
    assert_faults("? [a]\n: b\n", &[("1:3", "a key that is no plain word")]);
    let deep = format!("a: {}{}", "[".repeat(80), "]".repeat(80));
    assert!(faults(&deep)[0].contains("nested more than 64 deep"));
    let bomb: String = (1..40).map(|n| format!("k{n}: &k{n} [*k{0}, *k{0}]\n", n - 1)).collect();
    assert!(faults(&format!("k0: &k0 [x]\n{bomb}"))[0].contains("more than 200000 values"));
}

#[test]
fn keys_and_types() {
    for (line, column, part) in [
        ("cache: {max_entrie: 1KB}", 9, "unknown key `max_entrie`; did you mean `max_entry`?"),
        ("cahce: {}", 1, "unknown key `cahce`; did you mean `cache`?"),
        // Keys of later issues do not exist.
        ("cache: {max_wrong_hits: 200%}", 25, "expected a share from 0% to 100%"),
        ("cache: {min_precision: most}", 24, "expected a share"),
        ("cache: {max_wrong_hits: 1 %%}", 25, "found `1 %%`; write `1%` or `0.01`"),
        ("cache: {min_precision: 101%}", 24, "expected a share from 0% to 100%"),
        ("cache: {min_precision: [95%]}", 24, "expected"),
        ("cache: {exploration: -1%}", 22, "expected a share from 0% to 100%"),
        ("cache: {exploration: off}", 22, "expected a share from 0% to 100%"),
        ("cache: {shadow: 1.5}", 17, "expected a share from 0% to 100%, found `1.5`; write `1%`"),
        ("cache: {shadow: some}", 17, "expected a share"),
        (
            "cache: {stale_while_revalidate: 30}",
            33,
            "found `30`; write whole numbers with ms, s, m",
        ),
        ("cache: {stale_while_revalidate: -1s}", 33, "write whole numbers with ms, s, m"),
        ("cache: {stale_if_error: soon}", 25, "found `soon`; write whole numbers with ms, s, m"),
        ("cache: {stale_if_error: off}", 25, "write whole numbers with ms, s, m"),
        ("cache: {refresh_ahead: 10m}", 24, "found `10m`; write true"),
        ("cache: {refresh_ahead: {}}", 24, "found a mapping"),
        ("cache: {refresh_ahed: true}", 9, "did you mean `refresh_ahead`?"),
        ("cache: {feedback_window: never}", 26, "write whole numbers with ms, s, m, h or d"),
        ("embedder: {engine: auto}", 12, "unknown key `engine`"),
        ("cache: {semantic: {engine: auto}}", 20, "unknown key `engine`"),
        ("cache: {enabled: yes}", 18, "expected true or false, found `yes`; write true or false"),
        ("cache: {enabled: \"true\"}", 18, "leave the quotes out"),
        ("cache: {mode: of}", 15, "expected one of enforce, observe"),
        ("cache: {max_temperature: warm}", 26, "expected a number"),
        ("cache: {max_temperature: .nan}", 26, "expected a number"),
        (
            "cache: {scope_fields: user}",
            23,
            "expected a list, found a single value; write `[a, b]`",
        ),
        ("cache: {ttl: 5}", 14, "expected a mapping"),
        ("cache: {ttl: {default: 24}}", 24, "write whole numbers with ms, s, m, h or d"),
        ("cache: {persistence: true}", 22, "expected a mapping"),
        ("cache: {persistence: {enable: true}}", 23, "did you mean `enabled`"),
        ("cache: {feedback_window: 24}", 26, "write whole numbers with ms, s, m, h or d"),
        ("cache: {max_entry: 1kb}", 20, "expected a size, found `1kb`"),
        ("server: {max_in_flight: 1.5}", 25, "expected a whole number, found `1.5`"),
        ("resilience: {retry_budget: 120%}", 28, "expected a share from 0% to 100%"),
        (
            "server: {listen: \"${NOT_SET}\"}",
            18,
            "NOT_SET is not set; set it, or write `${NOT_SET:-default}`",
        ),
        ("server: {listen: \"${NOT\"}", 18, "`${` without its `}`"),
    ] {
        assert_fault(line, column, part);
    }
}

#[test]
fn limits() {
    for (line, column, part) in [
        ("server: {listen: localhost}", 18, "`localhost` is no address with a port"),
        ("server: {listen: 127.0.0.1:8081}", 1, ""),
        ("server: {listen: 0.0.0.0:80}", 18, "there are no keys; add `keys:`"),
        ("server: {admin_token: short}", 23, "fewer than 32 characters; write at least 32"),
        ("server: {body_limit: 0B}", 22, "lets nothing through"),
        ("embedder: {model: bge}", 19, "write `all-MiniLM-L6-v2`, or `embedder: off`"),
        ("embedder: {max_tokens: 512}", 24, "512 is out of range; write 8 to 256"),
        ("embedder: {timeout: 0s}", 21, "at least `1ms`"),
        ("cache: {max_temperature: 2.5}", 26, "write 0 to 2"),
        ("cache: {semantic: {candidates: 0}}", 32, "write 1 to 1000"),
        ("cache: {semantic: {min_similarity: -2}}", 36, "write -1 to 1"),
        ("cache: {ignored_fields: [tools]}", 26, "only unknown fields can be ignored"),
        ("cache: {scope_fields: [a], ignored_fields: [a]}", 45, "one of the two lists"),
        ("cache: {rules: [{when: 'stream', then: {bypass: false}}]}", 49, "does nothing"),
        ("cache: {rules: [{when: 'stream', then: {}}]}", 40, "`{bypass: true}` and `{ttl: 1h}`"),
        ("cache: {rules: [{then: {ttl: 1h}}]}", 17, "`when` is missing"),
        ("cache: {rules: [{when: 'a b', then: {ttl: 1h}}]}", 24, "the expression is refused"),
        ("resilience: {attempts: 11}", 24, "write 1 to 10"),
        ("telemetry: {log: {level: loud}}", 26, "expected one of error, warn, info, debug, trace"),
        ("telemetry: {record: {keep: 1}}", 21, "`path` is missing"),
    ] {
        if part.is_empty() {
            assert_faults(&format!("{line}\n"), &[("1:18", "both planes listen on")]);
        } else {
            assert_fault(line, column, part);
        }
    }
}

#[test]
fn providers_and_models() {
    for (provider, column, part) in [
        ("{base_url: http://h}", 4, "`name` is missing"),
        ("{name: p}", 4, "`base_url` is missing"),
        ("{name: p, base_url: ftp://h}", 24, "neither http nor https"),
        ("{name: p, base_url: /v1}", 24, "no URL"),
        ("{name: p, base_url: 'http://h?a=b'}", 24, "a query"),
        ("{name: p, base_url: 'http://u:pw@h'}", 24, "belong in `api_keys`"),
        ("{name: p, base_url: http://h, api_keys: ['']}", 45, "an empty API key"),
        ("{name: p, base_url: http://h, dialect: anthropic}", 43, "expected one of openai"),
        ("{name: a/b, base_url: http://h}", 11, "`a/b` is no name for a provider"),
        ("{name: p, base_url: http://h, timeouts: {idle: 0s}}", 51, "lets nothing through"),
        ("{name: q, base_url: http://h}\n - {name: q, base_url: http://h}", 0, ""),
    ] {
        let text = format!("providers:\n - {provider}\n");
        if part.is_empty() {
            assert_faults(&text, &[("3:11", "two providers are named `q`")]);
        } else {
            assert_faults(&text, &[(&format!("2:{column}"), part)]);
        }
    }
    for (model, column, part) in [
        ("{name: m, provider: q, id: i}", 24, "there is no provider `q`; did you mean `p`?"),
        ("{name: m, provider: p}", 4, "`id` is missing"),
        ("{name: m, provider: p, id: i, price: {input: 1}}", 41, "`output` is missing"),
        ("{name: m, provider: p, id: i, price: {input: -1, output: 1}}", 49, "found `-1`"),
        ("{name: m, provider: p, id: i, price: {input: 0.0000001, output: 1}}", 49, "round it"),
        ("{name: m, provider: p, id: i, fallbacks: [m]}", 46, "its own fallback"),
        ("{name: m, provider: p, id: i, fallbacks: [n]}", 46, "there is no model `n`"),
        ("{name: m, provider: p, id: i, context: 0}", 43, "zero tokens"),
        ("{name: m, provider: p, id: [i]}", 31, "expected a single value, found a list"),
    ] {
        let text = format!("providers: [{{name: p, base_url: http://h}}]\nmodels:\n - {model}\n");
        assert_faults(&text, &[(&format!("3:{column}"), part)]);
    }
}

#[test]
fn a_judge_is_a_model_with_a_price() {
    assert_fault("cache: {judge: c}", 16, "there is no model `c`");
    assert_fault("cache: {judge: auto}", 16, "there is no model `auto`");
    assert_fault("cache: {judge: [a]}", 16, "expected");
    let free = "  - {name: free, provider: p, id: free}\n";
    let text = format!("{SMALL}cache: {{judge: null}}\n");
    let judged = |judge: &str| {
        let text = text.replacen("models:\n", &format!("models:\n{free}"), 1);
        load_text("f.yaml", &text.replace("null", judge), &env(), &[])
    };
    let judge = |settings: Settings| settings.cache.judge.map(|model| model.name.to_string());
    assert_eq!(judge(judged("null").unwrap().settings), None);
    assert_eq!(judge(judged("a").unwrap().settings).as_deref(), Some("a"));
    let faults = judged("free").unwrap_err().to_string();
    assert!(faults.contains("the price of `free` is not known"), "{faults}");
}

#[test]
fn tiers_routes_and_rules() {
    let start = SMALL.lines().take(5).collect::<Vec<_>>().join("\n");
    for (routing, place, part) in [
        ("tiers: [{name: s, models: [x]}]", "1:28", "there is no model `x`"),
        ("tiers: [{name: s}]", "1:9", "a tier without models"),
        ("tiers: [{name: s, models: [a, a]}]", "1:31", "stands twice"),
        (
            "tiers: [{name: s, models: [free]}]",
            "1:28",
            "the price of `free` is not known; write `price:",
        ),
        ("tiers: [{name: s, models: [a]}, {name: s, models: [b]}]", "1:40", "two tiers"),
        (
            "tiers: [{name: s, models: [a]}, {name: l, models: [b], min_adequacy: 1}]",
            "1:9",
            "no `min_adequacy` in route `auto`",
        ),
        ("baseline: x", "1:11", "there is no model `x`"),
        ("confidence: 1", "1:13", "neither 0 nor 1"),
        (
            "rules: [{when: 'stream', then: {tier: s}}]",
            "1:39",
            "there is no tier `s`; define the tier first",
        ),
        ("rules: [{when: 'stream', then: {tier: s, model: a}}]", "1:32", "one thing, not two"),
        ("routes: [{name: r, tiers: [s]}]", "1:28", "there is no tier `s`"),
        ("routes: [{name: r}]", "1:10", "a route without tiers"),
    ] {
        let models = format!("{start}\n  - {{name: free, provider: p, id: free}}\nrouting:\n");
        let text = format!("{models}  {}\n", routing.replace("; ", ";"));
        let (line, column) = place.split_once(':').unwrap();
        let line = models.lines().count() + line.parse::<usize>().unwrap();
        let column = column.parse::<usize>().unwrap() + 2;
        assert_faults(&text, &[(&format!("{line}:{column}"), part)]);
    }
    let routes = "routing:\n  tiers: [{name: s, models: [a]}, {name: l, models: [b]}]\n  routes:\n";
    for (route, column, part) in [
        ("{name: r, tiers: [l, s]}", 7, "not in the order of `routing.tiers`"),
        (
            "{name: r, tiers: [s, l], min_adequacy: {l: 1}}",
            14,
            "`s` has no `min_adequacy` in route `r`",
        ),
        ("{name: r, tiers: [s], min_adequacy: {l: 1}}", 44, "no tier of this route `l`"),
        ("{name: r, tiers: [s]}\n    - {name: r, tiers: [s]}", 0, "two routes are named `r`"),
    ] {
        let text = format!("{start}\n{routes}    - {route}\n");
        let line = start.lines().count() + 4;
        let place =
            if column == 0 { format!("{}:14", line + 1) } else { format!("{line}:{column}") };
        assert_faults(&text, &[(&place, part)]);
    }
}

#[test]
fn callers() {
    let hash = "sha256:".to_owned() + &"0".repeat(64);
    for (key, column, part) in [
        (format!("{{tenant: t, hash: '{hash}'}}"), 4, "`name` is missing"),
        (format!("{{name: k, hash: '{hash}'}}"), 4, "`tenant` is missing"),
        ("{name: k, tenant: t, hash: sg-secret}".to_owned(), 31, "`hash` is no SHA-256"),
        (
            format!("{{name: k, tenant: t, hash: '{hash}', models: [c]}}"),
            115,
            "there is no route, tier or model `c`",
        ),
        (
            format!("{{name: k, tenant: t, hash: '{hash}', tags: {{Team: a}}}}"),
            113,
            "write a-z, 0-9",
        ),
        (
            format!(
                "{{name: k, tenant: t, hash: '{hash}'}}\n - {{name: j, tenant: t, hash: '{hash}'}}"
            ),
            0,
            "two keys have this hash",
        ),
    ] {
        let text = format!("{SMALL}keys:\n - {key}\n");
        let line = SMALL.lines().count() + 2;
        let place =
            if column == 0 { format!("{}:31", line + 1) } else { format!("{line}:{column}") };
        assert_faults(&text, &[(&place, part)]);
        assert!(!faults(&text)[0].contains("sg-secret"));
    }
    let names = "[auto, tier/s, a, p/anything]";
    let good = format!("{SMALL}keys: [{{name: k, tenant: t, hash: '{hash}', models: {names}}}]\n");
    assert_eq!(parsed(&good).settings.keys[0].rights.models.as_ref().unwrap().len(), 4);
}

#[test]
fn every_fault_is_told_once_in_the_order_of_the_text() {
    let text = "
server: {listen: 0.0.0.0:80, lisen: 3, body_limit: [1]}
models:
  - {name: m, provider: p, id: {}, price: {input: a, output: b}}
routing:
  tiers: [{name: s, models: [m, n]}]
cache: {ttl: {default: 5, volatile: x}, max_temperature: 3}
keys: {a: b}
";
    assert_faults(
        text,
        &[
            ("2:30", "unknown key `lisen`"),
            ("2:52", "found a list"),
            ("4:25", "there is no provider `p`"),
            ("4:32", "found a mapping"),
            ("4:51", "found `a`"),
            ("4:62", "found `b`"),
            ("6:33", "there is no model `n`"),
            ("7:24", "found `5`"),
            ("7:37", "found `x`"),
            ("7:58", "3 is out of range"),
            ("8:7", "expected a list, found a mapping"),
        ],
    );
}

#[test]
fn secrets_are_in_no_fault() {
    for text in [
        "providers: [{name: p, base_url: http://h, api_keys: sk-secret}]",
        "providers: [{name: p, base_url: http://h, api_keys: {a: sk-secret}}]",
        "providers: [{name: p, base_url: http://h, api_keys: [[sk-secret]]}]",
        "providers: [{name: p, base_url: http://h, api_keys: ['sk-secret x']}]",
        "providers: [{name: p, base_url: 'http://u:sk-secret@h'}]",
        "server: {admin_token: sk-secret}",
        "server: {admin_token: '${A-sk-secret}'}",
        "server: {body_limit: \"${OPENAI_API_KEY}\"}",
    ] {
        let found = faults(text).join("\n");
        assert!(!found.contains("secret") && !found.contains("key-of"), "{found}");
    }
}
