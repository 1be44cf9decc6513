//! `goose`'s own options, as `--goose` passes them on.
//!
//! Most of them have a meaning here: ramps and test plans, thresholds, reports, logs, the
//! dashboard. Those that would contradict an option of `loadtest`, or that nothing here would heed,
//! are refused by name, with what to use instead.

use std::str::FromStr;

use goose::GooseError;
use goose::config::GooseConfiguration;
use serde::{Deserialize, Serialize};

/// The options in the order given; none if `goose` is only to run the users.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GooseOptions(Vec<String>);

/// Whether an option is given, its name, and why it can't be.
type Refusal = (fn(&GooseConfiguration) -> bool, &'static str, &'static str);

const CLIENT: &str = "goose's own HTTP client makes no request here";
const CONTROL: &str = "a run here has its own beginning and end";
const LIST: &str = "there is but one scenario for goose here";
const UNFED: &str = "nothing here is logged there";

const REFUSED: [Refusal; 25] = [
    (|given| given.host.is_some(), "--host", "the URL says where"),
    (|given| given.users.is_some(), "--users", "--connections says how many"),
    (|given| given.iterations.is_some(), "--iterations", "--duration says how long"),
    (|given| given.scenarios.is_some(), "--scenarios", LIST),
    (|given| given.list, "--list", LIST),
    (|given| given.scenarios_list, "--scenarios-list", LIST),
    (|given| given.version, "--version", "it ends before the load"),
    (|given| given.render_report.is_some(), "--render-report", "it ends before the load"),
    (
        |given| given.throttle_requests.is_some(),
        "--throttle-requests",
        "--rate paces requests, and times them from when they are due",
    ),
    (
        |given| given.co_mitigation.is_some(),
        "--co-mitigation",
        "--rate measures what it would guess",
    ),
    (|given| given.timeout.is_some(), "--timeout", "--timeout of loadtest says how long"),
    (|given| given.no_gzip, "--no-gzip", CLIENT),
    (|given| given.sticky_follow, "--sticky-follow", CLIENT),
    (|given| given.accept_invalid_certs, "--accept-invalid-certs", CLIENT),
    (|given| given.request_body, "--request-body", CLIENT),
    (|given| given.no_autostart, "--no-autostart", CONTROL),
    (|given| given.telnet_host.is_some(), "--telnet-host", CONTROL),
    (|given| given.telnet_port.is_some(), "--telnet-port", CONTROL),
    (|given| given.websocket, "--websocket", CONTROL),
    (|given| given.websocket_host.is_some(), "--websocket-host", CONTROL),
    (|given| given.websocket_port.is_some(), "--websocket-port", CONTROL),
    (|given| given.dashboard_control, "--dashboard-control", CONTROL),
    (|given| given.debug_log.is_some(), "--debug-log", UNFED),
    (|given| given.debug_format.is_some(), "--debug-format", UNFED),
    (|given| given.no_debug_body, "--no-debug-body", UNFED),
];

impl GooseOptions {
    /// What goose makes of them. They have been looked at before, so it makes something.
    pub(super) fn configuration(&self) -> Result<GooseConfiguration, String> {
        GooseConfiguration::parse_args_default(&self.0).map_err(|error| match error {
            GooseError::InvalidOption { option, value, detail } => {
                Refused::new(&option, &value, &detail).0
            }
            other => other.to_string(),
        })
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether goose says when users start and end, and not the ramp and the window.
    pub(crate) fn leads(&self) -> bool {
        self.plans()
            || self.is(|given| {
                given.increase_rate.is_some()
                    || given.increase_time.is_some()
                    || given.decrease_rate.is_some()
                    || given.decrease_time.is_some()
                    || given.run_time.is_some()
            })
    }

    /// Whether goose says when the test ends.
    pub(crate) fn ends(&self) -> bool {
        self.plans() || self.is(|given| given.run_time.is_some())
    }

    /// Whether a test plan says how many users there are.
    pub(crate) fn plans(&self) -> bool {
        self.plan().is_some()
    }

    /// The most users that a test plan has at once.
    pub(crate) fn most_users(&self) -> Option<usize> {
        let steps = self.plan()?.split(';');
        steps.filter_map(|step| step.split(',').next()?.trim().parse().ok()).max()
    }

    /// Whether something that is asked for is made of goose's own metrics.
    pub(crate) fn wants_metrics(&self) -> bool {
        self.is(|given| {
            !given.report_file.is_empty()
                || given.pdf_print_html.is_some()
                || given.running_metrics.is_some()
                || !given.threshold.is_empty()
                || given.request_log.is_some()
                || given.transaction_log.is_some()
                || given.scenario_log.is_some()
                || given.error_log.is_some()
                || given.baseline_file.is_some()
                || given.dashboard
        })
    }

    /// The text of `--test-plan`, which goose keeps to itself.
    fn plan(&self) -> Option<&str> {
        let mut options = self.0.iter();
        while let Some(option) = options.next() {
            if option == "--test-plan" {
                return options.next().map(String::as_str);
            }
            if let Some(plan) = option.strip_prefix("--test-plan=") {
                return Some(plan);
            }
        }
        None
    }

    fn is(&self, asked: impl Fn(&GooseConfiguration) -> bool) -> bool {
        self.configuration().is_ok_and(|configuration| asked(&configuration))
    }
}

impl FromStr for GooseOptions {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let options = shlex::split(text).ok_or("a quotation mark is missing")?;
        let options = Self(options);
        let given = options.configuration()?;
        match REFUSED.into_iter().find(|(is_given, ..)| is_given(&given)) {
            Some((_, name, instead)) => Err(format!("{name} is not for here: {instead}")),
            None => Ok(options),
        }
    }
}

/// What goose finds wrong with them, when it looks closer than it does at first.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("--goose: {0}")]
pub(crate) struct Refused(String);

impl Refused {
    /// In one line.
    pub(super) fn new(option: &str, value: &str, detail: &str) -> Self {
        let option = option.trim_matches('`').trim_start_matches("configuration.");
        let said = format!("{option} {value}: {detail}");
        Self(said.split_whitespace().collect::<Vec<_>>().join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(text: &str) -> GooseOptions {
        text.parse().expect("options of goose")
    }

    #[test]
    fn what_has_a_meaning_here_is_passed_on() {
        let reports = options("--report-file 'a report.html' --threshold p95<500ms");
        assert!(reports.wants_metrics() && !reports.leads());
        let given = reports.configuration().expect("a configuration");
        assert_eq!(given.report_file, ["a report.html"]);

        let ramp = options("-r 10");
        assert!(ramp.leads() && !ramp.ends() && !ramp.wants_metrics());
        let timed = options("--run-time 30s --increase-time 5s");
        assert!(timed.leads() && timed.ends() && !timed.plans());
        assert_eq!(timed.most_users(), None);
        for plan in ["--test-plan '10,1s;25,1m; 0,5s'", "--test-plan=10,1s;25,1m;0,5s"] {
            assert!(options(plan).ends());
            assert_eq!(options(plan).most_users(), Some(25), "{plan}");
        }
        assert!(!GooseOptions::default().leads());
    }

    #[test]
    fn what_has_none_is_refused_by_name() {
        let refused = |text: &str| text.parse::<GooseOptions>().expect_err(text);
        for text in [
            "--host http://h/",
            "--users 5",
            "--iterations 5",
            "--throttle-requests 5",
            "--co-mitigation average",
            "--timeout 5",
            "--telnet-port 5",
            "--dashboard-control",
            "--no-gzip",
        ] {
            let name = text.split(' ').next().expect("a name");
            let said = refused(text);
            assert!(said.starts_with(name) && said.contains(" is not for here: "), "{said}");
        }
        let unknown = refused("--fast");
        assert!(unknown.contains("--fast") && unknown.lines().count() == 1, "{unknown}");
        assert!(refused("--notes 'open").contains("quotation"));
        assert!(!refused("--help").contains('\n'));
    }
}
