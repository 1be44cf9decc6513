//! One connection over hyper, which reads requests, writes answers, and calls the [`handler`]
//! between.

use std::{io, net::SocketAddr, sync::Arc};

use hyper::{client, server, service::service_fn};
use process::Site;
use session::Identity;
use thiserror::Error;
use tokio::net::TcpStream;

use crate::{deadlines::Deadlines, exchange::Exchange, handler, server::Shared};

/// How many fields hyper takes if it is not told.
const HYPERS_MAX_HEADERS: usize = 100;

/// Why a connection ended before its time.
#[derive(Debug, Error)]
pub(crate) enum Failed {
    #[error(transparent)]
    Hyper(#[from] hyper::Error),
    #[error(transparent)]
    Socket(#[from] io::Error),
}

/// hyper's settings, which are few: the deadlines are the sockets'.
pub(crate) struct Builders {
    pub(crate) downstream: server::conn::http1::Builder,
    pub(crate) upstream: client::conn::http1::Builder,
}

impl Builders {
    pub(crate) fn new(site: &Site) -> Self {
        let mut downstream = server::conn::http1::Builder::new();
        let mut upstream = client::conn::http1::Builder::new();
        downstream.half_close(true).header_read_timeout(None);
        downstream.max_header_size(site.options.max_head_bytes);
        upstream.max_header_size(site.options.max_head_bytes);
        // hyper prepares every head for its own bound faster than for one that it is told.
        if site.options.max_headers != HYPERS_MAX_HEADERS {
            downstream.max_headers(site.options.max_headers);
            upstream.max_headers(site.options.max_headers);
        }
        Self { downstream, upstream }
    }
}

/// Serves a connection until it closes.
pub(crate) async fn serve(
    shared: Arc<Shared>,
    stream: TcpStream,
    origin: SocketAddr,
    number: u64,
) -> Result<(), Failed> {
    process::listener::prepare(&stream)?;
    let identity = Identity { origin, number, worker: ("task", number) };
    let exchange = Arc::new(Exchange::new(shared, identity));
    let mut connection = {
        let exchange = Arc::clone(&exchange);
        let socket = Deadlines::new(stream, Arc::clone(&exchange));
        let builder = exchange.shared.hyper.downstream.clone();
        builder.serve_connection(
            socket,
            service_fn(move |request| handler::answer(&exchange, request)),
        )
    };
    let served = (&mut connection).await;
    exchange.end();
    // What hyper holds is given up first: its buffer, and an answer that broke off. The parting is
    // boxed, for a task holds room for all that it will ever wait for.
    Box::pin(connection.into_parts().io.part()).await?;
    Ok(served?)
}
