//! Answers, as hyper reads them.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::{
    client::conn::http1::{Builder, SendRequest},
    ext,
};

use super::{Answer, WIDE};
use crate::wire::{Wire, run};

/// The informational answers, and the final one if it came whole.
pub(super) fn read(
    method: &Method,
    bytes: &[u8],
) -> Option<(Vec<(StatusCode, HeaderMap)>, Answer)> {
    let informational = Arc::new(Mutex::new(Vec::new()));
    let mut request = http::Request::new(Empty::<Bytes>::new());
    *request.method_mut() = method.clone();
    let seen = Arc::clone(&informational);
    ext::on_informational(&mut request, move |answer| {
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.push((answer.status(), answer.headers().clone()));
    });
    let answer = run(async {
        let mut builder = Builder::new();
        builder.max_headers(WIDE.max_headers.into());
        let (sender, connection) = builder.handshake(Wire::of_server(bytes)).await.ok()?;
        beside(connection, exchange(sender, request)).await
    })?;
    let informational = informational.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Some((informational, answer))
}

/// Sends the request, and reads the answer if that comes to its end.
async fn exchange(
    mut sender: SendRequest<Empty<Bytes>>,
    request: http::Request<Empty<Bytes>>,
) -> Option<Answer> {
    let (head, body) = sender.send_request(request).await.ok()?.into_parts();
    let content = body.collect().await.ok()?.to_bytes().to_vec();
    let (status, version, fields) = (head.status, head.version, head.headers);
    Some(Answer { status, version, fields, announced: None, content })
}

/// The outcome of `exchange`, which happens on `connection`.
async fn beside<T>(connection: impl Future, exchange: impl Future<Output = T>) -> T {
    let (mut connection, mut exchange) = (pin!(connection), pin!(exchange));
    let mut is_over = false;
    poll_fn(|context| {
        // How it ends says nothing of the answer before.
        is_over = is_over || connection.as_mut().poll(context).is_ready();
        exchange.as_mut().poll(context)
    })
    .await
}
