//! YAML text into a tree in which every key and value knows its place.
//!
//! Types are not decided here: a scalar keeps its text and whether it was quoted, and the raw
//! configuration says what it should be (`read`). So `1.10` stays a version when a text is asked
//! for, and a price is never a binary float.

use std::collections::HashMap;
use std::sync::Arc;

use serde_saphyr::granit_parser::{Event, Marker, Parser, ScalarStyle, Span, StrInput, Tag};

use super::fault::{Fault, Place};

/// Names a key or value of a [`Tree`].
pub type Id = u32;

/// Nesting beyond this is refused; the configuration itself needs six.
const MAX_DEPTH: usize = 64;
/// Keys and values of one configuration, copies made by aliases included.
const MAX_NODES: usize = 200_000;

#[derive(Debug, Clone)]
pub struct Tree {
    pub root: Node,
    places: Vec<Place>,
    nodes: usize,
}

#[derive(Debug, Clone)]
pub struct Node {
    pub id: Id,
    pub value: Value,
}

#[derive(Debug, Clone)]
pub enum Value {
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key with its value.
#[derive(Debug, Clone)]
pub struct Entry {
    pub key: String,
    pub key_id: Id,
    pub value: Node,
}

#[derive(Debug, Clone)]
pub struct Scalar {
    pub text: String,
    /// Neither quoted nor a block: may be a number, a switch or null.
    pub plain: bool,
    /// The text before `${…}` in it was replaced; `None` where there was nothing to replace.
    pub written: Option<String>,
}

impl Scalar {
    pub fn is_null(&self) -> bool {
        self.plain && matches!(self.text.as_str(), "" | "~" | "null" | "Null" | "NULL")
    }

    /// What is said about the value, with the reference in place of what the environment gave: that
    /// may be a secret which stands where none belongs.
    pub fn as_written(&self, problem: &str) -> String {
        match &self.written {
            Some(written) if !self.text.is_empty() => {
                let shown: String = self.text.chars().take(60).collect();
                problem.replace(&shown, written)
            }
            _ => problem.to_owned(),
        }
    }
}

impl Node {
    /// Written as nothing, `~` or `null`.
    pub fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar(scalar) if scalar.is_null())
    }

    /// The value of a key of this mapping.
    pub fn get(&self, key: &str) -> Option<&Node> {
        let Value::Map(entries) = &self.value else { return None };
        entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// The node of that id at or below this one.
    pub fn find(&self, id: Id) -> Option<&Node> {
        if self.id == id {
            return Some(self);
        }
        match &self.value {
            Value::Scalar(_) => None,
            Value::List(items) => items.iter().find_map(|item| item.find(id)),
            Value::Map(entries) => entries.iter().find_map(|entry| entry.value.find(id)),
        }
    }
}

impl Tree {
    /// A tree without keys, to which others are added.
    pub fn empty(place: Place) -> Self {
        let root = Node { id: 0, value: Value::Map(Vec::new()) };
        Self { root, places: vec![place], nodes: 1 }
    }

    /// Reads one YAML document. An empty one is an empty mapping.
    pub fn parse(name: &Arc<str>, text: &str) -> Result<Self, Fault> {
        let start = Place::File { name: name.clone(), line: 1, column: 1 };
        let mut tree = Self::empty(start);
        let file = name.clone();
        let root = tree.read(text, move |mark: &Marker| Place::File {
            name: file.clone(),
            line: mark.line().max(1),
            column: mark.col() + 1,
        })?;
        match root {
            Some(Node { value: Value::Scalar(scalar), .. }) if scalar.is_null() => {}
            Some(node) => tree.root = node,
            None => {}
        }
        Ok(tree)
    }

    /// Where that key or value was written.
    pub fn place(&self, id: Id) -> Place {
        self.places[id as usize].clone()
    }

    /// A new id for something at that place.
    pub(super) fn note(&mut self, place: Place) -> Id {
        self.places.push(place);
        Id::try_from(self.places.len() - 1).expect("invariant: a tree holds few nodes")
    }

    /// Reads a document whose places `place` tells, and adds its places to this tree's.
    pub(super) fn read(
        &mut self,
        text: &str,
        place: impl Fn(&Marker) -> Place,
    ) -> Result<Option<Node>, Fault> {
        let parser = Parser::new_from_str(text);
        let mut builder =
            Builder { parser, tree: self, place: &place, anchors: HashMap::new(), depth: 0 };
        builder.document()
    }
}

/// Builds nodes from the events of the parser.
struct Builder<'t, 'i, P> {
    parser: Parser<'i, StrInput<'i>>,
    tree: &'t mut Tree,
    place: &'t P,
    anchors: HashMap<usize, Node>,
    depth: usize,
}

impl<'i, P: Fn(&Marker) -> Place> Builder<'_, 'i, P> {
    fn document(&mut self) -> Result<Option<Node>, Fault> {
        let mut root = None;
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => return Ok(root),
                (Event::DocumentStart(..), span) if root.is_some() => {
                    return Err(self.fault(&span, "a second document", "keep one in the file"));
                }
                (Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd, _) => {}
                (event, span) => root = Some(self.node(event, span)?),
            }
        }
    }

    /// The next event that is not a comment. The end of the events is the end of the stream.
    fn next(&mut self) -> Result<(Event<'i>, Span), Fault> {
        loop {
            match self.parser.next_event() {
                None => return Ok((Event::StreamEnd, Span::default())),
                Some(Ok((Event::Comment(..), _))) => {}
                Some(Ok(event)) => return Ok(event),
                Some(Err(error)) => {
                    let place = (self.place)(error.marker());
                    let problem = format!("not YAML: {}", error.info());
                    return Err(Fault::new(place, problem, "see the indentation and the quotes"));
                }
            }
        }
    }

    fn node(&mut self, event: Event<'i>, span: Span) -> Result<Node, Fault> {
        self.count(1, &span)?;
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain && !self.is_text(tag.as_deref(), &span)?;
                let scalar = Scalar { text: text.into_owned(), plain, written: None };
                Ok(self.keep(anchor, &span, Value::Scalar(scalar)))
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.is_text(tag.as_deref(), &span)?;
                let items = self.list(&span)?;
                Ok(self.keep(anchor, &span, Value::List(items)))
            }
            Event::MappingStart(_, anchor, tag) => {
                self.is_text(tag.as_deref(), &span)?;
                let entries = self.map(&span)?;
                Ok(self.keep(anchor, &span, Value::Map(entries)))
            }
            Event::Alias(anchor) => match self.anchors.get(&anchor) {
                Some(node) => {
                    let copy = node.clone();
                    self.count(size(&copy), &span)?;
                    Ok(copy)
                }
                None => Err(self.fault(&span, "an alias within itself", "spell the value out")),
            },
            _ => Err(self.fault(&span, "not YAML: a value was expected", "write a value")),
        }
    }

    fn list(&mut self, span: &Span) -> Result<Vec<Node>, Fault> {
        self.deeper(span)?;
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => break,
                (event, span) => items.push(self.node(event, span)?),
            }
        }
        self.depth -= 1;
        Ok(items)
    }

    fn map(&mut self, span: &Span) -> Result<Vec<Entry>, Fault> {
        self.deeper(span)?;
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                break;
            }
            let Node { id: key_id, value: Value::Scalar(Scalar { text: key, .. }) } =
                self.node(event, span)?
            else {
                return Err(self.fault(&span, "a key that is no plain word", "write `key: value`"));
            };
            if let Some(first) = entries.iter().find(|entry| entry.key == key) {
                let problem =
                    format!("key `{key}` stands twice, first at {}", self.tree.place(first.key_id));
                return Err(self.fault(&span, &problem, "keep one of the two"));
            }
            let (event, span) = self.next()?;
            let value = self.node(event, span)?;
            entries.push(Entry { key, key_id, value });
        }
        self.depth -= 1;
        Ok(entries)
    }

    fn keep(&mut self, anchor: usize, span: &Span, value: Value) -> Node {
        let id = self.tree.note((self.place)(&span.start));
        let node = Node { id, value };
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        node
    }

    /// Whether the tag says that the value is text. No other tag has a meaning here.
    fn is_text(&self, tag: Option<&Tag>, span: &Span) -> Result<bool, Fault> {
        match tag {
            None => Ok(false),
            Some(tag) if tag.is_yaml_core_schema_tag("str") => Ok(true),
            Some(tag) => {
                let problem = format!("tag `{}` has no meaning here", tag.original());
                Err(self.fault(span, &problem, "leave it out"))
            }
        }
    }

    fn count(&mut self, more: usize, span: &Span) -> Result<(), Fault> {
        self.tree.nodes += more;
        if self.tree.nodes > MAX_NODES {
            return Err(self.fault(span, "more than 200000 values", "write a smaller file"));
        }
        Ok(())
    }

    fn deeper(&mut self, span: &Span) -> Result<(), Fault> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.fault(span, "nested more than 64 deep", "write a flatter file"));
        }
        Ok(())
    }

    fn fault(&self, span: &Span, problem: &str, advice: &str) -> Fault {
        Fault::new((self.place)(&span.start), problem, advice)
    }
}

fn size(node: &Node) -> usize {
    1 + match &node.value {
        Value::Scalar(_) => 0,
        Value::List(items) => items.iter().map(size).sum(),
        Value::Map(entries) => entries.iter().map(|entry| 1 + size(&entry.value)).sum(),
    }
}
