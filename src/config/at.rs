//! Values that remember where they were written.
//!
//! Only the deserializer of `read` knows places; the names below are how its values ask.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::tree::Id;

pub(super) const AT: &str = "$semgate::At";
pub(super) const OR_OFF: &str = "$semgate::OrOff";
pub(super) const WORD_OR: &str = "$semgate::WordOr";

/// A value and the id of its place in the tree. Compares and prints as the value.
#[derive(Debug, Clone)]
pub struct At<T> {
    pub id: Id,
    pub value: T,
}

impl<T> At<T> {
    /// A value that was not read from a file; its place is the start of the file.
    pub fn nowhere(value: T) -> Self {
        Self { id: 0, value }
    }
}

impl<T: PartialEq> PartialEq for At<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: Eq> Eq for At<T> {}

impl<T: PartialOrd> PartialOrd for At<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.value.partial_cmp(&other.value)
    }
}

impl<T: Ord> Ord for At<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.value.cmp(&other.value)
    }
}

impl<T: Serialize> Serialize for At<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for At<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pair<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Pair<T> {
            type Value = At<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value with its place")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut pair: A) -> Result<At<T>, A::Error> {
                let id = pair.next_element()?.ok_or_else(|| A::Error::custom("no place"))?;
                let value = pair.next_element()?.ok_or_else(|| A::Error::custom("no value"))?;
                Ok(At { id, value })
            }
        }

        deserializer.deserialize_tuple_struct(AT, 2, Pair(PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for At<T> {
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }

    fn inline_schema() -> bool {
        T::inline_schema()
    }
}

/// A block that `off` (or `false`) switches off.
#[derive(Debug, Clone)]
pub enum OrOff<T> {
    Off,
    On(T),
}

impl<T: Default> Default for OrOff<T> {
    fn default() -> Self {
        Self::On(T::default())
    }
}

impl<T: Serialize> Serialize for OrOff<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Off => serializer.serialize_bool(false),
            Self::On(value) => value.serialize(serializer),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OrOff<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Block<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Block<T> {
            type Value = OrOff<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a block or `off`")
            }

            fn visit_none<E>(self) -> Result<OrOff<T>, E> {
                Ok(OrOff::Off)
            }

            fn visit_some<D: Deserializer<'de>>(self, block: D) -> Result<OrOff<T>, D::Error> {
                T::deserialize(block).map(OrOff::On)
            }
        }

        deserializer.deserialize_tuple_struct(OR_OFF, 1, Block(PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for OrOff<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("{}OrOff", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let block = generator.subschema_for::<T>();
        schemars::json_schema!({ "anyOf": [block, { "enum": ["off", false] }] })
    }
}

/// A single word, or a block of its own keys.
#[derive(Debug, Clone)]
pub enum WordOr<W, B> {
    Word(W),
    Block(B),
}

impl<W: Serialize, B: Serialize> Serialize for WordOr<W, B> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Word(word) => word.serialize(serializer),
            Self::Block(block) => block.serialize(serializer),
        }
    }
}

impl<'de, W: Deserialize<'de>, B: Deserialize<'de>> Deserialize<'de> for WordOr<W, B> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either<W, B>(PhantomData<(W, B)>);

        impl<'de, W: Deserialize<'de>, B: Deserialize<'de>> Visitor<'de> for Either<W, B> {
            type Value = WordOr<W, B>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a word or a block")
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(
                self,
                word: D,
            ) -> Result<WordOr<W, B>, D::Error> {
                W::deserialize(word).map(WordOr::Word)
            }

            fn visit_some<D: Deserializer<'de>>(self, block: D) -> Result<WordOr<W, B>, D::Error> {
                B::deserialize(block).map(WordOr::Block)
            }
        }

        deserializer.deserialize_tuple_struct(WORD_OR, 1, Either(PhantomData))
    }
}

impl<W: JsonSchema, B: JsonSchema> JsonSchema for WordOr<W, B> {
    fn schema_name() -> Cow<'static, str> {
        format!("{}Or{}", W::schema_name(), B::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (word, block) = (generator.subschema_for::<W>(), generator.subschema_for::<B>());
        schemars::json_schema!({ "anyOf": [word, block] })
    }
}
