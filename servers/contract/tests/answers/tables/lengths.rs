//! `Content-Length`: RFC 9110, 8.6, and RFC 9112, 6.3.

use contract::answers::{Answers, breaks, refuses, relays};
use contract::vector::{Rule, Vector, rule};

pub(crate) fn all() -> Vec<Vector<Answers>> {
    [numbers(), repeated(), overflowing(), short()].concat()
}

fn around_five_bytes(rule: Rule) -> Rule {
    rule.around("HTTP/1.1 200 OK\r\n", "\r\n\r\nhello")
}

fn numbers() -> Vec<Vector<Answers>> {
    around_five_bytes(rule(
        "RFC 9112, 6.3",
        "an invalid length: a proxy closes the upstream connection, discards the answer, sends 502",
    ))
    .vectors([
        relays("a length", "Content-Length: 5").relaying(&[("content-length", "5")]),
        relays("a length without space", "Content-Length:5"),
        relays("a length in space", "Content-Length: \t 5 \t"),
        relays("a length with zeros", "Content-Length: 0000000000000000000000005")
            .relaying(&[("content-length", "5")]),
        relays("a length in any case", "cONTENT-lENGTH: 5"),
        refuses("a length with a plus", "Content-Length: +5"),
        refuses("a length with a minus", "Content-Length: -5"),
        refuses("a length in hexadecimal", "Content-Length: 0x5"),
        refuses("a length with a point", "Content-Length: 5.0"),
        refuses("a length with an exponent", "Content-Length: 5e0"),
        refuses("a length with a unit", "Content-Length: 5 bytes"),
        refuses("a length in quotes", "Content-Length: \"5\""),
        refuses("a length with a parameter", "Content-Length: 5;a=b"),
        refuses("a length with a space inside", "Content-Length: 0 5"),
        refuses("a length of an Arabic digit", "Content-Length: \u{665}"),
        refuses("a length that is a word", "Content-Length: five"),
        refuses("no length behind its name", "Content-Length:"),
        refuses("a length of spaces", "Content-Length: \t "),
        refuses("a length with NUL", "Content-Length: 5\0"),
        refuses("a folded length", "Content-Length:\r\n 5"),
        refuses("a bare CR in a length", "Content-Length: 5\r5"),
    ])
}

fn repeated() -> Vec<Vector<Answers>> {
    around_five_bytes(rule(
        "RFC 9112, 6.3",
        "lengths that differ are invalid; equal ones may be made one, or refused",
    ))
    .vectors([
        refuses("a list of unequal lengths", "Content-Length: 5, 6"),
        refuses("a list of unequal lengths, the greater first", "Content-Length: 6, 5"),
        refuses("a list of equal lengths", "Content-Length: 5, 5"),
        refuses("a list with an empty member", "Content-Length: 5,"),
        refuses("a list that begins with nothing", "Content-Length: ,5"),
        refuses("an empty list", "Content-Length: ,"),
        refuses("two unequal lengths", "Content-Length: 5\r\nContent-Length: 6"),
        refuses("two unequal lengths, the greater first", "Content-Length: 6\r\nContent-Length: 5"),
        refuses("two unequal lengths apart", "Content-Length: 5\r\nX: y\r\ncontent-length: 3"),
        refuses("two equal lengths", "Content-Length: 5\r\nContent-Length: 5"),
        refuses("two lengths, one of them bad", "Content-Length: 5\r\nContent-Length: x"),
        refuses("two lengths, one of them empty", "Content-Length: 5\r\nContent-Length:"),
        refuses("a length of zero and another", "Content-Length: 0\r\nContent-Length: 5"),
    ])
}

fn overflowing() -> Vec<Vector<Answers>> {
    let nines = ["Content-Length: ", &"9".repeat(500)].concat();
    around_five_bytes(rule(
        "RFC 9110, 8.6",
        "a recipient must anticipate potentially large numbers, and prevent errors of overflow",
    ))
    .vectors([
        breaks("2^31 + 5", "Content-Length: 2147483653", "hello").half_closed(),
        breaks("2^32 + 5", "Content-Length: 4294967301", "hello").half_closed(),
        breaks("2^63 - 1", "Content-Length: 9223372036854775807", "hello").half_closed(),
        refuses("2^63", "Content-Length: 9223372036854775808"),
        refuses("2^64 - 1", "Content-Length: 18446744073709551615"),
        refuses("2^64 + 5", "Content-Length: 18446744073709551621"),
        refuses("2^128 + 5", "Content-Length: 340282366920938463463374607431768211461"),
        refuses("500 nines", nines),
    ])
}

fn short() -> Vec<Vector<Answers>> {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    let long = ["HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n", &"x".repeat(60_000)].concat();
    rule(
        "RFC 9112, 8",
        "content that ends before its length is incomplete, and must not seem whole",
    )
    .vectors([
        breaks("none of its length", head, "").half_closed(),
        breaks("a byte of its length", [head, "h"].concat(), "h").half_closed(),
        breaks("a byte less than its length", [head, "hell"].concat(), "hell").half_closed(),
        breaks("much, but less than its length", long, "x".repeat(60_000)).half_closed(),
        relays("a length of zero", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").content(""),
        relays("its length, then the end", [head, "hello"].concat()).once().half_closed(),
    ])
}
