use super::*;

#[test]
fn bypasses_have_their_reason() {
    for (member, reason) in [
        (r#""n":2"#, BypassReason::N),
        (r#""logprobs":true"#, BypassReason::Logprobs),
        (r#""top_logprobs":3"#, BypassReason::Logprobs),
        (r#""modalities":["text","audio"]"#, BypassReason::Modality),
        (r#""audio":{"voice":"a"}"#, BypassReason::Modality),
        (r#""web_search_options":{}"#, BypassReason::WebSearch),
        (r#""store":true"#, BypassReason::Store),
        (r#""temperature":1.1"#, BypassReason::Temperature),
    ] {
        assert_eq!(lookup(&with(member)), Lookup::Bypass(reason), "{member}");
    }
    let today = with("").replace("How do magnets work?", "What is the weather today?");
    assert_eq!(lookup(&today), Lookup::Bypass(BypassReason::Volatile));
}

#[test]
fn configuration_and_policy_can_rule_the_cache_out() {
    let request = decode(&with(""));
    let volatile = decode(&with("").replace("How do magnets work?", "weather today"));
    let someone = caller("acme", None);
    let reason = |change: &dyn Fn(&mut Cache, &mut Policy), request: &ChatRequest| {
        let (mut settings, mut policy) = (cache_settings(), policy(auto()));
        change(&mut settings, &mut policy);
        match identify(request, &someone, &policy, &settings) {
            Lookup::Bypass(reason) => Some(reason),
            Lookup::Keyed(_) => None,
        }
    };
    let ttl = |seconds| Some(CacheEffect::Ttl(Duration::from_secs(seconds)));
    use BypassReason::{Disabled, Rule, Temperature, Volatile};
    assert_eq!(reason(&|_, _| {}, &request), None);
    assert_eq!(reason(&|cache, _| cache.enabled = false, &request), Some(Disabled));
    assert_eq!(
        reason(
            &|cache, _| {
                cache.exact.enabled = false;
                cache.semantic.enabled = false;
            },
            &request
        ),
        Some(Disabled)
    );
    assert_eq!(reason(&|cache, _| cache.exact.enabled = false, &request), None);
    assert_eq!(reason(&|_, policy| policy.cache_allowed = false, &request), Some(Rule));
    assert_eq!(
        reason(&|_, policy| policy.cache_effect = Some(CacheEffect::Bypass), &request),
        Some(Rule)
    );
    assert_eq!(reason(&|_, policy| policy.cache_effect = ttl(0), &request), Some(Rule));
    assert_eq!(reason(&|_, policy| policy.cache_effect = ttl(5), &volatile), None);
    assert_eq!(reason(&|cache, _| cache.ttl.volatile = Duration::from_secs(9), &volatile), None);
    assert_eq!(reason(&|cache, _| cache.ttl.default = Duration::ZERO, &request), Some(Volatile));
    // A request that names no temperature has 1.0.
    assert_eq!(reason(&|cache, _| cache.max_temperature = 0.5, &request), Some(Temperature));
}

#[test]
fn a_model_that_searches_the_web_is_volatile() {
    let mut live = (*model("live")).clone();
    live.web_search = true;
    let choice = Choice::Named { model: Arc::new(live), fallbacks: Vec::new(), by: ForcedBy::Name };
    let lookup =
        identify(&decode(&with("")), &caller("acme", None), &policy(choice), &cache_settings());
    assert_eq!(lookup, Lookup::Bypass(BypassReason::Volatile));
}

#[test]
fn what_the_texts_do_not_tell_is_for_the_exact_level_only() {
    let mut request = decode(&with(""));
    for (last, expected) in [
        (LastMessage::UserText, None),
        (LastMessage::UserImage, Some(MissDetail::Image)),
        (LastMessage::UserFile, Some(MissDetail::File)),
        (LastMessage::UserAudio, Some(MissDetail::File)),
        (LastMessage::ToolResult, Some(MissDetail::ToolResult)),
        (LastMessage::Prefill, Some(MissDetail::Prefill)),
    ] {
        request.last = last;
        let lookup = identify(&request, &caller("acme", None), &policy(auto()), &cache_settings());
        assert_eq!(keyed(lookup).exact_only, expected);
    }
    assert_eq!(key(&with(r#""seed":0"#)).exact_only, Some(MissDetail::Seed));
}
