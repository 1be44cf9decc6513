//! The report as a browser shows it.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use common::browser::Browser;
use common::made::{Made, ROWS};
use common::{loadtest, stderr};
use tempfile::TempDir;

/// The width of a page on a screen, and on a telephone.
const WIDTHS: [u32; 2] = [1300, 400];

/// Texts of a chart that overlap or leave it, and charts without a size.
const UNREADABLE: &str = "(() => {
  document.querySelectorAll('details').forEach(part => part.open = true);
  const found = [];
  for (const chart of document.querySelectorAll('svg[role=img]')) {
    const name = chart.querySelector('title').textContent;
    const whole = chart.getBoundingClientRect();
    if (whole.width < 100 || whole.height < 40) found.push(name + ' has no size');
    const texts = [...chart.querySelectorAll('text')];
    const boxes = texts.map(text => text.getBoundingClientRect());
    boxes.forEach((a, i) => {
      if (a.left < whole.left - 1 || a.right > whole.right + 1 || a.top < whole.top - 1
          || a.bottom > whole.bottom + 1) found.push(name + ': cut off: ' + texts[i].textContent);
      // Boxes of lines under one another touch, for they are higher than their letters.
      const low = Math.min(4, a.height / 4);
      boxes.slice(0, i).forEach((b, j) => {
        if (a.left < b.right - 1 && b.left < a.right - 1 && a.top + low < b.bottom - low
            && b.top + low < a.bottom - low)
          found.push(name + ': ' + texts[i].textContent + ' over ' + texts[j].textContent);
      });
    });
  }
  return found;
})()";

/// The height of the smallest letters in a chart, in pixels as they are shown.
const SMALLEST: &str =
    "Math.min(...[...document.querySelectorAll('svg[role=img] text')].map(text =>
  parseFloat(getComputedStyle(text).fontSize) * text.getScreenCTM().a))";

/// The least contrasts of text with what it stands on, and of strokes with the ground.
const CONTRASTS: &str = "(() => {
  const luminance = colour => {
    const parts = colour.match(/[0-9.]+/g).slice(0, 3).map(part => part / 255).map(part =>
      part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2] + 0.05;
  };
  const contrast = (a, b) => {
    const [x, y] = [luminance(a), luminance(b)];
    return Math.max(x, y) / Math.min(x, y);
  };
  const ground = getComputedStyle(document.body).backgroundColor;
  const behind = part => {
    for (; part; part = part.parentElement) {
      const colour = getComputedStyle(part).backgroundColor;
      if (!/, 0\\)/.test(colour)) return colour;
    }
    return ground;
  };
  const words = [...document.querySelectorAll('p, li, h1, h2, h3, h4, td, th, small, pre')];
  const texts = [...document.querySelectorAll('svg text')];
  const strokes = [...document.querySelectorAll('svg .line, svg .range, svg .ceiling')];
  return {
    ground,
    text: Math.min(...words.map(part => contrast(getComputedStyle(part).color, behind(part))),
      ...texts.map(part => contrast(getComputedStyle(part).fill, ground))),
    stroke: Math.min(...strokes.map(part => contrast(getComputedStyle(part).stroke, ground))),
  };
})()";

fn made(made: &Made<'_>) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("results.json");
    fs::write(&file, made.results().to_string()).expect("a file");
    let output = loadtest(&["report", file.to_str().expect("UTF-8")]);
    assert!(output.status.success(), "{}", stderr(&output));
    let page = folder.path().join("report.html");
    (folder, page)
}

const USUAL: Made<'_> = Made {
    rows: &ROWS,
    scenarios: &["echo", "block"],
    shapes: &["closed", "open 5000/s"],
    connections: &[1, 64, 1_024, 10_000],
    rounds: 6,
    seconds: 5,
    samples: 1_000,
    alike: false,
    seed: 7,
};

#[test]
fn the_page_renders_in_both_themes_and_nothing_leaves_it() {
    let Some(mut browser) = Browser::start() else { return };
    let (_folder, page) = made(&USUAL);
    for (scheme, ground) in [("light", "rgb(255, 255, 255)"), ("dark", "rgb(20, 23, 26)")] {
        browser.look(WIDTHS[0], scheme);
        let (asked, complaints) = browser.open(&page);
        assert_eq!(asked, [format!("file://{}", page.display())], "and for nothing else");
        assert_eq!(complaints, [""; 0]);
        let contrasts = browser.evaluate(CONTRASTS);
        assert_eq!(contrasts["ground"], ground);
        // WCAG 2.2: 4.5 to 1 for text (1.4.3), 3 to 1 for what a graphic needs (1.4.11).
        assert!(contrasts["text"].as_f64() >= Some(4.5), "{scheme}: {contrasts}");
        assert!(contrasts["stroke"].as_f64() >= Some(3.0), "{scheme}: {contrasts}");
        photograph(&mut browser, scheme);
    }
}

/// For whoever wants to look at it: nothing is compared with it.
fn photograph(browser: &mut Browser, scheme: &str) {
    let picture = BASE64.decode(browser.photograph(6_000)).expect("base64");
    assert!(picture.starts_with(b"\x89PNG"));
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("report-{scheme}.png"));
    fs::write(file, picture).expect("a file");
}

#[test]
fn every_chart_can_be_read() {
    let Some(mut browser) = Browser::start() else { return };
    let longer = [ROWS[0], ROWS[1], ("a-peer-with-a-long-name", "compared", 9.0, 3.0, 1.0)];
    let variants = [
        USUAL,
        Made { connections: &[64], scenarios: &["echo"], shapes: &["closed"], ..USUAL },
        Made { connections: &[1_000, 1_024, 1_100], rows: &longer, ..USUAL },
        Made { connections: &[1, 10, 100, 1_000, 10_000, 100_000], rounds: 1, ..USUAL },
        Made { rows: &ROWS[1..2], seconds: 1, rounds: 1, ..USUAL },
    ];
    for (number, variant) in variants.iter().enumerate() {
        let (_folder, page) = made(variant);
        for width in WIDTHS {
            browser.look(width, "light");
            browser.open(&page);
            let unreadable = browser.evaluate(UNREADABLE);
            assert_eq!(unreadable, serde_json::json!([]), "variant {number}, {width} wide");
            let overflows = browser.evaluate("document.documentElement.scrollWidth > innerWidth");
            assert_eq!(overflows, false, "variant {number}, {width} wide");
            let smallest = browser.evaluate(SMALLEST).as_f64();
            let least = if width == WIDTHS[0] { 20.0 } else { 15.0 };
            assert!(smallest >= Some(least), "variant {number}, {width} wide: {smallest:?}");
        }
    }
}

#[test]
fn a_request_would_have_been_seen_and_the_page_forbids_it() {
    let Some(mut browser) = Browser::start() else { return };
    let (folder, page) = made(&Made { scenarios: &["echo"], rounds: 1, ..USUAL });
    // Nobody listens there, and nobody has to.
    let image = "<img src=\"http://127.0.0.1:1/pixel.png\">";
    let with_image = fs::read_to_string(&page).expect("a page").replace("</main>", image);
    let without_policy = with_image.replace("Content-Security-Policy", "Nothing");
    let mut asked = |name: &str, text: &str| {
        let file = folder.path().join(name);
        fs::write(&file, text).expect("a file");
        let (asked, complaints) = browser.open(&file);
        (asked.iter().any(|url| url.ends_with("pixel.png")), complaints.join("\n"))
    };
    let (was_asked, _) = asked("open.html", &without_policy);
    assert!(was_asked, "the check sees what leaves a page");
    let (_, complaints) = asked("closed.html", &with_image);
    assert!(complaints.contains("Content Security Policy"), "{complaints}");
}
