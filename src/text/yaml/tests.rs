use proptest::prelude::*;

use super::*;

fn read(text: &str) -> Result<Node, Vec<Diagnostic>> {
    let mut sources = Sources::default();
    let id = sources.add("a.yaml", text);
    parse(&sources, id)
}

fn entries(node: Node) -> Vec<Entry> {
    match node.kind {
        Kind::Mapping(entries) => entries,
        kind => panic!("a mapping, not {}", kind.name()),
    }
}

fn said(text: &str) -> Vec<String> {
    let found = read(text).expect_err(text);
    found.into_iter().map(|diagnostic| diagnostic.message).collect()
}

#[test]
fn every_node_knows_its_bytes() {
    let text =
        "é: [x, 'y y']\nb:\n  \"c d\": 1.50  # one\ne: {f: g,\n    h: \"i\n      j\"\n    }\n";
    let at = |span: Span| &text[span.start..span.end];
    let all = entries(read(text).unwrap());
    assert_eq!((at(all[0].key_span), at(all[0].value.span)), ("é", "[x, 'y y']"));
    let Kind::Sequence(items) = &all[0].value.kind else { panic!("a list") };
    assert_eq!((at(items[0].span), at(items[1].span)), ("x", "'y y'"));
    assert!(at(all[1].value.span).starts_with("\"c d\": 1.50"));
    let inner = entries(all[1].value.clone());
    assert_eq!((at(inner[0].key_span), at(inner[0].value.span)), ("\"c d\"", "1.50"));
    assert_eq!(inner[0].value.kind, Kind::Number("1.50".into()));
    assert!(at(all[2].value.span).starts_with("{f: g") && at(all[2].value.span).ends_with('}'));
}

#[test]
fn empty_values_stand_where_their_key_does() {
    let all = entries(read("a:\nb: ''\nc: ~\n").unwrap());
    let seen: Vec<_> = all.iter().map(|e| (e.is_empty, e.value.kind.clone())).collect();
    let nothing = Kind::String(String::new());
    assert_eq!(seen, [(true, Kind::Null), (false, nothing), (false, Kind::Null)]);
    assert_eq!(all[0].value.span, all[0].key_span);
}

#[test]
fn words_that_look_like_something_else() {
    let all = entries(read("1: no\ntrue: yes\n010: 1_000\nx: '5'\ny: 1e3\n").unwrap());
    let keys: Vec<_> = all.iter().map(|e| e.key.as_str()).collect();
    assert_eq!(keys, ["1", "true", "010", "x", "y"]);
    for (index, text) in [(0, "no"), (1, "yes"), (2, "1_000"), (3, "5")] {
        assert_eq!(all[index].value.kind, Kind::String(text.into()));
    }
    assert_eq!(all[4].value.kind, Kind::Number("1e3".into()));
}

#[test]
fn nothing_is_null() {
    for text in ["", "# nothing\n", "---\n", "~", "\n\n"] {
        assert_eq!(read(text).unwrap().kind, Kind::Null, "{text:?}");
    }
}

#[test]
fn what_is_refused_and_all_of_it() {
    assert_eq!(
        said("a: &x 1\nb: *x\nc: !t 1\na: 2\nd: {<<: {e: f}}\n? [g]\n: 1\n"),
        [
            "anchors are not used here",
            "aliases are not used here",
            "tags with `!` are not used here",
            "`a` stands here twice",
            "merge keys are not used here",
            "a key is a name",
        ]
    );
    assert_eq!(said("a: 1\n---\nb: 2\n"), ["a file holds one document only"]);
    assert_eq!(said("~: 1"), ["a key is a name"]);
    assert_eq!(said("a: 0x10"), ["a number is written in decimal digits here"]);
    assert_eq!(said("a: .inf"), ["a number is written in decimal digits here"]);
    assert!(said("a: [1\n")[0].starts_with("this is no YAML: "));
    let nested = format!("{}{}", "[".repeat(40), "]".repeat(40));
    assert_eq!(said(&nested), ["this is nested too deeply"]);
    assert!(!said(&"[".repeat(100_000)).is_empty() && !said(&"- ".repeat(100_000)).is_empty());
    assert!(said(&"a".repeat(BYTES_MAX + 1))[0].contains("larger than 4 MiB"));
    let found = read("a: 1\nb: 2\na: 3\n").unwrap_err();
    let second = found[0].primary.as_ref().unwrap().span;
    assert_eq!((second.start, found[0].secondary[0].span.start), (10, 0));
}

#[test]
fn lines_of_windows() {
    let all = entries(read("a: x\r\nb:\r\n  - y\r\n").unwrap());
    assert_eq!(all[0].value.kind, Kind::String("x".into()));
}

/// Bits of YAML, put together at random.
fn yaml_like() -> impl Strategy<Value = String> {
    let bit = prop::sample::select(vec![
        "\n",
        "\n  ",
        "\n    ",
        ": ",
        "- ",
        "[",
        "]",
        "{",
        "}",
        ", ",
        "\"",
        "'",
        "|\n",
        ">-\n",
        "#",
        "&a ",
        "*a",
        "!t ",
        "? ",
        "<<",
        "---\n",
        "\t",
        "é",
        "\u{feff}",
        "%",
        "\r\n",
        "\\x",
        "null",
        "1.5",
        "true",
        "key",
        "${X}",
        "~",
        "\u{2028}",
        "\u{85}",
        "\u{0}",
        "password: ",
    ]);
    prop::collection::vec(bit, 0..40).prop_map(|bits| bits.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn never_panics_and_places_are_in_the_text(text in yaml_like()) {
        let mut sources = Sources::default();
        let id = sources.add("a.yaml", text.as_str());
        let mut spans = Vec::new();
        match parse(&sources, id) {
            Ok(node) => collect(&node, &mut spans),
            Err(found) => {
                prop_assert!(!found.is_empty());
                spans.extend(found.iter().flat_map(|d| d.primary.iter().map(|l| l.span)));
                prop_assert!(!crate::text::render(&sources, &found, false).is_empty());
            }
        }
        for span in spans {
            prop_assert!(text.get(span.start..span.end).is_some(), "{span:?} of {text:?}");
            let found = [Diagnostic::error("here", span)];
            prop_assert!(!crate::text::render(&sources, &found, false).is_empty());
        }
    }
}

fn collect(node: &Node, spans: &mut Vec<Span>) {
    spans.push(node.span);
    match &node.kind {
        Kind::Sequence(nodes) => nodes.iter().for_each(|node| collect(node, spans)),
        Kind::Mapping(entries) => {
            for entry in entries {
                spans.push(entry.key_span);
                collect(&entry.value, spans);
            }
        }
        Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::String(_) => {}
    }
}
