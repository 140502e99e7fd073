//! Errors and notices of the server, without what could quote a row.

/// The body of an ErrorResponse or NoticeResponse, rebuilt from an allow-list of fields: severity, SQLSTATE,
/// message, hint, names of schema, table, column, type and constraint always; detail only where the class of
/// the SQLSTATE speaks of the statement and not of data. Position (it points into text the client never
/// wrote), internal query, context, source file and line are left out. `None` if the body is malformed.
pub fn clean_error_fields(_body: &[u8]) -> Option<Vec<u8>> {
    todo!()
}
