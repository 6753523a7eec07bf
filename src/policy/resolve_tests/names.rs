//! Which names there are, and who may use them.

use super::*;
use crate::policy::{allowed_names, is_allowed};

#[test]
fn names_are_looked_up_in_the_documented_order() {
    let settings = settings();
    let anyone = caller(None);
    for (name, expected, label) in [
        ("auto", "route auto", "auto"),
        ("support", "route support", "support"),
        ("gpt-4o", "route gpt-4o", "gpt-4o"),
        ("tier/small", "tier small by Name", "tier/small"),
        ("mini", "model openai/gpt-4.1-mini by Name, then 1", "mini"),
        ("gpt-4.1-mini", "model openai/gpt-4.1-mini by Name, then 1", "mini"),
        ("openai/gpt-4.1-mini", "model openai/gpt-4.1-mini by Name, then 1", "mini"),
        ("qwen/medium", "model local/qwen/medium by Name, then 0", "medium"),
        ("local/qwen/medium", "model local/qwen/medium by Name, then 0", "medium"),
        ("openai/gpt-4o", "model openai/gpt-4o by Name, then 0", "gpt-4o"),
        ("openai/other-id", "model openai/other-id by Name, then 0", "other"),
        ("local/some/deep/id", "model local/some/deep/id by Name, then 0", "other"),
    ] {
        let policy = go(&settings, &anyone, name, &[]).unwrap();
        assert_eq!(shown(&policy), expected, "{name}");
        assert_eq!(&*policy.route_label, label, "{name}");
        assert_eq!(policy.requested, name);
    }
    for name in ["", "nope", "tier/nope", "tier/", "Auto", "openai/", "openai/a b", "nope/gpt-5"] {
        assert_eq!(chosen(&settings, &anyone, name, &[]), "404", "{name}");
    }
}

#[test]
fn a_404_lists_what_this_caller_may_use_and_nothing_else() {
    let settings = settings();
    let limited = caller(Some(&["auto", "tier/small", "openai/gpt-5-pro", "no-such-name"]));
    let message = |name: &str| match go(&settings, &limited, name, &[]) {
        Err(GatewayError::ModelNotFound { message }) => message,
        other => panic!("{other:?}"),
    };
    let expected = |name: &str| {
        format!(
            "The model `{name}` does not exist or you do not have access to it. \
             You may use: `auto`, `tier/small`, `openai/gpt-5-pro`."
        )
    };
    assert_eq!(message("big"), expected("big"));
    assert_eq!(message("nope"), expected("nope"));
    assert!(message(&"x".repeat(10_000)).len() < 1000);

    let nobody = caller(Some(&[]));
    let Err(GatewayError::ModelNotFound { message }) = go(&settings, &nobody, "auto", &[]) else {
        panic!("nothing is allowed")
    };
    assert!(message.ends_with("This key may use no model."), "{message}");
}

#[test]
fn a_long_list_of_names_is_cut() {
    let mut settings = settings();
    let openai = settings.providers[0].clone();
    settings.models = (0..200).map(|n| model(&format!("m{n}"), &openai, "id", &[])).collect();
    let Err(GatewayError::ModelNotFound { message }) = go(&settings, &caller(None), "no", &[])
    else {
        panic!("no such name")
    };
    assert!(message.contains("and 156 more") && message.len() < 1000, "{message}");
}

#[test]
fn a_listed_model_may_be_asked_for_by_each_of_its_names() {
    let settings = settings();
    let limited = caller(Some(&["mini"]));
    for name in ["mini", "gpt-4.1-mini", "openai/gpt-4.1-mini"] {
        assert!(is_allowed(&settings, &limited, name), "{name}");
    }
    for name in ["auto", "tier/small", "medium", "openai/gpt-5", "openai/anything"] {
        assert!(!is_allowed(&settings, &limited, name), "{name}");
    }
    // Listed by id: that spelling, and no other.
    let by_id = caller(Some(&["gpt-4.1-mini"]));
    assert!(is_allowed(&settings, &by_id, "gpt-4.1-mini"));
    assert!(!is_allowed(&settings, &by_id, "mini"));
    // Listed is the route `gpt-4o`; the model behind the same name is another thing.
    let of_route = caller(Some(&["gpt-4o"]));
    assert!(is_allowed(&settings, &of_route, "gpt-4o"));
    assert!(!is_allowed(&settings, &of_route, "openai/gpt-4o"));
}

#[test]
fn every_listed_name_can_be_asked_for_and_stands_once() {
    let settings = settings();
    for caller in [caller(None), caller(Some(&["support", "tier/mid", "mini", "openai/x"]))] {
        let names: Vec<String> =
            allowed_names(&settings, &caller).into_iter().map(|allowed| allowed.name).collect();
        let mut unique = names.clone();
        unique.sort();
        unique.dedup();
        assert_eq!(unique.len(), names.len());
        for name in &names {
            assert!(go(&settings, &caller, name, &[]).is_ok(), "{name}");
        }
    }
    let all = allowed_names(&settings, &caller(None));
    let names: Vec<&str> = all.iter().map(|allowed| allowed.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "auto",
            "support",
            "gpt-4o",
            "tier/small",
            "tier/mid",
            "tier/frontier",
            "mini",
            "medium",
            "big"
        ]
    );
}
