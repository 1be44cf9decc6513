//! Tables on a terminal: columns that are aligned, and colours where somebody sees them.

use std::io::{self, IsTerminal};

/// Between two columns.
const GAP: &str = "  ";

/// Whether there are colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colours {
    On,
    Off,
}

/// What a cell's colour says. The text says the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tone {
    #[default]
    Plain,
    Heading,
    Aside,
    Best,
    Tie,
    Mark,
    Trouble,
}

/// One cell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cell {
    text: String,
    tone: Tone,
}

/// To which side of its column a cell goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Right,
}

/// A table; columns in which nothing stands are left out.
#[derive(Debug)]
pub(super) struct Grid {
    columns: Vec<(&'static str, Side)>,
    lines: Vec<Line>,
}

#[derive(Debug)]
enum Line {
    Heading(String),
    Cells(Vec<Cell>),
}

impl Colours {
    /// On standard output, if that is a terminal and nobody minds (no-color.org).
    pub(super) fn of_stdout() -> Self {
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
        if io::stdout().is_terminal() && !set("NO_COLOR") && !dumb { Self::On } else { Self::Off }
    }
}

impl Cell {
    /// Text without any control character: a name must not move the cursor.
    pub(super) fn new(text: &str, tone: Tone) -> Self {
        Self { text: plain(text), tone }
    }

    /// What it says.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    fn width(&self) -> usize {
        self.text.chars().count()
    }

    fn paint(&self, colours: Colours) -> String {
        let code = match self.tone {
            Tone::Plain => return self.text.clone(),
            Tone::Heading => "1",
            Tone::Aside => "2",
            Tone::Best => "1;32",
            Tone::Tie => "36",
            Tone::Mark => "33",
            Tone::Trouble => "31",
        };
        match colours {
            Colours::On if !self.text.is_empty() => format!("\x1b[{code}m{}\x1b[0m", self.text),
            _ => self.text.clone(),
        }
    }
}

impl Grid {
    /// A table with these columns.
    pub(super) fn new(columns: &[(&'static str, Side)]) -> Self {
        Self { columns: columns.to_vec(), lines: Vec::new() }
    }

    /// A line over all columns, with an empty one before it, and the columns' names after it.
    pub(super) fn heading(&mut self, text: &str) {
        self.lines.push(Line::Heading(plain(text)));
    }

    /// A line of cells, one a column.
    pub(super) fn row(&mut self, cells: Vec<Cell>) {
        debug_assert_eq!(cells.len(), self.columns.len(), "a cell for each column");
        self.lines.push(Line::Cells(cells));
    }

    /// The table as text.
    pub(super) fn draw(&self, colours: Colours) -> String {
        let widths = self.widths();
        let names: Vec<Cell> =
            self.columns.iter().map(|(name, _)| Cell::new(name, Tone::Aside)).collect();
        let names = self.line(&names, &widths, colours);
        let drawn = self.lines.iter().map(|line| match line {
            Line::Heading(words) => {
                let words = Cell::new(words, Tone::Heading).paint(colours);
                format!("\n{words}\n{names}")
            }
            Line::Cells(cells) => self.line(cells, &widths, colours),
        });
        drawn.collect()
    }

    /// Of each column that has something in it.
    fn widths(&self) -> Vec<Option<usize>> {
        let cells = |column: usize| {
            self.lines.iter().filter_map(move |line| match line {
                Line::Cells(cells) => cells.get(column),
                Line::Heading(_) => None,
            })
        };
        let width = |(column, (name, _)): (usize, &(&str, Side))| {
            let widest = cells(column).map(Cell::width).max()?;
            let is_used = cells(column).any(|cell| !matches!(cell.text.as_str(), "" | "-"));
            (is_used || column == 0).then(|| widest.max(name.chars().count()))
        };
        self.columns.iter().enumerate().map(width).collect()
    }

    fn line(&self, cells: &[Cell], widths: &[Option<usize>], colours: Colours) -> String {
        let mut line = String::from(GAP);
        for ((cell, width), (_, side)) in cells.iter().zip(widths).zip(&self.columns) {
            let Some(width) = width else { continue };
            let blank = " ".repeat(width.saturating_sub(cell.width()));
            let painted = cell.paint(colours);
            match side {
                Side::Left => line.extend([painted.as_str(), &blank, GAP]),
                Side::Right => line.extend([blank.as_str(), &painted, GAP]),
            }
        }
        line.trim_end().to_owned() + "\n"
    }
}

/// Control characters, and those that turn the direction of writing, become a mark.
fn plain(text: &str) -> String {
    let turns = |letter| matches!(letter, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars()
        .map(|letter| if letter.is_control() || turns(letter) { '\u{fffd}' } else { letter })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid() -> Grid {
        let mut grid =
            Grid::new(&[("name", Side::Left), ("empty", Side::Left), ("time", Side::Right)]);
        grid.heading("one");
        for (name, time, tone) in
            [("mio", "412 µs", Tone::Best), ("a\x1b[2J", "1.20 ms", Tone::Plain)]
        {
            grid.row(vec![
                Cell::new(name, Tone::Plain),
                Cell::new("-", Tone::Plain),
                Cell::new(time, tone),
            ]);
        }
        grid
    }

    #[test]
    fn columns_are_aligned_and_empty_ones_left_out() {
        assert_eq!(
            grid().draw(Colours::Off),
            "\none\n  name      time\n  mio     412 µs\n  a\u{fffd}[2J  1.20 ms\n"
        );
    }

    #[test]
    fn colours_change_nothing_but_colours() {
        let coloured = grid().draw(Colours::On);
        assert!(coloured.contains("\x1b[1;32m412 µs\x1b[0m"), "{coloured}");
        let mut plain = coloured;
        for code in ["\x1b[1m", "\x1b[2m", "\x1b[1;32m", "\x1b[0m"] {
            plain = plain.replace(code, "");
        }
        assert_eq!(plain, grid().draw(Colours::Off));
    }
}
