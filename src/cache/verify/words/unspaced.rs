//! Numbers, days, units and negations in text without spaces (Chinese, Japanese): found as parts of
//! the text, since words have no borders there.

use super::abroad;

/// A digit or a Han numeral.
pub(crate) fn is_numeral(c: char) -> bool {
    c.is_ascii_digit() || digit(c).is_some() || power(c).is_some()
}

/// A run of numerals as digits: `三` is `3`, `二十五` is `25`, `3万` is `30000`. Digits beside each
/// other stand as they are (`二〇二四` is `2024`). `None` for what is no number.
pub(crate) fn value(run: &str) -> Option<String> {
    if run.is_empty() || !run.chars().all(is_numeral) {
        return None;
    }
    if !run.contains(|c| power(c).is_some()) {
        return run
            .chars()
            .map(|c| c.to_digit(10).or(digit(c)).and_then(|d| char::from_digit(d, 10)))
            .collect();
    }
    let (mut sum, mut group, mut pending, mut last) = (0_u128, 0_u128, 0_u128, u128::MAX);
    for c in run.chars() {
        if let Some(power) = power(c).filter(|power| *power >= 10_000) {
            let section = group.checked_add(pending)?;
            // `一亿二千万` adds its parts, `一万亿` multiplies them.
            sum = match power < last {
                true => sum.checked_add(section.max(1).checked_mul(power)?)?,
                false => sum.checked_add(section)?.max(1).checked_mul(power)?,
            };
            last = power;
            (group, pending) = (0, 0);
        } else if let Some(power) = power(c) {
            group = group.checked_add(pending.max(1).checked_mul(power)?)?;
            pending = 0;
        } else {
            let digit = c.to_digit(10).or(digit(c))?;
            pending = pending.checked_mul(10)?.checked_add(digit.into())?;
        }
    }
    Some((sum.checked_add(group)?.checked_add(pending)?).to_string())
}

/// The numbers that stand in a text in Han numerals alone. Numerals that are parts of other words
/// count too and so do no harm, but for the courteous `一下`.
pub(crate) fn numbers(text: &str) -> Vec<String> {
    let text = text.replace("一下", "");
    let runs = text.split(|c| !is_numeral(c));
    runs.filter(|run| !run.contains(|c: char| c.is_ascii_digit())).filter_map(value).collect()
}

/// Units behind a number.
pub(crate) fn units(text: &str) -> Vec<&'static str> {
    let mut units = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(is_numeral) {
        rest = rest[start..].trim_start_matches(is_numeral).trim_start();
        let unit = abroad::UNSPACED_UNITS.iter().find(|(name, _)| rest.starts_with(name));
        units.extend(unit.map(|(_, unit)| *unit));
    }
    units
}

/// Days that a text names.
pub(crate) fn days(text: &str) -> Vec<&'static str> {
    let named = abroad::UNSPACED_DAYS.iter().filter(|(name, _)| text.contains(name));
    named.map(|(_, day)| *day).collect()
}

/// How often a text says *not*.
pub(crate) fn negations(text: &str) -> usize {
    let mut text = text.to_owned();
    let mut count = 0;
    for word in abroad::UNSPACED_NEGATIONS {
        count += text.matches(word).count();
        text = text.replace(word, " ");
    }
    count
}

/// One word of a pair of opposites in one text only, the other word in the other only.
pub(crate) fn have_antonyms(a: &str, b: &str) -> bool {
    abroad::UNSPACED_ANTONYMS.iter().any(|(one, other)| {
        let only = |word: &str, text: &str, elsewhere: &str| {
            text.contains(word) && !elsewhere.contains(word)
        };
        (only(one, a, b) && only(other, b, a)) || (only(other, a, b) && only(one, b, a))
    })
}

fn digit(c: char) -> Option<u32> {
    Some(match c {
        '〇' | '零' => 0,
        '一' | '壹' => 1,
        '二' | '两' | '兩' | '贰' => 2,
        '三' | '叁' => 3,
        '四' => 4,
        '五' => 5,
        '六' => 6,
        '七' => 7,
        '八' => 8,
        '九' => 9,
        _ => return None,
    })
}

fn power(c: char) -> Option<u128> {
    Some(match c {
        '十' => 10,
        '百' => 100,
        '千' => 1000,
        '万' | '萬' => 10_000,
        '亿' | '億' => 100_000_000,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numerals_have_values() {
        for (run, expected) in [
            ("三", "3"),
            ("十", "10"),
            ("十五", "15"),
            ("二十", "20"),
            ("二百零五", "205"),
            ("三千万", "30000000"),
            ("3万", "30000"),
            ("一亿二千万", "120000000"),
            ("二〇二四", "2024"),
            ("007", "007"),
            ("两", "2"),
        ] {
            assert_eq!(value(run).as_deref(), Some(expected), "{run}");
        }
        assert_eq!(value(""), None);
        assert_eq!(value("三個"), None);
        assert_eq!(value(&"万".repeat(20)), None, "too large to count");
    }

    #[test]
    fn days_units_and_negations_are_found_inside() {
        assert_eq!(numbers("买三个苹果和12个梨，等一下"), ["3"]);
        assert_eq!(units("5公斤等于多少"), ["kg"]);
        assert_eq!(units("5 克"), ["g"]);
        assert_eq!(days("下周三下午"), ["wednesday", "afternoon"]);
        assert_eq!(
            (negations("我可以吃"), negations("我不可以吃"), negations("食べません")),
            (0, 1, 1)
        );
        assert!(have_antonyms("怎么打开通知", "怎么关闭通知"));
        assert!(!have_antonyms("怎么打开和关闭通知", "怎么关闭通知"));
    }
}
