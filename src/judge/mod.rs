//! Are two answers the same? Three verdicts, because a wrong label does more harm than none: a false
//! *same* serves wrong answers, a false *different* breaks groups apart, and *cannot tell* only
//! waits for the next pair.
//!
//! An answer is read once ([`Reading`]); comparing two readings is a pure function that tries what
//! decides most surely first: calls, the option chosen, a literal, a number, an object's fields,
//! short statements, texts that are nearly one. `docs/judge.md` shows how often it errs. What stays
//! open can be asked of a model ([`model`]); how often verdicts prove wrong is counted in [`rates`].

use serde::Serialize;

mod asked;
mod choice;
mod closing;
mod fields;
mod finals;
mod latex;
mod lexicon;
mod literal;
pub mod model;
mod number;
pub mod rates;
mod reading;
#[cfg(test)]
mod tests;
mod words;

use asked::Asked;
use literal::Literal;
use number::Quantity;
pub use reading::Reading;

/// What a judge says of two answers to what may be one question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Same,
    Different,
    CannotTell,
}

/// What decided, or why nothing did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// The texts are equal.
    Identical,
    /// Function calls and their arguments.
    Calls,
    /// The options chosen.
    Choice,
    /// A literal, as the output of code.
    Literal,
    /// The numbers stated.
    Number,
    /// An object's or a list's fields.
    Fields,
    /// Short statements, word by word.
    Words,
    /// Long texts that differ in a word or none.
    Prose,
    /// One of the two is empty, refused or cut off.
    Unfinished,
    /// Nothing in the two can be held against each other.
    Nothing,
}

/// A verdict and what it rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Judgement {
    pub verdict: Verdict,
    pub by: Method,
}

impl Judgement {
    /// Nothing was decided, but whoever understands the two texts might.
    pub fn is_for_a_reader(self) -> bool {
        self.verdict == Verdict::CannotTell
            && !matches!(self.by, Method::Unfinished | Method::Calls)
    }
}

/// Words of a short answer that is a result and no sentence.
const FEW: usize = 6;

/// Compares two answers to a question. `question` is the text of the request, for one with tools
/// followed by their descriptions as JSON; without it (`""`) more stays open.
pub fn compare(question: &str, a: &Reading, b: &Reading) -> Judgement {
    let is = |verdict, by| Judgement { verdict, by };
    if a.is_empty() || b.is_empty() {
        return is(Verdict::CannotTell, Method::Unfinished);
    }
    if !a.calls.is_empty() || !b.calls.is_empty() {
        // A call beside a text is not comparable: the text may be the result of the same call.
        if a.calls.is_empty() || b.calls.is_empty() {
            return is(Verdict::CannotTell, Method::Calls);
        }
        return is(fields::compare_calls(&a.calls, &b.calls, question), Method::Calls);
    }
    if a.digest == b.digest && a.bytes == b.bytes {
        return is(Verdict::Same, Method::Identical);
    }
    let asked = Asked::of(question);
    stated(&asked, a, b).unwrap_or_else(|| texts(&asked, a, b))
}

/// What the final answers say, where both state one; `None` where they leave it to the texts.
fn stated(asked: &Asked<'_>, a: &Reading, b: &Reading) -> Option<Judgement> {
    let is = |verdict, by| Some(Judgement { verdict, by });
    if !asked.options.is_empty() {
        let read = |one: &Reading| choice::read(&one.phrases, &one.closing, &asked.options);
        return match (read(a), read(b)) {
            (Some(x), Some(y)) => is(choice::compare(x, y), Method::Choice),
            _ => is(Verdict::CannotTell, Method::Choice),
        };
    }
    if asked.output {
        return match (output(a), output(b)) {
            (Some(x), Some(y)) => is(literal::compare(&x, &y), Method::Literal),
            _ => is(Verdict::CannotTell, Method::Literal),
        };
    }
    if let (Some((x, told)), Some((y, said))) = (quantity(a, asked), quantity(b, asked)) {
        let offered = x.value != y.value && asked.offers(x.value, y.value);
        // Two last sentences: only where nothing but an amount was asked for.
        if !told && !said && !asked.amount && !asked.offers(x.value, y.value) {
            return None;
        }
        let verdict = if offered { Verdict::Different } else { number::compare(&x, &y) };
        return is(verdict, Method::Number);
    }
    let verdict = match (a.phrases.first(), b.phrases.first()) {
        (Some(x), Some(y)) => words::compare(x, y, asked),
        _ => return None,
    };
    (verdict != Verdict::CannotTell).then_some(Judgement { verdict, by: Method::Words })
}

/// What the texts as a whole say, where no final answer does.
fn texts(asked: &Asked<'_>, a: &Reading, b: &Reading) -> Judgement {
    if let (Some(x), Some(y)) = (&a.object, &b.object) {
        return Judgement { verdict: fields::compare_values(x, y), by: Method::Fields };
    }
    let verdict = match (&a.short, &b.short) {
        (Some(x), Some(y)) => words::compare(x, y, asked),
        _ => Verdict::CannotTell,
    };
    if verdict != Verdict::CannotTell {
        return Judgement { verdict, by: Method::Words };
    }
    match a.prose.compare(&b.prose) {
        Verdict::CannotTell => Judgement { verdict, by: Method::Nothing },
        verdict => Judgement { verdict, by: Method::Prose },
    }
}

fn output(one: &Reading) -> Option<Literal> {
    match one.phrases.first() {
        Some(phrase) => Literal::of_phrase(phrase),
        None => Literal::closing(&one.closing),
    }
}

/// The number that an answer states (and that it does), or in which its last sentence ends up.
fn quantity(one: &Reading, asked: &Asked<'_>) -> Option<(Quantity, bool)> {
    let sentence = || Some((closing::number(&one.closing, asked)?, false));
    // A short answer is a phrase as a whole; one of more than a few words is a sentence.
    let is_sentence = |phrase: &String| {
        one.short.as_ref() == Some(phrase) && phrase.split_whitespace().count() > FEW
    };
    match one.phrases.first() {
        Some(phrase) if is_sentence(phrase) => sentence(),
        Some(phrase) => Some((number::stated(phrase)?, true)),
        None => sentence(),
    }
}
