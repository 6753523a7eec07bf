//! Text to token ids, cut to the window. Leaves batching and padding to `minilm`.

use tokenizers::Tokenizer;

/// Characters looked at, per token of the window. English has four or five to the token, so a text
/// that is cut here is beyond the window too, save for curiosities (a long run of blanks), and a
/// prompt of a megabyte costs no more to tokenise than one of a few thousand characters.
const CHARS_PER_TOKEN: usize = 16;

/// The head of a text that is worth tokenising, and whether that left something out.
pub(super) fn head(text: &str, window: usize) -> (&str, bool) {
    let limit = window.saturating_mul(CHARS_PER_TOKEN);
    match text.char_indices().nth(limit) {
        Some((end, _)) => (&text[..end], true),
        None => (text, false),
    }
}

/// The ids of a text, special tokens included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tokens {
    pub ids: Vec<u32>,
    /// The text had more tokens than the window.
    pub truncated: bool,
}

/// The model's own tokeniser, without the truncation and padding that its file asks for.
#[derive(Debug)]
pub(super) struct Tokeniser {
    inner: Tokenizer,
}

impl Tokeniser {
    /// Reads a `tokenizer.json`. The file cuts and pads every text to 128 tokens; both are switched
    /// off, since the window is ours to choose and padding belongs to the batch.
    pub fn from_bytes(json: &[u8]) -> Result<Self, tokenizers::Error> {
        let mut inner = Tokenizer::from_bytes(json)?;
        inner.with_truncation(None)?;
        inner.with_padding(None);
        Ok(Self { inner })
    }

    /// The ids of `text`, at most `window` of them: the closing special token is kept, as the model
    /// was trained to see one.
    pub fn tokens(&self, text: &str, window: usize) -> Result<Tokens, tokenizers::Error> {
        let mut ids = self.inner.encode_fast(text, true)?.get_ids().to_vec();
        let truncated = ids.len() > window;
        if truncated && let Some(closing) = ids.last().copied() {
            ids.truncate(window - 1);
            ids.push(closing);
        }
        Ok(Tokens { ids, truncated })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_short_text_is_its_own_head() {
        assert_eq!(head("hello", 1), ("hello", false));
        assert_eq!(head("", 1), ("", false));
        assert_eq!(head(&"x".repeat(16), 1), (&*"x".repeat(16), false));
    }

    #[test]
    fn a_long_text_loses_its_tail() {
        assert_eq!(head(&"x".repeat(17), 1), (&*"x".repeat(16), true));
    }

    proptest! {
        #[test]
        fn a_head_is_a_prefix_on_a_character_boundary(text in any::<String>(), window in 1_usize..4) {
            let (kept, cut) = head(&text, window);
            prop_assert!(text.starts_with(kept));
            prop_assert_eq!(cut, kept.len() < text.len());
            prop_assert!(kept.chars().count() <= window * CHARS_PER_TOKEN);
        }
    }
}
