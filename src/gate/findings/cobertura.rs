//! Cobertura's XML: how many lines tests covered.

use std::collections::BTreeMap;

use crate::gate::findings::problem::Gathered;
use crate::gate::findings::report::{Coverage, ReportError};
use crate::gate::findings::xml::{Step, Tag, walk};

#[derive(Default)]
struct Walker {
    /// From the root's attributes.
    said: Option<Coverage>,
    class: String,
    /// Lines of methods are those of their class again.
    in_methods: bool,
    lines: BTreeMap<(String, u64), bool>,
}

pub(super) fn read(text: &str) -> Result<Gathered, ReportError> {
    let mut walker = Walker::default();
    walk(text, &["coverage"], "cobertura", &mut |step| match step {
        Step::Open(tag) => walker.open(tag),
        Step::Close("methods") => walker.in_methods = false,
        Step::Close(_) | Step::Text(_) => {}
    })?;
    let counted = || Coverage {
        covered: walker.lines.values().filter(|hit| **hit).count() as u64,
        total: walker.lines.len() as u64,
    };
    Ok(Gathered::covered(walker.said.unwrap_or_else(counted)))
}

impl Walker {
    fn open(&mut self, tag: &Tag) {
        match tag.name.as_str() {
            "coverage" => {
                if let (Some(covered), Some(total)) = (tag.number("lines-covered"), tag.number("lines-valid"))
                {
                    let sum = self.said.get_or_insert_default();
                    sum.covered = sum.covered.saturating_add(covered);
                    sum.total = sum.total.saturating_add(total);
                }
            }
            "class" => tag.get("filename").unwrap_or_default().clone_into(&mut self.class),
            "methods" => self.in_methods = true,
            "line" if !self.in_methods => {
                if let Some(line) = tag.number("number") {
                    let hit = tag.number("hits").is_some_and(|hits| hits > 0);
                    *self.lines.entry((self.class.clone(), line)).or_default() |= hit;
                }
            }
            _ => {}
        }
    }
}
