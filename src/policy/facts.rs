//! What a rule may know of a request, and how CEL reads it. Values are handed out when an expression
//! asks for them and borrow the request: a rule that never names `prompt` never touches it.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use cel::ExecutionError;
use cel::common::traits::{Container, Indexer, Iterable, Iterator as CelIterator, Sizer};
use cel::common::types::{CelBool, CelInt, CelString, MAP_TYPE, Type};
use cel::common::value::{CowVal, Val};
use cel::context::VariableResolver;

use crate::dialect::openai::ChatRequest;
use crate::dialect::openai::request::Facts;

/// The names an expression may use.
pub const NAMES: [&str; 14] = [
    "prompt",
    "prompt_chars",
    "prompt_tokens",
    "turns",
    "has_tools",
    "has_image",
    "wants_json",
    "has_code",
    "stream",
    "model",
    "tenant",
    "hour",
    "tags",
    "headers",
];

/// The names that stand for a map from text to text.
pub const MAPS: [&str; 2] = ["tags", "headers"];

/// A request as a rule sees it. Borrowed throughout, so that building one costs nothing.
#[derive(Debug, Clone, Copy)]
pub struct RuleFacts<'a> {
    /// Text of the last user message.
    pub prompt: &'a str,
    /// The name the caller asked for.
    pub model: &'a str,
    pub stream: bool,
    pub shape: &'a Facts,
    pub tenant: &'a str,
    /// Hour of the day in UTC, 0 to 23.
    pub hour: u8,
    /// The caller's tags with the key's over them.
    pub tags: &'a BTreeMap<String, String>,
    /// Lower-case names; no credentials.
    pub headers: &'a BTreeMap<String, String>,
}

impl<'a> RuleFacts<'a> {
    pub fn new(
        request: &'a ChatRequest,
        tenant: &'a str,
        hour: u8,
        tags: &'a BTreeMap<String, String>,
        headers: &'a BTreeMap<String, String>,
    ) -> Self {
        Self {
            prompt: &request.prompt,
            model: &request.model,
            stream: request.stream,
            shape: &request.facts,
            tenant,
            hour,
            tags,
            headers,
        }
    }
}

impl VariableResolver for RuleFacts<'_> {
    /// Counts are CEL's `int`, the type of a plain literal, so that arithmetic with literals works.
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        let shape = self.shape;
        Some(match variable {
            "prompt" => text(self.prompt),
            "prompt_chars" => count(shape.prompt_chars as u64),
            "prompt_tokens" => count(shape.prompt_tokens),
            "turns" => count(shape.turns as u64),
            "has_tools" => CowVal::owned(CelBool::from(shape.has_tools)),
            "has_image" => CowVal::owned(CelBool::from(shape.has_image)),
            "wants_json" => CowVal::owned(CelBool::from(shape.wants_json)),
            "has_code" => CowVal::owned(CelBool::from(shape.has_code)),
            "stream" => CowVal::owned(CelBool::from(self.stream)),
            "model" => text(self.model),
            "tenant" => text(self.tenant),
            "hour" => count(u64::from(self.hour)),
            "tags" => CowVal::owned(TextMap::new(self.tags, false)),
            "headers" => CowVal::owned(TextMap::new(self.headers, true)),
            _ => return None,
        })
    }
}

fn text<'b>(value: &'b str) -> CowVal<'b, 'b> {
    CowVal::owned(CelString::from(value))
}

fn count<'b>(value: u64) -> CowVal<'b, 'b> {
    CowVal::owned(CelInt::from(i64::try_from(value).unwrap_or(i64::MAX)))
}

/// A map in which an absent key reads as the empty string. `in` and `size` still tell the truth
/// about what is there.
#[derive(Debug)]
struct TextMap<'v> {
    entries: &'v BTreeMap<String, String>,
    /// Keys are lower case, and are found whatever the case asked for.
    fold_case: bool,
    /// Made when a comprehension first walks the keys.
    keys: OnceLock<Vec<CelString<'v>>>,
}

impl<'v> TextMap<'v> {
    fn new(entries: &'v BTreeMap<String, String>, fold_case: bool) -> Self {
        Self { entries, fold_case, keys: OnceLock::new() }
    }

    fn find(&self, key: &dyn Val) -> Result<Option<&'v str>, ExecutionError> {
        let Some(key) = key.downcast_ref::<CelString>() else {
            return Err(ExecutionError::UnexpectedType {
                got: key.get_type().name().to_owned(),
                want: "string".to_owned(),
            });
        };
        let found = if self.fold_case && key.bytes().any(|byte| byte.is_ascii_uppercase()) {
            self.entries.get(&key.to_ascii_lowercase())
        } else {
            self.entries.get(key.inner())
        };
        Ok(found.map(String::as_str))
    }
}

impl Val for TextMap<'_> {
    fn get_type(&self) -> &Type {
        &MAP_TYPE
    }

    fn cel_type() -> &'static Type {
        &MAP_TYPE
    }

    fn as_container(&self) -> Option<&dyn Container> {
        Some(self)
    }

    fn as_indexer<'b, 'w>(&'b self) -> Option<&'b (dyn Indexer + 'w)>
    where
        Self: 'w,
    {
        Some(self)
    }

    fn as_iterable<'b, 'w>(&'b self) -> Option<&'b (dyn Iterable + 'w)>
    where
        Self: 'w,
    {
        Some(self)
    }

    fn as_sizer(&self) -> Option<&dyn Sizer> {
        Some(self)
    }

    fn clone_as_boxed<'w>(&self) -> Box<dyn Val + 'w>
    where
        Self: 'w,
    {
        Box::new(TextMap::new(self.entries, self.fold_case))
    }
}

impl Container for TextMap<'_> {
    fn contains(&self, key: &dyn Val) -> Result<bool, ExecutionError> {
        Ok(self.find(key)?.is_some())
    }
}

impl Indexer for TextMap<'_> {
    fn get<'b, 'w>(&'b self, key: &dyn Val) -> Result<CowVal<'b, 'w>, ExecutionError>
    where
        Self: 'w,
    {
        Ok(CowVal::owned(CelString::from(self.find(key)?.unwrap_or_default())))
    }

    fn steal<'w>(self: Box<Self>, key: &dyn Val) -> Result<Box<dyn Val + 'w>, ExecutionError>
    where
        Self: 'w,
    {
        Ok(Box::new(CelString::from(self.find(key)?.unwrap_or_default())))
    }
}

impl Sizer for TextMap<'_> {
    fn size(&self) -> CelInt {
        CelInt::from(i64::try_from(self.entries.len()).unwrap_or(i64::MAX))
    }
}

impl Iterable for TextMap<'_> {
    fn iter<'b, 'w>(&'b self) -> Box<dyn CelIterator<'b, 'w> + 'b>
    where
        Self: 'w,
    {
        let keys = self
            .keys
            .get_or_init(|| self.entries.keys().map(|key| CelString::from(key.as_str())).collect());
        Box::new(Keys(keys.iter()))
    }
}

struct Keys<'b, 'v>(std::slice::Iter<'b, CelString<'v>>);

impl<'b, 'v: 'w, 'w> CelIterator<'b, 'w> for Keys<'b, 'v> {
    fn next(&mut self) -> Option<&'b (dyn Val + 'w)> {
        let key: &'b CelString<'v> = self.0.next()?;
        Some(key)
    }
}
