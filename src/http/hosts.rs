//! Which `Host` an open plane answers to. A web page can make a browser send requests to a loopback
//! address under a name of its own (DNS rebinding); such a name is not loopback and is refused.

use std::net::IpAddr;

use axum::http::HeaderMap;
use axum::http::header::HOST;
use axum::http::uri::Uri;

use crate::error::GatewayError;

/// Refuses a request whose host, in `Host` or in an absolute target, is neither loopback nor
/// allowed by `server.allowed_hosts`.
pub fn check(headers: &HeaderMap, uri: &Uri, allowed: &[String]) -> Result<(), GatewayError> {
    let named = headers.get_all(HOST).iter().map(|value| value.to_str().unwrap_or(""));
    let mut hosts = named.chain(uri.authority().map(|authority| authority.as_str()));
    match hosts.find(|host| !is_allowed(host, allowed)) {
        None => Ok(()),
        Some(_) => Err(GatewayError::Policy {
            message: "This host name is not served here. Configure `keys:`, or add the name to \
                      `server.allowed_hosts`."
                .into(),
        }),
    }
}

fn is_allowed(host: &str, allowed: &[String]) -> bool {
    let name = without_port(host);
    let loopback = name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    loopback
        || allowed
            .iter()
            .any(|allowed| allowed.eq_ignore_ascii_case(host) || allowed.eq_ignore_ascii_case(name))
}

fn without_port(host: &str) -> &str {
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split(']').next().unwrap_or("");
    }
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_and_allowed_names_pass_and_nothing_else() {
        let allowed = ["gateway.internal".to_owned()];
        let good = [
            "localhost",
            "LOCALHOST:8080",
            "127.0.0.1:1",
            "127.8.8.8",
            "[::1]:8080",
            "gateway.internal:80",
        ];
        let bad = [
            "",
            "evil.test",
            "127.0.0.1.evil.test",
            "localhost.evil.test:80",
            "x/?",
            "10.0.0.1",
            "localhost:x",
        ];
        for (hosts, passes) in [(&good[..], true), (&bad[..], false)] {
            for host in hosts {
                let mut headers = HeaderMap::new();
                headers.insert(HOST, host.parse().expect("a header value"));
                let checked = check(&headers, &Uri::from_static("/v1/models"), &allowed);
                assert_eq!(checked.is_ok(), passes, "{host}");
            }
        }
    }

    #[test]
    fn an_absolute_target_is_checked_too() {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, "localhost".parse().expect("valid"));
        let uri = Uri::from_static("http://evil.test/v1/models");
        assert!(check(&headers, &uri, &[]).is_err());
    }
}
