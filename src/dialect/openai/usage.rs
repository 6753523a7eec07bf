//! Token counts: read from what a provider reports, or estimated where it reports nothing.

use serde_json::Value;

use super::ChatRequest;
use crate::dialect::Usage;

/// Characters of model output per token, for an estimate: English text has about four.
const CHARS_PER_TOKEN: usize = 4;

/// Reads a `usage` object; `None` when it is none or counts nothing.
///
/// Cached tokens stand in `prompt_tokens_details.cached_tokens`, else in DeepSeek's
/// `prompt_cache_hit_tokens`, else in Mistral's `num_cached_tokens`, else in `cached_tokens`. Some
/// providers (xAI) leave reasoning out of `completion_tokens` and add it to the total only; it is
/// added here, so that `completion_tokens` is always what is billed as output. Likewise a prompt
/// smaller than its cached part leaves that part out (Claude behind Azure), and gets it added.
pub fn read_usage(usage: &Value) -> Option<Usage> {
    let prompt = count(usage, "prompt_tokens").or_else(|| count(usage, "input_tokens"));
    let completion = count(usage, "completion_tokens").or_else(|| count(usage, "output_tokens"));
    if prompt.is_none() && completion.is_none() {
        return None;
    }
    let mut prompt_tokens = prompt.unwrap_or(0);
    let mut completion_tokens = completion.unwrap_or(0);
    let reasoning_tokens = usage
        .get("completion_tokens_details")
        .and_then(|details| count(details, "reasoning_tokens"))
        .or_else(|| count(usage, "reasoning_tokens"))
        .unwrap_or(0);
    let sum = prompt_tokens.saturating_add(completion_tokens).saturating_add(reasoning_tokens);
    if reasoning_tokens > 0 && count(usage, "total_tokens") == Some(sum) {
        completion_tokens = completion_tokens.saturating_add(reasoning_tokens);
    }
    let cached_tokens = usage
        .get("prompt_tokens_details")
        .and_then(|details| count(details, "cached_tokens"))
        .or_else(|| count(usage, "prompt_cache_hit_tokens"))
        .or_else(|| count(usage, "num_cached_tokens"))
        .or_else(|| count(usage, "cached_tokens"))
        .unwrap_or(0);
    if cached_tokens > prompt_tokens {
        prompt_tokens = prompt_tokens.saturating_add(cached_tokens);
    }
    Some(Usage {
        prompt_tokens,
        completion_tokens,
        cached_tokens,
        reasoning_tokens,
        estimated: false,
    })
}

/// Tokens of an answer whose provider did not count them: the request's own estimate, and a token
/// for every four characters of output begun. Marked as estimated.
pub fn estimate_usage(request: &ChatRequest, output_chars: usize) -> Usage {
    Usage {
        prompt_tokens: request.facts.prompt_tokens,
        completion_tokens: output_chars.div_ceil(CHARS_PER_TOKEN) as u64,
        estimated: true,
        ..Usage::default()
    }
}

/// A count, also where a provider writes it as a float.
fn count(object: &Value, member: &str) -> Option<u64> {
    let number = object.get(member)?;
    number.as_u64().or_else(|| {
        let float = number.as_f64()?;
        // `as` saturates, so that absurd figures stay figures.
        (float >= 0.0).then_some(float as u64)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn cached_tokens_are_found_under_each_vendors_name() {
        let openai = json!({"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11,
            "prompt_tokens_details": {"cached_tokens": 4},
            "completion_tokens_details": {"reasoning_tokens": 1}});
        let expected = Usage {
            prompt_tokens: 9,
            completion_tokens: 2,
            cached_tokens: 4,
            reasoning_tokens: 1,
            estimated: false,
        };
        assert_eq!(read_usage(&openai), Some(expected));
        for name in ["prompt_cache_hit_tokens", "num_cached_tokens", "cached_tokens"] {
            let other = json!({"prompt_tokens": 9, "completion_tokens": 2, name: 4,
                "completion_tokens_details": {"reasoning_tokens": 1}});
            assert_eq!(read_usage(&other), Some(expected), "{name}");
        }
    }

    #[test]
    fn reasoning_outside_the_completion_is_added() {
        let xai = json!({"prompt_tokens": 10, "completion_tokens": 3, "total_tokens": 113,
            "completion_tokens_details": {"reasoning_tokens": 100}});
        assert_eq!(read_usage(&xai).expect("usage").completion_tokens, 103);
    }

    #[test]
    fn cached_tokens_outside_the_prompt_are_added() {
        let claude = json!({"prompt_tokens": 7, "completion_tokens": 1, "total_tokens": 8,
            "prompt_tokens_details": {"cached_tokens": 161}});
        let read = read_usage(&claude).expect("usage");
        assert_eq!((read.prompt_tokens, read.cached_tokens), (168, 161));
    }

    #[test]
    fn odd_types_are_not_fatal() {
        for odd in [json!(null), json!([]), json!({}), json!({"prompt_tokens": "7"}), json!(3)] {
            assert_eq!(read_usage(&odd), None, "{odd}");
        }
        let odd = json!({"prompt_tokens": 7.0, "completion_tokens": null,
            "prompt_tokens_details": null, "completion_tokens_details": []});
        let read = read_usage(&odd).expect("usage");
        assert_eq!((read.prompt_tokens, read.completion_tokens), (7, 0));
        let negative = json!({"prompt_tokens": -7, "completion_tokens": 1e300});
        let read = read_usage(&negative).expect("usage");
        assert_eq!((read.prompt_tokens, read.completion_tokens), (0, u64::MAX));
    }
}
