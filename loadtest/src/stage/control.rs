//! The control address: HTTP, for `loadtest swap` and whoever else has something to ask.
//!
//! | request | answer |
//! |---|---|
//! | `GET /` | [`Status`] as JSON |
//! | `POST /swap/{backend}` | [`Swapped`] as JSON, once the one before has ended; the content may be a JSON array of options |
//!
//! Anything else is answered by an object whose `error` says what was wrong.

use axum::body::Bytes;
use axum::extract::{Path, Request as HttpRequest, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use clap::ValueEnum;
use serde_json::json;
use tokio::sync::{mpsc, oneshot, watch};

use super::launcher::Launch;
use super::options::{self, Backend};
use super::supervisor::{Request, Status, SwapError, Swapped};

/// The way to the supervisor.
#[derive(Clone, Debug)]
pub(super) struct Handle {
    pub(super) status: watch::Receiver<Status>,
    pub(super) requests: mpsc::Sender<Request>,
}

/// Why not.
struct Refusal(StatusCode, String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

/// What is answered at the control address.
pub(super) fn router(handle: Handle) -> Router {
    Router::new()
        .route("/", get(async |State(handle): State<Handle>| Json(handle.status.borrow().clone())))
        .route("/swap/{backend}", post(swap))
        .fallback(async || {
            Refusal(StatusCode::NOT_FOUND, "there are GET / and POST /swap/{backend}".to_owned())
        })
        .layer(middleware::from_fn(refuse_pages))
        .with_state(handle)
}

/// A page that somebody looks at on this machine could ask as well, and should not.
async fn refuse_pages(request: HttpRequest, next: Next) -> Response {
    if request.headers().contains_key(header::ORIGIN) {
        let text = "this is not for pages in a browser".to_owned();
        return Refusal(StatusCode::FORBIDDEN, text).into_response();
    }
    next.run(request).await
}

async fn swap(
    State(handle): State<Handle>,
    Path(name): Path<String>,
    content: Bytes,
) -> Result<Json<Swapped>, Refusal> {
    let launch = Launch { backend: backend(&name)?, options: server_options(&content)? };
    if let Some(other) = handle.status.borrow().swapping_to {
        let text = format!("a swap to {other} is under way; ask again when it is done");
        return Err(Refusal(StatusCode::CONFLICT, text));
    }
    let ending = || Refusal(StatusCode::SERVICE_UNAVAILABLE, SwapError::Ending.to_string());
    let (answer, swapped) = oneshot::channel();
    handle.requests.send(Request { launch, answer }).await.map_err(|_| ending())?;
    match swapped.await {
        Ok(Ok(swapped)) => Ok(Json(swapped)),
        Ok(Err(error @ SwapError::Start(..))) => {
            Err(Refusal(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
        }
        Ok(Err(SwapError::Ending)) | Err(_) => Err(ending()),
    }
}

fn backend(name: &str) -> Result<Backend, Refusal> {
    Backend::from_str(name, false).map_err(|_| {
        let text = format!("there is no backend {name:?}; the backends are {}", Backend::names());
        Refusal(StatusCode::NOT_FOUND, text)
    })
}

fn server_options(content: &[u8]) -> Result<Vec<String>, Refusal> {
    if content.is_empty() {
        return Ok(Vec::new());
    }
    let refusal = |text| Refusal(StatusCode::BAD_REQUEST, text);
    let options: Vec<String> = serde_json::from_slice(content).map_err(|error| {
        refusal(format!("{error}; options are a JSON array of strings, as [\"--workers\", \"2\"]"))
    })?;
    options::check(&options).map_err(|error| refusal(error.to_string()))?;
    Ok(options)
}
