//! What can be wrong with a message, and the one place where that becomes a status code.

use http::StatusCode;
use thiserror::Error;

/// A message that this codec refuses to read.
///
/// After any of these the byte stream has no trustworthy next message, so the connection must be
/// closed: to a client once the answer is out (RFC 9112, section 9.6), to a server at once.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Error {
    /// The request line is not `method SP request-target SP HTTP-version` (RFC 9112, section 3).
    #[error("the request line is malformed")]
    RequestLine,
    /// The method is not a token (RFC 9110, section 9.1).
    #[error("the method is not a token")]
    Method,
    /// The request target is none of the four forms (RFC 9112, section 3.2).
    #[error("the request target is malformed")]
    Target,
    /// The version is not `HTTP/` digit `.` digit (RFC 9112, section 2.3).
    #[error("the version is malformed")]
    Version,
    /// The major version is not 1 (RFC 9110, section 15.6.6).
    #[error("only HTTP/1.x is spoken here")]
    UnsupportedVersion,
    /// The status line is not `HTTP-version SP status-code [ SP reason-phrase ]`, or the reason
    /// holds a control character (RFC 9112, section 4).
    #[error("the status line is malformed")]
    StatusLine,
    /// The status code is not a number from 100 to 599 (RFC 9110, section 15).
    #[error("the status code must be a number from 100 to 599")]
    Status,
    /// A line ends in a bare LF, or holds a bare CR (RFC 9112, section 2.2).
    #[error("a line must end in CR LF, and hold no other CR or LF")]
    LineEnd,
    /// A field's name is not a token followed at once by a colon (RFC 9112, section 5.1).
    #[error("a field name is malformed")]
    FieldName,
    /// A field's value holds a control character (RFC 9110, section 5.5).
    #[error("a field value holds a control character")]
    FieldValue,
    /// A field line begins with white space: obsolete folding (RFC 9112, section 5.2).
    #[error("folded field lines are obsolete")]
    FoldedField,
    /// `Content-Length` is repeated, listed, or not a number (RFC 9110, section 8.6).
    #[error("Content-Length must be one decimal number, given once")]
    ContentLength,
    /// Both `Content-Length` and `Transfer-Encoding` (RFC 9112, section 6.1).
    #[error("Content-Length and Transfer-Encoding exclude each other")]
    ConflictingFraming,
    /// `Transfer-Encoding` in an HTTP/1.0 message, or chunked not once and last
    /// (RFC 9112, section 6.1).
    #[error("Transfer-Encoding must end in chunked, once, and needs HTTP/1.1")]
    TransferEncoding,
    /// A transfer coding other than chunked (RFC 9112, section 6.1).
    #[error("the only transfer coding known here is chunked")]
    UnknownTransferCoding,
    /// A chunk's size is not hexadecimal, or too large (RFC 9112, section 7.1).
    #[error("a chunk size is malformed")]
    ChunkSize,
    /// A chunk extension is malformed, or there is too much of it (RFC 9112, section 7.1.1).
    #[error("a chunk extension is malformed or too long")]
    ChunkExtension,
    /// A chunk's data is not followed by CR LF (RFC 9112, section 7.1).
    #[error("a chunk does not end in CR LF")]
    ChunkEnd,
    /// The request line alone passes the limit on heads (RFC 9110, section 15.5.15).
    #[error("the request target is too long")]
    TargetTooLong,
    /// A head or trailer section passes a limit (RFC 6585, section 5).
    #[error("the header section is too large")]
    HeadTooLarge,
    /// An answer to a request that nobody sent (RFC 9112, section 6.3).
    #[error("an answer came before there was a request")]
    UnexpectedAnswer,
    /// A 101 that nobody asked for (RFC 9110, section 15.2.2).
    #[error("the answer switches to a protocol that nobody asked for")]
    UnexpectedUpgrade,
    /// An informational answer announces content, which it cannot have (RFC 9110, section 8.6;
    /// RFC 9112, section 6.1).
    #[error("an informational answer must not announce content")]
    InformationalContent,
    /// More informational answers than anyone needs (RFC 9110, section 15.2).
    #[error("too many informational answers")]
    TooManyInformational,
    /// The sender stopped in the middle of a message (RFC 9112, section 8).
    #[error("the message is incomplete")]
    Incomplete,
}

impl Error {
    /// The status of the answer to a request that failed so. Where an answer failed, whoever
    /// passes answers on says 502, whatever was wrong (RFC 9110, section 15.6.3).
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::UnsupportedVersion => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            Self::UnknownTransferCoding => StatusCode::NOT_IMPLEMENTED,
            Self::TargetTooLong => StatusCode::URI_TOO_LONG,
            Self::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}
