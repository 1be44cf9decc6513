//! Forwarding: what goes upstream, and what comes back from there.

use std::net::SocketAddr;

use http::{
    HeaderMap, HeaderValue, Method, StatusCode, Uri, Version, header, request, response,
    uri::{Authority, PathAndQuery},
};

use crate::{action, field, forwarded, hop_by_hop};

/// Where requests are forwarded to, and what is believed of those who send them.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// What `Host` says upstream if the client's request does not.
    pub authority: Authority,
    /// Whether clients are proxies that may say for whom they forward.
    pub trust_forwarded: bool,
}

/// A request to be forwarded, both contents as they arrive.
///
/// In the order of use: [`request`](Self::request) and [`content`](Self::content) for what goes
/// upstream, [`may_retry`](Self::may_retry) if that failed, then for each head that comes back
/// [`passes_on`](Self::passes_on) if it is informational, and [`answer`](Self::answer).
#[derive(Debug)]
pub struct Forward {
    /// How much of the path leads here, and no further.
    route: &'static str,
    /// What `Host` says upstream, if nothing in the request does.
    host: Option<HeaderValue>,
    version: Version,
    content: Content,
    expects_continue: bool,
    is_idempotent: bool,
    trust_forwarded: bool,
}

/// How a request's content is delimited on its way upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// There is none, and no field says so.
    None,
    /// By its length in bytes, as the client announced it; 0 is said, too.
    Length(u64),
    /// By the chunked transfer coding.
    Chunked,
}

/// How far a request came that failed upstream.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "five facts, any of which may hold")]
pub struct Attempt {
    /// Whether there was a connection to send it on.
    pub connected: bool,
    /// Whether that had carried another request before.
    pub reused: bool,
    /// Whether any byte of an answer came, informational or not.
    pub answer_began: bool,
    /// Whether content is gone that can't be sent again.
    pub content_sent: bool,
    /// Whether this was the second attempt.
    pub retried: bool,
}

impl Forward {
    pub(crate) fn of(head: &request::Parts, upstream: &Upstream, route: &'static str) -> Self {
        let names_host = head.uri.authority().is_some() || head.headers.contains_key(header::HOST);
        let host = || HeaderValue::try_from(upstream.authority.as_str()).ok();
        Self {
            route,
            host: if names_host { None } else { host() },
            version: head.version,
            content: Content::of(&head.headers),
            expects_continue: action::expects_continue(head),
            is_idempotent: head.method.is_idempotent(),
            trust_forwarded: upstream.trust_forwarded,
        }
    }

    /// The head that goes upstream, made of the client's own, whose map it keeps: HTTP/1.1, a
    /// target in origin form or `*`, one `Host`, `Via`, and the client at `client` named in
    /// `Forwarded` and `X-Forwarded-…`.
    ///
    /// Without fields that are hop-by-hop or frame content: [`content`](Self::content) says how
    /// the codec frames.
    #[must_use]
    pub fn request(&self, mut head: request::Parts, client: SocketAddr) -> request::Parts {
        let headers = &mut head.headers;
        hop_by_hop::remove(headers);
        if !self.expects_continue {
            // Nobody here would wait for the 100 (RFC 9110, section 10.1.1).
            headers.remove(header::EXPECT);
        }
        let authority = head.uri.authority().map(Authority::as_str);
        if let Some(Ok(host)) = authority.map(HeaderValue::try_from) {
            // Whatever `Host` says (RFC 9112, section 3.2.2).
            headers.insert(header::HOST, host);
        }
        forwarded::add_via(headers, head.version);
        forwarded::add_client(headers, client, self.trust_forwarded);
        if let Some(host) = &self.host {
            headers.insert(header::HOST, host.clone());
        }
        if let Some(left) = max_forwards(&head.method, headers) {
            headers.insert(header::MAX_FORWARDS, left.saturating_sub(1).into());
        }
        head.uri = target(head.uri, self.route);
        head.version = Version::HTTP_11;
        head
    }

    /// How the request's content is delimited on its way upstream.
    #[must_use]
    pub fn content(&self) -> Content {
        self.content
    }

    /// Says in a head that [`request`](Self::request) has made how its content is delimited, for a
    /// codec that goes by the head and takes a method to mean that there is none.
    pub fn announce(&self, head: &mut request::Parts) {
        if self.content == Content::Chunked {
            let chunked = HeaderValue::from_static("chunked");
            head.headers.insert(header::TRANSFER_ENCODING, chunked);
        }
    }

    /// Whether the client holds its content back until a 100 that is the upstream's to give:
    /// `Expect` is in the forwarded head, and no content is read before that or a final answer.
    #[must_use]
    pub fn expects_continue(&self) -> bool {
        self.expects_continue
    }

    /// Whether the request may be sent again, on a new connection. Once, and only if the
    /// upstream can't have acted on it, as without a connection; or if a connection that was
    /// kept seems to have been closed just then, and acting twice is acting once (RFC 9112,
    /// section 9.3.1).
    #[must_use]
    pub fn may_retry(&self, failed: Attempt) -> bool {
        let was_stale = failed.reused && !failed.answer_began;
        let can_repeat = self.is_idempotent && !failed.content_sent;
        !failed.retried && (!failed.connected || was_stale && can_repeat)
    }

    /// Whether an informational answer is passed on (RFC 9110, section 15.2): to every client but
    /// those of version 1.0, which know none. Even a 100 is that nobody asked for, since no
    /// `Expect` was added here.
    ///
    /// Not a 101: since `Upgrade` never went upstream, that is [`Failure::Invalid`].
    ///
    /// [`Failure::Invalid`]: crate::Failure::Invalid
    #[must_use]
    pub fn passes_on(&self, status: StatusCode) -> bool {
        self.version >= Version::HTTP_11
            && status.is_informational()
            && status != StatusCode::SWITCHING_PROTOCOLS
    }

    /// An upstream's head, informational or final, as the client gets it: HTTP/1.1, without
    /// fields that are hop-by-hop or frame content, and with `Via`. `Date` and `Server` are the
    /// upstream's.
    #[must_use]
    pub fn answer(&self, mut head: response::Parts) -> response::Parts {
        hop_by_hop::remove(&mut head.headers);
        forwarded::add_via(&mut head.headers, head.version);
        head.version = Version::HTTP_11;
        head
    }
}

impl Content {
    fn of(headers: &HeaderMap) -> Self {
        if headers.contains_key(header::TRANSFER_ENCODING) {
            return Self::Chunked;
        }
        field::content_length(headers).map_or(Self::None, Self::Length)
    }
}

/// The length in bytes that an upstream's answer announces: also where no content follows, as
/// to HEAD. To be asked before [`Forward::answer`], which removes the field.
#[must_use]
pub fn announced(headers: &HeaderMap) -> Option<u64> {
    field::content_length(headers)
}

/// Whether an informational answer asks for the content that a client holds back.
#[must_use]
pub fn asks_for_content(status: StatusCode) -> bool {
    status == StatusCode::CONTINUE
}

/// How often an OPTIONS request may still be forwarded (RFC 9110, section 7.6.2). In others, the
/// field is passed on as it is.
pub(crate) fn max_forwards(method: &Method, headers: &HeaderMap) -> Option<u64> {
    let value = headers.get(header::MAX_FORWARDS).filter(|_| method == Method::OPTIONS)?;
    field::digits(value.as_bytes())
}

/// The target in origin form (RFC 9112, section 3.2.1), or `*`, without the `route` in front.
fn target(uri: Uri, route: &str) -> Uri {
    if route.is_empty() && uri.authority().is_none() {
        return uri;
    }
    let given = uri.path_and_query().map_or("/", PathAndQuery::as_str);
    let rest = given.strip_prefix(route).unwrap_or(given);
    let target = if rest.starts_with('/') {
        PathAndQuery::try_from(rest)
    } else {
        // There was no path, or no more of it.
        PathAndQuery::try_from(format!("/{rest}"))
    };
    // A part of a target is one, after a slash.
    target.map(Uri::from).unwrap_or_default()
}
