//! `when:` expressions in CEL.

use std::fmt;

/// A compiled expression with its source text.
pub struct Expression {
    source: String,
}

/// Why an expression is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpressionFault {
    pub message: String,
    pub column: Option<usize>,
}

impl fmt::Display for ExpressionFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Expression {
    /// Placeholder until the policy arrives: refuses what is no CEL.
    pub fn compile(source: &str) -> Result<Self, ExpressionFault> {
        if let Err(error) = cel::Program::compile(source) {
            return Err(ExpressionFault {
                message: error.to_string().lines().next().unwrap_or_default().to_owned(),
                column: None,
            });
        }
        Ok(Self { source: source.to_owned() })
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expression({:?})", self.source)
    }
}
