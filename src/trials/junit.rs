//! JUnit's XML, as CI systems read it: a suite for each file, a case for each test.
//! <https://github.com/testmoapp/junitxml>

use std::collections::BTreeMap;
use std::io::Cursor;
use std::sync::Arc;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use super::report::{Report, Tried};

/// The document.
///
/// # Errors
/// Why there is none.
pub(super) fn write(report: &Report) -> Result<String, String> {
    let mut writer = Writer::new_with_indent(Cursor::new(Vec::new()), b' ', 2);
    let written = document(&mut writer, report);
    written.map_err(|error| format!("error: cannot write the JUnit report: {error}"))?;
    String::from_utf8(writer.into_inner().into_inner())
        .map_err(|_| "error: the JUnit report is no UTF-8".to_owned())
}

fn document(writer: &mut Writer<Cursor<Vec<u8>>>, report: &Report) -> std::io::Result<()> {
    let mut files: BTreeMap<Arc<str>, Vec<&Tried>> = BTreeMap::new();
    for tried in &report.tried {
        files.entry(Arc::clone(&tried.case.place.file)).or_default().push(tried);
    }
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let all = totals(&report.tried.iter().collect::<Vec<_>>());
    let suites = writer.create_element("testsuites").with_attribute(("name", "scrim test"));
    let suites = suites.with_attributes(all.iter().map(|(name, value)| (*name, value.as_str())));
    suites.write_inner_content(|writer| {
        for (file, tried) in &files {
            let of_file = totals(tried);
            let suite =
                writer.create_element("testsuite").with_attribute(("name", plain(file).as_str()));
            let suite =
                suite.with_attributes(of_file.iter().map(|(name, value)| (*name, value.as_str())));
            suite.write_inner_content(|writer| {
                tried.iter().try_for_each(|tried| case(writer, tried))
            })?;
        }
        Ok(())
    })?;
    Ok(())
}

fn totals(tried: &[&Tried]) -> [(&'static str, String); 4] {
    let errors = tried.iter().filter(|tried| tried.outcome.is_err()).count();
    let failures = tried.iter().filter(|tried| tried.outcome.is_ok() && !tried.holds()).count();
    let seconds: f64 = tried.iter().map(|tried| tried.took.as_secs_f64()).sum();
    [
        ("tests", tried.len().to_string()),
        ("failures", failures.to_string()),
        ("errors", errors.to_string()),
        ("time", format!("{seconds:.3}")),
    ]
}

fn case(writer: &mut Writer<Cursor<Vec<u8>>>, tried: &Tried) -> std::io::Result<()> {
    let place = &tried.case.place;
    let element = writer.create_element("testcase").with_attributes([
        ("name", plain(&tried.case.name).as_str()),
        ("classname", plain(&tried.case.who.to_string()).as_str()),
        ("file", plain(&place.file).as_str()),
        ("line", place.line.to_string().as_str()),
        ("time", format!("{:.3}", tried.took.as_secs_f64()).as_str()),
    ]);
    if tried.holds() {
        element.write_empty()?;
        return Ok(());
    }
    let (name, first) = match &tried.outcome {
        Err(why) => ("error", why.0.as_str()),
        Ok(verdict) => ("failure", verdict.problems.first().map_or("", String::as_str)),
    };
    let text = format!("{place}\n{}", tried.details().join("\n"));
    element.write_inner_content(|writer| {
        let inner = writer.create_element(name).with_attribute(("message", plain(first).as_str()));
        inner.write_text_content(BytesText::new(&plain(&text)))?;
        Ok(())
    })?;
    Ok(())
}

/// Without the characters that XML cannot hold. <https://www.w3.org/TR/xml/#charsets>
fn plain(text: &str) -> String {
    let is_held = |c: &char| {
        matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
            && *c != '\u{7f}'
    };
    text.chars().map(|c| if is_held(&c) { c } else { '\u{fffd}' }).collect()
}
