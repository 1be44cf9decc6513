//! What two readers in a row may see differently, each time with a request hidden where one of them would
//! find it: RFC 9112, 11.2.

mod disguises;
mod hops;
mod injections;
mod spills;

use crate::vector::Vector;

/// All of them.
pub fn all() -> Vec<Vector> {
    [disguises::all(), spills::all(), hops::all(), injections::all()].concat()
}

/// A request of 33 bytes. Whoever asks for this has been deceived, but where it follows by right.
const POISON: &str = "GET /poison HTTP/1.1\r\nHost: a\r\n\r\n";

/// The end of chunks, and a request behind it: 38 bytes, `26` in hexadecimal.
const END_AND_POISON: &str = "0\r\n\r\nGET /poison HTTP/1.1\r\nHost: a\r\n\r\n";

/// The rest of a request whose content is one.
const CONTENT: &str = "Content-Length: 33\r\n\r\nGET /poison HTTP/1.1\r\nHost: a\r\n\r\n";

/// The same in a chunk.
const CHUNKS: &str = "Transfer-Encoding: chunked\r\n\r\n\
                      21\r\nGET /poison HTTP/1.1\r\nHost: a\r\n\r\n\r\n0\r\n\r\n";

/// The beginning of a request to be read to its end before it is answered.
const POST: &str = "POST /anything HTTP/1.1\r\nHost: a\r\n";

/// The same without content.
const GET: &str = "GET /anything HTTP/1.1\r\nHost: a\r\n";

/// A head that chunks follow.
const CHUNKED: &str = "POST /anything HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
