//! `each` a second time: PostgreSQL's text form of an array, taken apart and put together.
//! <https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO>

use super::masks::Text;

/// An array: its bounds as they are written, and its elements with the braces and commas around them.
struct Array {
    bounds: String,
    dimensions: usize,
    parts: Vec<Part>,
}

enum Part {
    /// A brace or a comma.
    Sign(char),
    Element(Text),
}

/// The array with each element masked. `None`: it cannot be built again, for it has more than one dimension and
/// elements whose text depends on settings.
pub fn each(text: &str, is_steady: bool, mask: impl Fn(&Text) -> Text) -> Option<String> {
    let array = read(text);
    if array.dimensions > 1 && !is_steady {
        return None;
    }
    let parts = array.parts.iter().map(|part| match part {
        Part::Sign(sign) => sign.to_string(),
        Part::Element(element) => match mask(element) {
            None => "NULL".into(),
            Some(text) => quoted(&text),
        },
    });
    Some(format!("{}{}", array.bounds, parts.collect::<String>()))
}

fn read(text: &str) -> Array {
    let start = text.find('{').expect("an array");
    let (bounds, body) = text.split_at(start);
    let dimensions = body.chars().take_while(|c| *c == '{').count();
    let mut parts = Vec::new();
    let mut characters = body.chars().peekable();
    while let Some(next) = characters.next() {
        match next {
            '{' | '}' | ',' => parts.push(Part::Sign(next)),
            '"' => {
                let mut element = String::new();
                loop {
                    match characters.next().expect("a closing quote") {
                        '"' => break,
                        '\\' => element.push(characters.next().expect("an escape")),
                        other => element.push(other),
                    }
                }
                parts.push(Part::Element(Some(element)));
            }
            _ => {
                let mut element = String::from(next);
                while let Some(more) = characters.next_if(|c| !"{},".contains(*c)) {
                    element.push(more);
                }
                parts.push(Part::Element((element != "NULL").then_some(element)));
            }
        }
    }
    Array { bounds: bounds.into(), dimensions, parts }
}

fn quoted(text: &str) -> String {
    let is_plain = !text.is_empty()
        && !text.eq_ignore_ascii_case("null")
        && !text.contains(|c: char| "{},\"\\ \t\n\r\u{b}\u{c}".contains(c));
    match is_plain {
        true => text.into(),
        false => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
    }
}

#[cfg(test)]
mod tests {
    use super::each;

    #[test]
    fn arrays() {
        let star = |_: &super::Text| Some("* *".to_owned());
        assert_eq!(
            each("[5:6]={a,\"b c\"}", true, star).as_deref(),
            Some("[5:6]={\"* *\",\"* *\"}")
        );
        let same = |text: &super::Text| text.clone();
        for text in
            ["{}", "{a,NULL,\"NULL\",\"\",\"a\\\\b\\\"c\"}", "[0:1][-1:0]={{a,b},{NULL,\"c d\"}}"]
        {
            assert_eq!(each(text, true, same).as_deref(), Some(text));
        }
        assert_eq!(each("{{1,2}}", false, same), None);
    }
}
