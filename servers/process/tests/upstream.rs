//! The bound on upstream connections, as servers use it: from many threads at once.

use std::{
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use process::{
    Backend, Footprint, Metrics,
    upstream::{Allowance, Idle, Member, Opening, Waiting},
};

/// No test waits for this long unless it fails.
const PATIENCE: Duration = Duration::from_mins(1);

/// What an event loop is told.
#[derive(Debug, PartialEq, Eq)]
enum Event {
    LookAround,
    End,
}

/// Event loops that keep connections to themselves, and are in each other's way all the time:
/// every request is served, also when the other loops have nothing to do any more but listen.
#[test]
fn no_wake_up_is_lost_between_event_loops() {
    for max in [1, 2, 3] {
        let metrics = metrics();
        let allowance = Allowance::new(max, 99, Arc::clone(&metrics));
        let (finish, finished) = mpsc::channel();
        thread::scope(|scope| {
            let start = |requests| {
                let (waker, events) = mpsc::channel();
                let member = allowance.join(wake(waker.clone()));
                let idle = Idle::new(PATIENCE, Arc::clone(&metrics));
                let finish = finish.clone();
                scope.spawn(move || event_loop(&member, idle, requests, &events, &finish));
                waker
            };
            let wait = || finished.recv_timeout(PATIENCE).expect("a wake-up was lost");
            // These have kept what they opened before anybody else needs it.
            let idle = [1, 1, 1].map(|requests| {
                let waker = start(requests);
                wait();
                waker
            });
            let busy = [10, 1_000, 2_000].map(start);
            for _ in &busy {
                wait();
            }
            for waker in idle.into_iter().chain(busy) {
                waker.send(Event::End).expect("it listens");
            }
        });
        assert_eq!(allowance.open(), 0);
    }
}

fn event_loop(
    member: &Member,
    mut idle: Idle<Opening>,
    requests: usize,
    events: &mpsc::Receiver<Event>,
    finish: &mpsc::Sender<()>,
) {
    let now = Instant::now();
    for _ in 0..requests {
        let opening = idle.take(now).or_else(|| member.try_open());
        let wait = || wait(member.try_wait().expect("room in the queue"), events);
        let opening = opening.unwrap_or_else(wait);
        thread::yield_now();
        idle.put(opening, None, now);
        idle.give_way(member);
        while events.try_recv().is_ok() {
            idle.give_way(member);
        }
    }
    finish.send(()).expect("the test listens");
    while events.recv_timeout(PATIENCE).expect("another loop hangs") != Event::End {
        idle.give_way(member);
    }
}

/// A pool that many threads share: each waits for itself.
#[test]
fn no_wake_up_is_lost_between_threads() {
    let allowance = Allowance::new(2, 99, metrics());
    let pool = allowance.join(|| {});
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..1_000 {
                    let (waker, events) = mpsc::channel();
                    let waiting = pool.try_wait_with(wake(waker)).expect("room in the queue");
                    let opening = wait(waiting, &events);
                    assert!(allowance.open() <= 2);
                    drop(opening);
                }
            });
        }
    });
    assert_eq!(allowance.open(), 0);
}

fn wake(waker: mpsc::Sender<Event>) -> impl Fn() + Send + Sync {
    // Who has gone needs no wake-up.
    move || waker.send(Event::LookAround).unwrap_or_default()
}

fn wait(mut waiting: Waiting, events: &mpsc::Receiver<Event>) -> Opening {
    loop {
        if let Some(opening) = waiting.place() {
            return opening;
        }
        events.recv_timeout(PATIENCE).expect("a wake-up was lost");
    }
}

fn metrics() -> Arc<Metrics> {
    let backend = Backend {
        name: "test",
        about: "",
        per_connection: Footprint { descriptors: 1, maps: 0, threads: 0 },
    };
    Arc::new(Metrics::new(&backend, &[], &[]))
}
