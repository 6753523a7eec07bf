//! Where the members of a JSON object stand in its bytes, so that one can be replaced or removed and
//! everything else stays as it was, white space and unknown members included.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// One member of an object, by byte offsets into the text it was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member<'a> {
    /// The name, unescaped.
    pub name: Cow<'a, str>,
    /// From the name's opening quote to the value's end.
    pub whole: Range<usize>,
    pub value: Range<usize>,
}

/// The members of the object `json` in their order, or `None` when it is no object.
pub(super) fn members(json: &str) -> Option<Vec<Member<'_>>> {
    let raw: RawMembers<'_> = serde_json::from_str(json).ok()?;
    let base = json.as_ptr() as usize;
    let bytes = json.as_bytes();
    // The name starts after the previous value's end (at first: after the brace), past white space
    // and a comma.
    let mut end = json.find('{')? + 1;
    let mut found = Vec::with_capacity(raw.0.len());
    for (name, value) in raw.0 {
        let start = end + bytes[end..].iter().position(|&byte| byte == b'"')?;
        let value_start = value.get().as_ptr() as usize - base;
        end = value_start + value.get().len();
        found.push(Member { name, whole: start..end, value: value_start..end });
    }
    Some(found)
}

/// The bytes of member `at` together with the comma that its absence makes superfluous.
pub(super) fn cut(members: &[Member<'_>], at: usize) -> Range<usize> {
    match (at.checked_sub(1), members.get(at + 1)) {
        (Some(before), _) => members[before].whole.end..members[at].whole.end,
        (None, Some(next)) => members[at].whole.start..next.whole.start,
        (None, None) => members[at].whole.clone(),
    }
}

/// A replacement of a span by other text; an empty span is an insertion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Edit {
    pub span: Range<usize>,
    pub text: String,
}

/// `bytes` with the edits made; spans must not overlap.
pub(super) fn apply(bytes: &[u8], mut edits: Vec<Edit>) -> Vec<u8> {
    edits.sort_by_key(|edit| edit.span.start);
    let added: usize = edits.iter().map(|edit| edit.text.len()).sum();
    let mut out = Vec::with_capacity(bytes.len() + added);
    let mut from = 0;
    for edit in edits {
        out.extend_from_slice(&bytes[from..edit.span.start]);
        out.extend_from_slice(edit.text.as_bytes());
        from = edit.span.end;
    }
    out.extend_from_slice(&bytes[from..]);
    out
}

struct RawMembers<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

struct RawMembersVisitor;

impl<'de> Visitor<'de> for RawMembersVisitor {
    type Value = RawMembers<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = Vec::with_capacity(8);
        while let Some(Name(name)) = map.next_key()? {
            found.push((name, map.next_value()?));
        }
        Ok(RawMembers(found))
    }
}

impl<'de> Deserialize<'de> for RawMembers<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RawMembersVisitor)
    }
}

/// A member's name, borrowed unless it is escaped.
#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    fn without(json: &str, name: &str) -> String {
        let found = members(json).expect("an object");
        let at = found.iter().position(|member| member.name == name).expect("the member");
        let edit = Edit { span: cut(&found, at), text: String::new() };
        String::from_utf8(apply(json.as_bytes(), vec![edit])).expect("UTF-8")
    }

    #[test]
    fn a_member_is_cut_with_one_comma_wherever_it_stands() {
        assert_eq!(without(r#"{"u":null,"b":1}"#, "u"), r#"{"b":1}"#);
        assert_eq!(
            without(r#"{ "a" : 1 , "u" : null , "b" : 2 }"#, "u"),
            r#"{ "a" : 1 , "b" : 2 }"#
        );
        assert_eq!(without(r#"{"a":"},\"","u":{"x":[1,2]}}"#, "u"), r#"{"a":"},\""}"#);
        assert_eq!(without(r#"{"u":null}"#, "u"), "{}");
        assert_eq!(without(r#"{"a":1,"\u0075":2}"#, "u"), r#"{"a":1}"#);
        assert_eq!(without(" {\n\"u\": 1,\n\"b\": 2}\n", "u"), " {\n\"b\": 2}\n");
    }

    #[test]
    fn what_is_no_object_has_no_members() {
        for json in ["[]", "1", "{", "{} x", "\"{}\""] {
            assert_eq!(members(json), None, "{json}");
        }
        assert_eq!(members("{}"), Some(vec![]));
    }
}
