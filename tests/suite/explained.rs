//! What a role that may EXPLAIN sees of plans, end to end. Plans are PostgreSQL's own and differ between versions, so
//! what is asserted is what must and what must not be in them.

use serde_json::Value;

use crate::harness::client::{Answer, Form, text};
use crate::harness::{connect, connect_direct};

/// Its plan has a condition on a masked column, one on a clear one, and an order by the mask.
const STATEMENT: &str = "SELECT o.id, c.email FROM orders o JOIN customers c ON c.id = o.customer_id \
    WHERE o.status = 'paid' AND c.name LIKE 'K%' ORDER BY c.name";

const FORMS: [Form; 3] = [Form::Simple, Form::ExtendedText, Form::ExtendedBinary];

fn plan(options: &str, form: Form) -> Vec<String> {
    let mut client = connect("auditor", &[]);
    let statement = format!("EXPLAIN {options} {STATEMENT}");
    let answers = client.run(form, &statement, &[&statement]);
    let [answer] = answers.as_slice() else { panic!("one answer, not {}", answers.len()) };
    assert_eq!(answer.error, None);
    assert_eq!(answer.tag.as_deref(), Some("EXPLAIN"));
    lines(answer)
}

fn lines(answer: &Answer) -> Vec<String> {
    answer.rows.iter().map(|row| text(row[0].as_deref().expect("a line"))).collect()
}

#[test]
fn a_plan_in_text_shows_its_shape_and_what_is_clear() {
    for form in FORMS {
        let lines = plan("", form);
        let text = lines.join("\n");
        for shown in [
            "Scan on orders",
            " on customers",
            "(status = 'paid'::text)",
            "Sort Key: ***",
            "Filter: ***",
        ] {
            assert!(text.contains(shown), "{shown} in:\n{text}");
        }
        for concealed in ["cost=", "rows=", "regexp", "translate", "repeat", "left("] {
            assert!(!text.contains(concealed), "{concealed} in:\n{text}");
        }
    }
}

#[test]
fn a_plan_in_json_shows_the_same() {
    for form in FORMS {
        let rows = plan("(FORMAT json)", form);
        let [document] = rows.as_slice() else { panic!("one row, not {}", rows.len()) };
        let plans: Value = serde_json::from_str(document).expect("JSON");
        assert!(plans[0]["Plan"]["Node Type"].is_string(), "{document}");
        assert!(document.contains("\"(status = 'paid'::text)\""), "{document}");
        for concealed in ["Cost", "Plan Rows", "Plan Width", "Output", "regexp", "translate"] {
            assert!(!document.contains(concealed), "{concealed} in:\n{document}");
        }
    }
}

#[test]
fn a_plan_has_the_masks_in_it_where_nobody_takes_them_out() {
    // What the tests above do not find is there to be found: the same without Scrim's editing.
    let mut direct = connect_direct("scrim");
    let sent = crate::harness::core::sent("auditor", None, STATEMENT);
    let answers = direct.simple(&format!("EXPLAIN {sent}"));
    let text = lines(&answers[0]).join("\n");
    assert!(text.contains("cost=") && text.contains("regexp"), "{text}");
}
