use super::*;
use crate::judge::Verdict::{CannotTell, Different, Same};

fn values(text: &str) -> Vec<f64> {
    find(text).iter().map(|found| found.quantity.value).collect()
}

fn value(phrase: &str) -> Option<f64> {
    stated(phrase).map(|quantity| quantity.value)
}

#[test]
fn numbers_are_read_as_they_are_written() {
    for (text, expected) in [
        ("1,234 and 5", vec![1234.0, 5.0]),
        ("3,5 und 1.234,5", vec![3.5, 1234.5]),
        ("1,234,567.89", vec![1_234_567.89]),
        ("-4, 7 - 2, $-3, -$8", vec![-4.0, 7.0, 2.0, -3.0, -8.0]),
        ("3/4 and 1 1/2 and 2½", vec![0.75, 1.5, 2.5]),
        ("2 million, 3万", vec![2e6, 3e4]),
        ("1.5e-3 or 2 × 10^{-4} or 3x10^5", vec![0.0015, 2e-4, 3e5]),
        ("H2O, x_1, 3_4, v10, the 21st", vec![]),
        ("1.2.3 and 10.0.0.1", vec![]),
        ("12%", vec![12.0]),
        ("½", vec![0.5]),
        ("", vec![]),
    ] {
        assert_eq!(values(text), expected, "{text}");
    }
}

#[test]
fn phrases_state_one_number_or_none() {
    for (phrase, expected) in [
        ("12", Some(12.0)),
        ("**$1,234.00**.", Some(1234.0)),
        (r"$\frac{3}{4}$", Some(0.75)),
        ("x = 2 + 3 = 5", Some(5.0)),
        ("12 apples (3 * 4)", Some(12.0)),
        ("Ronnie is left with $4.", Some(4.0)),
        ("twenty-one apples", Some(21.0)),
        ("one hundred and five", Some(105.0)),
        ("1, 4, and 9", None),
        ("5 hours and 30 minutes", None),
        ("10:30", None),
        ("between 3 and 4", None),
        ("unknown", None),
        ("", None),
    ] {
        assert_eq!(value(phrase), expected, "{phrase}");
    }
}

#[test]
fn values_units_and_roundings() {
    for (a, b, verdict) in [
        ("12", "12.0", Same),
        ("$12.00", "twelve", Same),
        ("1/2", "0.5", Same),
        ("2 hours", "120 minutes", Same),
        ("180 cm", "1.8 m", Same),
        ("50 cents", "$0.50", Same),
        ("4 sheep", "4 animals", Same),
        ("12", "13", Different),
        ("9.11", "9.9", Different),
        ("24.7", "24", Different),
        ("2 hours", "2 days", Different),
        ("5 km", "7 kg", Different),
        // One may be the other, rounded or in another unit.
        ("16.65", "16.7", CannotTell),
        ("1/3", "0.33", CannotTell),
        ("12.56", "12.566", CannotTell),
        ("0.25", "25%", CannotTell),
        ("2 hours", "120", CannotTell),
    ] {
        let (x, y) = (stated(a).unwrap(), stated(b).unwrap());
        assert_eq!(compare(&x, &y), verdict, "{a} / {b}");
        assert_eq!(compare(&y, &x), verdict, "{b} / {a}");
    }
}
