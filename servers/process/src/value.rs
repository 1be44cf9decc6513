//! Values as people write them on a command line: `1.5s`, `16KiB`, `256`.

use std::time::Duration;

use thiserror::Error;

/// The longest duration an option takes. Far beyond use, and far from the end of any clock, so that
/// a deadline can be added to without a check.
const LONGEST: Duration = Duration::from_hours(365 * 24);
/// The largest count an option takes: as many processes as Linux can ever number (`PID_MAX_LIMIT`).
const MOST: usize = 4 * 1024 * 1024;

const KIB: u64 = 1024;

/// What is wrong with a value, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ValueError {
    /// Not a number with a unit of time.
    #[error("expected a duration, as in 250us, 20ms, 1.5s or 2m")]
    Duration,
    /// A time-out of nothing would give everything up at once.
    #[error("expected a duration of more than 0, as in 20ms or 1.5s")]
    ZeroDuration,
    /// A duration past the bound.
    #[error("expected a duration of at most 365d")]
    LongDuration,
    /// Not a number of bytes.
    #[error("expected a number of bytes, as in 8192, 16KiB, 64MiB or 1GiB")]
    Size,
    /// A size that the option can't work with.
    #[error("expected from {least} to {most} bytes")]
    SizeRange {
        /// The smallest that is accepted.
        least: u64,
        /// The largest that is accepted.
        most: u64,
    },
    /// Not a whole number within bounds.
    #[error("expected a whole number from {least} to {most}")]
    Count {
        /// The smallest that is accepted.
        least: usize,
        /// The largest that is accepted.
        most: usize,
    },
    /// Not an IP address with a port.
    #[error("expected an IP address and a port, as in 127.0.0.1:8080 or [::]:8080")]
    Address,
}

/// A duration in any of humantime's units, which may have decimals: `1.5s`.
pub fn duration(text: &str) -> Result<Duration, ValueError> {
    let duration = match text.split_once('.') {
        None => humantime::parse_duration(text).map_err(|_| ValueError::Duration),
        Some((whole, rest)) => decimal(whole, rest).ok_or(ValueError::Duration),
    }?;
    if duration > LONGEST { Err(ValueError::LongDuration) } else { Ok(duration) }
}

/// A duration that isn't zero.
pub(crate) fn timeout(text: &str) -> Result<Duration, ValueError> {
    match duration(text)? {
        Duration::ZERO => Err(ValueError::ZeroDuration),
        duration => Ok(duration),
    }
}

/// A number of bytes: plain, or in `KiB`, `MiB`, `GiB`.
pub(crate) fn bytes(text: &str) -> Result<u64, ValueError> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit = match unit.trim_start() {
        "" | "B" => 1,
        "KiB" => KIB,
        "MiB" => KIB.pow(2),
        "GiB" => KIB.pow(3),
        _ => return Err(ValueError::Size),
    };
    let number: u64 = number.parse().map_err(|_| ValueError::Size)?;
    number.checked_mul(unit).ok_or(ValueError::Size)
}

/// The size of a head: enough for a request line, and little enough to hold one per connection.
pub(crate) fn head_bytes(text: &str) -> Result<usize, ValueError> {
    let (least, most) = (256, KIB.pow(2));
    match bytes(text)? {
        size if (least..=most).contains(&size) => {
            usize::try_from(size).map_err(|_| ValueError::Size)
        }
        _ => Err(ValueError::SizeRange { least, most }),
    }
}

/// How many of something there may be, where none would make no sense.
pub(crate) fn count(text: &str) -> Result<usize, ValueError> {
    ranged(text, 1, MOST)
}

/// How many of something there may be, or none.
pub(crate) fn count_or_none(text: &str) -> Result<usize, ValueError> {
    ranged(text, 0, MOST)
}

/// How many fields a head may have: every connection that parses needs a slot for each.
pub(crate) fn headers(text: &str) -> Result<usize, ValueError> {
    ranged(text, 1, 1024)
}

/// An address to listen on. Names are refused: one may stand for several addresses.
pub(crate) fn address(text: &str) -> Result<std::net::SocketAddr, ValueError> {
    text.parse().map_err(|_| ValueError::Address)
}

fn ranged(text: &str, least: usize, most: usize) -> Result<usize, ValueError> {
    text.parse()
        .ok()
        .filter(|number| (least..=most).contains(number))
        .ok_or(ValueError::Count { least, most })
}

/// `1` and `5s` of `1.5s`. humantime takes whole numbers only, so it is asked for one unit's length.
fn decimal(whole: &str, rest: &str) -> Option<Duration> {
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (fraction, unit) = rest.split_at(digits);
    if whole.is_empty() || fraction.is_empty() || !whole.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    // What follows must be one unit: `1.5s 2ms` would be read as a unit of "s 2ms".
    if unit.is_empty() || !unit.bytes().all(|b| b.is_ascii_alphabetic()) {
        return None;
    }
    let unit = humantime::parse_duration(&format!("1{unit}")).ok()?.as_nanos();
    let scale = 10_u128.checked_pow(u32::try_from(digits).ok()?)?;
    let number: u128 = format!("{whole}{fraction}").parse().ok()?;
    let nanos = number.checked_mul(unit)? / scale;
    Some(Duration::from_nanos(u64::try_from(nanos).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, micros) in [
            ("250us", 250),
            ("20ms", 20_000),
            ("1.5s", 1_500_000),
            ("10s", 10_000_000),
            ("75s", 75_000_000),
            ("0.25ms", 250),
            ("1.5m", 90_000_000),
            ("1m 30s", 90_000_000),
            ("0s", 0),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_micros(micros)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in
            ["", "5", "s", "1.s", ".5s", "1.5", "1.5.5s", "-1s", "+1.5s", "1.5s 2ms", "1e3s"]
        {
            assert_eq!(duration(text), Err(ValueError::Duration), "{text}");
        }
        let endless = format!("1.{}s", "0".repeat(60));
        assert_eq!(duration(&endless), Err(ValueError::Duration));
        assert_eq!(duration("366d"), Err(ValueError::LongDuration));
        assert_eq!(timeout("0s"), Err(ValueError::ZeroDuration));
        assert_eq!(timeout("0.0001us"), Err(ValueError::ZeroDuration));
    }

    #[test]
    fn sizes_are_plain_or_binary() {
        for (text, size) in
            [("0", 0), ("8192", 8192), ("16KiB", 16_384), ("64 MiB", 67_108_864), ("7B", 7)]
        {
            assert_eq!(bytes(text), Ok(size), "{text}");
        }
        for text in ["", "KiB", "16KB", "16kib", "1.5KiB", "-1", "+1", "99999999999999GiB"] {
            assert_eq!(bytes(text), Err(ValueError::Size), "{text}");
        }
        assert_eq!(head_bytes("16KiB"), Ok(16_384));
        assert!(matches!(head_bytes("16"), Err(ValueError::SizeRange { .. })));
        assert!(matches!(head_bytes("2MiB"), Err(ValueError::SizeRange { .. })));
    }

    #[test]
    fn counts_have_bounds_and_say_them() {
        assert_eq!(count("1"), Ok(1));
        assert_eq!(count_or_none("0"), Ok(0));
        assert_eq!(
            count("0").unwrap_err().to_string(),
            "expected a whole number from 1 to 4194304"
        );
        assert!(headers("1025").is_err());
        assert!(count("many").is_err());
    }

    #[test]
    fn addresses_need_a_port() {
        assert!(address("[::]:80").is_ok());
        assert_eq!(address("127.0.0.1"), Err(ValueError::Address));
        assert_eq!(address("localhost:80"), Err(ValueError::Address));
    }
}
