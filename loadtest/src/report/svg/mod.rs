//! Charts, as SVG that stands in the page.
//!
//! Nothing in a chart needs its colours to be read: every bar and every line bears its name, and
//! every line a dash and a mark of its own. Letters are large, because a chart is read from the
//! back row too; a chart on half of the page's width is drawn on half of the width, so that its
//! letters come out as large.

mod axis;
mod bars;
mod labels;
mod lines;

use std::fmt::Write;

pub(super) use axis::Axis;
pub(super) use bars::{Bar, bars};
pub(super) use lines::{Line, Plot, Point, Width};

/// The size of letters, as the style sheet has it.
const LETTERS: f64 = 26.0;

/// How wide a text is at most, in the widest of the fonts that browsers choose.
fn width(text: &str) -> f64 {
    let letter = |letter| match letter {
        '.' | ',' | ' ' => 0.33,
        '/' | ':' | '\'' | 'i' | 'l' | 'j' => 0.38,
        '0'..='9' => 0.64,
        'm' | 'w' | 'M' | 'W' | '@' | '%' => 1.05,
        _ => 0.68,
    };
    text.chars().map(letter).sum::<f64>() * LETTERS
}

/// The beginning of a chart, with what it is called and what there is to see in it.
fn open(title: &str, description: &str, width: f64, height: f64) -> String {
    format!(
        "<svg viewBox='0 0 {width:.0} {height:.0}' role='img'><title>{}</title><desc>{}</desc>",
        escape(title),
        escape(description)
    )
}

/// Writes text, if there is any; the classes are the style sheet's.
fn write_text(svg: &mut String, (x, y): (f64, f64), class: &str, text: &str) {
    if !text.is_empty() {
        let text = escape(text);
        // A String can always be written to.
        let _ = write!(svg, "<text class='{class}' x='{x:.0}' y='{y:.0}'>{text}</text>");
    }
}

/// The name if there is room for it, else its beginning.
fn shortened(name: &str, room: f64) -> String {
    let mut shown = name.to_owned();
    while width(&shown) > room && shown.chars().count() > 2 {
        let letters = shown.trim_end_matches('…').chars().count() - 1;
        shown = shown.chars().take(letters).chain(['…']).collect();
    }
    shown
}

/// Text that stays text wherever it stands in a page.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\'' => escaped.push_str("&#39;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_into_a_chart_stays_text() {
        let mut svg = open("'<a>", "\"<b>&", 10.0, 10.0);
        write_text(&mut svg, (0.0, 0.0), "axis", "<c>");
        assert!(svg.contains("&#39;&lt;a&gt;") && svg.contains("&quot;&lt;b&gt;&amp;"), "{svg}");
        assert!(svg.contains("&lt;c&gt;") && !svg.contains("<c>"), "{svg}");
    }

    #[test]
    fn a_name_that_does_not_fit_is_cut() {
        assert_eq!(shortened("tokio/http1", width("tokio/http1")), "tokio/http1");
        assert_eq!(shortened("tokio/http1", width("tokio/http")), "tokio/htt…");
        assert_eq!(shortened("äöü", 1.0), "ä…");
    }
}
