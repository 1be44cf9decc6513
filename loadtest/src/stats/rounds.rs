//! What several rounds say together.
//!
//! A sample is a round, never a request. One value in several rounds is a [`Spread`]: its median
//! and its range. Two backends are compared by the ratio of their values *of the same round*, so
//! that what disturbed a whole round cancels out ([`ratio`]). The interval comes from the ordered
//! ratios alone and assumes no distribution.

use serde::{Deserialize, Serialize};

/// The least coverage an interval may have to be shown as one.
pub(super) const COVERAGE: f64 = 0.95;

/// The median and the range of some values.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spread {
    /// The middle value, or the mean of the two.
    pub(crate) median: f64,
    /// The least.
    pub(crate) least: f64,
    /// The greatest.
    pub(crate) greatest: f64,
}

impl Spread {
    /// The spread of the values that are numbers; `None` if there are none.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let sorted = sorted(values);
        Some(Self { median: median(&sorted)?, least: *sorted.first()?, greatest: *sorted.last()? })
    }
}

/// How one backend compares with another.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ratio {
    /// How many rounds have both.
    pub(crate) rounds: usize,
    /// The median of the rounds' ratios.
    #[serde(rename = "ratio")]
    pub(crate) median: f64,
    /// The lower end of the interval.
    pub(crate) low: f64,
    /// The upper end of the interval.
    pub(crate) high: f64,
}

impl Ratio {
    /// Whether the rounds do not tell the two apart.
    pub(crate) fn is_tie(&self) -> bool {
        self.low <= 1.0 && 1.0 <= self.high
    }
}

/// The ratio `a / b` over rounds in which both were measured. `None` with fewer rounds than an
/// interval of 95% needs: six.
pub(crate) fn ratio(pairs: impl IntoIterator<Item = (f64, f64)>) -> Option<Ratio> {
    let ratios = sorted(pairs.into_iter().map(|(a, b)| a / b));
    let rounds = ratios.len();
    let cut = interval_cut(rounds)?;
    let (low, high) = (ratios[cut], ratios[rounds - 1 - cut]);
    Some(Ratio { rounds, median: median(&ratios)?, low, high })
}

/// By how much the second of each pair grows with each unit of the first: the least squares' line.
/// `None` with fewer than two different firsts.
pub(crate) fn slope(points: impl IntoIterator<Item = (f64, f64)>) -> Option<f64> {
    let points: Vec<(f64, f64)> = points.into_iter().collect();
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let products = |point: &(f64, f64)| (point.0 - x) * (point.1 - y);
    let squares: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    (squares > 0.0).then(|| points.iter().map(products).sum::<f64>() / squares)
}

/// How many ordered values may be left out at either end so that the rest still covers the
/// median with 95%: none of six, one of nine.
fn interval_cut(count: usize) -> Option<usize> {
    // The chance that at most `cut` of the values lie below the median is a binomial tail.
    let mut term = 0.5_f64.powi(i32::try_from(count).ok()?);
    let mut tail = 0.0;
    let mut cut = None;
    for below in 0..count / 2 {
        tail += term;
        if 1.0 - 2.0 * tail < COVERAGE {
            break;
        }
        cut = Some(below);
        term *= (count - below) as f64 / (below + 1) as f64;
    }
    cut
}

pub(super) fn sorted(values: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    values
}

fn median(sorted: &[f64]) -> Option<f64> {
    let upper = *sorted.get(sorted.len() / 2)?;
    let lower = if sorted.len().is_multiple_of(2) { sorted[sorted.len() / 2 - 1] } else { upper };
    Some(f64::midpoint(lower, upper))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_median_and_range() {
        let spread = Spread::of([3.0, 1.0, 10.0]).expect("three values");
        assert_eq!(spread, Spread { median: 3.0, least: 1.0, greatest: 10.0 });
        let even = Spread::of([4.0, 2.0]).expect("two values");
        assert_eq!(even, Spread { median: 3.0, least: 2.0, greatest: 4.0 });
        assert_eq!(Spread::of([f64::NAN]), None);
    }

    #[test]
    fn intervals_cut_what_the_order_statistics_allow() {
        // Six: least to greatest (97%). Nine: second to eighth (96%). Twelve: third to tenth.
        let cuts = [5, 6, 8, 9, 12, 15, 17, 20].map(interval_cut);
        let known = [None, Some(0), Some(0), Some(1), Some(2), Some(3), Some(4), Some(5)];
        assert_eq!(cuts, known);
    }

    #[test]
    fn a_ratio_is_taken_round_by_round() {
        // The rounds differ tenfold, the two backends always by a factor of two.
        let rounds = [1.0, 10.0, 2.0, 20.0, 3.0, 30.0];
        let ratio = ratio(rounds.map(|value| (2.0 * value, value))).expect("six rounds");
        assert_eq!(ratio, Ratio { rounds: 6, median: 2.0, low: 2.0, high: 2.0 });
        assert!(!ratio.is_tie());
    }

    #[test]
    fn an_interval_that_holds_one_is_a_tie_and_five_rounds_have_none() {
        let values = [0.9, 0.95, 1.0, 1.05, 1.1, 1.2];
        assert!(ratio(values.map(|value| (value, 1.0))).is_some_and(|ratio| ratio.is_tie()));
        assert_eq!(ratio([(1.0, 1.0); 5]), None);
    }

    #[test]
    fn a_slope_is_that_of_the_least_squares() {
        assert_eq!(slope([(1.0, 5.0), (2.0, 7.0), (4.0, 11.0)]), Some(2.0));
        // Worked by hand: means 2 and 2, products 1 + 0 + 2, squares 1 + 0 + 1.
        assert_eq!(slope([(1.0, 1.0), (2.0, 1.0), (3.0, 4.0)]), Some(1.5));
        assert_eq!(slope([(3.0, 1.0), (3.0, 9.0)]), None, "one number of connections has none");
        assert_eq!(slope([]), None);
    }
}
