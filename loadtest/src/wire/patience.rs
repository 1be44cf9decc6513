//! The one way in which a user waits: never past its time-out, never past the end of the test.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;
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
/// The timer is lazy: it is set once and looked at when it fires, not moved with every request,
/// which at 200,000 requests a second would cost more than the requests.
#[derive(Debug)]
pub(crate) struct Patience {
    time_out: Duration,
    since: Instant,
    timer: Pin<Box<Sleep>>,
    over: Arc<Signal>,
    over_waiter: Pin<Box<OwnedNotified>>,
}

impl Patience {
    /// Waits of at most `time_out`, cut short when `over` is raised.
    pub(crate) fn new(time_out: Duration, over: Arc<Signal>) -> Self {
        let over_waiter = Box::pin(over.notify.clone().notified_owned());
        let timer = Box::pin(tokio::time::sleep(time_out));
        Self { time_out, since: Instant::now(), timer, over, over_waiter }
    }

    /// The time-out counts from `now` on.
    pub(crate) fn restart(&mut self, now: Instant) {
        self.since = now;
    }

    /// Waits until `ready` is.
    pub(crate) async fn wait<T>(
        &mut self,
        mut ready: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Result<T, Stop> {
        poll_fn(|context| match ready(context) {
            Poll::Ready(value) => Poll::Ready(Ok(value)),
            Poll::Pending => self.poll_stop(context).map(Err),
        })
        .await
    }

    /// Does nothing for a while; cut short only by the end of the test.
    pub(crate) async fn pause(&mut self, duration: Duration) -> Result<(), Stop> {
        let now = Instant::now();
        self.restart(now + duration);
        let mut sleep = pin!(tokio::time::sleep_until(now + duration));
        self.wait(|context| sleep.as_mut().poll(context)).await
    }

    fn poll_stop(&mut self, context: &mut Context<'_>) -> Poll<Stop> {
        if self.over.is_raised() || self.over_waiter.as_mut().poll(context).is_ready() {
            return Poll::Ready(Stop::Over);
        }
        while self.timer.as_mut().poll(context).is_ready() {
            let deadline = self.since + self.time_out;
            if deadline <= Instant::now() {
                return Poll::Ready(Stop::Fault(Fault::TimedOut));
            }
            self.timer.as_mut().reset(deadline);
        }
        Poll::Pending
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
