//! What every request must satisfy, whichever codec read it (RFC 9110 and 9112).

use std::net::Ipv6Addr;

use http::{Method, Response, StatusCode, Version, header, request::Parts, uri::Authority};

use crate::{Body, respond::refuse};

/// Checks the target's form, `Host` and the transfer coding. What is wrong is an answer, with
/// which the connection must end.
pub(crate) fn refusal(head: &Parts) -> Option<Response<Body>> {
    if head.method == Method::CONNECT {
        return Some(refuse(StatusCode::NOT_IMPLEMENTED, "this server opens no tunnels"));
    }
    if let Err(why) = target(head).and_then(|()| host(head)) {
        return Some(refuse(StatusCode::BAD_REQUEST, why));
    }
    coding(head)
}

/// The four forms of a target (RFC 9112, section 3.2), of which authority-form is CONNECT's.
fn target(head: &Parts) -> Result<(), &'static str> {
    let uri = &head.uri;
    match uri.scheme_str() {
        None if uri.authority().is_some() => Err("only CONNECT has a target in authority-form"),
        None if uri.path() == "*" && head.method == Method::OPTIONS => Ok(()),
        None if uri.path().starts_with('/') => Ok(()),
        None => Err("the request target must begin with '/', or be '*' with OPTIONS"),
        Some("http" | "https") if uri.authority().is_some_and(is_host) => Ok(()),
        Some(_) => Err("an absolute target must be http:// and a host"),
    }?;
    // `http` accepts more than RFC 3986 does. Brackets are for addresses in an authority alone.
    let plain = uri.path_and_query().is_none_or(|target| {
        let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"\"#<>[\\]^`{|}".contains(&byte);
        target.as_str().bytes().all(is_plain)
    });
    let escaped = uri.path_and_query().is_none_or(|target| escapes(target.as_str().as_bytes()));
    match (plain, escaped) {
        (true, true) => Ok(()),
        (false, _) => Err("the request target holds a character that must be escaped"),
        (_, false) => Err("a percent sign must be followed by two hexadecimal digits"),
    }
}

/// Whether each percent sign begins an escape (RFC 3986, section 2.1).
fn escapes(target: &[u8]) -> bool {
    target.split(|byte| *byte == b'%').skip(1).all(|after| {
        matches!(after, [high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
    })
}

/// Chunked, once, and no other coding (RFC 9112, section 6.1): `hyper` looks at the last only.
fn coding(head: &Parts) -> Option<Response<Body>> {
    if !head.headers.contains_key(header::TRANSFER_ENCODING) {
        return None;
    }
    let values = head.headers.get_all(header::TRANSFER_ENCODING).into_iter();
    let codings = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let (chunked, unknown): (Vec<_>, Vec<_>) =
        codings.map(<[u8]>::trim_ascii).partition(|coding| coding.eq_ignore_ascii_case(b"chunked"));
    if unknown.iter().any(|coding| !coding.is_empty()) {
        let why = "the only transfer coding known here is chunked";
        return Some(refuse(StatusCode::NOT_IMPLEMENTED, why));
    }
    let why = "Transfer-Encoding must end in chunked, once, and needs HTTP/1.1";
    (chunked.len() > 1).then(|| refuse(StatusCode::BAD_REQUEST, why))
}

/// Exactly one `Host`, and a host (RFC 9112, section 3.2); an HTTP/1.0 client may leave it out.
fn host(head: &Parts) -> Result<(), &'static str> {
    let mut values = head.headers.get_all(header::HOST).into_iter();
    match (values.next(), values.next()) {
        (None, _) if head.version < Version::HTTP_11 => Ok(()),
        (None, _) => Err("Host is missing"),
        (Some(_), Some(_)) => Err("Host must be given once"),
        // Empty where the target has no authority (RFC 9110, section 7.2).
        (Some(value), None) if value.is_empty() => Ok(()),
        (Some(value), None) if is_host_value(value.as_bytes()) => Ok(()),
        _ => Err("Host must be a name or an address, and perhaps a port"),
    }
}

/// Whether `value` is `uri-host [ ":" port ]`. Names and IPv4 addresses, which nearly all are,
/// need no parser.
fn is_host_value(value: &[u8]) -> bool {
    let is_plain = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let plain = value.iter().take_while(is_plain).count();
    match value.split_at(plain) {
        (name, []) => !name.is_empty(),
        (name, [b':', port @ ..]) if !name.is_empty() && port.len() <= 5 => {
            let digit = |port: u32, digit: &u8| {
                digit.is_ascii_digit().then(|| port * 10 + u32::from(digit - b'0'))
            };
            port.iter().try_fold(0, digit).is_some_and(|port| u16::try_from(port).is_ok())
        }
        _ => Authority::try_from(value).is_ok_and(|host| is_host(&host)),
    }
}

/// Whether `authority` has one host, no user, and a port that is a number if there is one. Its own
/// type takes more than that for a host or a port.
fn is_host(authority: &Authority) -> bool {
    let text = authority.as_str();
    let host = authority.host();
    let rest = &text[host.len().min(text.len())..];
    let is_address = |host: &str| host.parse::<Ipv6Addr>().is_ok();
    let is_number = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    !host.is_empty()
        && host.strip_prefix('[').is_none_or(|host| host.strip_suffix(']').is_some_and(is_address))
        && !text.contains(['@', ','])
        && match rest.strip_prefix(':') {
            Some(port) => port.is_empty() || is_number(port) && port.parse::<u16>().is_ok(),
            None => rest.is_empty(),
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderValue, Request};

    fn check(method: &str, target: &str, hosts: &[&'static str]) -> Result<(), StatusCode> {
        let mut request = Request::builder().method(method).uri(target);
        for host in hosts {
            request = request.header(header::HOST, HeaderValue::from_static(host));
        }
        let head = request.body(()).unwrap().into_parts().0;
        refusal(&head).map_or(Ok(()), |response| Err(response.status()))
    }

    #[test]
    fn hosts() {
        for good in
            ["a", "a.b:80", "a:65535", "127.0.0.1:8080", "[::1]", "[::1]:80", "", "a:", "a_b"]
        {
            assert_eq!(check("GET", "/", &[good]), Ok(()), "{good:?}");
        }
        for bad in [
            "a b",
            "a/b",
            "a@b",
            "a:x",
            "a:65536",
            "a:99999",
            "a,b",
            ":80",
            "[::1",
            "http://a",
            "a?b",
            "a#b",
            "[::1]:+80",
            "[]",
            "[a.b]",
            "[::1]a",
        ] {
            assert_eq!(check("GET", "/", &[bad]), Err(StatusCode::BAD_REQUEST), "{bad:?}");
        }
        assert_eq!(check("GET", "/", &[]), Err(StatusCode::BAD_REQUEST));
        assert_eq!(check("GET", "/", &["a", "a"]), Err(StatusCode::BAD_REQUEST));
    }

    #[test]
    fn targets() {
        assert_eq!(check("GET", "http://b/x", &["a"]), Ok(()));
        assert_eq!(check("GET", "/%41%2f?%20", &["a"]), Ok(()));
        assert_eq!(check("OPTIONS", "*", &["a"]), Ok(()));
        for (method, target) in [
            ("GET", "*"),
            ("GET", "a:80"),
            ("GET", "ftp://a/"),
            ("GET", "http://u@a/"),
            ("GET", "http://a:+80/"),
            ("GET", "/%"),
            ("GET", "/%4"),
            ("GET", "/a?%zz"),
            ("GET", "/a?b[]=c"),
        ] {
            assert_eq!(check(method, target, &["a"]), Err(StatusCode::BAD_REQUEST), "{target}");
        }
        assert_eq!(check("CONNECT", "a:80", &["a"]), Err(StatusCode::NOT_IMPLEMENTED));
    }

    #[test]
    fn codings() {
        let check = |values: &[&'static str]| {
            let mut request = Request::builder().uri("/").header(header::HOST, "a");
            for value in values {
                request = request.header(header::TRANSFER_ENCODING, *value);
            }
            let head = request.body(()).unwrap().into_parts().0;
            refusal(&head).map(|response| response.status())
        };
        for good in [&[][..], &["chunked"], &["Chunked"], &["chunked,"]] {
            assert_eq!(check(good), None, "{good:?}");
        }
        for twice in [&["chunked, chunked"][..], &["chunked", "chunked"]] {
            assert_eq!(check(twice), Some(StatusCode::BAD_REQUEST), "{twice:?}");
        }
        for unknown in [&["gzip, chunked"][..], &["gzip", "chunked"], &["xchunked"]] {
            assert_eq!(check(unknown), Some(StatusCode::NOT_IMPLEMENTED), "{unknown:?}");
        }
    }
}
