use proptest::prelude::*;

use super::{
    Authentication, Bind, BindHead, Close, Describe, Execute, Malformed, Named, Parse, Query,
    authentication, backend_key, command_tag, data_row, error_fields, parameter_status, password,
    ready_status, row_description, sasl_initial,
};

fn is_malformed<T>(read: Result<T, Malformed>, utf8: bool) -> bool {
    matches!(read, Err(fault) if fault.utf8 == utf8)
}

#[test]
fn strings_end_exactly_where_the_frame_ends() {
    assert_eq!(Query::read(b"SELECT 1\0").unwrap().text, "SELECT 1");
    assert!(is_malformed(Query::read(b"SELECT 1"), false));
    assert!(is_malformed(Query::read(b"SELECT 1\0S"), false));
    assert!(is_malformed(Query::read(b"SELECT 1\0\0"), false));
    assert!(is_malformed(Query::read(b""), false));
    assert!(is_malformed(Query::read(b"SELECT '\xff'\0"), true));
    assert!(is_malformed(Query::read(b"\xff\0x"), false));
}

#[test]
fn parse_reads_all_of_its_types() {
    let body = b"s\0SELECT $1\0\0\x02\0\0\0\x17\xff\xff\xff\xff";
    let parse = Parse::read(body).unwrap();
    assert_eq!((parse.name, parse.text), ("s", "SELECT $1"));
    assert_eq!(parse.types, [23, u32::MAX]);
    for end in 0..body.len() {
        assert!(is_malformed(Parse::read(&body[..end]), false));
    }
}

#[test]
fn bind_is_walked_to_its_end() {
    let body = b"p\0s\0\0\x01\0\x01\0\x02\0\0\0\x02ab\xff\xff\xff\xff\0\x01\0\0";
    let bind = Bind::read(body).unwrap();
    assert_eq!((bind.head.portal, bind.head.statement), ("p", "s"));
    assert_eq!(bind.parameters, [Some(b"ab".as_slice()), None]);
    assert_eq!((bind.parameter_formats, bind.result_formats), (vec![1], vec![0]));
    for end in 0..body.len() {
        assert!(is_malformed(Bind::read(&body[..end]), false));
        assert!(is_malformed(BindHead::of_whole(&body[..end]), false));
    }
    assert_eq!(BindHead::of_whole(body).unwrap(), bind.head);
    assert_eq!(BindHead::read(&body[..5]).unwrap(), bind.head);
    assert!(is_malformed(Bind::read(b"\0\0\0\0\0\x01\xff\xff\xff\xfe\0\0"), false));
    assert!(is_malformed(Bind::read(b"\0\0\0\0\0\x01\x7f\xff\xff\xff\0\0"), false));
}

#[test]
fn describe_close_and_execute() {
    let statement = Describe::read(b"Sone\0").unwrap();
    assert_eq!((statement.kind, statement.name), (Named::Statement, "one"));
    assert_eq!(Close::read(b"P\0").unwrap().kind, Named::Portal);
    assert!(is_malformed(Describe::read(b"Xone\0"), false));
    assert!(is_malformed(Close::read(b"S"), false));
    assert_eq!(Execute::read(b"\0\0\0\0\x05").unwrap().rows_max, 5);
    assert!(is_malformed(Execute::read(b"\0\0\0\0\x05\0"), false));
}

#[test]
fn a_sasl_answer_says_its_length() {
    assert_eq!(password(b"a.b.c\0").unwrap(), "a.b.c");
    for wrong in [&b""[..], b"a.b.c", b"a.b.c\0x", b"a\0b\0"] {
        assert!(is_malformed(password(wrong).map(|_| ()), false));
    }
    assert!(is_malformed(password(b"\xff\0").map(|_| ()), true));
    let read = sasl_initial(b"SCRAM-SHA-256\0\0\0\0\x03n,,").unwrap();
    assert_eq!((read.mechanism, read.data), ("SCRAM-SHA-256", Some(b"n,,".as_slice())));
    assert_eq!(sasl_initial(b"X\0\xff\xff\xff\xff").unwrap().data, None);
    assert!(is_malformed(sasl_initial(b"X\0\0\0\0\x04n,,").map(|_| ()), false));
    assert!(is_malformed(sasl_initial(b"X\0").map(|_| ()), false));
    assert!(is_malformed(sasl_initial(b"").map(|_| ()), false));
}

#[test]
fn what_the_server_says() {
    let mut fields = error_fields(b"SERROR\0C42501\0Mno\0\0").unwrap();
    assert_eq!(fields.field(b'C'), Some("42501"));
    assert_eq!(fields.next(), Some((b'S', "ERROR")));
    assert_eq!(fields.count(), 2);
    assert!(is_malformed(error_fields(b"SERROR\0").map(|_| ()), false));
    assert_eq!(ready_status(b"T"), Ok(b'T'));
    assert!(is_malformed(ready_status(b"X"), false));
    assert_eq!(command_tag(b"INSERT 0 12\0").unwrap().rows, Some(12));
    assert_eq!(command_tag(b"CREATE TABLE\0").unwrap().rows, None);
    assert_eq!(parameter_status(b"a\0b\0"), Ok(("a", "b")));
    assert_eq!(backend_key(&[0, 0, 0, 1, 9, 9, 9, 9]).unwrap().key, [9; 4]);
    assert!(backend_key(&[0, 0, 0, 1, 9]).is_err());
}

#[test]
fn row_description_gives_table_and_column() {
    let body = b"\0\x01id\0\0\0\x40\0\0\x03\0\0\0\x14\0\x08\xff\xff\xff\xff\0\x01";
    let columns = row_description(body).unwrap();
    assert_eq!(columns.len(), 1);
    let column = columns[0];
    assert_eq!((column.name, column.table, column.number), ("id", 16384, 3));
    assert_eq!((column.type_oid, column.size), (20, 8));
    assert_eq!((column.modifier, column.format), (-1, 1));
    assert!(is_malformed(row_description(&body[..body.len() - 1]), false));
    assert!(is_malformed(row_description(b"\xff\xff"), false));
}

#[test]
fn authentication_requests() {
    let sasl = b"\0\0\0\x0aSCRAM-SHA-256\0\0";
    assert_eq!(
        authentication(sasl),
        Ok(Authentication::Sasl { mechanisms: vec!["SCRAM-SHA-256"] })
    );
    assert_eq!(authentication(b"\0\0\0\0"), Ok(Authentication::Ok));
    assert!(is_malformed(authentication(b"\0\0\0\0x"), false));
    assert!(is_malformed(authentication(b"\0\0\0\x05abc"), false));
    assert_eq!(authentication(b"\0\0\0\x07"), Ok(Authentication::Other(7)));
}

proptest! {
    #[test]
    fn no_reader_panics(body in prop::collection::vec(
        prop_oneof![Just(0_u8), Just(1), Just(255), Just(b'S'), any::<u8>()], 0..80)
    ) {
        let _ = Query::read(&body);
        let _ = Parse::read(&body);
        let _ = BindHead::read(&body);
        prop_assert_eq!(BindHead::of_whole(&body), Bind::read(&body).map(|bind| bind.head));
        let _ = Describe::read(&body);
        let _ = Close::read(&body);
        let _ = Execute::read(&body);
        let _ = sasl_initial(&body);
        let _ = error_fields(&body).map(Iterator::count);
        let _ = ready_status(&body);
        let _ = command_tag(&body);
        let _ = row_description(&body);
        let _ = parameter_status(&body);
        let _ = backend_key(&body);
        let _ = authentication(&body);
        let _ = data_row(&body);
    }
}
