//! The threads that own the model, and the handle by which the rest of the program asks for vectors.
//!
//! A request waits in a bounded queue with a deadline; a worker takes what waits, embeds it in
//! groups of like length and skips callers that left. Nothing here decides what a vector is used
//! for, and nothing here can fail a request: every trouble is an [`EmbedError`].
//!
//! `embedder.threads` workers each compute on one thread. candle splits a multiplication over as
//! many rayon threads as the machine has cores, and only an environment variable can say otherwise;
//! so each worker runs inside a rayon pool of its own with a single thread, where all parts of a
//! split run one after the other. Many small texts gain more from workers side by side than from
//! cores that share one small multiplication, and the requests' own threads keep their cores. What
//! this does not reach: the encoder of candle-transformers runs its larger element-wise operations
//! on candle's own process-wide pool, which `RAYON_NUM_THREADS` alone limits.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;

use super::engine::{Engine, Prepared, group};
use super::files::{self, ModelError};
use super::minilm::MiniLm;
use super::queue::{BATCH, Job, Outcome, Queue, Reply};
use super::recent::Recent;
use super::tokenise::{Tokeniser, head};
use super::{EmbedError, Embedding};
use crate::config::settings;

/// Shortest window that leaves room for a word between the two special tokens.
const MIN_WINDOW: usize = 3;

/// Why the embedder cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The files are missing or not the pinned ones.
    #[error(transparent)]
    Files(#[from] ModelError),
    #[error("embedder.max_tokens is {found}; the model takes {MIN_WINDOW} to {limit}")]
    Window { found: usize, limit: usize },
    /// The files are the pinned ones and still cannot be used: a fault of this program.
    #[error("the embedding model cannot be loaded: {0}")]
    Load(String),
    #[error("a thread for the embedder cannot be started: {0}")]
    Thread(String),
}

/// A running embedder. Dropping it stops its threads, after the group they are at.
#[derive(Debug)]
pub struct Embedder {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    timeout: Duration,
    identity: String,
    recent: Recent,
}

struct Shared {
    queue: Queue,
    /// Tokens, special ones included.
    window: usize,
    /// The engine of an embedder without threads, which works on its callers'.
    inline: Option<Mutex<Engine>>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("queue", &self.queue).finish_non_exhaustive()
    }
}

impl Embedder {
    /// Loads the model from `models_dir`, checking each file's SHA-256, and starts
    /// `settings.threads` workers. Takes a fraction of a second and blocks meanwhile.
    pub fn start(settings: &settings::Embedder, models_dir: &Path) -> Result<Self, StartError> {
        let pinned = files::model(&settings.model)?;
        let read = |name| pinned.read(models_dir, name);
        let load = |error: &dyn std::fmt::Display| StartError::Load(error.to_string());
        let tokeniser = Tokeniser::from_bytes(&read("tokenizer.json")?).map_err(|e| load(&e))?;
        let model = MiniLm::load(&read("config.json")?, read("model.safetensors")?)
            .map_err(|error| load(&error))?;
        let limit = model.positions();
        if !(MIN_WINDOW..=limit).contains(&settings.max_tokens) {
            return Err(StartError::Window { found: settings.max_tokens, limit });
        }
        let (tokeniser, model) = (Arc::new(tokeniser), Arc::new(model));
        let engines = (0..settings.threads.max(1))
            .map(|_| Engine::Model { tokeniser: tokeniser.clone(), model: model.clone() })
            .collect();
        Self::with_engines(settings, engines, pinned.identity())
    }

    /// An embedder that asks `function` instead of a model: texts to one vector each. It works on
    /// the thread that asks, so that its answers are there at once, under a paused clock too. Words
    /// stand for tokens, and its identity is `function`.
    pub fn from_fn(
        settings: &settings::Embedder,
        function: impl FnMut(&[&str]) -> Vec<Vec<f32>> + Send + 'static,
    ) -> Self {
        let engine = Engine::Function(Box::new(function));
        Self {
            shared: Arc::new(Shared {
                queue: Queue::new(settings.queue, 1),
                window: settings.max_tokens,
                inline: Some(Mutex::new(engine)),
            }),
            threads: Vec::new(),
            timeout: settings.timeout,
            identity: "function".to_owned(),
            recent: Recent::new(),
        }
    }

    /// One worker thread for each engine.
    pub(super) fn with_engines(
        settings: &settings::Embedder,
        engines: Vec<Engine>,
        identity: String,
    ) -> Result<Self, StartError> {
        let shared = Arc::new(Shared {
            queue: Queue::new(settings.queue, engines.len()),
            window: settings.max_tokens,
            inline: None,
        });
        // Built before its threads, so that an error on the way stops those already started.
        let (threads, timeout, recent) = (Vec::new(), settings.timeout, Recent::new());
        let mut embedder = Self { shared, threads, timeout, identity, recent };
        for engine in engines {
            embedder.threads.push(spawn(embedder.shared.clone(), engine)?);
        }
        Ok(embedder)
    }

    /// The vector of a text, within `embedder.timeout`. A text longer than the window gives the
    /// vector of its head, marked so.
    pub async fn embed(&self, text: &str) -> Result<Embedding, EmbedError> {
        let (reply, answer) = oneshot::channel();
        self.shared.queue.offer(self.job(text, Reply::Request(reply)))?;
        self.shared.serve_inline();
        match tokio::time::timeout(self.timeout, answer).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_closed)) => Err(EmbedError::Fault),
            Err(_elapsed) => Err(EmbedError::Timeout),
        }
    }

    /// As [`Self::embed`], but equal texts of one owner share what one of them costs.
    ///
    /// # Errors
    /// Those of [`Self::embed`]; one caller's trouble is no other's.
    pub async fn embed_for(&self, owner: &str, text: &str) -> Result<Embedding, EmbedError> {
        let found = self.recent.get(owner, text, self.embed(text));
        match tokio::time::timeout(self.timeout, found).await {
            Ok(outcome) => outcome,
            Err(_elapsed) => Err(EmbedError::Timeout),
        }
    }

    /// The vectors of many texts, in their order, without a deadline: for replay and training. Keeps
    /// every worker busy with texts of like length, and only a few batches in the queue, so that
    /// requests beside it are not refused. Blocks the thread: not for async code.
    pub fn embed_blocking(&self, texts: &[String]) -> Vec<Result<Embedding, EmbedError>> {
        let mut by_length: Vec<usize> = (0..texts.len()).collect();
        by_length.sort_by_key(|row| texts[*row].len());
        let mut outcomes = vec![Err(EmbedError::Fault); texts.len()];
        let most = 2 * BATCH * self.threads.len().max(1);
        let (sender, answers) = mpsc::channel();
        let (mut sent, mut received) = (0, 0);
        while received < texts.len() {
            while sent < texts.len() && sent - received < most {
                let row = by_length[sent];
                self.shared.queue.push(self.job(&texts[row], Reply::Row(row, sender.clone())));
                sent += 1;
            }
            self.shared.serve_inline();
            let (row, outcome) = answers.recv().expect("invariant: `sender` outlives the loop");
            outcomes[row] = outcome;
            received += 1;
        }
        outcomes
    }

    /// Texts that wait for a worker.
    pub fn queued(&self) -> usize {
        self.shared.queue.len()
    }

    /// Name of the model and the head of its weights' SHA-256. Vectors of different identities
    /// cannot be compared, and heads trained on one do not fit another.
    pub fn identity(&self) -> &str {
        &self.identity
    }

    fn job(&self, text: &str, reply: Reply) -> Job {
        let (head, cut) = head(text, self.shared.window);
        Job { text: head.to_owned(), cut, reply }
    }
}

impl Drop for Embedder {
    fn drop(&mut self) {
        self.shared.queue.close();
        for thread in self.threads.drain(..) {
            // A worker's panic was logged by its hook, and nobody waits for it any more.
            drop(thread.join());
        }
    }
}

/// Starts a worker: a thread that computes alone.
fn spawn(shared: Arc<Shared>, mut engine: Engine) -> Result<JoinHandle<()>, StartError> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .thread_name(|_| "embed-compute".to_owned())
        .build()
        .map_err(|error| StartError::Thread(error.to_string()))?;
    std::thread::Builder::new()
        .name("embed".to_owned())
        .spawn(move || {
            pool.install(|| {
                while let Some(jobs) = shared.queue.take() {
                    shared.serve(&mut engine, jobs);
                }
            });
        })
        .map_err(|error| StartError::Thread(error.to_string()))
}

impl Shared {
    /// Answers some jobs, the short texts first, so that a long one delays none of them.
    fn serve(&self, engine: &mut Engine, jobs: Vec<Job>) {
        let mut ready = Vec::with_capacity(jobs.len());
        for job in jobs.into_iter().filter(|job| job.reply.is_wanted()) {
            match engine.prepare(job.text, job.cut, self.window) {
                Ok(prepared) => ready.push((prepared, job.reply)),
                Err(error) => job.reply.send(Err(error)),
            }
        }
        ready.sort_by_key(|(prepared, _)| prepared.len());
        while !ready.is_empty() && !self.queue.is_closed() {
            let lengths: Vec<usize> = ready.iter().map(|(prepared, _)| prepared.len()).collect();
            let later = ready.split_off(group(&lengths));
            let pass = std::mem::replace(&mut ready, later);
            answer(engine, pass);
        }
    }

    /// Without threads: the caller does the work, its own and whatever waits.
    fn serve_inline(&self) {
        let Some(engine) = &self.inline else { return };
        let mut engine = engine.lock().unwrap_or_else(PoisonError::into_inner);
        let mut jobs = self.queue.take_now();
        while !jobs.is_empty() {
            self.serve(&mut engine, jobs);
            jobs = self.queue.take_now();
        }
    }
}

/// One pass, for those who still wait when it begins.
fn answer(engine: &mut Engine, mut pass: Vec<(Prepared, Reply)>) {
    pass.retain(|(_, reply)| reply.is_wanted());
    if pass.is_empty() {
        return;
    }
    let outcomes: Vec<Outcome> =
        engine.embed(&pass.iter().map(|(prepared, _)| prepared).collect::<Vec<_>>());
    for ((_, reply), outcome) in pass.into_iter().zip(outcomes) {
        reply.send(outcome);
    }
}
