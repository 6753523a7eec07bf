//! `Cache-Control` of a request (RFC 9111, section 5.2): the directives that semgate heeds.

use std::time::Duration;

use axum::http::header::{CACHE_CONTROL, HeaderMap};

use crate::cache::Directives;
use crate::error::GatewayError;

/// Above this an age is as good as no limit, and RFC 9111 asks to read it so (section 1.2.2).
const MAX_SECONDS: u64 = 1 << 31;

/// All lines of the header as one list. Directives that we do not know are ignored; what is not
/// even a list of directives, or a known one with a wrong argument, is 400.
pub(super) fn parse(headers: &HeaderMap) -> Result<Directives, GatewayError> {
    let mut directives = Directives::default();
    for line in headers.get_all(CACHE_CONTROL) {
        let line = line.to_str().map_err(|_| fault("is not readable text"))?;
        let mut rest = line.trim_matches(BLANK);
        while !rest.is_empty() {
            rest = element(rest, &mut directives)?;
        }
    }
    Ok(directives)
}

const BLANK: [char; 2] = [' ', '\t'];

fn fault(what: &str) -> GatewayError {
    GatewayError::bad_param("Cache-Control", format!("Cache-Control {what}."))
}

/// Reads one element of the list and the comma behind it; elements may be empty.
fn element<'t>(text: &'t str, directives: &mut Directives) -> Result<&'t str, GatewayError> {
    let (name, mut rest) = token(text);
    let mut argument = None;
    if !name.is_empty()
        && let Some(value) = rest.strip_prefix('=')
    {
        let (value, after) = argument_of(value)?;
        argument = Some(value);
        rest = after;
    }
    if !name.is_empty() {
        apply(name, argument.as_deref(), directives)?;
    }
    rest = rest.trim_start_matches(BLANK);
    match rest.strip_prefix(',') {
        Some(next) => Ok(next.trim_start_matches(BLANK)),
        None if rest.is_empty() => Ok(rest),
        None => Err(fault("is not a list of directives")),
    }
}

fn apply(
    name: &str,
    argument: Option<&str>,
    directives: &mut Directives,
) -> Result<(), GatewayError> {
    let flag = match name.to_ascii_lowercase().as_str() {
        "no-cache" => &mut directives.no_cache,
        "no-store" => &mut directives.no_store,
        "only-if-cached" => &mut directives.only_if_cached,
        "max-age" => {
            let age = argument
                .and_then(seconds)
                .ok_or_else(|| fault("has a max-age that is not a whole number of seconds"))?;
            // Of two, the one that asks for more is the safe reading.
            let stricter = directives.max_age.map_or(age, |before| before.min(age));
            directives.max_age = Some(stricter);
            return Ok(());
        }
        _ => return Ok(()),
    };
    if argument.is_some() {
        return Err(fault(&format!("has a {} with an argument", name.to_ascii_lowercase())));
    }
    *flag = true;
    Ok(())
}

fn seconds(text: &str) -> Option<Duration> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let seconds = text.parse::<u64>().unwrap_or(MAX_SECONDS);
    Some(Duration::from_secs(seconds.min(MAX_SECONDS)))
}

/// The longest token at the start, possibly empty, and the rest.
fn token(text: &str) -> (&str, &str) {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let end = text.find(|c| !is_token(c)).unwrap_or(text.len());
    text.split_at(end)
}

/// A token, or a quoted string without its quotes and escapes.
fn argument_of(text: &str) -> Result<(String, &str), GatewayError> {
    let Some(quoted) = text.strip_prefix('"') else {
        let (value, rest) = token(text);
        if value.is_empty() {
            return Err(fault("has a directive with an empty argument"));
        }
        return Ok((value.to_owned(), rest));
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((value, &quoted[at + 1..])),
            '\\' => value.extend(chars.next().map(|(_, escaped)| escaped)),
            _ => value.push(c),
        }
    }
    Err(fault("has a quoted argument that does not end"))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn read(lines: &[&str]) -> Result<Directives, GatewayError> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(CACHE_CONTROL, HeaderValue::from_str(line).unwrap());
        }
        parse(&headers)
    }

    fn aged(seconds: u64) -> Directives {
        Directives { max_age: Some(Duration::from_secs(seconds)), ..Directives::default() }
    }

    #[test]
    fn directives_are_read_in_any_case_and_order() {
        let no_cache = Directives { no_cache: true, ..Directives::default() };
        let all = Directives {
            no_cache: true,
            no_store: true,
            only_if_cached: true,
            max_age: Some(Duration::from_secs(60)),
        };
        for (lines, expected) in [
            (&[][..], Directives::default()),
            (&[""], Directives::default()),
            (&["no-cache"], no_cache),
            (&["No-Cache"], no_cache),
            (&["max-age=60"], aged(60)),
            (&["max-age=\"60\""], aged(60)),
            (&["max-age=0"], aged(0)),
            (&["max-age=60, max-age=5"], aged(5)),
            (&["max-age=99999999999999999999999"], aged(MAX_SECONDS)),
            (&["no-cache,no-store ,\tonly-if-cached, max-age=60"], all),
            (&["no-cache, no-store", "only-if-cached", "max-age=60"], all),
            (&[" , ,no-cache,, "], no_cache),
            (&["no-transform, x-foo=bar, y=\"a, no-store\\\"\", max-stale, no-cache"], no_cache),
            (&["min-fresh=10"], Directives::default()),
        ] {
            assert_eq!(read(lines).ok(), Some(expected), "{lines:?}");
        }
    }

    #[test]
    fn what_does_not_parse_is_refused_by_name() {
        for line in [
            "max-age",
            "max-age=",
            "max-age=-1",
            "max-age=1.5",
            "max-age=1h",
            "max-age =60",
            "max-age= 60",
            "max-age=\"60",
            "no-cache=foo",
            "no-store=\"\"",
            "only-if-cached=1",
            "no-cache no-store",
            "no-cache; no-store",
            "=5",
            "@",
            "x=\"open",
        ] {
            match read(&[line]) {
                Err(GatewayError::BadRequest { param: Some(param), .. }) => {
                    assert_eq!(param, "Cache-Control", "{line}");
                }
                other => panic!("{line}: {other:?}"),
            }
        }
    }
}
