//! The shape of a load: when the users of a test ask, and how.
//!
//! A shape is one line of text, on the command line, in an experiment's file and in every report.
//! What it says does not depend on the server: two servers under one shape are asked alike.

use std::fmt::{self, Display};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The most requests that may be due in a second: many times what all the cores of a machine make.
pub(crate) const MOST_A_SECOND: u64 = 10_000_000;

/// When the users ask, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) enum Shape {
    /// Each user asks again as soon as it is answered.
    #[default]
    Closed,
    /// Requests are due by a schedule that is made before the test and that no answer can delay.
    Open {
        /// How many are due in a second, of all users together.
        rate: u64,
        /// How they are spaced.
        arrivals: Arrivals,
    },
    /// So many users ask in a closed loop; all others have been answered once and hold their
    /// connection.
    Held {
        /// How many ask.
        active: usize,
    },
    /// A closed loop of users who send their requests bit by bit.
    SlowSend {
        /// How fast each sends.
        bytes_per_second: u64,
    },
    /// A closed loop of users who read their answers bit by bit.
    SlowRead {
        /// How fast each reads.
        bytes_per_second: u64,
    },
    /// A closed loop with a connection for each request.
    Churn,
}

/// How the requests of an open loop are spaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Arrivals {
    /// The same time between any two.
    #[default]
    Even,
    /// As crowds of independent clients come: at random, and the same in every run.
    Poisson,
}

impl Shape {
    /// Whether the times are response times, from when a request was due, and not service times.
    pub(crate) fn is_open(self) -> bool {
        matches!(self, Self::Open { .. })
    }

    /// Whether a user keeps its connection from one request to the next.
    pub(crate) fn holds_connections(self) -> bool {
        self != Self::Churn
    }
}

impl Display for Shape {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => write!(formatter, "closed"),
            Self::Open { rate, arrivals: Arrivals::Even } => write!(formatter, "open {rate}/s"),
            Self::Open { rate, arrivals: Arrivals::Poisson } => {
                write!(formatter, "open {rate}/s poisson")
            }
            Self::Held { active } => write!(formatter, "held {active} active"),
            Self::SlowSend { bytes_per_second } => {
                write!(formatter, "slow-send {bytes_per_second} B/s")
            }
            Self::SlowRead { bytes_per_second } => {
                write!(formatter, "slow-read {bytes_per_second} B/s")
            }
            Self::Churn => write!(formatter, "churn"),
        }
    }
}

impl FromStr for Shape {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let shape = match words.as_slice() {
            ["closed"] => Some(Self::Closed),
            ["open", rate] => open(rate, Arrivals::Even),
            ["open", rate, "poisson"] => open(rate, Arrivals::Poisson),
            ["held", active, "active"] => number(active).map(|active| Self::Held { active }),
            ["slow-send", rate, "B/s"] => {
                number(rate).map(|bytes_per_second| Self::SlowSend { bytes_per_second })
            }
            ["slow-read", rate, "B/s"] => {
                number(rate).map(|bytes_per_second| Self::SlowRead { bytes_per_second })
            }
            ["churn"] => Some(Self::Churn),
            _ => None,
        };
        shape.ok_or_else(|| {
            format!(
                "there is no shape {text:?}; the shapes are: closed, open 5000/s, open 5000/s \
                 poisson, held 100 active, slow-send 100 B/s, slow-read 4096 B/s, churn, each with \
                 a number of its own, 1 or more; a rate is {MOST_A_SECOND} at most"
            )
        })
    }
}

fn open(rate: &str, arrivals: Arrivals) -> Option<Shape> {
    let rate = number(rate.strip_suffix("/s")?).filter(|rate| *rate <= MOST_A_SECOND)?;
    Some(Shape::Open { rate, arrivals })
}

/// A whole number from 1 on.
fn number<N: FromStr + PartialOrd + From<u8>>(text: &str) -> Option<N> {
    text.parse().ok().filter(|number| *number >= N::from(1))
}

impl TryFrom<String> for Shape {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Shape> for String {
    fn from(shape: Shape) -> Self {
        shape.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_read_back_and_others_refused() {
        for text in [
            "closed",
            "open 5000/s",
            "open 5000/s poisson",
            "held 100 active",
            "slow-send 100 B/s",
            "slow-read 4096 B/s",
            "churn",
        ] {
            let shape: Shape = text.parse().expect("a shape");
            assert_eq!(shape.to_string(), text);
            let json = serde_json::to_string(&shape).expect("JSON");
            assert_eq!(json, format!("{text:?}"));
            assert_eq!(serde_json::from_str::<Shape>(&json).expect("a shape"), shape);
        }
        for text in [
            "",
            "open",
            "open 0/s",
            "open 10000001/s",
            "open 5000",
            "held -1 active",
            "churn 5",
            "Closed",
        ] {
            let refused = text.parse::<Shape>().expect_err("no shape");
            assert!(refused.contains("open 5000/s"), "{refused}");
        }
    }
}
