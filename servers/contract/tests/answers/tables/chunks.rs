//! The chunked coding: RFC 9112, 7.1.

use contract::answers::{Answers, breaks, relays, row};
use contract::exceptions::{CHUNK_EXTENSION, SPACE_AFTER_CHUNK_SIZE, ZEROS_BEFORE_CHUNK_SIZE};
use contract::vector::{Row, Rule, Vector, closes, cuts, rule, stays};

pub(crate) fn all() -> Vec<Vector<Answers>> {
    [sizes(), no_sizes(), large(), extensions(), no_extensions(), ends(), early(), old_clients()]
        .concat()
}

const HEAD: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
const LAST: &str = "0\r\n\r\n";

/// The size of the only chunk, and what stands behind it.
fn around_hello(rule: Rule) -> Rule {
    rule.around(HEAD, ["\r\nhello\r\n", LAST].concat())
}

fn sizes() -> Vec<Vector<Answers>> {
    let chunks =
        |name, chunks: &str, content: &str| relays(name, [HEAD, chunks].concat()).content(content);
    let bytes = "1\r\nx\r\n".repeat(200);
    let long = ["fFf\r\n", &"x".repeat(0xfff), "\r\n", LAST].concat();
    rule("RFC 9112, 7.1", "chunk = chunk-size CRLF chunk-data CRLF; chunk-size = 1*HEXDIG").vectors(
        [
            chunks("one chunk", "5\r\nhello\r\n0\r\n\r\n", "hello"),
            chunks("two chunks", "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", "hello"),
            chunks("no chunk", "0\r\n\r\n", ""),
            chunks("a chunk's size with zeros", "005\r\nhello\r\n0\r\n\r\n", "hello"),
            chunks("a last chunk of many zeros", "5\r\nhello\r\n0000000\r\n\r\n", "hello"),
            chunks("a size in small letters", "a\r\n0123456789\r\n0\r\n\r\n", "0123456789"),
            chunks("a size in capitals", "A\r\n0123456789\r\n0\r\n\r\n", "0123456789"),
            chunks("a size in both cases", &long, &"x".repeat(0xfff)),
            chunks("two hundred chunks", &[&bytes, LAST].concat(), &"x".repeat(200)),
            chunks("line ends in a chunk", "6\r\n\r\n0\r\n\r\r\n0\r\n\r\n", "\r\n0\r\n\r"),
            chunks("a chunk that looks like the last", "5\r\n0\r\n\r\n\r\n0\r\n\r\n", "0\r\n\r\n"),
            chunks(
                "a chunk that looks like an answer",
                "f\r\nHTTP/1.1 200 OK\r\n0\r\n\r\n",
                "HTTP/1.1 200 OK",
            ),
        ],
    )
}

fn no_sizes() -> Vec<Vector<Answers>> {
    let spaced = |name, size| breaks(name, size, "").but(&SPACE_AFTER_CHUNK_SIZE, [stays(&[200])]);
    around_hello(rule("RFC 9112, 7.1", "a chunk-size is hexadecimal digits, and at least one"))
        .vectors([
            breaks("an empty size", "", ""),
            breaks("a size that is a letter", "g", ""),
            breaks("a size with a plus", "+5", ""),
            breaks("a size with a minus", "-5", ""),
            breaks("a size with a prefix", "0x5", ""),
            breaks("a size with a suffix", "5h", ""),
            breaks("a size with a point", "5.0", ""),
            breaks("a size in quotes", "\"5\"", ""),
            breaks("a size with a space inside", "0 5", ""),
            breaks("a size of an Arabic digit", "\u{665}", ""),
            breaks("a space before a size", " 5", ""),
            breaks("a tab before a size", "\t5", ""),
            spaced("a space after a size", "5 "),
            spaced("a tab after a size", "5\t"),
            breaks("NUL after a size", "5\0", ""),
            breaks("a comma after a size", "5,", ""),
            breaks("a bare CR in a size", "\r5", ""),
            breaks("a bare CR after a size", "5\r", ""),
            breaks("a bare LF before a size", "\n5", ""),
        ])
}

fn large() -> Vec<Vector<Answers>> {
    around_hello(rule(
        "RFC 9112, 7.1",
        "recipients must anticipate large sizes, and prevent overflow",
    ))
    .vectors([
        // There may be those who begin to read it.
        breaks("a chunk of 2^63", "8000000000000000", "").any_content().half_closed(),
        breaks("a chunk of 2^64 - 1", "ffffffffffffffff", "").any_content().half_closed(),
        breaks("a chunk of 2^64 + 5", "10000000000000005", ""),
        breaks("a chunk of 2^128 + 5", "100000000000000000000000000000005", ""),
        breaks("a size of many digits", "f".repeat(400), ""),
        relays("a size of 16 digits", "0000000000000005"),
        breaks("a size of 17 digits", "00000000000000005", "")
            .but(&ZEROS_BEFORE_CHUNK_SIZE, [stays(&[200])]),
        breaks("a size of many zeros", ["0".repeat(400), "5".to_owned()].concat(), "")
            .but(&ZEROS_BEFORE_CHUNK_SIZE, [stays(&[200])]),
    ])
}

fn extensions() -> Vec<Vector<Answers>> {
    around_hello(rule(
        "RFC 9112, 7.1.1",
        "a recipient must ignore extensions that it does not know",
    ))
    .vectors([
        relays("an extension", "5;a"),
        relays("an extension with a value", "5;a=b"),
        relays("an extension with a quoted value", "5;a=\"b c\""),
        relays("an extension with a quoted quote", "5;a=\"\\\"\""),
        relays("an extension with a quoted semicolon", "5;a=\";\";b"),
        relays("an extension that looks like a size", "5;0"),
        relays("extensions in space", "5 ; a = b ;\tc"),
        relays("an extension of obs-text in quotes", b"5;a=\"\xe9\""),
        relays("a long extension", ["5;", &"a".repeat(200)].concat()),
    ])
}

fn no_extensions() -> Vec<Vector<Answers>> {
    let passed_over =
        |name, size: &[u8]| breaks(name, size, "").but(&CHUNK_EXTENSION, [stays(&[200])]);
    let each = ["1;", &"a".repeat(200), "\r\nx\r\n"].concat();
    let mut rows = around_hello(rule(
        "RFC 9112, 7.1.1",
        "chunk-ext = *( \";\" name [ \"=\" value ] ); the length of all is to be limited",
    ))
    .vectors([
        passed_over("an extension without a name", b"5;"),
        passed_over("an extension of a value", b"5;=b"),
        passed_over("an extension without its value", b"5;a="),
        passed_over("an extension without its last quote", b"5;a=\"b"),
        passed_over("an extension of two words", b"5;a b"),
        passed_over("an extension with a brace", b"5;{"),
        passed_over("NUL in an extension", b"5;a\0"),
        passed_over("an extension of obs-text", b"5;\xe9"),
        breaks("a bare CR in an extension", "5;a\rb", ""),
        breaks("a bare LF in an extension", "5;a\nb", ""),
        breaks("an extension without end", ["5;", &"a".repeat(40_000)].concat(), ""),
    ]);
    rows.extend(
        rule("RFC 9112, 7.1.1", "the length of all extensions is to be limited")
            .around(HEAD, LAST)
            .vectors([
                relays("an extension for each of fifty chunks", each.repeat(50))
                    .content("x".repeat(50)),
                // Sixteen KiB of them.
                breaks(
                    "an extension for each of a hundred chunks",
                    each.repeat(100),
                    "x".repeat(81),
                ),
            ]),
    );
    rows
}

fn ends() -> Vec<Vector<Answers>> {
    rule("RFC 9112, 7.1", "chunk-data is as long as its size, and then comes CR LF")
        .around(HEAD, LAST)
        .vectors([
            breaks("a chunk without its end", "5\r\nhello", "hello"),
            breaks("a chunk that is longer than its size", "5\r\nhello!\r\n", "hello"),
            breaks("a chunk that is shorter than its size", "5\r\nhell\r\n", "hell\r"),
            breaks("a chunk that ends in LF", "5\r\nhello\n", "hello"),
            breaks("a chunk that ends in CR", "5\r\nhello\r", "hello"),
            breaks("a chunk that ends in LF CR", "5\r\nhello\n\r", "hello"),
            breaks("a chunk that ends in a space", "5\r\nhello \r\n", "hello"),
            breaks("an empty line after a chunk", "5\r\nhello\r\n\r\n", "hello"),
            breaks("a chunk that begins with an empty line", "5\r\n\r\nhello\r\n", "\r\nhel"),
            breaks("LF after a size", "5\nhello\r\n", ""),
            breaks("CR CR LF after a size", "5\r\r\nhello\r\n", ""),
            breaks("a good chunk, then a bad size", "5\r\nhello\r\nx\r\n", "hello"),
            breaks(
                "two chunks, then an end that is none",
                "2\r\nhe\r\n3\r\nllo\r\n0x0\r\n\r\n",
                "hello",
            ),
            breaks(
                "two chunks, then a size that is none",
                "2\r\nhe\r\n3\r\nllo\r\n-1\r\n",
                "hello",
            ),
        ])
}

fn early() -> Vec<Vector<Answers>> {
    rule("RFC 9112, 8", "chunks without the last are incomplete, and must not seem whole")
        .around(HEAD, "")
        .vectors(
            [
                breaks("the end in place of a size", "", ""),
                breaks("the end in a size", "5", ""),
                breaks("the end in a line end", "5\r", ""),
                breaks("the end after a size", "5\r\n", ""),
                breaks("the end in an extension", "5;a", ""),
                breaks("the end in a chunk", "5\r\nhel", "hel"),
                breaks("the end after a chunk's data", "5\r\nhello", "hello"),
                breaks("the end in a chunk's line end", "5\r\nhello\r", "hello"),
                breaks("the end after a chunk", "5\r\nhello\r\n", "hello"),
                breaks("the end in the last size", "5\r\nhello\r\n0", "hello"),
                breaks("the end after the last size", "5\r\nhello\r\n0\r\n", "hello"),
                breaks("the end in the last line end", "5\r\nhello\r\n0\r\n\r", "hello"),
                breaks("the end in a trailer", "5\r\nhello\r\n0\r\nX: y", "hello"),
                breaks("the end after a trailer", "5\r\nhello\r\n0\r\nX: y\r\n", "hello"),
            ]
            .map(Row::half_closed),
        )
}

fn old_clients() -> Vec<Vector<Answers>> {
    // Perhaps nothing of it arrives.
    let cut = |name, bytes: &str| row(name, bytes, cuts(&[200])).or(cuts(&[])).content("").to_1_0();
    rule(
        "RFC 9112, 7 and 8",
        "whoever knows no chunks gets content until the close, and a reset where it breaks off",
    )
    .around(HEAD, "")
    .vectors([
        row("chunks for a client of 1.0", "5\r\nhello\r\n0\r\n\r\n", closes(&[200])).to_1_0(),
        row("trailers for a client of 1.0", "5\r\nhello\r\n0\r\nX: y\r\n\r\n", closes(&[200]))
            .to_1_0(),
        cut("a bad size for a client of 1.0", "5\r\nhello\r\nx\r\n"),
        cut("a bad trailer for a client of 1.0", "5\r\nhello\r\n0\r\nX : y\r\n\r\n"),
        cut("an early end for a client of 1.0", "5\r\nhello\r\n").half_closed(),
    ])
}
