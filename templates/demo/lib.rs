//! Small statistics over lists of numbers.

pub mod stats;
pub mod table;
pub mod words;
