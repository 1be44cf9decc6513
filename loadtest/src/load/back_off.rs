//! How long a user waits after something went wrong.
//!
//! A user that asks again at once turns a server's bad moment into a flood. So the wait doubles
//! with every failure in a row, up to a bound, and has a random part, so that users who failed
//! together do not come back together. The random part is the user's own: the same in every run.

use std::time::Duration;

const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_secs(1);

/// The waits of one user.
#[derive(Debug)]
pub(super) struct BackOff {
    random: fastrand::Rng,
    failures: u32,
}

impl BackOff {
    /// Before the first failure of the user with this number.
    pub(super) fn new(user: usize) -> Self {
        Self { random: fastrand::Rng::with_seed(user as u64), failures: 0 }
    }

    /// After another failure in a row: between a half and all of 1 ms, 2 ms, 4 ms … 1 s.
    pub(super) fn next(&mut self) -> Duration {
        let most = SHORTEST.saturating_mul(1 << self.failures.min(30)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        most.mul_f64(f64::midpoint(1.0, self.random.f64()))
    }

    /// After a success.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(user: usize) -> Vec<Duration> {
        let mut back_off = BackOff::new(user);
        (0..40).map(|_| back_off.next()).collect()
    }

    #[test]
    fn waits_double_up_to_a_bound() {
        for (failures, wait) in waits(7).into_iter().enumerate() {
            let most = Duration::from_millis(1 << failures.min(20)).min(LONGEST);
            assert!(most / 2 <= wait && wait <= most, "{wait:?} after {failures} failures");
        }
    }

    #[test]
    fn a_success_starts_again() {
        let mut back_off = BackOff::new(7);
        for _ in 0..20 {
            back_off.next();
        }
        back_off.reset();
        assert!(back_off.next() <= SHORTEST);
    }

    #[test]
    fn every_user_has_waits_of_its_own_and_always_the_same() {
        assert_eq!(waits(7), waits(7));
        assert_ne!(waits(7), waits(8));
    }
}
