//! A request as an origin receives it, read as strictly as answers are, and what a test may ask of
//! it.

use std::io::BufRead;
use std::sync::Arc;

use crate::evidence::{Evidence, escape};
use crate::wire::{self, Fault, Framing};

/// A request's head, and its body if that was read with it.
#[derive(Debug)]
pub struct Request {
    /// As it stands; methods are case-sensitive.
    pub method: String,
    /// As it stands.
    pub target: String,
    /// Names in lower case, values without the space around them, in order.
    pub fields: Vec<(String, String)>,
    /// How the end of its body is known.
    pub framing: Framing,
    /// The body, without its framing.
    pub body: Vec<u8>,
    evidence: Arc<Evidence>,
}

impl Request {
    /// Reads a head. `None` if the connection ended before the first byte.
    pub(crate) fn read(
        source: &mut impl BufRead,
        evidence: &Arc<Evidence>,
    ) -> Result<Option<Self>, Fault> {
        let Some(line) = wire::read_line(source, "the request line")? else { return Ok(None) };
        let (method, target) = parse_request_line(&line)?;
        let fields = wire::read_fields(source, "the head")?;
        let framing = framing(&fields)?;
        if wire::values(&fields, "host").len() != 1 {
            return Err(Fault::Malformed("head", "there is not one Host".to_owned()));
        }
        let (body, evidence) = (Vec::new(), Arc::clone(evidence));
        Ok(Some(Self { method, target, fields, framing, body, evidence }))
    }

    /// Method and target must be these: `GET /a?b`.
    #[track_caller]
    pub fn asks(&self, expected: &str) -> &Self {
        let actual = format!("{} {}", self.method, self.target);
        self.check(actual == expected, || {
            format!("the upstream was asked {actual:?} where {expected:?} was due")
        })
    }

    /// All values of the field `name` (in lower case).
    pub fn values(&self, name: &str) -> Vec<&str> {
        wire::values(&self.fields, name)
    }

    /// The field must be there once, with this value.
    #[track_caller]
    pub fn field(&self, name: &str, expected: &str) -> &Self {
        let values = self.values(name);
        self.check(values == [expected], || {
            format!("upstream, `{name}` is {values:?} where {expected:?} was due")
        })
    }

    /// The field must not be there.
    #[track_caller]
    pub fn no_field(&self, name: &str) -> &Self {
        let values = self.values(name);
        self.check(values.is_empty(), || {
            format!("upstream, `{name}` is {values:?} where none was due")
        })
    }

    /// The fields must be these and no others, in any order.
    #[track_caller]
    pub fn only_fields(&self, expected: &[(&str, &str)]) -> &Self {
        let mut actual: Vec<_> =
            self.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let mut expected = expected.to_vec();
        actual.sort_unstable();
        expected.sort_unstable();
        self.check(actual == expected, || {
            format!("upstream, the fields are {actual:?} where {expected:?} were due")
        })
    }

    /// The framing of its body must be this.
    #[track_caller]
    pub fn framed(&self, expected: Framing) -> &Self {
        self.check(self.framing == expected, || {
            format!("upstream, {:?} where {expected:?} was due", self.framing)
        })
    }

    /// The body must be this.
    #[track_caller]
    pub fn body(&self, expected: impl AsRef<[u8]>) -> &Self {
        let expected = expected.as_ref();
        self.check(self.body == expected, || {
            let cut = &expected[..expected.len().min(200)];
            format!("upstream, {} bytes of body where \"{}\" was due", self.body.len(), escape(cut))
        })
    }

    #[track_caller]
    fn check(&self, holds: bool, otherwise: impl FnOnce() -> String) -> &Self {
        self.evidence.check(holds, otherwise);
        self
    }
}

/// Method and target of `GET /a HTTP/1.1`, the only version that a gateway here has reason to send.
fn parse_request_line(line: &[u8]) -> Result<(String, String), Fault> {
    let parts = wire::printable(line).map(|text| text.split(' ').collect::<Vec<_>>());
    match parts.as_deref() {
        Some([method, target, "HTTP/1.1"])
            if wire::is_token(method) && (target.starts_with('/') || *target == "*") =>
        {
            Ok(((*method).to_owned(), (*target).to_owned()))
        }
        _ => Err(wire::malformed("request line", line)),
    }
}

/// How a request's body ends (RFC 9112, 6.3): never by the end of the connection.
fn framing(fields: &[(String, String)]) -> Result<Framing, Fault> {
    let wrong = |why: &str| Err(Fault::Malformed("framing", why.to_owned()));
    let lengths = wire::values(fields, "content-length");
    let codings = wire::values(fields, "transfer-encoding");
    match (lengths.as_slice(), codings.as_slice()) {
        ([_, ..], [_, ..]) => wrong("both Content-Length and Transfer-Encoding"),
        ([], []) => Ok(Framing::Bodiless),
        ([], ["chunked"]) => Ok(Framing::Chunked),
        ([], _) => wrong("a Transfer-Encoding other than one `chunked`"),
        ([length], []) => wire::parse_length(length).map(Framing::Length),
        (_, []) => wrong("more than one Content-Length"),
    }
}
