//! Cases: requests with the tiers that a person would accept, decided as a live request is: policy,
//! signals, plan. Pure; embedding is the caller's.
//!
//! One JSON object a line:
//!
//! | member | meaning |
//! | --- | --- |
//! | `prompt` | what the user says |
//! | `system` | a system message before it; may be absent or null |
//! | `tiers` | names of the tiers that are right; absent if `not` is there |
//! | `not` | the one tier that is wrong |
//!
//! Other members are ignored. Tiers are those of the configuration by name, so that a file for
//! `small`, `mid` and `frontier` needs tiers of these names.

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::access::Caller;
use crate::config::Settings;
use crate::dialect::openai::ChatRequest;
use crate::error::GatewayError;
use crate::policy::{RequestHeaders, resolve};
use crate::route::{Signals, decide};

/// A request and what is right for it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Case {
    pub prompt: String,
    #[serde(default)]
    pub system: Option<String>,
    #[serde(default)]
    pub tiers: Vec<String>,
    #[serde(default)]
    pub not: Option<String>,
}

/// How the cases went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    pub right: usize,
    pub of: usize,
    pub failed: Vec<Failed>,
}

/// A case that went to a wrong tier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failed {
    /// Its place in the file, from 0.
    pub place: usize,
    pub prompt: String,
    /// Where it went; `None` where the plan has no tier.
    pub tier: Option<String>,
}

/// Reads the lines of a file.
///
/// # Errors
/// The line that cannot be read, or says nothing of tiers.
pub fn parse(lines: &str) -> Result<Vec<Case>, String> {
    let line = |(number, line): (usize, &str)| {
        let fault = |why: String| format!("line {}: {why}", number + 1);
        let case: Case = serde_json::from_str(line).map_err(|error| fault(error.to_string()))?;
        if case.tiers.is_empty() == case.not.is_none() {
            return Err(fault("exactly one of `tiers` and `not` is wanted".to_owned()));
        }
        Ok(case)
    };
    lines.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).map(line).collect()
}

impl Case {
    /// The request that a client would send to `model`.
    ///
    /// # Errors
    /// As [`ChatRequest::decode`].
    pub fn request(&self, model: &str) -> Result<ChatRequest, GatewayError> {
        let system = self.system.iter().map(|text| json!({"role": "system", "content": text}));
        let user = json!({"role": "user", "content": self.prompt});
        let messages: Vec<_> = system.chain([user]).collect();
        ChatRequest::decode(json!({"model": model, "messages": messages}).to_string().into())
    }

    fn accepts(&self, tier: Option<&str>) -> bool {
        match &self.not {
            Some(wrong) => tier.is_some_and(|tier| tier != wrong),
            None => tier.is_some_and(|tier| self.tiers.iter().any(|right| right == tier)),
        }
    }
}

/// Decides every case under the settings, asked of `auto` by an anonymous caller; `signals` is what
/// the classifier says about a request.
///
/// # Errors
/// The place of a case that cannot be decoded, resolved or planned, and why.
pub fn run(
    cases: &[Case],
    settings: &Settings,
    mut signals: impl FnMut(&ChatRequest) -> Option<Signals>,
) -> Result<Outcome, (usize, GatewayError)> {
    let caller = Caller::anonymous();
    let headers = RequestHeaders::default();
    let mut decide_one = |case: &Case| -> Result<Option<String>, GatewayError> {
        let request = case.request("auto")?;
        let policy = resolve(settings, &caller, &request, &headers, NOON)?;
        let decision = decide(&policy, &request, settings, signals(&request).as_ref())?;
        Ok(decision.tier.map(|tier| tier.to_string()))
    };
    let mut failed = Vec::new();
    for (place, case) in cases.iter().enumerate() {
        let tier = decide_one(case).map_err(|error| (place, error))?;
        if !case.accepts(tier.as_deref()) {
            failed.push(Failed { place, prompt: case.prompt.clone(), tier });
        }
    }
    Ok(Outcome { right: cases.len() - failed.len(), of: cases.len(), failed })
}

/// The hour that rules see.
const NOON: u8 = 12;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Env};
    use crate::route::Features;
    use crate::route::learn::Learnt;

    fn settings() -> Settings {
        let text = include_str!("../../../config/examples/demo.yaml");
        let loaded = config::load_text("demo.yaml", text, &Env::of([("UNUSED", "")]), &[]);
        loaded.unwrap_or_else(|faults| panic!("{faults}")).settings
    }

    #[test]
    fn cases_are_decided_as_requests_are() {
        let lines = r#"{"prompt": "Hi", "tiers": ["small"]}
            {"prompt": "Hmm", "system": "Be brief.", "tiers": ["mid", "frontier"], "id": 7}

            {"prompt": "Prove it", "not": "small"}
            {"prompt": "Hello", "not": "small", "system": null}"#;
        let cases = parse(lines).expect("four cases");
        let mut systems = 0;
        let outcome = run(&cases, &settings(), |request| {
            systems += usize::from(request.messages().len() == 2);
            let hard = request.prompt.starts_with("Prove");
            let adequacy = if hard { [0.1, 0.2, 0.9] } else { [0.97, 0.98, 0.99] };
            let features = Features::of(request);
            Some(Signals { adequacy, doubt: [0.0; 3], features, learnt: Learnt::default() })
        });
        let outcome = outcome.expect("all can be decided");
        assert_eq!((outcome.right, outcome.of, systems), (2, 4, 1));
        let places: Vec<usize> = outcome.failed.iter().map(|failed| failed.place).collect();
        assert_eq!(places, [1, 3]);
        assert_eq!(outcome.failed[0].tier.as_deref(), Some("small"));
        let without = run(&cases[2..3], &settings(), |_| None).expect("the last tier");
        assert_eq!(without.right, 1);
    }

    #[test]
    fn a_line_that_says_nothing_or_too_much_is_refused() {
        let both = r#"{"prompt": "Hi", "tiers": ["small"], "not": "mid"}"#;
        assert!(parse(both).unwrap_err().starts_with("line 1: exactly one"));
        assert!(parse(r#"{"prompt": "Hi"}"#).is_err());
        assert!(parse("{").is_err());
    }
}
