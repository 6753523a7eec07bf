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
    let mut definitions = match schema.get_mut("$defs") {
        Some(Value::Object(definitions)) => std::mem::take(definitions),
        _ => Map::new(),
    };
    add_defaults(&mut schema, &defaults, &mut definitions);
    schema["$defs"] = Value::Object(definitions);
    schema["title"] = Value::from("semgate.yaml");
    schema
}

/// Writes each default beside its key, in the block itself or in the definition that it refers to:
/// blocks with defaults occur once.
fn add_defaults(schema: &mut Value, defaults: &Value, definitions: &mut Map<String, Value>) {
    let Value::Object(defaults) = defaults else { return };
    let Some(Value::Object(properties)) = schema.get_mut("properties") else { return };
    for (key, default) in defaults {
        let Some(property) = properties.get_mut(key) else { continue };
        if !default.is_object() {
            property["default"] = default.clone();
            continue;
        }
        let Some(name) = block(property, definitions) else { continue };
        if let Some(mut block) = definitions.remove(&name) {
            add_defaults(&mut block, default, definitions);
            definitions.insert(name, block);
        }
    }
}

/// The name of the block that a property refers to, through `anyOf` where it may be off.
fn block(property: &Value, definitions: &Map<String, Value>) -> Option<String> {
    if let Some(name) = property.get("$ref").and_then(Value::as_str) {
        let name = name.strip_prefix("#/$defs/")?;
        let definition = definitions.get(name)?;
        return match definition.get("properties") {
            Some(_) => Some(name.to_owned()),
            None => block(definition, definitions),
        };
    }
    let choices = property.get("anyOf")?.as_array()?;
    choices.iter().find_map(|choice| block(choice, definitions))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_is_described_and_each_default_shown() {
        let schema = schema();
        assert_eq!(schema["additionalProperties"], Value::from(false));
        let definitions = &schema["$defs"];
        for (block, key, default) in [
            ("RawServer", "listen", Value::from("127.0.0.1:8080")),
            ("RawEmbedder", "max_tokens", 256.into()),
            ("RawTtl", "default", "24h".into()),
            ("RawSemantic", "min_similarity", 0.5.into()),
            ("RawLog", "level", "info".into()),
            ("RawResilience", "attempts", 3.into()),
        ] {
            let key = &definitions[block]["properties"][key];
            assert_eq!(key["default"], default, "{block}");
        }
        for (name, block) in definitions.as_object().unwrap() {
            let Some(properties) = block["properties"].as_object() else { continue };
            assert_eq!(block["additionalProperties"], Value::from(false), "{name}");
            for (key, property) in properties {
                assert!(property["description"].is_string(), "{name}.{key} is not described");
            }
        }
    }
}
