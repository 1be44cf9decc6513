//! What every server needs around its upstream connections, but for the waiting.
//!
//! Each owner of connections (an event loop, or a pool that threads or tasks share) is a [`Member`] of
//! the [`Allowance`] and has an [`Idle`]. To forward a request it
//!
//! 1. takes an idle connection ([`Idle::take`]) that is not [`stale`];
//! 2. or opens one, if there is room ([`Member::try_open`], [`begin_connect`], [`finish_connect`]), and
//!    tells the [`Destination`] if that fails;
//! 3. or waits ([`Member::try_wait`]) for a place of its own ([`Waiting::place`]), or for 5.
//!
//! A connection that can be used again
//!
//! 4. is closed, if another member [asks](Member::is_asked) for its place;
//! 5. or is handed to the request of its owner that has waited longest;
//! 6. or is kept ([`Idle::put`], [`Idle::give_way`]).
//!
//! All the while, [`gone`] says whether the client has given up.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;

use crate::{metrics::Metrics, options::Options};

pub mod allowance;
mod counters;
mod destination;
mod idle;
mod ledger;
mod socket;
pub mod url;

pub use allowance::{Allowance, Member, Opening, Waiting};
pub use counters::Counters;
pub use destination::Destination;
pub use idle::Idle;
pub use socket::{begin_connect, finish_connect, gone, stale};
pub use url::Url;

/// The upstream as the whole process shares it.
#[derive(Debug)]
pub struct Upstream {
    /// Where it is.
    pub destination: Destination,
    /// Who may open a connection to it.
    pub allowance: Arc<Allowance>,
    idle_timeout: Duration,
    metrics: Arc<Metrics>,
}

impl Upstream {
    /// Resolves the name in `url`, which *blocks*. At most `connections` may be open at once.
    ///
    /// # Errors
    /// If the name can't be resolved, in one line.
    pub fn open(
        url: &Url,
        options: &Options,
        connections: usize,
        metrics: &Arc<Metrics>,
    ) -> anyhow::Result<Self> {
        let destination = Destination::open(url).with_context(|| {
            format!(
                "--upstream http://{}: the name can't be resolved; expected one that can, or an \
                 address",
                url.authority()
            )
        })?;
        Ok(Self {
            destination,
            allowance: Allowance::new(connections, options.upstream_queue, Arc::clone(metrics)),
            idle_timeout: options.upstream_idle_timeout,
            metrics: Arc::clone(metrics),
        })
    }

    /// Room for one owner's idle connections, each kept for `--upstream-idle-timeout` at most.
    #[must_use]
    pub fn idle<T>(&self) -> Idle<T> {
        Idle::new(self.idle_timeout, Arc::clone(&self.metrics))
    }

    /// What is counted.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.metrics.upstream
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use clap::{Args as _, Command, FromArgMatches as _};

    use super::*;
    use crate::metrics::tests::metrics;

    fn open(url: &str) -> anyhow::Result<Upstream> {
        let matches = Options::augment_args(Command::new("test")).get_matches_from(["test"]);
        let options = Options::from_arg_matches(&matches).expect("no option is required");
        Upstream::open(&url.parse().expect("a URL"), &options, 3, &Arc::new(metrics()))
    }

    #[test]
    fn an_address_needs_no_resolver_and_options_are_passed_on() {
        let upstream = open("http://127.0.0.1:9").expect("an address");
        assert_eq!(upstream.destination.address().to_string(), "127.0.0.1:9");
        assert_eq!(upstream.allowance.max(), 3);
        let mut idle = upstream.idle();
        let now = Instant::now();
        assert!(idle.put((), None, now));
        assert_eq!(idle.next_expiry(), Some(now + Duration::from_secs(4)));
    }

    #[test]
    fn a_name_that_cannot_be_resolved_is_one_line() {
        // No resolver need be asked: a name has no empty label.
        let error = format!("{:#}", open("http://a..b:9").expect_err("no name"));
        assert!(
            error.starts_with("--upstream http://a..b:9: ") && !error.contains('\n'),
            "{error}"
        );
    }
}
