//! The wire: the only file that knows the HTTP client. It sends one request and hands back head and
//! body; what they mean is decided elsewhere. Dropping a [`Reply`], or the future that waits for
//! one, closes the upstream's side at once.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::header::{ACCEPT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use bytes::Bytes;
use reqwest::{Client, Response, redirect};

/// Idle connections are kept this long; many servers close theirs after a minute.
const POOL_IDLE: Duration = Duration::from_secs(30);

/// Why the client could not be set up.
#[derive(Debug, Clone, thiserror::Error)]
#[error("cannot set up the HTTP client: {0}")]
pub struct SetupFault(String);

/// What broke below HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransportFault {
    /// No connection came about; nothing was sent. The text is for the log.
    Connect(String),
    /// The connection broke later.
    Broken(String),
}

/// HTTP clients, one per connect timeout: the client takes that limit for all its connections.
#[derive(Debug, Default)]
pub struct Transport {
    clients: Mutex<HashMap<Duration, Client>>,
}

/// A head that came, and a body that may still come.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    response: Response,
}

impl Transport {
    /// Clients for these connect timeouts; others are made when first asked for.
    pub fn new(connects: impl IntoIterator<Item = Duration>) -> Result<Self, SetupFault> {
        // A second installation in one process is no fault: the first one serves.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let transport = Self::default();
        transport.prepare(connects)?;
        Ok(transport)
    }

    /// Makes the clients that are missing, so that no request waits for it.
    pub fn prepare(&self, connects: impl IntoIterator<Item = Duration>) -> Result<(), SetupFault> {
        connects.into_iter().try_for_each(|connect| self.client(connect).map(drop))
    }

    /// Sends `body` to `url`. `headers` is all that goes out beside what HTTP itself needs.
    pub async fn post(
        &self,
        url: &str,
        mut headers: HeaderMap,
        body: Bytes,
        connect: Duration,
    ) -> Result<Reply, TransportFault> {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let client = self.client(connect).map_err(|e| TransportFault::Connect(e.to_string()))?;
        let sent = client.post(url).headers(headers).body(body).send().await;
        let mut response = sent.map_err(fault)?;
        Ok(Reply {
            status: response.status().as_u16(),
            headers: std::mem::take(response.headers_mut()),
            response,
        })
    }

    fn client(&self, connect: Duration) -> Result<Client, SetupFault> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&connect) {
            return Ok(client.clone());
        }
        let client = build(connect)?;
        clients.insert(connect, client.clone());
        Ok(client)
    }
}

impl Reply {
    /// The next bytes of the body; `None` at its end. Cancelling loses nothing.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, TransportFault> {
        self.response.chunk().await.map_err(fault)
    }

    /// A header's value, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

fn build(connect: Duration) -> Result<Client, SetupFault> {
    settings(connect).build().or_else(|error| {
        tracing::warn!(error = %chain(&error), "no root certificates: HTTPS upstreams will fail");
        without_roots(connect)
    })
}

/// A client that trusts nobody: for machines without root certificates, such as slim containers,
/// where upstreams over plain HTTP must still work.
fn without_roots(connect: Duration) -> Result<Client, SetupFault> {
    let trust_nobody = rustls::ClientConfig::builder()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    settings(connect)
        .tls_backend_preconfigured(trust_nobody)
        .build()
        .map_err(|error| SetupFault(chain(&error)))
}

fn settings(connect: Duration) -> reqwest::ClientBuilder {
    Client::builder()
        .connect_timeout(connect)
        .pool_idle_timeout(POOL_IDLE)
        .redirect(redirect::Policy::none())
        .referer(false)
        .tcp_nodelay(true)
}

fn fault(error: reqwest::Error) -> TransportFault {
    let before_sending = error.is_connect() || error.is_builder();
    let text = chain(&error.without_url());
    if before_sending { TransportFault::Connect(text) } else { TransportFault::Broken(text) }
}

/// An error with its causes, on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_root_certificates_gets_a_client() {
        let limit = Duration::from_secs(3);
        let transport = Transport::new([limit, limit, Duration::from_secs(1)]).unwrap();
        assert_eq!(transport.clients.lock().unwrap().len(), 2, "one per limit");
        assert!(without_roots(limit).is_ok());
    }
}
