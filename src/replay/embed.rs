//! A vector for each row: from the file beside the input where it is known, from the model where
//! it is not. Each distinct text is embedded once.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::PathBuf;

use crate::embed::{Embedder, Embedding};

use super::input::Row;
use super::vectors::{self, Known, TextKey};

/// Texts embedded at once; between two batches the progress bar moves.
const BATCH: usize = 512;

/// Embeddings of every row, in order; `None` without an embedder, or where it failed.
pub type Vectors = Vec<Option<Embedding>>;

/// Where vectors are kept, and for which embedder.
#[derive(Debug, Clone)]
pub struct Shelf {
    /// Files, best first; none for an input that cannot be recognised again.
    pub places: Vec<PathBuf>,
    /// The embedder's identity and its window: what decides, beside the text, about a vector.
    pub identity: String,
}

/// What was embedded.
#[derive(Debug)]
pub struct Embedded {
    pub vectors: Vectors,
    /// Distinct texts that were known already.
    pub known: usize,
    /// Distinct texts that the model had to read.
    pub fresh: usize,
    /// Why the vectors could not be kept, if so.
    pub trouble: Option<String>,
}

/// The vector of each row's prompt. `step` hears how many rows have one.
pub fn embed(
    rows: &[Row],
    embedder: &Embedder,
    shelf: &Shelf,
    mut step: impl FnMut(usize),
) -> Embedded {
    let keys: Vec<TextKey> = rows.iter().map(|row| vectors::key(&row.prompt())).collect();
    let (mut found, _) = vectors::load(&shelf.places, &shelf.identity);
    let mut wanted: HashMap<TextKey, usize> = HashMap::with_capacity(keys.len());
    let mut missing = Vec::new();
    for (row, key) in keys.iter().enumerate() {
        if let Entry::Vacant(vacant) = wanted.entry(*key) {
            vacant.insert(row);
            if !found.contains_key(key) {
                missing.push(row);
            }
        }
    }
    let known = wanted.len() - missing.len();
    let (done, mut fresh) = (rows.len() - missing.len(), 0);
    step(done);
    for batch in missing.chunks(BATCH) {
        let texts: Vec<String> = batch.iter().map(|row| rows[*row].prompt().into_owned()).collect();
        for (row, embedded) in batch.iter().zip(embedder.embed_blocking(&texts)) {
            // A failed one is not kept: the next replay tries again.
            if let Ok(embedding) = embedded {
                found.insert(keys[*row], embedding);
            }
        }
        fresh += batch.len();
        step(done + fresh);
    }
    // What the input no longer asks for leaves the file with its next change.
    let trouble = (fresh > 0).then(|| keep(&found, &wanted, shelf)).and_then(Result::err);
    let vectors = keys.iter().map(|key| found.get(key).cloned()).collect();
    Embedded { vectors, known, fresh, trouble: trouble.map(|error| error.to_string()) }
}

fn keep(found: &Known, wanted: &HashMap<TextKey, usize>, shelf: &Shelf) -> std::io::Result<()> {
    // In the order of the input, so that equal inputs give equal files.
    let mut rows: Vec<(usize, &TextKey)> = wanted.iter().map(|(key, row)| (*row, key)).collect();
    rows.sort_unstable();
    let kept: Vec<(&TextKey, &Embedding)> =
        rows.into_iter().filter_map(|(_, key)| Some((key, found.get(key)?))).collect();
    vectors::store(&shelf.places, &shelf.identity, kept.into_iter())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::config::settings;
    use crate::embed::DIMENSIONS;

    fn embedder() -> (Embedder, Arc<AtomicUsize>) {
        let read = Arc::new(AtomicUsize::new(0));
        let counter = read.clone();
        let settings = settings::Embedder {
            model: "function".into(),
            threads: 1,
            max_tokens: 256,
            queue: 16,
            timeout: std::time::Duration::from_secs(1),
        };
        let embedder = Embedder::from_fn(&settings, move |texts| {
            counter.fetch_add(texts.len(), Ordering::Relaxed);
            let axis = |text: &&str| {
                let mut vector = vec![0.0; DIMENSIONS];
                vector[text.len()] = 1.0;
                vector
            };
            texts.iter().map(axis).collect()
        });
        (embedder, read)
    }

    fn rows(prompts: &[&str]) -> Vec<Row> {
        prompts.iter().map(|prompt| Row::of_prompt(prompt)).collect()
    }

    #[test]
    fn only_texts_that_are_new_are_embedded() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf { places: vec![folder.path().join("v")], identity: "function".into() };
        let (embedder, read) = embedder();
        let read_for = |prompts: &[&str]| {
            read.store(0, Ordering::Relaxed);
            let mut last = 0;
            let embedded = embed(&rows(prompts), &embedder, &shelf, |done| last = done);
            assert_eq!((embedded.trouble, last), (None, prompts.len()));
            for (prompt, vector) in prompts.iter().zip(&embedded.vectors) {
                assert_eq!(vector.as_ref().unwrap().vector[prompt.len()], 1.0, "{prompt}");
            }
            assert_eq!(read.load(Ordering::Relaxed), embedded.fresh);
            (embedded.known, embedded.fresh)
        };
        assert_eq!(read_for(&["a", "bb", "a"]), (0, 2));
        assert_eq!(read_for(&["a", "bb", "a"]), (2, 0));
        assert_eq!(read_for(&["bb", "ccc", "a", "dddd"]), (2, 2), "extended and reordered");
        assert_eq!(read_for(&["eeeee"]), (0, 1), "edited");
        assert_eq!(read_for(&["a"]), (0, 1), "what an edit dropped is not kept for ever");
    }

    #[test]
    fn a_failed_text_and_a_full_disk_are_no_end() {
        let places = vec!["/nowhere/at/all".into()];
        let shelf = Shelf { places, identity: "function".into() };
        let (embedder, _) = embedder();
        let mut long = "x ".repeat(DIMENSIONS);
        long.push('x');
        let embedded = embed(&rows(&["a", &long]), &embedder, &shelf, |_| {});
        assert!(embedded.vectors[0].is_some() && embedded.vectors[1].is_none());
        assert!(embedded.trouble.is_some());
    }
}
