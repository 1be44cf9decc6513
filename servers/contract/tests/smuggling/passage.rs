//! What a request must become on its way through a proxy.

use std::collections::BTreeMap;

use contract::strict::Request;

/// What ends with a connection (RFC 9110, 7.6.1), frames content, or is a proxy's own to say.
const NOT_PASSED_ON: [&str; 19] = [
    "connection",
    "content-length",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "max-forwards",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
];

/// A proxy answers TRACE, and OPTIONS that has come as far as it may (RFC 9110, 7.6.2 and 9.3.8).
pub(crate) fn goes_upstream(request: &Request) -> bool {
    let has_arrived = request.method == "OPTIONS" && request.values("max-forwards") == [b"0"];
    request.method != "TRACE" && !has_arrived
}

/// Whether what was `seen` upstream is the same as the client's `request`, or the beginning of it. `host`
/// is named where the client names nobody.
pub(crate) fn is_passed_on(request: &Request, seen: &Request, host: &str) -> Result<(), String> {
    let is = |what: &str, equal: bool| {
        let other = || format!("{} has another {what} at the origin: {seen}", brief(request));
        if equal { Ok(()) } else { Err(other()) }
    };
    is("method", seen.method == request.method)?;
    is("target", seen.target == request.target)?;
    is("host", seen.host.as_deref() == Some(request.host.as_deref().unwrap_or(host)))?;
    is("framing", seen.framing == request.framing)?;
    is("content", request.content.starts_with(&seen.content))?;
    is("expectation", seen.waits() == request.waits())?;
    is("via", seen.list("via").starts_with(&request.list("via")))?;
    is("field", end_to_end(seen) == end_to_end(request))
}

/// Method and target.
pub(crate) fn brief(request: &Request) -> String {
    format!("{} {}", request.method, request.target)
}

/// The fields that get through a proxy as they are.
fn end_to_end(request: &Request) -> BTreeMap<&str, Vec<&[u8]>> {
    let named = request.list("connection");
    let mut fields = BTreeMap::<_, Vec<_>>::new();
    for (name, value) in &request.fields {
        // It speaks to all who might keep the answer (RFC 9111, 5.2).
        let can_be_named = name != "cache-control";
        let is_named = can_be_named && named.iter().any(|option| option == name.as_bytes());
        if !is_named && !NOT_PASSED_ON.contains(&&name[..]) {
            fields.entry(&name[..]).or_default().push(&value[..]);
        }
    }
    fields
}
