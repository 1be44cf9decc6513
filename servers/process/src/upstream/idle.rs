//! Upstream connections that nobody uses at this moment.

use std::{
    collections::VecDeque,
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use super::allowance::Member;
use crate::metrics::Metrics;

/// A connection is dropped this long before the upstream said it would close it: a request on its
/// way must not cross that close.
const MARGIN: Duration = Duration::from_secs(1);

/// Idle connections of one owner. The newest is used first, so that those beyond need grow old and go.
///
/// A connection is closed by being dropped: `T` holds its socket, and then its
/// [`Opening`](super::Opening).
pub struct Idle<T> {
    timeout: Duration,
    /// Oldest first, each with the time when it goes.
    connections: VecDeque<(Instant, T)>,
    /// Nothing expires before this.
    next_expiry: Option<Instant>,
    metrics: Arc<Metrics>,
}

impl<T> Idle<T> {
    /// Empty. A connection is kept for `timeout` at most.
    #[must_use]
    pub fn new(timeout: Duration, metrics: Arc<Metrics>) -> Self {
        Self { timeout, connections: VecDeque::new(), next_expiry: None, metrics }
    }

    /// Keeps a connection, for as long as it is worth it: `keep_alive` is what the upstream said in
    /// `Keep-Alive: timeout`, less a second. Whether it was kept; if not, it is closed.
    pub fn put(&mut self, connection: T, keep_alive: Option<Duration>, now: Instant) -> bool {
        let said = keep_alive.map(|timeout| timeout.saturating_sub(MARGIN));
        let keep = said.map_or(self.timeout, |said| said.min(self.timeout));
        if keep.is_zero() {
            return false;
        }
        let expiry = now + keep;
        self.connections.push_back((expiry, connection));
        self.next_expiry = Some(self.next_expiry.map_or(expiry, |next| next.min(expiry)));
        self.metrics.upstream.idled(1);
        true
    }

    /// The newest that has not expired. Older ones that have expired stay until [`Idle::expire`]. It
    /// may have been closed meanwhile: ask [`stale`](super::stale).
    pub fn take(&mut self, now: Instant) -> Option<T> {
        while let Some((expiry, connection)) = self.connections.pop_back() {
            self.metrics.upstream.idled(-1);
            if now < expiry {
                return Some(connection);
            }
        }
        None
    }

    /// Closes those whose time is over; how many.
    pub fn expire(&mut self, now: Instant) -> usize {
        if self.next_expiry.is_none_or(|next| now < next) {
            return 0;
        }
        let closed = self.keep_if(|expiry, _| now < expiry);
        self.next_expiry = self.connections.iter().map(|(expiry, _)| *expiry).min();
        closed
    }

    /// When to call [`Idle::expire`] next; it may then find nothing to do.
    #[must_use]
    pub fn next_expiry(&self) -> Option<Instant> {
        self.next_expiry.filter(|_| !self.connections.is_empty())
    }

    /// Closes idle connections, oldest first, for as long as the member is asked for their places;
    /// how many. Call it after each [`Idle::put`] and whenever the member is woken.
    pub fn give_way(&mut self, member: &Member) -> usize {
        let mut closed = 0;
        while !self.connections.is_empty() && member.is_asked() {
            closed += usize::from(self.drop_oldest());
        }
        closed
    }

    /// Closes the oldest; whether there was one.
    pub fn drop_oldest(&mut self) -> bool {
        let oldest = self.connections.pop_front();
        self.metrics.upstream.idled(-i64::from(oldest.is_some()));
        oldest.is_some()
    }

    /// Closes those that `keep` says no to, such as one whose close an event loop has seen; how many.
    pub fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) -> usize {
        self.keep_if(|_, connection| keep(connection))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.connections.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.connections.is_empty()
    }

    fn keep_if(&mut self, mut keep: impl FnMut(Instant, &T) -> bool) -> usize {
        let before = self.connections.len();
        self.connections.retain(|(expiry, connection)| keep(*expiry, connection));
        let closed = before - self.connections.len();
        self.metrics.upstream.idled(-i64::try_from(closed).unwrap_or(i64::MAX));
        closed
    }
}

impl<T> Drop for Idle<T> {
    fn drop(&mut self) {
        self.metrics.upstream.idled(-i64::try_from(self.len()).unwrap_or(i64::MAX));
    }
}

impl<T> fmt::Debug for Idle<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Idle").field("len", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Weak, mpsc};

    use super::*;
    use crate::{metrics, upstream::Allowance};

    const TIMEOUT: Duration = Duration::from_secs(4);

    /// Connections that are numbers, and still tell when they are closed.
    fn idle() -> (Idle<Arc<u32>>, Arc<Metrics>) {
        let metrics = Arc::new(metrics::tests::metrics());
        (Idle::new(TIMEOUT, Arc::clone(&metrics)), metrics)
    }

    fn put(idle: &mut Idle<Arc<u32>>, number: u32, now: Instant) -> Weak<u32> {
        let connection = Arc::new(number);
        let watch = Arc::downgrade(&connection);
        assert!(idle.put(connection, None, now));
        watch
    }

    fn is_closed(watch: &Weak<u32>) -> bool {
        watch.strong_count() == 0
    }

    #[test]
    fn newest_is_taken_first_and_oldest_dropped_first() {
        let (mut idle, _) = idle();
        let now = Instant::now();
        let watches = [1, 2, 3].map(|number| put(&mut idle, number, now));
        assert_eq!(idle.take(now).as_deref(), Some(&3));
        assert!(idle.drop_oldest());
        assert!(is_closed(&watches[0]) && !is_closed(&watches[1]));
        assert_eq!(idle.take(now).as_deref(), Some(&2));
        assert!(idle.is_empty() && !idle.drop_oldest() && idle.take(now).is_none());
    }

    #[test]
    fn an_expired_one_is_never_taken() {
        let (mut idle, _) = idle();
        let now = Instant::now();
        let watch = put(&mut idle, 1, now);
        assert!(idle.take(now + TIMEOUT).is_none());
        assert!(is_closed(&watch));
        put(&mut idle, 2, now);
        let just_before = now + TIMEOUT.checked_sub(Duration::from_nanos(1)).expect("longer");
        assert_eq!(idle.take(just_before).as_deref(), Some(&2));
    }

    #[test]
    fn expiry_is_told_and_kept_in_any_order() {
        let (mut idle, _) = idle();
        let now = Instant::now();
        let second = Duration::from_secs(1);
        assert_eq!(idle.next_expiry(), None);
        let old = put(&mut idle, 1, now);
        let new = put(&mut idle, 2, now + second);
        assert!(idle.put(Arc::new(3), Some(second * 2), now + second));
        assert_eq!(idle.next_expiry(), Some(now + second * 2), "what the upstream said, less 1 s");
        assert_eq!(idle.expire(now + second), 0);
        assert_eq!(idle.expire(now + second * 2), 1);
        assert_eq!(idle.next_expiry(), Some(now + TIMEOUT));
        assert_eq!(idle.expire(now + TIMEOUT), 1);
        assert!(is_closed(&old) && !is_closed(&new));
        assert_eq!(idle.next_expiry(), Some(now + TIMEOUT + second));
        idle.take(now + TIMEOUT).expect("the newer one");
        assert_eq!(idle.next_expiry(), None);
    }

    #[test]
    fn what_the_upstream_is_about_to_close_is_not_kept() {
        let (mut idle, _) = idle();
        let now = Instant::now();
        for seconds in [0, 1] {
            assert!(!idle.put(Arc::new(1), Some(Duration::from_secs(seconds)), now));
        }
        assert!(idle.put(Arc::new(1), Some(Duration::from_mins(1)), now));
        assert_eq!(idle.next_expiry(), Some(now + TIMEOUT), "the option still holds");
    }

    #[test]
    fn the_gauge_follows() {
        let (mut idle, metrics) = idle();
        let now = Instant::now();
        let expect = |count| {
            metrics::tests::assert_line(
                &metrics.render(),
                &format!("http_upstream_connections_idle {count}"),
            );
        };
        for number in 0..6 {
            put(&mut idle, number, now);
        }
        expect(6);
        idle.take(now);
        idle.drop_oldest();
        assert_eq!(idle.retain(|number| **number != 2), 1);
        expect(3);
        idle.expire(now + TIMEOUT);
        expect(0);
        put(&mut idle, 7, now);
        drop(idle);
        expect(0);
    }

    #[test]
    fn connections_go_for_as_long_as_others_wait() {
        let (_, metrics) = idle();
        let allowance = Allowance::new(3, 3, Arc::clone(&metrics));
        let (wake, woken) = mpsc::channel();
        let rich = allowance.join(move || wake.send(()).expect("the test listens"));
        let poor = allowance.join(|| {});
        let mut idle = Idle::new(TIMEOUT, metrics);
        for _ in 0..3 {
            idle.put(rich.try_open().expect("room"), None, Instant::now());
        }
        assert_eq!(idle.give_way(&rich), 0, "nobody waits");
        let mut waiting = [0, 1].map(|_| poor.try_wait().expect("room in the queue"));
        woken.try_recv().expect("the rich member is asked");
        assert_eq!(idle.give_way(&rich), 2);
        assert!(waiting.iter_mut().all(|waiting| waiting.place().is_some()));
    }
}
