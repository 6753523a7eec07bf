//! The gateway under test, with an embedder that needs no weights.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use semgate::cache::Cache;
use semgate::config::{self, Env};
use semgate::embed::{Embedder, files};
use semgate::gateway::{Call, Gateway};
use semgate::http::body::RequestBody;
use semgate::http::server::Plane;
use semgate::http::{admin, data};
use semgate::now::Now;
use semgate::record::Recorder;
use semgate::route::Heads;
use serde_json::Value;
use tokio::sync::watch;

use super::{Answer, Upstream, chat};

pub const ADMIN_TOKEN: &str = "sga-0123456789abcdef0123456789abcdef";

/// A whole gateway on free ports.
pub struct TestGateway {
    pub gateway: Arc<Gateway>,
    pub upstream: Upstream,
    pub data: String,
    pub admin: String,
    pub client: reqwest::Client,
    cut: watch::Sender<bool>,
    sent: Mutex<usize>,
    embedded: Arc<AtomicUsize>,
}

/// Three tiers on one upstream; prices in dollars per million tokens.
pub const CONFIG: &str = "
embedder: {timeout: 5s}
providers:
  - {name: up, dialect: openai, base_url: \"${UPSTREAM}\", api_keys: [\"sk-upstream-secret\"], region: us}
models:
  - {name: mini, provider: up, id: up-mini, price: {input: 1, output: 2}, context: 4000, tools: true, vision: false, json_schema: true}
  - {name: medium, provider: up, id: up-medium, price: {input: 10, output: 20}, context: 100000}
  - {name: big, provider: up, id: up-big, price: {input: 100, output: 200}, vision: true, fallbacks: [medium]}
routing:
  tiers:
    - {name: small, models: [mini], min_adequacy: 0.0}
    - {name: mid, models: [medium], min_adequacy: 0.0}
    - {name: frontier, models: [big]}
";

impl TestGateway {
    pub async fn start() -> Self {
        Self::with("").await
    }

    /// The standard configuration with `more` YAML after it.
    pub async fn with(more: &str) -> Self {
        Self::of(&format!("{CONFIG}{more}")).await
    }

    pub async fn of(yaml: &str) -> Self {
        Self::build(yaml, None, Upstream::start().await).await
    }

    /// The standard configuration, with answers kept in that folder.
    pub async fn keeping(folder: &Path, upstream: &Upstream) -> Self {
        Self::build(CONFIG, Some(folder), upstream.clone()).await
    }

    async fn build(yaml: &str, folder: Option<&Path>, upstream: Upstream) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let env = Env::of([("UPSTREAM", upstream.url.as_str())]);
        let loaded = config::load_text("test.yaml", yaml, &env, &[]);
        let settings = loaded.unwrap_or_else(|faults| panic!("{faults}")).settings;
        let embedded = Arc::new(AtomicUsize::new(0));
        let embedder = settings.embedder.as_ref().map(|wanted| {
            let embedded = embedded.clone();
            Embedder::from_fn(wanted, move |texts: &[&str]| {
                embedded.fetch_add(texts.len(), Ordering::Relaxed);
                texts.iter().map(|t| bag_of_words(t)).collect()
            })
        });
        let heads = embedder.as_ref().map(|_| {
            // Their words about these vectors mean nothing; the thresholds of CONFIG do not care.
            let fitted_on = files::model("all-MiniLM-L6-v2").expect("known").identity();
            Heads::shipped(&fitted_on).expect("the shipped heads are valid")
        });
        let recorder = Arc::new(Recorder::new(&settings).expect("records open"));
        let mut cache = Cache::synchronous(&settings.cache);
        if let Some(folder) = folder {
            let identity = embedder.as_ref().map(Embedder::identity);
            cache = cache.keep_in(folder, identity).expect("a thread");
        }
        let (cut, cutting) = watch::channel(false);
        let gateway = Gateway::new(settings, embedder, heads, cache, recorder, cutting)
            .expect("the gateway starts");
        let gateway = Arc::new(gateway);
        let data = listen(data::router(gateway.clone())).await;
        let admin = listen(admin::router(gateway.clone(), &ADMIN_TOKEN.into())).await;
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        Self { gateway, upstream, data, admin, client, cut, sent: Mutex::new(0), embedded }
    }

    /// Sends a chat request with extra headers.
    pub async fn send(&self, body: &Value, headers: &[(&str, &str)]) -> Answer {
        self.send_raw(body.to_string(), headers).await
    }

    pub async fn send_raw(&self, body: String, headers: &[(&str, &str)]) -> Answer {
        *self.sent.lock().expect("unpoisoned") += 1;
        let url = format!("{}/v1/chat/completions", self.data);
        let mut request = self.client.post(url).body(body);
        if !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Answer::of(request.send().await.expect("the gateway answers")).await
    }

    /// Begins a chat request without a socket of its own: for more callers than a process has
    /// files. The body of the response may still be coming.
    pub async fn begin(
        &self,
        body: &Value,
        headers: &[(&str, &str)],
    ) -> axum::http::Response<Body> {
        *self.sent.lock().expect("unpoisoned") += 1;
        let mut request = axum::http::Request::post("/").header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_string())).expect("a request");
        let (headers, body) = RequestBody::split(request);
        self.gateway.chat(Call { headers, body, now: Now::read() }).await.0
    }

    /// As [`Self::begin`], read to the end.
    pub async fn send_inside(&self, body: &Value, headers: &[(&str, &str)]) -> Answer {
        Answer::of_body(self.begin(body, headers).await).await
    }

    /// Waits until this many requests follow another one.
    pub async fn until_following(&self, count: usize) {
        let wanted = format!("semgate_cache_followers {count}\n");
        for _ in 0..5000 {
            if self.gateway.metrics_text().contains(&wanted) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        panic!("never {wanted}");
    }

    /// Texts that the embedder has been given.
    pub fn embedded(&self) -> usize {
        self.embedded.load(Ordering::Relaxed)
    }

    /// Counts a chat request that was sent by other means.
    pub fn count_one(&self) {
        *self.sent.lock().expect("unpoisoned") += 1;
    }

    /// Asks a prompt of a model.
    pub async fn ask(&self, model: &str, prompt: &str) -> Answer {
        self.send(&chat(model, prompt), &[]).await
    }

    pub async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let base = if path.starts_with("/v1") { &self.data } else { &self.admin };
        let mut request = self.client.get(format!("{base}{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Answer::of(request.send().await.expect("the gateway answers")).await
    }

    /// An authorised request to the admin plane.
    pub async fn admin(&self, path: &str, body: Option<Value>) -> Answer {
        let url = format!("{}{path}", self.admin);
        let request = match body {
            Some(body) => self
                .client
                .post(url)
                .header("content-type", "application/json")
                .body(body.to_string()),
            None => self.client.get(url),
        };
        Answer::of(request.bearer_auth(ADMIN_TOKEN).send().await.expect("an answer")).await
    }

    /// The record of an answered request, once it is closed.
    pub async fn record(&self, answer: &Answer) -> Value {
        self.record_by_id(answer.header("x-request-id")).await
    }

    pub async fn record_by_id(&self, id: &str) -> Value {
        for _ in 0..1000 {
            if let Some(record) = self.gateway.recorder().ring.find(id) {
                return serde_json::to_value(&*record).expect("records serialise");
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        panic!("no record of {id}");
    }

    /// Turns the switch that ends running streams.
    pub fn cut(&self) {
        self.cut.send_replace(true);
    }

    /// Ends a test: every request left exactly one record, the script is used up.
    pub async fn finish(self) {
        let sent = *self.sent.lock().expect("unpoisoned");
        for _ in 0..1000 {
            if self.gateway.recorder().ring.recent(usize::MAX).len() == sent {
                break;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let records = self.gateway.recorder().ring.recent(usize::MAX);
        assert_eq!(records.len(), sent, "one record per request");
        assert_eq!(self.upstream.unused(), 0, "every scripted act is used");
        let text = serde_json::to_string(&records).expect("records serialise");
        assert!(!text.contains("sk-upstream-secret"), "no secret in a record");
    }
}

async fn listen(router: axum::Router) -> String {
    let plane = Plane::bind("127.0.0.1:0".parse().expect("an address"), router).await;
    let plane = plane.expect("a free port");
    let url = format!("http://{}", plane.address().expect("bound"));
    tokio::spawn(plane.serve(std::future::pending()));
    url
}

/// An embedder for tests: words hashed into a unit vector, so that texts that share words are near
/// each other. Enough to exercise the pipeline; what a real model does is tested with the real one.
fn bag_of_words(text: &str) -> Vec<f32> {
    let mut vector = vec![0.0_f32; semgate::embed::DIMENSIONS];
    vector[0] = 0.01;
    for word in text.to_lowercase().split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty())
    {
        let hash =
            word.bytes().fold(7_u64, |h, b| h.wrapping_mul(1_099_511_628_211) ^ u64::from(b));
        vector[1 + (hash % 383) as usize] += 1.0;
    }
    let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    vector.iter().map(|x| x / norm).collect()
}
