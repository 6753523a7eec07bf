//! Values as they are written.

use proptest::prelude::*;

use super::*;

#[test]
fn shares_are_percents_or_decimals() {
    for (text, share) in
        [("1%", 0.01), ("0.01", 0.01), ("100%", 1.0), ("0", 0.0), ("0.1%", 0.001), ("2.5 %", 0.025)]
    {
        assert_eq!(text.parse(), Ok(Share(share)), "{text}");
    }
    for text in ["", "%", "101%", "1.5", "-1%", "1e-2", "NaN", ".5", "a"] {
        assert!(text.parse::<Share>().is_err(), "{text}");
    }
    assert_eq!(Share(0.02).to_string(), "2%");
    assert_eq!(Share(0.001).to_string(), "0.1%");
}

#[test]
fn durations_have_units() {
    for (text, ms) in
        [("250ms", 250), ("30s", 30_000), ("1h30m", 5_400_000), ("30d", 2_592_000_000), ("0s", 0)]
    {
        assert_eq!(text.parse(), Ok(Span(Duration::from_millis(ms))), "{text}");
    }
    for text in ["", "5", "s", "1.5s", "-1s", "1y", "99999999999d", "1 s", "36526d"] {
        assert!(text.parse::<Span>().is_err(), "{text}");
    }
    let shown = |ms| Span(Duration::from_millis(ms)).to_string();
    assert_eq!(
        [shown(86_400_000), shown(172_800_000), shown(1500), shown(0)],
        ["24h", "2d", "1500ms", "0s"]
    );
}

#[test]
fn sizes_are_decimal_or_binary() {
    for (text, bytes) in
        [("10MB", 10_000_000), ("10MiB", 10 << 20), ("7", 7), ("1 GB", 1_000_000_000), ("0B", 0)]
    {
        assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
    }
    for text in ["", "MB", "1.5GB", "-1KB", "10mb", "99999999999TB"] {
        assert!(text.parse::<Size>().is_err(), "{text}");
    }
    assert_eq!(
        [Size(256_000).to_string(), Size(10 << 20).to_string(), Size(0).to_string()],
        ["256KB", "10MiB", "0B"]
    );
}

#[test]
fn prices_are_exact() {
    for (text, micro) in [
        ("0.40", 400_000),
        ("1.6", 1_600_000),
        ("30", 30_000_000),
        ("0.000001", 1),
        ("0.1230000000", 123_000),
    ] {
        assert_eq!(text.parse(), Ok(UsdPerMillion(micro)), "{text}");
    }
    for text in ["", "-1", "1e3", ".5", "1.", "0.0000001", "1000000", "99999999999999999999", "$1"]
    {
        assert!(text.parse::<UsdPerMillion>().is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn what_is_printed_reads_as_the_same(n in 0..1_000_000_000_000_u64, share in 0.0..=1.0) {
        let span = Span(Duration::from_millis(n));
        prop_assert_eq!(span.to_string().parse(), Ok(span));
        let size = Size(n);
        prop_assert_eq!(size.to_string().parse(), Ok(size));
        let price = UsdPerMillion(i64::try_from(n).unwrap());
        prop_assert_eq!(price.to_string().parse(), Ok(price));
        prop_assert_eq!(serde_json::to_string(&price).unwrap().trim_matches('"').parse(), Ok(price));
        let share = Share(share);
        prop_assert_eq!(share.to_string().parse(), Ok(share));
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,12}") {
        let _ = (text.parse::<Share>(), text.parse::<Span>(), text.parse::<Size>(), text.parse::<UsdPerMillion>());
    }
}
