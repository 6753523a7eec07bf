//! Objects and function calls, field by field. One field that certainly differs makes the whole
//! differ; one that may or may not leaves it open.

use serde_json::{Map, Value};

use super::Verdict;
use super::finals::folded;
use super::lexicon::{FILLERS, PROSE_KEYS, UNITS};
use super::{number, words};

/// Calls in one answer that are held against each other; more are left open.
const MOST_CALLS: usize = 12;

/// A call of a function with its arguments.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    pub name: String,
    pub arguments: Map<String, Value>,
}

/// The calls in a value: `{"name": …, "arguments": {…} | "…"}`, alone, in a list, or inside
/// `function` as in `tool_calls`. `None` if it is anything else.
pub fn calls(value: &Value) -> Option<Vec<Call>> {
    match value {
        Value::Array(items) if !items.is_empty() => items.iter().map(call).collect(),
        Value::Object(fields) => match fields.get("tool_calls") {
            Some(Value::Array(items)) if !items.is_empty() => items.iter().map(call).collect(),
            _ => call(value).map(|call| vec![call]),
        },
        _ => None,
    }
}

fn call(value: &Value) -> Option<Call> {
    let outer = value.as_object()?;
    let fields = outer.get("function").and_then(Value::as_object).unwrap_or(outer);
    let name = fields.get("name")?.as_str()?;
    let named = ["arguments", "parameters", "args", "input"];
    let arguments = match named.iter().find_map(|key| fields.get(*key))? {
        Value::Object(arguments) => arguments.clone(),
        Value::String(text) if text.trim().is_empty() => Map::new(),
        Value::String(text) => match serde_json::from_str(text) {
            Ok(Value::Object(arguments)) => arguments,
            _ => return None,
        },
        Value::Null => Map::new(),
        _ => return None,
    };
    // Some providers allow no dots in names.
    Some(Call { name: name.replace('.', "_"), arguments })
}

/// Two sets of calls: the order of parallel calls does not count.
pub fn compare_calls(a: &[Call], b: &[Call], question: &str) -> Verdict {
    let names = |calls: &[Call]| {
        let mut names: Vec<String> = calls.iter().map(|call| call.name.clone()).collect();
        names.sort_unstable();
        names
    };
    if names(a) != names(b) {
        return Verdict::Different;
    }
    if a.len() > MOST_CALLS {
        return if a == b { Verdict::Same } else { Verdict::CannotTell };
    }
    let mut schemas = Schemas { question, read: None };
    let mut verdicts = vec![vec![Verdict::Different; b.len()]; a.len()];
    for (row, one) in a.iter().enumerate() {
        for (column, other) in b.iter().enumerate() {
            if one.name == other.name {
                verdicts[row][column] = arguments(one, other, &mut schemas);
            }
        }
    }
    let pairs_up = |allowed: fn(Verdict) -> bool| {
        let mut partner = vec![None; b.len()];
        (0..a.len()).all(|row| {
            let mut seen = vec![false; b.len()];
            augment(row, &verdicts, allowed, &mut partner, &mut seen)
        })
    };
    if pairs_up(|verdict| verdict == Verdict::Same) {
        Verdict::Same
    } else if pairs_up(|verdict| verdict != Verdict::Different) {
        Verdict::CannotTell
    } else {
        Verdict::Different
    }
}

/// One step of bipartite matching: a partner for `row`, moving others where needed.
fn augment(
    row: usize,
    verdicts: &[Vec<Verdict>],
    allowed: fn(Verdict) -> bool,
    partner: &mut [Option<usize>],
    seen: &mut [bool],
) -> bool {
    for column in 0..partner.len() {
        if seen[column] || !allowed(verdicts[row][column]) {
            continue;
        }
        seen[column] = true;
        let free = match partner[column] {
            Some(other) => augment(other, verdicts, allowed, partner, seen),
            None => true,
        };
        if free {
            partner[column] = Some(row);
            return true;
        }
    }
    false
}

fn arguments(a: &Call, b: &Call, schemas: &mut Schemas<'_>) -> Verdict {
    let mut sum = Verdict::Same;
    for key in
        a.arguments.keys().chain(b.arguments.keys().filter(|k| !a.arguments.contains_key(*k)))
    {
        let verdict = match (a.arguments.get(key), b.arguments.get(key)) {
            (Some(x), Some(y)) => match value(x, y) {
                Verdict::CannotTell if schemas.enumerates(&a.name, key, [x, y]) => {
                    Verdict::Different
                }
                verdict => verdict,
            },
            (Some(Value::Null), None) | (None, Some(Value::Null)) => Verdict::Same,
            (Some(one), None) | (None, Some(one)) => match schemas.default(&a.name, key) {
                // A documented default that is not the value given: the calls differ.
                Some(default) => value(one, &default),
                // What nobody switched on is off.
                None if *one == Value::Bool(false) => Verdict::Same,
                None => Verdict::CannotTell,
            },
            (None, None) => Verdict::Same,
        };
        sum = worse(sum, verdict);
    }
    sum
}

fn worse(a: Verdict, b: Verdict) -> Verdict {
    match (a, b) {
        (Verdict::Different, _) | (_, Verdict::Different) => Verdict::Different,
        (Verdict::CannotTell, _) | (_, Verdict::CannotTell) => Verdict::CannotTell,
        _ => Verdict::Same,
    }
}

/// Two objects or lists that are answers themselves. Fields that hold prose do not count, unless
/// there is nothing else.
pub fn compare_values(a: &Value, b: &Value) -> Verdict {
    match (a, b) {
        (Value::Object(_), Value::Object(_)) => value(a, b),
        (Value::Array(x), Value::Array(y)) if !x.is_empty() && !y.is_empty() => value(a, b),
        _ => Verdict::CannotTell,
    }
}

fn value(a: &Value, b: &Value) -> Verdict {
    match (a, b) {
        _ if a == b => Verdict::Same,
        (Value::Number(x), Value::Number(y)) => match (x.as_f64(), y.as_f64()) {
            (Some(x), Some(y)) if equal(x, y) => Verdict::Same,
            _ => Verdict::Different,
        },
        (Value::Bool(_), Value::Bool(_)) => Verdict::Different,
        (Value::String(x), Value::String(y)) => texts(x, y),
        (Value::Number(x), Value::String(y)) | (Value::String(y), Value::Number(x)) => {
            match (x.as_f64(), y.trim().parse::<f64>()) {
                (Some(x), Ok(y)) if equal(x, y) => Verdict::Same,
                (Some(_), Ok(_)) => Verdict::Different,
                _ => Verdict::CannotTell,
            }
        }
        (Value::Array(x), Value::Array(y)) => lists(x, y),
        (Value::Object(x), Value::Object(y)) => objects(x, y),
        _ => Verdict::CannotTell,
    }
}

/// Numbers of data are exact but for their notation.
fn equal(a: f64, b: f64) -> bool {
    a == b || (a - b).abs() <= 1e-9 * a.abs().max(b.abs())
}

fn objects(a: &Map<String, Value>, b: &Map<String, Value>) -> Verdict {
    let counts = |key: &String| !PROSE_KEYS.contains(&&*key.to_lowercase());
    let mut sum = Verdict::Same;
    let mut compared = 0;
    for key in a.keys().chain(b.keys().filter(|key| !a.contains_key(*key))) {
        if !counts(key) {
            continue;
        }
        compared += 1;
        sum = worse(
            sum,
            match (a.get(key), b.get(key)) {
                (Some(x), Some(y)) => value(x, y),
                _ => Verdict::CannotTell,
            },
        );
    }
    if compared == 0 { Verdict::CannotTell } else { sum }
}

/// Lists in order. The same items in another order are open: some lists are sets.
fn lists(a: &[Value], b: &[Value]) -> Verdict {
    const LONGEST: usize = 256;
    if a.len() != b.len() {
        let scalars =
            |list: &[Value]| list.iter().all(|item| !item.is_object() && !item.is_array());
        let plain = scalars(a) && scalars(b) && !a.iter().chain(b).any(Value::is_string);
        return if plain { Verdict::Different } else { Verdict::CannotTell };
    }
    if a.len() > LONGEST {
        return Verdict::CannotTell;
    }
    let sum = a.iter().zip(b).fold(Verdict::Same, |sum, (x, y)| worse(sum, value(x, y)));
    let mut left: Vec<&Value> = b.iter().collect();
    let permuted = a.iter().all(|x| {
        let found = left.iter().position(|y| value(x, y) != Verdict::Different);
        found.map(|at| left.swap_remove(at)).is_some()
    });
    if sum == Verdict::Different && permuted && a.iter().any(|item| !item.is_number()) {
        return Verdict::CannotTell;
    }
    sum
}

/// Two strings of data: exact but for case, punctuation and units; names that share something may
/// mean the same place, person or thing.
fn texts(a: &str, b: &str) -> Verdict {
    const LONG: usize = 8;
    let (left, right) = (keywords(a), keywords(b));
    if left == right && !left.is_empty() || a.trim() == b.trim() {
        return Verdict::Same;
    }
    if let (Some(x), Some(y)) = (words::date(a), words::date(b)) {
        return words::dates(x, y);
    }
    if let (Some(x), Some(y)) = (unit(a), unit(b)) {
        return if x == y { Verdict::Same } else { Verdict::Different };
    }
    if left.len() > LONG || right.len() > LONG || left.is_empty() || right.is_empty() {
        return Verdict::CannotTell;
    }
    // "Boston" and "Boston, MA"; "New York" and "NYC".
    if qualified(a, b) || qualified(b, a) || initials(a, b) || initials(b, a) {
        return Verdict::Same;
    }
    let numbers = (number::find(a), number::find(b));
    if let ([x], [y]) = (numbers.0.as_slice(), numbers.1.as_slice())
        && number::compare(&x.quantity, &y.quantity) == Verdict::Different
    {
        return Verdict::Different;
    }
    // Formulas and code may be one thing in many notations.
    let code = |text: &str| text.contains(['(', '*', '=', '{', '/', '<', '\\']);
    if code(a) || code(b) || symbol(a) != symbol(b) || words::related(&left, &right) {
        Verdict::CannotTell
    } else {
        Verdict::Different
    }
}

fn keywords(text: &str) -> Vec<String> {
    let words = words::tokens(text).into_iter();
    words.filter(|word| !FILLERS.contains(&word.as_str())).collect()
}

/// The unit that a text names and nothing else: dimension and size.
fn unit(text: &str) -> Option<(&'static str, u64)> {
    let lower = folded(text.trim());
    let known = UNITS.iter().find(|(name, ..)| *name == lower)?;
    Some((known.1, known.2.to_bits()))
}

/// Whether `long` is `short` with something behind a comma.
fn qualified(short: &str, long: &str) -> bool {
    long.split_once(',')
        .is_some_and(|(name, _)| !short.contains(',') && keywords(name) == keywords(short))
}

/// Whether `short` is written in capitals, and they are the initials of `long`: SF, NYC, UC.
fn initials(short: &str, long: &str) -> bool {
    let short: String = short.chars().filter(|c| !matches!(c, '.' | ' ')).collect();
    let capitals = (2..=5).contains(&short.len()) && short.bytes().all(|b| b.is_ascii_uppercase());
    let first: String = keywords(long).iter().filter_map(|word| word.chars().next()).collect();
    capitals && first.len() > 1 && first.eq_ignore_ascii_case(&short)
}

/// A code of capitals, which may stand for any name: LAX, EUR, CA.
fn symbol(text: &str) -> bool {
    (2..=4).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_uppercase())
}

/// The function descriptions in a question, read when first needed.
struct Schemas<'q> {
    question: &'q str,
    read: Option<Vec<Value>>,
}

impl Schemas<'_> {
    /// What an argument is when it is left out, as far as the description tells.
    fn default(&mut self, function: &str, argument: &str) -> Option<Value> {
        let property = self.property(function, argument)?;
        if let Some(default) = property.get("default") {
            return Some(default.clone());
        }
        in_words(property.get("description")?.as_str()?)
    }
}

impl Schemas<'_> {
    /// Whether the description lists both values among those allowed: then they are two.
    fn enumerates(&mut self, function: &str, argument: &str, values: [&Value; 2]) -> bool {
        let property = self.property(function, argument);
        let allowed = property.and_then(|one| one.get("enum")).and_then(Value::as_array);
        allowed.is_some_and(|allowed| values.iter().all(|value| allowed.contains(value)))
    }

    fn property(&mut self, function: &str, argument: &str) -> Option<&Value> {
        let question = self.question;
        let read = self.read.get_or_insert_with(|| described(question));
        let describes = |one: &&Value| {
            let name = one.get("name").and_then(Value::as_str);
            name.is_some_and(|name| name.replace('.', "_") == function)
        };
        let function = read.iter().find(describes)?;
        function.get("parameters")?.get("properties")?.get(argument)
    }
}

/// The functions in the first lists or objects of a text that describe any.
fn described(question: &str) -> Vec<Value> {
    const TRIED: usize = 4;
    let flat = |value: Value| match value {
        Value::Array(items) => items,
        one => vec![one],
    };
    let function = |mut value: Value| match value.get_mut("function") {
        Some(inner) => inner.take(),
        None => value,
    };
    let starts = question.match_indices(['[', '{']).map(|(at, _)| at);
    let json = starts.filter(|at| {
        let rest = question[at + 1..].trim_start();
        rest.starts_with(['{', '"'])
    });
    json.take(TRIED)
        .filter_map(|at| {
            let mut values = serde_json::Deserializer::from_str(&question[at..]).into_iter();
            values.next()?.ok()
        })
        .map(|value: Value| flat(value).into_iter().map(function).collect::<Vec<Value>>())
        .find(|values| values.iter().any(|value| value.get("parameters").is_some()))
        .unwrap_or_default()
}

/// The default that a description names: "Default is 'x'", "defaults to 5", "(default: true)".
fn in_words(description: &str) -> Option<Value> {
    let lower = folded(description);
    let start =
        ["default value is", "default is", "defaults to", "default to", "default:", "default "]
            .iter()
            .find_map(|words| lower.find(words).map(|at| at + words.len()))?;
    let rest = description[start..].trim_start_matches([' ', ':', '=', '(']);
    if let Some(mark) = rest.chars().next().filter(|c| matches!(c, '\'' | '"' | '`')) {
        let body = &rest[1..];
        return Some(Value::String(body[..body.find(mark)?].to_owned()));
    }
    let end = rest.find(|c: char| c.is_whitespace() || matches!(c, ',' | ')' | ';'));
    let word = rest[..end.unwrap_or(rest.len())].trim_end_matches('.');
    match &*word.to_ascii_lowercase() {
        "" => None,
        "true" => Some(Value::Bool(true)),
        "false" => Some(Value::Bool(false)),
        "none" | "null" => Some(Value::Null),
        plain => match plain.parse::<f64>() {
            Ok(number) => serde_json::Number::from_f64(number).map(Value::Number),
            // "the current year" is no value.
            Err(_) if rest.split_whitespace().count() > 1 && plain.starts_with("the") => None,
            Err(_) => Some(Value::String(word.to_owned())),
        },
    }
}

#[cfg(test)]
#[path = "fields_tests.rs"]
mod tests;
