//! Axes: from values to places on a chart, and the ticks that tell which is where.

use crate::report::numbers::{round, thousands};

/// About how many ticks an axis has.
const TICKS: usize = 5;
/// More than this are too many.
const MOST_TICKS: usize = 7;

/// One axis, from its first value to its last.
#[derive(Debug)]
pub(in crate::report) struct Axis {
    /// What is on it, with its unit.
    pub(super) name: String,
    /// Where there is a tick, and what it says.
    pub(super) ticks: Vec<(f64, String)>,
    from: f64,
    to: f64,
    logarithmic: bool,
}

impl Axis {
    /// Evenly from zero to a round number that is no less than `most`.
    pub(in crate::report) fn from_zero(
        name: &str,
        most: f64,
        show: impl Fn(f64) -> String,
    ) -> Self {
        let step = step(most.max(f64::MIN_POSITIVE));
        let count = (most / step).ceil().max(1.0);
        let mut ticks = Vec::new();
        let mut tick = 0.0;
        while tick <= count {
            ticks.push((tick * step, show(tick * step)));
            tick += 1.0;
        }
        Self { name: name.to_owned(), ticks, from: 0.0, to: count * step, logarithmic: false }
    }

    /// By factors, between 1, 2 or 5 times powers of ten that hold `least` and `most`.
    pub(in crate::report) fn by_factors(
        name: &str,
        (least, most): (f64, f64),
        show: impl Fn(f64) -> String,
    ) -> Self {
        let most = most.max(f64::MIN_POSITIVE);
        let least = least.clamp(most * 1e-9, most);
        let decade = |value: f64| value.log10().floor();
        let mut round: Vec<f64> = Vec::new();
        let mut power = decade(least);
        while power <= decade(most) + 1.0 {
            round.extend([1.0, 2.0, 5.0].map(|digit| digit * 10_f64.powf(power)));
            power += 1.0;
        }
        // A hair's breadth, for 10 to the power of -1 is not quite a tenth.
        let from = round.iter().rposition(|value| *value <= least * 1.000_001).unwrap_or(0);
        let to = round.iter().position(|value| *value >= most * 0.999_999);
        let to = to.unwrap_or(round.len() - 1).max(from + 1);
        let round = &round[from..=to];
        let whole = |value: &&f64| (value.log10() - value.log10().round()).abs() < 1e-6;
        let decades: Vec<f64> = round.iter().filter(whole).copied().collect();
        let shown = match decades.len() {
            _ if round.len() <= MOST_TICKS => round.to_vec(),
            0..=6 => decades,
            many => decades.into_iter().step_by(many.div_ceil(TICKS)).collect(),
        };
        Self {
            name: name.to_owned(),
            ticks: shown.into_iter().map(|value| (value, show(value))).collect(),
            from: round[0],
            to: round[round.len() - 1],
            logarithmic: true,
        }
    }

    /// By factors, with a tick at each of these values. One value alone is in the middle.
    pub(in crate::report) fn of_counts(name: &str, counts: &[f64]) -> Self {
        let mut counts = counts.to_vec();
        counts.sort_by(f64::total_cmp);
        counts.dedup_by(|a, b| a.total_cmp(b).is_eq());
        let (from, to) = match counts[..] {
            [] => (1.0, 10.0),
            [one] => (one / 2.0, one * 2.0),
            [first, .., last] => (first, last),
        };
        let ticks = counts.into_iter().map(|count| (count, thousands(count))).collect();
        Self { name: name.to_owned(), ticks, from, to, logarithmic: true }
    }

    /// Percentiles, evenly by the nines in them: 0 is the least, 1 is 90%, 2 is 99%.
    pub(in crate::report) fn of_nines(name: &str, most: f64) -> Self {
        let names = ["0", "90", "99", "99.9", "99.99", "99.999"];
        let ticks =
            names.iter().enumerate().map(|(nines, name)| (nines as f64, (*name).to_owned()));
        let median = (std::f64::consts::LOG10_2, "50".to_owned());
        let mut ticks: Vec<_> = ticks.chain([median]).skip(1).collect();
        ticks.retain(|(nines, _)| *nines <= most + 1e-6);
        Self { name: name.to_owned(), ticks, from: 0.0, to: most.max(1.0), logarithmic: false }
    }

    /// Seconds, from the beginning of the first to the end of the last.
    pub(in crate::report) fn of_seconds(name: &str, last: f64) -> Self {
        let axis = Self::from_zero(name, last.max(1.0), round);
        let ticks = axis.ticks.into_iter().filter(|(second, _)| *second <= last.max(1.0));
        Self { ticks: ticks.collect(), to: last.max(1.0), ..axis }
    }

    /// Where a value is: 0 at the beginning of the axis, 1 at its end.
    pub(super) fn part(&self, value: f64) -> f64 {
        let part = if self.logarithmic {
            (value.max(f64::MIN_POSITIVE) / self.from).ln() / (self.to / self.from).ln()
        } else {
            (value - self.from) / (self.to - self.from)
        };
        part.clamp(0.0, 1.0)
    }
}

/// The distance of ticks: 1, 2, 2.5 or 5 times a power of ten.
fn step(most: f64) -> f64 {
    let rough = most / TICKS as f64;
    let power = 10_f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 2.5, 5.0, 10.0];
    steps.into_iter().map(|step| step * power).find(|step| *step >= rough).unwrap_or(rough)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::numbers::short;

    fn says(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, text)| text.as_str()).collect()
    }

    #[test]
    fn an_axis_ends_at_a_round_number() {
        assert_eq!(says(&Axis::from_zero("", 29.8, short)), ["0", "10.0", "20.0", "30.0"]);
        assert_eq!(
            says(&Axis::from_zero("", 157_284.0, thousands)),
            ["0", "50,000", "100,000", "150,000", "200,000"]
        );
        assert_eq!(says(&Axis::from_zero("", 0.0, thousands)).first(), Some(&"0"));
    }

    #[test]
    fn an_axis_by_factors_has_room_for_all_of_it() {
        let axis = Axis::by_factors("", (38.0, 1_200.0), short);
        assert_eq!(says(&axis), ["20.0", "50.0", "100", "200", "500", "1,000", "2,000"]);
        assert!(axis.part(38.0) > 0.0 && axis.part(1_200.0) < 1.0);
        let decades = Axis::by_factors("", (38.0, 120_000.0), thousands);
        assert_eq!(says(&decades), ["100", "1,000", "10,000", "100,000"]);
        let narrow = Axis::by_factors("", (21.0, 45.0), short);
        assert_eq!(says(&narrow), ["20.0", "50.0"]);
        let one = Axis::by_factors("", (10.0, 10.0), short);
        assert!(one.ticks.len() >= 2, "{one:?}");
        let wide = Axis::by_factors("", (1.0, 1e9), thousands);
        assert!((3..=TICKS).contains(&wide.ticks.len()), "{wide:?}");
    }

    #[test]
    fn connections_are_where_they_are() {
        let axis = Axis::of_counts("", &[64.0, 1.0, 10_000.0, 64.0]);
        assert_eq!(says(&axis), ["1", "64", "10,000"]);
        assert!((axis.part(100.0) - 0.5).abs() < 1e-9);
        assert!((Axis::of_counts("", &[64.0]).part(64.0) - 0.5).abs() < 1e-9);
    }

    #[test]
    fn each_nine_takes_as_much_room() {
        let axis = Axis::of_nines("", 3.0);
        assert_eq!(says(&axis), ["90", "99", "99.9", "50"]);
        assert!((axis.part(2.0) - axis.part(1.0) - axis.part(1.0)).abs() < 1e-9);
    }

    #[test]
    fn seconds_end_with_the_last() {
        let axis = Axis::of_seconds("", 2.5);
        assert_eq!(says(&axis), ["0", "0.5", "1", "1.5", "2", "2.5"]);
        assert!((axis.part(2.5) - 1.0).abs() < 1e-9);
        assert_eq!(says(&Axis::of_seconds("", 10.0)), ["0", "2", "4", "6", "8", "10"]);
    }
}
