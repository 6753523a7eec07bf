//! Whole pico-dollars. No floating point takes part in accounting.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg, Sub};

/// An amount of US dollars in whole pico-dollars (10⁻¹²). May be negative: savings can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct Money(i128);

const PICO_PER_USD: i128 = 1_000_000_000_000;

impl Money {
    pub const ZERO: Self = Self(0);

    pub const fn from_pico(pico: i128) -> Self {
        Self(pico)
    }

    pub const fn pico(self) -> i128 {
        self.0
    }

    /// Decimal dollars as a float: for metrics and JSON at the edge only.
    pub fn usd(self) -> f64 {
        self.0 as f64 / PICO_PER_USD as f64
    }
}

/// Decimal dollars without exponent and without trailing zeros: `0.0000123`, `-0.5`, `0`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let whole = self.0.unsigned_abs();
        let unit = PICO_PER_USD.unsigned_abs();
        let fraction = format!("{:012}", whole % unit);
        let fraction = fraction.trim_end_matches('0');
        if fraction.is_empty() {
            write!(f, "{sign}{}", whole / unit)
        } else {
            write!(f, "{sign}{}.{fraction}", whole / unit)
        }
    }
}

impl Add for Money {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Money {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for Money {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Neg for Money {
    type Output = Self;
    fn neg(self) -> Self {
        Self(self.0.saturating_neg())
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}
