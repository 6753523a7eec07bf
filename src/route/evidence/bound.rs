//! Exact bounds of a rate from counts: Clopper and Pearson's, for counts that may be fractions. Pure.
//!
//! A graded outcome (a loss of 0.4) enters as that fraction of a count. For outcomes between 0 and
//! 1 that is on the safe side in practice: none spreads more than one that is only 0 or 1 and has
//! the same mean. What the bounds are used for is `promise`'s.

/// Lanczos' approximation of ln Γ with g = 7 (Godfrey's coefficients): 15 digits for x > 0.
fn ln_gamma(x: f64) -> f64 {
    const COEFFICIENTS: [f64; 8] = [
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    let x = x - 1.0;
    let base = x + 7.5;
    let mut sum = 0.999_999_999_999_809_9;
    for (n, coefficient) in (1_u8..).zip(COEFFICIENTS) {
        sum += coefficient / (x + f64::from(n));
    }
    0.5 * (2.0 * std::f64::consts::PI).ln() + (x + 0.5) * base.ln() - base + sum.ln()
}

/// The regularised incomplete beta function I_x(a, b) for a, b > 0: the chance that a Beta(a, b)
/// variable is below x.
///
/// By its continued fraction, evaluated as Lentz does (Press et al., *Numerical Recipes*, 3rd ed.,
/// §6.4), on the side of the mean where it converges fast.
pub fn beta_below(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    let log_front = ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (-x).ln_1p();
    if x < (a + 1.0) / (a + b + 2.0) {
        log_front.exp() * continued_fraction(x, a, b) / a
    } else {
        1.0 - log_front.exp() * continued_fraction(1.0 - x, b, a) / b
    }
}

fn continued_fraction(x: f64, a: f64, b: f64) -> f64 {
    const TINY: f64 = 1e-300;
    // O(√max(a, b)) steps suffice: enough for hundreds of millions of labels.
    const STEPS: u32 = 20_000;
    let away_from_zero = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = d;
    for step in 1..=STEPS {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / away_from_zero(1.0 + even * d);
        c = away_from_zero(1.0 + even / c);
        fraction *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / away_from_zero(1.0 + odd * d);
        c = away_from_zero(1.0 + odd / c);
        fraction *= d * c;
        if (d * c - 1.0).abs() < 1e-15 {
            break;
        }
    }
    fraction
}

/// The x below which a Beta(a, b) variable lies with chance `share`. By bisection: slow beside
/// Newton's method, and it cannot miss.
pub fn beta_quantile(share: f64, a: f64, b: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    // The width after so many halvings is below the rounding of any rate worth a bound.
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if beta_below(middle, a, b) < share {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

/// The rate that is exceeded with chance `risk` at most, after `count` among `of`; 1 without
/// trials, or without any risk.
pub fn upper(count: f64, of: f64, risk: f64) -> f64 {
    debug_assert!(count >= 0.0);
    if count >= of || risk <= 0.0 {
        1.0
    } else {
        beta_quantile(1.0 - risk, count + 1.0, of - count)
    }
}

/// The rate that is not reached with chance `risk` at most, after `count` among `of`.
pub fn lower(count: f64, of: f64, risk: f64) -> f64 {
    debug_assert!(count <= of);
    if count <= 0.0 || risk <= 0.0 { 0.0 } else { beta_quantile(risk, count, of - count + 1.0) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-9 * b.abs().max(1.0)
    }

    #[test]
    fn agrees_with_closed_forms() {
        // Beta(1, b) and Beta(a, 1) have closed forms; Beta(2, 2) is 3x² − 2x³.
        for x in [0.001_f64, 0.2, 0.5, 0.77, 0.999] {
            assert!(near(beta_below(x, 1.0, 5.5), 1.0 - (1.0 - x).powf(5.5)));
            assert!(near(beta_below(x, 3.7, 1.0), x.powf(3.7)));
            assert!(near(beta_below(x, 2.0, 2.0), 3.0 * x * x - 2.0 * x * x * x));
            // The arcsine law.
            let arcsine = 2.0 / std::f64::consts::PI * x.sqrt().asin();
            assert!(near(beta_below(x, 0.5, 0.5), arcsine));
        }
    }

    #[test]
    fn agrees_with_another_library() {
        // Count, of, risk; upper, lower: scipy.stats.beta.ppf.
        let known = [
            (3.0, 50.0, 0.1, 0.1287564225866019, 0.022243984694506096),
            (12.4, 1500.0, 0.1, 0.012144873523179979, 0.005442616880978296),
            (0.3, 700.0, 0.05, 0.0050659699393998505, 4.584899518642022e-08),
            (250.5, 1000.0, 0.01, 0.28383400889474175, 0.21917056890167957),
            (4000.25, 20000.0, 0.1, 0.20368387168890742, 0.19638431189712877),
        ];
        for (count, of, risk, above, below) in known {
            assert!((upper(count, of, risk) - above).abs() < 1e-11, "{count} of {of}");
            assert!((lower(count, of, risk) - below).abs() < 1e-11, "{count} of {of}");
        }
    }

    #[test]
    fn no_event_is_the_rule_of_three_and_all_is_no_bound() {
        // Without an event among n, the bound is 1 − risk^(1/n).
        assert!(near(upper(0.0, 100.0, 0.05), 1.0 - 0.05_f64.powf(0.01)));
        assert_eq!(lower(0.0, 100.0, 0.05), 0.0);
        assert_eq!(upper(7.0, 7.0, 0.1), 1.0);
        assert_eq!(upper(0.0, 0.0, 0.1), 1.0);
        assert_eq!((upper(3.0, 9.0, 0.0), lower(3.0, 9.0, 0.0)), (1.0, 0.0));
        assert!(near(lower(7.0, 7.0, 0.1), 0.1_f64.powf(1.0 / 7.0)));
    }

    /// P(X ≤ k) of a binomial, term by term, from the end that does not vanish.
    fn binomial_up_to(k: u32, n: u32, p: f64) -> f64 {
        if p > 0.5 {
            return if k >= n { 1.0 } else { 1.0 - binomial_up_to(n - k - 1, n, 1.0 - p) };
        }
        let mut term = (1.0 - p).powi(n as i32);
        let mut sum = term;
        for i in 0..k {
            term *= f64::from(n - i) / f64::from(i + 1) * p / (1.0 - p);
            sum += term;
        }
        sum
    }

    proptest! {
        #[test]
        fn a_bound_is_where_the_binomial_tail_is_the_risk(n in 1_u32..300, part in 0.0_f64..1.0, risk in 0.01_f64..0.4) {
            let k = (part * f64::from(n)) as u32;
            let bound = upper(f64::from(k), f64::from(n), risk);
            prop_assert!((binomial_up_to(k, n, bound) - risk).abs() < 1e-6);
            if k > 0 {
                let bound = lower(f64::from(k), f64::from(n), risk);
                prop_assert!((1.0 - binomial_up_to(k - 1, n, bound) - risk).abs() < 1e-6);
            }
        }

        #[test]
        fn bounds_lie_about_the_rate_and_move_with_it(n in 1.0_f64..1e5, part in 0.0_f64..1.0, more in 0.0_f64..1.0) {
            let count = part * n;
            let rate = count / n;
            prop_assert!(upper(count, n, 0.1) >= rate && lower(count, n, 0.1) <= rate);
            let larger = count + more * (n - count);
            prop_assert!(upper(larger, n, 0.1) >= upper(count, n, 0.1) - 1e-12);
            prop_assert!(lower(larger, n, 0.1) >= lower(count, n, 0.1) - 1e-12);
        }
    }
}
