//! Deadlines: one thread sleeps until the earliest, and wakes the coroutine that it concerns.
//!
//! A wake-up that comes too early costs a look around, one that is never set costs a hung
//! connection. So a deadline that moves away leaves the timer where it is, and a request, which
//! moves it each time, costs no timer at all.

use std::{
    collections::BTreeMap,
    io,
    ops::Bound,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use may::{coroutine, io::WaitIoWaker};

/// When to wake which connection. An entry stays until its connection moves or drops it.
pub(crate) struct Timers {
    queue: Mutex<Queue>,
    sooner: Condvar,
}

struct Queue {
    /// By the time, and by the number of the connection to tell equal times apart.
    wakers: BTreeMap<(Instant, u64), WaitIoWaker>,
    /// Whoever was to be woken up to here has been.
    passed: Instant,
}

/// A connection's entry.
pub(crate) struct Timer<'a> {
    timers: &'a Timers,
    key: (Instant, u64),
}

impl Timers {
    /// With nobody to wake yet.
    pub(crate) fn start() -> io::Result<Arc<Self>> {
        let queue = Queue { wakers: BTreeMap::new(), passed: Instant::now() };
        let timers = Arc::new(Self { queue: Mutex::new(queue), sooner: Condvar::new() });
        let running = Arc::clone(&timers);
        thread::Builder::new().name("timers".to_owned()).spawn(move || running.run())?;
        Ok(timers)
    }

    /// Enters a connection, to be woken at a time, or by [`wake_all`](Self::wake_all).
    pub(crate) fn register(&self, at: Instant, number: u64, waker: WaitIoWaker) -> Timer<'_> {
        let key = (at, number);
        self.insert(&mut self.queue(), key, waker);
        Timer { timers: self, key }
    }

    /// Wakes every connection. One that isn't waiting looks around before it waits the next time.
    pub(crate) fn wake_all(&self) {
        self.queue().wakers.values().for_each(WaitIoWaker::wakeup);
    }

    fn insert(&self, queue: &mut Queue, key: (Instant, u64), waker: WaitIoWaker) {
        if key.0 <= queue.passed {
            waker.wakeup();
        } else if queue.next().is_none_or(|next| key.0 < next) {
            self.sooner.notify_one();
        }
        queue.wakers.insert(key, waker);
    }

    fn run(&self) {
        let mut queue = self.queue();
        loop {
            queue.pass(Instant::now());
            queue = match queue.next() {
                Some(next) => {
                    let time = next.saturating_duration_since(queue.passed);
                    self.sooner.wait_timeout(queue, time).unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.sooner.wait(queue).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// Wakes whoever is to be woken until now.
    fn pass(&mut self, now: Instant) {
        let due = (Bound::Excluded((self.passed, u64::MAX)), Bound::Included((now, u64::MAX)));
        self.wakers.range(due).for_each(|(_, waker)| waker.wakeup());
        self.passed = now;
    }

    /// When to wake somebody next.
    fn next(&self) -> Option<Instant> {
        let later = (Bound::Excluded((self.passed, u64::MAX)), Bound::Unbounded);
        self.wakers.range(later).next().map(|((at, _), _)| *at)
    }
}

impl Timer<'_> {
    /// Makes sure that the connection is woken at `at`, or before.
    pub(crate) fn set(&mut self, at: Instant, now: Instant) {
        if at < self.key.0 || self.key.0 <= now {
            let mut queue = self.timers.queue();
            if let Some(waker) = queue.wakers.remove(&self.key) {
                self.key.0 = at;
                self.timers.insert(&mut queue, self.key, waker);
            }
        }
    }
}

impl Drop for Timer<'_> {
    fn drop(&mut self) {
        self.timers.queue().wakers.remove(&self.key);
    }
}

/// Yields for so long. `may` resumes a sleeper on its one timer thread, so that whoever goes on
/// from there holds up all the others; this goes back to a scheduler first.
pub(crate) fn sleep(time: Duration) {
    coroutine::sleep(time);
    coroutine::yield_now();
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, sync::mpsc};

    use may::{
        go,
        io::{CoIo, WaitIo},
    };

    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    /// Runs `test` on a coroutine, with a socket on which nothing ever happens.
    fn on_coroutine(test: impl FnOnce(&Timers, &CoIo<TcpListener>) + Send + 'static) {
        let timers = Timers::start().unwrap();
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let (done, ended) = mpsc::channel();
        go!(move || {
            test(&timers, &CoIo::new(socket).unwrap());
            done.send(()).unwrap();
        });
        ended.recv_timeout(Duration::from_secs(10)).expect("it failed, or was never woken");
    }

    #[test]
    fn a_coroutine_wakes_at_its_time_and_not_before() {
        on_coroutine(|timers, socket| {
            let at = Instant::now() + Duration::from_millis(20);
            let _timer = timers.register(at, 1, socket.waker());
            let _later = timers.register(at + HOUR, 2, socket.waker());
            socket.wait_io();
            assert!(Instant::now() >= at);
        });
    }

    #[test]
    fn an_earlier_time_replaces_a_later_one_and_not_the_reverse() {
        on_coroutine(|timers, socket| {
            let now = Instant::now();
            let at = now + Duration::from_millis(20);
            let mut timer = timers.register(now + HOUR, 1, socket.waker());
            timer.set(at, now);
            timer.set(now + HOUR, now);
            socket.wait_io();
            assert!(Instant::now() >= at);
            assert_eq!(timers.queue().wakers.len(), 1);
        });
    }

    #[test]
    fn a_time_that_has_come_already_wakes_at_once() {
        on_coroutine(|timers, socket| {
            let past = timers.queue().passed;
            let _timer = timers.register(past, 1, socket.waker());
            socket.wait_io();
        });
    }

    #[test]
    fn a_timer_that_has_gone_off_can_be_set_again() {
        on_coroutine(|timers, socket| {
            let first = Instant::now() + Duration::from_millis(10);
            let mut timer = timers.register(first, 1, socket.waker());
            socket.wait_io();
            let now = Instant::now();
            let second = now + Duration::from_millis(10);
            timer.set(second, now);
            socket.wait_io();
            assert!(Instant::now() >= second);
        });
    }

    #[test]
    fn all_wake_when_they_are_told_to() {
        on_coroutine(|timers, socket| {
            let _timer = timers.register(Instant::now() + HOUR, 1, socket.waker());
            timers.wake_all();
            socket.wait_io();
        });
    }

    #[test]
    fn a_dropped_timer_leaves_nothing() {
        on_coroutine(|timers, socket| {
            drop(timers.register(Instant::now() + HOUR, 1, socket.waker()));
            assert!(timers.queue().wakers.is_empty());
        });
    }
}
