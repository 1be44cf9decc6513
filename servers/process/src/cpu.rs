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
    use std::thread;

    use super::*;

    #[test]
    fn each_thread_uses_what_it_was_asked_for() {
        const ASKED: Duration = Duration::from_millis(30);
        let burn_alone = || {
            burn(ASKED);
            let time = clock_gettime(ClockId::ThreadCPUTime);
            Duration::try_from(time).expect("a clock that starts at 0")
        };
        // Side by side, so that time taken from the process's clock would be counted twice.
        let threads: Vec<_> = (0..4).map(|_| thread::spawn(burn_alone)).collect();
        for thread in threads {
            let burnt = thread.join().expect("it ends");
            assert!(burnt >= ASKED, "{burnt:?}");
        }
    }
}
