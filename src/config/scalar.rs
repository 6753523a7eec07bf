//! How values are written: shares, durations, sizes, prices, secrets. Each parses from text and
//! prints as text that parses to the same value.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use secrecy::{ExposeSecret, SecretString};

/// A part of a whole in [0, 1], written `1%` or `0.01`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share(pub f64);

/// A duration, written `250ms`, `30s`, `5m`, `24h`, `30d`, or several of them: `1h30m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span(pub Duration);

/// Bytes, written `10MB` (10⁶) or `10MiB` (2²⁰).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size(pub u64);

/// US dollars per million tokens, kept as whole micro-dollars (pico-dollars per token).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsdPerMillion(pub i64);

/// A credential. It is neither shown by `Debug` nor in a fault; printing gives a reference to an
/// environment variable in its place.
#[derive(Clone)]
pub struct Secret {
    pub value: SecretString,
    /// What printing shows: `${NAME}`.
    pub shown: String,
}

impl Share {
    const EXPECTED: &str = "expected a share from 0% to 100%";
    const EXAMPLE: &str = "write `1%` or `0.01`";
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // Shifting the decimal point in the text keeps `0.1%` equal to `0.001`.
        let shifted = match text.strip_suffix('%') {
            Some(percent) if is_decimal(percent.trim_end()) => format!("{}e-2", percent.trim_end()),
            None if is_decimal(text) => text.to_owned(),
            _ => String::new(),
        };
        match shifted.parse::<f64>() {
            Ok(share) if (0.0..=1.0).contains(&share) => Ok(Self(share)),
            _ => Err(format!("{}, found `{}`; {}", Self::EXPECTED, short(text), Self::EXAMPLE)),
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = format!("{}%", (self.0 * 1e12).round() / 1e10);
        if percent.parse() == Ok(*self) { f.write_str(&percent) } else { write!(f, "{}", self.0) }
    }
}

/// Longest duration: a century, so that adding one to a clock cannot overflow.
const CENTURY: Duration = Duration::from_secs(36_525 * 86_400);

const UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

impl Span {
    fn parse(text: &str) -> Option<Duration> {
        let mut rest = text;
        let mut total = 0_u64;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit())?;
            let number: u64 = rest[..digits].parse().ok()?;
            rest = &rest[digits..];
            let end = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
            let (_, unit) = UNITS.iter().find(|(name, _)| *name == &rest[..end])?;
            total = total.checked_add(number.checked_mul(*unit)?)?;
            rest = &rest[end..];
        }
        let span = Duration::from_millis(total);
        (!text.is_empty() && span <= CENTURY).then_some(span)
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::parse(text).map(Self).ok_or_else(|| {
            let wanted = "expected a duration of at most a century";
            format!(
                "{wanted}, found `{}`; write whole numbers with ms, s, m, h or d: `250ms`, `24h`",
                short(text)
            )
        })
    }
}

/// In the largest unit that is exact; days only from two on, as one writes them.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0.as_millis();
        let exact = |unit: u64| ms.is_multiple_of(u128::from(unit)) && ms >= u128::from(unit);
        let unit =
            UNITS.iter().find(|(name, unit)| exact(*unit) && (*name != "d" || ms > 86_400_000));
        match unit {
            Some((name, unit)) => write!(f, "{}{name}", ms / u128::from(*unit)),
            None => f.write_str("0s"),
        }
    }
}

const SIZES: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("TB", 1_000_000_000_000),
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("KB", 1000),
    ("B", 1),
];

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let unit = text[digits..].trim_start();
        let factor =
            SIZES.iter().find(|(name, _)| *name == unit || (*name == "B" && unit.is_empty()));
        let bytes = text[..digits].parse::<u64>().ok().zip(factor);
        let bytes = bytes.and_then(|(number, (_, factor))| number.checked_mul(*factor));
        bytes.map(Self).ok_or_else(|| {
            let example = "write a whole number with KB, MB, GB or KiB, MiB, GiB: `10MB`";
            format!("expected a size, found `{}`; {example}", short(text))
        })
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Of the exact units the one with the fewest digits, decimal before binary.
        let exact = SIZES.iter().filter(|(_, unit)| self.0.is_multiple_of(*unit));
        let best = exact.max_by_key(|(name, unit)| (trailing(*unit, self.0), !name.contains('i')));
        let (name, unit) = best.copied().unwrap_or(("B", 1));
        write!(f, "{}{name}", self.0 / unit)
    }
}

/// Orders units by how short they make the number.
fn trailing(unit: u64, bytes: u64) -> std::cmp::Reverse<usize> {
    std::cmp::Reverse((bytes / unit).to_string().len() + usize::from(bytes / unit == 0) * 20)
}

impl FromStr for UsdPerMillion {
    type Err = String;

    /// Exact: the digits are read, never a float.
    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = "expected a price in USD per million tokens";
        if !is_decimal(text) {
            return Err(format!("{wanted}, found `{}`; write a number such as 0.40", short(text)));
        }
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let fraction = fraction.trim_end_matches('0');
        if fraction.len() > 6 {
            return Err(format!(
                "price `{}` is finer than 0.000001 USD per million tokens; round it",
                short(text)
            ));
        }
        let digits = format!("{whole}{fraction:0<6}");
        match digits.parse() {
            // A million dollars per million tokens is a slip of the unit, not a price.
            Ok(micro) if micro < 1_000_000_000_000 => Ok(Self(micro)),
            _ => Err(format!("{wanted}, found `{}`; write a smaller number", short(text))),
        }
    }
}

impl fmt::Display for UsdPerMillion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000);
        let text = text.trim_end_matches('0');
        // Two places at least, as prices are written.
        let places = text.len() - text.find('.').map_or(text.len(), |dot| dot + 1);
        write!(f, "{text}{}", "0".repeat(2_usize.saturating_sub(places)))
    }
}

impl FromStr for Secret {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(Self { value: SecretString::from(text), shown: String::new() })
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.value.expose_secret() == other.value.expose_secret()
    }
}

/// Digits, at most one point between or before them; no sign, no exponent.
fn is_decimal(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    digits(whole) && digits(fraction)
}

fn short(text: &str) -> String {
    text.chars().take(60).collect()
}

macro_rules! written_as_text {
    ($type:ident, $name:literal, $schema:expr) => {
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;
                impl serde::de::Visitor<'_> for Text {
                    type Value = $type;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str(concat!("a ", $name))
                    }
                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$type, E> {
                        text.parse().map_err(E::custom)
                    }
                }
                deserializer.deserialize_str(Text)
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $schema
            }
            fn inline_schema() -> bool {
                true
            }
        }
    };
}

written_as_text!(Share, "share", json_schema!({ "type": ["string", "number"] }));
written_as_text!(Span, "duration", json_schema!({ "type": "string" }));
written_as_text!(Size, "size", json_schema!({ "type": ["string", "integer"] }));
written_as_text!(
    UsdPerMillion,
    "price",
    json_schema!({ "type": ["number", "string"], "minimum": 0 })
);
written_as_text!(Secret, "secret", json_schema!({ "type": "string" }));

macro_rules! printed_as_text {
    ($($type:ident)*) => {$(
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    )*};
}

printed_as_text!(Share Span Size Secret);

/// As a number, so that it stands without quotes. Below a tenth of a cent a number might be printed
/// with an exponent, which a price has not.
impl serde::Serialize for UsdPerMillion {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            // Nine digits are exact in a float's shortest form.
            1_000..1_000_000_000 | 0 => serializer.serialize_f64(self.0 as f64 / 1e6),
            _ => serializer.collect_str(self),
        }
    }
}

#[cfg(test)]
mod tests;
