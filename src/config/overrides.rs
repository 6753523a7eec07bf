//! `--set KEY=VALUE`: values in place of the file's, with the command line as their place.

use std::sync::Arc;

use super::fault::{Fault, Faults, Place};
use super::tree::{Entry, Node, Scalar, Tree, Value};

/// Puts each value at its dotted key. Blocks on the way are made where they are missing; an item of
/// a list is meant by its place (from 0) or its name.
pub fn apply(tree: &mut Tree, overrides: &[(String, String)]) -> Faults {
    let mut faults = Vec::new();
    for (key, value) in overrides {
        if let Err(fault) = apply_one(tree, key, value) {
            faults.push(fault);
        }
    }
    Faults(faults)
}

fn apply_one(tree: &mut Tree, key: &str, value: &str) -> Result<(), Fault> {
    let place = Place::Set(Arc::from(key));
    let mut parts = key.split('.').peekable();
    if key.split('.').any(str::is_empty) {
        let advice = "write dots between names: `cache.ttl.default`";
        return Err(Fault::new(place, "not a key", advice));
    }
    let id = tree.note(place.clone());
    let value = tree.read(value, |_| place.clone())?.unwrap_or_else(|| null(id));
    let mut node = &mut tree.root;
    while let Some(part) = parts.next() {
        let is_last = parts.peek().is_none();
        if matches!(node.value, Value::Scalar(_)) {
            // `embedder: off` gives way to a block.
            node.value = Value::Map(Vec::new());
        }
        node = match &mut node.value {
            Value::List(items) => {
                let found = match part.parse::<usize>() {
                    Ok(index) => items.get_mut(index),
                    Err(_) => items.iter_mut().find(|item| is_named(item, part)),
                };
                let advice = "name one that is there, by its name or its place from 0";
                found.ok_or_else(|| {
                    Fault::new(place.clone(), format!("the list has no item `{part}`"), advice)
                })?
            }
            Value::Map(entries) => entry(entries, part, id),
            Value::Scalar(_) => unreachable!("invariant: it was made a mapping above"),
        };
        if is_last {
            break;
        }
    }
    *node = value;
    Ok(())
}

/// The value of a key, made as an empty block if it is missing.
fn entry<'e>(entries: &'e mut Vec<Entry>, key: &str, id: u32) -> &'e mut Node {
    let at = entries.iter().position(|entry| entry.key == key).unwrap_or_else(|| {
        let value = Node { id, value: Value::Map(Vec::new()) };
        entries.push(Entry { key: key.to_owned(), key_id: id, value });
        entries.len() - 1
    });
    &mut entries[at].value
}

fn is_named(item: &Node, name: &str) -> bool {
    matches!(item.get("name"), Some(Node { value: Value::Scalar(scalar), .. }) if scalar.text == name)
}

fn null(id: u32) -> Node {
    Node { id, value: Value::Scalar(Scalar { text: String::new(), plain: true, written: None }) }
}
