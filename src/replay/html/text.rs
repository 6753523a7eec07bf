//! Text and numbers as they stand on the page. All text of the input passes through [`escape`]:
//! prompts are written by strangers.

use std::collections::HashSet;

/// Text that is markup nowhere, in element content as in a quoted attribute. Control characters,
/// which no page may hold and some of which turn its text around, are shown as such.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(c),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => out.push('\u{fffd}'),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// The first `most` characters.
pub fn clip(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// `text` escaped, with the words marked that `other` does not have.
pub fn marked(text: &str, other: &str) -> String {
    let plain = |word: &str| word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    let known: HashSet<String> = other.split_whitespace().map(plain).collect();
    let mut out = String::new();
    for piece in text.split_inclusive(char::is_whitespace) {
        let word = piece.trim_end();
        let rest = escape(&piece[word.len()..]);
        match known.contains(&plain(word)) || word.is_empty() {
            true => out += &escape(word),
            false => out += &format!("<mark>{}</mark>", escape(word)),
        }
        out += &rest;
    }
    out
}

/// `12,345`
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1.23 %`
pub fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

/// Dollars, with as many decimals as the amount deserves.
pub fn dollars(usd: f64) -> String {
    let sign = if usd < 0.0 { "−" } else { "" };
    match usd.abs() {
        0.0 => "$0".to_owned(),
        big if big >= 1000.0 => format!("{sign}${}", count(big.round() as u64)),
        middle if middle >= 1.0 => format!("{sign}${middle:.2}"),
        small => format!("{sign}${small:.4}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_is_markup() {
        let hostile = "<script>alert('x')</script> & \"quoted\" \u{202e}txet\u{7}";
        let shown = escape(hostile);
        assert_eq!(
            shown,
            "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;quoted&quot; \u{fffd}txet\u{fffd}"
        );
        assert!(
            !marked(hostile, "other").replace("<mark>", "").replace("</mark>", "").contains('<')
        );
    }

    #[test]
    fn words_that_the_other_lacks_are_marked() {
        let shown = marked("Flights to Oslo, please", "flights to  Rome please");
        assert_eq!(shown, "Flights to <mark>Oslo,</mark> please");
        assert_eq!(marked("a\n b", "b"), "<mark>a</mark>\n b");
    }

    #[test]
    fn numbers_read_easily() {
        assert_eq!((&*count(7), &*count(1234), &*count(1_234_567)), ("7", "1,234", "1,234,567"));
        assert_eq!(percent(0.01234), "1.23 %");
        assert_eq!(
            (&*dollars(0.01), &*dollars(-2.5), &*dollars(1234.5)),
            ("$0.0100", "−$2.50", "$1,235")
        );
        assert_eq!(dollars(0.0), "$0");
        assert_eq!((&*clip("añb", 2), &*clip("añ", 2)), ("añ…", "añ"));
    }
}
