//! What a client has sent beyond the request in hand, as far as that can be known outside of hyper.
//!
//! Whoever drains must not end a connection while requests are behind the one that is answered, and
//! those may be in hyper's buffer, into which nobody can look. So this keeps a book: what hyper was
//! given, less how long each request was, as nearly everybody writes it. Where that is too much,
//! a client is not told that its connection ends, and has the second of grace; and as soon as hyper
//! asks for more, it is known that its buffer holds no whole request.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::Relaxed};

use http::request;

/// The book of one connection. Whoever writes in it runs in the connection's task.
#[derive(Default)]
pub(crate) struct Ahead {
    /// Bytes that hyper was given, and that belong to no request which it has told of.
    given: AtomicI64,
    /// Bytes that were in the socket when the process began to drain, and have not been read.
    unread: AtomicI64,
    /// Whether the connection knows that the process drains.
    draining: AtomicBool,
    /// Whether hyper has asked for more than had been sent until then.
    exhausted: AtomicBool,
}

impl Ahead {
    /// hyper was given so many bytes.
    pub(crate) fn gave(&self, count: usize) {
        add(&self.given, count);
        if self.draining.load(Relaxed) {
            let left = self.unread.load(Relaxed).saturating_sub_unsigned(count as u64);
            self.unread.store(left, Relaxed);
        }
    }

    /// hyper asks for more, `of_content` or not, and has told of all the requests that it was given
    /// whole.
    pub(crate) fn asked(&self, of_content: bool) {
        if !of_content {
            // A request that was written more tersely than most must not hide the next.
            self.given.store(self.given.load(Relaxed).max(0), Relaxed);
        }
        if self.draining.load(Relaxed) && self.unread.load(Relaxed) <= 0 {
            self.exhausted.store(true, Relaxed);
        }
    }

    /// hyper tells of a request.
    pub(crate) fn took(&self, head: &request::Parts) {
        let length = service::usual_length(head);
        self.given.store(self.given.load(Relaxed).saturating_sub_unsigned(length), Relaxed);
    }

    /// The process drains, and so many bytes are in the socket.
    pub(crate) fn drain(&self, unread: u64) {
        self.unread.store(i64::try_from(unread).unwrap_or(i64::MAX), Relaxed);
        self.draining.store(true, Relaxed);
    }

    /// Whether the connection knows that the process drains.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Relaxed)
    }

    /// Whether the process drains, and nothing that was sent before is behind the request in hand.
    pub(crate) fn is_last(&self) -> bool {
        let is_behind = self.given.load(Relaxed) > 0 || self.unread.load(Relaxed) > 0;
        self.draining.load(Relaxed) && (self.exhausted.load(Relaxed) || !is_behind)
    }
}

fn add(counter: &AtomicI64, count: usize) {
    counter.store(counter.load(Relaxed).saturating_add_unsigned(count as u64), Relaxed);
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    const RAW: &str = "GET /a?b HTTP/1.1\r\nHost: a\r\n\r\n";

    fn head() -> request::Parts {
        let request = Request::get("/a?b").header("host", "a").body(());
        request.expect("a request").into_parts().0
    }

    #[test]
    fn the_last_request_is_the_last() {
        let ahead = Ahead::default();
        ahead.asked(false);
        ahead.gave(2 * RAW.len());
        ahead.took(&head());
        assert!(!ahead.is_last(), "the process goes on");
        ahead.drain(0);
        assert!(!ahead.is_last(), "there is one behind it");
        ahead.took(&head());
        assert!(ahead.is_last());
    }

    #[test]
    fn what_waits_in_the_socket_comes_first() {
        let ahead = Ahead::default();
        ahead.gave(RAW.len());
        ahead.took(&head());
        ahead.drain(RAW.len() as u64);
        assert!(!ahead.is_last());
        ahead.asked(false);
        assert!(!ahead.is_last());
        ahead.gave(RAW.len());
        ahead.took(&head());
        assert!(ahead.is_last());
    }

    #[test]
    fn who_is_asked_for_more_has_nothing_behind() {
        let ahead = Ahead::default();
        ahead.gave(RAW.len() + 100);
        ahead.took(&head());
        ahead.drain(0);
        assert!(!ahead.is_last());
        ahead.asked(false);
        assert!(ahead.is_last());
    }

    #[test]
    fn content_belongs_to_its_request() {
        let ahead = Ahead::default();
        let raw = "POST /a HTTP/1.1\r\nContent-Length: 5\r\n\r\n";
        let request = Request::post("/a").header("content-length", "5").body(());
        ahead.asked(false);
        ahead.gave(raw.len());
        ahead.took(&request.expect("a request").into_parts().0);
        ahead.asked(true);
        ahead.drain(5);
        ahead.asked(true);
        ahead.gave(5);
        assert!(ahead.is_last());
    }

    #[test]
    fn a_terse_request_does_not_hide_the_next() {
        let ahead = Ahead::default();
        ahead.gave(RAW.len() - 1);
        ahead.took(&head());
        ahead.asked(false);
        ahead.gave(RAW.len() + 1);
        ahead.took(&head());
        ahead.drain(0);
        assert!(!ahead.is_last());
    }
}
