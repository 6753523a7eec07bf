//! The parts of lists and mappings, and keys, as serde asks for them.

use serde::de::value::U32Deserializer;
use serde::de::{self, DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::{Cursor, Reader, Unfit};
use crate::config::tree::{Entry, Id, Node};

/// The items of a list that are not left out.
pub(super) struct Items<'t> {
    items: std::slice::Iter<'t, Node>,
    reader: &'t Reader<'t>,
}

impl<'t> Items<'t> {
    pub(super) fn new(items: &'t [Node], reader: &'t Reader<'t>) -> Self {
        Self { items: items.iter(), reader }
    }
}

impl<'t> SeqAccess<'t> for Items<'t> {
    type Error = Unfit;

    fn next_element_seed<T: DeserializeSeed<'t>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Unfit> {
        let reader = self.reader;
        match self.items.find(|item| !reader.skips(item.id)) {
            Some(node) => seed.deserialize(Cursor { node, reader }).map(Some),
            None => Ok(None),
        }
    }
}

/// The entries of a mapping that are not left out.
pub(super) struct Entries<'t> {
    entries: std::slice::Iter<'t, Entry>,
    value: Option<&'t Node>,
    reader: &'t Reader<'t>,
}

impl<'t> Entries<'t> {
    pub(super) fn new(entries: &'t [Entry], reader: &'t Reader<'t>) -> Self {
        Self { entries: entries.iter(), value: None, reader }
    }
}

impl<'t> MapAccess<'t> for Entries<'t> {
    type Error = Unfit;

    fn next_key_seed<K: DeserializeSeed<'t>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Unfit> {
        let reader = self.reader;
        let fits = |entry: &&Entry| !reader.skips(entry.key_id) && !reader.skips(entry.value.id);
        let Some(entry) = self.entries.find(fits) else { return Ok(None) };
        self.value = Some(&entry.value);
        seed.deserialize(Key(entry)).map(Some).map_err(|error| error.at(entry.key_id))
    }

    fn next_value_seed<V: DeserializeSeed<'t>>(&mut self, seed: V) -> Result<V::Value, Unfit> {
        let node = self.value.take().expect("invariant: serde asks for a key before its value");
        seed.deserialize(Cursor { node, reader: self.reader })
    }
}

/// A key is text, or text with its id.
#[derive(Clone, Copy)]
struct Key<'t>(&'t Entry);

impl<'de> de::Deserializer<'de> for Key<'de> {
    type Error = Unfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        visitor.visit_borrowed_str(&self.0.key)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        visitor.visit_seq(Located::new(self.0.key_id, self))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct seq tuple map struct enum identifier ignored_any
    }
}

/// First the id, then the value.
pub(super) struct Located<D> {
    id: Option<Id>,
    value: D,
}

impl<D> Located<D> {
    pub(super) fn new(id: Id, value: D) -> Self {
        Self { id: Some(id), value }
    }
}

impl<'de, D: de::Deserializer<'de, Error = Unfit> + Copy> SeqAccess<'de> for Located<D> {
    type Error = Unfit;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Unfit> {
        match self.id.take() {
            Some(id) => {
                let id: U32Deserializer<Unfit> = id.into_deserializer();
                seed.deserialize(id).map(Some)
            }
            None => seed.deserialize(self.value).map(Some),
        }
    }
}
