//! How long an upstream asks us to stay away, read from its response headers. Pure.
//!
//! Providers say it in six ways. Whatever is negative, not finite or not understood is ignored and
//! the next header is asked; whatever is longer than [`LONGEST`] is cut to it, because headers of
//! 274,579,000 milliseconds have been seen.

use std::time::Duration;

use jiff::Timestamp;

/// The longest time for which a header alone may bench a target.
pub const LONGEST: Duration = Duration::from_secs(15 * 60);

/// Numbers from here on are seconds since 1970, not a distance.
const EPOCH_SECONDS: f64 = 1e9;
/// Numbers from here on are milliseconds since 1970.
const EPOCH_MILLIS: f64 = 1e12;

/// The wait that the headers ask for, in the order of trust: `retry-after-ms`, `retry-after`
/// (seconds or an HTTP date), then the reset of the limit that is used up.
pub fn wait<'h>(header: impl Fn(&str) -> Option<&'h str>, wall: Timestamp) -> Option<Duration> {
    header("retry-after-ms")
        .and_then(number)
        .and_then(|millis| seconds(millis / 1e3))
        .or_else(|| header("retry-after").and_then(|text| retry_after(text, wall)))
        .or_else(|| limit_reset(&header, wall))
        .map(|wait| wait.min(LONGEST))
}

/// `Retry-After`: seconds, or a date, or (out of standard, but met) a duration such as `20s`.
fn retry_after(text: &str, wall: Timestamp) -> Option<Duration> {
    match number(text) {
        Some(value) => seconds(value),
        None => span(text).or_else(|| date(text, wall)),
    }
}

/// `x-ratelimit-reset-*`. When the headers say which limit is used up, its reset counts (the later
/// one of several); otherwise the earliest, so that a target is not benched for a limit it kept.
fn limit_reset<'h>(header: &impl Fn(&str) -> Option<&'h str>, wall: Timestamp) -> Option<Duration> {
    let mut spent: Option<Duration> = None;
    let mut earliest: Option<Duration> = None;
    for suffix in ["-requests", "-tokens", ""] {
        let Some(reset) =
            header(&format!("x-ratelimit-reset{suffix}")).and_then(|text| reset_value(text, wall))
        else {
            continue;
        };
        earliest = Some(earliest.map_or(reset, |known| known.min(reset)));
        let left = header(&format!("x-ratelimit-remaining{suffix}")).and_then(number);
        if left == Some(0.0) {
            spent = Some(spent.map_or(reset, |known| known.max(reset)));
        }
    }
    spent.or(earliest)
}

/// One reset: a duration (`6m0s`), a distance in seconds, or a moment since 1970.
fn reset_value(text: &str, wall: Timestamp) -> Option<Duration> {
    let Some(value) = number(text) else { return span(text).or_else(|| date(text, wall)) };
    if value >= EPOCH_MILLIS {
        ahead(value / 1e3, wall)
    } else if value >= EPOCH_SECONDS {
        ahead(value, wall)
    } else {
        seconds(value)
    }
}

/// A plain decimal number, not negative. Words that `f64` would accept (`inf`, `nan`) are not.
fn number(text: &str) -> Option<f64> {
    let text = text.trim();
    if !text.starts_with(|first: char| first.is_ascii_digit() || first == '.') {
        return None;
    }
    text.parse::<f64>().ok().filter(|value| value.is_finite())
}

fn seconds(value: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(value).ok().or((value > 0.0).then_some(LONGEST))
}

/// Time from `wall` to a moment in seconds since 1970; a moment that has passed says nothing.
fn ahead(moment: f64, wall: Timestamp) -> Option<Duration> {
    let distance = moment - wall.as_millisecond() as f64 / 1e3;
    (distance > 0.0).then(|| seconds(distance)).flatten()
}

fn date(text: &str, wall: Timestamp) -> Option<Duration> {
    let moment = match httpdate::parse_http_date(text.trim()) {
        Ok(moment) => Timestamp::try_from(moment).ok()?,
        Err(_) => text.trim().parse::<Timestamp>().ok()?,
    };
    ahead(moment.as_millisecond() as f64 / 1e3, wall)
}

/// Go's notation of durations: `6m0s`, `1h2m3.5s`, `250ms`.
fn span(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut total = 0.0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (value, tail) = rest.split_at(digits);
        let letters = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        let scale = match unit {
            "d" => 86_400.0,
            "h" => 3_600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        total += number(value)? * scale;
        rest = tail;
    }
    seconds(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WALL: &str = "2026-08-21T10:00:00Z";

    fn read(headers: &[(&str, &str)]) -> Option<u128> {
        let header =
            |name: &str| headers.iter().find(|(known, _)| *known == name).map(|(_, text)| *text);
        wait(header, WALL.parse().unwrap()).map(|wait| wait.as_millis())
    }

    #[test]
    fn retry_after_forms() {
        let cap = Some(900_000);
        let vectors: &[(&str, Option<u128>)] = &[
            ("0", Some(0)),
            ("1", Some(1_000)),
            ("2", Some(2_000)),
            ("30", Some(30_000)),
            (" 30 ", Some(30_000)),
            ("0.5", Some(500)),
            ("1.25", Some(1_250)),
            (".5", Some(500)),
            ("5.", Some(5_000)),
            ("007", Some(7_000)),
            ("900", cap),
            ("901", cap),
            ("3600", cap),
            ("99999999999999999999999999", cap),
            ("1e2", Some(100_000)),
            ("1e400", None),
            ("-1", None),
            ("-0.1", None),
            ("+5", None),
            ("NaN", None),
            ("nan", None),
            ("inf", None),
            ("-inf", None),
            ("infinity", None),
            ("", None),
            ("   ", None),
            ("soon", None),
            ("1,5", None),
            ("12 apples", None),
            ("0x10", None),
            ("20s", Some(20_000)),
            ("1m30s", Some(90_000)),
            ("34.4s", Some(34_400)),
            ("5 s", None),
            ("Fri, 21 Aug 2026 10:00:10 GMT", Some(10_000)),
            ("Friday, 21-Aug-26 10:01:00 GMT", Some(60_000)),
            ("Fri Aug 21 10:00:02 2026", Some(2_000)),
            ("Fri, 21 Aug 2026 09:59:50 GMT", None),
            ("Fri, 21 Aug 2026 10:00:00 GMT", None),
            ("Sat, 22 Aug 2026 10:00:00 GMT", cap),
            ("Fri, 32 Aug 2026 10:00:10 GMT", None),
            ("2026-08-21T10:00:05Z", Some(5_000)),
            ("2026-08-21T12:00:05+02:00", Some(5_000)),
        ];
        for (text, expected) in vectors {
            assert_eq!(read(&[("retry-after", text)]), *expected, "retry-after: {text:?}");
        }
    }

    #[test]
    fn milliseconds_come_first_and_garbage_falls_through() {
        let vectors: &[(&str, &str, Option<u128>)] = &[
            ("1500", "9", Some(1_500)),
            ("0", "9", Some(0)),
            ("0.5", "9", Some(0)),
            ("274579000", "9", Some(900_000)),
            ("-5", "9", Some(9_000)),
            ("NaN", "9", Some(9_000)),
            ("", "9", Some(9_000)),
            ("soon", "later", None),
        ];
        for (millis, plain, expected) in vectors {
            let headers = [("retry-after-ms", *millis), ("retry-after", *plain)];
            assert_eq!(read(&headers), *expected, "{millis:?}, {plain:?}");
        }
    }

    #[test]
    fn reset_forms() {
        let vectors: &[(&str, Option<u128>)] = &[
            ("1s", Some(1_000)),
            ("6m0s", Some(360_000)),
            ("2m59.56s", Some(179_560)),
            ("17ms", Some(17)),
            ("1h2m3s", Some(900_000)),
            ("1d", Some(900_000)),
            ("60", Some(60_000)),
            ("7.66", Some(7_660)),
            // 2026-08-21T10:00:30Z in seconds and milliseconds since 1970.
            ("1787306430", Some(30_000)),
            ("1787306430500", Some(30_500)),
            ("1787306370", None),
            ("1x", None),
            ("s", None),
            ("1s2", None),
            ("-1s", None),
            ("..s", None),
        ];
        for (text, expected) in vectors {
            assert_eq!(read(&[("x-ratelimit-reset", text)]), *expected, "reset: {text:?}");
        }
    }

    #[test]
    fn the_limit_that_is_used_up_decides() {
        let resets = [("x-ratelimit-reset-requests", "1s"), ("x-ratelimit-reset-tokens", "6m0s")];
        assert_eq!(read(&resets), Some(1_000), "unknown which: the earliest");
        let mut tokens_spent = resets.to_vec();
        tokens_spent.push(("x-ratelimit-remaining-tokens", "0"));
        tokens_spent.push(("x-ratelimit-remaining-requests", "99"));
        assert_eq!(read(&tokens_spent), Some(360_000));
        let mut both = resets.to_vec();
        both.push(("x-ratelimit-remaining-tokens", "0"));
        both.push(("x-ratelimit-remaining-requests", "0"));
        assert_eq!(read(&both), Some(360_000));
        let mut explicit = both.clone();
        explicit.push(("retry-after", "3"));
        assert_eq!(read(&explicit), Some(3_000), "an explicit wait wins");
    }

    proptest::proptest! {
        #[test]
        fn never_panics_and_never_exceeds_the_cap(text in "\\PC{0,24}", number in "[0-9]{1,40}(\\.[0-9]{0,9})?(e[0-9]{1,4})?[a-z]{0,2}") {
            for value in [text.as_str(), number.as_str()] {
                for name in ["retry-after-ms", "retry-after", "x-ratelimit-reset-tokens"] {
                    if let Some(millis) = read(&[(name, value)]) {
                        proptest::prop_assert!(millis <= 900_000);
                    }
                }
            }
        }
    }
}
