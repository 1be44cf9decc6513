//! Where a message's content ends (RFC 9112, section 6), decided once for both directions.

use http::{HeaderMap, Version, header};

use crate::{Error, field};

/// How the content of a message is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// By a number of bytes; 0 where there is no content.
    Length(u64),
    /// By the chunked transfer coding.
    Chunked,
    /// By the end of the connection: only answers may be.
    UntilClose,
}

/// The framing of a request with these fields (RFC 9112, section 6.3).
pub(crate) fn of_request(version: Version, fields: &HeaderMap) -> Result<Framing, Error> {
    announced(version, fields).map(|framing| framing.unwrap_or(Framing::Length(0)))
}

/// The framing of an answer with these fields, if it has content (RFC 9112, section 6.3).
pub(crate) fn of_response(version: Version, fields: &HeaderMap) -> Result<Framing, Error> {
    announced(version, fields).map(|framing| framing.unwrap_or(Framing::UntilClose))
}

/// What the fields of a message say of its framing, if anything.
fn announced(version: Version, fields: &HeaderMap) -> Result<Option<Framing>, Error> {
    let length = content_length(fields)?;
    if !fields.contains_key(header::TRANSFER_ENCODING) {
        return Ok(length.map(Framing::Length));
    }
    if length.is_some() {
        return Err(Error::ConflictingFraming);
    }
    if version < Version::HTTP_11 {
        return Err(Error::TransferEncoding);
    }
    chunked(fields).map(|()| Some(Framing::Chunked))
}

/// `Content-Length`, which must be one decimal number, given once (RFC 9110, section 8.6).
fn content_length(fields: &HeaderMap) -> Result<Option<u64>, Error> {
    let mut values = fields.get_all(header::CONTENT_LENGTH).into_iter();
    let Some(value) = values.next() else { return Ok(None) };
    let digits = value.as_bytes();
    if values.next().is_some() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(Error::ContentLength);
    }
    let length = value.to_str().ok().and_then(|digits| digits.parse().ok());
    // Sums of lengths must not overflow, and no body has 2^63 bytes.
    length.filter(|length| i64::try_from(*length).is_ok()).map(Some).ok_or(Error::ContentLength)
}

/// Checks that `Transfer-Encoding` is `chunked` and nothing else (RFC 9112, section 6.1).
fn chunked(fields: &HeaderMap) -> Result<(), Error> {
    let is_chunked = |coding: &[u8]| coding.eq_ignore_ascii_case(b"chunked");
    let mut codings = field::list(fields, &header::TRANSFER_ENCODING).peekable();
    let Some(mut coding) = codings.next() else { return Err(Error::TransferEncoding) };
    let mut known = true;
    for next in codings {
        if is_chunked(coding) {
            return Err(Error::TransferEncoding);
        }
        known = false;
        coding = next;
    }
    if known && is_chunked(coding) { Ok(()) } else { Err(Error::UnknownTransferCoding) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn framing(
        version: Version,
        fields: &[(&'static str, &'static str)],
    ) -> Result<Framing, Error> {
        let mut map = HeaderMap::new();
        for (name, value) in fields {
            map.append(*name, HeaderValue::from_static(value));
        }
        of_request(version, &map)
    }

    #[test]
    fn lengths() {
        let length = |value| framing(Version::HTTP_11, &[("content-length", value)]);
        assert_eq!(framing(Version::HTTP_11, &[]), Ok(Framing::Length(0)));
        assert_eq!(length("0"), Ok(Framing::Length(0)));
        assert_eq!(length("007"), Ok(Framing::Length(7)));
        for bad in ["", "+5", "-5", "0x5", "5, 6", "5, 5", "5 5", "9223372036854775808", "1e3"] {
            assert_eq!(length(bad), Err(Error::ContentLength), "{bad:?}");
        }
        let twice = [("content-length", "5"), ("content-length", "5")];
        assert_eq!(framing(Version::HTTP_11, &twice), Err(Error::ContentLength));
    }

    #[test]
    fn an_answer_that_says_nothing_lasts_until_the_end() {
        let silent = of_response(Version::HTTP_11, &HeaderMap::new());
        assert_eq!(silent, Ok(Framing::UntilClose));
    }

    #[test]
    fn codings() {
        let coding = |value| framing(Version::HTTP_11, &[("transfer-encoding", value)]);
        assert_eq!(coding("chunked"), Ok(Framing::Chunked));
        assert_eq!(coding("Chunked,"), Ok(Framing::Chunked));
        assert_eq!(coding(""), Err(Error::TransferEncoding));
        assert_eq!(coding("chunked, chunked"), Err(Error::TransferEncoding));
        assert_eq!(coding("chunked, gzip"), Err(Error::TransferEncoding));
        assert_eq!(coding("gzip, chunked"), Err(Error::UnknownTransferCoding));
        assert_eq!(coding("gzip"), Err(Error::UnknownTransferCoding));
        assert_eq!(coding("chunked;q=1"), Err(Error::UnknownTransferCoding));
        let old = framing(Version::HTTP_10, &[("transfer-encoding", "chunked")]);
        assert_eq!(old, Err(Error::TransferEncoding));
        let both = [("transfer-encoding", "chunked"), ("content-length", "3")];
        assert_eq!(framing(Version::HTTP_11, &both), Err(Error::ConflictingFraming));
    }
}
