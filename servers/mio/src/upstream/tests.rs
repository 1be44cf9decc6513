//! One loop's connections to an upstream that is a listener here. Clients are tokens.

use std::{io::Read, net, slice};

use clap::{Args as _, Command, FromArgMatches as _};
use mio::{Events, Poll};
use process::{Backend, Footprint, Metrics, Options};

use super::*;

/// No test waits for this long unless it fails.
const PATIENCE: Duration = Duration::from_mins(1);

const FIRST: Token = Token(1);
const SECOND: Token = Token(2);
const THIRD: Token = Token(3);

/// A loop that may have one connection, and its upstream.
struct Loop {
    poll: Poll,
    upstreams: Upstreams,
    listener: net::TcpListener,
    now: Instant,
}

impl Loop {
    fn new() -> Self {
        let listener = net::TcpListener::bind("127.0.0.1:0").expect("a port from the kernel");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let backend = Backend {
            name: "test",
            about: "",
            per_connection: Footprint { descriptors: 1, maps: 0, threads: 0 },
        };
        let matches = Options::augment_args(Command::new("test")).get_matches_from(["test"]);
        let options = Options::from_arg_matches(&matches).expect("no option is required");
        let metrics = Arc::new(Metrics::new(&backend, &[], &[]));
        let url = url.parse().expect("a URL");
        let upstream = upstream::Upstream::open(&url, &options, 1, &metrics).expect("an address");
        let poll = Poll::new().expect("an epoll");
        let registry = poll.registry().try_clone().expect("a descriptor");
        let member = upstream.allowance.join(|| {});
        let upstreams = Upstreams::new(Arc::new(upstream), registry, member);
        Self { poll, upstreams, listener, now: Instant::now() }
    }

    fn connect(&mut self, upstream: &mut Option<Upstream>, reuse: bool, client: Token) -> Progress {
        self.upstreams.connect(upstream, reuse, client, self.now)
    }

    /// A connection that was made for `client`, and its other end.
    fn connected(&mut self, client: Token) -> (Box<Connection>, net::TcpStream) {
        let mut upstream = None;
        assert!(matches!(self.connect(&mut upstream, true, client), Progress::Connecting));
        let (peer, _) = self.listener.accept().expect("it connects");
        let mut events = Events::with_capacity(8);
        loop {
            match self.connect(&mut upstream, false, client) {
                Progress::None => {}
                Progress::Connected { reused: false } => break,
                _ => panic!("it was accepted"),
            }
            self.poll.poll(&mut events, Some(PATIENCE)).expect("an epoll");
            let Some(Upstream::Connecting(connection)) = &mut upstream else {
                panic!("it is being made")
            };
            events.iter().for_each(|event| connection.socket.note(event));
        }
        let Some(Upstream::Connected(connection)) = upstream else { panic!("it is made") };
        (connection, peer)
    }

    fn give_back(&mut self, connection: Box<Connection>) {
        self.upstreams.give_back(connection, None, self.now);
    }

    /// Hears of the end of the connection that nobody uses.
    fn hear_of_end(&mut self) {
        let mut events = Events::with_capacity(8);
        while !self.upstreams.idle.is_empty() {
            self.poll.poll(&mut events, Some(PATIENCE)).expect("an epoll");
            assert!(!events.is_empty(), "nothing happens");
            for event in &events {
                assert_eq!(self.upstreams.user(event.token()), Some(User::Nobody));
                self.upstreams.on_idle(event);
            }
        }
    }

    /// The client's request has to wait for a place.
    fn waits(&mut self, reuse: bool, client: Token) -> Option<Upstream> {
        let mut upstream = None;
        assert!(matches!(self.connect(&mut upstream, reuse, client), Progress::None));
        assert!(matches!(upstream, Some(Upstream::Waiting(_))));
        upstream
    }
}

fn is_closed(mut peer: &net::TcpStream) -> bool {
    peer.set_read_timeout(Some(PATIENCE)).expect("a socket");
    peer.read(slice::from_mut(&mut 0)).is_ok_and(|count| count == 0)
}

#[test]
fn an_idle_connection_is_taken_and_its_events_with_it() {
    let mut one = Loop::new();
    let (connection, _peer) = one.connected(FIRST);
    let token = connection.entry.token();
    assert_eq!(one.upstreams.user(token), Some(User::Client(FIRST)));
    one.give_back(connection);
    assert_eq!(one.upstreams.user(token), Some(User::Nobody));
    let mut upstream = None;
    let progress = one.connect(&mut upstream, true, SECOND);
    assert!(matches!(progress, Progress::Connected { reused: true }));
    assert_eq!(one.upstreams.user(token), Some(User::Client(SECOND)));
}

#[test]
fn an_idle_connection_that_closes_or_speaks_is_dropped_at_once() {
    type End = fn(&net::TcpStream) -> io::Result<()>;
    let ends: [End; 2] = [
        |peer| peer.shutdown(net::Shutdown::Write),
        |mut peer| io::Write::write_all(&mut peer, b"?"),
    ];
    for end in ends {
        let mut one = Loop::new();
        let (connection, peer) = one.connected(FIRST);
        one.give_back(connection);
        end(&peer).expect("an open connection");
        one.hear_of_end();
        assert!(matches!(one.connect(&mut None, true, SECOND), Progress::Connecting));
    }
}

#[test]
fn what_is_not_read_to_its_end_is_not_kept() {
    let mut one = Loop::new();
    let (mut connection, peer) = one.connected(FIRST);
    drop(peer);
    let mut events = Events::with_capacity(8);
    while !connection.socket.can_read() {
        one.poll.poll(&mut events, Some(PATIENCE)).expect("an epoll");
        assert!(!events.is_empty(), "nothing happens");
        events.iter().for_each(|event| connection.socket.note(event));
    }
    let waiter = one.waits(true, SECOND);
    one.give_back(connection);
    assert!(one.upstreams.next_handed().is_none() && one.upstreams.idle.is_empty());
    drop(waiter);
}

#[test]
fn who_has_waited_longest_is_handed_a_connection() {
    let mut one = Loop::new();
    let (connection, _peer) = one.connected(FIRST);
    let _waiters = [one.waits(true, SECOND), one.waits(true, THIRD)];
    let token = connection.entry.token();
    one.give_back(connection);
    assert_eq!(one.upstreams.user(token), Some(User::Client(SECOND)));
    let handed = one.upstreams.next_handed().expect("it was given back");
    assert_eq!(handed.client, SECOND);
    one.give_back(handed.connection);
    let handed = one.upstreams.next_handed().expect("it was given back");
    assert_eq!(handed.client, THIRD);
    one.give_back(handed.connection);
    assert!(one.upstreams.next_handed().is_none());
    assert_eq!(one.upstreams.idle.len(), 1);
}

#[test]
fn who_gives_up_is_handed_nothing() {
    let mut one = Loop::new();
    let (connection, _peer) = one.connected(FIRST);
    let _waiters = [one.waits(true, SECOND), one.waits(true, THIRD)];
    assert_eq!(one.upstreams.first_waiter(), Some(SECOND));
    one.upstreams.forget(SECOND);
    assert_eq!(one.upstreams.first_waiter(), Some(THIRD));
    one.give_back(connection);
    assert!(one.upstreams.next_handed().is_some_and(|handed| handed.client == THIRD));
}

#[test]
fn who_needs_a_new_connection_has_the_place_of_one_given_back() {
    let mut one = Loop::new();
    let (connection, peer) = one.connected(FIRST);
    let mut second = one.waits(false, SECOND);
    let _third = one.waits(true, THIRD);
    one.give_back(connection);
    assert!(one.upstreams.next_handed().is_none(), "the third would overtake the second");
    assert!(is_closed(&peer));
    assert!(matches!(one.connect(&mut second, false, SECOND), Progress::Connecting));
    assert_eq!(one.upstreams.first_waiter(), Some(THIRD));
}

#[test]
fn who_needs_a_new_connection_has_the_place_of_an_idle_one() {
    let mut one = Loop::new();
    let (connection, peer) = one.connected(FIRST);
    one.give_back(connection);
    assert!(matches!(one.connect(&mut None, false, SECOND), Progress::Connecting));
    assert!(is_closed(&peer));
}

#[test]
fn a_connection_that_cannot_be_made_leaves_its_place() {
    let mut one = Loop::new();
    let nobody = one.listener.local_addr().expect("it is bound");
    // Nobody listens there any more.
    one.listener = net::TcpListener::bind("127.0.0.1:0").expect("a port from the kernel");
    assert_ne!(nobody, one.listener.local_addr().expect("it is bound"));
    let mut upstream = None;
    let mut events = Events::with_capacity(8);
    let failure = loop {
        match one.connect(&mut upstream, true, FIRST) {
            Progress::Failed(failure) => break failure,
            Progress::Connected { .. } => panic!("nobody listens"),
            Progress::None | Progress::Connecting => {}
        }
        if let Some(Upstream::Connecting(connection)) = &mut upstream {
            one.poll.poll(&mut events, Some(PATIENCE)).expect("an epoll");
            events.iter().for_each(|event| connection.socket.note(event));
        }
    };
    assert_eq!(failure, Failure::Unreachable);
    assert!(upstream.is_none());
    assert_eq!(one.upstreams.upstream.allowance.open(), 0);
}
