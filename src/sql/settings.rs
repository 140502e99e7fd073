//! Settings a masked role may change, by allow-list: in SET, set_config and startup parameters alike.

/// What may be done with a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingVerdict {
    /// Any value.
    Allowed,
    /// Pinned: only this value (compared without case and punctuation), which it has already.
    Only(&'static str),
    /// Not at all.
    Refused,
}

/// Judges a setting by its name, in any case.
pub fn judge_setting(name: &str) -> SettingVerdict {
    match name.to_ascii_lowercase().as_str() {
        "application_name"
        | "bytea_output"
        | "client_min_messages"
        | "constraint_exclusion"
        | "cursor_tuple_fraction"
        | "datestyle"
        | "default_transaction_deferrable"
        | "default_transaction_isolation"
        | "default_transaction_read_only"
        | "enable_async_append"
        | "enable_bitmapscan"
        | "enable_distinct_reordering"
        | "enable_gathermerge"
        | "enable_group_by_reordering"
        | "enable_hashagg"
        | "enable_hashjoin"
        | "enable_incremental_sort"
        | "enable_indexonlyscan"
        | "enable_indexscan"
        | "enable_material"
        | "enable_memoize"
        | "enable_mergejoin"
        | "enable_nestloop"
        | "enable_parallel_append"
        | "enable_parallel_hash"
        | "enable_partition_pruning"
        | "enable_partitionwise_aggregate"
        | "enable_partitionwise_join"
        | "enable_presorted_aggregate"
        | "enable_self_join_elimination"
        | "enable_seqscan"
        | "enable_sort"
        | "enable_tidscan"
        | "extra_float_digits"
        | "from_collapse_limit"
        | "geqo"
        | "idle_in_transaction_session_timeout"
        | "idle_session_timeout"
        | "intervalstyle"
        | "jit"
        | "join_collapse_limit"
        | "lc_messages"
        | "lc_monetary"
        | "lc_numeric"
        | "lc_time"
        | "lock_timeout"
        | "max_parallel_workers_per_gather"
        | "parallel_leader_participation"
        | "plan_cache_mode"
        | "quote_all_identifiers"
        | "random_page_cost"
        // Off, it makes a policy an error where it would filter: pg_dump wants all rows or none.
        | "row_security"
        | "search_path"
        | "seq_page_cost"
        | "statement_timeout"
        | "synchronize_seqscans"
        | "timezone"
        | "transaction_deferrable"
        | "transaction_isolation"
        | "transaction_read_only"
        | "transaction_timeout"
        | "work_mem"
        | "xmlbinary"
        | "xmloption" => SettingVerdict::Allowed,
        "client_encoding" | "names" => SettingVerdict::Only("UTF8"),
        "standard_conforming_strings" => SettingVerdict::Only("on"),
        "backslash_quote" => SettingVerdict::Only("safe_encoding"),
        "escape_string_warning" => SettingVerdict::Allowed,
        "array_nulls" | "transform_null_equals" => SettingVerdict::Allowed,
        _ => SettingVerdict::Refused,
    }
}

/// True when an allowed setting may have this value. With `debug` or `log` messages PostgreSQL would send
/// statement texts, the masks among them, to the client.
pub fn may_be(name: &str, value: &str) -> bool {
    !name.eq_ignore_ascii_case("client_min_messages")
        || matches!(value.to_ascii_lowercase().as_str(), "info" | "notice" | "warning" | "error")
}

/// True when `given` means a pinned value: `'utf-8'` is `UTF8`, `true` is `on`.
pub(super) fn is_same_value(pinned: &str, given: &str) -> bool {
    let fold = |text: &str| -> String {
        text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
    };
    let (pinned, given) = (fold(pinned), fold(given));
    match pinned.as_str() {
        "on" => matches!(given.as_str(), "on" | "true" | "yes" | "1" | "t" | "y"),
        "utf8" => matches!(given.as_str(), "utf8" | "unicode"),
        _ => pinned == given,
    }
}
