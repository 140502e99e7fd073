use super::*;

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// `email` is masked, `rrn` and the relation `staff` are absent.
fn discretion(json: bool) -> Discretion {
    Discretion {
        json,
        masked: names(&["email", "rrn", "E-Mail", "a\"b"]),
        absent_columns: names(&["rrn"]),
        absent_relations: names(&["staff"]),
        is_filtered: false,
    }
}

fn line(text: &str) -> Option<String> {
    discretion(false).line(text)
}

#[test]
fn lines_that_are_known_are_shown() {
    for shown in [
        "Seq Scan on customers",
        "  ->  Seq Scan on customers c",
        "  ->  Parallel Index Only Scan Backward using orders_pkey on orders \"my orders\"",
        "        ->  Bitmap Index Scan on orders_customer_id_idx",
        "Nested Loop Left Join",
        "HashSetOp Except All",
        "  SubPlan 1",
        "  InitPlan 2 (returns $0,$1)",
        "  CTE recent",
        "  ->  CTE Scan on recent r",
        "  ->  Values Scan on \"*VALUES*\"",
        "  ->  Function Scan on generate_series g",
        "  ->  Finalize GroupAggregate",
        "  Index Cond: (id = 5)",
        "        Hash Cond: (o.customer_id = c.id)",
        "  Sort Key: total DESC, emails",
        "  Filter: (tier = 'it''s \"so\": x'::text)",
        "  Workers Planned: 2",
        "  Cache Mode: logical",
        "  One-Time Filter: false",
    ] {
        assert_eq!(line(shown).as_deref(), Some(shown));
    }
}

#[test]
fn expressions_and_names_that_are_not_the_roles_are_concealed() {
    for (plan, shown) in [
        ("  Filter: (\"left\"(customers.email, 1) = 'k'::text)", "  Filter: ***"),
        ("  Filter: (email IS NULL)", "  Filter: ***"),
        ("  Sort Key: o.id, (upper(customers.email))", "  Sort Key: ***"),
        ("  Filter: (oddities.\"E-Mail\" = 'x')", "  Filter: ***"),
        ("  Filter: (x.\"a\"\"b\" = 'x' OR x.\"a\"b\" = 1)", "  Filter: ***"),
        ("  Hash Cond: (staff.id = o.id)", "  Hash Cond: ***"),
        ("Seq Scan on staff", "Seq Scan on ***"),
        (
            "  ->  Index Scan using customers_rrn_key on customers c",
            "  ->  Index Scan using *** on customers c",
        ),
        ("  ->  Bitmap Index Scan on \"the rrn\"", "  ->  Bitmap Index Scan on ***"),
    ] {
        assert_eq!(line(plan).as_deref(), Some(shown), "{plan}");
    }
}

#[test]
fn what_is_not_known_is_not_shown() {
    for plan in [
        "",
        "  ",
        "Seq Scan on customers  (cost=0.00..12.50 rows=250 width=32)",
        "  Output: email, name",
        "  Rows Removed by Filter: 12",
        "  Buffers: shared hit=3",
        "Planning Time: 0.07 ms",
        "Settings: work_mem = '1'",
        "  Remote SQL: SELECT email FROM x",
        " 'a' || customers.email || '",
        "  Workers Planned: 2 of them",
        "  Node Type: (email)",
        "  InitPlan 1 (returns (email))",
        "Seq Scan on \"unclosed",
        "seq scan",
        "Seq Scan on customers c and more",
        "Some Filter: (id = 1)",
    ] {
        assert_eq!(line(plan), None, "{plan}");
    }
}

#[test]
fn where_rows_are_filtered_no_expression_is_shown() {
    let discretion = Discretion { is_filtered: true, ..discretion(false) };
    assert_eq!(discretion.line("  Index Cond: (id = 5)").as_deref(), Some("  Index Cond: ***"));
    assert_eq!(discretion.line("Seq Scan on orders").as_deref(), Some("Seq Scan on orders"));
}

#[test]
fn documents_keep_what_is_known() {
    let plan = r#"[{"Plan": {"Node Type": "Sort", "Total Cost": 3.5, "Plan Rows": 250, "Parallel Aware": false,
        "Sort Key": ["o.id", "lower(customers.email)"], "Output": ["email"], "Workers Planned": 2,
        "Strategy": {"x": "email"}, "Filter": {"y": 1}, "Join Type": "email = 'x'",
        "Plans": [{"Node Type": "Index Scan", "Index Name": "customers_rrn_key", "Relation Name": "customers",
                   "Alias": "c", "Index Cond": "(id = 5)"}]},
        "Planning Time": 0.3, "Settings": {}}]"#;
    let shown = discretion(true).document(plan).unwrap();
    let shown: Value = serde_json::from_str(&shown).unwrap();
    let expected = serde_json::json!([{"Plan": {"Node Type": "Sort", "Parallel Aware": false,
        "Sort Key": ["o.id", "***"], "Workers Planned": 2,
        "Plans": [{"Node Type": "Index Scan", "Index Name": "***", "Relation Name": "customers", "Alias": "c",
                   "Index Cond": "(id = 5)"}]}}]);
    assert_eq!(shown, expected);
    for broken in [
        "",
        "{}",
        "[1]",
        "[{}]",
        "[{\"Plan\": 1}]",
        "[{\"Plan\": {\"Plans\": [1]}}]",
        "[{\"Plan\": {}}",
    ] {
        assert_eq!(discretion(true).document(broken), Err(Unreadable), "{broken}");
    }
    let deep = format!("[{{\"Plan\": {}{}}}]", "{\"Plans\": [".repeat(500), "]}".repeat(500));
    assert_eq!(discretion(true).document(&deep), Err(Unreadable));
}

#[test]
fn rows_are_rows_of_one_value() {
    let row = |values: &[Option<&[u8]>]| {
        let mut message = BytesMut::new();
        writer::data_row(&mut message, values).unwrap();
        message
    };
    let text = discretion(false);
    let whole = row(&[Some(b"Result")]);
    assert_eq!(text.row(&whole[5..]).unwrap().as_deref(), Some(whole.as_ref()));
    assert_eq!(text.row(&row(&[Some(b"  Output: 1")])[5..]), Ok(None));
    for wrong in
        [row(&[]), row(&[None]), row(&[Some(b"Result"), Some(b"x")]), row(&[Some(b"\xff")])]
    {
        assert_eq!(text.row(&wrong[5..]), Err(Unreadable));
    }
    assert_eq!(text.row(&whole[5..whole.len() - 1]), Err(Unreadable));
}
