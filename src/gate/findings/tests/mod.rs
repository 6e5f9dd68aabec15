//! Readers against what real tools print: `tests/corpus/reports`, see the README there.

mod coverage;
mod fuzz;
mod javascript;
mod others;
mod python;
mod rust;
mod setting;
