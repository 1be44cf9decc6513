//! Request targets and hosts: RFC 9112, 3.2, and RFC 3986.

use std::net::Ipv6Addr;

use super::{Stop, bad};

/// The four forms of a target.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A path, and perhaps a query.
    Origin(String),
    /// The same behind a scheme and a host.
    Absolute { host: String, path: String },
    /// A host and a port, for CONNECT alone.
    Authority,
    /// For OPTIONS alone.
    Asterisk,
}

/// Reads the target of a request with `method`.
pub(super) fn read(method: &str, target: &str) -> Result<Form, Stop> {
    if method == "CONNECT" {
        return match target.rsplit_once(':') {
            Some((_, port)) if !port.is_empty() && is_host(target.as_bytes()) => {
                Ok(Form::Authority)
            }
            _ => Err(bad("CONNECT to no host and port")),
        };
    }
    if target == "*" && method == "OPTIONS" {
        return Ok(Form::Asterisk);
    }
    if target.starts_with('/') {
        check(target)?;
        return Ok(Form::Origin(target.to_owned()));
    }
    let (scheme, rest) = target.split_once("://").ok_or_else(|| bad("a target of no form"))?;
    if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return Err(bad("an unknown scheme"));
    }
    let (host, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    if host.is_empty() || !is_host(host.as_bytes()) {
        return Err(bad("a target without a host"));
    }
    check(path)?;
    let slash = if path.starts_with('/') { "" } else { "/" };
    Ok(Form::Absolute { host: host.to_owned(), path: format!("{slash}{path}") })
}

/// Whether this is `[ uri-host [ ":" port ] ]`. A comma is none of a host's characters here: it might
/// be two hosts.
pub(super) fn is_host(value: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(value) else { return false };
    let end = if text.starts_with('[') { text.find(']').map(|at| at + 1) } else { text.find(':') };
    let (host, port) = text.split_at(end.unwrap_or(text.len()));
    let is_good = match host.strip_prefix('[') {
        Some(address) => {
            address.strip_suffix(']').is_some_and(|text| text.parse::<Ipv6Addr>().is_ok())
        }
        None => characters(host, |byte| byte != b',' && is_common(byte)),
    };
    is_good
        && match port.strip_prefix(':') {
            Some(number) => !host.is_empty() && is_port(number),
            None => port.is_empty(),
        }
}

fn is_port(text: &str) -> bool {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    is_number && (text.is_empty() || text.parse::<u16>().is_ok())
}

fn check(path: &str) -> Result<(), Stop> {
    let is_good = characters(path, |byte| is_common(byte) || b":@/?".contains(&byte));
    if is_good { Ok(()) } else { Err(bad("a character that must be escaped")) }
}

/// Whether all are `allowed`, or escapes.
fn characters(text: &str, allowed: impl Fn(u8) -> bool) -> bool {
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = match after {
            _ if *first != b'%' && allowed(*first) => after,
            [high, low, after @ ..]
                if *first == b'%' && high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                after
            }
            _ => return false,
        };
    }
    true
}

/// `unreserved` and `sub-delims`.
fn is_common(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(&byte)
}
