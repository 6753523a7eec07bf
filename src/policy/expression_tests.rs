use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{Expression, ExpressionFault};
use crate::dialect::openai::request::Facts;
use crate::policy::facts::RuleFacts;

fn map(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
    entries.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
}

fn evaluate(source: &str) -> Result<bool, String> {
    let shape = Facts {
        prompt_chars: 11,
        prompt_tokens: 9000,
        turns: 3,
        has_tools: true,
        ..Facts::default()
    };
    let tags = map(&[("team", "support"), ("level", "7")]);
    let headers = map(&[("x-foo", "bar"), ("user-agent", "curl/8")]);
    let facts = RuleFacts {
        prompt: "Grüß dich, 9",
        model: "gpt-4o",
        stream: true,
        shape: &shape,
        tenant: "acme",
        hour: 23,
        tags: &tags,
        headers: &headers,
    };
    Expression::compile(source).unwrap_or_else(|fault| panic!("{source}: {fault}")).evaluate(&facts)
}

fn fault(source: &str) -> ExpressionFault {
    match Expression::compile(source) {
        Ok(_) => panic!("{source} compiled"),
        Err(fault) => fault,
    }
}

#[test]
fn what_rules_ask_for_is_answered() {
    for source in [
        "prompt_tokens > 8000 && has_tools",
        "prompt_tokens >= 9000",
        "prompt_tokens / 1000 == 9",
        "prompt_tokens > 8999.5",
        "prompt_chars < 200 && tags.team == 'support'",
        "prompt.contains('dich') && prompt.startsWith(\"Grüß\") && prompt.endsWith('9')",
        "size(prompt) == 12",
        "turns == 3 && stream && !wants_json && !has_code && !has_image",
        "model == 'gpt-4o' && tenant == \"acme\" && hour > 20 && hour in [22, 23]",
        "tags['team'] == 'support' && tags.absent == '' && tags['ab' + 'sent'] == ''",
        "headers['x-foo'] == 'bar' && headers['X-Foo'] == 'bar' && headers['x-none'] == ''",
        "'team' in tags && !('absent' in tags) && has(tags.team) && !has(tags.absent)",
        "tags.exists(name, name == 'team' && tags[name] == 'support')",
        "headers.all(name, name != 'authorization') && size(tags) == 2",
        "int(tags.level) > 5",
        "has_tools ? prompt_chars < 12 : false",
        "prompt_chars + turns == 14",
        "string(hour) == '23' && double(hour) > 22.5 && uint(hour) == 23u && bool('true')",
        "!(has_image || wants_json)",
        "dyn(hour) == 23 && type(hour) == type(1) && size(bytes('a')) == 1",
    ] {
        assert_eq!(evaluate(source), Ok(true), "{source}");
    }
}

#[test]
fn what_fails_at_run_time_says_so_without_quoting_the_request() {
    let shown = evaluate("int(tags.team) > 5").expect_err("`support` is no number");
    assert!(!shown.contains("support"), "{shown}");
    assert!(evaluate("100 / (turns - 3) > 1").is_err());
    assert!(evaluate("[1, 2][turns] > 0").is_err());
}

#[test]
fn an_error_in_one_operand_does_not_hide_what_the_other_decides() {
    assert_eq!(evaluate("int(tags.team) > 5 || has_tools"), Ok(true));
    assert_eq!(evaluate("int(tags.team) > 5 && has_image"), Ok(false));
}

#[test]
fn unknown_names_are_faults_with_the_nearest_name() {
    let wrong = fault("has_tools && promt_tokens > 3");
    assert!(wrong.message.contains("`promt_tokens`"), "{wrong}");
    assert!(wrong.message.contains("did you mean `prompt_tokens`?"), "{wrong}");
    assert_eq!(wrong.column, Some(14));
    assert!(fault("temperature > 1").message.contains("known are prompt, "));
    assert!(fault("tags.exists(x, y == 'a')").message.contains("`y`"));
    assert!(fault("[1].exists(x, x > 0) && x > 0").message.contains("`x`"));
    assert!(fault("headers.x-foo == 'bar'").message.contains("`foo`"));
    assert!(fault("string == 'a'").message.contains("`string`"));
}

#[test]
fn unknown_functions_are_faults_even_in_a_branch_not_taken() {
    assert!(fault("has_tools && prompt.containz('x')").message.contains("did you mean `contains`"));
    assert!(fault("has_tools && prompt.matches('x')").message.contains("not available"));
    assert!(fault("tags.exists(x, foo(x))").message.contains("`foo`"));
}

#[test]
fn type_faults_are_found_in_every_branch() {
    for source in [
        "prompt > 3",
        "has_tools && prompt > 3",
        "has_tools || prompt + 1 == 'x'",
        "has_tools ? prompt.contains(3) : true",
        "prompt",
        "prompt_tokens",
        "has_tools && prompt",
        "!prompt",
        "hour == '9'",
        "has_image && tags.level == 7",
        "tags == {'a': 'b'}",
        "tags[3] == 'x'",
        "3 in tags",
        "prompt.length > 3",
        "tags.exists(x, x > 3)",
        "prompt.contains('a', 'b')",
        "1 / 0 == 1",
        "Foo{a: 1} == 1",
        "prompt[0] == 'W'",
    ] {
        let fault = fault(source);
        assert!(fault.column.is_some(), "{source}: {fault}");
    }
    assert_eq!(fault("prompt > 3").message, "`>` cannot be applied to (string, int)");
    assert_eq!(fault("prompt").message, "gives string, where true or false is needed");
}

#[test]
fn what_is_no_expression_has_its_place() {
    for (source, column) in [
        ("", 1),
        ("has_tools &&", 13),
        ("has_tools && ) x", 14),
        ("ß == 'x' )", 1),
        ("'abc", 1),
        ("'ßß' == ) x", 9),
    ] {
        let fault = fault(source);
        assert_eq!(fault.column, Some(column), "{source}: {fault}");
        assert!(!fault.message.is_empty() && !fault.message.contains('\n'), "{fault:?}");
    }
    assert_eq!(fault("'ßß' == 'x' || promt == 'x'").column, Some(16));
    assert_eq!(fault("has_tools ||\n  promt == 'x'").column, Some(16));
}

#[test]
fn nesting_is_bounded() {
    let deep = format!("{}has_tools{}", "(".repeat(5000), ")".repeat(5000));
    assert!(Expression::compile(&deep).is_err());
}

#[test]
fn an_expression_can_be_shared_and_shows_its_source() {
    fn shared<T: Send + Sync>(_: &T) {}
    let expression = Expression::compile("has_tools").unwrap();
    shared(&expression);
    assert_eq!(format!("{expression:?}"), "Expression(\"has_tools\")");
    assert_eq!(expression.source(), "has_tools");
}

proptest! {
    /// Whatever an operator writes is an expression or a fault; a fault lies within the text.
    #[test]
    fn no_text_breaks_the_compiler(
        tokens in proptest::collection::vec(
            prop::sample::select(&[
                "prompt", "tags", "headers", ".", "(", ")", "[", "]", "&&", "||", "!", "-", "'a'",
                "\"", "1", "0", "?", ":", ",", "{", "}", "in", "has", "exists", "x", "team",
                "size", "int", "==", "<", "+", "/", "\\", "b'", "1u", "9223372036854775807", "é",
                "null", "true", "\n", "`",
            ][..]),
            0..14,
        ),
        spaced in any::<bool>(),
    ) {
        let source = if spaced { tokens.join(" ") } else { tokens.concat() };
        if let Err(fault) = Expression::compile(&source) {
            let end = source.chars().count() + 1;
            prop_assert!(fault.column.is_none_or(|column| (1..=end).contains(&column)), "{fault:?}");
        }
    }
}
