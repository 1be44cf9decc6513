//! When the requests of an open loop are due: fixed before the first is sent.
//!
//! Even spacing is the rule. It asks the least of the generator, whose own bursts would otherwise
//! stand in every queue, and it is the same for every server. Crowds of independent clients come
//! in bursts, though, and so does [`Arrivals::Poisson`]: exponential gaps, from a seed that is
//! always the same, so that every server gets the same bursts at the same moments.

use std::time::Duration;

use super::Arrivals;

/// The seed of all bursts.
const SEED: u64 = 1;
/// In nanoseconds.
const SECOND: u128 = 1_000_000_000;

/// The requests of one generator, one after the other: how long after the start each is due.
#[derive(Debug)]
pub(crate) struct Schedule {
    gaps: Gaps,
    /// Every so many requests of the whole schedule one is this generator's.
    generators: u64,
    next: Duration,
}

#[derive(Debug)]
enum Gaps {
    Even {
        rate: u64,
        /// The number of the next request.
        number: u64,
    },
    Poisson {
        rate: u64,
        random: fastrand::Rng,
    },
}

impl Schedule {
    /// The part that falls to generator number `generator` of so many. The parts together are the
    /// schedule that one alone would have.
    pub(crate) fn new(rate: u64, arrivals: Arrivals, generator: usize, generators: usize) -> Self {
        let gaps = match arrivals {
            Arrivals::Even => Gaps::Even { rate, number: 0 },
            Arrivals::Poisson => Gaps::Poisson { rate, random: fastrand::Rng::with_seed(SEED) },
        };
        let generators = generators.max(1) as u64;
        let mut schedule = Self { gaps, generators, next: Duration::ZERO };
        // With Poisson arrivals the first one, too, is a gap away from the start.
        let first = generator as u64 + u64::from(arrivals == Arrivals::Poisson);
        schedule.skip(first);
        schedule
    }

    /// When the next request is due.
    pub(crate) fn next(&self) -> Duration {
        self.next
    }

    /// Goes on to the one after it.
    pub(crate) fn advance(&mut self) {
        self.skip(self.generators);
    }

    /// How many requests, from the next one on, are due before then. Of random ones it is what the
    /// rate makes of that time: a million gaps need not be drawn to say how many there are.
    pub(crate) fn count_before(&self, end: Duration) -> u64 {
        if end <= self.next {
            return 0;
        }
        let within = |time: Duration, rate: u64| time.as_nanos() * u128::from(rate);
        let left = match self.gaps {
            Gaps::Even { rate, number } => {
                let all = within(end, rate).div_ceil(SECOND);
                all.saturating_sub(u128::from(number)).div_ceil(u128::from(self.generators))
            }
            Gaps::Poisson { rate, .. } => {
                1 + within(end.saturating_sub(self.next), rate)
                    / SECOND
                    / u128::from(self.generators)
            }
        };
        u64::try_from(left).unwrap_or(u64::MAX)
    }

    fn skip(&mut self, requests: u64) {
        match &mut self.gaps {
            // From the number, not from the one before: a million rounding errors would add up.
            Gaps::Even { rate, number } => {
                *number += requests;
                let nanoseconds = u128::from(*number) * SECOND / u128::from(*rate);
                self.next = Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX));
            }
            Gaps::Poisson { rate, random } => {
                for _ in 0..requests {
                    let gap = -(1.0 - random.f64()).ln() / *rate as f64;
                    self.next += Duration::from_secs_f64(gap);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(arrivals: Arrivals, generator: usize, generators: usize, count: usize) -> Vec<Duration> {
        let mut schedule = Schedule::new(1000, arrivals, generator, generators);
        std::iter::repeat_with(|| {
            let next = schedule.next();
            schedule.advance();
            next
        })
        .take(count)
        .collect()
    }

    #[test]
    fn even_requests_are_one_gap_apart() {
        let due = due(Arrivals::Even, 0, 1, 5);
        assert_eq!(due, [0, 1, 2, 3, 4].map(Duration::from_millis));
        let mut thirds = Schedule::new(3, Arrivals::Even, 0, 1);
        for _ in 0..3_000_000 {
            thirds.advance();
        }
        assert_eq!(thirds.next(), Duration::from_secs(1_000_000), "no error adds up");
    }

    #[test]
    fn random_requests_keep_the_rate_and_come_in_bursts() {
        let due = due(Arrivals::Poisson, 0, 1, 100_000);
        let all = due.last().expect("many").as_secs_f64();
        assert!((99.0..101.0).contains(&all), "100,000 at 1,000/s took {all} s");
        let gaps = due.windows(2).map(|pair| (pair[1].as_secs_f64() - pair[0].as_secs_f64()) * 1e3);
        // Of exponential gaps, 1 - 1/e are shorter than the mean.
        let short = gaps.filter(|gap| *gap < 1.0).count();
        assert!((62_000..64_500).contains(&short), "{short}");
    }

    #[test]
    fn what_is_left_is_reckoned_and_is_what_would_be_counted() {
        for (rate, generators, end) in [(1000, 1, 20), (1000, 3, 20), (3, 1, 2_000), (7, 2, 1_001)]
        {
            let end = Duration::from_millis(end);
            let mut schedule = Schedule::new(rate, Arrivals::Even, generators - 1, generators);
            schedule.advance();
            let reckoned = schedule.count_before(end);
            let mut counted = 0;
            while schedule.next() < end {
                schedule.advance();
                counted += 1;
            }
            assert_eq!(reckoned, counted, "{rate}/s, {generators} generators, {end:?}");
            assert_eq!(schedule.count_before(end), 0);
        }
        let day = Duration::from_hours(24);
        for arrivals in [Arrivals::Even, Arrivals::Poisson] {
            let left = Schedule::new(1_000_000_000, arrivals, 0, 1).count_before(day);
            assert!((86_399..=86_400).contains(&(left / 1_000_000_000)), "{left}");
        }
    }

    #[test]
    fn the_parts_of_several_generators_are_the_schedule_of_one() {
        for arrivals in [Arrivals::Even, Arrivals::Poisson] {
            let mut parts: Vec<Duration> =
                (0..3).flat_map(|generator| due(arrivals, generator, 3, 20)).collect();
            parts.sort_unstable();
            assert_eq!(parts, due(arrivals, 0, 1, 60), "{arrivals:?}");
        }
    }
}
