//! Canonical text is canonical, and neither the prover nor what prints shapes panics on any tree.

use scrim::grammar::{Terms, Violation, deparse, parse, pretty, prove, prove_statement, shape};

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
    let _ = pretty(&text);
    for statement in &statements {
        // What is not proven is not printed either, in the product: its head says why.
        let proven = prove_statement(statement, &Anything);
        let _ = prove(statement, &Anything);
        if proven.is_err() {
            continue;
        }
        let Ok(canonical) = deparse(statement) else { continue };
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
    }
}
