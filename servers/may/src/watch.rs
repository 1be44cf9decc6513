//! Sockets beside the one that a coroutine waits for: on each scheduler, one more coroutine waits
//! for all of them, and wakes whom it concerns.
//!
//! A coroutine waits for one descriptor, and a connection's waits for its client. So its upstream
//! needs a second coroutine. One for each socket would cost a stack each, and every close a switch;
//! and it would have to be spawned where the first one is, for nobody may wake a coroutine from
//! another scheduler ([`timers`](crate::timers)), so that the socket would have to be duplicated
//! until its number belongs there. But an epoll descriptor is readable when one of its sockets has
//! news. One coroutine that waits for it serves them all, whatever their numbers, and the price is
//! one more `epoll_wait`, which does not wait, for all the news since the last.

use std::{
    collections::BTreeMap,
    io::{self, ErrorKind, IoSlice, Read, Write},
    mem::MaybeUninit,
    net::TcpStream,
    os::fd::{AsRawFd, OwnedFd},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

use may::io::{CoIo, WaitIo, WaitIoWaker};
use rustix::event::{
    EventfdFlags, Timespec,
    epoll::{self, CreateFlags, EventData, EventFlags},
    eventfd,
};

use crate::timers::on_scheduler;

/// Events after which a read does not block: bytes, an end or an error.
pub(crate) const READABLE: EventFlags =
    EventFlags::IN.union(EventFlags::RDHUP).union(EventFlags::HUP).union(EventFlags::ERR);

/// Events after which a write does not block: space or an error.
pub(crate) const WRITABLE: EventFlags =
    EventFlags::OUT.union(EventFlags::HUP).union(EventFlags::ERR);

/// Each change is told once, as `may` has it for the sockets that it watches itself.
const NEWS: EventFlags =
    EventFlags::IN.union(EventFlags::OUT).union(EventFlags::RDHUP).union(EventFlags::ET);

/// The bell's place among the sockets' numbers.
const BELL: u64 = u64::MAX;

/// How many events are fetched at once.
const AT_ONCE: usize = 64;

const NO_TIME: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

/// One scheduler's sockets.
pub(crate) struct Watcher {
    /// Has news whenever one of the sockets has, or somebody rings.
    epoll: CoIo<OwnedFd>,
    bell: OwnedFd,
    /// By their descriptors. Only this scheduler's coroutines ever look.
    sockets: Mutex<BTreeMap<u64, Arc<News>>>,
}

/// A socket that is watched until it is dropped. Reads and writes do not block.
pub(crate) struct Watched {
    stream: TcpStream,
    news: Arc<News>,
    watcher: Arc<Watcher>,
}

/// What is known of a socket. All who use it run on one scheduler, so that nothing has to be
/// ordered.
struct News {
    /// What it is ready for, until a call says otherwise.
    ready: AtomicU32,
    /// Whom it concerns at present.
    waker: Mutex<Option<WaitIoWaker>>,
}

impl Watcher {
    /// Of no socket yet.
    pub(crate) fn new(scheduler: usize, schedulers: usize) -> io::Result<Arc<Self>> {
        let epoll = on_scheduler(epoll::create(CreateFlags::CLOEXEC)?, scheduler, schedulers)?;
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        epoll::add(&epoll, &bell, EventData::new_u64(BELL), EventFlags::IN | EventFlags::ET)?;
        Ok(Arc::new(Self { epoll: CoIo::new(epoll)?, bell, sockets: Mutex::default() }))
    }

    /// What the one coroutine that calls [`wait`](Self::wait) is woken by, on this scheduler.
    pub(crate) fn events(&self) -> &CoIo<OwnedFd> {
        &self.epoll
    }

    /// Has [`wait`](Self::wait) return: the one thing that may be done from any thread.
    pub(crate) fn ring(&self) {
        // The counter is never read, for each write is an event; it lasts for 2⁶⁴ of them.
        let _ = rustix::io::write(&self.bell, &1u64.to_ne_bytes());
    }

    /// Watches a socket that does not block, and wakes `waker` for it.
    pub(crate) fn watch(
        self: &Arc<Self>,
        stream: TcpStream,
        waker: WaitIoWaker,
    ) -> io::Result<Watched> {
        let key = key(&stream);
        epoll::add(self.epoll.inner(), &stream, EventData::new_u64(key), NEWS)?;
        let news = Arc::new(News { ready: AtomicU32::new(0), waker: Mutex::new(Some(waker)) });
        self.sockets().insert(key, Arc::clone(&news));
        Ok(Watched { stream, news, watcher: Arc::clone(self) })
    }

    /// Yields until something happens, and wakes whom it concerns. Whether there was anything that
    /// concerned nobody.
    pub(crate) fn wait(&self) -> bool {
        self.epoll.wait_io();
        let mut unheard = false;
        let mut events = [const { MaybeUninit::uninit() }; AT_ONCE];
        loop {
            // What does not wait is not interrupted.
            let fetched = epoll::wait(self.epoll.inner(), &mut events, Some(&NO_TIME));
            let Ok((events, _)) = fetched else { return unheard };
            let sockets = self.sockets();
            for event in &*events {
                // Gone, if it was closed since.
                let Some(news) = sockets.get(&event.data.u64()) else { continue };
                unheard |= !news.tell(event.flags);
            }
            if events.len() < AT_ONCE {
                return unheard;
            }
        }
    }

    fn sockets(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<News>>> {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watched {
    pub(crate) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Whether any of these events has come, and no call has said otherwise since.
    pub(crate) fn is_ready(&self, events: EventFlags) -> bool {
        self.news.ready.load(Ordering::Relaxed) & events.bits() != 0
    }

    /// Who is woken from now on.
    pub(crate) fn concerns(&self, waker: Option<WaitIoWaker>) {
        *self.news.waker() = waker;
    }

    /// A call has said that this is over; there will be another event.
    fn forget(&self, events: EventFlags) {
        self.news.ready.fetch_and(!events.bits(), Ordering::Relaxed);
    }
}

impl Read for Watched {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let result = self.stream.read(space);
        match &result {
            // That was all.
            Ok(count) if (1..space.len()).contains(count) => self.forget(EventFlags::IN),
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.forget(READABLE),
            _ => {}
        }
        result
    }
}

impl Write for Watched {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let result = self.stream.write_vectored(slices);
        if result.as_ref().is_err_and(|error| error.kind() == ErrorKind::WouldBlock) {
            self.forget(WRITABLE);
        }
        result
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Watched {
    /// The close that follows takes the socket from the epoll descriptor.
    fn drop(&mut self) {
        self.watcher.sockets().remove(&key(&self.stream));
    }
}

impl News {
    /// Whether it concerned anybody.
    fn tell(&self, events: EventFlags) -> bool {
        self.ready.fetch_or(events.bits(), Ordering::Relaxed);
        let waker = self.waker();
        waker.iter().for_each(WaitIoWaker::wakeup);
        waker.is_some()
    }

    fn waker(&self) -> MutexGuard<'_, Option<WaitIoWaker>> {
        self.waker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(stream: &TcpStream) -> u64 {
    u64::try_from(stream.as_raw_fd()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::net::{Shutdown, TcpListener};

    use super::*;
    use crate::timers::{scheduler_of, tests::on_coroutine};

    /// On the scheduler of the coroutine that waits for `events`.
    fn watcher(events: &CoIo<TcpListener>) -> Arc<Watcher> {
        let schedulers = may::config().get_workers();
        Watcher::new(scheduler_of(events, schedulers), schedulers).unwrap()
    }

    /// Two ends of a connection, of which the first is watched for whoever waits for `events`.
    fn watched(events: &CoIo<TcpListener>) -> (Arc<Watcher>, Watched, TcpStream) {
        let watcher = watcher(events);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let here = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        here.set_nonblocking(true).unwrap();
        let (there, _) = listener.accept().unwrap();
        let here = watcher.watch(here, events.waker()).unwrap();
        (watcher, here, there)
    }

    #[test]
    fn news_wake_whom_they_concern() {
        on_coroutine(|_, events| {
            let (watcher, mut here, mut there) = watched(events);
            assert!(!watcher.wait(), "there is room to write, which concerns somebody");
            assert!(here.is_ready(WRITABLE) && !here.is_ready(READABLE));
            events.wait_io();
            there.write_all(b"x").unwrap();
            assert!(!watcher.wait());
            events.wait_io();
            let mut space = [0; 2];
            assert_eq!(here.read(&mut space).unwrap(), 1);
            assert!(!here.is_ready(READABLE), "a short read has emptied the socket");
        });
    }

    #[test]
    fn news_of_what_nobody_uses_are_told() {
        on_coroutine(|_, events| {
            let (watcher, here, there) = watched(events);
            here.concerns(None);
            there.shutdown(Shutdown::Write).unwrap();
            assert!(watcher.wait());
            assert!(here.is_ready(READABLE));
        });
    }

    #[test]
    fn a_full_socket_is_not_ready_until_it_is_emptied() {
        on_coroutine(|_, events| {
            let (watcher, mut here, mut there) = watched(events);
            there.set_nonblocking(true).unwrap();
            watcher.wait();
            let mut bytes = vec![0; 1 << 20];
            while here.write(&bytes).is_ok() {}
            assert!(!here.is_ready(WRITABLE));
            while there.read(&mut bytes).is_ok() {}
            watcher.wait();
            assert!(here.is_ready(WRITABLE));
        });
    }

    #[test]
    fn more_news_than_are_fetched_at_once_are_all_told() {
        on_coroutine(|_, events| {
            let watcher = watcher(events);
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let connect = || watcher.watch(TcpStream::connect(address).unwrap(), events.waker());
            let sockets: Vec<_> = (0..=AT_ONCE).map(|_| connect().unwrap()).collect();
            watcher.wait();
            assert!(sockets.iter().all(|socket| socket.is_ready(WRITABLE)));
        });
    }

    #[test]
    fn anybody_may_ring_and_each_time_counts() {
        on_coroutine(|_, events| {
            let watcher = watcher(events);
            for _ in 0..3 {
                let bell = Arc::clone(&watcher);
                std::thread::spawn(move || bell.ring());
                assert!(!watcher.wait(), "the bell is nobody's socket");
            }
        });
    }

    #[test]
    fn a_dropped_socket_leaves_nothing() {
        on_coroutine(|_, events| {
            let (watcher, here, mut there) = watched(events);
            drop(here);
            assert!(watcher.sockets().is_empty());
            assert_eq!(there.read(&mut [0]).unwrap(), 0, "it is closed");
        });
    }
}
