//! The written prompts: everyday requests of our own, each with the level that a sensible person
//! would give it. Recorded outcomes are exam questions, so that nothing in them says what `Hello!`
//! asks for. The levels are our judgement; nobody measured them.
//!
//! The file holds one JSON object a line: `kind` (what sort of request), `level` (`small`, `mid` or
//! `frontier`: the cheapest class that will do), `prompt`, and `text` where the prompt quotes a text
//! that others quote too.

use serde::Deserialize;

use crate::route::HEADS;

/// What a person says a prompt needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    Small,
    Mid,
    Frontier,
}

impl Level {
    /// P(adequate) of a small, a mid and a frontier model on such a prompt.
    pub fn quality(self) -> [f64; HEADS] {
        match self {
            Self::Small => [0.95, 0.97, 0.98],
            Self::Mid => [0.60, 0.93, 0.97],
            Self::Frontier => [0.25, 0.60, 0.93],
        }
    }

    /// Its place among the tier classes.
    pub fn class(self) -> usize {
        self as usize
    }
}

/// A written prompt.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Written {
    pub kind: String,
    pub level: Level,
    pub prompt: String,
    #[serde(default)]
    pub text: Option<String>,
}

impl Written {
    /// Prompts of one unit are never on both sides of a split: they quote the same text.
    pub fn unit(&self) -> &str {
        self.text.as_deref().unwrap_or(&self.prompt)
    }
}

/// Reads the file's lines.
///
/// # Errors
/// The line that cannot be read, and why.
pub fn parse(lines: &str) -> Result<Vec<Written>, String> {
    let line = |(number, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|fault| format!("line {}: {fault}", number + 1))
    };
    lines.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).map(line).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_shipped_prompts_are_varied_and_told_apart() {
        let lines = include_str!("../../../models/router-prompts.jsonl");
        let prompts = parse(lines).expect("lines of JSON");
        let plain = |prompt: &Written| -> String {
            prompt.prompt.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect()
        };
        let distinct: HashSet<String> = prompts.iter().map(plain).collect();
        assert_eq!(distinct.len(), prompts.len());
        let kinds: HashSet<&str> = prompts.iter().map(|prompt| &*prompt.kind).collect();
        assert!(kinds.len() >= 40, "{} kinds", kinds.len());
        for level in [Level::Small, Level::Mid, Level::Frontier] {
            let of_level = || prompts.iter().filter(|prompt| prompt.level == level);
            assert!(
                of_level().filter(|prompt| prompt.prompt.len() < 80).count() >= 40,
                "{level:?}"
            );
            assert!(
                of_level().filter(|prompt| prompt.prompt.len() > 350).count() >= 20,
                "{level:?}"
            );
        }
    }

    #[test]
    fn a_line_at_fault_is_named() {
        let good = r#"{"kind":"fact","level":"small","prompt":"When?"}"#;
        assert_eq!(parse(&format!("{good}\n\n{good}")).map(|prompts| prompts.len()), Ok(2));
        let fault = parse(&format!("{good}\n{{\"kind\":1}}")).unwrap_err();
        assert!(fault.starts_with("line 2:"), "{fault}");
        let unit = parse(good).expect("a line").remove(0);
        assert_eq!(unit.unit(), "When?");
    }
}
