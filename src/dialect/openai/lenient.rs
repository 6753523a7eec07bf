//! Reading what providers really send: members of any type, absent or null, never fatal. A value of
//! an unexpected type reads as "nothing here"; only broken JSON is an error.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// An object read as `T`; anything else is `None`.
#[derive(Debug)]
pub(super) struct Obj<T>(pub Option<T>);

/// An array of `T`; anything else is `None`.
#[derive(Debug)]
pub(super) struct List<T>(pub Option<Vec<T>>);

/// A non-empty string; anything else is `None`.
#[derive(Debug, Default)]
pub(super) struct Text(pub Option<String>);

/// A member that was named, be it null.
#[derive(Debug, Default)]
pub(super) struct Named(pub Option<Value>);

/// Whether a value is truthy as clients understand it: not null, false, zero or empty.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Truth(pub bool);

/// How much model output a member carries.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Weight {
    /// Unicode characters of the strings below it, labels such as `type` and `id` left out.
    pub chars: usize,
    /// A non-empty string, array or object.
    pub present: bool,
}

impl Weight {
    /// Whether there is text in it.
    pub fn has_text(self) -> bool {
        self.chars > 0
    }

    fn add(&mut self, other: Self) {
        self.chars += other.chars;
        self.present = true;
    }
}

impl<T> Default for Obj<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(None)
    }
}

/// Visitor methods for the kinds of value that a lenient reader passes over.
macro_rules! pass_over {
    ($($method:ident: $type:ty),*) => {
        $(fn $method<E: serde::de::Error>(self, _: $type) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        })*
    };
}

fn drain_seq<'de, A: SeqAccess<'de>>(mut seq: A) -> Result<usize, A::Error> {
    let mut count = 0;
    while seq.next_element::<IgnoredAny>()?.is_some() {
        count += 1;
    }
    Ok(count)
}

fn drain_map<'de, A: MapAccess<'de>>(mut map: A) -> Result<usize, A::Error> {
    let mut count = 0;
    while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
        count += 1;
    }
    Ok(count)
}

struct ObjVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjVisitor<T> {
    type Value = Obj<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    pass_over!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str);

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Obj(None))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
        drain_seq(seq)?;
        Ok(Obj(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(|value| Obj(Some(value)))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Obj<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ObjVisitor(PhantomData))
    }
}

struct ListVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ListVisitor<T> {
    type Value = List<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    pass_over!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str);

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(List(None))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(List(Some(items)))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        drain_map(map)?;
        Ok(List(None))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ListVisitor(PhantomData))
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    pass_over!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64);

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Text((!text.is_empty()).then(|| text.to_owned())))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Text(None))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
        drain_seq(seq)?;
        Ok(Text(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        drain_map(map)?;
        Ok(Text(None))
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

impl<'de> Deserialize<'de> for Named {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(|value| Named(Some(value)))
    }
}

struct TruthVisitor;

impl<'de> Visitor<'de> for TruthVisitor {
    type Value = Truth;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Truth, E> {
        Ok(Truth(value))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Truth, E> {
        Ok(Truth(true))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Truth, E> {
        Ok(Truth(value != 0))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Truth, E> {
        Ok(Truth(value != 0.0))
    }

    fn visit_str<E>(self, text: &str) -> Result<Truth, E> {
        Ok(Truth(!text.is_empty()))
    }

    fn visit_unit<E>(self) -> Result<Truth, E> {
        Ok(Truth(false))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Truth, A::Error> {
        drain_seq(seq).map(|count| Truth(count > 0))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Truth, A::Error> {
        drain_map(map).map(|count| Truth(count > 0))
    }
}

impl<'de> Deserialize<'de> for Truth {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TruthVisitor)
    }
}

/// A member's name inside output: labels describe, the rest is said by the model.
enum Label {
    Describes,
    Says,
}

struct LabelVisitor;

impl<'de> Visitor<'de> for LabelVisitor {
    type Value = Label;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Label, E> {
        Ok(match name {
            "type" | "id" | "index" | "format" | "signature" | "extra_content" | "expires_at" => {
                Label::Describes
            }
            _ => Label::Says,
        })
    }
}

impl<'de> Deserialize<'de> for Label {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_identifier(LabelVisitor)
    }
}

struct WeightVisitor;

impl<'de> Visitor<'de> for WeightVisitor {
    type Value = Weight;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    pass_over!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64);

    fn visit_str<E>(self, text: &str) -> Result<Weight, E> {
        Ok(Weight { chars: text.chars().count(), present: !text.is_empty() })
    }

    fn visit_unit<E>(self) -> Result<Weight, E> {
        Ok(Weight::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Weight, A::Error> {
        let mut sum = Weight::default();
        while let Some(item) = seq.next_element::<Weight>()? {
            sum.add(item);
        }
        Ok(sum)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Weight, A::Error> {
        let mut sum = Weight::default();
        while let Some(label) = map.next_key::<Label>()? {
            match label {
                Label::Says => sum.add(map.next_value()?),
                Label::Describes => {
                    map.next_value::<IgnoredAny>()?;
                    sum.present = true;
                }
            }
        }
        Ok(sum)
    }
}

impl<'de> Deserialize<'de> for Weight {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WeightVisitor)
    }
}
