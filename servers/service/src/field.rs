//! Fields with a list of members, or with a number.

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{self, Entry},
};

/// The members of a list field, in order, without empty ones (RFC 9110, section 5.6.1). No
/// attention is paid to quotes: none of the fields asked for here may hold a quoted comma.
pub(crate) fn list<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = &'a [u8]> {
    let values = headers.get_all(name).into_iter();
    values
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|member| !member.is_empty())
}

/// Adds a member to a list field. However many lines there were, one is left: some recipients
/// read no more than the first (RFC 9110, section 5.3).
pub(crate) fn append(headers: &mut HeaderMap, name: &HeaderName, member: HeaderValue) {
    let mut entry = match headers.entry(name) {
        Entry::Vacant(entry) => {
            entry.insert(member);
            return;
        }
        Entry::Occupied(entry) => entry,
    };
    let mut joined = Vec::new();
    for value in entry.iter().filter(|value| !value.is_empty()) {
        joined.extend_from_slice(value.as_bytes());
        joined.extend_from_slice(b", ");
    }
    joined.extend_from_slice(member.as_bytes());
    // Values and commas are a value.
    if let Ok(whole) = HeaderValue::from_maybe_shared(Bytes::from(joined)) {
        entry.insert(whole);
    }
}

/// `Content-Length`, if it is one decimal number, given once (RFC 9110, section 8.6).
pub(crate) fn content_length(headers: &HeaderMap) -> Option<u64> {
    let mut values = headers.get_all(header::CONTENT_LENGTH).into_iter();
    match (values.next(), values.next()) {
        (Some(value), None) => digits(value.as_bytes()),
        _ => None,
    }
}

/// A decimal number without a sign.
pub(crate) fn digits<N: std::str::FromStr>(text: &[u8]) -> Option<N> {
    let text = str::from_utf8(text).ok()?;
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_leaves_its_empty_members_out() {
        let mut headers = HeaderMap::new();
        for value in ["a, b", "", " ,c\t,,"] {
            headers.append(header::CONNECTION, HeaderValue::from_static(value));
        }
        let members: Vec<_> = list(&headers, &header::CONNECTION).collect();
        assert_eq!(members, [b"a", b"b", b"c"]);
    }

    #[test]
    fn only_a_plain_number_is_a_length() {
        for (values, length) in [
            (&[][..], None),
            (&["0"], Some(0)),
            (&["007"], Some(7)),
            (&["+5"], None),
            (&["-5"], None),
            (&["0x5"], None),
            (&[""], None),
            (&["5, 5"], None),
            (&["5", "5"], None),
            (&["18446744073709551616"], None),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::CONTENT_LENGTH, HeaderValue::from_static(value));
            }
            assert_eq!(content_length(&headers), length, "{values:?}");
        }
    }
}
