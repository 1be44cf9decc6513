//! Requests, as hyper reads them.

use std::{cell::RefCell, convert::Infallible};

use http_body::Body;
use http_body_util::{BodyExt, Empty};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};

use super::{Request, WIDE};
use crate::wire::{Wire, run};

/// The requests that came whole.
pub(super) fn read(bytes: &[u8]) -> Vec<Request> {
    let complete = RefCell::new(Vec::new());
    let service = service_fn(async |request: http::Request<Incoming>| {
        let request = whole(request).await;
        complete.borrow_mut().extend(request);
        // Nothing that could be taken for consent to another protocol.
        let mut answer = http::Response::new(Empty::<bytes::Bytes>::new());
        *answer.status_mut() = http::StatusCode::NOT_FOUND;
        Ok::<_, Infallible>(answer)
    });
    let connection = http1::Builder::new()
        .half_close(true)
        .max_headers(WIDE.max_headers.into())
        .serve_connection(Wire::of_client(bytes), service);
    // How it ends says nothing of the requests before.
    let _ = run(connection);
    complete.take()
}

/// The request with its content, if that comes to its end.
async fn whole(request: http::Request<Incoming>) -> Option<Request> {
    let (head, body) = request.into_parts();
    let length = body.size_hint().exact();
    let content = body.collect().await.ok()?.to_bytes().to_vec();
    Some(Request {
        start: 0,
        method: head.method,
        target: head.uri,
        version: head.version,
        fields: head.headers,
        length,
        content,
        persists: true,
    })
}
