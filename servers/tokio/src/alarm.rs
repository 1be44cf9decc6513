//! One timer a connection, set as rarely as can be.

use std::{
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Instant,
};

use tokio::{
    task::coop::unconstrained,
    time::{Sleep, sleep_until},
};

/// A timer for deadlines that nearly always move away before they come.
///
/// It is left to ring too early, and is then set to the deadline that holds by now. So a busy
/// connection sets it once in a time-out, and not twice in a request. In between nobody looks at
/// it: it keeps the waker of its task, which stays the same.
pub(crate) struct Alarm {
    sleep: Pin<Box<Sleep>>,
    /// When it rings, once it is set.
    rings: Option<Instant>,
}

impl Alarm {
    /// One that is not set.
    pub(crate) fn new() -> Self {
        Self { sleep: Box::pin(sleep_until(Instant::now().into())), rings: None }
    }

    /// Waits until `deadline`. It is `now`, or was when the task was woken.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        deadline: Instant,
        now: Instant,
    ) -> Poll<()> {
        if now >= deadline {
            return Poll::Ready(());
        }
        if self.rings.is_none_or(|rings| rings <= now || rings > deadline) {
            self.rings = Some(deadline);
            self.sleep.as_mut().reset(deadline.into());
            // A task that has used up its turn would be refused, and the waker not kept.
            return pin!(unconstrained(self.sleep.as_mut())).poll(cx);
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, time::Duration};

    use tokio::{task::coop::consume_budget, time::timeout};

    use super::*;

    /// Waits for what `poll` waits for, with a waker that is this task's.
    async fn rings(poll: impl FnMut(&mut Context<'_>) -> Poll<()>) {
        let (begin, patience) = (Instant::now(), Duration::from_secs(10));
        // The time-out wakes the task too, and that must not pass for the alarm.
        let rang = timeout(patience, poll_fn(poll)).await.is_ok() && begin.elapsed() < patience;
        assert!(rang, "the alarm never rang");
    }

    #[tokio::test]
    async fn it_rings_for_a_deadline_that_has_moved_away() {
        let (mut alarm, begin) = (Alarm::new(), Instant::now());
        let [first, later] = [20, 40].map(|millis| begin + Duration::from_millis(millis));
        let mut first = Some(first);
        rings(|cx| alarm.poll(cx, first.take().unwrap_or(later), Instant::now())).await;
        assert!(Instant::now() >= later);
    }

    #[tokio::test]
    async fn it_rings_for_a_deadline_that_has_come_nearer() {
        let (mut alarm, begin) = (Alarm::new(), Instant::now());
        let (far, near) = (begin + Duration::from_hours(1), begin + Duration::from_millis(20));
        let mut far = Some(far);
        rings(|cx| {
            if let Some(far) = far.take() {
                assert!(alarm.poll(cx, far, Instant::now()).is_pending());
            }
            alarm.poll(cx, near, Instant::now())
        })
        .await;
        assert!(Instant::now() >= near);
    }

    #[tokio::test]
    async fn it_rings_for_a_task_that_had_used_up_its_turn() {
        let mut alarm = Alarm::new();
        let deadline = Instant::now() + Duration::from_millis(20);
        let mut fresh = true;
        rings(|cx| {
            if std::mem::take(&mut fresh) {
                while pin!(consume_budget()).poll(cx).is_ready() {}
            }
            alarm.poll(cx, deadline, Instant::now())
        })
        .await;
        assert!(Instant::now() >= deadline);
    }
}
