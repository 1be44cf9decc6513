//! `Content-Length`: RFC 9110, 8.6, and RFC 9112, 6.3.

use crate::exceptions::{EQUAL_LENGTHS, LARGEST_LENGTH};
use crate::vector::{Rule, Vector, accepts, closes, refuses, row, rule, stays};

/// All of them.
pub fn all() -> Vec<Vector> {
    [numbers(), no_numbers(), repeated(), overflowing(), absent()].concat()
}

fn around_five_bytes(rule: Rule) -> Rule {
    rule.around("POST /anything HTTP/1.1\r\nHost: a\r\n", "\r\n\r\nhello")
}

fn numbers() -> Vec<Vector> {
    let zeros = ["Content-Length: ", &"0".repeat(500), "5"].concat();
    let five = r#""body_length":5"#;
    around_five_bytes(rule("RFC 9110, 8.6", "Content-Length = 1*DIGIT, of any number of digits"))
        .vectors([
            accepts("a length", "Content-Length: 5").shows(five),
            accepts("no space before a length", "Content-Length:5").shows(five),
            accepts("space and tabs around a length", "Content-Length: \t 5 \t").shows(five),
            accepts("a length's name in lower case", "content-length: 5").shows(five),
            accepts("a length's name in any case", "cOnTENT-lENGTH: 5").shows(five),
            accepts("zeros before a length", "Content-Length: 005").shows(five),
            accepts("500 zeros before a length", zeros).shows(five),
        ])
}

fn no_numbers() -> Vec<Vector> {
    around_five_bytes(rule(
        "RFC 9112, 6.3",
        "an invalid Content-Length makes the framing invalid: 400, then close",
    ))
    .vectors([
        refuses("a length with a sign", "Content-Length: +5"),
        refuses("a negative length", "Content-Length: -5"),
        refuses("minus zero", "Content-Length: -0"),
        refuses("a hexadecimal length", "Content-Length: 0x5"),
        refuses("a hexadecimal digit", "Content-Length: a"),
        refuses("a fraction", "Content-Length: 5.0"),
        refuses("an exponent", "Content-Length: 5e0"),
        refuses("a length with a unit", "Content-Length: 5 bytes"),
        refuses("a length with a parameter", "Content-Length: 5;q=1"),
        refuses("a quoted length", "Content-Length: \"5\""),
        refuses("a length in words", "Content-Length: five"),
        refuses("a length with a space inside", "Content-Length: 5 5"),
        refuses("a length with a tab inside", "Content-Length: 5\t5"),
        refuses("a length with an underscore", "Content-Length: 0_5"),
        refuses("an Arabic five", "Content-Length: \u{0665}"),
        refuses("a full-width five", "Content-Length: \u{ff15}"),
        refuses("an empty length", "Content-Length:"),
        refuses("a length of white space", "Content-Length: \t "),
        refuses("a length that is a comma", "Content-Length: ,"),
        refuses("a length and a control character", "Content-Length: 5\x0b"),
        refuses("a length and NUL", "Content-Length: 5\0"),
        refuses("a length and a bare CR", "Content-Length: 5\r"),
        refuses("a folded length", "Content-Length:\r\n 5"),
        refuses("a length folded after its digit", "Content-Length: 5\r\n 5"),
        refuses("a space before a length's colon", "Content-Length : 5"),
        refuses("a tab before a length's colon", "Content-Length\t: 5"),
    ])
}

fn repeated() -> Vec<Vector> {
    around_five_bytes(rule(
        "RFC 9112, 6.3",
        "lengths that differ are invalid: 400, then close; equal ones may be refused or made one",
    ))
    .vectors([
        refuses("unequal lengths listed", "Content-Length: 5, 6"),
        refuses("unequal lengths listed, the right one last", "Content-Length: 6, 5"),
        refuses("equal lengths listed", "Content-Length: 5, 5"),
        refuses("equal lengths listed without space", "Content-Length: 5,5"),
        refuses("a list of one length", "Content-Length: 5,"),
        refuses("a list that begins empty", "Content-Length: ,5"),
        refuses("unequal lengths", "Content-Length: 5\r\nContent-Length: 6"),
        refuses("unequal lengths, the right one last", "Content-Length: 6\r\nContent-Length: 5"),
        refuses("zero and five", "Content-Length: 0\r\nContent-Length: 5"),
        refuses("unequal lengths apart", "Content-Length: 5\r\nX: y\r\ncontent-length: 6"),
        refuses("a length and an empty one", "Content-Length: 5\r\nContent-Length:"),
        refuses("a length and none", "Content-Length: 5\r\nContent-Length: x"),
        refuses("equal lengths", "Content-Length: 5\r\nContent-Length: 5")
            .but(&EQUAL_LENGTHS, [stays(&[200])]),
        refuses("lengths equal but for a zero", "Content-Length: 5\r\nContent-Length: 05")
            .but(&EQUAL_LENGTHS, [stays(&[200])]),
        refuses("three equal lengths", ["Content-Length: 5"; 3].join("\r\n"))
            .but(&EQUAL_LENGTHS, [stays(&[200])]),
    ])
}

fn overflowing() -> Vec<Vector> {
    let nines = ["Content-Length: ", &"9".repeat(500)].concat();
    around_five_bytes(rule(
        "RFC 9110, 8.6",
        "a recipient must anticipate potentially large numbers, and prevent errors of overflow",
    ))
    .vectors([
        row("2^32 + 5", "Content-Length: 4294967301", closes(&[413])),
        row("2^31 + 5", "Content-Length: 2147483653", closes(&[413])),
        row("2^63 - 1", "Content-Length: 9223372036854775807", closes(&[413])),
        refuses("2^63", "Content-Length: 9223372036854775808")
            .but(&LARGEST_LENGTH, [closes(&[413])]),
        refuses("2^64 - 1", "Content-Length: 18446744073709551615")
            .but(&LARGEST_LENGTH, [closes(&[431])]),
        refuses("2^64", "Content-Length: 18446744073709551616"),
        refuses("2^64 + 5", "Content-Length: 18446744073709551621"),
        refuses("2^128 + 5", "Content-Length: 340282366920938463463374607431768211461"),
        refuses("500 nines", nines),
    ])
}

fn absent() -> Vec<Vector> {
    let none = r#""body_length":0"#;
    rule("RFC 9112, 6.3", "a request without a length and without chunks has no content").vectors([
        accepts("POST without a length", "POST /anything HTTP/1.1\r\nHost: a\r\n\r\n").shows(none),
        accepts("PUT without a length", "PUT /anything HTTP/1.1\r\nHost: a\r\n\r\n").shows(none),
        accepts(
            "a length of zero",
            "POST /anything HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
        )
        .shows(none),
        accepts(
            "GET with content",
            "GET /anything HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
        )
        .shows(r#""body_length":5"#),
        accepts(
            "DELETE with content",
            "DELETE /anything HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
        )
        .shows(r#""body_length":5"#),
        accepts(
            "HEAD with content",
            "HEAD /anything HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
        )
        .to(&["HEAD"]),
        accepts(
            "content that looks like a request",
            "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 38\r\n\r\n\
             GET /status/418 HTTP/1.1\r\nHost: a\r\n\r\n\n",
        )
        .shows("GET /status/418"),
    ])
}
