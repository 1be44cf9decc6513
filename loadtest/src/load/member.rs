//! `loadtest generator`: one of several, led by another process. What they say to one another is in
//! [`crew`].

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail};
use goose::trigger_killswitch;
use tokio::time::Instant;

use super::conductor::Lead;
use super::crew::{self, Message, Order};
use super::{Part, Progress, generator};

/// How often it says how far it is.
const REPORT: Duration = Duration::from_millis(250);

/// Takes its share of a test from standard input, and says on standard output what it found.
pub(crate) fn run() -> anyhow::Result<ExitCode> {
    let mut first = String::new();
    io::stdin().read_line(&mut first)?;
    let Order::Ready(share) =
        serde_json::from_str(&first).context("it is for loadtest alone to start this")?
    else {
        bail!("the first order has to be a share of a test");
    };
    let (starts_at, may_leave) = (Arc::new(OnceLock::new()), Arc::new(AtomicBool::new(false)));
    let (told, allowed) = (Arc::clone(&starts_at), Arc::clone(&may_leave));
    thread::spawn(move || {
        for order in
            io::stdin().lines().map_while(Result::ok).map(|line| serde_json::from_str(&line))
        {
            match order {
                // Another start would be none.
                Ok(Order::Start(at)) => drop(told.set(at)),
                Ok(Order::Leave) => allowed.store(true, Ordering::Relaxed),
                _ => break,
            }
        }
        trigger_killswitch("enough");
    });
    let mut lead = Led { starts_at, may_leave, said: Instant::now() };
    let harvest = generator::run(*share, &mut lead)?;
    say(&Message::Done(Box::new(harvest)))?;
    Ok(ExitCode::SUCCESS)
}

fn say(message: &Message) -> anyhow::Result<()> {
    let mut line = serde_json::to_string(message)?;
    line.push('\n');
    io::stdout().lock().write_all(line.as_bytes()).context("nobody listens any more")
}

/// Obeys the other process.
struct Led {
    starts_at: Arc<OnceLock<Duration>>,
    may_leave: Arc<AtomicBool>,
    /// When it last said how far it is.
    said: Instant,
}

impl Lead for Led {
    fn glance(&mut self, _part: Part, progress: &Progress) {
        if self.said.elapsed() > REPORT {
            self.said = Instant::now();
            // If nobody listens any more, the orders end too.
            let _ = say(&Message::Progress(progress.clone()));
        }
    }

    fn held(&mut self, connected: usize) {
        let _ = say(&Message::Held(connected));
    }

    fn starts_at(&mut self) -> Option<Instant> {
        let ahead = self.starts_at.get()?.saturating_sub(crew::now());
        Some(Instant::now() + ahead)
    }

    fn window_opens(&mut self) {}

    fn window_closed(&mut self) {}

    fn drained(&mut self) {
        let _ = say(&Message::Drained);
    }

    fn may_leave(&mut self) -> bool {
        self.may_leave.load(Ordering::Relaxed)
    }
}
