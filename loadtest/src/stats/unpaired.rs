//! Two runs beside one another.
//!
//! The rounds of two runs were not measured side by side, so no round of one belongs to a round of
//! the other, and every round of one is compared with every round of the other. The estimate is
//! the median of all these ratios (Hodges and Lehmann's, on logarithms); the interval is from the
//! ratios themselves, those that the test of Mann and Whitney would not reject (Moses's). It
//! assumes that both runs scatter alike, by factors, and nothing about how.
//!
//! Source: M. Hollander, D. A. Wolfe, E. Chicken, *Nonparametric Statistical Methods*, 3rd
//! edition, sections 4.2 and 4.3. R's `wilcox.test(log(after), log(before), conf.int = TRUE)`
//! does the same.

use super::rounds::{COVERAGE, sorted};

/// From so many rounds of either run on the normal distribution is near enough to the exact one.
const MANY: usize = 50;
/// The normal distribution's quantile for half of what lies outside an interval of 95%.
const NORMAL_QUANTILE: f64 = 1.959_963_985;

/// What one run's figure is by the other's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Change {
    /// The estimate: later by earlier.
    pub(crate) ratio: f64,
    /// The lower end of the interval.
    pub(crate) low: f64,
    /// The upper end of the interval.
    pub(crate) high: f64,
}

impl Change {
    /// Whether the rounds do not tell the two runs apart.
    pub(crate) fn is_tie(&self) -> bool {
        self.low <= 1.0 && 1.0 <= self.high
    }
}

/// The ratio `after / before` of two runs. `None` with fewer rounds than an interval of 95% needs:
/// four of each, or five and three.
pub(crate) fn change(
    before: impl IntoIterator<Item = f64>,
    after: impl IntoIterator<Item = f64>,
) -> Option<Change> {
    let positive = |values: Vec<f64>| -> Vec<f64> {
        values.into_iter().filter(|value| *value > 0.0).collect()
    };
    let (before, after) = (positive(sorted(before)), positive(sorted(after)));
    let cut = cut(before.len(), after.len())?;
    let logs = before.iter().flat_map(|b| after.iter().map(move |a| (a / b).ln()));
    let logs = sorted(logs);
    let (low, high) = (*logs.get(cut)?, *logs.get(logs.len().checked_sub(1 + cut)?)?);
    let middle = f64::midpoint(logs[(logs.len() - 1) / 2], logs[logs.len() / 2]);
    Some(Change { ratio: middle.exp(), low: low.exp(), high: high.exp() })
}

/// How many of the ordered differences may be left out at either end so that the rest still
/// covers the shift with 95%: as many as the critical value of Mann and Whitney's test.
fn cut(m: usize, n: usize) -> Option<usize> {
    let outside = (1.0 - COVERAGE) / 2.0;
    if m >= MANY || n >= MANY {
        let (m, n) = (m as f64, n as f64);
        let spread = (m * n * (m + n + 1.0) / 12.0).sqrt();
        let cut = (m * n / 2.0 - NORMAL_QUANTILE * spread).floor();
        // The sign was looked at, and the fraction is gone.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        return (cut >= 0.0).then_some(cut as usize);
    }
    let mut tail = 0.0;
    let mut cut = None;
    for (statistic, chance) in distribution(m, n).into_iter().enumerate() {
        tail += chance;
        if tail > outside {
            break;
        }
        cut = Some(statistic);
    }
    cut
}

/// The chances of the values of Mann and Whitney's statistic, from 0 to their middle, if there is
/// no difference: the largest of all values is one of the `m` or one of the `n`, and is above all
/// of the others or adds nothing.
fn distribution(m: usize, n: usize) -> Vec<f64> {
    let values = m * n / 2 + 1;
    let none = || {
        let mut chances = vec![0.0; values];
        chances[0] = 1.0;
        chances
    };
    // Of i and j values, for one i after another; of none of a kind the statistic is 0.
    let mut row: Vec<Vec<f64>> = (0..=n).map(|_| none()).collect();
    for i in 1..=m {
        let mut next = vec![none()];
        for j in 1..=n {
            let (of_m, of_n) = (i as f64 / (i + j) as f64, j as f64 / (i + j) as f64);
            let chance = |value: usize| {
                let above = value.checked_sub(j).map_or(0.0, |rest| row[j][rest]);
                of_m * above + of_n * next[j - 1][value]
            };
            next.push((0..values).map(chance).collect());
        }
        row = next;
    }
    row.swap_remove(n)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(is: f64, wanted: f64) -> bool {
        (is - wanted).abs() < 1e-9
    }

    #[test]
    fn the_worked_example_comes_out() {
        // The one of Hollander, Wolfe, Chicken, sections 4.1 to 4.3: the permeability of a membrane
        // at term and before. They take differences; of exponentials, these are ratios.
        let term = [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46_f64];
        let early = [1.15, 0.88, 0.90, 0.74, 1.21_f64];
        let change = change(term.map(f64::exp), early.map(f64::exp)).expect("an interval");
        assert!(close(change.ratio.ln(), -0.305), "{change:?}");
        // Of 96%, with the ninth of the fifty differences from either end.
        assert!(close(change.low.ln(), -0.76) && close(change.high.ln(), 0.15), "{change:?}");
        assert!(change.is_tie());
    }

    #[test]
    fn as_many_are_left_out_as_the_tables_say() {
        // The critical values of the test, two-sided, 5%.
        let known = [
            ((3, 3), None),
            ((3, 5), Some(0)),
            ((4, 4), Some(0)),
            ((5, 5), Some(2)),
            ((6, 6), Some(5)),
            ((5, 10), Some(8)),
            ((9, 9), Some(17)),
            ((12, 9), Some(26)),
            ((20, 20), Some(127)),
        ];
        for ((m, n), wanted) in known {
            assert_eq!(cut(m, n), wanted, "{m} and {n}");
            assert_eq!(cut(n, m), wanted, "{n} and {m}");
        }
        assert_eq!(cut(1, 30), None);
        assert_eq!(cut(0, 9), None);
    }

    #[test]
    fn the_interval_covers_the_truth_as_often_as_it_says() {
        let mut random = fastrand::Rng::with_seed(7);
        // Rounds as they are: mostly near one another, now and then far above.
        let mut round = |truth: f64| {
            let tail = if random.u8(..) < 25 { 1.3 } else { 1.0 };
            truth * tail * (1.0 + 0.05 * (random.f64() + random.f64() + random.f64()))
        };
        let mut covered = 0;
        for _ in 0..2_000 {
            let (before, after) = ([0; 6].map(|_| round(1.0)), [0; 6].map(|_| round(1.1)));
            let change = change(before, after).expect("an interval");
            covered += i32::from(change.low <= 1.1 && 1.1 <= change.high);
        }
        // By the table 95.9%, give or take 0.44%.
        assert!((1_880..=1_960).contains(&covered), "{covered} of 2,000");
    }

    #[test]
    fn many_rounds_are_nearly_exact() {
        let exact = cut(49, 49).expect("exact");
        let near = cut(50, 49).expect("by the normal distribution");
        assert!((exact..exact + 40).contains(&near), "{exact}, {near}");
    }

    #[test]
    fn twice_as_much_is_twice_as_much_however_the_rounds_scatter() {
        let before = [1.0, 1.1, 0.9, 1.05, 0.95, 1.0];
        let same = change(before, before).expect("six rounds");
        assert!(close(same.ratio, 1.0) && same.is_tie(), "{same:?}");
        let twice = change(before, before.map(|value| 2.0 * value)).expect("six rounds");
        assert!(close(twice.ratio, 2.0) && !twice.is_tie(), "{twice:?}");
        // What is first and what is second is no more than a name.
        let half = change(before.map(|value| 2.0 * value), before).expect("six rounds");
        assert!(close(half.ratio * twice.ratio, 1.0) && close(half.low * twice.high, 1.0));
    }

    #[test]
    fn three_rounds_and_figures_that_are_none_have_no_interval() {
        assert_eq!(change([1.0; 3], [1.0; 3]), None);
        assert_eq!(change([0.0; 6], [f64::NAN; 6]), None);
    }
}
