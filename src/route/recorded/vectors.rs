//! Vectors of recorded prompts, by the embedder that the gateway runs, kept in the cache folder:
//! twenty thousand of them take half an hour. The file's format and checks are `replay::vectors`'.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use crate::embed::{Embedder, Vector};
use crate::replay::vectors::{self, Known};

/// Texts embedded at once; between two batches the progress moves.
const BATCH: usize = 256;
/// Batches after which what is done is kept: an interrupted run loses some minutes, not all.
const KEEP_EVERY: usize = 16;

/// Where vectors are kept, and for which embedder.
#[derive(Debug, Clone)]
pub struct Shelf {
    path: PathBuf,
    identity: String,
}

/// The texts' vectors.
#[derive(Debug)]
pub struct Embedded {
    /// In the order of the texts.
    pub vectors: Vec<Vector>,
    /// Texts that the model had to read.
    pub fresh: usize,
    /// Why the vectors could not be kept, if so.
    pub trouble: Option<String>,
}

impl Shelf {
    /// In semgate's cache folder, under the embedder's name. `window` is the embedder's limit in
    /// tokens: under another one a long text has another vector.
    pub fn below(cache: &Path, embedder: &Embedder, window: usize) -> Self {
        let identity = format!("{}/{window}", embedder.identity());
        let name: String =
            identity.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        Self { path: cache.join("vectors").join(format!("routing-{name}.vectors")), identity }
    }

    fn load(&self) -> Known {
        vectors::load(std::slice::from_ref(&self.path), &self.identity).0
    }

    fn store(&self, known: &Known) -> std::io::Result<()> {
        if let Some(folder) = self.path.parent() {
            crate::config::paths::create_private_dir(folder)?;
        }
        let mut sorted: Vec<_> = known.iter().collect();
        sorted.sort_by_key(|(key, _)| **key);
        vectors::store(std::slice::from_ref(&self.path), &self.identity, sorted.into_iter())
    }
}

/// The vector of each text; of a text longer than the window, that of its beginning. `step` hears
/// how many of how many unknown texts are done.
///
/// # Errors
/// The text that cannot be embedded.
pub fn embed(
    texts: &[&str],
    embedder: &Embedder,
    shelf: &Shelf,
    mut step: impl FnMut(usize, usize),
) -> Result<Embedded, String> {
    let keys: Vec<vectors::TextKey> = texts.iter().map(|text| vectors::key(text)).collect();
    let mut known = shelf.load();
    let mut asked = HashSet::new();
    let missing: Vec<usize> = (0..texts.len())
        .filter(|n| !known.contains_key(&keys[*n]) && asked.insert(keys[*n]))
        .collect();
    let mut trouble = None;
    let mut done = 0;
    step(0, missing.len());
    for (number, batch) in missing.chunks(BATCH).enumerate() {
        let owned: Vec<String> = batch.iter().map(|n| texts[*n].to_owned()).collect();
        for (n, embedded) in batch.iter().zip(embedder.embed_blocking(&owned)) {
            let start = || texts[*n].chars().take(40).collect::<String>();
            let embedding = embedded
                .map_err(|fault| format!("`{}…` cannot be embedded: {fault:?}", start()))?;
            known.insert(keys[*n], embedding);
        }
        done += batch.len();
        step(done, missing.len());
        if (number + 1) % KEEP_EVERY == 0 || done == missing.len() {
            trouble = shelf.store(&known).err().map(|error| error.to_string());
        }
    }
    let vectors = keys.iter().map(|key| known[key].vector.clone()).collect();
    Ok(Embedded { vectors, fresh: missing.len(), trouble })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings;
    use crate::embed::DIMENSIONS;

    fn embedder() -> Embedder {
        let settings = settings::Embedder {
            model: "function".into(),
            threads: 1,
            max_tokens: 256,
            queue: 16,
            timeout: std::time::Duration::from_secs(1),
        };
        Embedder::from_fn(&settings, |texts| {
            let axis = |text: &&str| {
                let mut vector = vec![0.0; DIMENSIONS];
                vector[text.len()] = 1.0;
                vector
            };
            texts.iter().map(axis).collect()
        })
    }

    #[test]
    fn a_text_is_embedded_once_and_none_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let embedder = embedder();
        let shelf = Shelf::below(folder.path(), &embedder, 256);
        let fresh = |texts: &[&str]| {
            let embedded = embed(texts, &embedder, &shelf, |_, _| {}).unwrap();
            assert_eq!(embedded.trouble, None);
            for (text, vector) in texts.iter().zip(&embedded.vectors) {
                assert_eq!(vector[text.len()], 1.0);
            }
            embedded.fresh
        };
        assert_eq!(fresh(&["a", "bb", "a"]), 2);
        assert_eq!(fresh(&["ccc"]), 1);
        assert_eq!(fresh(&["a", "bb", "ccc"]), 0);
        let other = Shelf::below(folder.path(), &embedder, 128);
        assert_eq!(embed(&["a"], &embedder, &other, |_, _| {}).unwrap().fresh, 1);
    }

    #[test]
    fn a_full_disk_is_said_and_a_failed_text_is_the_end() {
        let embedder = embedder();
        let shelf = Shelf::below(Path::new("/proc/nowhere"), &embedder, 256);
        assert!(embed(&["a"], &embedder, &shelf, |_, _| {}).unwrap().trouble.is_some());
        let long = "x".repeat(DIMENSIONS);
        assert!(embed(&[&long], &embedder, &shelf, |_, _| {}).unwrap_err().contains("xxx…"));
    }
}
