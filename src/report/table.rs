//! Columns without borders: headings dim, cells in their colours, two spaces between.
//!
//! Laid out by comfy-table, which counts columns and cuts one column, the last unless told otherwise, to the page;
//! colours are put on afterwards, so that they can't disturb the count.

use anstyle::Style;
use comfy_table::{ColumnConstraint, ContentArrangement, Row, Width};

use crate::report::Page;
use crate::report::palette::{DIM, paint};
use crate::report::words::harmless;

/// Narrower than this a column is no use: the terminal may wrap instead.
const LEAST: usize = 12;

/// A table under way.
pub(crate) struct Table {
    headings: Vec<&'static str>,
    rows: Vec<Vec<(String, Style)>>,
    cut: Option<&'static str>,
}

impl Table {
    /// A table with these headings.
    pub(crate) fn new<const N: usize>(headings: [&'static str; N]) -> Self {
        Self { headings: headings.to_vec(), rows: Vec::new(), cut: None }
    }

    /// Cuts the column with this heading instead of the last: what is last is to be selected and pasted.
    pub(crate) fn cut(mut self, heading: &'static str) -> Self {
        self.cut = Some(heading);
        self
    }

    /// Adds a row; there must be as many cells as headings.
    pub(crate) fn row<const N: usize>(&mut self, cells: [(&str, Style); N]) {
        let clean = |text: &str| harmless(text).replace(['\n', '\t'], " ");
        self.rows.push(cells.into_iter().map(|(text, style)| (clean(text), style)).collect());
    }

    /// The lines, the headings' first. Columns that are empty in every row are left out.
    pub(crate) fn render(mut self, page: Page) -> String {
        self.drop_empty();
        let cut = self.cut.and_then(|wanted| self.headings.iter().position(|h| *h == wanted));
        let headings: Vec<(String, Style)> = self.headings.iter().map(|h| ((*h).to_owned(), DIM)).collect();
        let rows: Vec<_> = std::iter::once(headings).chain(self.rows).collect();
        let laid_out = lay_out(&rows, cut, page);
        rows.iter().zip(laid_out.lines()).map(|(cells, line)| colour(cells, line) + "\n").collect()
    }

    fn drop_empty(&mut self) {
        for column in (0..self.headings.len()).rev() {
            if self.rows.iter().all(|cells| cells[column].0.is_empty()) {
                self.headings.remove(column);
                for cells in &mut self.rows {
                    cells.remove(column);
                }
            }
        }
    }
}

fn lay_out(rows: &[Vec<(String, Style)>], cut: Option<usize>, page: Page) -> String {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_truncation_indicator(page.ellipsis());
    for cells in rows {
        let mut row = Row::from(cells.iter().map(|(text, _)| text.as_str()));
        row.max_height(1);
        table.add_row(row);
    }
    let widths: Vec<usize> = table.column_max_content_widths().into_iter().map(usize::from).collect();
    let count = widths.len();
    for (i, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, if i + 1 == count { 0 } else { 2 }));
    }
    if let (Some(width), Some(last)) = (page.width, count.checked_sub(1)) {
        let cut = cut.unwrap_or(last);
        let others = widths.iter().sum::<usize>() - widths[cut] + 2 * last;
        let room = width.saturating_sub(others).max(LEAST);
        if widths[cut] > room {
            table.set_content_arrangement(ContentArrangement::Dynamic);
            table.set_width(u16::try_from(others + room).unwrap_or(u16::MAX));
            fix(&mut table, &widths, (cut, room));
        }
    }
    table.to_string()
}

/// Gives every column its content's width, and the one that is cut its room.
fn fix(table: &mut comfy_table::Table, widths: &[usize], (cut, room): (usize, usize)) {
    let size = |n: usize| ColumnConstraint::Absolute(Width::Fixed(u16::try_from(n).unwrap_or(u16::MAX)));
    let gap = |i: usize| if i + 1 == widths.len() { 0 } else { 2 };
    table.set_constraints(
        widths.iter().enumerate().map(|(i, &w)| size(if i == cut { room } else { w } + gap(i))),
    );
}

/// Puts colours on a line that was laid out: each cell is looked for behind the one before.
fn colour(cells: &[(String, Style)], line: &str) -> String {
    let mut out = String::new();
    let mut rest = line.trim_end();
    for (text, style) in cells {
        let Some(at) = rest.find(text.as_str()).filter(|_| !text.is_empty()) else { continue };
        out.push_str(&rest[..at]);
        out.push_str(&paint(*style, text));
        rest = &rest[at + text.len()..];
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::page::tests::{file, plain, terminal};
    use crate::report::palette::{GOOD, PLAIN};

    fn table() -> Table {
        let mut table = Table::new(["ID", "NONE", "OWNER", "TITLE"]);
        table.row([
            ("1", GOOD),
            ("", PLAIN),
            ("ann", DIM),
            ("A title of many words that is rather long", PLAIN),
        ]);
        table.row([("22", GOOD), ("", PLAIN), ("", DIM), ("日本語の長い長い長いタイトル\u{1b}[2J", PLAIN)]);
        table
    }

    #[test]
    fn a_terminal_cuts_the_last_column_and_a_file_nothing() {
        insta::assert_snapshot!(plain(&table().render(terminal(30))), @r"
        ID  OWNER  TITLE
        1   ann    A title of many…
        22         日本語の長い長い長…
        ");
        insta::assert_snapshot!(plain(&table().render(file())), @r"
        ID  OWNER  TITLE
        1   ann    A title of many words that is rather long
        22         日本語の長い長い長いタイトル
        ");
        assert!(plain(&table().render(terminal(30))).lines().all(|l| l.chars().count() <= 30));
    }

    #[test]
    fn another_column_can_be_cut_so_that_the_last_stays_whole() {
        let mut table = Table::new(["BRANCH", "PATH"]).cut("BRANCH");
        table.row([("feature/a-title-that-is-rather-long", GOOD), ("/a/path", PLAIN)]);
        let wide = table.render(terminal(30));
        insta::assert_snapshot!(plain(&wide), @r"
        BRANCH                 PATH
        feature/a-title-that…  /a/path
        ");
    }

    #[test]
    fn colours_are_around_the_cells_only() {
        let mut table = Table::new(["ID"]);
        table.row([("7", GOOD)]);
        assert_eq!(table.render(file()), format!("{}\n{}\n", paint(DIM, "ID"), paint(GOOD, "7")));
    }

    #[test]
    fn a_table_without_rows_is_nothing() {
        assert_eq!(Table::new(["ID"]).render(file()), "");
    }
}
