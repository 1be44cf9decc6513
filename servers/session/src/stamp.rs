//! The fields that every answer carries, rendered once a second.

use std::{
    io::Write as _,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// `Server` and `Date` as they stand on the wire.
#[derive(Debug, Default)]
pub(crate) struct Stamp {
    lines: Vec<u8>,
    /// Where `Date` begins.
    date: usize,
    /// When the next second begins.
    until: Option<Instant>,
}

impl Stamp {
    /// The two field lines at `now`. `wall_clock` is only asked once a second.
    pub(crate) fn at(
        &mut self,
        now: Instant,
        backend: &str,
        wall_clock: impl FnOnce() -> SystemTime,
    ) -> &[u8] {
        if self.until.is_none_or(|until| now >= until) {
            let date = wall_clock();
            let past = date.duration_since(UNIX_EPOCH).unwrap_or_default().subsec_nanos();
            self.until = Some(now + Duration::from_nanos(1_000_000_000 - u64::from(past)));
            self.lines.clear();
            // Writing into a vector cannot fail.
            let _ = write!(self.lines, "Server: five-ways/{backend}\r\n");
            self.date = self.lines.len();
            let _ = write!(self.lines, "Date: {}\r\n", httpdate::fmt_http_date(date));
        }
        &self.lines
    }

    /// The part of what [`at`](Self::at) gave that is the `Date`.
    pub(crate) fn date(&self) -> &[u8] {
        &self.lines[self.date..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_is_rendered_once_and_ends_on_time() {
        let start = Instant::now();
        let date = UNIX_EPOCH + Duration::from_millis(784_111_777_900);
        let mut stamp = Stamp::default();
        let expected = "Server: five-ways/x\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
        assert_eq!(stamp.at(start, "x", || date), expected.as_bytes());
        let later = start + Duration::from_millis(99);
        assert_eq!(stamp.at(later, "x", || panic!("too early")), expected.as_bytes());
        let next = start + Duration::from_millis(100);
        let line = stamp.at(next, "x", || date + Duration::from_millis(100)).to_vec();
        assert!(line.ends_with(b"08:49:38 GMT\r\n"));
    }
}
