//! `when:` expressions in CEL: compiled and checked when the configuration is read, evaluated
//! against [`RuleFacts`] for each request. What they decide is the caller's business.

use std::fmt;
use std::sync::{Arc, LazyLock};

use cel::common::ast::operators;
use cel::common::ast::{Expr, IdedExpr, SourceInfo};
use cel::common::types::CelBool;
use cel::common::value::CowVal;
use cel::parser::Parser;
use cel::{Context, Env, ExecutionError, Value};

use super::facts::RuleFacts;
use super::names;

/// The standard functions, without optional values: an absent key is the empty string already.
static ENVIRONMENT: LazyLock<Arc<Env>> =
    LazyLock::new(|| Arc::new(Env::default().with_optional_support(false).with_stdlib()));

/// A compiled expression with its source text.
///
/// Names and functions are known and, on a sample request, every branch had the right type. It can
/// still fail at run time (`int(tags.level)` of a tag that is no number).
///
/// `matches` is not among the functions: no regular expression runs over a prompt, and the cost of
/// an evaluation is linear in what it reads.
pub struct Expression {
    source: String,
    program: IdedExpr,
}

/// Why a source text is no usable expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ExpressionFault {
    pub message: String,
    /// Unicode character within the source, from 1.
    pub column: Option<usize>,
}

impl Expression {
    /// Parses, checks names and functions, and evaluates every branch on a sample request.
    ///
    /// Beyond CEL's own rules, comparing values that can never be equal (`hour == "9"`) is a fault:
    /// CEL calls it false, and the rule would silently never fire.
    pub fn compile(source: &str) -> Result<Self, ExpressionFault> {
        let (mut program, places) = Parser::new()
            .parse_with_source_info(source)
            .map_err(|errors| parse_fault(source, &errors))?;
        names::check(&mut program, &places)?;
        let constant = program.references().variables().is_empty();
        let sample = Sample::new();
        let facts = sample.facts();
        let trial = Trial { context: context(&facts), places: &places, constant };
        trial.truth(&program)?;
        Ok(Self { source: source.to_owned(), program })
    }

    /// The text it was compiled from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether it holds for a request. The error says what failed without quoting the request.
    pub fn evaluate(&self, facts: &RuleFacts<'_>) -> Result<bool, String> {
        let context = context(facts);
        let value =
            Value::resolve_val(&self.program, &context).map_err(|error| describe(&error))?;
        truth_of(&value).ok_or_else(|| not_a_truth(&value))
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expression({:?})", self.source)
    }
}

/// Two expressions are the same if they were written the same.
impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

fn context<'p, 'v>(facts: &'v RuleFacts<'_>) -> Context<'p, 'v> {
    let mut context = Context::with_env(ENVIRONMENT.clone());
    context.set_variable_resolver(facts);
    context
}

fn truth_of(value: &CowVal<'_, '_>) -> Option<bool> {
    value.downcast_ref::<CelBool>().map(|truth| *truth.inner())
}

fn not_a_truth(value: &CowVal<'_, '_>) -> String {
    format!("gives {}, where true or false is needed", value.get_type().name())
}

/// An evaluation on the sample request.
struct Trial<'p, 'v> {
    context: Context<'p, 'v>,
    places: &'v SourceInfo,
    /// No name is used, so that what fails now fails always.
    constant: bool,
}

impl Trial<'_, '_> {
    /// Checks an expression that must be true or false. The branches of `&&`, `||`, `!` and `?:`
    /// are tried one by one, since the sample would take only some of them.
    fn truth(&self, expr: &IdedExpr) -> Result<(), ExpressionFault> {
        if let Expr::Call(call) = &expr.expr {
            match call.func_name.as_str() {
                operators::LOGICAL_AND
                | operators::LOGICAL_OR
                | operators::LOGICAL_NOT
                | operators::CONDITIONAL => {
                    return call.args.iter().try_for_each(|branch| self.truth(branch));
                }
                operators::EQUALS | operators::NOT_EQUALS if call.args.len() == 2 => {
                    self.comparable(expr, &call.args[0], &call.args[1])?;
                }
                _ => {}
            }
        }
        match self.value(expr)? {
            Some(value) if truth_of(&value).is_none() => {
                Err(fault_at(self.places, expr, not_a_truth(&value)))
            }
            _ => Ok(()),
        }
    }

    fn comparable(
        &self,
        whole: &IdedExpr,
        left: &IdedExpr,
        right: &IdedExpr,
    ) -> Result<(), ExpressionFault> {
        let (Some(left), Some(right)) = (self.value(left)?, self.value(right)?) else {
            return Ok(());
        };
        let (left, right) = (left.get_type().name(), right.get_type().name());
        let is_number = |name: &str| matches!(name, "int" | "uint" | "double");
        if left == right || is_number(left) && is_number(right) {
            return Ok(());
        }
        Err(fault_at(self.places, whole, format!("compares {left} with {right}: never equal")))
    }

    /// The value on the sample. `None` when it depends on data that the sample does not have, such
    /// as a tag that must be a number.
    fn value<'e>(&'e self, expr: &'e IdedExpr) -> Result<Option<CowVal<'e, 'e>>, ExpressionFault> {
        match Value::resolve_val(expr, &self.context) {
            Ok(value) => Ok(Some(value)),
            Err(error) if !self.constant && depends_on_data(&error) => Ok(None),
            Err(error) => Err(fault_at(self.places, expr, describe(&error))),
        }
    }
}

fn depends_on_data(error: &ExecutionError) -> bool {
    matches!(
        error,
        ExecutionError::NoSuchKey(_)
            | ExecutionError::FunctionError { .. }
            | ExecutionError::DivisionByZero(_)
            | ExecutionError::RemainderByZero(_)
            | ExecutionError::Overflow(..)
            | ExecutionError::IndexOutOfBounds(_)
            | ExecutionError::DuplicateKey(_)
    )
}

/// What failed, in words that quote no value: values are callers' prompts and headers.
fn describe(error: &ExecutionError) -> String {
    match error {
        ExecutionError::NoSuchOverload(overload) => format!(
            "`{}` cannot be applied to ({})",
            operator(overload.function()),
            overload.argument_types().join(", ")
        ),
        ExecutionError::UnsupportedBinaryOperator(name, left, right) => format!(
            "`{}` cannot be applied to ({}, {})",
            operator(name),
            left.type_of(),
            right.type_of()
        ),
        ExecutionError::ValuesNotComparable(left, right) => {
            format!("{} cannot be compared with {}", left.type_of(), right.type_of())
        }
        ExecutionError::UndeclaredReference(name) => format!("unknown name or function `{name}`"),
        ExecutionError::FunctionError { function, .. } => {
            format!("`{function}` failed on this value")
        }
        ExecutionError::InvalidArgumentCount { expected, actual } => {
            format!("a function takes {expected} arguments and got {actual}")
        }
        ExecutionError::NoSuchKey(_) => "no such key or field".into(),
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => {
            "division by zero".into()
        }
        ExecutionError::Overflow(name, ..) => format!("`{}` overflows", operator(name)),
        ExecutionError::IndexOutOfBounds(_) => "an index is out of bounds".into(),
        ExecutionError::DuplicateKey(_) => "a map names a key twice".into(),
        _ => "an operation does not fit the type of its operands".into(),
    }
}

/// `_>_` as it is written: `>`.
fn operator(name: &str) -> &str {
    match name {
        operators::INDEX => "[]",
        "_._" => ".",
        operators::IN => "in",
        other if other.starts_with(['_', '!', '-']) => other.trim_matches('_'),
        other => other,
    }
}

fn parse_fault(source: &str, errors: &cel::ParseErrors) -> ExpressionFault {
    let Some(first) = errors.errors.first() else {
        return ExpressionFault { message: "is no CEL expression".into(), column: None };
    };
    let (line, column) = first.pos;
    let before: usize = source
        .split_inclusive('\n')
        .take(usize::try_from(line - 1).unwrap_or(0))
        .map(|line| line.chars().count())
        .sum();
    let column = usize::try_from(column).unwrap_or(1).max(1);
    let message = first.msg.lines().next().unwrap_or("is no CEL expression").to_owned();
    ExpressionFault { message, column: Some(before + column) }
}

/// A fault at the place where `expr` was written.
pub(super) fn fault_at(
    places: &SourceInfo,
    expr: &IdedExpr,
    message: impl Into<String>,
) -> ExpressionFault {
    let column = places.offset_for(expr.id).map(|(start, _)| {
        let before = places.source.char_indices().take_while(|(at, _)| *at < start as usize);
        before.count() + 1
    });
    ExpressionFault { message: message.into(), column }
}

/// An ordinary request, on which every expression must have the right type.
struct Sample {
    shape: crate::dialect::openai::request::Facts,
    tags: std::collections::BTreeMap<String, String>,
    headers: std::collections::BTreeMap<String, String>,
}

impl Sample {
    fn new() -> Self {
        let shape = crate::dialect::openai::request::Facts {
            prompt_chars: SAMPLE_PROMPT.len(),
            prompt_tokens: 17,
            turns: 1,
            ..Default::default()
        };
        // One entry each, so that the bodies of comprehensions are tried as well.
        let entry = |name: &str| [(name.to_owned(), "sample".to_owned())].into();
        Self { shape, tags: entry("team"), headers: entry("user-agent") }
    }

    fn facts(&self) -> RuleFacts<'_> {
        RuleFacts {
            prompt: SAMPLE_PROMPT,
            model: "auto",
            stream: false,
            shape: &self.shape,
            tenant: "acme",
            hour: 12,
            tags: &self.tags,
            headers: &self.headers,
        }
    }
}

const SAMPLE_PROMPT: &str = "What is the capital of France?";

#[cfg(test)]
#[path = "expression_tests.rs"]
mod tests;
