//! Hands the requests of an open loop to users when they are due.
//!
//! There is one line of idle users. Whoever has its answer goes to its end; whenever a request is
//! due it goes to the user at the front, so that all connections are used in turn. If there is
//! nobody, the request waits for the first who comes, and its time runs. None is skipped.
//!
//! The time of a request is kept by a timer of the kernel (`timerfd`), since the runtime's own
//! timers ring to the millisecond, and for the last part of a wait by [`spinning`](Pacer::spin): a core that
//! sleeps is tens of microseconds late to wake, and a virtual one more. What was spun in vain is
//! counted, so that a generator that has nothing to do does not look like one that has no time.

use std::collections::VecDeque;
use std::mem;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime,
    timerfd_create, timerfd_settime,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::schedule::Schedule;

/// The last part of a wait, which is spun: longer than a core takes to wake.
const SPIN: Duration = Duration::from_micros(500);

/// A request that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Due {
    /// When.
    pub(super) at: Instant,
    /// From when on there was a connection for it; later than `at` if all were busy then.
    pub(super) possible: Instant,
}

/// The moments of a test that a schedule has to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// The first request is due from here on.
    pub(super) begin: Instant,
    /// The window opens.
    pub(super) opens: Instant,
    /// The window closes: no request is due from here on.
    pub(super) closes: Instant,
}

/// Which user gets which request.
#[derive(Debug)]
pub(super) struct Pacer {
    state: Mutex<State>,
    /// The first user came to an empty line.
    idle: Notify,
}

#[derive(Debug)]
struct State {
    schedule: Schedule,
    plan: Option<Plan>,
    /// Users without a request.
    line: VecDeque<Idle>,
    /// What is known of each user, by its number.
    users: Vec<User>,
    /// Requests that have been given, and are not done.
    under_way: u64,
    /// Requests of the window that were due while nobody was idle.
    queued: u64,
    /// How often a user asked for its turn.
    visits: u64,
    /// How long nobody did while this spun.
    spun: Duration,
}

#[derive(Clone, Copy, Debug, Default)]
struct User {
    in_line: bool,
    /// What it has been given, and has not yet taken.
    given: Option<Due>,
}

#[derive(Debug)]
struct Idle {
    user: usize,
    since: Instant,
    waker: Waker,
}

impl Pacer {
    /// For so many users, numbered from 0.
    pub(super) fn new(schedule: Schedule, users: usize) -> Self {
        let state = State {
            schedule,
            plan: None,
            line: VecDeque::with_capacity(users),
            users: vec![User::default(); users],
            under_way: 0,
            queued: 0,
            visits: 0,
            spun: Duration::ZERO,
        };
        Self { state: Mutex::new(state), idle: Notify::new() }
    }

    /// The schedule runs by this plan, or by this one from now on.
    pub(super) fn follow(&self, plan: Plan) {
        self.state().plan = Some(plan);
    }

    /// `Ready` with a request for this user when it is its turn. To be asked again whenever the
    /// task is woken, and always by the same task.
    pub(super) fn poll_turn(&self, user: usize, context: &mut Context<'_>) -> Poll<Due> {
        let mut state = self.state();
        state.visits += 1;
        if let Some(due) = state.users[user].given.take() {
            return Poll::Ready(due);
        }
        let now = Instant::now();
        let was_empty = state.line.is_empty();
        if !state.users[user].in_line {
            state.users[user].in_line = true;
            state.line.push_back(Idle { user, since: now, waker: context.waker().clone() });
        }
        // The timer may ring late when there is much to do; but then somebody comes by here.
        state.hand_out(now, Some(user));
        if was_empty && !state.line.is_empty() {
            self.idle.notify_one();
        }
        match state.users[user].given.take() {
            Some(due) => Poll::Ready(due),
            None => Poll::Pending,
        }
    }

    /// A request that was given is done, rightly or not.
    pub(super) fn done(&self) {
        let mut state = self.state();
        state.under_way = state.under_way.saturating_sub(1);
    }

    /// Whether all requests of the plan are done.
    pub(super) fn is_done(&self) -> bool {
        let state = self.state();
        state.under_way == 0 && state.next().is_none()
    }

    /// Gives up, and says how many requests of the plan are not done: under way, or still waiting
    /// for a user.
    pub(super) fn give_up(&self) -> u64 {
        let state = self.state();
        let end = |plan: Plan| plan.closes.saturating_duration_since(plan.begin);
        let waiting = state.plan.map_or(0, |plan| state.schedule.count_before(end(plan)));
        state.under_way + waiting
    }

    /// How many requests of the window were due while nobody was idle.
    pub(super) fn count_queued(&self) -> u64 {
        self.state().queued
    }

    /// How much processor time went into waiting for the right moment, with nothing else to do.
    pub(super) fn spun(&self) -> Duration {
        self.state().spun
    }

    /// Rings when requests are due, as long as it is polled.
    pub(super) async fn keep_time(&self) -> std::io::Result<()> {
        let timer = Timer::new()?;
        loop {
            let next = {
                let mut state = self.state();
                state.hand_out(Instant::now(), None);
                if state.line.is_empty() { None } else { state.next() }
            };
            match next {
                Some(due) => {
                    if Instant::now() + SPIN < due {
                        timer.rings_at(due - SPIN).await?;
                    }
                    self.spin(due).await;
                }
                // Nobody could be given it; or no request is left, and nobody needs this any more.
                None => self.idle.notified().await,
            }
        }
    }

    /// Is back then, and lets others have the time until then: other tasks, as soon as they have
    /// something to do, and other processes that share the core.
    async fn spin(&self, until: Instant) {
        let mut used = cpu_time();
        while Instant::now() < until {
            let visits = self.state().visits;
            rustix::thread::sched_yield();
            tokio::task::yield_now().await;
            let before = mem::replace(&mut used, cpu_time());
            let mut state = self.state();
            if state.visits == visits {
                state.spun += used.saturating_sub(before);
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// When the next request is due, if there is one.
    fn next(&self) -> Option<Instant> {
        let plan = self.plan?;
        let next = plan.begin + self.schedule.next();
        (next < plan.closes).then_some(next)
    }

    /// Gives the requests that are due by now to idle users. Wakes them, but not the one who asks.
    fn hand_out(&mut self, now: Instant, asking: Option<usize>) {
        while let Some(at) = self.next().filter(|next| *next <= now) {
            let Some(idle) = self.line.pop_front() else { return };
            let in_window = self.plan.is_some_and(|plan| plan.opens <= at);
            self.queued += u64::from(in_window && at < idle.since);
            let given = Some(Due { at, possible: at.max(idle.since) });
            self.users[idle.user] = User { in_line: false, given };
            self.under_way += 1;
            if asking != Some(idle.user) {
                idle.waker.wake();
            }
            self.schedule.advance();
        }
    }
}

/// The processor time of this thread so far.
fn cpu_time() -> Duration {
    clock_gettime(ClockId::ThreadCPUTime).try_into().unwrap_or_default()
}

/// A timer of the kernel.
struct Timer(AsyncFd<OwnedFd>);

impl Timer {
    #[expect(
        deprecated,
        reason = "its successor is unsafe to call, for types that might close the descriptor early; \
                  OwnedFd does not"
    )]
    fn new() -> std::io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        Ok(Self(AsyncFd::with_interest(timer, Interest::READABLE)?))
    }

    async fn rings_at(&self, at: Instant) -> std::io::Result<()> {
        // Zero would stop it.
        let left = at.saturating_duration_since(Instant::now()).max(Duration::from_nanos(1));
        let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
        let it_value = left.try_into().unwrap_or(Timespec { tv_sec: i64::MAX, tv_nsec: 0 });
        let once = Itimerspec { it_interval: zero, it_value };
        timerfd_settime(self.0.get_ref(), TimerfdTimerFlags::empty(), &once)?;
        // Setting it has forgotten earlier rings, and each ring is told anew: no need to read it.
        self.0.readable().await?.clear_ready();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;
    use crate::load::Arrivals;

    const MILLISECOND: Duration = Duration::from_millis(1);

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime")
            .block_on(future)
    }

    /// A thousand requests a second for so many users, all of them due before now.
    fn overdue(users: usize, requests: u32) -> (Pacer, Plan) {
        let pacer = Pacer::new(Schedule::new(1000, Arrivals::Even, 0, 1), users);
        let begin = Instant::now().checked_sub(MILLISECOND * requests).expect("up for a while");
        let closes = begin + MILLISECOND * requests;
        let plan = Plan { begin, opens: begin, closes };
        pacer.follow(plan);
        (pacer, plan)
    }

    async fn turn(pacer: &Pacer, user: usize) -> Due {
        poll_fn(|context| pacer.poll_turn(user, context)).await
    }

    #[test]
    fn what_was_due_while_nobody_was_idle_waits_and_its_time_runs() {
        run(async {
            let (pacer, plan) = overdue(1, 3);
            for number in 0..3 {
                assert!(!pacer.is_done());
                let came = Instant::now();
                let due = turn(&pacer, 0).await;
                assert_eq!(due.at, plan.begin + MILLISECOND * number, "none is skipped");
                assert!(came <= due.possible && due.possible <= Instant::now());
                pacer.done();
            }
            assert!(pacer.is_done());
            assert_eq!(pacer.count_queued(), 3);
            assert_eq!(pacer.give_up(), 0);
        });
    }

    #[test]
    fn what_nobody_came_for_is_counted_in_the_end() {
        run(async {
            let (pacer, _) = overdue(2, 10);
            turn(&pacer, 0).await;
            turn(&pacer, 1).await;
            pacer.done();
            assert_eq!(pacer.give_up(), 9, "one is under way, eight are waiting");
        });
    }

    #[test]
    fn idle_users_are_rung_for_in_turn_and_never_early() {
        run(async {
            let pacer = Pacer::new(Schedule::new(1000, Arrivals::Even, 0, 1), 2);
            let begin = Instant::now() + 20 * MILLISECOND;
            pacer.follow(Plan { begin, opens: begin, closes: begin + 3 * MILLISECOND });
            let order = Mutex::new(Vec::new());
            let user = async |number| {
                for _ in 0..if number == 0 { 2 } else { 1 } {
                    let due = turn(&pacer, number).await;
                    assert!(due.at <= Instant::now(), "it rang early");
                    order.lock().expect("nobody panicked").push((number, due.at - begin));
                    pacer.done();
                }
            };
            tokio::select! {
                rang = pacer.keep_time() => panic!("it never ends: {rang:?}"),
                _ = async { tokio::join!(user(0), user(1)) } => {}
            }
            let mut order = order.into_inner().expect("nobody panicked");
            // Who came first does not matter, if it was late for all of them.
            order.sort_by_key(|(_, due)| *due);
            let due = |number| MILLISECOND * number;
            assert_eq!(order, [(0, due(0)), (1, due(1)), (0, due(2))]);
            assert!(pacer.is_done());
        });
    }

    #[test]
    fn what_is_spun_in_vain_is_counted() {
        run(async {
            let pacer = Pacer::new(Schedule::new(1000, Arrivals::Even, 0, 1), 1);
            let begin = Instant::now();
            pacer.follow(Plan { begin, opens: begin, closes: begin + MILLISECOND * 3_600_000 });
            let before = cpu_time();
            let until_counted = async {
                while pacer.spun().is_zero() {
                    turn(&pacer, 0).await;
                    pacer.done();
                }
            };
            tokio::select! {
                rang = pacer.keep_time() => panic!("it never ends: {rang:?}"),
                counted = tokio::time::timeout(20_000 * MILLISECOND, until_counted) => {
                    counted.expect("it has spun");
                }
            }
            assert!(before + pacer.spun() <= cpu_time(), "more than there was");
        });
    }

    #[test]
    fn nothing_is_due_before_there_is_a_plan() {
        run(async {
            let pacer = Pacer::new(Schedule::new(1000, Arrivals::Even, 0, 1), 1);
            let never = tokio::time::timeout(5 * MILLISECOND, turn(&pacer, 0)).await;
            never.expect_err("nothing is due");
        });
    }
}
