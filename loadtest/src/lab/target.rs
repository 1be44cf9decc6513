//! Servers that run elsewhere, and are there already.

use std::fmt::{self, Display};
use std::net::{SocketAddr, ToSocketAddrs};
use std::str::FromStr;
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use url::Url;

use super::{contender, peer};
use crate::options::Unusable;

/// How long one may take to answer that has only just been started.
const PATIENCE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(50);

/// A server that runs elsewhere: what it costs is what its `/metrics` say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Target {
    /// The row's name.
    pub(crate) name: String,
    /// Where it answers, such as `http://10.0.0.2:8080`.
    pub(crate) url: Url,
    /// Where its figures are, if not at `/metrics` of `url`: an admin port answers sooner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) metrics: Option<Url>,
}

const TARGET_EXAMPLE: &str = "write name=URL, such as far=http://10.0.0.2:8080, or with the place \
     of its figures far=http://10.0.0.2:8080,http://10.0.0.2:9090/metrics";

impl FromStr for Target {
    type Err = String;

    /// `name=URL` or `name=URL,URL of the figures`.
    fn from_str(text: &str) -> Result<Self, String> {
        let url = |text: &str| {
            Url::parse(text).map_err(|error| format!("{text}: {error}; {TARGET_EXAMPLE}"))
        };
        let (name, urls) = text.split_once('=').ok_or(TARGET_EXAMPLE)?;
        let (main, metrics) = match urls.split_once(',') {
            Some((main, metrics)) => (main, Some(url(metrics)?)),
            None => (urls, None),
        };
        let target = Self { name: name.to_owned(), url: url(main)?, metrics };
        target.complete()
    }
}

impl Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}={}", self.name, self.url)
    }
}

impl Target {
    /// Found to be one that can be asked. A backend's name it may have: it may well be one.
    pub(crate) fn complete(self) -> Result<Self, String> {
        contender::check_letters(&self.name)?;
        for url in [Some(&self.url), self.metrics.as_ref()].into_iter().flatten() {
            if url.scheme() != "http" || url.host_str().is_none() {
                return Err(format!("{url}: only http: is spoken here; {TARGET_EXAMPLE}"));
            }
        }
        if self.url.path() != "/" || self.url.query().is_some() {
            let url = &self.url;
            return Err(format!("{url}: the scenarios bring their own paths; {TARGET_EXAMPLE}"));
        }
        Ok(self)
    }

    /// Waits until it answers, whatever it says.
    fn await_answer(&self, patience: Duration) -> Result<(), Unusable> {
        let unusable = |reason| Unusable::value("--target", &self.to_string(), reason);
        // Whose name is not known is not about to start either.
        let address =
            self.address().map_err(|error| unusable(format!("{error}; is it started?")))?;
        let deadline = Instant::now() + patience;
        while !peer::answers(address) {
            if Instant::now() > deadline {
                let waited = humantime::format_duration(patience);
                return Err(unusable(format!("nobody answered at {address} in {waited}")));
            }
            thread::sleep(POLL);
        }
        Ok(())
    }

    /// Where to connect.
    pub(crate) fn address(&self) -> anyhow::Result<SocketAddr> {
        let (host, port) = (self.url.host_str().unwrap_or_default(), self.url.port());
        let host = host.trim_matches(['[', ']']);
        let mut addresses = (host, port.unwrap_or(80)).to_socket_addrs()?;
        addresses.next().ok_or_else(|| anyhow::anyhow!("{} has no address", self.url))
    }

    /// Where its figures are.
    pub(crate) fn metrics(&self) -> Url {
        let beside = || self.url.join("/metrics").unwrap_or_else(|_| self.url.clone());
        self.metrics.clone().unwrap_or_else(beside)
    }
}

/// Waits until all of them answer.
///
/// # Errors
/// [`Unusable`], which names the first that does not.
pub(super) fn await_all<'t>(targets: impl Iterator<Item = &'t Target>) -> Result<(), Unusable> {
    targets.into_iter().try_for_each(|target| target.await_answer(PATIENCE))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn refused(text: &str) -> String {
        text.parse::<Target>().expect_err("no use")
    }

    #[test]
    fn a_target_is_a_name_and_one_or_two_urls() {
        let target: Target = "far=http://localhost:81".parse().expect("a target");
        assert_eq!(target.to_string(), "far=http://localhost:81/");
        assert_eq!(target.metrics().as_str(), "http://localhost:81/metrics");
        assert_eq!(target.address().expect("an address").port(), 81);
        let target: Target = "far=http://h,http://h:9/figures".parse().expect("a target");
        assert_eq!(target.metrics().as_str(), "http://h:9/figures");
        assert!(refused("http://h").contains("name=URL"));
        assert!(refused("far=https://h").contains("only http:"));
        assert!(refused("far=http://h/echo").contains("their own paths"));
        assert!(refused("=http://h").contains("no name"));
        assert!("mio=http://h".parse::<Target>().is_ok(), "a backend that runs elsewhere");
    }

    #[test]
    fn one_that_does_not_answer_is_named() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        drop(listener);
        let target: Target = format!("far=http://{address}").parse().expect("a target");
        let error = target.await_answer(Duration::ZERO).expect_err("nobody is there").to_string();
        assert!(error.starts_with(&format!("--target far=http://{address}/: ")), "{error}");
    }
}
