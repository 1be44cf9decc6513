//! A watch for clients that give up while nothing is read from them.

use std::{
    os::fd::AsFd,
    pin::Pin,
    task::{Context, Poll, ready},
};

use process::upstream::gone;
use tokio::{io::Interest, net::TcpStream};

/// Notices that a client is gone: its socket is reset, or closed both ways.
///
/// For most, that is the next thing that happens to a socket, and costs nothing to wait for. Behind
/// unread bytes or a FIN the runtime tells of a reset only whoever waits for errors. That wait is one
/// of its own, on a second descriptor of the socket, and so can be kept next to it.
#[derive(Default)]
pub(crate) struct Gone {
    behind: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Gone {
    /// Waits until the client of `stream` is gone, of which nothing is read meanwhile.
    pub(crate) fn poll(&mut self, stream: &TcpStream, cx: &mut Context<'_>) -> Poll<()> {
        if self.behind.is_none() {
            // Whatever came, or an error: the socket itself knows which.
            let _ = ready!(stream.poll_read_ready(cx));
            if gone(stream) {
                return Poll::Ready(());
            }
            self.behind = Some(Box::pin(error(stream)));
        }
        self.behind.as_mut().map_or(Poll::Pending, |behind| behind.as_mut().poll(cx))
    }

    /// Ends the watch: something is read again.
    pub(crate) fn rest(&mut self) {
        self.behind = None;
    }
}

/// Waits for an error of the socket. Without a descriptor for that, it waits in vain: a client that is
/// gone is then noticed at the next write.
fn error(stream: &TcpStream) -> impl Future<Output = ()> + Send + use<> {
    let second = stream.as_fd().try_clone_to_owned();
    let second = second.and_then(|second| TcpStream::from_std(second.into()));
    async move {
        match second {
            Ok(second) => drop(second.ready(Interest::ERROR).await.map(drop)),
            Err(_) => std::future::pending().await,
        }
    }
}
