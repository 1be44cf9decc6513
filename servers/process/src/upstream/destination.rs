//! Where the upstream is: its addresses, and the name they came from.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr, UdpSocket},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::url::Url;

/// A name is asked for again no sooner than this after the last time.
const BETWEEN_LOOKUPS: Duration = Duration::from_secs(1);

type Resolve = dyn Fn() -> io::Result<Vec<SocketAddr>> + Send + Sync;

/// The upstream's addresses, of which one is in use until a connect to it fails.
pub struct Destination {
    found: Arc<Mutex<Found>>,
    lookups: Mutex<Lookups>,
    /// Asks for the addresses; `None` if the URL gave one, which stays what it is.
    resolve: Option<Arc<Resolve>>,
}

/// What the last lookup that succeeded has brought.
struct Found {
    /// One at least.
    addresses: Vec<SocketAddr>,
    current: usize,
}

#[derive(Default)]
struct Lookups {
    last: Option<Instant>,
    thread: Option<JoinHandle<()>>,
}

impl Destination {
    /// Resolves the URL's host, and *blocks* for as long as that takes.
    ///
    /// # Errors
    /// If the name has no address, or can't be asked for.
    pub fn open(url: &Url) -> io::Result<Self> {
        if url.host().parse::<IpAddr>().is_ok() {
            return Ok(Self::new(url.resolve()?, None));
        }
        let name = url.clone();
        Ok(Self::new(url.resolve()?, Some(Arc::new(move || name.resolve()))))
    }

    /// Where to connect to now.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        let found = lock(&self.found);
        found.addresses[found.current]
    }

    /// Whether that may be `address`, which may stand for all that this machine has.
    #[must_use]
    pub fn leads_to(&self, address: SocketAddr) -> bool {
        lock(&self.found).addresses.iter().any(|upstream| is_reached_at(address, *upstream))
    }

    /// A connect to `address` failed: the next one is in use from now on, and the name is looked up
    /// again by a thread of its own, but once a second at most. Does not block.
    pub fn failed(&self, address: SocketAddr, now: Instant) {
        lock(&self.found).move_on(address);
        let Some(resolve) = &self.resolve else { return };
        let mut lookups = lock(&self.lookups);
        let too_soon = lookups.last.is_some_and(|last| now < last + BETWEEN_LOOKUPS);
        let under_way = lookups.thread.as_ref().is_some_and(|thread| !thread.is_finished());
        if too_soon || under_way {
            return;
        }
        lookups.last = Some(now);
        let (found, resolve) = (Arc::clone(&self.found), Arc::clone(resolve));
        let lookup = move || look_up(&found, &*resolve);
        match thread::Builder::new().name("resolver".to_owned()).spawn(lookup) {
            Ok(thread) => lookups.thread = Some(thread),
            Err(error) => tracing::warn!(%error, "no thread to look the upstream's name up"),
        }
    }

    fn new(addresses: Vec<SocketAddr>, resolve: Option<Arc<Resolve>>) -> Self {
        let found = Arc::new(Mutex::new(Found { addresses, current: 0 }));
        Self { found, lookups: Mutex::default(), resolve }
    }
}

impl fmt::Debug for Destination {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Destination")
            .field("address", &self.address())
            .finish_non_exhaustive()
    }
}

impl Found {
    /// Leaves `failed`, unless somebody has done so already.
    fn move_on(&mut self, failed: SocketAddr) {
        if self.addresses[self.current] == failed {
            self.current = (self.current + 1) % self.addresses.len();
        }
    }

    /// Whether anything has changed. An address in use that is still good stays in use.
    fn update(&mut self, addresses: Vec<SocketAddr>) -> bool {
        if self.addresses == addresses {
            return false;
        }
        let current = self.addresses[self.current];
        self.current = addresses.iter().position(|&address| address == current).unwrap_or(0);
        self.addresses = addresses;
        true
    }
}

/// The addresses stay as they are if the name can't be resolved: they may be good again.
fn look_up(found: &Mutex<Found>, resolve: &Resolve) {
    match resolve() {
        Ok(addresses) => {
            if lock(found).update(addresses.clone()) {
                tracing::info!(?addresses, "the upstream has moved");
            }
        }
        Err(error) => tracing::warn!(%error, "the upstream's name can't be resolved"),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether who listens on `listener` is reached at `address`.
fn is_reached_at(listener: SocketAddr, address: SocketAddr) -> bool {
    let stands_for_all = listener.ip().is_unspecified() && listener.port() == address.port();
    listener == address
        || stands_for_all
            && (listener.is_ipv6() || address.is_ipv4())
            && is_of_this_machine(address.ip())
}

/// The kernel binds to no other address.
fn is_of_this_machine(address: IpAddr) -> bool {
    UdpSocket::bind((address, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn addresses(ports: &[u16]) -> Vec<SocketAddr> {
        ports.iter().map(|&port| SocketAddr::from(([127, 0, 0, 1], port))).collect()
    }

    fn port(destination: &Destination) -> u16 {
        destination.address().port()
    }

    /// On ports 1 and 2 at first. A lookup says that it began, and waits for what the test answers.
    fn scripted() -> (Destination, mpsc::Receiver<()>, mpsc::Sender<io::Result<Vec<SocketAddr>>>) {
        let (announce, began) = mpsc::channel();
        let (answer, answers) = mpsc::channel();
        let answers = Mutex::new(answers);
        let resolve = move || {
            announce.send(()).expect("the test listens");
            lock(&answers).recv().expect("the test answers")
        };
        (Destination::new(addresses(&[1, 2]), Some(Arc::new(resolve))), began, answer)
    }

    fn finish(destination: &Destination) {
        let thread = lock(&destination.lookups).thread.take().expect("a lookup began");
        thread.join().expect("lookups do not panic");
    }

    #[test]
    fn a_failed_connect_moves_on_once_however_many_report_it() {
        let destination = Destination::new(addresses(&[1, 2, 3]), None);
        let now = Instant::now();
        let first = destination.address();
        destination.failed(first, now);
        destination.failed(first, now);
        assert_eq!(port(&destination), 2);
        destination.failed(destination.address(), now);
        destination.failed(destination.address(), now);
        assert_eq!(destination.address(), first, "all have failed: from the start again");
    }

    #[test]
    fn a_name_is_looked_up_again_behind_the_callers_back() {
        let (destination, began, answer) = scripted();
        destination.failed(destination.address(), Instant::now());
        assert_eq!(port(&destination), 2, "at once");
        began.recv().expect("a lookup began");
        answer.send(Ok(addresses(&[7]))).expect("the lookup listens");
        finish(&destination);
        assert_eq!(port(&destination), 7);
    }

    #[test]
    fn lookups_come_one_at_a_time_and_once_a_second() {
        let (destination, began, answer) = scripted();
        let now = Instant::now();
        let fail = |now| destination.failed(destination.address(), now);
        fail(now);
        began.recv().expect("the first lookup began");
        fail(now + BETWEEN_LOOKUPS * 9);
        assert_eq!(lock(&destination.lookups).last, Some(now), "the first is under way");
        answer.send(Ok(addresses(&[1, 2]))).expect("the lookup listens");
        finish(&destination);
        fail(now + BETWEEN_LOOKUPS.checked_sub(Duration::from_nanos(1)).expect("longer"));
        assert!(lock(&destination.lookups).thread.is_none(), "the first was less than 1 s ago");
        fail(now + BETWEEN_LOOKUPS);
        answer.send(Err(io::ErrorKind::NotFound.into())).expect("the lookup listens");
        finish(&destination);
        assert_eq!(began.try_iter().count(), 1);
        assert!(port(&destination) <= 2, "a failed lookup takes nothing away");
    }

    #[test]
    fn an_address_that_is_still_good_stays_in_use() {
        let mut found = Found { addresses: addresses(&[1, 2]), current: 1 };
        assert!(!found.update(addresses(&[1, 2])));
        assert!(found.update(addresses(&[3, 4, 2])));
        assert_eq!(found.current, 2);
        assert!(found.update(addresses(&[5])));
        assert_eq!(found.current, 0);
    }

    #[test]
    fn an_address_is_never_looked_up() {
        let by = |url: &str| Destination::open(&url.parse().expect("a URL")).expect("it resolves");
        assert!(by("http://127.0.0.1:9").resolve.is_none());
        assert!(by("http://[::1]:9").resolve.is_none());
        assert!(by("http://localhost:9").resolve.is_some());
    }
}
