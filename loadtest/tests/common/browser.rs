//! A browser without a window, told what to do by Chrome's protocol for developers' tools over a pipe.
//!
//! A message is JSON with a zero byte after it, on descriptor 3 to the browser and on 4 from it.

use std::env;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

/// Names that such a browser goes by.
const NAMES: [&str; 4] = ["chromium", "chromium-headless-shell", "google-chrome", "chrome"];
/// How long an answer may take on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_mins(2);

/// A running browser with one page.
pub(crate) struct Browser {
    child: Child,
    commands: ChildStdin,
    messages: Receiver<Value>,
    events: Vec<Value>,
    session: Option<String>,
    last: u64,
    // Removed with the browser.
    _profile: TempDir,
}

impl Browser {
    /// Starts one; `None` where there is none. That is said aloud; where
    /// everything must be tested (`CI=true`), it is a failure.
    pub(crate) fn start() -> Option<Self> {
        let Some(program) = find() else {
            let why = format!("none of {NAMES:?} is installed, so no page was rendered");
            assert!(env::var("CI").as_deref() != Ok("true"), "{why}, and CI=true");
            // Not `eprintln!`, which the test harness would keep to itself.
            let said = format!("SKIPPED: {why}\n");
            io::stderr().write_all(said.as_bytes()).expect("it is written");
            return None;
        };
        let profile = tempfile::tempdir().expect("a folder");
        let mut command = Command::new("sh");
        command.args(["-c", "exec \"$@\" 3<&0 4>&1 >/dev/null 2>&1", "sh"]).arg(program);
        command.arg(format!("--user-data-dir={}", profile.path().display())).args([
            "--headless=new",
            "--remote-debugging-pipe",
            // What is rendered is our own page, and the user may be root.
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-extensions",
            "--disable-sync",
            "--hide-scrollbars",
            "--no-first-run",
            "--host-resolver-rules=MAP * ~NOTFOUND",
        ]);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a shell");
        let commands = child.stdin.take().expect("its input");
        let mut answers = BufReader::new(child.stdout.take().expect("its output"));
        let (sender, messages) = mpsc::channel();
        thread::spawn(move || {
            let mut bytes = Vec::new();
            while answers.read_until(0, &mut bytes).is_ok_and(|read| read > 0) {
                let message = serde_json::from_slice(bytes.strip_suffix(&[0]).unwrap_or(&bytes));
                if sender.send(message.unwrap_or_default()).is_err() {
                    return;
                }
                bytes.clear();
            }
        });
        let (events, session, last) = (Vec::new(), None, 0);
        let mut browser =
            Self { child, commands, messages, events, session, last, _profile: profile };
        let target = browser.ask("Target.createTarget", &json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session = browser.ask("Target.attachToTarget", &attach);
        browser.session = session["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Network", "Log", "Runtime"] {
            browser.ask(&format!("{domain}.enable"), &json!({}));
        }
        Some(browser)
    }

    /// How wide the page is, and whether on a light ground or a dark one.
    pub(crate) fn look(&mut self, width: u32, scheme: &str) {
        let metrics =
            json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.ask("Emulation.setDeviceMetricsOverride", &metrics);
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.ask("Emulation.setEmulatedMedia", &json!({ "features": features }));
    }

    /// Opens a file and returns what the browser asked for to show it, and what it complained of.
    pub(crate) fn open(&mut self, file: &Path) -> (Vec<String>, Vec<String>) {
        self.events.clear();
        let url = format!("file://{}", file.display());
        self.ask("Page.navigate", &json!({ "url": url }));
        while !self.events.iter().any(|event| event["method"] == "Page.loadEventFired") {
            let event = self.receive();
            self.events.push(event);
        }
        let of = |method: &str, pick: &dyn Fn(&Value) -> String| -> Vec<String> {
            let events = self.events.iter().filter(|event| event["method"] == method);
            events.map(|event| pick(&event["params"])).collect()
        };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let asked = of("Network.requestWillBeSent", &|event| text(&event["request"]["url"]));
        let mut complaints = of("Log.entryAdded", &|event| text(&event["entry"]["text"]));
        complaints.extend(of("Runtime.exceptionThrown", &ToString::to_string));
        (asked, complaints)
    }

    /// What this expression is in the page.
    pub(crate) fn evaluate(&mut self, expression: &str) -> Value {
        let asked = json!({ "expression": expression, "returnByValue": true });
        let answer = self.ask("Runtime.evaluate", &asked);
        assert!(answer["exceptionDetails"].is_null(), "{answer}");
        answer["result"]["value"].clone()
    }

    /// The top of the page as a PNG in base64.
    pub(crate) fn photograph(&mut self, height: u32) -> String {
        let width = self.evaluate("innerWidth");
        let clip = json!({ "x": 0, "y": 0, "width": width, "height": height, "scale": 1 });
        let asked = json!({ "clip": clip, "captureBeyondViewport": true });
        self.ask("Page.captureScreenshot", &asked)["data"].as_str().expect("a picture").to_owned()
    }

    /// Sends a command and waits for its answer; events on the way are kept.
    fn ask(&mut self, method: &str, params: &Value) -> Value {
        self.last += 1;
        let mut message = json!({ "id": self.last, "method": method, "params": params });
        if let Some(session) = &self.session {
            message["sessionId"] = session.as_str().into();
        }
        let bytes = [message.to_string().as_bytes(), &[0]].concat();
        self.commands.write_all(&bytes).expect("the browser listens");
        loop {
            let answer = self.receive();
            if answer["id"] == self.last {
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return answer["result"].clone();
            }
            self.events.push(answer);
        }
    }

    fn receive(&mut self) -> Value {
        self.messages.recv_timeout(PATIENCE).expect("the browser says something")
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Its other processes end with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn find() -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let folders: Vec<PathBuf> = env::split_paths(&path).collect();
    let places = NAMES.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    places.into_iter().find(|place| place.is_file())
}
