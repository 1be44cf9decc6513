//! What can go wrong with a request, by the names that every report uses.

use std::io;

use rustix::io::Errno;

/// Why a request was not answered as it should have been.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// Nobody listens at the address.
    Refused,
    /// The peer reset the connection, or closed it before the first byte of an answer.
    Reset,
    /// The connection or the answer took longer than the time-out.
    TimedOut,
    /// The server said 503: it is over a limit of its own.
    Unavailable,
    /// Any other status than the expected one.
    OtherStatus,
    /// The connection ended inside an answer.
    ShortBody,
    /// A complete answer, but not the bytes that were expected.
    WrongBody,
    /// What came back is not HTTP/1.
    Malformed,
    /// The generator ran out of descriptors.
    Descriptors,
    /// The generator ran out of ports to connect from.
    Ports,
    /// Any other error of the operating system.
    Other,
}

impl Fault {
    /// Every kind, in the order of the reports.
    pub(crate) const ALL: [Self; 11] = [
        Self::Refused,
        Self::Reset,
        Self::TimedOut,
        Self::Unavailable,
        Self::OtherStatus,
        Self::ShortBody,
        Self::WrongBody,
        Self::Malformed,
        Self::Descriptors,
        Self::Ports,
        Self::Other,
    ];

    /// The key in `results.json`, and the word in a summary.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Reset => "reset",
            Self::TimedOut => "timed_out",
            Self::Unavailable => "status_503",
            Self::OtherStatus => "status_other",
            Self::ShortBody => "short_body",
            Self::WrongBody => "wrong_body",
            Self::Malformed => "malformed",
            Self::Descriptors => "descriptors",
            Self::Ports => "ports",
            Self::Other => "other",
        }
    }

    /// Whether there was no answer at all, not even a wrong one: what a server that is gone does.
    pub(crate) fn is_absence(self) -> bool {
        matches!(self, Self::Refused | Self::Reset | Self::TimedOut)
    }

    /// What came in place of an answer, in words.
    pub(crate) fn in_words(self) -> &'static str {
        match self {
            Self::Refused => "a refused connection: does the server run, and is this its port?",
            Self::Reset => "a connection that was closed before the first byte of an answer",
            Self::TimedOut => "no answer in time",
            Self::Unavailable => "503",
            Self::OtherStatus => "another status",
            Self::ShortBody => "an answer that ends too early",
            Self::WrongBody => "another body",
            Self::Malformed => "something that is not HTTP/1",
            Self::Descriptors => "no descriptor for a connection: see `ulimit -Hn`",
            Self::Ports => "no port to connect from: see net.ipv4.ip_local_port_range",
            Self::Other => "an error of the operating system or the network",
        }
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        match Errno::from_io_error(&error) {
            Some(Errno::CONNREFUSED) => Self::Refused,
            Some(Errno::CONNRESET | Errno::PIPE | Errno::CONNABORTED) => Self::Reset,
            Some(Errno::TIMEDOUT) => Self::TimedOut,
            Some(Errno::MFILE | Errno::NFILE) => Self::Descriptors,
            Some(Errno::ADDRNOTAVAIL | Errno::ADDRINUSE) => Self::Ports,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_apart_by_the_error_number() {
        let kind = |errno: Errno| Fault::from(io::Error::from(errno));
        assert_eq!(kind(Errno::CONNREFUSED), Fault::Refused);
        assert_eq!(kind(Errno::CONNRESET), Fault::Reset);
        assert_eq!(kind(Errno::PIPE), Fault::Reset);
        assert_eq!(kind(Errno::MFILE), Fault::Descriptors);
        assert_eq!(kind(Errno::ADDRNOTAVAIL), Fault::Ports);
        assert_eq!(kind(Errno::INVAL), Fault::Other);
    }

    #[test]
    fn every_kind_has_a_name_and_a_place_of_its_own() {
        for (index, fault) in Fault::ALL.into_iter().enumerate() {
            assert_eq!(fault as usize, index, "{}", fault.name());
        }
        let mut names = Fault::ALL.map(Fault::name).to_vec();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Fault::ALL.len());
    }
}
