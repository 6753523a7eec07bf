//! From the located tree into the raw configuration: a serde deserializer that finds *every*
//! unknown key and every value of a wrong type, each with its place.
//!
//! serde stops at the first error. So a value that does not fit is noted and left out, and the
//! reading starts again; what is left at the end is whatever was right.

mod parts;

use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeOwned, Visitor};
use serde::forward_to_deserialize_any;

use parts::{Entries, Items, Located};

use super::at;
use super::fault::{Fault, Faults};
use super::tree::{Entry, Id, Node, Scalar, Tree, Value};

/// Faults after which reading stops: the file is of another kind.
const ENOUGH: usize = 200;

/// Reads a `T` out of the tree, and every fault on the way. `T` is incomplete where there are any,
/// and without the values of `left_out`, whose faults are told already.
pub fn read<T: DeserializeOwned + Default>(tree: &Tree, left_out: HashSet<Id>) -> (T, Faults) {
    let reader = Reader { tree, noted: RefCell::default(), left_out: RefCell::new(left_out) };
    loop {
        let cursor = Cursor { node: &tree.root, reader: &reader };
        match T::deserialize(cursor) {
            Ok(value) => return (value, Faults(reader.noted.into_inner())),
            Err(error) => {
                let id = error.id.unwrap_or(tree.root.id);
                reader.note(id, error.problem, error.advice);
                if id == tree.root.id || reader.noted.borrow().len() > ENOUGH {
                    return (T::default(), Faults(reader.noted.into_inner()));
                }
            }
        }
    }
}

struct Reader<'t> {
    tree: &'t Tree,
    noted: RefCell<Vec<Fault>>,
    /// Keys and values that are at fault, and so are passed over.
    left_out: RefCell<HashSet<Id>>,
}

impl Reader<'_> {
    fn note(&self, id: Id, problem: String, advice: String) {
        if self.left_out.borrow_mut().insert(id) {
            self.noted.borrow_mut().push(Fault::new(self.tree.place(id), problem, advice));
        }
    }

    fn skips(&self, id: Id) -> bool {
        self.left_out.borrow().contains(&id)
    }
}

/// What is wrong with the value `id`; without an id until a [`Cursor`] on the way up gives its own.
#[derive(Debug)]
pub struct Unfit {
    id: Option<Id>,
    problem: String,
    advice: String,
}

impl Unfit {
    fn new(problem: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { id: None, problem: problem.into(), advice: advice.into() }
    }

    fn at(mut self, id: Id) -> Self {
        self.id.get_or_insert(id);
        self
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.problem, self.advice)
    }
}

impl std::error::Error for Unfit {}

/// Scalar types word their errors as `problem; advice`.
impl de::Error for Unfit {
    fn custom<T: fmt::Display>(message: T) -> Self {
        let message = message.to_string();
        match message.split_once("; ") {
            Some((problem, advice)) => Self::new(problem, advice),
            None => Self::new(message, "see config/semgate.yaml"),
        }
    }
}

/// The nearest of the valid names, and all of them if they are few.
pub fn nearest(wrong: &str, valid: &[&str]) -> String {
    let wrong = wrong.to_lowercase();
    let best = valid
        .iter()
        .max_by(|a, b| strsim::jaro_winkler(&wrong, a).total_cmp(&strsim::jaro_winkler(&wrong, b)));
    match best {
        None => "nothing may stand here".to_owned(),
        Some(best) if valid.len() == 1 => format!("did you mean `{best}`?"),
        Some(best) => format!("did you mean `{best}`? Valid here: {}", valid.join(", ")),
    }
}

#[derive(Clone, Copy)]
struct Cursor<'t> {
    node: &'t Node,
    reader: &'t Reader<'t>,
}

impl<'t> Cursor<'t> {
    fn scalar(&self, wanted: &str, example: &str) -> Result<&'t Scalar, Unfit> {
        match &self.node.value {
            Value::Scalar(scalar) if !scalar.is_null() => Ok(scalar),
            _ => Err(self.unfit(wanted, example)),
        }
    }

    /// A plain scalar, parsed; the fault shows what stands there.
    fn parsed<T>(
        &self,
        wanted: &str,
        example: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, Unfit> {
        let scalar = self.scalar(wanted, example)?;
        if !scalar.plain {
            let problem = format!("expected {wanted}, found a quoted text");
            return Err(Unfit::new(problem, "leave the quotes out").at(self.node.id));
        }
        parse(&scalar.text).ok_or_else(|| {
            let problem = format!("expected {wanted}, found `{}`", shown(scalar));
            Unfit::new(problem, format!("write {example}")).at(self.node.id)
        })
    }

    fn unfit(&self, wanted: &str, example: &str) -> Unfit {
        let found = match &self.node.value {
            Value::Scalar(scalar) if scalar.is_null() => "nothing",
            Value::Scalar(_) => "a single value",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        };
        let problem = format!("expected {wanted}, found {found}");
        Unfit::new(problem, format!("write {example}")).at(self.node.id)
    }

    fn entries(&self) -> Result<&'t [Entry], Unfit> {
        match &self.node.value {
            Value::Map(entries) => Ok(entries),
            _ if self.node.is_null() => Ok(&[]),
            _ => Err(self.unfit("a mapping", "`key: value` pairs")),
        }
    }

    fn entries_of<V: Visitor<'t>>(
        self,
        entries: &'t [Entry],
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        let access = Entries::new(entries, self.reader);
        visitor.visit_map(access).map_err(|error| error.at(self.node.id))
    }
}

/// What a fault shows of a value.
fn shown(scalar: &Scalar) -> String {
    let text = scalar.written.as_ref().unwrap_or(&scalar.text);
    let short: String = text.chars().take(60).collect();
    if short.len() < text.len() { format!("{short}…") } else { short }
}

macro_rules! whole_numbers {
    ($($method:ident $visit:ident $type:ty,)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
            let number = self.parsed("a whole number", "digits only", |text| {
                text.parse::<$type>().ok()
            })?;
            visitor.$visit(number)
        }
    )*};
}

impl<'de> de::Deserializer<'de> for Cursor<'de> {
    type Error = Unfit;

    whole_numbers! {
        deserialize_u8 visit_u8 u8,
        deserialize_u16 visit_u16 u16,
        deserialize_u32 visit_u32 u32,
        deserialize_u64 visit_u64 u64,
        deserialize_i64 visit_i64 i64,
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        let switch = self.parsed("true or false", "true or false", |text| match text {
            "true" | "True" | "TRUE" | "on" | "On" | "ON" => Some(true),
            "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Some(false),
            _ => None,
        })?;
        visitor.visit_bool(switch)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        let number = self.parsed("a number", "a number such as 0.5", |text| {
            text.parse().ok().filter(|number: &f64| number.is_finite())
        })?;
        visitor.visit_f64(number)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        let scalar = self.scalar("a single value", "a text or number")?;
        visitor.visit_str(&scalar.text).map_err(|error: Unfit| {
            let problem = scalar.as_written(&error.problem);
            Unfit { problem, ..error }.at(self.node.id)
        })
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        if self.node.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        let items: &[Node] = match &self.node.value {
            Value::List(items) => items,
            _ if self.node.is_null() => &[],
            _ => return Err(self.unfit("a list", "`[a, b]`, or one `- item` a line")),
        };
        let access = Items::new(items, self.reader);
        visitor.visit_seq(access).map_err(|error| error.at(self.node.id))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        self.entries_of(self.entries()?, visitor)
    }

    /// The one place where unknown keys are found: `fields` are the valid ones.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        let entries = self.entries()?;
        for entry in entries.iter().filter(|entry| !fields.contains(&entry.key.as_str())) {
            let key: String = entry.key.chars().take(60).collect();
            let problem = format!("unknown key `{key}`");
            self.reader.note(entry.key_id, problem, nearest(&key, fields));
        }
        self.entries_of(entries, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        let wanted = format!("one of {}", variants.join(", "));
        let scalar = self.scalar(&wanted, &wanted)?;
        if !variants.contains(&scalar.text.as_str()) {
            let problem = format!("expected {wanted}, found `{}`", shown(scalar));
            return Err(Unfit::new(problem, nearest(&scalar.text, variants)).at(self.node.id));
        }
        visitor.visit_enum(StrDeserializer::new(&scalar.text))
    }

    /// [`at::At`] asks for the id and the value; [`at::OrOff`] whether it is switched off;
    /// [`at::WordOr`] whether it is a single value.
    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        match name {
            at::AT => visitor.visit_seq(Located::new(self.node.id, self)),
            at::OR_OFF => match &self.node.value {
                Value::Scalar(scalar)
                    if scalar.plain && ["off", "false"].contains(&scalar.text.as_str()) =>
                {
                    visitor.visit_none()
                }
                _ => visitor.visit_some(self),
            },
            at::WORD_OR => match &self.node.value {
                Value::Scalar(_) => visitor.visit_newtype_struct(self),
                _ => visitor.visit_some(self),
            },
            _ => self.deserialize_seq(visitor),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        match &self.node.value {
            Value::Scalar(_) if self.node.is_null() => visitor.visit_unit(),
            Value::Scalar(_) => self.deserialize_str(visitor),
            Value::List(_) => self.deserialize_seq(visitor),
            Value::Map(_) => self.deserialize_map(visitor),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i128 u128 f32 char bytes byte_buf unit unit_struct tuple identifier
    }
}
