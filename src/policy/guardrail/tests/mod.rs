//! Every rule: what it finds, and what it must not.

mod engine;
mod files;
mod lines;
mod secrets;
mod table;
