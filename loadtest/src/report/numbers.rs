//! Numbers as people read them.

/// Three significant digits, with separated thousands.
pub(super) fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 1000.0 => thousands(value),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        0.0 => "0".to_owned(),
        size if size < 0.01 => format!("{value:.4}"),
        _ => format!("{value:.2}"),
    }
}

/// A whole number with its thousands apart.
pub(super) fn thousands(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if value < 0.0 && text != "0" { format!("-{text}") } else { text }
}

/// The same without zeros that say nothing: for ticks, which are round.
pub(super) fn round(value: f64) -> String {
    let text = short(value);
    match text.split_once('.') {
        Some((whole, fraction)) if fraction.bytes().all(|digit| digit == b'0') => whole.to_owned(),
        Some(_) => text.trim_end_matches('0').to_owned(),
        None => text,
    }
}

/// A time that is round.
pub(super) fn round_time(microseconds: f64) -> String {
    match microseconds {
        value if value < 999.5 => format!("{} µs", round(value)),
        value if value < 999.5e3 => format!("{} ms", round(value / 1e3)),
        value => format!("{} s", round(value / 1e6)),
    }
}

/// A time in the unit that suits it, to three digits. The units are equally long, so that they
/// stand under one another.
pub(super) fn time(microseconds: f64) -> String {
    let (value, unit) = match microseconds {
        value if value < 999.5 => (value, "µs"),
        value if value < 999.5e3 => (value / 1e3, "ms"),
        value => (value / 1e6, "s "),
    };
    let text = if unit == "µs" { format!("{value:.0}") } else { short(value) };
    format!("{text} {unit}")
}

/// A count of something: one has no plural.
pub(super) fn counted(count: usize, one: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        many => format!("{} {one}s", thousands(many as f64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!(short(0.0), "0");
        assert_eq!(short(6.234), "6.23");
        assert_eq!(short(0.0042), "0.0042");
        assert_eq!(short(123.4), "123");
        assert_eq!(short(157_284.4), "157,284");
        assert_eq!(thousands(1_000_000.0), "1,000,000");
        assert_eq!(thousands(-1_234.0), "-1,234");
        assert_eq!(thousands(-0.2), "0");
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(
            [0.0, 0.5, 2.0, 2.5, 50.0, 5_000.0].map(round),
            ["0", "0.5", "2", "2.5", "50", "5,000"]
        );
        assert_eq!([0.5, 500.0, 2_000.0, 5e6].map(round_time), ["0.5 µs", "500 µs", "2 ms", "5 s"]);
    }

    #[test]
    fn times_have_the_unit_that_suits_them() {
        let times = [0.4, 412.0, 999.6, 1_234.0, 56_789.0, 1_500_000.0].map(time);
        assert_eq!(times, ["0 µs", "412 µs", "1.00 ms", "1.23 ms", "56.8 ms", "1.50 s "]);
    }

    #[test]
    fn one_has_no_plural() {
        assert_eq!(counted(1, "connection"), "1 connection");
        assert_eq!(counted(1_024, "connection"), "1,024 connections");
    }
}
