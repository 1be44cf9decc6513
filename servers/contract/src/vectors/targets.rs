//! Request targets: RFC 9112, 3.2, and RFC 3986.

use crate::exceptions::FRAGMENT;
use crate::vector::{Rule, Vector, accepts, closes, refuses, row, rule, stays};

/// All of them.
pub fn all() -> Vec<Vector> {
    [
        origin_form(),
        bad_characters(),
        bad_escapes(),
        fragments(),
        other_forms(),
        asterisk(),
        authority(),
    ]
    .concat()
}

fn in_place(rule: Rule) -> Rule {
    rule.around("GET ", " HTTP/1.1\r\nHost: a\r\n\r\n")
}

fn origin_form() -> Vec<Vector> {
    let path = r#""path":"/anything/"#;
    in_place(rule("RFC 9112, 3.2.1", "origin-form = absolute-path [ \"?\" query ]")).vectors([
        accepts("a path", "/anything").shows(r#""path":"/anything""#),
        accepts("a path that ends in a slash", "/anything/").shows(r#""path":"/anything/""#),
        accepts("a path of dots", "/anything/./a/../b").shows(path),
        accepts("a path of slashes", "/anything//a///b").shows(path),
        accepts("an escaped character", "/anything/%41").shows(path),
        accepts("an escape in lower case", "/anything/%e2%82%ac").shows(path),
        accepts("an escaped slash", "/anything/a%2Fb").shows(path),
        accepts("an escaped percent sign", "/anything/%25zz").shows(path),
        accepts("an escaped NUL", "/anything/%00").shows(path),
        accepts("an escaped line end", "/anything/%0d%0a").shows(path),
        accepts("unreserved characters", "/anything/-._~09azAZ").shows(path),
        accepts("sub-delims, colon and at sign", "/anything/!$&'()*+,;=:@").shows(path),
        accepts("a query", "/anything?x=y&x=z").shows(r#""args":{"x":["y","z"]}"#),
        accepts("an empty query", "/anything?").shows(r#""args":{}"#),
        accepts("a query with a question mark", "/anything?x=?").shows(r#""args":{"x":["?"]}"#),
        accepts("a query with a slash", "/anything?x=/").shows(r#""args":{"x":["/"]}"#),
        accepts("an escape in a query", "/anything?x=%20").shows(r#""args":{"x":[" "]}"#),
    ])
}

fn bad_characters() -> Vec<Vector> {
    in_place(rule("RFC 3986, 2", "characters that are neither reserved nor unreserved are escaped"))
        .vectors([
            refuses("a space in a target", "/any thing"),
            refuses("a quote in a target", "/anything/\""),
            refuses("a less-than sign in a target", "/anything/<"),
            refuses("a greater-than sign in a target", "/anything/>"),
            refuses("a backslash in a target", "/anything/\\"),
            refuses("a caret in a target", "/anything/^"),
            refuses("a backtick in a target", "/anything/`"),
            refuses("a brace in a target", "/anything/{"),
            refuses("the other brace in a target", "/anything/}"),
            refuses("a bar in a target", "/anything/|"),
            refuses("a quote in a query", "/anything?\""),
            refuses("a brace in a query", "/anything?{}"),
            refuses("a bracket in a target", "/anything/["),
            refuses("the other bracket in a target", "/anything/]"),
            refuses("brackets in a query", "/anything?x[]=y"),
            refuses("brackets in absolute-form", "http://[::1]/anything?x[]=y"),
            refuses("UTF-8 in a target", "/anything/\u{e9}"),
            refuses("obs-text in a target", b"/anything/\xe9"),
            refuses("obs-text in a query", b"/anything?\xff"),
            refuses("NUL in a target", "/any\0thing"),
            refuses("DEL in a target", "/any\x7fthing"),
            refuses("a tab in a target", "/any\tthing"),
            refuses("bare CR in a target", "/any\rthing"),
        ])
}

fn bad_escapes() -> Vec<Vector> {
    in_place(rule("RFC 3986, 2.1", "pct-encoded = \"%\" HEXDIG HEXDIG")).vectors([
        refuses("a percent sign at the end", "/anything/%"),
        refuses("an escape of one digit", "/anything/%4"),
        refuses("an escape that is not hexadecimal", "/anything/%zz"),
        refuses("an escape that is half hexadecimal", "/anything/%4g"),
        refuses("two percent signs", "/anything/%%41"),
        refuses("an escape as of JavaScript", "/anything/%u0041"),
        refuses("a bad escape in a query", "/anything?x=%zz"),
        refuses("a percent sign at the end of a query", "/anything?x=%"),
        refuses("a bad escape in absolute-form", "http://a/anything/%zz"),
    ])
}

fn fragments() -> Vec<Vector> {
    let ignored = |name, bytes| refuses(name, bytes).but(&FRAGMENT, [stays(&[200])]);
    in_place(rule("RFC 9112, 3.2", "no form of a target has a fragment")).vectors([
        ignored("a fragment", "/anything#part"),
        ignored("an empty fragment", "/anything#"),
        ignored("a fragment after a query", "/anything?x=y#part"),
        ignored("a fragment in absolute-form", "http://a/anything#part"),
        refuses("a fragment only", "#part"),
    ])
}

fn other_forms() -> Vec<Vector> {
    in_place(rule("RFC 9112, 3.2", "a target is in one of four forms, as its method asks for"))
        .vectors([
            refuses("a path without its slash", "anything"),
            refuses("a query without a path", "?x=y"),
            refuses("a path of dots without a slash", "../anything"),
            refuses("asterisk with GET", "*"),
            refuses("authority-form with GET", "a:80"),
            refuses("a host with GET", "a.example"),
            refuses("an address with GET", "127.0.0.1:80"),
            refuses("a scheme only", "http://"),
            refuses("a path in quotes", "\"/anything\""),
            refuses("a path with a backslash for its slash", "\\anything"),
        ])
}

fn asterisk() -> Vec<Vector> {
    rule("RFC 9112, 3.2.4", "asterisk-form is for OPTIONS of the server as a whole")
        .around("", " HTTP/1.1\r\nHost: a\r\n\r\n")
        .vectors([
            row("OPTIONS *", "OPTIONS *", stays(&[204])),
            accepts("OPTIONS of a path", "OPTIONS /anything"),
            refuses("asterisk with POST", "POST *"),
            refuses("asterisk with HEAD", "HEAD *").to(&["HEAD"]),
            refuses("asterisk in lower case's options", "options *"),
            refuses("an asterisk and more", "OPTIONS *x"),
            refuses("an asterisk and a query", "OPTIONS *?x"),
        ])
}

fn authority() -> Vec<Vector> {
    let no_tunnel = |name, bytes| row(name, bytes, closes(&[501]));
    rule("RFC 9110, 9.3.6", "CONNECT is optional; 501 says that a server does not know it").vectors(
        [
            no_tunnel("CONNECT", "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n"),
            no_tunnel(
                "CONNECT to an address",
                "CONNECT [::1]:80 HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
            ),
            no_tunnel(
                "CONNECT and bytes for a tunnel",
                "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            ),
            no_tunnel("CONNECT of version 1.0", "CONNECT a:80 HTTP/1.0\r\n\r\n"),
        ],
    )
}
