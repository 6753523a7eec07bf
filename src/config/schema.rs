//! The JSON Schema of a configuration file, for editors: types from the raw configuration,
//! descriptions from its comments, defaults from what an empty file means.

use serde_json::{Map, Value};

use super::raw::RawConfig;
use super::{Env, load_text, print};

/// The schema of the whole file (draft 2020-12).
pub fn schema() -> Value {
    let mut schema = schemars::schema_for!(RawConfig).to_value();
    let empty = load_text("semgate.yaml", "", &Env::empty(), &[])
        .expect("invariant: an empty configuration is valid");
    let defaults = serde_json::to_value(print::effective(&empty).config)
        .expect("invariant: a configuration serializes to JSON");
    let definitions = schema.get("$defs").cloned().unwrap_or_default();
    add_defaults(&mut schema, &defaults, &definitions);
    schema
}

/// Writes each default beside its key. A block that stands behind a reference is written out, so
/// that its keys can carry the defaults of this place.
fn add_defaults(schema: &mut Value, defaults: &Value, definitions: &Value) {
    let Value::Object(defaults) = defaults else { return };
    let Some(Value::Object(properties)) = schema.get_mut("properties") else { return };
    for (key, default) in defaults {
        let Some(Value::Object(property)) = properties.get_mut(key) else { continue };
        if !default.is_object() {
            property.insert("default".to_owned(), default.clone());
            continue;
        }
        let Some(block) = block(property, definitions) else { continue };
        let mut block = Value::Object(block);
        add_defaults(&mut block, default, definitions);
        let Value::Object(block) = block else { continue };
        if property.contains_key("$ref") {
            property.remove("$ref");
            let description = property.remove("description");
            property.extend(block);
            property.extend(description.map(|text| ("description".to_owned(), text)));
        }
    }
}

/// The definition that a property refers to.
fn block(property: &Map<String, Value>, definitions: &Value) -> Option<Map<String, Value>> {
    let name = property.get("$ref")?.as_str()?.strip_prefix("#/$defs/")?;
    definitions.get(name)?.as_object().cloned()
}
