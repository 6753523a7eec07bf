//! JSON as the request path accepts it: one document, UTF-8 without a byte order mark, at most
//! [`MAX_DEPTH`] deep, no name twice in an object, no half surrogates. Two readers of one body can
//! then not disagree about what it says.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Arrays and objects inside one another, the outermost included.
pub const MAX_DEPTH: usize = 64;

/// Reads `bytes` as one object.
///
/// # Errors
///
/// A sentence for the caller that says what is wrong and where.
pub fn object(bytes: &[u8]) -> Result<Map<String, Value>, String> {
    if bytes.starts_with(b"\xEF\xBB\xBF") {
        return Err("The body starts with a byte order mark; send plain UTF-8 JSON.".into());
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        format!("The body is not UTF-8: invalid bytes at offset {}.", error.valid_up_to())
    })?;
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = Strict { depth: 0 }
        .deserialize(&mut reader)
        .and_then(|value| reader.end().map(|()| value))
        .map_err(|error| format!("The body is not valid JSON: {error}."))?;
    match value {
        Value::Object(members) => Ok(members),
        other => {
            Err(format!("The body must be a JSON object, but is {}.", super::check::kind(&other)))
        }
    }
}

/// Builds a value `depth` levels below the document.
#[derive(Clone, Copy)]
struct Strict {
    depth: usize,
}

impl Strict {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth == MAX_DEPTH {
            return Err(E::custom(format_args!("nested deeper than {MAX_DEPTH} levels")));
        }
        Ok(Self { depth: self.depth + 1 })
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(inner)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut members = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            if members.contains_key(&name) {
                let shown: String = name.chars().take(64).collect();
                return Err(A::Error::custom(format_args!("the key {shown:?} appears twice")));
            }
            members.insert(name, map.next_value_seed(inner)?);
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_readers_could_read_differently_is_refused() {
        let refused: [&[u8]; 14] = [
            b"",
            b"[]",
            b"\"x\"",
            b"{} {}",
            b"{\"a\":1}x",
            b"{\"a\":1,\"a\":1}",
            b"{\"a\":{\"b\":1,\"\\u0062\":2}}",
            b"{\"a\":\"\\ud800\"}",
            b"{\"a\":\"\\udc00x\"}",
            b"{\"\\ud800\":1}",
            b"{\"a\":1e309}",
            b"{\"a\":NaN}",
            b"{\"a\":\"\xff\"}",
            b"\xEF\xBB\xBF{}",
        ];
        for body in refused {
            assert!(object(body).is_err(), "{}", String::from_utf8_lossy(body));
        }
        for body in ["{}", " {\"a\":\"\\ud83d\\ude00\"} \n", "{\"a\":[{\"x\":1},{\"x\":1}]}"] {
            let expected: Value = serde_json::from_str(body).expect("JSON");
            assert_eq!(object(body.as_bytes()).map(Value::Object), Ok(expected), "{body}");
        }
    }

    #[test]
    fn depth_has_a_limit() {
        let nested = |levels: usize| {
            format!("{{\"a\":{}{}}}", "[".repeat(levels - 1), "]".repeat(levels - 1))
        };
        assert!(object(nested(MAX_DEPTH).as_bytes()).is_ok());
        let error = object(nested(MAX_DEPTH + 1).as_bytes()).expect_err("too deep");
        assert!(error.contains("64"), "{error}");
        assert!(object("[".repeat(1_000_000).as_bytes()).is_err());
    }
}
