use serde_json::json;

use super::*;
use crate::judge::Verdict::{CannotTell, Different, Same};

const TOOLS: &str = r#"Call it. Functions: [{"name": "geo.area", "parameters": {"type": "object",
    "properties": {"radius": {"type": "number"}, "unit": {"type": "string", "description":
    "The unit. Default is 'm'."}, "order": {"type": "string", "enum": ["ascending", "descending"]},
    "exact": {"type": "boolean"}, "round": {"type": "integer", "default": 2}, "note":
    {"type": "string"}}}}]"#;

fn called(a: Value, b: Value) -> Verdict {
    let (a, b) = (calls(&a).unwrap(), calls(&b).unwrap());
    let verdict = compare_calls(&a, &b, TOOLS);
    assert_eq!(compare_calls(&b, &a, TOOLS), verdict);
    verdict
}

fn area(arguments: Value) -> Value {
    json!({"name": "geo.area", "arguments": arguments})
}

#[test]
fn calls_agree_whatever_their_dress() {
    let wire = json!([{"id": "c1", "type": "function",
        "function": {"name": "geo_area", "arguments": "{\"unit\": \"m\", \"radius\": 5}"}}]);
    assert_eq!(called(area(json!({"radius": 5.0, "unit": "m"})), wire), Same);
    let (x, y) = (area(json!({"radius": 1})), area(json!({"radius": 2})));
    assert_eq!(called(json!([x, y]), json!([y, x])), Same);
    assert_eq!(called(json!([x, y]), json!([x, x])), Different);
    assert_eq!(called(json!([x, y]), json!([x])), Different);
}

#[test]
fn arguments_left_out_have_their_default() {
    let bare = || area(json!({"radius": 5}));
    assert_eq!(called(bare(), area(json!({"radius": 5, "unit": "m"}))), Same);
    assert_eq!(called(bare(), area(json!({"radius": 5, "unit": "meters"}))), Same);
    assert_eq!(called(bare(), area(json!({"radius": 5, "unit": "cm"}))), Different);
    assert_eq!(called(bare(), area(json!({"radius": 5, "round": 2}))), Same);
    assert_eq!(called(bare(), area(json!({"radius": 5, "round": 3}))), Different);
    assert_eq!(called(bare(), area(json!({"radius": 5, "note": "x"}))), CannotTell);
    assert_eq!(called(bare(), area(json!({"radius": 5, "note": null}))), Same);
    assert_eq!(called(bare(), area(json!({"radius": 5, "exact": false}))), Same);
    assert_eq!(called(bare(), area(json!({"radius": 5, "exact": true}))), CannotTell);
    let order = |order: &str| area(json!({"order": order}));
    assert_eq!(called(order("ascending"), order("descending")), Different);
}

#[test]
fn strings_of_data() {
    for (a, b, verdict) in [
        ("Deer", "deer", Same),
        ("round trip", "round-trip", Same),
        ("2022-01-01", "Jan 1, 2022", Same),
        ("Boston", "Boston, MA", Same),
        ("NYC", "New York City", Same),
        ("km", "kilometers", Same),
        ("km", "miles", Different),
        ("Chicago, USA", "Houston, TX", Different),
        ("ascending", "descending", CannotTell),
        ("LAX", "Los Angeles, CA", CannotTell),
        ("Messi", "Lionel Messi", CannotTell),
        ("3x**2", "lambda x: 3x**2", CannotTell),
        ("blue", "yellow", Different),
        ("room 12", "room 14", Different),
    ] {
        assert_eq!(texts(a, b), verdict, "{a} / {b}");
        assert_eq!(texts(b, a), verdict, "{b} / {a}");
    }
}

#[test]
fn objects_compare_by_their_data() {
    for (a, b, verdict) in [
        (json!({"city": "Rome", "n": 1}), json!({"n": 1.0, "city": "rome"}), Same),
        (json!({"n": 1, "reason": "x y"}), json!({"n": 1, "reason": "z"}), Same),
        (json!({"n": 1}), json!({"n": 2}), Different),
        (json!({"n": 1}), json!({"n": 1, "more": true}), CannotTell),
        (json!({"reason": "x"}), json!({"reason": "y"}), CannotTell),
        (json!([1, 2]), json!([1, 2, 3]), Different),
        (json!(["a", "b"]), json!(["b", "a"]), CannotTell),
        (json!({"tags": []}), json!({"tags": []}), Same),
    ] {
        assert_eq!(compare_values(&a, &b), verdict, "{a} / {b}");
        assert_eq!(compare_values(&b, &a), verdict, "{b} / {a}");
    }
}
