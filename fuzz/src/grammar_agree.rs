//! Canonical text is canonical; texts that are the same by their tokens are the same by their trees; and neither the prover nor
//! what prints shapes panics on any tree.

use pg_query::protobuf::Token;
use scrim::grammar::{
    Terms, Violation, are_same_tokens, deparse, parse, pretty, prove, prove_statement, shape,
    tokens,
};

use crate::splice;

/// Everything is allowed, so that the prover goes on as far as it can.
struct Anything;

impl Terms for Anything {
    fn may_read(&self, _: Option<&str>, _: Option<&str>, _: &str) -> Result<(), Violation> {
        Ok(())
    }

    fn may_call(
        &self,
        _: Option<&str>,
        _: &str,
        _: &pg_query::protobuf::FuncCall,
    ) -> Result<(), Violation> {
        Ok(())
    }

    fn may_operate(&self, _: Option<&str>, _: &str) -> Result<(), Violation> {
        Ok(())
    }

    fn may_cast(&self, _: Option<&str>, _: &str) -> Result<(), Violation> {
        Ok(())
    }

    fn may_select_field(&self, _: &str) -> Result<(), Violation> {
        Ok(())
    }

    fn may_select_column(&self, _: &str) -> Result<(), Violation> {
        Ok(())
    }

    fn may_collate(&self, _: Option<&str>, _: &str) -> Result<(), Violation> {
        Ok(())
    }

    fn may_write(&self, _: Option<&str>, _: Option<&str>, _: &str) -> Result<(), Violation> {
        Ok(())
    }
}

/// One input; panics with what was found.
pub fn run(data: &[u8]) {
    let Some((_, _, text)) = splice::chosen(data) else { return };
    let Ok(statements) = parse(&text) else { return };
    let _ = shape(&text);
    for statement in &statements {
        // What is not proven is not printed either, in the product: its head says why.
        let proven = prove_statement(statement, &Anything);
        let _ = prove(statement, &Anything);
        if proven.is_err() {
            continue;
        }
        let Ok(canonical) = deparse(statement) else { continue };
        let _ = pretty(&canonical);
        let again = parse(&canonical).unwrap_or_else(|error| {
            panic!("canonical text does not parse: {error}\n{text}\n-- canonical\n{canonical}")
        });
        let [again] = again.as_slice() else {
            panic!("canonical text is not one statement\n{text}\n-- canonical\n{canonical}");
        };
        let printed = deparse(again).unwrap_or_else(|error| {
            panic!("canonical text is not printed: {error}\n{text}\n-- canonical\n{canonical}")
        });
        assert_eq!(printed, canonical, "canonical text changes when it is printed again\n{text}");
        if let [_] = statements.as_slice() {
            for variant in variants(&text) {
                hold_together(&text, &variant, &canonical);
            }
        }
    }
}

/// The text with a word less, a word more, or a word written otherwise, where that may say nothing.
fn variants(text: &str) -> Vec<String> {
    let mut variants = Vec::new();
    let mut shouted = text.to_owned();
    for token in tokens(text).unwrap_or_default() {
        let (start, end) = (token.start as usize, token.end as usize);
        let (before, word, after) = (&text[..start], &text[start..end], &text[end..]);
        let with = |other: &str| format!("{before}{other}{after}");
        match token.token() {
            Token::As | Token::InnerP | Token::OuterP => variants.push(with("")),
            Token::Join => variants.extend([with("INNER JOIN"), with("OUTER JOIN")]),
            Token::Ident => {
                let bare = word.trim_matches('"');
                let forms = [format!("AS {word}"), format!("\"{bare}\""), bare.to_owned()];
                variants.extend(forms.iter().map(|form| with(form)));
                shouted.replace_range(start..end, &word.to_ascii_uppercase());
            }
            _ => {}
        }
    }
    variants.push(shouted);
    variants
}

/// By their tokens no more than by their trees.
fn hold_together(text: &str, variant: &str, canonical: &str) {
    if !are_same_tokens(text, variant) {
        return;
    }
    // What is no statement goes nowhere.
    let Ok(statements) = parse(variant) else { return };
    let same = match statements.as_slice() {
        [statement] => deparse(statement).is_ok_and(|printed| printed == canonical),
        _ => false,
    };
    assert!(same, "the same tokens are another statement\n{text}\n-- and\n{variant}");
}
