//! Why a connection was not served: one list for logs, metrics and back-off.

use std::io;

use rustix::io::Errno;

/// Why a connection, though the kernel had it, was not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// `--max-connections` are open.
    MaxConnections,
    /// `EMFILE`: this process has no descriptor left.
    ProcessDescriptors,
    /// `ENFILE`: the system has none left.
    SystemDescriptors,
    /// `ENOBUFS`: no memory for the socket's buffers.
    Buffers,
    /// `ENOMEM`: no memory.
    Memory,
    /// `ENOSPC`: this user has as many sockets watched as it may (`fs.epoll.max_user_watches`).
    Watches,
    /// A thread could not be started.
    Thread,
    /// A coroutine's stack could not be mapped.
    Stack,
}

impl Refusal {
    /// Every refusal, in the order of their numbers.
    pub const ALL: [Self; 8] = [
        Self::MaxConnections,
        Self::ProcessDescriptors,
        Self::SystemDescriptors,
        Self::Buffers,
        Self::Memory,
        Self::Watches,
        Self::Thread,
        Self::Stack,
    ];

    /// The word in logs and in the label `reason`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MaxConnections => "max_connections",
            Self::ProcessDescriptors => "EMFILE",
            Self::SystemDescriptors => "ENFILE",
            Self::Buffers => "ENOBUFS",
            Self::Memory => "ENOMEM",
            Self::Watches => "ENOSPC",
            Self::Thread => "no_thread",
            Self::Stack => "no_stack",
        }
    }

    /// The refusal that an error of the system means, if it says that something has run out.
    #[must_use]
    pub fn of(error: &io::Error) -> Option<Self> {
        match Errno::from_io_error(error)? {
            Errno::MFILE => Some(Self::ProcessDescriptors),
            Errno::NFILE => Some(Self::SystemDescriptors),
            Errno::NOBUFS => Some(Self::Buffers),
            Errno::NOMEM => Some(Self::Memory),
            Errno::NOSPC => Some(Self::Watches),
            _ => None,
        }
    }
}
