//! Literals as Python and JSON write them, and whether two of them are the same: quotes, spacing
//! and the order of keys do not count, types do.

use super::Verdict;

/// Nesting beyond this is no literal to us.
const DEPTH: usize = 32;

/// A value, or the text of one that was written without quotes.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    None,
    Bool(bool),
    Number(f64),
    Text(String),
    /// `b'…'`
    Bytes(String),
    List(Vec<Literal>),
    Tuple(Vec<Literal>),
    Set(Vec<Literal>),
    Map(Vec<(Literal, Literal)>),
    /// Unquoted; whether it is a string or something unread is not known.
    Raw(String),
}

impl Literal {
    /// Whether it has quotes or brackets: text that nobody writes by chance.
    pub fn is_structured(&self) -> bool {
        !matches!(self, Literal::Number(_) | Literal::Raw(_))
    }

    /// The final answer of a phrase: what follows the last `==` of an assertion, without fences,
    /// emphasis and full stop.
    pub fn of_phrase(phrase: &str) -> Option<Literal> {
        let mut text = unwrapped(phrase);
        if is_assertion(text) {
            text = unwrapped(text.rsplit_once("==").map_or(text, |(_, right)| right));
        }
        if text.is_empty() {
            return None;
        }
        if let Some((literal, rest)) = parse(text) {
            let after = rest.trim_start_matches(['.', '`', '*', ',', ';', '。', '"', '$']).trim();
            if after.is_empty() {
                return Some(literal);
            }
            if let Some(last) = Literal::closing(text) {
                return Some(last);
            }
            // A remark behind it, but no further term.
            let remark = after.starts_with(|c: char| c.is_alphabetic() || c == '(' || c == '#');
            if literal.is_structured() && remark && !is_assertion(phrase.trim()) {
                return Some(literal);
            }
        }
        if text.trim_end().contains('\n') || prose(text) {
            return Literal::closing(text).or_else(|| raw(text));
        }
        raw(text)
    }

    /// The literal with which a text ends.
    pub fn closing(text: &str) -> Option<Literal> {
        const MOST_TRIED: usize = 48;
        let line = text.trim_end().lines().next_back()?;
        let line = line.trim_end_matches([' ', '.', '`', '。', '*', '$']);
        let starts = line.char_indices().filter(|(at, c)| opens(line, *at, *c)).take(MOST_TRIED);
        let mut end = 0;
        let mut last = None;
        for (at, _) in starts {
            if at < end {
                continue;
            }
            if let Some((literal, rest)) = parse(&line[at..]) {
                end = line.len() - rest.len();
                last = rest.trim().is_empty().then_some(literal);
            }
        }
        last
    }
}

/// `assert f(x) == …` or `f(x) == …`.
fn is_assertion(text: &str) -> bool {
    let call = text.split_once('(').is_some_and(|(name, _)| {
        !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "_.".contains(c))
    });
    text.starts_with("assert ") || call && text.contains(") ==")
}

fn raw(text: &str) -> Option<Literal> {
    let text = text.trim();
    (!text.contains('\n')).then(|| Literal::Raw(text.to_owned()))
}

/// Where a literal may begin: at a quote, a bracket, or a bare word at the start of a word.
fn opens(line: &str, at: usize, c: char) -> bool {
    let before = line[..at].chars().next_back();
    let fresh = before.is_none_or(|b| b.is_whitespace() || "`(:=*$".contains(b));
    match c {
        '\'' | '"' | '[' | '{' | '(' => fresh,
        '0'..='9' | '-' | 'T' | 'F' | 'N' | 'b' => fresh,
        _ => false,
    }
}

/// Without the fence, backticks and asterisks around it, and without a language name in the fence.
fn unwrapped(phrase: &str) -> &str {
    let mut text = phrase.trim();
    if let Some(fenced) = text.strip_prefix("```") {
        let body = fenced.split_once('\n').map_or(fenced, |(_, body)| body);
        text = body.strip_suffix("```").unwrap_or(body).trim();
    }
    text.trim_matches(['`', '*', ' ', '\n'])
}

/// Whether two literals are one value. What differs only in blanks, quotes or escapes, or in the
/// type of a number, may be the same value written loosely.
pub fn compare(a: &Literal, b: &Literal) -> Verdict {
    if equal(a, b) {
        return Verdict::Same;
    }
    if loose(a) == loose(b) {
        return Verdict::CannotTell;
    }
    match (a, b) {
        // A sentence beside a value: we did not find what it says.
        (Literal::Raw(text), other) | (other, Literal::Raw(text))
            if prose(text) && !matches!(other, Literal::Raw(more) if prose(more)) =>
        {
            match other {
                Literal::Text(value) if words(value).abs_diff(words(text)) <= 2 => {
                    Verdict::Different
                }
                _ => Verdict::CannotTell,
            }
        }
        _ => Verdict::Different,
    }
}

fn words(text: &str) -> usize {
    text.split_whitespace().count()
}

fn prose(text: &str) -> bool {
    words(text) > 5
}

fn equal(a: &Literal, b: &Literal) -> bool {
    use Literal::*;
    match (a, b) {
        (Number(a), Number(b)) => super::number::close(*a, *b),
        (Text(a), Raw(b)) | (Raw(b), Text(a)) | (Raw(a), Raw(b)) => {
            a == b || a.trim_end_matches('.') == b.trim_end_matches('.')
        }
        (List(a), List(b)) | (Tuple(a), Tuple(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b))
        }
        (Set(a), Set(b)) => a.len() == b.len() && a.iter().all(|x| b.iter().any(|y| equal(x, y))),
        (Map(a), Map(b)) => {
            let holds = |map: &[(Literal, Literal)], (key, value): &(Literal, Literal)| {
                map.iter().any(|(k, v)| equal(k, key) && equal(v, value))
            };
            a.len() == b.len() && a.iter().all(|entry| holds(b, entry))
        }
        _ => a == b,
    }
}

/// Letters and digits alone, of which a loose notation keeps the same.
fn loose(literal: &Literal) -> String {
    let mut out = String::new();
    spell(literal, &mut out);
    out.retain(|c| !c.is_whitespace() && !matches!(c, '\'' | '"' | '\\' | '`'));
    out.truncate(out.trim_end_matches('.').len());
    out
}

fn spell(literal: &Literal, out: &mut String) {
    use Literal::*;
    let list = |items: &[Literal], open: char, close: char, out: &mut String| {
        out.push(open);
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            spell(item, out);
        }
        out.push(close);
    };
    match literal {
        None => out.push_str("None"),
        Bool(true) => out.push_str("True"),
        Bool(false) => out.push_str("False"),
        Number(value) => out.push_str(&value.to_string()),
        Text(text) | Raw(text) => out.push_str(text),
        Bytes(text) => {
            out.push('b');
            out.push_str(text);
        }
        List(items) => list(items, '[', ']', out),
        Tuple(items) => list(items, '(', ')', out),
        Set(items) => list(items, '{', '}', out),
        Map(entries) => {
            out.push('{');
            for (at, (key, value)) in entries.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                spell(key, out);
                out.push(':');
                spell(value, out);
            }
            out.push('}');
        }
    }
}

/// The literal at the start of a text, and what follows it.
pub fn parse(text: &str) -> Option<(Literal, &str)> {
    value(text.trim_start(), 0)
}

fn value(text: &str, depth: usize) -> Option<(Literal, &str)> {
    let text = text.trim_start();
    if depth > DEPTH {
        return None;
    }
    for (word, literal) in [
        ("None", Literal::None),
        ("null", Literal::None),
        ("True", Literal::Bool(true)),
        ("true", Literal::Bool(true)),
        ("False", Literal::Bool(false)),
        ("false", Literal::Bool(false)),
    ] {
        if let Some(rest) = text.strip_prefix(word) {
            let ends = !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
            return ends.then_some((literal, rest));
        }
    }
    if let Some(rest) = text.strip_prefix("set()") {
        return Some((Literal::Set(Vec::new()), rest));
    }
    match text.chars().next()? {
        '\'' | '"' => quoted(text).map(|(text, rest)| (Literal::Text(text), rest)),
        'b' | 'B' if text[1..].starts_with(['\'', '"']) => {
            quoted(&text[1..]).map(|(text, rest)| (Literal::Bytes(text), rest))
        }
        'r' | 'u' | 'f' if text[1..].starts_with(['\'', '"']) => {
            quoted(&text[1..]).map(|(text, rest)| (Literal::Text(text), rest))
        }
        '[' => items(&text[1..], ']', depth).map(|(items, _, rest)| (Literal::List(items), rest)),
        '(' => {
            let (mut items, comma, rest) = items(&text[1..], ')', depth)?;
            match items.len() {
                1 if !comma => Some((items.remove(0), rest)),
                _ => Some((Literal::Tuple(items), rest)),
            }
        }
        '{' => braced(&text[1..], depth),
        _ => number(text),
    }
}

/// What stands between brackets: the items, whether a comma stood among them, and the rest.
fn items(text: &str, close: char, depth: usize) -> Option<(Vec<Literal>, bool, &str)> {
    let mut rest = text.trim_start();
    let (mut items, mut comma) = (Vec::new(), false);
    loop {
        if let Some(after) = rest.strip_prefix(close) {
            return Some((items, comma, after));
        }
        let (item, after) = value(rest, depth + 1)?;
        items.push(item);
        rest = after.trim_start();
        match rest.strip_prefix(',') {
            Some(after) => (comma, rest) = (true, after.trim_start()),
            Option::None if rest.starts_with(close) => {}
            Option::None => return Option::None,
        }
    }
}

fn braced(text: &str, depth: usize) -> Option<(Literal, &str)> {
    let mut rest = text.trim_start();
    let (mut set, mut map) = (Vec::new(), Vec::new());
    loop {
        if let Some(after) = rest.strip_prefix('}') {
            let literal = if set.is_empty() { Literal::Map(map) } else { Literal::Set(set) };
            return Some((literal, after));
        }
        let (key, after) = value(rest, depth + 1)?;
        rest = after.trim_start();
        if let Some(after) = rest.strip_prefix(':') {
            let (item, after) = value(after, depth + 1)?;
            // A later key wins, as in Python and JSON.
            map.retain(|(earlier, _)| *earlier != key);
            map.push((key, item));
            rest = after.trim_start();
        } else {
            set.push(key);
        }
        if !set.is_empty() && !map.is_empty() {
            return None;
        }
        match rest.strip_prefix(',') {
            Some(after) => rest = after.trim_start(),
            Option::None if rest.starts_with('}') => {}
            Option::None => return Option::None,
        }
    }
}

fn number(text: &str) -> Option<(Literal, &str)> {
    let end = text
        .char_indices()
        .find(|(at, c)| {
            let sign = matches!(c, '-' | '+') && (*at == 0 || text[..*at].ends_with(['e', 'E']));
            !(c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '_') || sign)
        })
        .map_or(text.len(), |(at, _)| at);
    // A full stop ends the sentence, not the number.
    let written = text[..end].trim_end_matches('.');
    let (written, rest) = text.split_at(written.len());
    let word = rest.starts_with(|c: char| c.is_alphanumeric());
    let digits = written.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.'));
    let value: f64 = written.replace('_', "").parse().ok()?;
    (digits && !word && value.is_finite()).then_some((Literal::Number(value), rest))
}

/// A string with its escapes resolved.
fn quoted(text: &str) -> Option<(String, &str)> {
    let triple = ["'''", "\"\"\""].into_iter().find(|mark| text.starts_with(mark));
    let mark = triple.unwrap_or(&text[..1]);
    let body = &text[mark.len()..];
    let mut out = String::new();
    let mut chars = body.char_indices();
    while let Some((at, c)) = chars.next() {
        if body[at..].starts_with(mark) {
            return Some((out, &body[at + mark.len()..]));
        }
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next()?.1 {
            'n' => out.push('\n'),
            't' => out.push('\t'),
            'r' => out.push('\r'),
            '0' => out.push('\0'),
            code @ ('x' | 'u') => {
                let digits = if code == 'x' { 2 } else { 4 };
                let hex: String = chars.by_ref().take(digits).map(|(_, c)| c).collect();
                let code = u32::from_str_radix(&hex, 16).ok()?;
                out.push(char::from_u32(code).unwrap_or('\u{fffd}'));
            }
            c @ ('\\' | '\'' | '"' | '/' | '\n') => out.push(c),
            c => out.extend(['\\', c]),
        }
    }
    None
}

#[cfg(test)]
#[path = "literal_tests.rs"]
mod tests;
