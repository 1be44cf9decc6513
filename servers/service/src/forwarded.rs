//! What a proxy says of itself and of its client: `Via`, `Forwarded`, `X-Forwarded-…`.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName, HeaderValue, Version, header};

use crate::field;

pub(crate) const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
pub(crate) const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
pub(crate) const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Says in a message that it came through here, and in which version (RFC 9110, section 7.6.3).
pub(crate) fn add_via(headers: &mut HeaderMap, received: Version) {
    let via = if received < Version::HTTP_11 { "1.0 five-ways" } else { "1.1 five-ways" };
    field::append(headers, &header::VIA, HeaderValue::from_static(via));
}

/// Says in a request who sent it, to which `Host`, and how: as RFC 7239 has it, and as was usual
/// before. What the client says of this itself is dropped, unless it is `trusted`; then its
/// lists are continued, and the host and protocol it names are the original ones.
pub(crate) fn add_client(headers: &mut HeaderMap, client: SocketAddr, trusted: bool) {
    let address = client.ip().to_canonical();
    let text = text(address);
    let host = headers.get(header::HOST).filter(|host| !host.is_empty()).cloned();
    let element = HeaderValue::try_from(element(address, &text, host.as_ref()));
    let address = HeaderValue::try_from(text);
    let proto = HeaderValue::from_static("http");
    for (name, value) in [(header::FORWARDED, element), (X_FORWARDED_FOR, address)] {
        match value {
            Ok(value) if trusted => field::append(headers, &name, value),
            Ok(value) => drop(headers.insert(name, value)),
            // Neither an address nor a host that was checked holds what a value may not.
            Err(_) => drop(headers.remove(name)),
        }
    }
    for (name, value) in [(X_FORWARDED_HOST, host), (X_FORWARDED_PROTO, Some(proto))] {
        match value {
            Some(value) if trusted => drop(headers.entry(name).or_insert(value)),
            Some(value) => drop(headers.insert(name, value)),
            None if trusted => {}
            None => drop(headers.remove(name)),
        }
    }
}

/// An address as it is written, of which every forwarded request needs one.
fn text(address: IpAddr) -> String {
    let IpAddr::V4(address) = address else { return address.to_string() };
    let mut text = String::with_capacity("255.255.255.255".len());
    for (place, octet) in address.octets().into_iter().enumerate() {
        if place > 0 {
            text.push('.');
        }
        text.push_str(itoa::Buffer::new().format(octet));
    }
    text
}

/// A `forwarded-element` (RFC 7239, section 4). An IPv6 address is bracketed, and both that and
/// a host with a port are quoted.
fn element(client: IpAddr, text: &str, host: Option<&HeaderValue>) -> String {
    const ROOM: usize = "for=\"[]\";host=\"\";proto=http".len();
    let mut element = String::with_capacity(ROOM + text.len() + host.map_or(0, HeaderValue::len));
    match client {
        IpAddr::V4(_) => element.extend(["for=", text]),
        IpAddr::V6(_) => element.extend(["for=\"[", text, "]\""]),
    }
    if let Some(host) = host.and_then(|host| host.to_str().ok()) {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
        // No host that was checked holds a quote or a backslash.
        let quote = if host.bytes().all(is_plain) { "" } else { "\"" };
        element.extend([";host=", quote, host, quote]);
    }
    element.push_str(";proto=http");
    element
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(of: &[(&'static str, &'static str)]) -> HeaderMap {
        let value =
            |(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value));
        let mut headers = HeaderMap::new();
        for (name, value) in of.iter().copied().map(value) {
            headers.append(name, value);
        }
        headers
    }

    /// The four fields, after a client at `client` sent the fields `of`.
    fn told(
        client: &str,
        of: &[(&'static str, &'static str)],
        trusted: bool,
    ) -> [Option<String>; 4] {
        let mut headers = fields(of);
        add_client(&mut headers, client.parse().unwrap(), trusted);
        [header::FORWARDED, X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PROTO].map(|name| {
            assert!(headers.get_all(&name).into_iter().count() <= 1, "{name}");
            headers.get(name).map(|value| value.to_str().unwrap().to_owned())
        })
    }

    fn some(values: [&str; 4]) -> [Option<String>; 4] {
        values.map(|value| (value != "-").then(|| value.to_owned()))
    }

    #[test]
    fn via_names_the_version_received_behind_those_before() {
        for (before, received, after) in [
            (&[][..], Version::HTTP_11, "1.1 five-ways"),
            (&[], Version::HTTP_10, "1.0 five-ways"),
            (&["1.1 a"], Version::HTTP_11, "1.1 a, 1.1 five-ways"),
            (&["1.0 a, 1.1 b", "", "1.1 c (x)"], Version::HTTP_10, VIA_AFTER_THREE),
            (&["1.1 five-ways"], Version::HTTP_11, "1.1 five-ways, 1.1 five-ways"),
        ] {
            let before: Vec<_> = before.iter().map(|value| ("via", *value)).collect();
            let mut headers = fields(&before);
            add_via(&mut headers, received);
            let values: Vec<_> = headers.get_all(header::VIA).into_iter().collect();
            assert_eq!(values, [after]);
        }
    }

    const VIA_AFTER_THREE: &str = "1.0 a, 1.1 b, 1.1 c (x), 1.0 five-ways";

    #[test]
    fn addresses_and_hosts_are_quoted_where_they_must_be() {
        for (client, host, forwarded, address) in [
            ("192.0.2.1:4000", "a.b-c", "for=192.0.2.1;host=a.b-c;proto=http", "192.0.2.1"),
            ("192.0.2.1:4000", "a:80", "for=192.0.2.1;host=\"a:80\";proto=http", "192.0.2.1"),
            (
                "[2001:db8::1]:4000",
                "[::1]:80",
                "for=\"[2001:db8::1]\";host=\"[::1]:80\";proto=http",
                "2001:db8::1",
            ),
            ("[::ffff:192.0.2.1]:4000", "a", "for=192.0.2.1;host=a;proto=http", "192.0.2.1"),
        ] {
            let expected = some([forwarded, address, host, "http"]);
            assert_eq!(told(client, &[("host", host)], false), expected, "{client} {host}");
        }
    }

    #[test]
    fn a_host_that_was_not_given_is_not_told() {
        let expected = some(["for=192.0.2.1;proto=http", "192.0.2.1", "-", "http"]);
        assert_eq!(told("192.0.2.1:1", &[], false), expected);
        assert_eq!(told("192.0.2.1:1", &[("host", "")], false), expected);
        assert_eq!(told("192.0.2.1:1", &[("x-forwarded-host", "bank")], false), expected);
    }

    #[test]
    fn only_a_trusted_client_speaks_of_others() {
        let claims = [
            ("host", "a"),
            ("forwarded", "for=198.51.100.7;proto=https"),
            ("forwarded", "for=_hidden"),
            ("x-forwarded-for", "198.51.100.7"),
            ("x-forwarded-for", "203.0.113.9"),
            ("x-forwarded-host", "shop"),
            ("x-forwarded-proto", "https"),
        ];
        assert_eq!(
            told("192.0.2.1:1", &claims, false),
            some(["for=192.0.2.1;host=a;proto=http", "192.0.2.1", "a", "http"])
        );
        assert_eq!(
            told("192.0.2.1:1", &claims, true),
            some([
                "for=198.51.100.7;proto=https, for=_hidden, for=192.0.2.1;host=a;proto=http",
                "198.51.100.7, 203.0.113.9, 192.0.2.1",
                "shop",
                "https",
            ])
        );
        // Trust adds nothing to a client that claims nothing.
        assert_eq!(
            told("192.0.2.1:1", &claims[..1], true),
            told("192.0.2.1:1", &claims[..1], false)
        );
    }
}
