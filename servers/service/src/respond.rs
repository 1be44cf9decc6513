//! Complete answers.

use http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;

use crate::Body;

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const BYTES: HeaderValue = HeaderValue::from_static("application/octet-stream");
const PROMETHEUS: HeaderValue =
    HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// A refusal in one line of text, such as a codec's or a time-out's. The caller ends the
/// connection with it.
#[must_use]
pub fn refuse(status: StatusCode, why: &str) -> Response<Body> {
    let name = status.canonical_reason().unwrap_or("refused").to_lowercase();
    let mut response = text(status, format!("{} {name}: {why}\n", status.as_str()));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        retry_after(&mut response);
    }
    response
}

/// The refusal of a connection that is one too many.
#[must_use]
pub fn saturated() -> Response<Body> {
    refuse(StatusCode::SERVICE_UNAVAILABLE, "this server has as many connections as it may have")
}

/// The refusal of a request that began and did not end in time.
#[must_use]
pub fn too_slow() -> Response<Body> {
    refuse(StatusCode::REQUEST_TIMEOUT, "the request took too long")
}

/// The refusal of content that turned out to be more than the service takes.
#[must_use]
pub fn too_large() -> Response<Body> {
    let why = "the content is larger than this server takes";
    refuse(StatusCode::PAYLOAD_TOO_LARGE, why)
}

/// The refusal of content that can't be understood.
#[must_use]
pub fn malformed(why: &str) -> Response<Body> {
    refuse(StatusCode::BAD_REQUEST, why)
}

/// Says how long the content would be that is not sent, as to HEAD, for a codec that only says so
/// of content that it sees.
pub fn announce<B>(response: &mut Response<B>, length: u64) {
    if !matches!(response.status().as_u16(), 204 | 304) {
        response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    }
}

/// Marks an answer as the connection's last, for a codec that is told so by a field.
pub fn close<B>(response: &mut Response<B>) {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
}

pub(crate) fn text(status: StatusCode, text: impl Into<Body>) -> Response<Body> {
    respond(status, TEXT, text.into())
}

pub(crate) fn metrics(text: String) -> Response<Body> {
    respond(StatusCode::OK, PROMETHEUS, text.into())
}

pub(crate) fn bytes(length: u64) -> Response<Body> {
    respond(StatusCode::OK, BYTES, Body::Pattern(length))
}

pub(crate) fn json(value: &impl Serialize) -> Response<Body> {
    match serde_json::to_vec_pretty(value) {
        Ok(mut bytes) => {
            bytes.push(b'\n');
            respond(StatusCode::OK, JSON, Body::Full(bytes.into()))
        }
        Err(error) => refuse(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

/// The head of `/stream`.
pub(crate) fn stream() -> Response<()> {
    respond(StatusCode::OK, TEXT, ())
}

/// A bare status, with a line of text where one is allowed.
pub(crate) fn status(status: StatusCode) -> Response<Body> {
    if matches!(status.as_u16(), 204 | 205 | 304) {
        let mut response = Response::new(Body::Empty);
        *response.status_mut() = status;
        return response;
    }
    let reason = status.canonical_reason().unwrap_or("a status without a name");
    text(status, format!("{} {reason}\n", status.as_str()))
}

/// 204, and what may be asked: the answer to OPTIONS (RFC 9110, section 9.3.7).
pub(crate) fn options(allow: &'static str) -> Response<Body> {
    let mut response = status(StatusCode::NO_CONTENT);
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allow));
    response
}

/// 405, and what would be allowed (RFC 9110, section 15.5.6).
pub(crate) fn method_not_allowed(allow: &'static str) -> Response<Body> {
    let mut response = refuse(StatusCode::METHOD_NOT_ALLOWED, &format!("allowed: {allow}"));
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allow));
    response
}

pub(crate) fn content_too_large(limit: u64) -> Response<Body> {
    refuse(StatusCode::PAYLOAD_TOO_LARGE, &format!("at most {limit} bytes of content, please"))
}

fn retry_after(response: &mut Response<Body>) {
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
}

fn respond<B>(status: StatusCode, media_type: HeaderValue, body: B) -> Response<B> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, media_type);
    response
}
