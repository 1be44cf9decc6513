//! `Host` and targets that name one: RFC 9110, 7.2, and RFC 9112, 3.2.

use crate::vector::{Rule, Vector, accepts, refuses, rule};

/// All of them.
pub fn all() -> Vec<Vector> {
    [good(), bad(), not_once(), version_1_0(), absolute(), not_absolute(), no_authority()].concat()
}

fn in_place(rule: Rule) -> Rule {
    rule.around("GET /anything HTTP/1.1\r\n", "\r\n\r\n")
}

fn good() -> Vec<Vector> {
    in_place(rule("RFC 9110, 7.2", "Host = uri-host [ \":\" port ], both as in RFC 3986, 3.2"))
        .vectors([
            accepts("a name", "Host: a").shows(r#""host":["a"]"#),
            accepts("a name of many labels", "Host: www.example.com"),
            accepts("a name in upper case", "Host: WWW.EXAMPLE.COM"),
            accepts("a name with a dot at its end", "Host: example.com."),
            accepts("a name with an underscore", "Host: a_b"),
            accepts("a name with a hyphen", "Host: xn--bcher-kva.example"),
            accepts("a name with sub-delims", "Host: a!$&'()*+;=b"),
            accepts("a port", "Host: a:8080").shows(r#""host":["a:8080"]"#),
            accepts("an empty port", "Host: a:"),
            accepts("the highest port", "Host: a:65535"),
            accepts("a port with zeros before it", "Host: a:00080"),
            accepts("an IPv4 address", "Host: 127.0.0.1"),
            accepts("an IPv4 address and a port", "Host: 127.0.0.1:80"),
            accepts("an IPv6 address", "Host: [::1]"),
            accepts("an IPv6 address and a port", "Host: [2001:db8::a]:8080"),
            accepts("an IPv6 address and an empty port", "Host: [::1]:"),
            accepts("no host", "Host:").shows(r#""host":[""]"#),
            accepts("white space around a name", "Host: \t a \t").shows(r#""host":["a"]"#),
            accepts("Host in any case", "hOST: a").shows(r#""host":["a"]"#),
            accepts("Host after another field", "X: y\r\nHost: a").shows(r#""host":["a"]"#),
        ])
}

fn bad() -> Vec<Vector> {
    in_place(rule("RFC 9112, 3.2", "a request with an invalid Host gets 400")).vectors([
        refuses("a space in a host", "Host: a b"),
        refuses("a tab in a host", "Host: a\tb"),
        refuses("a host with a path", "Host: a/b"),
        refuses("a host with a slash", "Host: a/"),
        refuses("a host with a query", "Host: a?b"),
        refuses("a host with a fragment", "Host: a#b"),
        refuses("a host with a scheme", "Host: http://a"),
        refuses("a host with a user", "Host: me@a"),
        refuses("a host with a user and a password", "Host: me:secret@a"),
        refuses("a host with an empty user", "Host: @a"),
        refuses("two hosts listed", "Host: a, b"),
        refuses("a host with a comma", "Host: a,b"),
        refuses("a host with a backslash", "Host: a\\b"),
        refuses("a host in quotes", "Host: \"a\""),
        refuses("a host in angle brackets", "Host: <a>"),
        refuses("a host with a bad escape", "Host: a%zz"),
        refuses("a port in letters", "Host: a:b"),
        refuses("a port with a sign", "Host: a:+80"),
        refuses("a negative port", "Host: a:-80"),
        refuses("a port above the highest", "Host: a:65536"),
        refuses("a port of six digits", "Host: a:123456"),
        refuses("two ports", "Host: a:80:80"),
        refuses("a port without a host", "Host: :80"),
        refuses("an IPv6 address without brackets", "Host: ::1"),
        refuses("an IPv6 address without its end", "Host: [::1"),
        refuses("an IPv6 address without its beginning", "Host: ::1]"),
        refuses("more after an IPv6 address", "Host: [::1]a"),
        refuses("a port with a sign after an IPv6 address", "Host: [::1]:+80"),
        refuses("brackets around nothing", "Host: []"),
        refuses("brackets around a name", "Host: [a.example]"),
        refuses("obs-text in a host", b"Host: \xe9"),
        refuses("a host in Cyrillic", "Host: \u{0430}"),
        refuses("NUL in a host", "Host: a\0"),
        refuses("DEL in a host", "Host: a\x7f"),
        refuses("bare CR in a host", "Host: a\rb"),
        refuses("a folded host", "Host:\r\n a"),
        refuses("a space before Host's colon", "Host : a"),
        refuses("a space before Host", " Host: a"),
    ])
}

fn not_once() -> Vec<Vector> {
    in_place(rule("RFC 9112, 3.2", "a 1.1 request without Host, or with two, gets 400")).vectors([
        refuses("no Host", "X: y"),
        refuses("two Hosts", "Host: a\r\nHost: b"),
        refuses("two equal Hosts", "Host: a\r\nHost: a"),
        refuses("two Hosts apart", "Host: a\r\nX: y\r\nHOST: b"),
        refuses("a Host and an empty one", "Host: a\r\nHost:"),
        refuses("an empty Host and another", "Host:\r\nHost: a"),
        refuses("two empty Hosts", "Host:\r\nHost:"),
        refuses("three Hosts", "Host: a\r\nHost: a\r\nHost: a"),
        refuses("X-Forwarded-Host in place of Host", "X-Forwarded-Host: a"),
    ])
}

fn version_1_0() -> Vec<Vector> {
    rule("RFC 9112, 3.2", "1.0 needs no Host; an invalid one gets 400 in any version")
        .around("GET /anything HTTP/1.0\r\nConnection: keep-alive\r\n", "\r\n")
        .vectors([
            accepts("no Host on 1.0", ""),
            accepts("a Host on 1.0", "Host: a\r\n").shows(r#""host":["a"]"#),
            refuses("two Hosts on 1.0", "Host: a\r\nHost: b\r\n"),
            refuses("a bad Host on 1.0", "Host: a b\r\n"),
            refuses("a Host with a user on 1.0", "Host: me@a\r\n"),
        ])
}

fn absolute() -> Vec<Vector> {
    let b = r#""host":["b"]"#;
    rule(
        "RFC 9112, 3.2.2",
        "a server must accept absolute-form, and ignore Host in favour of the target's authority",
    )
    .around("GET ", " HTTP/1.1\r\nHost: a\r\n\r\n")
    .vectors([
        accepts("absolute-form", "http://b/anything").shows(b),
        accepts("absolute-form with the same host", "http://a/anything").shows(r#""host":["a"]"#),
        accepts("absolute-form with a port", "http://b:81/anything").shows(r#""host":["b:81"]"#),
        accepts("absolute-form with an empty port", "http://b:/anything"),
        accepts("absolute-form with an IPv6 address", "http://[::1]/anything"),
        accepts("absolute-form with a query", "http://b/anything?x=y").shows(r#""x":["y"]"#),
        accepts("absolute-form of https", "https://b/anything").shows(b),
        accepts("absolute-form with its scheme in upper case", "HTTP://b/anything").shows(b),
        accepts("absolute-form without a path", "http://b"),
        accepts("absolute-form with an empty query", "http://b/anything?"),
    ])
}

fn not_absolute() -> Vec<Vector> {
    let no_host = "GET http://b/anything HTTP/1.1\r\n\r\n";
    let bad_host = "GET http://b/anything HTTP/1.1\r\nHost: a b\r\n\r\n";
    let two_hosts = "GET http://b/anything HTTP/1.1\r\nHost: b\r\nHost: b\r\n\r\n";
    rule("RFC 9112, 3.2", "Host must be sent beside absolute-form, and be valid").vectors([
        refuses("absolute-form without Host", no_host),
        refuses("absolute-form beside a bad Host", bad_host),
        refuses("absolute-form beside two Hosts", two_hosts),
    ])
}

fn no_authority() -> Vec<Vector> {
    rule("RFC 9110, 4.2", "an http URI has a host that is not empty, and ought to have no user")
        .around("GET ", " HTTP/1.1\r\nHost: a\r\n\r\n")
        .vectors([
            refuses("absolute-form with a user", "http://me@b/anything"),
            refuses("absolute-form with a password", "http://me:secret@b/anything"),
            refuses("absolute-form without a host", "http:///anything"),
            refuses("absolute-form with a port only", "http://:80/anything"),
            refuses("absolute-form with a bad port", "http://b:x/anything"),
            refuses("absolute-form with a signed port", "http://b:+80/anything"),
            refuses("absolute-form with too high a port", "http://b:65536/anything"),
            refuses("absolute-form with one slash", "http:/anything"),
            refuses("absolute-form without slashes", "http:anything"),
            refuses("absolute-form of another scheme", "ftp://b/anything"),
            refuses("absolute-form with two hosts", "http://b,c/anything"),
            refuses("absolute-form with a space", "http://b/any thing"),
            refuses("absolute-form with an open bracket", "http://[::1/anything"),
        ])
}
