//! Whatever stands in a database, no value comes out of this room.

use proptest::prelude::*;

use super::{CONFIDENCE_MIN, Column, Form, Sample, Table, Unseen, Verdict, judge};

fn table(
    name: &str,
    type_form: Form,
    is_array: bool,
    values: &[String],
) -> (Table, Vec<Option<Sample>>) {
    let column = Column {
        name: name.into(),
        type_sql: "text".into(),
        form: type_form,
        is_array,
        comment: values.first().cloned().map(Unseen::new),
        is_readable: true,
        is_key: false,
        references: None,
    };
    let table = Table {
        schema: "public".into(),
        name: "customers".into(),
        kind: 'r',
        oid: 1,
        rows_estimate: None,
        bytes: 0,
        columns: vec![column],
    };
    let values = values.iter().cloned().map(Unseen::new).collect();
    (table, vec![Some(Sample { rows: 5, values })])
}

#[test]
fn values_do_not_print() {
    let (table, samples) = table("email", Form::Text, false, &["kim@example.com".into()]);
    assert!(!format!("{table:?}{samples:?}").contains("kim"));
}

proptest! {
    /// Whatever stands in a database, nothing panics and nothing of it comes out.
    #[test]
    fn no_value_comes_out(
        name in ".{0,12}",
        form in prop::sample::select(vec![Form::Text, Form::Number, Form::Day, Form::Json, Form::Network]),
        is_array: bool,
        values in prop::collection::vec(
            prop_oneof![
                "[0-9*xX +().-]{0,20}", ".{0,30}", "[가-힣 0-9]{0,10}", "[A-Z]{2}[0-9]{2}[0-9A-Z]{0,30}",
                "\\{\"[a-z]{0,6}\": \"[a-z@. 0-9]{0,20}\"\\}", "[a-z0-9.]{1,8}@[a-z0-9-]{1,8}\\.[a-z]{0,3}",
                "[0-9]{6}-?[0-9]{0,8}", "[a-f0-9:./]{0,40}",
            ],
            0..6,
        ),
    ) {
        let marked: Vec<String> = values.iter().map(|value| format!("{value}qzx")).collect();
        for values in [&values, &marked] {
            let (table, samples) = table(&name, form, is_array, values);
            if let Some(Verdict::Personal(found)) = judge(&table, &samples).first() {
                prop_assert!(found.confidence <= 1.0 && found.confidence >= CONFIDENCE_MIN);
                let told = format!("{found:?}");
                    prop_assert!(!told.contains("qzx"));
            }
        }
    }
}
