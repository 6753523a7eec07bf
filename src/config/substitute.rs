//! `${NAME}` and `${NAME:-default}` in values. `$${` stands for a literal `${`.

use super::Env;
use super::fault::Fault;
use super::tree::{Id, Node, Scalar, Tree, Value};

/// Replaces every reference of the tree; those that cannot be replaced are faults at their place.
///
/// A scalar with a reference is typed by what it became, quoted or not: in `{port: "${PORT}"}` the
/// quotes are there only because braces cannot stand bare in a flow mapping.
///
/// The values at fault come with their ids, so that nobody tells a second fault of them.
pub fn substitute(tree: &mut Tree, env: &Env) -> Vec<(Id, Fault)> {
    let mut root = std::mem::replace(&mut tree.root, Node { id: 0, value: Value::List(vec![]) });
    let mut faults = Vec::new();
    walk(&mut root, &mut |id, scalar| {
        if !scalar.text.contains("${") {
            return;
        }
        match replace(&scalar.text, env) {
            Ok(replaced) => {
                if replaced.references {
                    scalar.plain = true;
                    scalar.written = Some(std::mem::take(&mut scalar.text));
                }
                scalar.text = replaced.text;
            }
            Err((problem, advice)) => {
                faults.push((id, Fault::new(tree.place(id), problem, advice)))
            }
        }
    });
    tree.root = root;
    faults
}

fn walk(node: &mut Node, visit: &mut impl FnMut(Id, &mut Scalar)) {
    match &mut node.value {
        Value::Scalar(scalar) => visit(node.id, scalar),
        Value::List(items) => items.iter_mut().for_each(|item| walk(item, visit)),
        Value::Map(entries) => entries.iter_mut().for_each(|entry| walk(&mut entry.value, visit)),
    }
}

struct Replaced {
    text: String,
    /// False when only `$${` was unescaped.
    references: bool,
}

fn replace(text: &str, env: &Env) -> Result<Replaced, (String, String)> {
    let mut out = String::with_capacity(text.len());
    let mut references = false;
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        if let Some(before) = rest[..at].strip_suffix('$') {
            out.push_str(before);
            out.push_str("${");
            rest = &rest[at + 2..];
            continue;
        }
        out.push_str(&rest[..at]);
        let inner = &rest[at + 2..];
        let Some(end) = inner.find('}') else {
            let advice = "close it with `}`, or write `$${` for the characters themselves";
            return Err(("`${` without its `}`".to_owned(), advice.to_owned()));
        };
        out.push_str(&value(&inner[..end], env)?);
        references = true;
        rest = &inner[end + 1..];
    }
    out.push_str(rest);
    Ok(Replaced { text: out, references })
}

/// The value of what stands between the braces. As in a shell, `:-` also replaces an empty value.
fn value(reference: &str, env: &Env) -> Result<String, (String, String)> {
    let (name, default) = match reference.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (reference, None),
    };
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if !starts_well || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        // The text between the braces is not shown: it may be a secret written by mistake.
        let problem = "`${…}` that names no environment variable".to_owned();
        return Err((problem, "write `${NAME}` or `${NAME:-default}`".to_owned()));
    }
    match default {
        Some(default) => Ok(env.non_empty(name).unwrap_or_else(|| default.to_owned())),
        None => env.get(name).ok_or_else(|| {
            let problem = format!("the environment variable {name} is not set");
            (problem, format!("set it, or write `${{{name}:-default}}`"))
        }),
    }
}

/// The text with `${` escaped, so that reading it again gives the text.
pub fn escape(text: &str) -> String {
    text.replace("${", "$${")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn replaced(text: &str) -> Result<String, String> {
        let env = Env::of([("A", "x"), ("EMPTY", "")]);
        replace(text, &env).map(|r| r.text).map_err(|(problem, _)| problem)
    }

    #[test]
    fn references_defaults_and_escapes() {
        for (text, expected) in [
            ("${A}", "x"),
            ("a${A}b${A}", "axbx"),
            ("${B:-}", ""),
            ("${B:-http://h:1}", "http://h:1"),
            ("${EMPTY}", ""),
            ("${EMPTY:-d}", "d"),
            ("${A:-d}", "x"),
            ("$${A} $A $", "${A} $A $"),
        ] {
            assert_eq!(replaced(text).as_deref(), Ok(expected), "{text}");
        }
        assert_eq!(replaced("${B}").unwrap_err(), "the environment variable B is not set");
        assert_eq!(replaced("${A").unwrap_err(), "`${` without its `}`");
        assert_eq!(replaced("${1}").unwrap_err(), "`${…}` that names no environment variable");
    }

    proptest! {
        #[test]
        fn an_escaped_text_reads_as_itself(text in "[ab${}:-]{0,12}") {
            prop_assert_eq!(replaced(&escape(&text)), Ok(text));
        }
    }
}
