//! The way upstream: connections that all workers share, and workers that wait for one.

use std::{
    collections::VecDeque,
    io::{self, ErrorKind},
    net::{SocketAddr, TcpStream},
    os::fd::OwnedFd,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use process::upstream::{self, Idle, Member, Opening};
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd};
use session::Failure;

use crate::socket::{self, Waited};

/// The owner of the idle connections: one for all workers.
pub(crate) struct Upstreams {
    upstream: Arc<upstream::Upstream>,
    member: Member,
    pool: Mutex<Pool>,
    /// That an idle connection has to go before the next sweep.
    sooner: Condvar,
}

/// What a request has of an upstream.
pub(crate) enum Upstream {
    /// A place for a new connection.
    Placed(Opening),
    /// A connection.
    Connected(Connection),
}

/// Why a request has nothing of an upstream.
pub(crate) enum Missing {
    /// It has failed.
    Failed(Failure),
    /// The time for it is over.
    Late,
    /// The client has not waited for it.
    ClientGone,
}

/// One connection upstream. The socket is closed before its place is free.
pub(crate) struct Connection {
    stream: TcpStream,
    _opening: Opening,
}

struct Pool {
    idle: Idle<Connection>,
    /// The longest-waiting first.
    waiters: VecDeque<Arc<Waiter>>,
    /// When idle connections are looked at next, without being told.
    next_sweep: Option<Instant>,
}

/// A worker that waits until it is given a connection, or a place for one.
struct Waiter {
    /// Rings then: an eventfd, since the worker also waits for its client to leave.
    bell: Arc<OwnedFd>,
    /// Whether a connection that is kept would do.
    reuse: bool,
    connection: Mutex<Option<Connection>>,
}

impl Upstreams {
    /// None open yet.
    pub(crate) fn new(upstream: &Arc<upstream::Upstream>) -> io::Result<Arc<Self>> {
        let pool = Pool { idle: upstream.idle(), waiters: VecDeque::new(), next_sweep: None };
        let upstreams = Arc::new(Self {
            // Nobody else asks the only member for anything.
            member: upstream.allowance.join(|| {}),
            upstream: Arc::clone(upstream),
            pool: Mutex::new(pool),
            sooner: Condvar::new(),
        });
        let sweeper = Arc::clone(&upstreams);
        thread::Builder::new().name("upstreams".to_owned()).spawn(move || sweeper.sweep())?;
        Ok(upstreams)
    }

    /// A kept connection if `reuse`, else a place for a new one. Blocks until there is either.
    pub(crate) fn acquire(
        &self,
        reuse: bool,
        client: &TcpStream,
        until: Instant,
    ) -> Result<Upstream, Missing> {
        loop {
            let mut pool = self.lock();
            let kept = if reuse { pool.idle.take(Instant::now()) } else { None };
            let Some(connection) = kept else {
                let mut place = self.member.try_open();
                // Who can't use a connection that is kept can use its place.
                while place.is_none() && pool.idle.drop_oldest() {
                    place = self.member.try_open();
                }
                let place = place.map(Upstream::Placed);
                return place.map_or_else(|| self.wait(pool, reuse, client, until), Ok);
            };
            drop(pool);
            if !upstream::stale(&connection.stream) {
                self.upstream.counters().reused();
                return Ok(Upstream::Connected(connection));
            }
        }
    }

    /// Makes a new connection. Blocks until it is made, or the client is gone.
    pub(crate) fn connect(
        &self,
        opening: Opening,
        client: &TcpStream,
        until: Instant,
    ) -> Result<Upstream, Missing> {
        let address = self.upstream.destination.address();
        let connected = upstream::begin_connect(address).and_then(|stream| {
            let mut sockets =
                [PollFd::new(client, PollFlags::empty()), PollFd::new(&stream, PollFlags::OUT)];
            while socket::wait(&mut sockets, until)? == Waited::Interrupted {}
            let gone = !sockets[0].revents().is_empty();
            Ok((gone, upstream::finish_connect(&stream), stream))
        });
        match connected {
            Ok((true, ..)) => Err(Missing::ClientGone),
            Ok((_, Ok(()), stream)) => {
                self.upstream.counters().connected();
                Ok(Upstream::Connected(Connection { stream, _opening: opening }))
            }
            Ok((_, Err(error), _)) if error.kind() == ErrorKind::WouldBlock => {
                self.fail(address, &ErrorKind::TimedOut.into());
                Err(Missing::Late)
            }
            Ok((_, Err(error), _)) | Err(error) => {
                self.fail(address, &error);
                Err(Missing::Failed(Failure::Unreachable))
            }
        }
    }

    /// Gives a connection to the next who waits, or keeps it; or closes it, if its place is wanted.
    pub(crate) fn give_back(&self, connection: Connection, keep_alive: Option<Duration>) {
        let mut pool = self.lock();
        if pool.waiters.front().is_some_and(|first| first.reuse)
            && upstream::stale(&connection.stream)
        {
            // Nobody would look again before it is used. The first gets its place.
            return;
        }
        match pool.waiters.pop_front_if(|first| first.reuse) {
            Some(waiter) => {
                *waiter.connection.lock().unwrap_or_else(PoisonError::into_inner) =
                    Some(connection);
                ring(&waiter.bell);
            }
            None if pool.waiters.is_empty() => {
                pool.idle.put(connection, keep_alive, Instant::now());
                if pool.is_overdue() {
                    self.sooner.notify_one();
                }
            }
            // The first needs a new connection: it gets this one's place.
            None => {}
        }
    }

    /// Blocks until another worker gives up a connection or a place, or the client is gone.
    fn wait(
        &self,
        mut pool: MutexGuard<'_, Pool>,
        reuse: bool,
        client: &TcpStream,
        until: Instant,
    ) -> Result<Upstream, Missing> {
        // Where there is no descriptor for a bell, the queue is as good as full.
        let saturated = || Missing::Failed(Failure::Saturated);
        let bell = new_bell().map_err(|_| saturated())?;
        let wake = {
            let bell = Arc::clone(&bell);
            move || ring(&bell)
        };
        let mut waiting = self.member.try_wait_with(wake).ok_or_else(saturated)?;
        let waiter = Arc::new(Waiter { bell, reuse, connection: Mutex::default() });
        pool.waiters.push_back(Arc::clone(&waiter));
        drop(pool);
        let mut sockets =
            [PollFd::new(client, PollFlags::empty()), PollFd::new(&waiter.bell, PollFlags::IN)];
        while matches!(socket::wait(&mut sockets, until), Ok(Waited::Interrupted)) {}
        let gone = !sockets[0].revents().is_empty();
        // From here on it is given nothing more.
        self.lock().waiters.retain(|other| !Arc::ptr_eq(other, &waiter));
        let given = waiter.connection.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (given, waiting.place()) {
            _ if gone => Err(Missing::ClientGone),
            (Some(connection), _) => {
                self.upstream.counters().reused();
                Ok(Upstream::Connected(connection))
            }
            (None, Some(opening)) => Ok(Upstream::Placed(opening)),
            (None, None) => Err(Missing::Late),
        }
    }

    /// A connect has failed or taken too long: the next should go elsewhere, if there is an elsewhere.
    fn fail(&self, address: SocketAddr, error: &io::Error) {
        tracing::debug!(%address, %error, "cannot connect upstream");
        self.upstream.destination.failed(address, Instant::now());
    }

    /// Lets idle connections go when their time has come.
    fn sweep(&self) {
        let mut pool = self.lock();
        loop {
            pool.idle.expire(Instant::now());
            pool.next_sweep = pool.idle.next_expiry();
            pool = if let Some(next) = pool.next_sweep {
                let left = next.saturating_duration_since(Instant::now());
                let woken = self.sooner.wait_timeout(pool, left);
                woken.unwrap_or_else(PoisonError::into_inner).0
            } else {
                self.sooner.wait(pool).unwrap_or_else(PoisonError::into_inner)
            };
        }
    }

    fn lock(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pool {
    /// Whether a connection has to go before the next sweep.
    fn is_overdue(&self) -> bool {
        let first = self.idle.next_expiry();
        first.is_some_and(|first| self.next_sweep.is_none_or(|next| first < next))
    }
}

/// What rings once, for one waiter.
fn new_bell() -> io::Result<Arc<OwnedFd>> {
    Ok(Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?))
}

fn ring(bell: &OwnedFd) {
    // The counter of an eventfd that nobody has read can take a one.
    let _ = rustix::io::write(bell, &1_u64.to_ne_bytes());
}

impl Connection {
    /// The socket, to wait for.
    pub(crate) fn stream(&self) -> &TcpStream {
        &self.stream
    }
}
