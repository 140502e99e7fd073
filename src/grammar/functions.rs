//! The functions of PostgreSQL that a masked role may call, by name; every overload of a name is covered.
//!
//! An allow-list: what is not here is refused, also what a later PostgreSQL brings. The list itself, with the
//! reasons, is `functions.txt` beside this file. It speaks of names: which schema a name means is for the caller
//! to know.

use std::collections::HashMap;
use std::sync::LazyLock;

/// Name → may it stand in the rules too.
static ALLOWED: LazyLock<HashMap<&'static str, bool>> =
    LazyLock::new(|| lines(include_str!("functions.txt")).collect());

/// Functions of `information_schema` that compute from their arguments; drivers call them (`_pg_expandarray`
/// spreads the columns of an index for JDBC's `getPrimaryKeys`).
const INFORMATION_SCHEMA: &[&str] = &[
    "_pg_char_max_length",
    "_pg_char_octet_length",
    "_pg_datetime_precision",
    "_pg_expandarray",
    "_pg_interval_type",
    "_pg_numeric_precision",
    "_pg_numeric_precision_radix",
    "_pg_numeric_scale",
    "_pg_truetypid",
    "_pg_truetypmod",
];

fn lines(list: &'static str) -> impl Iterator<Item = (&'static str, bool)> {
    list.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(|line| {
        match line.split_once(' ') {
            Some((name, _)) => (name, false),
            None => (line, true),
        }
    })
}

/// True when a masked role may call the built-in function of this name.
pub fn is_allowed(name: &str) -> bool {
    ALLOWED.contains_key(name)
}

/// All names on the list, in no order.
pub fn names() -> impl Iterator<Item = &'static str> {
    ALLOWED.keys().copied()
}

/// True when the built-in function of this name may stand in an expression of the rules too: it computes from
/// one row, and the same each time.
pub fn is_allowed_in_rules(name: &str) -> bool {
    ALLOWED.get(name).copied().unwrap_or(false)
}

/// True when a masked role may call the function of this name in `information_schema`.
pub fn is_allowed_in_information_schema(name: &str) -> bool {
    INFORMATION_SCHEMA.contains(&name)
}

/// True for settings that name the login, or whom it acts as.
pub fn names_login(setting: &str) -> bool {
    setting.eq_ignore_ascii_case("role") || setting.eq_ignore_ascii_case("session_authorization")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The list is read by people: each group sorted, no name twice, no mark but the known one.
    #[test]
    fn the_list_is_well_kept() {
        let mut seen = std::collections::BTreeSet::new();
        let mut last = "";
        for line in include_str!("functions.txt").lines() {
            if line.is_empty() || line.starts_with('#') {
                last = "";
                continue;
            }
            let (name, mark) = line.split_once(' ').unwrap_or((line, ""));
            assert!(matches!(mark, "" | "query"), "{line}");
            assert!(
                name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
            );
            assert!(last < name, "{name} stands behind {last}");
            assert!(seen.insert(name), "{name} stands twice");
            last = name;
        }
        assert_eq!(seen.len(), ALLOWED.len());
    }

    #[test]
    fn what_reaches_beyond_its_arguments_is_refused() {
        let refused = [
            "query_to_xml",
            "query_to_xmlschema",
            "query_to_xml_and_xmlschema",
            "table_to_xml",
            "table_to_xmlschema",
            "schema_to_xml",
            "database_to_xml",
            "cursor_to_xml",
            "ts_stat",
            "ts_rewrite",
            "pg_read_file",
            "pg_read_binary_file",
            "pg_stat_file",
            "pg_ls_dir",
            "pg_ls_logdir",
            "lo_get",
            "lo_export",
            "lo_import",
            "lo_put",
            "loread",
            "lowrite",
            "pg_sleep",
            "pg_sleep_for",
            "pg_sleep_until",
            "pg_notify",
            "pg_advisory_lock",
            "pg_try_advisory_lock",
            "pg_terminate_backend",
            "pg_cancel_backend",
            "pg_reload_conf",
            "nextval",
            "currval",
            "lastval",
            "setval",
            "setseed",
            "current_query",
            "pg_stat_get_activity",
            "pg_stat_get_backend_activity",
            "pg_export_snapshot",
            "pg_logical_slot_get_changes",
            "pg_create_logical_replication_slot",
            "pg_mcv_list_items",
            "pg_prepared_statement",
            "pg_cursor",
            "currtid2",
            "pg_input_is_valid",
            "pg_input_error_info",
            "gin_clean_pending_list",
            "brin_summarize_new_values",
            "tsvector_update_trigger",
            "pg_switch_wal",
            "pg_promote",
            "dblink",
            "xpath_table",
            "pg_config",
            "pg_hba_file_rules",
            "pg_show_all_file_settings",
            "pg_current_logfile",
            "pg_nextoid",
            "pg_sequence_last_value",
            "pg_get_shmem_allocations",
            "pg_lock_status",
            "domain_in",
            "record_in",
            "array_in",
            "textin",
            "record_recv",
            "anyarray_out",
            "binary_upgrade_set_next_pg_type_oid",
            "pg_replication_origin_create",
            "pg_log_standby_snapshot",
            "pg_stat_reset",
            "pg_extension_config_dump",
            "fmgr_sql_validator",
            "pg_control_system",
            "pg_restore_relation_stats",
            "pg_clear_attribute_stats",
            "",
            "LOWER",
            "lower ",
            "query",
            "# text",
        ];
        for name in refused {
            assert!(!is_allowed(name), "{name}");
            assert!(!is_allowed_in_rules(name), "{name}");
        }
    }

    #[test]
    fn what_tools_and_people_need_is_there() {
        let allowed = [
            "lower",
            "count",
            "format_type",
            "pg_get_expr",
            "pg_table_is_visible",
            "array_to_string",
            "pg_get_userbyid",
            "obj_description",
            "to_char",
            "jsonb_build_object",
            "unnest",
            "pg_total_relation_size",
            "current_setting",
            "set_config",
            "version",
        ];
        for name in allowed {
            assert!(is_allowed(name), "{name}");
        }
        for name in ["count", "unnest", "random", "set_config", "row_number", "generate_series"] {
            assert!(is_allowed(name) && !is_allowed_in_rules(name), "{name}");
        }
        for name in ["lower", "now", "date_trunc", "regexp_replace", "current_setting"] {
            assert!(is_allowed_in_rules(name), "{name}");
        }
        assert!(is_allowed_in_information_schema("_pg_expandarray"));
        assert!(!is_allowed_in_information_schema("lower"));
    }
}
