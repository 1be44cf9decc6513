//! `--upstream URL`: the name of where requests are forwarded to.

use std::{
    io,
    net::{SocketAddr, ToSocketAddrs},
    str::FromStr,
};

use http::uri::{Authority, Uri};
use thiserror::Error;

/// A server that speaks plain HTTP, by name or by address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    authority: Authority,
}

/// Why a URL can't be an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum UrlError {
    /// Not a URL with a scheme and a host.
    #[error("not a URL; expected http://host:port")]
    NotUrl,
    /// `https`, or something else that isn't spoken here.
    #[error("only http:// is spoken upstream; expected http://host:port")]
    Scheme,
    /// A user's name or password: it would be sent nowhere.
    #[error("a user name has no place here; expected http://host:port")]
    User,
    /// A path or a query: requests bring their own.
    #[error("requests bring their own path; expected http://host:port and nothing after it")]
    Path,
    /// A port that isn't one.
    #[error("the port must be from 1 to 65535; expected http://host:port")]
    Port,
}

impl Url {
    /// `host:port` as it was given: what `Host` says upstream.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The name or address alone, an IPv6 address without its brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        self.authority.host().trim_start_matches('[').trim_end_matches(']')
    }

    /// The port, 80 if none was given.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.authority.port_u16().unwrap_or(80)
    }

    /// Every address of the host, at least one. Asks the system's resolver and *blocks* for as long
    /// as that takes: not for an event loop.
    pub fn resolve(&self) -> io::Result<Vec<SocketAddr>> {
        let addresses: Vec<_> = (self.host(), self.port()).to_socket_addrs()?.collect();
        if addresses.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
        }
        Ok(addresses)
    }
}

impl FromStr for Url {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let scheme = text.split_once("://").map(|(scheme, _)| scheme);
        match scheme {
            None => return Err(UrlError::NotUrl),
            Some(scheme) if !scheme.eq_ignore_ascii_case("http") => {
                return Err(UrlError::Scheme);
            }
            Some(_) => {}
        }
        let uri: Uri = text.parse().map_err(|_| UrlError::NotUrl)?;
        let authority = uri.authority().ok_or(UrlError::NotUrl)?;
        if authority.as_str().contains('@') {
            return Err(UrlError::User);
        }
        // `http` drops a fragment without a word.
        if uri.path() != "/" || uri.query().is_some() || text.contains('#') {
            return Err(UrlError::Path);
        }
        let host = authority.host();
        if host.is_empty() || host == "[]" {
            return Err(UrlError::NotUrl);
        }
        let named_port = authority.as_str().len() > host.len();
        if named_port && authority.port_u16().is_none_or(|port| port == 0) {
            return Err(UrlError::Port);
        }
        Ok(Self { authority: authority.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports_are_told_apart() {
        for (text, host, port) in [
            ("http://127.0.0.1:9000", "127.0.0.1", 9000),
            ("http://origin", "origin", 80),
            ("HTTP://origin:81/", "origin", 81),
            ("http://[::1]:9000", "::1", 9000),
        ] {
            let upstream: Url = text.parse().expect(text);
            assert_eq!((upstream.host(), upstream.port()), (host, port), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_forwarded_to_is_refused() {
        for (text, error) in [
            ("", UrlError::NotUrl),
            ("127.0.0.1:9000", UrlError::NotUrl),
            ("/path", UrlError::NotUrl),
            ("http://", UrlError::NotUrl),
            ("http://:80", UrlError::NotUrl),
            ("http://a b", UrlError::NotUrl),
            ("https://origin", UrlError::Scheme),
            ("unix:///run/origin", UrlError::Scheme),
            ("http://me@origin", UrlError::User),
            ("http://origin/base", UrlError::Path),
            ("http://origin?x", UrlError::Path),
            ("http://origin#x", UrlError::Path),
            ("http://origin:0", UrlError::Port),
            ("http://origin:99999", UrlError::Port),
            ("http://origin:", UrlError::Port),
        ] {
            assert_eq!(text.parse::<Url>(), Err(error), "{text}");
        }
    }

    #[test]
    fn addresses_resolve_to_themselves() {
        let upstream: Url = "http://[::1]:9000".parse().expect("a URL");
        let expected: SocketAddr = "[::1]:9000".parse().expect("an address");
        assert_eq!(upstream.resolve().expect("an address needs no resolver"), [expected]);
    }
}
