//! The one way in which a user waits: never past its time-out, never past the end of the test.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;
use tokio::task::coop::has_budget_remaining;
use tokio::time::{Instant, Sleep};

use super::{Fault, Stop};

/// Something that happens once and that many users wait for.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    raised: AtomicBool,
    notify: Arc<Notify>,
}

impl Signal {
    /// Lets it happen.
    pub(crate) fn raise(&self) {
        self.raised.store(true, Ordering::Release);
        self.notify.notify_waiters();
    }

    /// Whether it has happened.
    pub(crate) fn is_raised(&self) -> bool {
        self.raised.load(Ordering::Acquire)
    }

    /// Returns when it has happened.
    pub(crate) async fn raised(&self) {
        // The waiter is made before the flag is read, so a raise in between is not missed.
        let waiter = self.notify.notified();
        if !self.is_raised() {
            waiter.await;
        }
    }
}

/// How long a user is ready to wait.
///
/// It costs next to nothing while nothing runs out, which at 200,000 requests a second matters. The
/// timer is set once and looked at when it has fired, not moved with every request; and neither it
/// nor the signal is told again whom to wake as long as that is the same task.
#[derive(Debug)]
pub(crate) struct Patience {
    time_out: Duration,
    since: Instant,
    timer: Pin<Box<Sleep>>,
    over: Arc<Signal>,
    over_waiter: Pin<Box<OwnedNotified>>,
    /// Whom timer and signal wake.
    waker: Option<Waker>,
}

impl Patience {
    /// Waits of at most `time_out`, cut short when `over` is raised.
    pub(crate) fn new(time_out: Duration, over: Arc<Signal>) -> Self {
        let over_waiter = Box::pin(over.notify.clone().notified_owned());
        let timer = Box::pin(tokio::time::sleep(time_out));
        Self { time_out, since: Instant::now(), timer, over, over_waiter, waker: None }
    }

    /// The time-out counts from `now` on.
    pub(crate) fn restart(&mut self, now: Instant) {
        self.since = now;
    }

    /// Waits until `ready` is, but not past the time-out.
    pub(crate) async fn wait<T>(
        &mut self,
        mut ready: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Result<T, Stop> {
        poll_fn(|context| match ready(context) {
            Poll::Ready(value) => Poll::Ready(Ok(value)),
            Poll::Pending => match self.poll_over(context) {
                Poll::Ready(over) => Poll::Ready(Err(over)),
                Poll::Pending => self.poll_time_out(context).map(Err),
            },
        })
        .await
    }

    /// Waits until `ready` is; cut short only by the end of the test.
    pub(crate) async fn wait_long<T>(
        &mut self,
        mut ready: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Result<T, Stop> {
        poll_fn(|context| match ready(context) {
            Poll::Ready(value) => Poll::Ready(Ok(value)),
            Poll::Pending => self.poll_over(context).map(Err),
        })
        .await
    }

    /// Does nothing for a while; cut short only by the end of the test.
    pub(crate) async fn pause(&mut self, duration: Duration) -> Result<(), Stop> {
        let mut sleep = pin!(tokio::time::sleep(duration));
        self.wait_long(|context| sleep.as_mut().poll(context)).await
    }

    fn poll_over(&mut self, context: &mut Context<'_>) -> Poll<Stop> {
        let known = self.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker()));
        if !known {
            // What has come already stays so, and is seen by the next to look.
            let _ = self.timer.as_mut().poll(context);
            let _ = self.over_waiter.as_mut().poll(context);
            self.remember(context);
        }
        // The signal is raised before anybody is woken, so the flag tells all.
        if self.over.is_raised() { Poll::Ready(Stop::Over) } else { Poll::Pending }
    }

    fn poll_time_out(&mut self, context: &mut Context<'_>) -> Poll<Stop> {
        if !self.timer.is_elapsed() {
            return Poll::Pending;
        }
        while self.timer.as_mut().poll(context).is_ready() {
            let deadline = self.since + self.time_out;
            if deadline <= Instant::now() {
                return Poll::Ready(Stop::Fault(Fault::TimedOut));
            }
            self.timer.as_mut().reset(deadline);
        }
        self.remember(context);
        Poll::Pending
    }

    /// Timer and signal know whom to wake, unless the task has used up its share of this turn:
    /// then they are told again in the next.
    fn remember(&mut self, context: &Context<'_>) {
        self.waker = has_budget_remaining().then(|| context.waker().clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("a runtime")
            .block_on(future)
    }

    #[test]
    fn a_wait_ends_at_its_time_out() {
        run(async {
            let mut patience = Patience::new(Duration::from_millis(5), Arc::default());
            let never = patience.wait(|_| Poll::<()>::Pending).await;
            assert_eq!(never, Err(Stop::Fault(Fault::TimedOut)));
        });
    }

    #[test]
    fn a_restart_gives_the_whole_time_out_again() {
        run(async {
            let time_out = Duration::from_millis(20);
            let mut patience = Patience::new(time_out, Arc::default());
            let restarted = Instant::now() + Duration::from_millis(15);
            patience.restart(restarted);
            let never = patience.wait(|_| Poll::<()>::Pending).await;
            assert_eq!(never, Err(Stop::Fault(Fault::TimedOut)));
            assert!(restarted + time_out <= Instant::now(), "it ended early");
        });
    }

    #[test]
    fn a_time_out_that_passed_while_there_was_none_still_ends_the_next_wait() {
        run(async {
            let mut patience = Patience::new(Duration::from_millis(5), Arc::default());
            let long = patience.pause(Duration::from_millis(30)).await;
            assert_eq!(long, Ok(()), "a pause has no time-out");
            // The timer has fired by now, and nobody looked.
            patience.restart(Instant::now());
            let never = patience.wait(|_| Poll::<()>::Pending).await;
            assert_eq!(never, Err(Stop::Fault(Fault::TimedOut)));
        });
    }

    #[test]
    fn whoever_waits_now_is_woken_and_not_who_waited_before() {
        run(async {
            let mut patience = Patience::new(Duration::from_millis(20), Arc::default());
            let mut polled = false;
            let waited = patience.wait(|context| {
                context.waker().wake_by_ref();
                if std::mem::replace(&mut polled, true) { Poll::Ready(()) } else { Poll::Pending }
            });
            waited.await.expect("the second time it is ready");
            // The timer runs, and knows this task.
            let elsewhere =
                tokio::spawn(async move { patience.wait(|_| Poll::<()>::Pending).await });
            let woken = tokio::time::timeout(Duration::from_mins(1), elsewhere).await;
            let never = woken.expect("it is woken").expect("it ends");
            assert_eq!(never, Err(Stop::Fault(Fault::TimedOut)));
        });
    }

    #[test]
    fn a_task_that_has_used_up_its_turn_still_has_its_time_out() {
        run(async {
            let mut patience = Patience::new(Duration::from_millis(5), Arc::default());
            let waited = tokio::spawn(async move {
                let mut spent = false;
                let never = patience.wait(|context| {
                    // In its first turn only.
                    while !spent && pin!(tokio::task::consume_budget()).poll(context).is_ready() {}
                    spent = true;
                    Poll::<()>::Pending
                });
                never.await
            });
            let woken = tokio::time::timeout(Duration::from_mins(1), waited).await;
            let never = woken.expect("it is woken").expect("it ends");
            assert_eq!(never, Err(Stop::Fault(Fault::TimedOut)));
        });
    }

    #[test]
    fn a_wait_ends_with_the_test() {
        run(async {
            let over = Arc::new(Signal::default());
            let mut patience = Patience::new(Duration::from_mins(10), over.clone());
            let raise = async { over.raise() };
            let (never, ()) = tokio::join!(patience.wait(|_| Poll::<()>::Pending), raise);
            assert_eq!(never, Err(Stop::Over));
            let pause = patience.pause(Duration::from_mins(10)).await;
            assert_eq!(pause, Err(Stop::Over));
        });
    }
}
