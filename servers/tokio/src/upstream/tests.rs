use std::{net::TcpListener, time::Duration};

use clap::{Args as _, Command, FromArgMatches as _};
use process::{Metrics, Options};
use service::Route;
use tokio::{task::yield_now, time::timeout};

use super::*;
use crate::BACKEND;

const PATIENCE: Duration = Duration::from_secs(20);

/// At most `max` connections to a listener, which accepts by itself; and it.
fn upstreams(max: usize) -> (Upstreams<Connection>, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port from the kernel");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    let command = Options::augment_args(Command::new("test"));
    // No connection goes because its time is over.
    let options = command.get_matches_from(["test", "--upstream-idle-timeout", "1h"]);
    let options = Options::from_arg_matches(&options).expect("no option is required");
    let metrics = Arc::new(Metrics::new(&BACKEND, Route::NAMES, Failure::NAMES));
    let url = url.parse().expect("a URL");
    let upstream = upstream::Upstream::open(&url, &options, max, &metrics);
    (Upstreams::new(&Arc::new(upstream.expect("an address"))), listener)
}

async fn connect(upstreams: &Upstreams<Connection>) -> Connection {
    let Ok(Upstream::Placed(opening)) = in_time(upstreams.acquire(true)).await else {
        panic!("a place was due")
    };
    in_time(upstreams.connect(upstreams.address(), opening)).await.expect("it listens")
}

async fn in_time<T>(future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.expect("in time")
}

/// Polls a request's wait once, which must not be over.
async fn begin<T>(mut wait: Pin<&mut impl Future<Output = T>>) {
    poll_fn(|cx| {
        assert!(wait.as_mut().poll(cx).is_pending(), "everything is taken");
        Poll::Ready(())
    })
    .await;
}

fn port(connection: &Connection) -> u16 {
    connection.stream.local_addr().expect("it is connected").port()
}

#[tokio::test]
async fn who_has_waited_longest_is_given_the_connection() {
    let (upstreams, _listener) = upstreams(1);
    let connection = connect(&upstreams).await;
    let its_port = port(&connection);
    let mut first = Box::pin(upstreams.acquire(true));
    let mut second = Box::pin(upstreams.acquire(true));
    begin(first.as_mut()).await;
    begin(second.as_mut()).await;
    upstreams.give_back(connection, None);
    begin(second.as_mut()).await;
    let Ok(Upstream::Connected(given)) = in_time(first).await else { panic!("it was given back") };
    assert_eq!(port(&given), its_port);
    drop(given);
    assert!(matches!(in_time(second).await, Ok(Upstream::Placed(_))), "its place is free");
}

#[tokio::test]
async fn who_gives_up_waiting_is_given_nothing() {
    let (upstreams, _listener) = upstreams(1);
    let connection = connect(&upstreams).await;
    let mut wait = Box::pin(upstreams.acquire(true));
    begin(wait.as_mut()).await;
    drop(wait);
    assert!(upstreams.lock().waiters.is_empty());
    upstreams.give_back(connection, None);
    assert!(matches!(in_time(upstreams.acquire(true)).await, Ok(Upstream::Connected(_))));
}

#[tokio::test]
async fn who_needs_a_new_connection_has_the_place_of_an_idle_one() {
    let (upstreams, _listener) = upstreams(1);
    let connection = connect(&upstreams).await;
    upstreams.give_back(connection, None);
    let Ok(Upstream::Placed(opening)) = in_time(upstreams.acquire(false)).await else {
        panic!("not one that was kept")
    };
    let connection =
        in_time(upstreams.connect(upstreams.address(), opening)).await.expect("it listens");
    let mut wait = Box::pin(upstreams.acquire(false));
    begin(wait.as_mut()).await;
    upstreams.give_back(connection, None);
    assert!(matches!(in_time(wait).await, Ok(Upstream::Placed(_))), "or of one given back");
}

#[tokio::test]
async fn what_the_upstream_closes_is_dropped_unasked() {
    let (upstreams, listener) = upstreams(2);
    let first = connect(&upstreams).await;
    let (_there, _) = listener.accept().expect("it has connected");
    let second = connect(&upstreams).await;
    let (there, _) = listener.accept().expect("it has connected");
    upstreams.give_back(first, None);
    let upstreams = Arc::new(upstreams);
    let sweeper = Arc::clone(&upstreams);
    tokio::spawn(async move { sweeper.sweep().await });
    while upstreams.lock().next_sweep.is_none() {
        yield_now().await;
    }
    // For this one, the sweeper is not woken.
    upstreams.give_back(second, None);
    drop(there);
    let swept = async {
        while upstreams.lock().idle.len() > 1 {
            yield_now().await;
        }
    };
    in_time(swept).await;
    assert_eq!(upstreams.upstream.allowance.open(), 1);
}
