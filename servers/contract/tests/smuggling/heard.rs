//! What a client hears through a proxy, to the end of its connection.

use std::fmt;
use std::io::{BufReader, Read};
use std::time::{Duration, Instant};

use contract::Client;
use contract::wire::{self, Fault, Framing, Head};

use crate::recorder::Tag;

/// All that a client heard.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    pub(crate) answers: Vec<Told>,
    /// Whether there was an answer 100.
    pub(crate) invited: bool,
    /// Why the connection did not end in an orderly way, if it did not.
    pub(crate) fault: Option<String>,
}

/// A final answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) status: u16,
    /// Which request the origin says that it is to; `None` if the proxy has made it.
    pub(crate) tag: Option<Tag>,
    /// And what that asked for, unless it was HEAD.
    pub(crate) asked: Option<String>,
}

impl Heard {
    /// Reads all that comes until `deadline`. The answers are to `methods`, and then to GET.
    pub(crate) fn all(mut client: Client, methods: &[&str], deadline: Instant) -> Self {
        let patience = deadline.saturating_duration_since(Instant::now());
        let patience = patience.max(Duration::from_millis(50));
        client.stream().set_read_timeout(Some(patience)).unwrap();
        let mut source = BufReader::new(&mut *client);
        let mut heard = Self::default();
        loop {
            let method = methods.get(heard.answers.len()).copied().unwrap_or("GET");
            match next_answer(&mut source, method) {
                Ok(Some(Told { status: 100, .. })) => heard.invited = true,
                Ok(Some(told)) => heard.answers.push(told),
                Ok(None) => break,
                Err(fault) => {
                    heard.fault = Some(fault.to_string());
                    break;
                }
            }
        }
        heard
    }
}

impl fmt::Display for Heard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Told { status, tag, asked } in &self.answers {
            match (tag, asked) {
                (Some(Tag(connection, number)), asked) => {
                    let asked = asked.as_deref().unwrap_or("HEAD");
                    write!(f, "{status} to {asked} ({connection}.{number}), ")?;
                }
                (None, _) => write!(f, "{status} by the proxy, ")?,
            }
        }
        f.write_str(self.fault.as_deref().unwrap_or("the end"))
    }
}

fn next_answer(source: &mut BufReader<impl Read>, method: &str) -> Result<Option<Told>, Fault> {
    let Some(head) = wire::read_head(source)? else { return Ok(None) };
    let content = read_content(source, &head, method)?;
    let content = String::from_utf8_lossy(&content);
    let tag = match head.values("x-tag")[..] {
        [tag] => Tag::read(tag),
        _ => None,
    };
    let named =
        content.split_once(' ').filter(|(named, _)| tag.is_some() && Tag::read(named) == tag);
    let asked = named.map(|(_, asked)| asked.to_owned());
    Ok(Some(Told { status: head.status, tag, asked }))
}

fn read_content(
    source: &mut BufReader<impl Read>,
    head: &Head,
    method: &str,
) -> Result<Vec<u8>, Fault> {
    let framing = head.framing(method)?;
    if framing != Framing::Chunked {
        return wire::read_body(source, framing);
    }
    let mut content = Vec::new();
    while let Some(chunk) = wire::read_chunk(source)? {
        content.extend(chunk);
    }
    Ok(content)
}
