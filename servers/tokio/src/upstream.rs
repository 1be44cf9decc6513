//! The way upstream: connections that the whole process shares, whichever codec speaks over them,
//! and a request's wait for one of them.

use std::{
    collections::VecDeque,
    convert::Infallible,
    future::poll_fn,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use process::upstream::{self, Idle, Member, Opening, Waiting};
use session::Failure;
use tokio::{io::Interest, net::TcpStream, sync::oneshot};

use crate::alarm::Alarm;

/// The owner of the idle connections: one for all tasks.
pub(crate) struct Upstreams<T> {
    upstream: Arc<upstream::Upstream>,
    member: Member,
    pool: Mutex<Pool<T>>,
}

/// What a request has of an upstream.
pub(crate) enum Upstream<T> {
    /// A place for a new connection.
    Placed(Opening),
    /// A connection.
    Connected(T),
}

/// A connection upstream, whoever speaks over it.
pub(crate) trait Link: Send {
    /// The socket, to look at.
    fn stream(&self) -> &TcpStream;
}

/// One connection upstream, for whoever speaks over its socket. That is closed before its place is
/// free.
pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    pub(crate) opening: Opening,
}

struct Pool<T> {
    idle: Idle<T>,
    /// The longest-waiting first.
    waiters: VecDeque<Waiter<T>>,
    /// The number of the next.
    next_waiter: u64,
    /// Wakes the sweeper, once there is one.
    sweeper: Option<Waker>,
    /// When idle connections are looked at next, without being told.
    next_sweep: Option<Instant>,
}

struct Waiter<T> {
    number: u64,
    /// Takes an idle connection, unless only a place will do.
    connection: Option<oneshot::Sender<T>>,
}

/// A request's turn, which is to come. Nothing is kept for it once it is dropped.
struct Turn<'a, T> {
    upstreams: &'a Upstreams<T>,
    number: u64,
    place: Waiting,
    connection: Option<oneshot::Receiver<T>>,
}

impl<T: Link> Upstreams<T> {
    /// None open yet.
    pub(crate) fn new(upstream: &Arc<upstream::Upstream>) -> Self {
        let pool = Pool {
            idle: upstream.idle(),
            waiters: VecDeque::new(),
            next_waiter: 0,
            sweeper: None,
            next_sweep: None,
        };
        Self {
            // Nobody else asks the only member for anything.
            member: upstream.allowance.join(|| {}),
            upstream: Arc::clone(upstream),
            pool: Mutex::new(pool),
        }
    }

    /// A kept connection if `reuse`, else a place for a new one. Yields until there is either.
    pub(crate) async fn acquire(&self, reuse: bool) -> Result<Upstream<T>, Failure> {
        let mut turn = None;
        poll_fn(|cx| {
            if turn.is_none() {
                match self.ask(reuse, cx.waker()) {
                    Ok(had) => return Poll::Ready(Ok(had)),
                    Err(Some(to_come)) => turn = Some(Box::new(to_come)),
                    Err(None) => return Poll::Ready(Err(Failure::Saturated)),
                }
            }
            turn.as_mut().map_or(Poll::Pending, |turn| turn.poll(cx)).map(Ok)
        })
        .await
    }

    /// Where to connect to now.
    pub(crate) fn address(&self) -> SocketAddr {
        self.upstream.destination.address()
    }

    /// Makes a new connection.
    pub(crate) async fn connect(
        &self,
        address: SocketAddr,
        opening: Opening,
    ) -> Result<Connection, Failure> {
        let connected = async {
            let stream = TcpStream::from_std(upstream::begin_connect(address)?)?;
            let finish = || upstream::finish_connect(&stream);
            stream.async_io(Interest::WRITABLE, finish).await?;
            io::Result::Ok(stream)
        };
        match connected.await {
            Ok(stream) => {
                self.upstream.counters().connected();
                Ok(Connection { stream, opening })
            }
            Err(error) => {
                self.fail(address, &error);
                Err(Failure::Unreachable)
            }
        }
    }

    /// A connect has taken too long: the next should go elsewhere, if there is an elsewhere.
    pub(crate) fn give_up(&self, address: SocketAddr) {
        self.fail(address, &io::ErrorKind::TimedOut.into());
    }

    /// Gives a connection to whoever waits for one, or keeps it.
    pub(crate) fn give_back(&self, connection: T, keep_alive: Option<Duration>) {
        let mut pool = self.lock();
        let Some(connection) = pool.hand_over(connection) else { return };
        if let Some(sweeper) = &pool.sweeper {
            // From now on the sweeper hears of its end.
            let _ = connection.stream().poll_read_ready(&mut Context::from_waker(sweeper));
        }
        if pool.idle.put(connection, keep_alive, Instant::now())
            && pool.is_overdue()
            && let Some(sweeper) = &pool.sweeper
        {
            sweeper.wake_by_ref();
        }
    }

    /// Lets idle connections go when their time has come, or when the upstream closes them.
    pub(crate) async fn sweep(&self) -> Infallible {
        let mut alarm = Alarm::new();
        poll_fn(|cx| {
            let mut pool = self.lock();
            pool.sweeper.get_or_insert_with(|| cx.waker().clone());
            let mut now = Instant::now();
            loop {
                pool.idle.expire(now);
                pool.idle.retain(|connection| !is_stale(connection.stream(), cx));
                pool.next_sweep = pool.idle.next_expiry();
                let Some(next) = pool.next_sweep else { return Poll::Pending };
                if alarm.poll(cx, next, now).is_pending() {
                    return Poll::Pending;
                }
                now = Instant::now();
            }
        })
        .await
    }

    /// What can be had at once, or a turn, unless as many as may wait already.
    fn ask(&self, reuse: bool, waker: &Waker) -> Result<Upstream<T>, Option<Turn<'_, T>>> {
        loop {
            let mut pool = self.lock();
            let kept = if reuse { pool.idle.take(Instant::now()) } else { None };
            let Some(connection) = kept else {
                let place = self.member.try_open();
                return place
                    .map(Upstream::Placed)
                    .ok_or_else(|| self.queue(&mut pool, reuse, waker));
            };
            drop(pool);
            if let Some(had) = self.reuse(connection) {
                return Ok(had);
            }
        }
    }

    fn queue(&self, pool: &mut Pool<T>, reuse: bool, waker: &Waker) -> Option<Turn<'_, T>> {
        let waker = waker.clone();
        let place = self.member.try_wait_with(move || waker.wake_by_ref())?;
        let number = pool.next_waiter;
        pool.next_waiter += 1;
        let (giver, taker) = if reuse { Some(oneshot::channel()).unzip() } else { (None, None) };
        pool.waiters.push_back(Waiter { number, connection: giver });
        if !reuse {
            // Its place is as good as any.
            pool.idle.drop_oldest();
        }
        Some(Turn { upstreams: self, number, place, connection: taker })
    }

    /// A kept connection, unless it has been closed meanwhile.
    fn reuse(&self, connection: T) -> Option<Upstream<T>> {
        if is_stale(connection.stream(), &mut Context::from_waker(Waker::noop())) {
            return None;
        }
        self.upstream.counters().reused();
        Some(Upstream::Connected(connection))
    }

    fn fail(&self, address: SocketAddr, error: &io::Error) {
        tracing::debug!(%address, %error, "cannot connect upstream");
        self.upstream.destination.failed(address, Instant::now());
    }

    fn lock(&self) -> MutexGuard<'_, Pool<T>> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Pool<T> {
    /// Gives a connection to whoever has waited longest; back it comes if nobody waits.
    fn hand_over(&mut self, mut connection: T) -> Option<T> {
        while let Some(waiter) = self.waiters.front_mut() {
            // Who waits for a place has this one's, once the connection is dropped.
            let giver = waiter.connection.take()?;
            self.waiters.pop_front();
            connection = giver.send(connection).err()?;
        }
        Some(connection)
    }

    /// Whether a connection has to go before the next sweep.
    fn is_overdue(&self) -> bool {
        let first = self.idle.next_expiry();
        first.is_some_and(|first| self.next_sweep.is_none_or(|next| first < next))
    }
}

impl<T: Link> Turn<'_, T> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Upstream<T>> {
        if let Some(taker) = &mut self.connection
            && let Poll::Ready(given) = Pin::new(taker).poll(cx)
        {
            self.connection = None;
            if let Some(had) = given.ok().and_then(|connection| self.upstreams.reuse(connection)) {
                return Poll::Ready(had);
            }
        }
        self.place.place().map_or(Poll::Pending, |place| Poll::Ready(Upstream::Placed(place)))
    }
}

impl<T> Drop for Turn<'_, T> {
    fn drop(&mut self) {
        let mut pool = self.upstreams.pool.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(at) = pool.waiters.binary_search_by_key(&self.number, |waiter| waiter.number) {
            pool.waiters.remove(at);
        }
    }
}

/// Whether an idle connection is of no more use. The kernel need be asked only if the runtime has heard
/// something: what came before the request, it has heard of before it woke the request's task.
fn is_stale(stream: &TcpStream, cx: &mut Context<'_>) -> bool {
    stream.poll_read_ready(cx).is_ready() && upstream::stale(stream)
}

impl Link for Connection {
    fn stream(&self) -> &TcpStream {
        &self.stream
    }
}

#[cfg(test)]
mod tests;
