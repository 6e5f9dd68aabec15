//! XML, element by element. No recursion: a document may be as deep as it likes.

use std::collections::BTreeMap;

use quick_xml::Reader;
use quick_xml::events::{BytesRef, BytesStart, Event};

use crate::gate::findings::report::ReportError;

/// One step through a document.
pub(super) enum Step<'a> {
    Open(&'a Tag),
    Close(&'a str),
    Text(&'a str),
}

/// The start of an element.
pub(super) struct Tag {
    /// Without its name space.
    pub(super) name: String,
    attributes: BTreeMap<String, String>,
}

impl Tag {
    /// An attribute that is there and not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A number in an attribute.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.get(name)?.trim().parse().ok()
    }
}

/// Walks through every document of `text` whose root is one of `roots`. None at all is an error.
pub(super) fn walk(
    text: &str,
    roots: &[&str],
    format: &'static str,
    visit: &mut dyn FnMut(Step<'_>),
) -> Result<(), ReportError> {
    let (mut at, mut found) = (0, false);
    while let Some(start) = root(&text[at..], roots) {
        found = true;
        at += start;
        at += document(&text[at..], format, visit)?;
    }
    if found { Ok(()) } else { Err(ReportError::Missing { format }) }
}

/// Where the first element with one of the names starts.
fn root(text: &str, roots: &[&str]) -> Option<usize> {
    let is_root = |at: &usize| {
        let name = |root: &&str| text[at + 1..].strip_prefix(*root);
        let ends = |rest: &str| rest.starts_with(|c: char| c.is_ascii_whitespace() || "/>".contains(c));
        roots.iter().filter_map(name).any(ends)
    };
    text.match_indices('<').map(|(at, _)| at).find(is_root)
}

/// Walks through one element, and says how long it is.
fn document(text: &str, format: &'static str, visit: &mut dyn FnMut(Step<'_>)) -> Result<usize, ReportError> {
    let mut reader = Reader::from_str(text);
    let mut depth = 0_usize;
    loop {
        match reader.read_event().map_err(|e| error(e, format))? {
            Event::Start(start) => {
                depth += 1;
                visit(Step::Open(&tag(&start, format)?));
            }
            Event::Empty(start) => {
                visit(Step::Open(&tag(&start, format)?));
                visit(Step::Close(start.local_name().as_ref()));
            }
            Event::End(end) => {
                depth = depth.saturating_sub(1);
                visit(Step::Close(end.local_name().as_ref()));
            }
            Event::Text(text) => visit(Step::Text(&text)),
            Event::CData(text) => visit(Step::Text(&text)),
            Event::GeneralRef(name) => visit(Step::Text(&resolved(&name))),
            Event::Eof => return Err(ReportError::BrokenOff { format }),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
        }
        if depth == 0 {
            return Ok(usize::try_from(reader.buffer_position()).unwrap_or(text.len()).clamp(1, text.len()));
        }
    }
}

/// Syntax errors are those of markup that does not end.
fn error(e: quick_xml::Error, format: &'static str) -> ReportError {
    match e {
        quick_xml::Error::Syntax(_) => ReportError::BrokenOff { format },
        e => ReportError::Unreadable { format, cause: Box::new(e) },
    }
}

fn tag(start: &BytesStart<'_>, format: &'static str) -> Result<Tag, ReportError> {
    let mut attributes = BTreeMap::new();
    // The check for repeated names is quadratic.
    for attribute in start.attributes().with_checks(false) {
        let attribute = attribute.map_err(|e| ReportError::Unreadable { format, cause: Box::new(e) })?;
        let value = attribute.normalized_value(quick_xml::XmlVersion::Implicit1_0);
        let value = value.map_or_else(|_| attribute.value.to_string(), std::borrow::Cow::into_owned);
        attributes.insert(attribute.key.local_name().as_ref().to_owned(), value);
    }
    Ok(Tag { name: start.local_name().as_ref().to_owned(), attributes })
}

/// What `&name;` stands for; nothing, if that is not known.
fn resolved(name: &BytesRef<'_>) -> String {
    match name.resolve_char_ref() {
        Ok(Some(c)) => c.to_string(),
        Ok(None) | Err(_) => {
            quick_xml::escape::resolve_predefined_entity(name).unwrap_or_default().to_owned()
        }
    }
}
