//! How long a request was on the wire, for a codec that does not say.

use http::request::Parts;

use crate::action::content_length;

/// How long a request was in bytes, if one space is behind each colon, where nearly everybody puts
/// it, and no other around a value. Of chunked content it holds nothing.
#[must_use]
pub fn usual_length(head: &Parts) -> u64 {
    let (uri, spaces, line_end) = (&head.uri, 2, 2);
    let origin = uri.scheme_str().map_or(0, |scheme| scheme.len() + "://".len());
    let authority = uri.authority().map_or(0, |authority| authority.as_str().len());
    let path = uri.path_and_query().map_or(0, |path| path.as_str().len());
    let target = origin + authority + path;
    let line = head.method.as_str().len() + target + "HTTP/1.1".len() + spaces + line_end;
    let field = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        name.as_str().len() + ": ".len() + value.len() + line_end
    };
    let fields: usize = head.headers.iter().map(field).sum();
    (line + fields + line_end) as u64 + content_length(head).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    #[test]
    fn a_request_is_as_long_as_it_is_usually_written() {
        let raw = "POST /a?b HTTP/1.1\r\nHost: a\r\nX: y\r\nX: \r\nContent-Length: 5\r\n\r\nhello";
        let request = Request::post("/a?b")
            .header("host", "a")
            .header("x", "y")
            .header("x", "")
            .header("content-length", "5");
        let (head, ()) = request.body(()).expect("a request").into_parts();
        assert_eq!(usual_length(&head), raw.len() as u64);
        let raw = "GET http://a:1/b HTTP/1.1\r\n\r\n";
        let (head, ()) = Request::get("http://a:1/b").body(()).expect("a request").into_parts();
        assert_eq!(usual_length(&head), raw.len() as u64);
    }
}
