//! Durations as people write them in a path: `250us`, `20ms`, `1.5s`.

use std::time::Duration;

/// The longest that a request may ask to be held.
pub(crate) const AT_MOST: Duration = Duration::from_mins(1);

/// Reads a number and one of the units `us`, `ms`, `s`, `m`; the number may have a fraction.
///
/// # Errors
/// A sentence that says what is wrong and what is right.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || format!("'{text}' is no duration; write it as 250us, 20ms or 1.5s");
    let unit_at = text.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(unit_at);
    let nanos = match unit {
        "us" => 1e3,
        "ms" => 1e6,
        "s" => 1e9,
        "m" => 60e9,
        _ => return Err(wrong()),
    };
    let plain = number.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        && number.starts_with(|c: char| c.is_ascii_digit())
        && number.ends_with(|c: char| c.is_ascii_digit());
    let number: f64 = number.parse().ok().filter(|_| plain).ok_or_else(wrong)?;
    Duration::try_from_secs_f64(number * nanos / 1e9).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(parse("250us"), Ok(Duration::from_micros(250)));
        assert_eq!(parse("20ms"), Ok(Duration::from_millis(20)));
        assert_eq!(parse("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(parse("0s"), Ok(Duration::ZERO));
        for bad in
            ["", "5", "ms", "-1s", "+1s", "1e3s", "1.s", ".5s", "1..5s", "5 ms", "5h", "1s2ms"]
        {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }
}
