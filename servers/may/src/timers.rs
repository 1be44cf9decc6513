//! Deadlines: on each scheduler, a coroutine waits for the earliest, and wakes whom it concerns.
//!
//! A wake-up that comes too early costs a look around, one that is never set costs a hung
//! connection. So a deadline that moves away leaves the timer where it is, and a request, which
//! moves it each time, costs no timer at all.
//!
//! Nobody wakes a connection but its own scheduler. `may` has not quite done with a coroutine when
//! it makes known that it waits: one that another thread resumes in that moment, and that ends,
//! leaves it with a dangling pointer. The same goes for may's own sleep.

use std::{
    collections::BTreeMap,
    io,
    ops::Bound,
    os::fd::{AsRawFd, OwnedFd},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use may::{
    coroutine::Builder,
    go,
    io::{CoIo, WaitIo, WaitIoWaker},
};
use rustix::{
    io::fcntl_dupfd_cloexec,
    time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    },
};

/// When to wake which connection: a clock for each scheduler.
pub(crate) struct Timers(Vec<Arc<Clock>>);

/// A connection's entry in its scheduler's clock.
pub(crate) struct Timer<'a> {
    clock: &'a Clock,
    key: (Instant, u64),
}

struct Clock {
    /// Goes off at the earliest time.
    alarm: CoIo<OwnedFd>,
    queue: Mutex<Queue>,
}

struct Queue {
    /// By the time, and by the number of the connection to tell equal times apart. An entry stays
    /// until its connection moves or drops it.
    wakers: BTreeMap<(Instant, u64), WaitIoWaker>,
    /// Whoever was to be woken up to here has been.
    passed: Instant,
    /// When the alarm goes off.
    alarm: Option<Instant>,
    /// Whether everybody is to be woken, whatever the time.
    all: bool,
}

impl Timers {
    /// With nobody to wake yet.
    pub(crate) fn start(schedulers: usize) -> io::Result<Self> {
        (0..schedulers)
            .map(|number| Clock::start(number, schedulers))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Enters connection `number`, to be woken at a time, or by [`wake_all`](Self::wake_all).
    pub(crate) fn register<T: AsRawFd>(
        &self,
        at: Instant,
        number: u64,
        events: &CoIo<T>,
    ) -> Timer<'_> {
        let clock = &self.0[scheduler_of(events, self.0.len())];
        let at = clock.insert(&mut clock.queue(), (at, number), events.waker());
        Timer { clock, key: (at, number) }
    }

    /// Wakes every connection. One that isn't waiting looks around before it waits the next time.
    pub(crate) fn wake_all(&self) {
        for clock in &self.0 {
            let mut queue = clock.queue();
            queue.all = true;
            clock.set_alarm(&mut queue, Instant::now());
        }
    }
}

impl Timer<'_> {
    /// Makes sure that the connection is woken at `at`, or before; but not before the events that
    /// are there have been read.
    pub(crate) fn set(&mut self, at: Instant, now: Instant) {
        if at < self.key.0 || self.key.0 <= now {
            let mut queue = self.clock.queue();
            if let Some(waker) = queue.wakers.remove(&self.key) {
                self.key.0 = self.clock.insert(&mut queue, (at, self.key.1), waker);
            }
        }
    }
}

impl Drop for Timer<'_> {
    fn drop(&mut self) {
        self.clock.queue().wakers.remove(&self.key);
    }
}

impl Clock {
    fn start(scheduler: usize, schedulers: usize) -> io::Result<Arc<Self>> {
        let queue =
            Queue { wakers: BTreeMap::new(), passed: Instant::now(), alarm: None, all: false };
        let clock = Arc::new(Self {
            alarm: CoIo::new(on_scheduler(alarm()?, scheduler, schedulers)?)?,
            queue: Mutex::new(queue),
        });
        let running = Arc::clone(&clock);
        go!(Builder::new().id(scheduler), move || running.run())?;
        Ok(clock)
    }

    fn run(&self) {
        loop {
            self.alarm.wait_io();
            let mut queue = self.queue();
            queue.pass(Instant::now());
            if let Some(next) = queue.next() {
                self.set_alarm(&mut queue, next);
            }
        }
    }

    /// Enters a waker; when it will be due, since what has passed comes no more.
    fn insert(
        &self,
        queue: &mut Queue,
        (at, number): (Instant, u64),
        waker: WaitIoWaker,
    ) -> Instant {
        let at = at.max(queue.passed + Duration::from_nanos(1));
        queue.wakers.insert((at, number), waker);
        self.set_alarm(queue, at);
        at
    }

    /// Has the alarm go off at `at` or before.
    fn set_alarm(&self, queue: &mut Queue, at: Instant) {
        if queue.alarm.is_some_and(|alarm| alarm <= at) {
            return;
        }
        queue.alarm = Some(at);
        // No time at all would turn it off.
        let time = at.saturating_duration_since(Instant::now()).max(Duration::from_nanos(1));
        let it_value = Timespec {
            tv_sec: time.as_secs().try_into().unwrap_or(i64::MAX),
            tv_nsec: time.subsec_nanos().into(),
        };
        let it_interval = Timespec { tv_sec: 0, tv_nsec: 0 };
        let time = Itimerspec { it_interval, it_value };
        let set = timerfd_settime(self.alarm.inner(), TimerfdTimerFlags::empty(), &time);
        debug_assert!(set.is_ok(), "{set:?}");
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// The alarm has gone off: wakes whoever is to be woken until now.
    fn pass(&mut self, now: Instant) {
        let due = if std::mem::take(&mut self.all) {
            (Bound::Unbounded, Bound::Unbounded)
        } else {
            (Bound::Excluded((self.passed, u64::MAX)), Bound::Included((now, u64::MAX)))
        };
        self.wakers.range(due).for_each(|(_, waker)| waker.wakeup());
        self.passed = now;
        self.alarm = None;
    }

    /// When to wake somebody next.
    fn next(&self) -> Option<Instant> {
        let later = (Bound::Excluded((self.passed, u64::MAX)), Bound::Unbounded);
        self.wakers.range(later).next().map(|((at, _), _)| *at)
    }
}

/// A timer of the kernel's.
fn alarm() -> io::Result<OwnedFd> {
    Ok(timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC)?)
}

/// Which scheduler reads the events of a descriptor: `may` goes by its number.
pub(crate) fn scheduler_of(events: &impl AsRawFd, schedulers: usize) -> usize {
    usize::try_from(events.as_raw_fd()).unwrap_or_default() % schedulers
}

/// The same file under a number that has its events read by this scheduler.
pub(crate) fn on_scheduler(
    mut file: OwnedFd,
    scheduler: usize,
    schedulers: usize,
) -> io::Result<OwnedFd> {
    while scheduler_of(&file, schedulers) != scheduler {
        file = fcntl_dupfd_cloexec(&file, file.as_raw_fd() + 1)?;
    }
    Ok(file)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::{net::TcpListener, sync::mpsc};

    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    /// Runs `test` on a coroutine, with a socket on which nothing ever happens.
    pub(crate) fn on_coroutine(test: impl FnOnce(&Timers, &CoIo<TcpListener>) + Send + 'static) {
        let workers = may::config().get_workers();
        let timers = Timers::start(workers).unwrap();
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let scheduler = scheduler_of(&socket, workers);
        let (done, ended) = mpsc::channel();
        go!(Builder::new().id(scheduler), move || {
            test(&timers, &CoIo::new(socket).unwrap());
            done.send(()).unwrap();
        })
        .unwrap();
        ended.recv_timeout(Duration::from_secs(10)).expect("it failed, or was never woken");
    }

    #[test]
    fn each_wakes_at_its_time_and_not_before() {
        on_coroutine(|timers, socket| {
            let first = Instant::now() + Duration::from_millis(20);
            let second = first + Duration::from_millis(20);
            let _second = timers.register(second, 2, socket);
            let _first = timers.register(first, 1, socket);
            socket.wait_io();
            assert!(Instant::now() >= first);
            // On a busy machine, one wake-up may stand for both.
            if Instant::now() < second {
                socket.wait_io();
            }
            assert!(Instant::now() >= second);
        });
    }

    #[test]
    fn an_earlier_time_replaces_a_later_one_and_not_the_reverse() {
        on_coroutine(|timers, socket| {
            let now = Instant::now();
            let at = now + Duration::from_millis(20);
            let mut timer = timers.register(now + HOUR, 1, socket);
            timer.set(at, now);
            timer.set(now + HOUR, now);
            socket.wait_io();
            assert!(Instant::now() >= at);
            assert_eq!(timer.clock.queue().wakers.len(), 1);
        });
    }

    #[test]
    fn a_timer_that_has_gone_off_can_be_set_again() {
        on_coroutine(|timers, socket| {
            let first = Instant::now() + Duration::from_millis(10);
            let mut timer = timers.register(first, 1, socket);
            socket.wait_io();
            let now = Instant::now();
            let second = now + Duration::from_millis(10);
            timer.set(second, now);
            socket.wait_io();
            assert!(Instant::now() >= second);
        });
    }

    #[test]
    fn a_time_that_has_come_already_wakes_too() {
        on_coroutine(|timers, socket| {
            let past = Instant::now();
            let mut timer = timers.register(past, 1, socket);
            socket.wait_io();
            timer.set(past, Instant::now());
            socket.wait_io();
        });
    }

    #[test]
    fn all_wake_when_they_are_told_to() {
        on_coroutine(|timers, socket| {
            let _timer = timers.register(Instant::now() + HOUR, 1, socket);
            timers.wake_all();
            socket.wait_io();
        });
    }

    #[test]
    fn a_dropped_timer_leaves_nothing() {
        on_coroutine(|timers, socket| {
            let timer = timers.register(Instant::now() + HOUR, 1, socket);
            let clock = timer.clock;
            drop(timer);
            assert!(clock.queue().wakers.is_empty());
        });
    }

    #[test]
    fn each_scheduler_reads_its_own_alarm() {
        for (scheduler, schedulers) in [(0, 1), (0, 2), (1, 2), (2, 3), (7, 8), (63, 64)] {
            let alarm = on_scheduler(alarm().unwrap(), scheduler, schedulers).unwrap();
            assert_eq!(scheduler_of(&alarm, schedulers), scheduler);
        }
    }
}
