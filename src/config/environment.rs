//! Environment mode: without a file, each provider key found gives that provider with its tiers.
//!
//! The tables are ordinary configurations (`config/defaults/`), built in and put together: providers
//! and models one after the other, tiers of one name as one tier.

use std::sync::Arc;

use super::Env;
use super::fault::{Fault, Place};
use super::tree::{Entry, Node, Tree, Value};

/// A provider that a key in the environment brings.
struct Default {
    variable: &'static str,
    name: &'static str,
    text: &'static str,
}

macro_rules! defaults {
    ($($variable:literal => $name:literal,)*) => {
        &[$(Default {
            variable: $variable,
            name: concat!("config/defaults/", $name, ".yaml"),
            text: include_str!(concat!("../../config/defaults/", $name, ".yaml")),
        }),*]
    };
}

/// In the order in which their models stand in a tier.
const DEFAULTS: &[Default] = defaults! {
    "OPENAI_API_KEY" => "openai",
    "GEMINI_API_KEY" => "gemini",
    "MISTRAL_API_KEY" => "mistral",
    "GROQ_API_KEY" => "groq",
    "DEEPSEEK_API_KEY" => "deepseek",
    "XAI_API_KEY" => "xai",
    "TOGETHER_API_KEY" => "together",
};

/// Tiers from cheap to dear, as every table names them.
const TIERS: [&str; 3] = ["small", "mid", "frontier"];

/// The tables of all keys that are set, as one configuration.
pub fn tree(env: &Env) -> Result<Tree, Fault> {
    let mut tree = Tree::empty(Place::Environment);
    let set = DEFAULTS.iter().filter(|default| env.non_empty(default.variable).is_some());
    for default in set {
        let name: Arc<str> = Arc::from(default.name);
        let place = |mark: &serde_saphyr::granit_parser::Marker| Place::File {
            name: name.clone(),
            line: mark.line(),
            column: mark.col() + 1,
        };
        if let Some(table) = tree.read(default.text, place)? {
            merge(&mut tree.root, table);
        }
    }
    if matches!(&tree.root.value, Value::Map(entries) if entries.is_empty()) {
        return Err(nothing_set());
    }
    if let Some(Node { value: Value::List(tiers), .. }) = tiers(&mut tree.root) {
        tiers.sort_by_key(|tier| TIERS.iter().position(|name| named(tier, name)));
    }
    Ok(tree)
}

fn nothing_set() -> Fault {
    let variables: Vec<&str> = DEFAULTS.iter().map(|default| default.variable).collect();
    let advice = format!(
        "set one of {}, or write ./semgate.yaml (start from config/semgate.yaml) or name a file \
         with --config",
        variables.join(", ")
    );
    Fault::new(Place::Environment, "no configuration file and no provider key", advice)
}

/// Adds `more` to `node`: mappings by key, lists one after the other, named items of lists by name.
fn merge(node: &mut Node, more: Node) {
    match (&mut node.value, more.value) {
        (Value::Map(entries), Value::Map(more)) => {
            for entry in more {
                match entries.iter_mut().find(|known| known.key == entry.key) {
                    Some(Entry { value, .. }) => merge(value, entry.value),
                    None => entries.push(entry),
                }
            }
        }
        (Value::List(items), Value::List(more)) => {
            for item in more {
                let name = name_of(&item).map(str::to_owned);
                let same = items
                    .iter_mut()
                    .find(|known| name.as_deref().is_some_and(|name| named(known, name)));
                match same {
                    Some(known) => merge(known, item),
                    None => items.push(item),
                }
            }
        }
        // The first table decides a single value: a tier's name and its threshold.
        _ => {}
    }
}

fn tiers(root: &mut Node) -> Option<&mut Node> {
    let Value::Map(entries) = &mut root.value else { return None };
    let routing = entries.iter_mut().find(|entry| entry.key == "routing")?;
    let Value::Map(entries) = &mut routing.value.value else { return None };
    Some(&mut entries.iter_mut().find(|entry| entry.key == "tiers")?.value)
}

fn name_of(node: &Node) -> Option<&str> {
    match &node.get("name")?.value {
        Value::Scalar(scalar) => Some(&scalar.text),
        _ => None,
    }
}

fn named(node: &Node, name: &str) -> bool {
    name_of(node) == Some(name)
}

#[cfg(test)]
pub(super) fn all() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    DEFAULTS.iter().map(|default| (default.variable, default.name, default.text))
}
