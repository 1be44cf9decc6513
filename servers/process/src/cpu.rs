//! Work on purpose, by the thread's own clock.

use std::{hint::black_box, time::Duration};

use rustix::time::{ClockId, clock_gettime};

/// Steps between two looks at the clock, about a microsecond's worth: a look is a system call.
const BATCH: u64 = 1024;

/// Uses `duration` of the calling thread's CPU time. A thread that is preempted meanwhile does no less
/// work, as it would by the wall clock.
pub fn burn(duration: Duration) {
    let end = used() + duration;
    let mut state = 1_u64;
    while used() < end {
        for step in 0..BATCH {
            state = black_box(state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(step));
        }
    }
}

/// The CPU time that the calling thread has used.
fn used() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_asked_for_is_used() {
        let before = used();
        burn(Duration::from_millis(20));
        let burnt = used().saturating_sub(before);
        assert!(burnt >= Duration::from_millis(20), "{burnt:?}");
    }

    #[test]
    fn other_threads_do_not_pay() {
        let before = used();
        let thread = std::thread::spawn(|| {
            burn(Duration::from_millis(50));
            used()
        });
        let theirs = thread.join().expect("it ends");
        assert!(theirs > used().saturating_sub(before), "{theirs:?}");
    }
}
