//! The static half of checking an expression: every name and function is a known one, and what
//! reads like a presence test is one.

use cel::common::ast::operators;
use cel::common::ast::{CallExpr, EntryExpr, Expr, IdedExpr, LiteralValue, SourceInfo};
use cel::common::types::CelString;

use super::expression::{ExpressionFault, fault_at};
use super::facts::{MAPS, NAMES};

/// The functions of CEL's standard library that exist here.
const FUNCTIONS: [&str; 12] = [
    "size",
    "contains",
    "startsWith",
    "endsWith",
    "string",
    "int",
    "uint",
    "double",
    "bool",
    "bytes",
    "dyn",
    "type",
];

/// Checks `program`, and turns `has(tags.x)` into `"x" in tags`: since an absent key reads as the
/// empty string, the plain `has` would always hold.
pub(super) fn check(program: &mut IdedExpr, places: &SourceInfo) -> Result<(), ExpressionFault> {
    Walk { places, bound: Vec::new() }.visit(program)
}

struct Walk<'a> {
    places: &'a SourceInfo,
    /// Variables of the comprehensions around the present place.
    bound: Vec<String>,
}

impl Walk<'_> {
    fn visit(&mut self, expr: &mut IdedExpr) -> Result<(), ExpressionFault> {
        if let Some(test) = self.presence_test(expr) {
            expr.expr = test;
        }
        match &mut expr.expr {
            Expr::Unspecified | Expr::Literal(_) => Ok(()),
            Expr::Ident(name) => {
                if self.is_bound(name) || NAMES.contains(&name.as_str()) {
                    return Ok(());
                }
                let message = format!("unknown name `{name}`{}", hint(name, &NAMES));
                Err(fault_at(self.places, expr, message))
            }
            Expr::Select(select) => self.visit(&mut select.operand),
            Expr::Call(_) => self.visit_call(expr),
            Expr::List(list) => list.elements.iter_mut().try_for_each(|item| self.visit(item)),
            Expr::Map(map) => map.entries.iter_mut().try_for_each(|entry| match &mut entry.expr {
                EntryExpr::MapEntry(entry) => {
                    self.visit(&mut entry.key)?;
                    self.visit(&mut entry.value)
                }
                EntryExpr::StructField(field) => self.visit(&mut field.value),
            }),
            Expr::Struct(_) => {
                Err(fault_at(self.places, expr, "messages cannot be built in a rule"))
            }
            Expr::Comprehension(_) => self.visit_comprehension(expr),
        }
    }

    fn visit_call(&mut self, expr: &mut IdedExpr) -> Result<(), ExpressionFault> {
        let Expr::Call(call) = &expr.expr else { return Ok(()) };
        let name = call.func_name.as_str();
        let is_operator = !name.starts_with(|first: char| first.is_ascii_alphabetic());
        if !is_operator && !FUNCTIONS.contains(&name) {
            let message = match name {
                "matches" => "`matches` is not available: use `contains`, `startsWith`, `endsWith`"
                    .to_owned(),
                _ => format!("unknown function `{name}`{}", hint(name, &FUNCTIONS)),
            };
            return Err(fault_at(self.places, expr, message));
        }
        let compares = matches!(name, operators::EQUALS | operators::NOT_EQUALS);
        if compares && call.args.iter().any(|side| self.is_map(side)) {
            return Err(fault_at(self.places, expr, "compare one entry, not the whole map"));
        }
        let Expr::Call(call) = &mut expr.expr else { return Ok(()) };
        if let Some(target) = &mut call.target {
            self.visit(target)?;
        }
        call.args.iter_mut().try_for_each(|argument| self.visit(argument))
    }

    fn visit_comprehension(&mut self, expr: &mut IdedExpr) -> Result<(), ExpressionFault> {
        let Expr::Comprehension(comprehension) = &mut expr.expr else { return Ok(()) };
        self.visit(&mut comprehension.iter_range)?;
        self.visit(&mut comprehension.accu_init)?;
        let outer = self.bound.len();
        self.bound.push(comprehension.accu_var.clone());
        self.bound.push(comprehension.iter_var.clone());
        self.bound.extend(comprehension.iter_var2.clone());
        self.visit(&mut comprehension.loop_cond)?;
        self.visit(&mut comprehension.loop_step)?;
        self.visit(&mut comprehension.result)?;
        self.bound.truncate(outer);
        Ok(())
    }

    fn is_bound(&self, name: &str) -> bool {
        self.bound.iter().any(|bound| bound == name)
    }

    fn is_map(&self, expr: &IdedExpr) -> bool {
        matches!(&expr.expr, Expr::Ident(name)
            if MAPS.contains(&name.as_str()) && !self.is_bound(name))
    }

    fn presence_test(&self, expr: &IdedExpr) -> Option<Expr> {
        let Expr::Select(select) = &expr.expr else { return None };
        if !select.test || !self.is_map(&select.operand) {
            return None;
        }
        let key = LiteralValue::String(CelString::from(select.field.clone()));
        Some(Expr::Call(CallExpr {
            func_name: operators::IN.to_owned(),
            target: None,
            args: vec![
                IdedExpr { id: expr.id, expr: Expr::Literal(key) },
                (*select.operand).clone(),
            ],
        }))
    }
}

/// `, did you mean …` for the nearest of `known`, if one is near.
fn hint(name: &str, known: &[&str]) -> String {
    let nearest = known
        .iter()
        .map(|known| (strsim::damerau_levenshtein(&name.to_ascii_lowercase(), known), known))
        .min_by_key(|(distance, _)| *distance);
    match nearest {
        Some((distance, nearest)) if distance <= (name.len() / 3).max(1) => {
            format!(", did you mean `{nearest}`?")
        }
        _ => format!("; known are {}", known.join(", ")),
    }
}
