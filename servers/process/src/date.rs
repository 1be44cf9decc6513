//! The fields that stand on every answer, rendered once a second.

use std::{
    io::Write,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// `Server` and `Date`, each with its line end, ready to be copied into a head.
#[derive(Debug)]
pub struct Stamp {
    bytes: Vec<u8>,
    /// How much of `bytes` never changes.
    fixed: usize,
    /// When the second that `bytes` names is over; `None` before the first.
    stale_at: Option<Instant>,
}

impl Stamp {
    /// For answers of the backend of this name.
    #[must_use]
    pub fn new(backend: &str) -> Self {
        let bytes = format!("Server: five-ways/{backend}\r\nDate: ").into_bytes();
        Self { fixed: bytes.len(), bytes, stale_at: None }
    }

    /// Both fields as of `now`, which must be the present time, or little older.
    pub fn at(&mut self, now: Instant) -> &[u8] {
        if self.stale_at.is_none_or(|stale_at| now >= stale_at) {
            self.render(now, SystemTime::now());
        }
        &self.bytes
    }

    fn render(&mut self, now: Instant, wall: SystemTime) {
        let since_epoch = wall.duration_since(UNIX_EPOCH).unwrap_or_default();
        self.bytes.truncate(self.fixed);
        let date = httpdate::HttpDate::from(wall);
        // Writing to a `Vec` can't fail.
        let _ = write!(self.bytes, "{date}\r\n");
        let left = 1_000_000_000 - since_epoch.subsec_nanos();
        self.stale_at = Some(now + Duration::from_nanos(left.into()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1994-11-06 08:49:37 UTC, the example of RFC 9110, section 5.6.7.
    const EXAMPLE: Duration = Duration::from_secs(784_111_777);

    #[test]
    fn fields_are_whole_lines() {
        let mut stamp = Stamp::new("test");
        stamp.render(Instant::now(), UNIX_EPOCH + EXAMPLE);
        let expected = "Server: five-ways/test\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
        assert_eq!(stamp.bytes, expected.as_bytes());
        stamp.render(Instant::now(), UNIX_EPOCH + EXAMPLE + Duration::from_secs(1));
        let expected = expected.replace(":37", ":38");
        assert_eq!(stamp.bytes, expected.as_bytes());
    }

    #[test]
    fn a_date_lasts_to_the_end_of_its_second() {
        let mut stamp = Stamp::new("test");
        // Far in the past, so that what is rendered anew can't be the same date.
        let now = Instant::now();
        stamp.render(now, UNIX_EPOCH + EXAMPLE + Duration::from_millis(750));
        let old = stamp.bytes.clone();
        assert_eq!(stamp.at(now), old);
        assert_eq!(stamp.at(now + Duration::from_millis(249)), old);
        assert_ne!(stamp.at(now + Duration::from_millis(250)), old);
    }

    #[test]
    fn the_date_is_that_of_the_system() {
        let before = httpdate::fmt_http_date(SystemTime::now());
        let mut stamp = Stamp::new("test");
        let text = String::from_utf8(stamp.at(Instant::now()).to_vec()).unwrap();
        let after = httpdate::fmt_http_date(SystemTime::now());
        assert!(text.contains(&before) || text.contains(&after), "{text}");
    }
}
