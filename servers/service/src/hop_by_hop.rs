//! Fields that speak of one connection, and so go no further than its other end (RFC 9110,
//! section 7.6.1).

use std::time::Duration;

use http::{HeaderMap, HeaderName, header};

use crate::{field, forwarded};

/// What never goes further, whether `Connection` names it or not. The two that frame content are
/// here since each codec frames anew, and `Trailer` since trailers are dropped.
static HOP_BY_HOP: [HeaderName; 11] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    HeaderName::from_static("proxy-authentication-info"),
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::CONTENT_LENGTH,
    header::UPGRADE,
];

/// What `Connection` can't name away: it is meant for every recipient, or a proxy lives by it.
static END_TO_END: [HeaderName; 9] = [
    header::HOST,
    header::EXPECT,
    header::MAX_FORWARDS,
    header::CACHE_CONTROL,
    header::VIA,
    header::FORWARDED,
    forwarded::X_FORWARDED_FOR,
    forwarded::X_FORWARDED_HOST,
    forwarded::X_FORWARDED_PROTO,
];

/// Removes the fields that must not be passed on, and those that `Connection` names.
pub(crate) fn remove(headers: &mut HeaderMap) {
    // A look at each of the few names there are costs less than a search for each of the eleven.
    let there = headers.keys().filter(|name| HOP_BY_HOP.contains(name));
    let mut gone: Vec<_> = there.cloned().collect();
    if gone.contains(&header::CONNECTION) {
        let named = field::list(headers, &header::CONNECTION)
            .filter(|option| !is_persistence(option))
            .filter_map(|option| HeaderName::from_bytes(option).ok())
            .filter(|name| !END_TO_END.contains(name));
        gone.extend(named);
    }
    for name in gone {
        headers.remove(name);
    }
}

/// How long an upstream keeps an idle connection, if its answer says so in whole seconds:
/// `Keep-Alive: timeout=5` (RFC 2068, section 19.7.1.1), the shortest if it says so repeatedly.
/// What is malformed says nothing.
///
/// To be asked before [`Forward::answer`](crate::Forward::answer), which removes the field.
#[must_use]
pub fn keep_alive(headers: &HeaderMap) -> Option<Duration> {
    let timeouts = field::list(headers, &HOP_BY_HOP[1]).filter_map(|parameter| {
        let (name, value) = parameter.split_at_checked(b"timeout=".len())?;
        let seconds = || field::digits::<u32>(value).map(u64::from);
        name.eq_ignore_ascii_case(b"timeout=").then(seconds)?
    });
    timeouts.min().map(Duration::from_secs)
}

/// The options that nearly every `Connection` holds, and that name no field which stays.
fn is_persistence(option: &[u8]) -> bool {
    option.eq_ignore_ascii_case(b"close") || option.eq_ignore_ascii_case(b"keep-alive")
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    /// A field of each name, and these values of `Connection`; the names that are left, sorted.
    fn left<'a>(names: &[&'a str], connection: &[&'static str]) -> Vec<&'a str> {
        let mut headers = HeaderMap::new();
        for name in names {
            let name: HeaderName = name.parse().unwrap();
            headers.append(&name, HeaderValue::from_static("1"));
            headers.append(&name, HeaderValue::from_static("2"));
        }
        for value in connection {
            headers.append(header::CONNECTION, HeaderValue::from_static(value));
        }
        remove(&mut headers);
        assert!(!headers.contains_key(header::CONNECTION));
        let left = |name: &&&str| headers.contains_key(**name);
        names.iter().filter(left).copied().collect()
    }

    #[test]
    fn hop_by_hop_fields_go_no_further() {
        let names = [
            "keep-alive",
            "proxy-connection",
            "proxy-authenticate",
            "proxy-authentication-info",
            "proxy-authorization",
            "te",
            "trailer",
            "transfer-encoding",
            "content-length",
            "upgrade",
        ];
        for connection in [&[][..], &["close"], &["te, upgrade"]] {
            assert_eq!(left(&names, connection), [""; 0], "{connection:?}");
        }
    }

    #[test]
    fn other_fields_stay() {
        let names = ["accept", "authorization", "content-type", "date", "server", "x-own", "proxy"];
        for connection in [&[][..], &["close"], &["Keep-Alive"], &["x-other", "\"accept\", a b"]] {
            assert_eq!(left(&names, connection), names, "{connection:?}");
        }
    }

    #[test]
    fn what_connection_names_goes_no_further() {
        for connection in [
            &["x-a, X-B,authorization"][..],
            &["x-a", "x-b", "authorization"],
            &["close,, \tX-A\t ,x-B", "x-a, Authorization"],
        ] {
            let names = ["x-a", "x-b", "x-c", "authorization"];
            assert_eq!(left(&names, connection), ["x-c"], "{connection:?}");
        }
    }

    #[test]
    fn what_all_recipients_need_cannot_be_named_away() {
        let names = [
            "host",
            "expect",
            "max-forwards",
            "cache-control",
            "via",
            "forwarded",
            "x-forwarded-for",
            "x-forwarded-host",
            "x-forwarded-proto",
        ];
        for name in names {
            assert_eq!(left(&[name, "x-a"], &[name, "x-a"]), [name]);
        }
    }

    #[test]
    fn an_idle_time_is_believed_only_if_it_is_one() {
        let seconds = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("keep-alive", HeaderValue::from_static(value));
            }
            keep_alive(&headers).map(|time| time.as_secs())
        };
        for (values, expected) in [
            (&["timeout=5"][..], Some(5)),
            (&["timeout=5, max=100"], Some(5)),
            (&["max=100,Timeout=5"], Some(5)),
            (&["max=100", "timeout=5"], Some(5)),
            (&["timeout=9, timeout=4"], Some(4)),
            (&["timeout=0"], Some(0)),
            (&["timeout=x, timeout=7"], Some(7)),
        ] {
            assert_eq!(seconds(values), expected, "{values:?}");
        }
        for malformed in [
            "",
            "5",
            "timeout",
            "timeout=",
            "timeout:5",
            "timeout=-1",
            "timeout=+5",
            "timeout=5s",
            "timeout=1.5",
            "timeout=0x5",
            "timeout= 5",
            "timeout=\"5\"",
            "timeout=5;max=1",
            "timeouts=5",
            "xtimeout=5",
            "timeout=4294967296",
            "timeout=99999999999999999999",
            "max=5",
        ] {
            assert_eq!(seconds(&[malformed]), None, "{malformed:?}");
        }
        assert_eq!(seconds(&[]), None);
    }
}
