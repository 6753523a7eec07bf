//! The surface features of a request: ninety numbers that need no model, each with a name and
//! a sentence. One static table; a new feature is one entry. Counting is `scan`'s, judging is
//! `heads`'.
//!
//! Counts enter as ln(1 + n), shares as fractions, marks as 0 or 1, so that a linear head can use
//! them as they are. The names are part of the weights' format: renaming, adding or moving one asks
//! for a new fit.

use serde_json::Value;

use super::lexicon::Group;
use super::scan::Scan;
use super::task::Task;
use crate::dialect::openai::ChatRequest;

/// One surface feature.
#[derive(Debug)]
pub struct Feature {
    /// Stable: weights, records and `explain` refer to it.
    pub name: &'static str,
    /// What it measures.
    pub doc: &'static str,
    get: fn(&Source) -> f32,
}

/// What the features are computed from.
struct Source {
    scan: Scan,
    task: Task,
    around: Around,
}

/// What a request says beside its last user text.
#[derive(Debug, Clone, Copy, Default)]
struct Around {
    /// Estimated tokens of everything but the last user text.
    context_tokens: f32,
    turns: f32,
    messages: f32,
    tools: f32,
    has_image: bool,
    wants_json: bool,
    wants_json_schema: bool,
    has_system: bool,
    max_output: f32,
}

/// The surface features of one request, in the order of [`FEATURES`].
#[derive(Debug, Clone, PartialEq)]
pub struct Features {
    values: [f32; FEATURES.len()],
}

impl Features {
    /// Of a decoded request. O(n) in the last user text, which is read up to
    /// [`super::scan::MAX_CHARS`] characters.
    pub fn of(request: &ChatRequest) -> Self {
        let (scan, task) = (Scan::of(&request.prompt), Task::of(&request.prompt));
        Self::from_source(&Source { scan, task, around: Around::of(request) })
    }

    /// Of a bare prompt: one user message and nothing else. Training rows are of this kind.
    pub fn of_text(prompt: &str) -> Self {
        let around = Around { turns: 1.0, messages: 1.0, ..Around::default() };
        Self::from_source(&Source { scan: Scan::of(prompt), task: Task::of(prompt), around })
    }

    fn from_source(source: &Source) -> Self {
        let mut values = [0.0; FEATURES.len()];
        for (value, feature) in values.iter_mut().zip(&FEATURES) {
            *value = (feature.get)(source);
        }
        Self { values }
    }

    /// The numbers, in the order of [`FEATURES`]; all finite.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// Name and value of each.
    pub fn named(&self) -> Vec<(&'static str, f32)> {
        FEATURES.iter().map(|feature| feature.name).zip(self.values).collect()
    }
}

impl Around {
    fn of(request: &ChatRequest) -> Self {
        let facts = &request.facts;
        let list = |name: &str| request.body.get(name).and_then(Value::as_array);
        let messages = list("messages").map_or(&[][..], Vec::as_slice);
        let is_system = |message: &Value| {
            matches!(message.get("role").and_then(Value::as_str), Some("system" | "developer"))
        };
        // The estimate for the last text alone is the usual four characters a token; what remains
        // is the history, the system text and the tools.
        let own = (facts.prompt_chars / 4) as u64;
        Self {
            context_tokens: facts.prompt_tokens.saturating_sub(own) as f32,
            turns: facts.turns as f32,
            messages: messages.len() as f32,
            tools: list("tools").or_else(|| list("functions")).map_or(0, Vec::len) as f32,
            has_image: facts.has_image,
            wants_json: facts.wants_json,
            wants_json_schema: facts.wants_json_schema,
            has_system: messages.first().is_some_and(is_system),
            max_output: request.max_output.unwrap_or(0) as f32,
        }
    }
}

fn log(count: usize) -> f32 {
    (count as f32).ln_1p()
}

fn share(part: usize, whole: usize) -> f32 {
    if whole == 0 { 0.0 } else { part as f32 / whole as f32 }
}

fn mark(holds: bool) -> f32 {
    f32::from(u8::from(holds))
}

/// Share of the words that belong to the group.
fn group(source: &Source, group: Group) -> f32 {
    share(source.scan.group(group), source.scan.words)
}

/// One entry of the table.
const fn feature(name: &'static str, doc: &'static str, get: fn(&Source) -> f32) -> Feature {
    Feature { name, doc, get }
}

/// Every surface feature, in the order of the weights.
#[rustfmt::skip]
pub static FEATURES: [Feature; 90] = [
    // Size and shape of the text.
    feature("chars", "characters of the last user text, log", |s| log(s.scan.chars)),
    feature("words", "words, log", |s| log(s.scan.words)),
    feature("sentences", "sentences, log", |s| log(s.scan.sentences)),
    feature("lines", "lines, log", |s| log(s.scan.lines)),
    feature("paragraphs", "blocks separated by blank lines, log", |s| log(s.scan.paragraphs)),
    feature("words_per_sentence", "mean words of a sentence, log", |s| share(s.scan.words, s.scan.sentences).ln_1p()),
    feature("letters_per_word", "mean letters of a word", |s| share(s.scan.word_chars, s.scan.words).min(20.0)),
    feature("longest_word", "letters of the longest word, log", |s| log(s.scan.longest_word)),
    feature("longest_line", "characters of the longest line, log", |s| log(s.scan.longest_line)),
    feature("long_words", "share of words with eight letters or more", |s| share(s.scan.long_words, s.scan.words)),
    feature("distinct_words", "share of words that differ from the others", |s| share(s.scan.distinct_words, s.scan.words)),
    feature("space_share", "share of white space", |s| share(s.scan.spaces, s.scan.chars)),
    feature("letter_share", "share of letters", |s| share(s.scan.letters, s.scan.chars)),
    feature("upper_share", "share of capitals among letters", |s| share(s.scan.upper, s.scan.letters)),
    // Punctuation.
    feature("questions", "question marks, log", |s| log(s.scan.questions)),
    feature("ends_with_question", "the text ends with a question mark", |s| mark(s.scan.ends_with_question)),
    feature("ends_with_colon", "the text ends with a colon, as fill-in forms do", |s| mark(s.scan.ends_with_colon)),
    feature("exclamations", "exclamation marks, log", |s| log(s.scan.exclamations)),
    feature("commas", "commas per word", |s| share(s.scan.commas, s.scan.words).min(1.0)),
    feature("colons", "colons, log", |s| log(s.scan.colons)),
    feature("semicolons", "semicolons, log", |s| log(s.scan.semicolons)),
    feature("quotes", "quotation marks, log", |s| log(s.scan.quotes)),
    feature("parentheses", "parentheses, log", |s| log(s.scan.parentheses)),
    feature("brackets", "square brackets, log", |s| log(s.scan.brackets)),
    feature("braces", "curly braces, log", |s| log(s.scan.braces)),
    feature("pipes", "vertical bars (tables), log", |s| log(s.scan.pipes)),
    feature("hashes", "hash signs (headings, comments), log", |s| log(s.scan.hashes)),
    feature("blanks", "gaps to fill in (three underscores), log", |s| log(s.scan.blanks)),
    feature("links", "addresses with a scheme, log", |s| log(s.scan.links)),
    // Structure.
    feature("options", "answer options such as `A.` or `(B)`, log", |s| log(s.scan.options)),
    feature("bullets", "lines that open a list item, log", |s| log(s.scan.bullet_lines)),
    feature("indented_lines", "share of indented lines", |s| share(s.scan.indented_lines, s.scan.lines)),
    // Numbers and mathematics.
    feature("digit_share", "share of digits", |s| share(s.scan.digits, s.scan.chars)),
    feature("numbers", "numbers, log", |s| log(s.scan.numbers)),
    feature("longest_number", "digits of the longest number, log", |s| log(s.scan.longest_number)),
    feature("operators", "arithmetic and comparison signs per character", |s| share(s.scan.operators, s.scan.chars)),
    feature("math_symbols", "mathematical symbols and Greek letters, log", |s| log(s.scan.math_symbols)),
    feature("latex", "LaTeX commands, log", |s| log(s.scan.latex_commands)),
    feature("dollars", "dollar signs (LaTeX or money), log", |s| log(s.scan.dollars)),
    feature("carets", "carets (powers), log", |s| log(s.scan.carets)),
    feature("money", "per cent signs and other currencies, log", |s| log(s.scan.currency + s.scan.percents)),
    // Source code.
    feature("backticks", "backticks, log", |s| log(s.scan.backticks)),
    feature("code_marks", "two-character marks of source code, log", |s| log(s.scan.code_pairs)),
    feature("identifiers", "underscores and camelCase words, log", |s| log(s.scan.underscores + s.scan.camel_words)),
    // Language.
    feature("accented", "share of accented Latin letters", |s| share(s.scan.accented, s.scan.letters)),
    feature("cjk", "share of Chinese, Japanese and Korean letters", |s| share(s.scan.cjk, s.scan.letters)),
    feature("other_script", "share of letters of other scripts", |s| share(s.scan.other_script, s.scan.letters)),
    feature("common_words", "share of frequent English words", |s| group(s, Group::Common)),
    // What is asked.
    feature("asks", "share of words such as who, what, when", |s| group(s, Group::Asks)),
    feature("explains", "share of words such as why, how, explain", |s| group(s, Group::Explains)),
    feature("proves", "share of words such as prove, derive, theorem", |s| group(s, Group::Proves)),
    feature("computes", "share of words such as calculate, solve", |s| group(s, Group::Computes)),
    feature("writes", "share of words such as write, generate, story", |s| group(s, Group::Writes)),
    feature("designs", "share of words such as design, optimise, concurrent", |s| group(s, Group::Designs)),
    feature("weighs", "share of words such as compare, analyse", |s| group(s, Group::Weighs)),
    feature("transforms", "share of words such as translate, summarise", |s| group(s, Group::Transforms)),
    feature("codes", "share of words of software", |s| group(s, Group::Codes)),
    feature("constrains", "share of words such as must, exactly, without", |s| group(s, Group::Constrains)),
    feature("negates", "share of words such as not, except, never", |s| group(s, Group::Negates)),
    feature("reasons", "share of words such as if, suppose, therefore", |s| group(s, Group::Reasons)),
    feature("counts", "share of words such as each, total, twice", |s| group(s, Group::Counts)),
    feature("maths", "share of words such as equation, integer", |s| group(s, Group::Maths)),
    feature("greets", "share of words such as hello, please, you", |s| group(s, Group::Greets)),
    feature("opens_with_order", "the first word is an instruction: write, compute, translate", |s| mark(opens_with_order(&s.scan))),
    feature("opens_with_question", "the first word is a question word", |s| mark(matches!(s.scan.first, Some(Group::Asks | Group::Explains)))),
    // What is asked, by the opening and the closing sentence.
    feature("task_chars", "characters of the opening and the closing sentence, log", |s| log(s.task.chars())),
    feature("material", "characters beside these, log: what is pasted, or told", |s| log(s.scan.chars.saturating_sub(s.task.chars()))),
    feature("material_share", "share of the text beside these", |s| share(s.scan.chars.saturating_sub(s.task.chars()), s.scan.chars)),
    feature("task_asks", "question words in these, log", |s| log(s.task.group(Group::Asks))),
    feature("task_explains", "words such as why, explain in these, log", |s| log(s.task.group(Group::Explains))),
    feature("task_proves", "words such as prove, derive in these, log", |s| log(s.task.group(Group::Proves))),
    feature("task_computes", "words such as calculate, find in these, log", |s| log(s.task.group(Group::Computes))),
    feature("task_writes", "words such as write, draft in these, log", |s| log(s.task.group(Group::Writes))),
    feature("task_designs", "words such as design, sharded in these, log", |s| log(s.task.group(Group::Designs))),
    feature("task_weighs", "words such as compare, argue in these, log", |s| log(s.task.group(Group::Weighs))),
    feature("task_transforms", "words such as translate, sort, shorten in these, log", |s| log(s.task.group(Group::Transforms))),
    feature("task_codes", "words of software in these, log", |s| log(s.task.group(Group::Codes))),
    feature("task_constrains", "words such as must, exactly in these, log", |s| log(s.task.group(Group::Constrains))),
    feature("task_reasons", "words such as step, suppose, if in these, log", |s| log(s.task.group(Group::Reasons))),
    feature("simple_task", "these ask for a fact or a change of the text, and for nothing harder", |s| mark(is_simple(&s.task))),
    feature("closes_with_question", "the closing sentence of several asks", |s| mark(s.task.closes_with_question())),
    // The request around the text. Public training rows have none of these, so the shipped heads
    // give them no weight; they are here for what is learnt from traffic, and for the record.
    feature("context_tokens", "estimated tokens beside the last user text, log", |s| s.around.context_tokens.ln_1p()),
    feature("turns", "user messages, log", |s| s.around.turns.ln_1p()),
    feature("messages", "messages of any role, log", |s| s.around.messages.ln_1p()),
    feature("has_system", "a system or developer message leads", |s| mark(s.around.has_system)),
    feature("tools", "tools offered, log", |s| s.around.tools.ln_1p()),
    feature("has_image", "an image in any message", |s| mark(s.around.has_image)),
    feature("wants_json", "JSON output is asked for", |s| mark(s.around.wants_json)),
    feature("wants_json_schema", "output by a JSON schema is asked for", |s| mark(s.around.wants_json_schema)),
    feature("max_output", "the caller's output limit in tokens, log; 0 without", |s| s.around.max_output.ln_1p()),
];

fn opens_with_order(scan: &Scan) -> bool {
    use Group::{Computes, Designs, Proves, Transforms, Weighs, Writes};
    matches!(scan.first, Some(Computes | Designs | Proves | Transforms | Weighs | Writes))
}

/// A fact or an edit, without a word that asks for more.
fn is_simple(task: &Task) -> bool {
    use Group::{Asks, Codes, Computes, Designs, Explains, Maths, Proves, Transforms, Weighs};
    let has = |group| task.group(group) > 0;
    (has(Asks) || has(Transforms))
        && ![Codes, Computes, Designs, Explains, Maths, Proves, Weighs].into_iter().any(has)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use bytes::Bytes;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::dialect::openai::request::{Facts, LastMessage};
    use crate::route::scan::MAX_CHARS;

    fn value(text: &str, name: &str) -> f32 {
        let named = Features::of_text(text).named();
        named.into_iter().find(|(other, _)| *other == name).expect("a feature of that name").1
    }

    #[test]
    fn names_are_unique_and_documented() {
        let names: HashSet<_> = FEATURES.iter().map(|feature| feature.name).collect();
        assert_eq!(names.len(), FEATURES.len());
        assert!(FEATURES.iter().all(|feature| !feature.doc.is_empty()));
    }

    #[test]
    fn counts_what_the_names_say() {
        let question = "Which gas do plants take in?\nA. Oxygen\nB. Carbon dioxide\n(C) Neon";
        assert_eq!(value(question, "options"), log(3));
        assert_eq!(value(question, "lines"), log(4));
        assert_eq!(value(question, "opens_with_question"), 1.0);
        assert_eq!(value("Is it? ", "ends_with_question"), 1.0);
        let formula = "Solve $\\frac{x^2}{3} \\le 12$ for x, where 345 ≥ π.";
        assert_eq!(value(formula, "latex"), log(2));
        assert_eq!(value(formula, "math_symbols"), log(2));
        assert_eq!(value(formula, "longest_number"), log(3));
        assert_eq!(value(formula, "opens_with_order"), 1.0);
        let code = "fn main() {\n    let my_value = readLine();\n}";
        assert_eq!(value(code, "identifiers"), log(2));
        assert!(value(code, "code_marks") > log(2));
        assert_eq!(value(code, "indented_lines"), 1.0 / 3.0);
        assert_eq!(value("你好", "cjk"), 1.0);
        assert_eq!(value("Fill in: He ____ home and ___ slept.", "blanks"), log(2));
        assert_eq!(value("the cat and the dog", "distinct_words"), 0.8);
        assert_eq!(value("One. Two! Three", "sentences"), log(3));
    }

    #[test]
    fn the_asked_task_is_told_from_its_material() {
        let page = "We prove it and design the rest. ".repeat(20);
        let edit = format!(
            "Translate this into French, please:\n\n{page}\n\nWith kind regards, Ada Brunn"
        );
        assert_eq!(value(&edit, "task_transforms"), log(1));
        assert_eq!(value(&edit, "task_proves"), 0.0);
        assert!(value(&edit, "proves") > 0.0);
        assert_eq!(value(&edit, "simple_task"), 1.0);
        assert!(value(&edit, "material_share") > 0.8);
        assert_eq!(value("Übersetze das bitte ins Englische.", "task_transforms"), log(1));
        assert_eq!(value("Which proof is shorter? Compare them.", "simple_task"), 0.0);
        assert_eq!(value("Who is it?", "material_share"), 0.0);
        assert_eq!(
            value(
                "I was there. It rained all day long. Who was it, I wonder?",
                "closes_with_question"
            ),
            1.0
        );
    }

    #[test]
    fn a_request_adds_what_is_around_the_text() {
        let body = json!({"model": "auto", "tools": [{}, {}], "messages": [
            {"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi there"}]});
        let request = ChatRequest {
            raw: Bytes::new(),
            body: body.as_object().expect("an object").clone(),
            model: "auto".into(),
            stream: false,
            include_usage: false,
            prompt: "Hi there".into(),
            last: LastMessage::UserText,
            facts: Facts {
                prompt_chars: 8,
                prompt_tokens: 102,
                turns: 1,
                has_tools: true,
                wants_json: true,
                ..Facts::default()
            },
            max_output: Some(50),
        };
        let of_request = Features::of(&request);
        let named: std::collections::HashMap<_, _> = of_request.named().into_iter().collect();
        assert_eq!(named["context_tokens"], 100f32.ln_1p());
        assert_eq!(named["tools"], log(2));
        assert_eq!(named["messages"], log(2));
        assert_eq!(named["has_system"], 1.0);
        assert_eq!(named["wants_json"], 1.0);
        assert_eq!(named["max_output"], 50f32.ln_1p());
        let text_only = Features::of_text("Hi there").named();
        assert!(text_only.iter().take(60).all(|(name, value)| named[name] == *value));
    }

    #[test]
    fn text_beyond_the_cap_is_not_read() {
        let long = "word ".repeat(MAX_CHARS);
        let longer = format!("{long}$$$ \\frac 12345");
        assert_eq!(Features::of_text(&long), Features::of_text(&longer));
    }

    proptest! {
        #[test]
        fn any_text_gives_finite_numbers(text in "\\PC{0,400}|[ A-J().\n_$0-9]{0,200}") {
            let features = Features::of_text(&text);
            for (name, value) in features.named() {
                prop_assert!(value.is_finite() && value >= 0.0, "{name} = {value}");
            }
        }
    }
}
