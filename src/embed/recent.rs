//! Equal texts of one owner cost one pass of the model: those who ask at the same time wait for the
//! first of them, and those who ask a little later get what it got. A herd of equal requests would
//! fill the embedder's queue otherwise, and each of them pay for the same vector.
//!
//! Only vectors are kept, few of them and not for long, under a hash. Owners share nothing: how fast
//! a vector comes tells nobody what another one has asked.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;
use tokio::sync::OnceCell;

use super::{EmbedError, Embedding};

/// Vectors kept at most, two kilobytes each; the least recently wanted leave.
const MOST: u64 = 1024;

/// How long one is kept. A herd lasts seconds; what comes later may embed again.
const KEPT: Duration = Duration::from_secs(60);

/// The vectors of texts that were embedded a moment ago, or are about to be.
pub(super) struct Recent {
    cells: Cache<[u8; 32], Arc<OnceCell<Embedding>>>,
}

impl Recent {
    pub fn new() -> Self {
        let cells = Cache::builder().max_capacity(MOST).time_to_live(KEPT).build();
        Self { cells }
    }

    /// What `embed` makes of `text`, or made of it for the same owner a moment ago. Where it fails,
    /// or its caller leaves, the next one who waits tries: a failure is nobody else's.
    ///
    /// # Errors
    /// Those of `embed`.
    pub async fn get(
        &self,
        owner: &str,
        text: &str,
        embed: impl Future<Output = Result<Embedding, EmbedError>>,
    ) -> Result<Embedding, EmbedError> {
        let cell = self.cells.get_with(place(owner, text), Arc::default);
        cell.get_or_try_init(|| embed).await.cloned()
    }
}

/// A text's place: unequal for unequal pairs of owner and text, wherever the border lies.
fn place(owner: &str, text: &str) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&(owner.len() as u64).to_le_bytes());
    hasher.update(owner.as_bytes());
    hasher.update(text.as_bytes());
    *hasher.finalize().as_bytes()
}

impl std::fmt::Debug for Recent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recent").field("texts", &self.cells.entry_count()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::FutureExt;
    use futures_util::future::join_all;
    use tokio::sync::Semaphore;

    use super::*;

    /// An embedder that waits until it may, counts, and fails as often as told.
    struct Model {
        may: Semaphore,
        asked: AtomicUsize,
        failures: usize,
    }

    impl Model {
        fn new(failures: usize) -> Self {
            Self { may: Semaphore::new(0), asked: AtomicUsize::new(0), failures }
        }

        async fn embed(&self) -> Result<Embedding, EmbedError> {
            let nth = self.asked.fetch_add(1, Ordering::Relaxed);
            drop(self.may.acquire().await.expect("never closed"));
            if nth < self.failures {
                return Err(EmbedError::Fault);
            }
            Ok(Embedding { vector: vec![nth as f32].into(), tokens: 3, truncated: false })
        }

        fn asked(&self) -> usize {
            self.asked.load(Ordering::Relaxed)
        }
    }

    #[tokio::test]
    async fn equal_texts_at_the_same_time_and_after_it_are_embedded_once() {
        let (recent, model) = (Recent::new(), Model::new(0));
        let herd = (0..100).map(|_| recent.get("acme", "hi", model.embed()));
        let (embeddings, ()) = tokio::join!(join_all(herd), async { model.may.add_permits(1) });
        assert_eq!(model.asked(), 1);
        assert!(embeddings.iter().all(|embedding| embedding == &embeddings[0]));
        recent.get("acme", "hi", model.embed()).await.expect("a vector");
        assert_eq!(model.asked(), 1, "a moment later");
    }

    #[tokio::test]
    async fn other_texts_and_other_owners_share_nothing() {
        let (recent, model) = (Recent::new(), Model::new(0));
        model.may.add_permits(1);
        for (owner, text) in [("acme", "hi"), ("acme", "ho"), ("acm", "ehi"), ("beta", "hi")] {
            recent.get(owner, text, model.embed()).await.expect("a vector");
        }
        assert_eq!(model.asked(), 4);
    }

    #[tokio::test]
    async fn a_failure_is_the_one_callers_and_the_next_one_tries() {
        let (recent, model) = (Recent::new(), Model::new(2));
        let herd = (0..5).map(|_| recent.get("acme", "hi", model.embed()));
        let (embeddings, ()) = tokio::join!(join_all(herd), async { model.may.add_permits(1) });
        assert_eq!(embeddings.iter().filter(|it| it.is_err()).count(), 2);
        assert_eq!(model.asked(), 3);
    }

    #[tokio::test]
    async fn when_the_first_one_leaves_the_next_one_tries() {
        let (recent, model) = (Recent::new(), Model::new(0));
        let mut first = Box::pin(recent.get("acme", "hi", model.embed()));
        let mut second = Box::pin(recent.get("acme", "hi", model.embed()));
        assert!((&mut first).now_or_never().is_none());
        assert!((&mut second).now_or_never().is_none());
        assert_eq!(model.asked(), 1);
        drop(first);
        model.may.add_permits(1);
        second.await.expect("a vector");
        assert_eq!(model.asked(), 2);
    }
}
