//! Accepting connections, and closing them well. One loop for both planes: no Nagle, a limit on the
//! time that a head may take, a pause when descriptors run out, and a graceful end.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;

/// Time for a request head to arrive; bounds slow-header attacks and idle connections alike.
const HEAD_TIMEOUT: Duration = Duration::from_secs(75);

/// Pause after an accept error such as "too many open files".
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A listener and what it serves.
#[derive(Debug)]
pub struct Plane {
    listener: TcpListener,
    router: Router,
    graceful: GracefulShutdown,
}

impl Plane {
    /// Binds the address; the error names it.
    pub async fn bind(address: SocketAddr, router: Router) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await.map_err(|error| {
            io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))
        })?;
        Ok(Self { listener, router, graceful: GracefulShutdown::new() })
    }

    /// The address bound, with the port that the system chose.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop` ends; then no connection is accepted any more, and the returned value
    /// waits for those that are open.
    pub async fn serve(self, stop: impl Future<Output = ()>) -> GracefulShutdown {
        tokio::pin!(stop);
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, peer)) => self.connection(stream, peer),
                    Err(error) => {
                        tracing::warn!(%error, "a connection could not be accepted");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
                () = &mut stop => return self.graceful,
            }
        }
    }

    fn connection(&self, stream: TcpStream, peer: SocketAddr) {
        // Without it small writes of a stream wait for acknowledgements.
        let _ = stream.set_nodelay(true);
        let router = self.router.clone();
        let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            router.clone().oneshot(request)
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .serve_connection(TokioIo::new(stream), service);
        let connection = self.graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended with an error");
            }
        });
    }
}
