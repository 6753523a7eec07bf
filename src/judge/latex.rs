//! Plain text out of LaTeX and Markdown, as far as results are written in them.

/// Commands whose braces hold plain text.
const WRAPPERS: [&str; 12] = [
    "text",
    "mathrm",
    "textbf",
    "mathbf",
    "boxed",
    "fbox",
    "mbox",
    "textit",
    "operatorname",
    "bf",
    "rm",
    "displaystyle",
];

/// Deepest nesting that is unwrapped.
const DEPTH: usize = 8;

/// Without emphasis, spacing commands and wrappers; `\frac{1}{2}` as `1/2`; digits of other scripts
/// as our own.
pub fn cleaned(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    clean(text, &mut out, 0);
    out
}

fn clean(text: &str, out: &mut String, depth: usize) {
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        rest = match c {
            '\\' => command(after, out, depth),
            '*' if after.starts_with('*') => &after[1..],
            '０'..='９' => {
                out.push(char::from(b'0' + (c as u32 - '０' as u32) as u8));
                after
            }
            '٠'..='٩' => {
                out.push(char::from(b'0' + (c as u32 - '٠' as u32) as u8));
                after
            }
            _ => {
                out.push(c);
                after
            }
        };
    }
}

/// Writes what a backslash command stands for, and returns the text behind it.
fn command<'t>(after: &'t str, out: &mut String, depth: usize) -> &'t str {
    let end = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
    let (name, rest) = after.split_at(end);
    match name {
        // `\,` and `\!` are space; `\$` and `\%` are the signs themselves.
        "" => {
            let Some(sign) = after.chars().next() else { return "" };
            let behind = &after[sign.len_utf8()..];
            match sign {
                ',' | '!' | ';' | ':' | ' ' | '(' | ')' | '[' | ']' => out.push(' '),
                '$' | '%' => out.push(sign),
                _ => out.extend(['\\', sign]),
            }
            // Thin space between digits groups them.
            if matches!(sign, ',' | '!') && behind.starts_with(|c: char| c.is_ascii_digit()) {
                out.pop();
            }
            behind
        }
        "frac" | "dfrac" | "tfrac" => {
            let parts = braces(rest).and_then(|(above, rest)| Some((above, braces(rest)?)));
            let Some((above, (below, rest))) = parts.filter(|_| depth < DEPTH) else {
                // `\frac12`
                let mut digits = rest.chars();
                if let (Some(a @ '0'..='9'), Some(b @ '0'..='9')) = (digits.next(), digits.next()) {
                    out.extend([a, '/', b]);
                    return &rest[2..];
                }
                out.push_str("\\frac");
                return rest;
            };
            let simple = |part: &str| part.chars().all(|c| c.is_ascii_digit() || ".-".contains(c));
            let (open, close) = if simple(above) && simple(below) { ("", "") } else { ("(", ")") };
            // A whole number before it makes a mixed one.
            if out.ends_with(|c: char| c.is_ascii_digit()) && open.is_empty() {
                out.push(' ');
            }
            out.push_str(open);
            clean(above, out, depth + 1);
            out.push_str(close);
            out.push('/');
            out.push_str(open);
            clean(below, out, depth + 1);
            out.push_str(close);
            rest
        }
        _ if WRAPPERS.contains(&name) && depth < DEPTH => match braces(rest) {
            Some((inner, rest)) => {
                clean(inner, out, depth + 1);
                rest
            }
            None => rest,
        },
        _ => {
            out.push('\\');
            out.push_str(name);
            rest
        }
    }
}

/// The contents of the braces with which a text starts, and what follows.
fn braces(text: &str) -> Option<(&str, &str)> {
    let body = text.trim_start().strip_prefix('{')?;
    let mut depth = 1usize;
    for (at, c) in body.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some((&body[..at], &body[at + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_become_plain() {
        for (text, plain) in [
            (r"\frac{3}{4}", "3/4"),
            (r"1\dfrac{1}{2}", "1 1/2"),
            (r"\frac12", "1/2"),
            (r"\frac{\sqrt{3}}{2}", r"(\sqrt{3})/(2)"),
            (r"12\text{ cm}", "12 cm"),
            (r"\textbf{(A)}", "(A)"),
            (r"10{,}000", "10{,}000"),
            (r"10\,000", "10000"),
            (r"\$5", "$5"),
            ("**12**", "12"),
            ("１２", "12"),
            (r"\", ""),
            (r"\frac{", r"\frac{"),
            (r"\text{", "{"),
        ] {
            assert_eq!(cleaned(text), plain, "{text}");
        }
    }
}
