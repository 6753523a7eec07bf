//! Where an answer states its final answer: the answer field of an object, a box, `####`, a phrase
//! that announces it, a last line in bold, a fence at the end, or the whole of a short answer. What the
//! phrase says is read by `number`, `choice`, `literal` and `words`.

use serde_json::Value;

use super::lexicon::{ANNOUNCEMENTS, ANSWER_KEYS, COPULAS, NEED_COLON, PROSE_KEYS};

/// Bytes of the end of an answer in which its final answer is looked for.
const TAIL: usize = 6000;

/// Bytes of a phrase that are kept.
const PHRASE: usize = 1000;

/// Phrases that are kept.
const MOST: usize = 4;

/// The last bytes of a text, from a character boundary on.
pub fn tail(text: &str, bytes: usize) -> &str {
    let mut start = text.len().saturating_sub(bytes);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    &text[start..]
}

/// The first bytes of a text, up to a character boundary.
pub fn head(text: &str, bytes: usize) -> &str {
    let mut end = text.len().min(bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Without white space and the marks by which models end their turn (`<eoa>`, `<|im_end|>`).
pub fn trimmed(text: &str) -> &str {
    let mut text = text.trim();
    while let Some(body) = text.strip_suffix('>') {
        let Some((before, mark)) = body.rsplit_once('<') else { break };
        let is_mark = |c: char| c.is_ascii_lowercase() || matches!(c, '|' | '_' | '/');
        if mark.is_empty() || mark.len() > 16 || !mark.chars().all(is_mark) {
            break;
        }
        text = before.trim_end();
    }
    text
}

/// The phrases that state the final answer, the most telling first; none where nothing does.
pub fn of_text(text: &str) -> Vec<String> {
    let text = trimmed(text);
    let tail = tail(text, TAIL);
    let mut placed = announced(tail);
    placed.extend(boxes(tail));
    placed.extend(hashes(tail));
    placed.extend(fence(tail).map(|content| (tail.len(), content)));
    // The last word counts.
    placed.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    let mut phrases: Vec<String> = Vec::new();
    phrases.extend(field(text));
    phrases.extend(placed.into_iter().map(|(_, phrase)| phrase));
    if phrases.is_empty() {
        phrases.extend(bare(text).or_else(|| last_bold(tail)));
    }
    phrases.retain(|phrase| !phrase.trim().is_empty());
    phrases.dedup();
    phrases.truncate(MOST);
    phrases.into_iter().map(|phrase| head(&phrase, PHRASE).to_owned()).collect()
}

/// The answer field of an object whose other fields are prose, or of something near to an object:
/// models forget to escape what they put into strings.
fn field(text: &str) -> Option<String> {
    if !text.contains('{') {
        return None;
    }
    if let Some(Value::Object(fields)) = object(text) {
        let key = |key: &String| key.to_lowercase();
        let mut answers = fields.iter().filter(|(k, _)| ANSWER_KEYS.contains(&&*key(k)));
        let (_, answer) = answers.next()?;
        let others = fields.keys().filter(|k| !ANSWER_KEYS.contains(&&*key(k)));
        let all_prose = others.into_iter().all(|k| PROSE_KEYS.contains(&&*key(k)));
        return (all_prose && answers.next().is_none()).then(|| plain(answer));
    }
    let (_, rest) = text.rsplit_once("\"answer\"")?;
    let rest = rest.trim_start().strip_prefix(':')?.trim_start();
    let mark = rest.chars().next().filter(|c| matches!(c, '"' | '\'' | '`'));
    let Some(mark) = mark else {
        let end = rest.find(['\n', '}'])?;
        return Some(rest[..end].trim_end_matches([',', ' ']).to_owned());
    };
    // The last quote before the brace that ends the object.
    let body = &rest[1..];
    let object = &body[..body.find("\n}").or_else(|| body.rfind('}'))?];
    let end = object.rfind(mark)?;
    Some(object[..end].replace("\\n", "\n").replace("\\\"", "\""))
}

fn plain(value: &Value) -> String {
    match value {
        // An empty answer is one, and would be lost among phrases.
        Value::String(text) if text.is_empty() => "\"\"".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The value that a text is, or that its last fence, or its outermost braces hold.
pub fn object(text: &str) -> Option<Value> {
    const LARGEST: usize = 64_000;
    let text = text.trim();
    if text.len() > LARGEST || !text.contains(['{', '[']) {
        return None;
    }
    // An answer that corrects itself ends with the object that counts.
    let mut fences = text.split("```").skip(1).step_by(2).collect::<Vec<_>>();
    fences.reverse();
    fences.truncate(3);
    let bodies = fences.into_iter().filter_map(|fence| {
        let (language, body) = fence.split_once('\n')?;
        let json = language.trim().is_empty() || language.to_ascii_lowercase().contains("json");
        json.then_some(body)
    });
    let braced = text.find('{').zip(text.rfind('}')).and_then(|(a, z)| text.get(a..=z));
    // An object in braces counts only where nothing of weight stands around it.
    let braced = braced.filter(|part| text.len() - part.len() < 400 || text.ends_with(part));
    std::iter::once(text)
        .chain(bodies)
        .chain(braced)
        .find_map(|part| serde_json::from_str(part.trim()).ok())
        .filter(|value: &Value| value.is_object() || value.is_array())
}

/// Lower case where that keeps every byte in its place.
pub fn folded(text: &str) -> String {
    let lower = |c: char| {
        let mut lower = c.to_lowercase();
        match (lower.next(), lower.next()) {
            (Some(one), None) if one.len_utf8() == c.len_utf8() => one,
            _ => c,
        }
    };
    text.chars().map(lower).collect()
}

/// What follows "the answer is" and its like, each with the place where the phrase begins.
fn announced(tail: &str) -> Vec<(usize, String)> {
    let lower = folded(tail);
    let mut found: Vec<(usize, String)> = Vec::new();
    for words in ANNOUNCEMENTS {
        for (at, _) in lower.match_indices(words) {
            let after = at + words.len();
            if !is_word(&lower, at, after) {
                continue;
            }
            if let Some((start, phrase)) = phrase(tail, &lower, after, NEED_COLON.contains(words))
                && !found.iter().any(|(earlier, _)| *earlier == start)
            {
                found.push((start, phrase));
            }
        }
    }
    if let Some(last) = tail.trim_end().lines().next_back()
        && let Some(answer) = last.trim_start().strip_prefix("A: ")
    {
        found.push((tail.len(), answer.to_owned()));
    }
    found
}

/// Whether no letter touches the words; scripts without spaces have no such borders.
fn is_word(text: &str, start: usize, end: usize) -> bool {
    let joins = |c: char| c.is_alphanumeric() && c < '\u{2e80}';
    let alphabetic = text[start..end].starts_with(joins);
    !alphabetic
        || !text[..start].ends_with(joins) && !text[end..].starts_with(|c| joins(c) || c == '_')
}

/// The rest of the line behind an announcement, or the next line where that is empty. With
/// `colon`, the announcement must be followed by a colon, a copula or their like.
fn phrase(tail: &str, lower: &str, after: usize, colon: bool) -> Option<(usize, String)> {
    let mut at = after;
    let mut marked = false;
    loop {
        let rest = &lower[at..];
        let Some(c) = rest.chars().next() else { break };
        if matches!(c, ':' | '：' | '=' | '】' | '>') {
            marked = true;
            at += c.len_utf8();
        } else if matches!(c, ' ' | '*' | '_' | '\t' | '…')
            // The quote that ends a key, not one that begins a result.
            || matches!(c, '"' | '\'' | '`') && !marked && rest[1..].trim_start().starts_with(':')
        {
            at += c.len_utf8();
        } else if let Some(copula) = COPULAS
            .iter()
            .find(|copula| rest.starts_with(**copula) && is_word(lower, at, at + copula.len()))
        {
            marked = true;
            at += copula.len();
        } else {
            break;
        }
    }
    let rest = &tail[at..];
    let denied = ["not ", "nicht ", "n't", "no longer", "neither", "unclear", "unknown"];
    if colon && !marked || denied.iter().any(|word| lower[at..].starts_with(word)) {
        return None;
    }
    let line = rest.lines().next().unwrap_or_default();
    let nothing =
        |line: &str| line.chars().all(|c| !c.is_alphanumeric() && !"'\"[]{}()".contains(c));
    // An opening bracket of a display formula, or nothing: the answer is on the next line.
    if nothing(line) || matches!(line.trim(), "[" | "\\[" | "$$") {
        let next = rest.lines().skip(1).find(|line| !nothing(line) && line.trim() != "\\[")?;
        let start = at + (next.as_ptr() as usize - rest.as_ptr() as usize);
        return Some((start, next.trim().to_owned()));
    }
    Some((at, line.trim().to_owned()))
}

/// The contents of `\boxed{…}`.
fn boxes(tail: &str) -> Vec<(usize, String)> {
    let starts = tail.match_indices("boxed{").map(|(at, mark)| at + mark.len());
    let content = |start: usize| {
        let mut depth = 1usize;
        for (at, c) in tail[start..].char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return Some((start, tail[start..start + at].to_owned()));
            }
        }
        None
    };
    starts.filter_map(content).collect()
}

/// A last line that begins with `####`; others are headings.
fn hashes(tail: &str) -> Option<(usize, String)> {
    let line = tail.trim_end().lines().next_back()?;
    let result = line.trim_start().strip_prefix("#### ")?;
    Some((tail.len(), result.trim().to_owned()))
}

/// The last fence, if it is short and ends the answer.
fn fence(tail: &str) -> Option<String> {
    let body = tail.trim_end().strip_suffix("```")?;
    let (_, content) = body.rsplit_once("```")?;
    let (_, content) = content.split_once('\n')?;
    (content.len() <= 400 && content.trim().lines().count() <= 2).then(|| content.trim().to_owned())
}

/// A whole answer of a line, or of one line and a remark.
fn bare(text: &str) -> Option<String> {
    let text = text.trim();
    let line = text.lines().next()?;
    // "The answer is ." announced one, and it is not there.
    if folded(head(text, 200)).contains("answer is") {
        return None;
    }
    (text.len() <= 200 && (text.len() == line.len() || text.len() <= 60)).then(|| text.to_owned())
}

/// A last line that is bold throughout.
fn last_bold(tail: &str) -> Option<String> {
    let line = tail.trim_end().lines().next_back()?.trim();
    let inner = line.strip_prefix("**")?.trim_end_matches(['.', '。']).strip_suffix("**")?;
    (!inner.contains("**") && inner.len() <= 120).then(|| inner.to_owned())
}

/// The last two sentences of an answer that came to its end, for readers of prose; empty for one
/// that breaks off.
pub fn closing(text: &str) -> &str {
    const LONGEST: usize = 500;
    let text = trimmed(text).trim_end_matches(['*', '_', ' ', '\n']);
    let bare = text.trim_end_matches(['`', '"', '\'', ')', '$', '}', ']', '”', '*']);
    let ends = |text: &str| text.ends_with(['.', '!', '。', '！', '．', '?']);
    let formula = text.ends_with("\\]") || text.ends_with("$$") || text.ends_with("\\)");
    let quoted = text.ends_with(['\'', '"', '`', ']', '}']);
    if ends(text) || ends(bare) || formula || quoted || last_line_sums_up(text) {
        tail(text, LONGEST)
    } else {
        ""
    }
}

/// A last line such as `80 - 20 = 60 marbles`, whose sum is right: then it is whole.
fn last_line_sums_up(text: &str) -> bool {
    let line = text.lines().next_back().unwrap_or_default();
    let Some((left, right)) = line.rsplit_once('=') else { return false };
    // Within an object that breaks off, the sum is not the end.
    if right.contains(['"', '{', '}']) {
        return false;
    }
    let left = left.rsplit(['=', ':', '≈']).next().unwrap_or(left);
    let result = super::number::find(right);
    let terms = super::number::find(left);
    let [result] = result.as_slice() else { return false };
    let [first, rest @ ..] = terms.as_slice() else { return false };
    let mut total = first.quantity.value;
    let mut from = first.end;
    for term in rest {
        let between = &left[from.min(term.start)..term.start];
        let value = term.quantity.value;
        let sign = between.chars().rev().find(|c| "+-−*×x·/÷".contains(*c));
        match sign {
            Some('+') => total += value,
            Some('-' | '−') => total -= value,
            Some('*' | '×' | 'x' | '·') => total *= value,
            Some('/' | '÷') => total /= value,
            _ => return false,
        }
        from = term.end;
    }
    !rest.is_empty() && super::number::close(total, result.quantity.value)
}
