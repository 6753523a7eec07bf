//! One encoding for all spellings of a JSON value, streamed into a hasher: members sorted, numbers
//! by value, every string with its length, so that no two values encode alike. What a member means,
//! and which of them count, is for `key`.

use serde_json::{Map, Number, Value};

/// Whether a null member is the same as none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nulls {
    /// As in the chat schema's own objects.
    Absent,
    /// As in a caller's own JSON: a schema with `"const": null` is not one without.
    Kept,
}

/// Objects of the chat schema within objects of the chat schema. Whatever else is nested is a
/// caller's own JSON.
const STRUCTURAL: [&str; 12] = [
    "allowed_tools",
    "audio",
    "custom",
    "file",
    "format",
    "function",
    "function_call",
    "grammar",
    "image_url",
    "input_audio",
    "json_schema",
    "tool_calls",
];

/// Below 2⁵² neighbouring doubles are at most a half apart. The JSON reader may be off by one
/// neighbour, so only below can a whole double not have been another whole number in the text.
const EXACT_DOUBLES: f64 = 4_503_599_627_370_496.0;

/// A hasher that takes typed values.
#[derive(Debug)]
pub struct Canonical {
    hasher: blake3::Hasher,
    inexact: bool,
}

impl Canonical {
    /// `domain` keeps apart what is hashed for different purposes.
    pub fn new(domain: &str) -> Self {
        Self { hasher: blake3::Hasher::new_derive_key(domain), inexact: false }
    }

    /// The hash of everything written so far.
    pub fn finish(&self) -> [u8; 32] {
        *self.hasher.finalize().as_bytes()
    }

    /// Whether a number was written whose text may have had another value than the double it was
    /// read as (integers beyond 64 bits, say). Equal hashes then do not prove equal requests.
    pub fn is_inexact(&self) -> bool {
        self.inexact
    }

    /// A mark that sets apart what follows.
    pub fn tag(&mut self, tag: u8) {
        self.hasher.update(&[tag]);
    }

    pub fn count(&mut self, count: usize) {
        self.hasher.update(&(count as u64).to_le_bytes());
    }

    /// Bytes of any length.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.tag(b's');
        self.count(bytes.len());
        self.hasher.update(bytes);
    }

    pub fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// A text, or none.
    pub fn optional(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.text(text),
            None => self.tag(b'n'),
        }
    }

    /// A configured number; written by its bits.
    pub fn float(&mut self, value: f64) {
        self.tag(b'd');
        self.hasher.update(&value.to_bits().to_le_bytes());
    }

    pub fn value(&mut self, value: &Value, nulls: Nulls) {
        match value {
            Value::Null => self.tag(b'n'),
            Value::Bool(false) => self.tag(b'f'),
            Value::Bool(true) => self.tag(b't'),
            Value::Number(number) => self.number(number),
            Value::String(text) => self.text(text),
            Value::Array(items) => {
                self.tag(b'[');
                self.count(items.len());
                for item in items {
                    self.value(item, nulls);
                }
            }
            Value::Object(members) => self.object(members, nulls),
        }
    }

    /// The members in sorted order, which is the order in which `serde_json` keeps them.
    pub fn object(&mut self, members: &Map<String, Value>, nulls: Nulls) {
        let counts = |value: &Value| nulls == Nulls::Kept || !value.is_null();
        self.tag(b'{');
        self.count(members.values().filter(|value| counts(value)).count());
        for (name, value) in members.iter().filter(|(_, value)| counts(value)) {
            self.member(name, value, nulls);
        }
    }

    /// A member of a schema object, or (with nulls kept) of a caller's own.
    pub fn member(&mut self, name: &str, value: &Value, nulls: Nulls) {
        let structural = nulls == Nulls::Absent && STRUCTURAL.contains(&name);
        self.text(name);
        self.value(value, if structural { Nulls::Absent } else { Nulls::Kept });
    }

    /// By value: `1`, `1.0` and `1e0` are one number.
    fn number(&mut self, number: &Number) {
        if let Some(integer) = number.as_i128() {
            return self.integer(integer);
        }
        let double = number.as_f64().unwrap_or(f64::NAN);
        if double.abs() < EXACT_DOUBLES && double.fract() == 0.0 {
            return self.integer(double as i128);
        }
        self.inexact |= double.abs() >= EXACT_DOUBLES;
        self.float(double);
    }

    fn integer(&mut self, integer: i128) {
        self.tag(b'i');
        self.hasher.update(&integer.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hash(text: &str, nulls: Nulls) -> [u8; 32] {
        let mut canonical = Canonical::new("test");
        canonical.value(&serde_json::from_str(text).unwrap(), nulls);
        canonical.finish()
    }

    fn same(left: &str, right: &str) -> bool {
        hash(left, Nulls::Kept) == hash(right, Nulls::Kept)
    }

    #[test]
    fn spellings_of_one_value_are_one() {
        for (left, right) in [
            ("1", "1.0"),
            ("1", "1e0"),
            ("100", "1E+2"),
            ("0", "-0.0"),
            ("0.5", "5e-1"),
            ("-3", "-3.000"),
            ("123456789012", "123456789012.0"),
            (r#"{"b": 1, "a": [2, {"d": 3, "c": 4}]}"#, r#"{"a":[2.0,{"c":4,"d":3}],"b":1}"#),
            (r#""é""#, r#""\u00e9""#),
        ] {
            assert!(same(left, right), "{left} {right}");
        }
    }

    #[test]
    fn different_values_differ() {
        let values = [
            "null",
            "false",
            "true",
            "0",
            "1",
            "-1",
            "0.5",
            "\"\"",
            "\"0\"",
            "\"1\"",
            "\"null\"",
            "[]",
            "{}",
            "[null]",
            "[[]]",
            "[0]",
            "[1]",
            "[0,1]",
            "[[0],1]",
            "[1,0]",
            "\"ab\"",
            "[\"a\",\"b\"]",
            "[\"ab\"]",
            "[\"ab\",\"\"]",
            "[\"\",\"ab\"]",
            "{\"a\":1}",
            "{\"a\":\"1\"}",
            "{\"a\":null}",
            "{\"b\":1}",
            "{\"a\":{\"b\":1}}",
            "{\"a\":1,\"b\":1}",
            "[\"a\",1]",
            "18446744073709551615",
            "18446744073709551614",
            "9223372036854775807",
            "9223372036854775808",
            "9007199254740992",
            "9007199254740993",
            "-9223372036854775808",
            "1e300",
            "0.1",
            "0.10000000000000002",
            "\"\\u0000\"",
            "\"é\"",
            "\"e\\u0301\"",
        ];
        for (at, left) in values.iter().enumerate() {
            for right in &values[at + 1..] {
                assert!(!same(left, right), "{left} {right}");
            }
        }
    }

    #[test]
    fn numbers_that_a_double_may_have_rounded_are_noticed() {
        let inexact = |text: &str| {
            let mut canonical = Canonical::new("test");
            canonical.value(&serde_json::from_str(text).unwrap(), Nulls::Kept);
            canonical.is_inexact()
        };
        for text in ["18446744073709551616", "[1e300]", "{\"a\":-9223372036854775809}", "1e16"] {
            assert!(inexact(text), "{text}");
        }
        for text in ["18446744073709551615", "-9223372036854775808", "0.1", "1e15", "12.5"] {
            assert!(!inexact(text), "{text}");
        }
    }

    #[test]
    fn nulls_are_absent_in_the_schema_and_kept_in_a_callers_own_json() {
        let schema =
            |left: &str, right: &str| hash(left, Nulls::Absent) == hash(right, Nulls::Absent);
        let call = r#"{"tool_calls":[{"id":"a","function":{"name":"f","x":null},"type":null}]}"#;
        assert!(schema(call, r#"{"tool_calls":[{"id":"a","function":{"name":"f"}}]}"#));
        assert!(schema(r#"{"a":1,"b":null}"#, r#"{"a":1}"#));
        assert!(!schema(
            r#"{"function":{"parameters":{"const":null}}}"#,
            r#"{"function":{"parameters":{}}}"#
        ));
        assert!(!schema(r#"{"vendor":{"a":null}}"#, r#"{"vendor":{}}"#));
        assert!(!schema("[null]", "[]"));
        assert!(!same(r#"{"a":null}"#, "{}"));
    }

    #[test]
    fn the_domain_counts() {
        let empty = |domain: &str| Canonical::new(domain).finish();
        assert_ne!(empty("a"), empty("b"));
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            (-50i32..50).prop_map(|n| Value::from(f64::from(n))),
            ".{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map("[a-c]{0,2}", inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    /// An independent idea of equality: doubles that are whole are integers.
    fn normal(value: &Value) -> Value {
        match value {
            Value::Number(number) => match number.as_f64() {
                Some(double)
                    if number.is_f64() && double.fract() == 0.0 && double.abs() < EXACT_DOUBLES =>
                {
                    Value::from(double as i64)
                }
                _ => value.clone(),
            },
            Value::Array(items) => items.iter().map(normal).collect(),
            Value::Object(members) => Value::Object(
                members.iter().map(|(name, value)| (name.clone(), normal(value))).collect(),
            ),
            other => other.clone(),
        }
    }

    proptest! {
        #[test]
        fn hashes_are_equal_exactly_when_values_are(left in any_value(), right in any_value()) {
            let hash = |value: &Value| {
                let mut canonical = Canonical::new("test");
                canonical.value(value, Nulls::Kept);
                canonical.finish()
            };
            prop_assert_eq!(hash(&left) == hash(&right), normal(&left) == normal(&right));
            prop_assert_eq!(hash(&left), hash(&normal(&left)));
        }
    }
}
