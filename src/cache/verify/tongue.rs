//! Which language a text is in, as far as the verifier must know: whether its words can be weighed.
//! Pure.
//!
//! The score rests on an English embedder and on English words. It says little about a text in
//! another language: one changed word moves its vector hardly at all. So
//!
//! - two *English* texts are compared by guards and score;
//! - two texts in a *listed* language may share an answer only if they say the same words in the same
//!   order, but for courtesy and for an article that one of them leaves out;
//! - a text in any other language is answered by its near-literal repeats only;
//! - texts in different languages never share an answer; one without a word of any language, such as
//!   `invoice Dublin`, may share that of an English text with which it shares words.
//!
//! A language is recognised by the share of its most common words. In doubt a text is unread: a miss
//! costs money, a wrong hit trust.

use super::words::{self, abroad, english};

/// How far the verifier reads a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tongue {
    English,
    /// German, French, Spanish, Portuguese, Italian, Chinese or Japanese.
    Listed,
    /// In plain letters, and no common word of any language that is known.
    Doubtful,
    #[default]
    Unread,
}

/// Least share of words by which a language is recognised: one in six.
const RECOGNISED: usize = 6;

/// Whether the verifier has the words to compare this text with another, beyond repeats.
pub fn speaks(text: &str) -> bool {
    matches!(super::Profile::of(text).tongue(), Tongue::English | Tongue::Listed)
}

/// The language of a text, given its tokens in lower case. Numbers say nothing about it.
pub(super) fn tongue<'a>(tokens: impl IntoIterator<Item = &'a str>) -> Tongue {
    let mut seen = Seen::default();
    for token in tokens {
        seen.count(token);
    }
    seen.tongue()
}

/// Tokens by what they say about the language.
#[derive(Debug, Default)]
struct Seen {
    words: usize,
    english: usize,
    shared: usize,
    /// Shared words that only languages which are not read have as well.
    plain: usize,
    listed: usize,
    unread: usize,
    /// Accented: English has few of these.
    accented: usize,
    /// Single characters of a language without spaces.
    unspaced: usize,
    /// In letters that are neither Latin nor of a listed language.
    strange: usize,
}

impl Seen {
    fn count(&mut self, token: &str) {
        let Some(first) = token.chars().next().filter(|c| !c.is_numeric()) else { return };
        self.words += 1;
        if is_unspaced(first) {
            self.unspaced += 1;
        } else if !is_latin(first) {
            self.strange += 1;
        } else if english::is_english(token) {
            self.english += 1;
        } else {
            self.shared += usize::from(english::is_shared(token));
            let is_known = abroad::is_function_word(token);
            let is_common_abroad = is_known || matches!(token, "in" | "was" | "an" | "so");
            self.plain += usize::from(english::is_shared(token) && !is_common_abroad);
            self.accented += usize::from(!token.is_ascii() && !is_known);
            for word in elided(token) {
                match (is_listed(word), abroad::is_of_an_unread_language(word)) {
                    (true, false) => self.listed += 1,
                    (false, true) => self.unread += 1,
                    // A word of both says nothing.
                    _ => {}
                }
            }
        }
    }

    fn tongue(&self) -> Tongue {
        let enough = |count: usize, all: usize| count > 0 && count * RECOGNISED >= all;
        let foreign = self.unspaced + self.strange;
        if foreign * 2 > self.words {
            return if self.strange == 0 { Tongue::Listed } else { Tongue::Unread };
        }
        let english = self.english + self.shared;
        let abroad = self.listed + self.unread + self.accented;
        let in_latin = self.words - foreign;
        // `Is Ann closer to Eve` has no word that is English alone, but none of another language.
        let is_plain = self.plain >= 2 && abroad == 0 && self.plain * 3 >= in_latin;
        if (self.english > 0 || is_plain) && english > abroad && enough(english, in_latin) {
            Tongue::English
        } else if foreign == 0 && self.listed > self.unread && enough(self.listed, self.words) {
            Tongue::Listed
        } else if in_latin > 0 && foreign + abroad == 0 {
            Tongue::Doubtful
        } else {
            Tongue::Unread
        }
    }
}

/// A function word, number, unit or day of a listed language, unless English has it too.
fn is_listed(word: &str) -> bool {
    let is_count = abroad::number(word).or(abroad::unit(word)).or(abroad::day(word)).is_some();
    let in_english = words::number(word).or(words::unit(word)).or(words::day(word)).is_some();
    abroad::is_function_word(word) || (is_count && !in_english)
}

/// Whether two texts may share an answer as far as their languages go. Two English ones may; what
/// stands in foreign letters in them is a name and must be equal.
pub(super) fn may_share(a: &super::Profile, b: &super::Profile) -> bool {
    match (a.tongue(), b.tongue()) {
        (Tongue::English, Tongue::English) => foreign_words(a).eq(foreign_words(b)),
        (Tongue::Listed, Tongue::Listed) => {
            // Signs are no words, and `C` is not `C++`.
            a.has_the_words_of(b)
                || (a.symbols() == b.symbols() && say_the_same(a.core(), b.core()))
        }
        (Tongue::English, Tongue::Doubtful) | (Tongue::Doubtful, Tongue::English) => {
            foreign_words(a).eq(foreign_words(b))
                && a.content().iter().any(|stem| b.content().contains(stem))
        }
        _ => a.has_the_words_of(b),
    }
}

/// Words of an English text that are not English. `Traduis en italien` before a long English text is
/// what it asks for.
fn foreign_words(profile: &super::Profile) -> impl Iterator<Item = &str> {
    let is_foreign = |word: &&str| {
        let is_listed = abroad::is_function_word(word)
            && !english::is_shared(word)
            && !english::is_english(word)
            && word.len() > 1;
        is_listed || !word.starts_with(is_read_letter)
    };
    profile.words().iter().map(String::as_str).filter(is_foreign)
}

/// Equal words in equal order; an article may be missing, and no other stand in its place.
fn say_the_same(a: &[String], b: &[String]) -> bool {
    let (mut a, mut b) = (a.iter().peekable(), b.iter().peekable());
    loop {
        match (a.peek(), b.peek()) {
            (None, None) => return true,
            (Some(one), Some(other)) if one == other => {
                a.next();
                b.next();
            }
            (one, other) => {
                let is_article =
                    |word: Option<&&String>| word.is_some_and(|word| abroad::is_article(word));
                match (
                    is_article(one.map(|w| &**w).as_ref()),
                    is_article(other.map(|w| &**w).as_ref()),
                ) {
                    (true, false) => _ = a.next(),
                    (false, true) => _ = b.next(),
                    _ => return false,
                }
                // Behind the article both go on alike.
                if a.peek().is_none() || a.peek() != b.peek() {
                    return false;
                }
            }
        }
    }
}

/// What a text in a listed language says: its words without courtesy, numbers as digits.
pub(super) fn core(tokens: &[String]) -> Vec<String> {
    let is_unspaced_text = tokens.iter().any(|token| token.starts_with(is_unspaced));
    if is_unspaced_text {
        return unspaced_core(tokens);
    }
    let words: Vec<&str> = tokens.iter().flat_map(|token| elided(token)).collect();
    let mut core = Vec::with_capacity(words.len());
    let mut rest = words.as_slice();
    while let Some((first, behind)) = rest.split_first() {
        match abroad::courtesies().iter().find(|phrase| rest.starts_with(phrase)) {
            Some(phrase) => rest = &rest[phrase.len()..],
            None => {
                core.push(abroad::number(first).unwrap_or(first).to_owned());
                rest = behind;
            }
        }
    }
    core
}

/// The same for text without spaces: one string without its courtesies.
fn unspaced_core(tokens: &[String]) -> Vec<String> {
    let mut text = String::new();
    for token in tokens {
        // Latin words and numbers stay apart from each other.
        let splits = text.ends_with(|c: char| !is_unspaced(c)) && !token.starts_with(is_unspaced);
        if splits {
            text.push(' ');
        }
        text.push_str(token);
    }
    for phrase in abroad::UNSPACED_COURTESIES {
        text = text.replace(phrase, "");
    }
    let mut core = Vec::new();
    let mut rest = text.as_str();
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|c| !words::unspaced::is_numeral(c)).unwrap_or(rest.len());
        let length = if end > 0 { end } else { first.len_utf8() };
        let (piece, behind) = rest.split_at(length);
        core.push(words::unspaced::value(piece).unwrap_or_else(|| piece.to_owned()));
        rest = behind;
    }
    core
}

/// A word and the article or pronoun that is stuck to it: `l'heure` is `l` and `heure`.
pub(super) fn elided(token: &str) -> impl Iterator<Item = &str> {
    // `aujourd'hui` stays whole.
    let place = token.find('\'').filter(|place| *place <= 5 && place + 1 < token.len());
    let (before, behind) = match place {
        Some(place) => (Some(&token[..place]), &token[place + 1..]),
        None => (None, token),
    };
    before.into_iter().chain([behind])
}

/// Han and kana: written without spaces, one character is a token.
pub(super) fn is_unspaced(c: char) -> bool {
    matches!(c, '\u{3005}' | '\u{3040}'..='\u{30ff}' | '\u{31f0}'..='\u{31ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{ff66}'..='\u{ff9f}' | '\u{20000}'..='\u{323af}')
}

/// Latin letters and the marks that combine with them.
fn is_latin(c: char) -> bool {
    matches!(c, 'a'..='z' | 'A'..='Z' | '\u{aa}' | '\u{ba}' | '\u{c0}'..='\u{24f}' | '\u{250}'..='\u{2af}' | '\u{300}'..='\u{36f}' | '\u{1e00}'..='\u{1eff}')
}

fn is_read_letter(c: char) -> bool {
    is_latin(c) || c.is_numeric()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::verify::Profile;

    fn tongue_of(text: &str) -> Tongue {
        Profile::of(text).tongue()
    }

    #[test]
    fn english_is_recognised_short_or_long_or_with_names() {
        for text in [
            "What is the capital of France?",
            "cancel order 113542617735902",
            "refund $1200",
            "reset password",
            "ground transportation LAS VEGAS",
            "How do I say \"wo ist der Bahnhof\" in German?",
            "who directed La vie en rose",
            "what does 你好 mean",
            "I am in São Paulo, where can I eat?",
            "fix this: fn main() { println!(\"x\") }",
        ] {
            assert_eq!(tongue_of(text), Tongue::English, "{text}");
        }
    }

    #[test]
    fn listed_languages_are_recognised() {
        for text in [
            "Was ist die Hauptstadt von Frankreich?",
            "Wie kann ich mein Passwort zurücksetzen?",
            "Was kostet das Hotel in Berlin",
            "Comment changer mon mot de passe ?",
            "Qu'est-ce que l'inflation",
            "¿Cuál es la capital de Francia?",
            "Como posso usar o meu cartão no exterior?",
            "Come posso cambiare la mia password?",
            "法国的首都是什么？",
            "怎么重置我的密码",
            "東京都渋谷区",
            "パスワードを変更する方法を教えてください",
        ] {
            assert_eq!(tongue_of(text), Tongue::Listed, "{text}");
            assert!(speaks(text), "{text}");
        }
    }

    #[test]
    fn other_languages_and_texts_in_doubt_are_unread() {
        for text in [
            "",
            "12345",
            "Wat is de hoofdstad van Frankrijk?",
            "Hoe kan ik mijn wachtwoord wijzigen",
            "Hvordan skifter jeg mit kodeord",
            "Hur byter jag mitt lösenord",
            "Jak zmienić hasło do konta?",
            "Jaké je hlavní město Francie?",
            "Şifremi nasıl değiştirebilirim?",
            "Bagaimana cara mengganti kata sandi saya",
            "Mikä on Ranskan pääkaupunki?",
            "Hogyan változtatom meg a jelszavamat?",
            "Cum îmi schimb parola",
            "Làm thế nào để đổi mật khẩu",
            "Ano ang kabisera ng Pransiya",
            "Как изменить пароль?",
            "Πώς αλλάζω τον κωδικό μου;",
            "كيف أغير كلمة المرور؟",
            "איך אני משנה סיסמה",
            "मैं अपना पासवर्ड कैसे बदलूं",
            "비밀번호를 어떻게 변경하나요?",
            "ฉันจะเปลี่ยนรหัสผ่านได้อย่างไร",
        ] {
            assert_eq!(tongue_of(text), Tongue::Unread, "{text}");
            assert!(!speaks(text), "{text}");
        }
    }

    #[test]
    fn a_text_without_common_words_is_doubtful() {
        for text in ["Nginx Postgres Redis", "rebating 299 dollars", "deliveries to Dublin"] {
            assert!(!speaks(text), "{text}");
        }
        let may = |a: &str, b: &str| may_share(&Profile::of(a), &Profile::of(b));
        assert!(may("deliveries to Dublin", "do you deliver to Dublin?"));
        assert!(!may("deliveries to Dublin", "deliveries for Berlin"));
        assert!(!may("Kabisera Pransiya", "What is the capital of France?"));
    }

    #[test]
    fn listed_texts_share_what_says_the_same_words() {
        for (a, b) in [
            (
                "Was ist die Hauptstadt von Frankreich?",
                "Sag mir bitte, was ist die Hauptstadt von Frankreich",
            ),
            ("Was ist die Hauptstadt von Frankreich?", "was ist Hauptstadt von Frankreich"),
            ("wie viele sind drei Meilen", "Wie viele sind 3 Meilen?"),
            (
                "¿Cuál es la capital de Francia?",
                "Hola, ¿me puedes decir cuál es la capital de Francia?",
            ),
            ("法国的首都是什么？", "请问法国的首都"),
            ("买三个苹果要什么", "买3个苹果要什么？"),
        ] {
            assert!(may_share(&Profile::of(a), &Profile::of(b)), "{a} / {b}");
            assert!(may_share(&Profile::of(b), &Profile::of(a)), "{b} / {a}");
        }
    }

    #[test]
    fn another_word_another_order_or_another_language_shares_nothing() {
        for (a, b) in [
            ("Wie tief ist der See?", "Wie tief ist die See?"),
            ("Flug von Paris nach London", "Flug von London nach Paris"),
            ("Der Hund beißt den Mann, warum?", "Den Hund beißt der Mann, warum?"),
            ("¿Cuál es la capital de Francia?", "¿Cuál es la capital de España?"),
            ("Was ist die Hauptstadt von Frankreich?", "What is the capital of France?"),
            ("Was ist das?", "¿Qué es esto?"),
            ("Wat is de hoofdstad van Frankrijk?", "Wat is de hoofdstad van Spanje?"),
            ("what does 你好 mean", "what does 谢谢 mean"),
            ("法国的首都是什么", "德国的首都是什么"),
            ("怎么学C语言", "怎么学C++语言"),
            ("Wie lerne ich C?", "Wie lerne ich C++?"),
        ] {
            assert!(!may_share(&Profile::of(a), &Profile::of(b)), "{a} / {b}");
            assert!(!may_share(&Profile::of(b), &Profile::of(a)), "{b} / {a}");
        }
    }
}
